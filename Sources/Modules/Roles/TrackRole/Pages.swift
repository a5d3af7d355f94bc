import Domain
import Hummingbird
import ObjectStore
import Registry
import Tracking
import Web

/// The server as a person sees it: experiments → runs → run, models → versions and their audit.
struct Pages: Sendable {
    let service: TrackService

    static let navigation = [Page.Link("Experiments", "/"), Page.Link("Models", "/models")]

    func add(to router: Router<WebContext>) {
        router.get("/") { _, _ in try await experiments() }
        router.get("/experiments/{id}") { request, context in
            try await experiment(Self.argument("id", context), Arguments(query: request.query))
        }
        router.get("/runs/{id}") { request, context in try await run(Self.argument("id", context), Arguments(query: request.query)) }
        router.get("/models") { _, _ in try await models() }
        router.get("/models/{name}") { _, context in try await model(Self.argument("name", context)) }
    }

    private static func argument(_ name: String, _ context: WebContext) -> String {
        let raw = context.parameters.get(name) ?? ""
        return URLText.decode(raw) ?? raw
    }

    // MARK: Experiments

    private func experiments() async throws -> Response {
        let page = try await service.store.searchExperiments(maxResults: 1_000)
        let rows = page.elements.map { experiment -> [HTML] in
            [
                "<a href=\"/experiments/\(experiment.id)\">\(experiment.name)</a>", "\(experiment.id)",
                Self.time(experiment.creationTime), Self.tags(experiment.tags),
            ]
        }
        let table = TableMarkup([.text("Name"), .text("Id"), .text("Created"), .text("Tags")], rows: rows)
        return .page(Page(title: "Experiments", navigation: Self.navigation, body: table.render()))
    }

    private static let runsPerPage = 100

    private func experiment(_ id: String, _ arguments: Arguments) async throws -> Response {
        let experiment = try await service.store.experiment(id: id)
        var search = TrackingStore.RunSearch(experiments: [id])
        search.filter = try arguments.optionalText("filter") ?? ""
        let order = try arguments.optionalText("order") ?? ""
        search.order = order.isEmpty ? [] : [order]
        search.pageToken = try arguments.optionalText("page")
        search.maxResults = Self.runsPerPage
        let (runs, complaint) = try await found(search)
        let form: HTML = """
            <form class="search" role="search"><input name="filter" value="\(search.filter)" aria-label="Filter" \
            placeholder="metrics.rmse &lt; 0.5 AND params.kind = 'ridge'"><input name="order" value="\(order)" aria-label="Order" \
            placeholder="metrics.rmse ASC"><button>Search</button></form>
            """
        let query = "filter=\(URLText.encode(search.filter))&order=\(URLText.encode(order))"
        let next: HTML = runs.nextPageToken.map { "<p><a href=\"?\(query)&page=\(URLText.encode($0))\">Next page</a></p>" } ?? .empty
        return .page(
            Page(
                title: experiment.name, navigation: Self.navigation, trail: [Page.Link("Experiments", "/")],
                body: "\(form)\(complaint)\(Self.runTable(runs.elements))\(next)"))
    }

    /// The runs, or none and what is wrong with the search, for the person who typed it.
    private func found(_ search: TrackingStore.RunSearch) async throws -> (Paged<Run>, HTML) {
        do throws(TrackingError) {
            return (try await service.store.searchRuns(search), .empty)
        } catch {
            guard error.code == .invalidParameter else { throw error }
            return (Paged(elements: [], nextPageToken: nil), "<p class=\"bad\" role=\"alert\">\(error.message)</p>")
        }
    }

    /// Columns: the metrics and parameters that the page's runs have, the first dozen of each by name.
    private static func runTable(_ runs: [Run]) -> HTML {
        let metrics = Set(runs.flatMap { $0.metrics.map(\.key) }).sorted().prefix(12)
        let params = Set(runs.flatMap { $0.params.map(\.key) }).sorted().prefix(12)
        let columns: [TableMarkup.Column] =
            [.text("Run"), .text("Status"), .text("Started"), .number("Took")] + metrics.map { .number($0) } + params.map { .text($0) }
        let rows = runs.map { run -> [HTML] in
            let values = Dictionary(run.metrics.map { ($0.key, $0.value) }) { first, _ in first }
            let texts = Dictionary(run.params.map { ($0.key, $0.value) }) { first, _ in first }
            return [
                "<a href=\"/runs/\(run.info.id)\">\(run.info.name)</a>", status(run.info.status), time(run.info.startTime),
                duration(run.info),
            ]
                + metrics.map { key -> HTML in values[key].map { "\(NumberText.short($0))" } ?? .empty }
                + params.map { key -> HTML in texts[key].map { "\(shortened($0))" } ?? .empty }
        }
        return TableMarkup(columns, rows: rows, whenEmpty: "No run matches.").render()
    }

