import Tracking
import Web

/// The datasets that runs have read.
struct DatasetPage: Sendable {
    let service: ScopedService

    private static let perPage = 100
    private static let maxColumns = 200

    func show(_ query: PageQuery) async throws -> Page {
        let text = query["q"], now = service.now()
        let found = try await service.store.datasets(containing: text, before: Int64(query["page"]), limit: Self.perPage)
        let rows = found.uses.map { use -> [HTML] in
            let dataset = use.dataset
            return [
                "<strong>\(Piece.clip(dataset.name))</strong>", "<code>\(dataset.digest)</code>",
                "<a href=\"/experiments/\(use.experimentID)\">\(Piece.clip(use.experimentName))</a>",
                "<a href=\"\(Self.runs(of: dataset, experiment: use.experimentID))\">\(Piece.count(use.runCount, "run"))</a>",
                use.lastUse.map { Piece.ago($0, now: now) } ?? .empty, Piece.clip(dataset.sourceType), Piece.clip(dataset.source),
                Self.schema(dataset.schema),
            ]
        }
        let columns: [TableMarkup.Column] = [
            .text("Name"), .text("Digest"), .text("Experiment"), .number("Read by"), .text("Last"), .text("Kind"), .text("Source"),
            .text("Schema"),
        ]
        var table = TableMarkup(columns, rows: rows)
        table.isCompact = true
        let none: HTML =
            text.isEmpty
            ? "<div class=\"empty\">No run has named its data.<pre><code>mlflow.log_input(mlflow.data.from_pandas(frame, name=\"trades\"), context=\"training\")</code></pre></div>"
            : "<p class=\"empty\">No dataset has “\(text)” in its name.</p>"
        let body: HTML = """
            <form class="search" role="search" action="/datasets"><input type="search" name="q" value="\(text)" placeholder="Part of a name" \
            aria-label="Search datasets by name"><button>Search</button></form>
            \(rows.isEmpty ? none : table.render())\(Piece.pager(query, next: found.next.map { String($0) }))
            """
        var page = Pages.page("Datasets", in: .datasets, body: body)
        page.isWide = true
        return page
    }

    /// The table of runs that read a dataset.
    static func runs(of dataset: DatasetInput, experiment: String) -> String {
        func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }
        let filter = "datasets.name = \(quoted(dataset.name)) AND datasets.digest = \(quoted(dataset.digest))"
        return "/experiments/\(experiment)?filter=\(URLText.encode(filter))"
    }

    /// Names and types of the columns, when the schema is one that clients write.
    static func schema(_ json: String?) -> HTML {
        guard let json, !json.isEmpty else { return .empty }
        guard let value = try? JSONReader.read(Array(json.utf8)), let columns = value["mlflow_colspec"]?.array, !columns.isEmpty else {
            return "<details><summary>Show</summary><pre><code>\(String(json.prefix(4_000)))</code></pre></details>"
        }
        let rows = columns.prefix(maxColumns).map { ["\($0["name"]?.string ?? "")", "\($0["type"]?.string ?? "")"] as [HTML] }
        return """
            <details><summary>\(Piece.count(columns.count, "column"))</summary>\(TableMarkup([.text("Column"), .text("Type")], rows: rows).render())</details>
            """
    }
}
