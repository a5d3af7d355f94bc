import Domain
import Registry
import Tracking
import Web

/// One run: its facts, its charts, its files.
struct RunPages: Sendable {
    let service: ScopedService

    private static let refreshSeconds = 5
    /// Rows of a list of metrics, parameters or tags that one page shows.
    static let maxRows = 200

    // MARK: Frame

    private enum View: String { case overview = "", charts = "/charts", artifacts = "/artifacts" }

    private func frame(_ run: Run, _ view: View) async throws(TrackingError) -> Page {
        let experiment = try await service.store.experiment(id: run.info.experimentID)
        let here = "/runs/\(run.info.id)"
        let trail = [Pages.Section.experiments.link, Page.Link(experiment.name, "/experiments/\(experiment.id)")]
        var page = Pages.page(run.info.name, in: .experiments, trail: trail)
        page.badge = Piece.status(run.info.status)
        if run.info.stage == .deleted { page.badge += " <span class=\"tag\">deleted</span>" }
        let isLive = run.info.status == .running
        page.refreshSeconds = isLive ? Self.refreshSeconds : nil
        page.actions =
            isLive
            ? "<span class=\"live\" title=\"Renews itself every \(Self.refreshSeconds) s while the run goes on\">Live</span>" : .empty
        let tabs = Piece.tabs([
            .init(title: "Overview", target: here, isCurrent: view == .overview),
            .init(title: "Charts", target: here + View.charts.rawValue, isCurrent: view == .charts),
            .init(title: "Artefacts", target: here + View.artifacts.rawValue, isCurrent: view == .artifacts),
        ])
        page.body = tabs
        return page
    }

    // MARK: Overview

    func overview(_ query: PageQuery) async throws -> Page {
        let run = try await service.store.run(id: query.part("id"))
        var page = try await frame(run, .overview)
        let versions = try await service.registry.searchVersions(filter: "run_id = '\(run.info.id)'", maxResults: 20).elements
        let children = try await service.store.children(ofRun: run.info.id, showing: TrackingStore.RunColumns(), limit: 50)
        let text = query["q"].lowercased()
        let metrics = run.metrics.filter { text.isEmpty || $0.key.lowercased().contains(text) }
        let params = run.params.filter { text.isEmpty || $0.key.lowercased().contains(text) }
        let rows = metrics.prefix(Self.maxRows).map { metric -> [HTML] in
            let chart = query.path + "/charts?q=" + URLText.encode(metric.key)
            return ["<a href=\"\(chart)\">\(metric.key)</a>", "\(NumberText.short(metric.value, digits: 7))", "\(metric.step)"]
        }
        let metricTable = TableMarkup(
            [.text("Metric"), .number("Latest"), .number("Step")], rows: rows,
            whenEmpty: text.isEmpty ? "No metrics." : "No metric of this name.")
        let paramTable = TableMarkup(
            [.text("Parameter"), .text("Value")], rows: params.prefix(Self.maxRows).map { ["\($0.key)", "\($0.value)"] },
            whenEmpty: text.isEmpty ? "No parameters." : "No parameter of this name.")
        let isLong = run.metrics.count + run.params.count > 30
        let search: HTML =
            isLong
            ? """
            <form class="search" role="search" action="\(query.path)"><input type="search" name="q" value="\(query["q"])" placeholder="Part of a metric's or parameter's name" \
            aria-label="Find metrics and parameters"><button>Find</button></form>
            """ : .empty
        page.body += """
            \(Piece.description(run.tags))<div data-live="facts">\(facts(run, versions, parent: try await parent(of: run), traces: try await traces(of: run)))</div>\(search)
            <div class="columns"><section><h2>\(title("Metrics", metrics.count, of: run.metrics.count))</h2><div data-live="metrics">\(metricTable.render())</div>\(rest(metrics.count))</section>
            <section><h2>\(title("Parameters", params.count, of: run.params.count))</h2>\(paramTable.render())\(rest(params.count))</section></div>
            \(Piece.section("Runs under this run", try await childTable(children)))\(Piece.section("Datasets", datasets(run)))\(Piece.section("Logged models", try await models(run)))\(Piece.section("Tags", tags(run)))
            """
        return page
    }