    // MARK: One run

    private func run(_ id: String, _ arguments: Arguments) async throws -> Response {
        let run = try await service.store.run(id: id)
        let experiment = try await service.store.experiment(id: run.info.experimentID)
        let facts = TableMarkup(
            [.text("Fact"), .text("Value")],
            rows: [
                ["Status", Self.status(run.info.status)], ["Started", Self.time(run.info.startTime)], ["Took", Self.duration(run.info)],
                ["Run id", "<code>\(run.info.id)</code>"], ["User", "\(run.info.user)"],
                ["Artefacts", "<code>\(run.info.artifactURI)</code>"],
            ])
        let params = TableMarkup(
            [.text("Parameter"), .text("Value")], rows: run.params.map { ["\($0.key)", "\($0.value)"] }, whenEmpty: "No parameters.")
        let metrics = TableMarkup(
            [.text("Metric"), .number("Latest"), .number("Step")],
            rows: run.metrics.map { ["\($0.key)", "\(NumberText.short($0.value, digits: 7))", "\($0.step)"] }, whenEmpty: "No metrics.")
        let tags = TableMarkup([.text("Tag"), .text("Value")], rows: run.tags.map { ["\($0.key)", "\(Self.shortened($0.value))"] })
        let body: HTML = """
            \(facts.render())<h2>Metrics</h2>\(metrics.render())<div class="charts">\(try await charts(of: run))</div>
            <h2>Parameters</h2>\(params.render())<h2>Artefacts</h2>\(try await files(of: run, arguments))<h2>Tags</h2>\(tags.render())
            """
        return .page(
            Page(
                title: run.info.name, navigation: Self.navigation,
                trail: [Page.Link("Experiments", "/"), Page.Link(experiment.name, "/experiments/\(experiment.id)")],
                refreshSeconds: run.info.status == .running ? 10 : nil, body: body))
    }

    private static let maxCharts = 24

    /// A chart for every metric with more than one observation, the first two dozen by name.
    private func charts(of run: Run) async throws -> [HTML] {
        var charts: [HTML] = []
        for metric in run.metrics where charts.count < Self.maxCharts {
            let history = try await service.store.sampledHistory(run: run.info.id, key: metric.key, maxPoints: 400)
            guard history.count > 1 else { continue }
            let hasSteps = Set(history.map(\.step)).count > 1
            let points = history.map { (x: Double(hasSteps ? $0.step : $0.timestamp), y: $0.value) }
            charts.append(
                Chart(
                    title: metric.key, xLabel: hasSteps ? "step" : "time", horizontal: hasSteps ? .number : .time,
                    .points(.line, [Chart.Series(metric.key, points)])
                ).render())
        }
        return charts
    }

    /// One folder of a run's artefacts.
    private func files(of run: Run, _ arguments: Arguments) async throws -> HTML {
        guard run.info.artifactURI.hasPrefix(TrackingStore.artifactScheme) else { return "<p class=\"dim\">Kept outside this server.</p>" }
        let folder = try arguments.optionalText("path") ?? ""
        let prefix = folder.isEmpty ? "" : try ArtifactPath.check(folder).description + "/"
        let root = try ArtifactPath.place(of: run.info.artifactURI)
        let entries = try await service.artifacts.list(prefix.isEmpty ? root : root + "/" + prefix)
        let rows = entries.map { entry -> [HTML] in
            let path = URLText.encode(prefix + entry.name)
            return entry.isDirectory
                ? ["<a href=\"?path=\(path)\">\(entry.name)/</a>", .empty]
                : [
                    "<a href=\"/get-artifact?run_id=\(run.info.id)&path=\(path)\">\(entry.name)</a>",
                    "\(NumberText.bytes(entry.byteCount))",
                ]
        }
        let up: HTML = folder.isEmpty ? .empty : "<p>In <code>\(folder)</code> · <a href=\"?\">up to the top</a></p>"
        return up + TableMarkup([.text("Name"), .number("Size")], rows: rows, whenEmpty: "No files.").render()
    }

