import Domain
import Registry
import Tracking
import Web

/// The registry: models, their versions, who moved which alias and why.
struct ModelPages: Sendable {
    let service: ScopedService

    private static let perPage = 100

    static func word(_ status: LoggedModelStatus) -> String {
        switch status {
        case .pending: "pending"
        case .ready: "ready"
        case .failed: "upload failed"
        }
    }

    // MARK: Models

    func list(_ query: PageQuery) async throws -> Page {
        let text = query["q"], now = service.now()
        let filter = text.isEmpty ? "" : "name ILIKE '%\(text.replacing("'", with: "''"))%'"
        let order = ["name ASC", "name DESC", "last_updated_timestamp ASC", "last_updated_timestamp DESC"].first { $0 == query["order"] }
        let found = try await service.registry.searchModels(
            filter: filter, order: order.map { [$0] } ?? [], maxResults: Self.perPage, pageToken: query.has("page") ? query["page"] : nil)
        let rows = found.elements.map { model -> [HTML] in
            let aliases = model.aliases.map { alias -> HTML in
                "<a href=\"\(Self.path(model.name))/versions/\(alias.number)\">\(Piece.alias(alias.alias))</a><span class=\"dim\">v\(alias.number)</span> "
            }
            let note = model.description.split(separator: "\n").first.map(String.init) ?? ""
            return [
                "<a href=\"\(Self.path(model.name))\"><strong>\(Piece.clip(model.name))</strong></a>\(note.isEmpty ? .empty : "<br><span class=\"dim small\">\(Piece.clip(note))</span>" as HTML)",
                "\(model.latestVersions.map(\.number).max().map { "v\($0)" } ?? "–")", aliases.joined(),
                Piece.ago(model.lastUpdateTime, now: now),
                Piece.tags(model.tags),
            ]
        }
        let columns: [TableMarkup.Column] = [
            TableMarkup.Column(SortLink(query: query, term: "name", title: "Name", startsAscending: true).html), .number("Latest"),
            .text("Aliases"),
            TableMarkup.Column(SortLink(query: query, term: "last_updated_timestamp", title: "Changed").html), .text("Tags"),
        ]
        let none: HTML =
            text.isEmpty
            ? "<div class=\"empty\">No registered models.<pre><code>mlflow.sklearn.log_model(model, name=\"model\", registered_model_name=\"price\")</code></pre></div>"
            : "<p class=\"empty\">No model has “\(text)” in its name.</p>"
        let body: HTML = """
            <form class="search" role="search" action="/models"><input type="search" name="q" value="\(text)" placeholder="Part of a name" \
            aria-label="Search models by name">\(query.hidden(except: "q", "page"))<button>Search</button></form>
            \(rows.isEmpty ? none : TableMarkup(columns, rows: rows).render())\(Piece.pager(query, next: found.nextPageToken))
            """
        return Pages.page("Models", in: .models, body: body)
    }

    static func path(_ name: String) -> String { "/models/\(URLText.encode(name))" }

    // MARK: One model

    func model(_ query: PageQuery) async throws -> Page {
        let model = try await service.registry.model(name: query.part("name")), now = service.now()
        let filter = "name = '\(model.name.replacing("'", with: "''"))'"
        let versions = try await service.registry.searchVersions(
            filter: filter, order: ["version_number DESC"], includesPrompts: true, maxResults: Self.perPage,
            pageToken: query.has("page") ? query["page"] : nil)
        let hasStages = versions.elements.contains { $0.stage != "None" }
        let rows = versions.elements.map { version -> [HTML] in
            let box: HTML =
                "<input type=\"checkbox\" form=\"picked\" name=\"version\" value=\"\(version.number)\" aria-label=\"Pick version \(version.number)\">"
            let stage: [HTML] = hasStages ? [version.stage == "None" ? .empty : "\(version.stage)"] : []
            return [
                "\(box)", "<a href=\"\(Self.path(model.name))/versions/\(version.number)\"><strong>v\(version.number)</strong></a>",
                version.aliases.map { Piece.alias($0) }.joined(),
            ] + stage + [
                version.runID.isEmpty ? .empty : Piece.run(version.runID), Piece.ago(version.creationTime, now: now),
                "\(version.user)", Piece.tags(version.tags),
            ]
        }
        let stage: [TableMarkup.Column] = hasStages ? [.text("Stage")] : []
        let columns: [TableMarkup.Column] =
            [.text(""), .text("Version"), .text("Aliases")] + stage + [.text("Run"), .text("Created"), .text("By"), .text("Tags")]
        let table = TableMarkup(columns, rows: rows, whenEmpty: "No versions yet.")
        var page = Pages.page(model.name, in: .models, trail: [Pages.Section.models.link])
        page.badge =
            "\(model.aliases.map { alias -> HTML in "\(Piece.alias(alias.alias)) <span class=\"dim\">v\(alias.number)</span> " })\(Piece.tags(model.tags))"
        page.body = """
            \(Piece.note(model.description))
            <form id="picked" action="\(Self.path(model.name))/compare" data-picks></form>
            <h2>Versions</h2><div class="bar"><button form="picked">Compare</button></div>\(table.render())\(Piece.pager(query, next: versions.nextPageToken))
            <h2>How its aliases moved</h2>\(try await audit(model.name, now))
            """
        return page
    }

    /// Every move of an alias, the newest first.
    private func audit(_ name: String, _ now: EventTime.Milliseconds) async throws(TrackingError) -> HTML {
        let records = try await service.registry.promotions(model: name)
        guard !records.isEmpty else { return "<p class=\"empty\">No alias has moved.</p>" }
        func link(_ number: Int) -> HTML { "<a href=\"\(Self.path(name))/versions/\(number)\">v\(number)</a>" }
        let steps = records.map { record -> HTML in
            let move: HTML =
                switch (record.previous, record.number) {
                case (let old?, let new?): "moved from \(link(old)) to \(link(new))"
                case (nil, let new?): "set to \(link(new))"
                case (let old?, nil): "taken from \(link(old))"
                case (nil, nil): "removed"
                }
            let who: HTML = record.promotion.actor.isEmpty ? .empty : " by <strong>\(record.promotion.actor)</strong>"
            let why: HTML = record.promotion.reason.isEmpty ? .empty : "<br>\(record.promotion.reason)"
            let verdict: HTML =
                record.promotion.verdict.map {
                    "<details><summary class=\"dim\">The gate's numbers</summary><pre><code>\(Self.pretty($0))</code></pre></details>"
                } ?? .empty
            return
                "<li>\(Piece.alias(record.alias)) \(move)\(who) <span class=\"dim\">\(Piece.ago(record.time, now: now))</span>\(why)\(verdict)</li>"
        }
        return "<ol class=\"trace\">\(steps)</ol>"
    }

    private static func pretty(_ json: String) -> String { (try? JSONReader.read(Array(json.utf8))).map { JSONPretty.text($0) } ?? json }

    // MARK: One version

    func version(_ query: PageQuery) async throws -> Page {
        let number = try RegistryValidation.number(query.part("version"))
        let version = try await service.registry.version(model: query.part("name"), number: number), now = service.now()
        let uri = try? await service.place(of: version.source)
        let run: Run? = version.runID.isEmpty ? nil : try? await service.store.run(id: version.runID)
        var page = Pages.page(
            "\(version.model) v\(number)", in: .models,
            trail: [Pages.Section.models.link, Page.Link(version.model, Self.path(version.model))])
        page.badge =
            version.aliases.map { Piece.alias($0) }.joined()
            + (version.stage == "None" ? .empty : "<span class=\"tag\">\(version.stage)</span>")
        page.isWide = true
        func note(_ key: String) -> String { run?.tags.first { $0.key == key }?.value ?? "" }
        let facts = Piece.facts([
            ("Run", run.map { Piece.run($0.info.id, name: $0.info.name) } ?? "\(version.runID)"),
            (
                "Logged model",
                version.modelID.isEmpty
                    ? .empty : "<a href=\"/logged-models/\(URLText.encode(version.modelID))\"><code>\(version.modelID)</code></a>"
            ),
            (
                "Datasets",
                (run?.datasets ?? []).prefix(10).map { dataset -> HTML in
                    "<a href=\"\(DatasetPage.runs(of: dataset, experiment: run?.info.experimentID ?? ""))\">\(Piece.clip(dataset.name))</a> <code>\(dataset.digest)</code>"
                }.joined(separator: "<br>")
            ),
            ("Code", RunPages.source(note("mlflow.source.name"), note("mlflow.source.git.commit"))),
            ("Created", Piece.momentAgo(version.creationTime, now: now)),
            ("By", "\(version.user)"), ("Source", "<code>\(version.source)</code>"),
        ])
        let tags = TableMarkup(
            [.text("Tag"), .text("Value")],
            rows: version.tags.prefix(RunPages.maxRows).map { ["\($0.key)", "\(String($0.value.prefix(4_000)))"] })
        let metrics = TableMarkup(
            [.text("Metric of its run"), .number("Value")],
            rows: (run?.metrics ?? []).prefix(50).map { ["\($0.key)", "\(NumberText.short($0.value, digits: 7))"] })
        let files: HTML =
            if let uri { try await ArtifactBrowser(service: service, uri: uri, query: query).html() } else {
                "<p class=\"empty\">Its source is not on this server.</p>"
            }
        page.body = """
            \(Piece.note(version.description))<div class="columns"><div>\(facts)\(version.tags.isEmpty ? .empty : "<h2>Tags</h2>" + tags.render())</div>\
            <div>\(metrics.rows.isEmpty ? .empty : metrics.render())</div></div><h2>Files</h2>\(files)
            """
        return page
    }

    // MARK: Versions side by side

    func compare(_ query: PageQuery) async throws -> Page {
        let name = query.part("name")
        var versions: [RegisteredVersion] = []
        for text in query.all("version").prefix(10) {
            let number = try RegistryValidation.number(text)
            if !versions.contains(where: { $0.number == number }) {
                versions.append(try await service.registry.version(model: name, number: number))
            }
        }
        guard versions.count > 1 else { throw TrackingError(.invalidParameter, "Choose at least two versions of \(name) to compare") }
        versions.sort { $0.number < $1.number }
        var runs: [Run?] = []
        for version in versions { runs.append(version.runID.isEmpty ? nil : try? await service.store.run(id: version.runID)) }
        let now = service.now()
        func row(_ title: String, _ values: [HTML]) -> HTML {
            let kind = Set(values.map(\.text)).count > 1 ? "differs" : ""
            return
                "<tr><th scope=\"row\">\(Piece.clip(title))</th>\(values.map { value -> HTML in "<td class=\"\(kind)\">\(value)</td>" })</tr>\n"
        }
        func plain(_ title: String, _ values: [HTML]) -> HTML {
            "<tr><th scope=\"row\">\(title)</th>\(values.map { value -> HTML in "<td>\(value)</td>" })</tr>\n"
        }
        var rows: [HTML] = [
            plain("Aliases", versions.map { $0.aliases.map { Piece.alias($0) }.joined() }),
            plain("Created", versions.map { Piece.ago($0.creationTime, now: now) }),
            plain("Run", runs.map { $0.map { Piece.run($0.info.id, name: $0.info.name) } ?? .empty }),
            plain("Description", versions.map { Piece.clip($0.description) }),
        ]
        let known = runs.compactMap { $0 }
        for (title, kind, keys) in [
            ("Metrics", RunColumn.Kind.metrics, Set(known.flatMap { $0.metrics.map(\.key) })),
            ("Parameters", .params, Set(known.flatMap { $0.params.map(\.key) })),
        ] where !keys.isEmpty {
            rows.append("<tr><th scope=\"colgroup\" colspan=\"\(versions.count + 1)\"><strong>\(title)</strong></th></tr>")
            rows += keys.sorted().prefix(RunPages.maxRows).map { key in
                row(
                    key, runs.map { run in run.flatMap { RunColumn(kind, key).value(of: $0) }.map { Piece.value($0) } ?? .empty })
            }
        }
        let tags = Set(versions.flatMap { $0.tags.map(\.key) }).sorted()
        if !tags.isEmpty {
            rows.append("<tr><th scope=\"colgroup\" colspan=\"\(versions.count + 1)\"><strong>Tags</strong></th></tr>")
            rows += tags.prefix(RunPages.maxRows).map { key in row(key, versions.map { $0.tag(key).map { Piece.clip($0) } ?? .empty }) }
        }
        let heads = versions.map { version -> HTML in
            "<th scope=\"col\"><a href=\"\(Self.path(name))/versions/\(version.number)\">v\(version.number)</a></th>"
        }
        let overlay = known.map { "run=" + URLText.encode($0.info.id) }.joined(separator: "&")
        let links: HTML =
            known.count > 1
            ? "<div class=\"bar\"><a class=\"button\" href=\"/compare?\(overlay)&view=charts\">Charts of their runs</a></div>" : .empty
        let trail = [Pages.Section.models.link, Page.Link(name, Self.path(name))]
        var page = Pages.page("Versions " + versions.map { "v\($0.number)" }.joined(separator: ", "), in: .models, trail: trail)
        page.isWide = true
        page.body =
            "\(links)<div class=\"scroll\"><table class=\"compact\"><thead><tr><th></th>\(heads)</tr></thead><tbody>\(rows)</tbody></table></div>"
        return page
    }

    // MARK: A logged model

    func logged(_ query: PageQuery) async throws -> Page {
        let model = try await service.store.loggedModel(id: query.part("id"))
        let experiment = try await service.store.experiment(id: model.experimentID)
        var page = Pages.page(
            model.name, in: .experiments,
            trail: [Pages.Section.experiments.link, Page.Link(experiment.name, "/experiments/\(experiment.id)")])
        page.badge = "<span class=\"tag\">logged model</span><span class=\"dim\">\(Self.word(model.status))</span>"
        page.isWide = true
        let facts = Piece.facts([
            ("Type", "\(model.type)"), ("Made by", model.sourceRun.isEmpty ? .empty : Piece.run(model.sourceRun)),
            ("Created", Piece.moment(model.creationTime)), ("Model id", "<code>\(model.id)</code>"),
            ("Artefacts", "<code>\(model.artifactURI)</code>"),
        ])
        let metrics = TableMarkup(
            [.text("Metric"), .number("Value"), .text("Dataset")],
            rows: model.metrics.prefix(RunPages.maxRows).map {
                ["\($0.metric.key)", "\(NumberText.short($0.metric.value, digits: 7))", "\($0.metric.dataset?.name ?? "")"]
            })
        let params = TableMarkup(
            [.text("Parameter"), .text("Value")], rows: model.params.prefix(RunPages.maxRows).map { ["\($0.key)", "\($0.value)"] })
        page.body = """
            <div class="columns"><div>\(facts)\(Piece.tags(model.tags))</div><div>\(model.metrics.isEmpty ? .empty : metrics.render())\
            \(model.params.isEmpty ? .empty : "<h2>Parameters</h2>" + params.render())</div></div><h2>Files</h2>\
            \(try await ArtifactBrowser(service: service, uri: model.artifactURI, query: query).html())
            """
        return page
    }
}