    private func title(_ what: String, _ shown: Int, of all: Int) -> HTML {
        "\(what) <span class=\"dim\">\(shown == all ? Piece.grouped(all) : "\(Piece.grouped(shown)) of \(Piece.grouped(all))")</span>"
    }

    private func rest(_ count: Int) -> HTML {
        count > Self.maxRows ? "<p class=\"dim\">The first \(Self.maxRows) by name. Search for the others.</p>" : .empty
    }

    private func facts(_ run: Run, _ versions: [RegisteredVersion], parent: HTML, traces: HTML) -> HTML {
        let info = run.info, now = service.now()
        func tag(_ key: String) -> String { run.tags.first { $0.key == key }?.value ?? "" }
        let user = info.user.isEmpty ? tag("mlflow.user") : info.user
        let commit = tag("mlflow.source.git.commit")
        let end: HTML = info.endTime.map { " <span class=\"dim\">until \(Piece.moment($0))</span>" } ?? .empty
        return Piece.facts([
            ("Started", Piece.momentAgo(info.startTime, now: now)),
            ("Duration", "\(Piece.duration(info, now: now))\(end)"), ("User", "\(user)"),
            ("Source", Self.source(tag("mlflow.source.name"), commit)),
            ("Under", parent), ("Traces", traces),
            (
                "Registered as",
                versions.map { version -> HTML in
                    "\(Piece.version(version.model, version.number)) \(version.aliases.map { Piece.alias($0) })"
                }.joined(separator: ", ")
            ),
            ("Run id", "<code>\(info.id)</code>"), ("Artefacts", "<code>\(info.artifactURI)</code>"),
        ])
    }

    private func parent(of run: Run) async throws(TrackingError) -> HTML {
        guard let id = run.tags.first(where: { $0.key == TrackingStore.parentTag })?.value, !id.isEmpty else { return .empty }
        let found = try await service.store.runs(ids: [id], showing: TrackingStore.RunColumns()).first
        return Piece.run(id, name: found?.info.name)
    }

    private func traces(of run: Run) async throws(TrackingError) -> HTML {
        let limit = 1_000, count = try await service.traces.count(ofRun: run.info.id, limit: limit)
        guard count > 0 else { return .empty }
        let filter = URLText.encode("run_id = '\(run.info.id)'")
        let text = count < limit ? Piece.count(count, "trace") : "\(Piece.grouped(limit)) traces or more"
        return "<a href=\"/experiments/\(run.info.experimentID)/traces?filter=\(filter)\">\(text)</a>"
    }

    /// What ran, and at which revision.
    static func source(_ name: String, _ commit: String) -> HTML {
        guard !name.isEmpty || !commit.isEmpty else { return .empty }
        let revision: HTML = commit.isEmpty ? .empty : " at <code>\(String(commit.prefix(12)))</code>"
        return "\(name)\(revision)"
    }

    private func childTable(_ children: [Run]) async throws(TrackingError) -> HTML {
        guard !children.isEmpty else { return .empty }
        let now = service.now()
        return TableMarkup(
            [.text("Run"), .text("Status"), .text("Started"), .number("Duration")],
            rows: children.map { child in
                [
                    Piece.run(child.info.id, name: child.info.name), Piece.status(child.info.status),
                    Piece.ago(child.info.startTime, now: now),
                    "\(Piece.duration(child.info, now: now))",
                ]
            }
        ).render()
    }

    private func datasets(_ run: Run) -> HTML {
        guard !run.datasets.isEmpty else { return .empty }
        return TableMarkup(
            [.text("Name"), .text("Digest"), .text("Used as"), .text("Source"), .text("Schema")],
            rows: run.datasets.prefix(Self.maxRows).map { dataset in
                [
                    "<a href=\"\(DatasetPage.runs(of: dataset, experiment: run.info.experimentID))\" title=\"Runs that read it\">\(Piece.clip(dataset.name))</a>",
                    "<code>\(dataset.digest)</code>", "\(dataset.tags.first { $0.key == "mlflow.data.context" }?.value ?? "")",
                    Piece.clip(dataset.source), DatasetPage.schema(dataset.schema),
                ]
            }
        ).render()
    }