    // MARK: Models

    private func models() async throws -> Response {
        let page = try await service.registry.searchModels(maxResults: 1_000)
        let rows = page.elements.map { model -> [HTML] in
            [
                "<a href=\"/models/\(URLText.encode(model.name))\">\(model.name)</a>",
                "\(model.latestVersions.map(\.number).max().map(String.init) ?? "")",
                model.aliases.map { alias -> HTML in "<span class=\"tag\">\(alias.alias) → \(alias.number)</span>" }.joined(),
                Self.time(model.lastUpdateTime), "\(Self.shortened(model.description))",
            ]
        }
        let table = TableMarkup([.text("Name"), .number("Latest"), .text("Aliases"), .text("Changed"), .text("Description")], rows: rows)
        return .page(Page(title: "Models", navigation: Self.navigation, body: table.render()))
    }

    private func model(_ name: String) async throws -> Response {
        let model = try await service.registry.model(name: name)
        let filter = "name = '\(name.replacing("'", with: "''"))'"
        let versions = try await service.registry.searchVersions(filter: filter, order: ["version_number DESC"], maxResults: 500)
        let rows = versions.elements.map { version -> [HTML] in
            [
                "\(version.number)", version.aliases.map { alias -> HTML in "<span class=\"tag\">\(alias)</span>" }.joined(),
                version.runID.isEmpty ? .empty : "<a href=\"/runs/\(version.runID)\"><code>\(String(version.runID.prefix(8)))</code></a>",
                Self.time(version.creationTime), Self.tags(version.tags),
            ]
        }
        let table = TableMarkup([.number("Version"), .text("Aliases"), .text("Run"), .text("Created"), .text("Tags")], rows: rows)
        let audit = try await service.registry.promotions(model: name).map { record -> [HTML] in
            [
                Self.time(record.time), "\(record.alias)",
                "\(record.previous.map(String.init) ?? "–") → \(record.number.map(String.init) ?? "removed")",
                "\(record.promotion.actor)", "\(record.promotion.reason)",
                record.promotion.verdict.map { "<details><summary>Numbers</summary><pre>\($0)</pre></details>" } ?? .empty,
            ]
        }
        let auditTable = TableMarkup(
            [.text("When"), .text("Alias"), .text("Version"), .text("Who"), .text("Why"), .text("Verdict")], rows: audit,
            whenEmpty: "No alias has moved.")
        let description: HTML = model.description.isEmpty ? .empty : "<p>\(model.description)</p>"
        return .page(
            Page(
                title: model.name, navigation: Self.navigation, trail: [Page.Link("Models", "/models")],
                body:
                    "\(description)\(Self.tags(model.tags))<h2>Versions</h2>\(table.render())<h2>Audit of aliases</h2>\(auditTable.render())"
            ))
    }

    // MARK: Small pieces

    private static func time(_ milliseconds: EventTime.Milliseconds) -> HTML {
        guard EventTime.range.contains(milliseconds) else { return .empty }
        let text = EventTime.format(milliseconds)
        return "<time datetime=\"\(text)\">\(String(text.prefix(19)).replacing("T", with: " "))</time>"
    }

    private static func duration(_ info: RunInfo) -> HTML {
        guard let end = info.endTime, end >= info.startTime else { return .empty }
        return "\(NumberText.short(Double(end - info.startTime) / 1_000, digits: 4)) s"
    }

    private static func status(_ status: RunStatus) -> HTML {
        switch status {
        case .finished: "<span class=\"good\">finished</span>"
        case .failed: "<span class=\"bad\">failed</span>"
        case .killed: "<span class=\"bad\">killed</span>"
        case .running: "<span class=\"warn\">running</span>"
        case .scheduled: "<span class=\"dim\">scheduled</span>"
        }
    }

    private static func tags(_ tags: [KeyValue]) -> HTML {
        tags.map { tag -> HTML in "<span class=\"tag\">\(tag.key): \(shortened(tag.value))</span>" }.joined()
    }

    private static func shortened(_ text: String) -> String { text.count > 80 ? text.prefix(79) + "…" : text }
}