    private func models(_ run: Run) async throws(TrackingError) -> HTML {
        guard !run.modelOutputs.isEmpty || !run.modelInputs.isEmpty else { return .empty }
        var rows: [[HTML]] = []
        let all = run.modelOutputs.map { ($0.modelID, "made") } + run.modelInputs.map { ($0, "read") }
        for (id, how) in all.prefix(50) {
            // A model may have been deleted since.
            let model: LoggedModel? = try? await service.store.loggedModel(id: id)
            rows.append([
                "<a href=\"/logged-models/\(id)\">\(model?.name ?? id)</a>", "\(how)", "\(model?.type ?? "")",
                "\(model.map { ModelPages.word($0.status) } ?? "deleted")", "<code>\(id)</code>",
            ])
        }
        return TableMarkup([.text("Model"), .text("How"), .text("Type"), .text("Status"), .text("Id")], rows: rows).render()
    }

    private func tags(_ run: Run) -> HTML {
        let own = run.tags.filter { !$0.key.hasPrefix("mlflow.") }, noted = run.tags.filter { $0.key.hasPrefix("mlflow.") }
        func table(_ tags: [KeyValue]) -> HTML {
            TableMarkup(
                [.text("Tag"), .text("Value")], rows: tags.prefix(Self.maxRows).map { ["\($0.key)", "\(String($0.value.prefix(2_000)))"] }
            ).render()
        }
        let clients: HTML =
            noted.isEmpty
            ? .empty : "<details><summary class=\"dim\">What the client noted (\(noted.count))</summary>\(table(noted))</details>"
        return "\(own.isEmpty ? .empty : table(own))\(clients)"
    }

    // MARK: Charts

    func charts(_ query: PageQuery) async throws -> Page {
        let run = try await service.store.run(id: query.part("id"))
        var page = try await frame(run, .charts)
        // Other runs over this one, as asked for; those that are gone are left out.
        var runs = [run]
        for id in query.all("with").prefix(9) {
            if let other = try? await service.store.run(id: id), other.info.id != run.info.id { runs.append(other) }
        }
        let charts = MetricCharts(service: service, runs: runs, query: query)
        page.body += """
            \(charts.controls(overlay: try await overlay(run, query)))<div data-live="charts">\(try await charts.html())</div>
            """
        page.isWide = true
        return page
    }

    /// A field to lay another run of the experiment over this one.
    private func overlay(_ run: Run, _ query: PageQuery) async throws(TrackingError) -> HTML {
        var search = TrackingStore.RunSearch(experiments: [run.info.experimentID])
        search.maxResults = 30
        search.columns = TrackingStore.RunColumns()
        let others = try await service.store.searchRuns(search).elements.filter { $0.info.id != run.info.id }
        guard !others.isEmpty else { return .empty }
        let chosen = query.all("with")
        let options = others.filter { !chosen.contains($0.info.id) }.map { Piece.option($0.info.id, $0.info.name, chosen: "") }
        let kept = chosen.map { id -> HTML in
            "<input type=\"hidden\" name=\"with\" value=\"\(id)\"><a class=\"tag\" href=\"\(query.removing("with", id).address)\" title=\"Take it off\">\(others.first { $0.info.id == id }?.info.name ?? String(id.prefix(8))) ×</a>"
        }
        return "<label>Overlay <select name=\"with\"><option value=\"\">another run…</option>\(options)</select></label>\(kept)"
    }

    // MARK: Files

    func artifacts(_ query: PageQuery) async throws -> Page {
        let run = try await service.store.run(id: query.part("id"))
        var page = try await frame(run, .artifacts)
        page.isWide = true
        page.refreshSeconds = nil
        page.actions = .empty
        page.body += try await ArtifactBrowser(service: service, uri: run.info.artifactURI, query: query).html()
        return page
    }
}
