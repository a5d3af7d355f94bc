import Tracking
import Web

/// The list of experiments.
struct ExperimentPages: Sendable {
    let service: ScopedService

    private static let perPage = 100

    func list(_ query: PageQuery) async throws -> Page {
        let text = query["q"], now = service.now()
        let view: ViewType = query["view"] == "deleted" ? .deletedOnly : .activeOnly
        let order = ["name ASC", "name DESC", "creation_time ASC", "creation_time DESC"].first { $0 == query["order"] }
        let filter = text.isEmpty ? "" : "name ILIKE '%\(text.replacing("'", with: "''"))%'"
        let found = try await service.store.searchExperiments(
            filter: filter, order: order.map { [$0] } ?? [], view: view, maxResults: Self.perPage,
            pageToken: query.has("page") ? query["page"] : nil)
        let activity = try await service.store.activity(ofExperiments: found.elements.map(\.id))
        let rows = found.elements.map { experiment -> [HTML] in
            let activity = activity[experiment.id]
            let note = experiment.tags.first { $0.key == "mlflow.note.content" }?.value.split(separator: "\n").first.map(String.init) ?? ""
            let lead: HTML =
                note.isEmpty ? .empty : "<br><span class=\"dim small\">\(Piece.clip(String(note.drop { $0 == "#" || $0 == " " })))</span>"
            return [
                "<a href=\"/experiments/\(experiment.id)\"><strong>\(Piece.clip(experiment.name))</strong></a>\(lead)",
                "\(Piece.grouped(activity?.runCount ?? 0))",
                activity?.lastStart.map { Piece.ago($0, now: now) } ?? "<span class=\"dim\">–</span>",
                Piece.ago(experiment.creationTime, now: now), Piece.tags(experiment.tags), "<span class=\"dim\">\(experiment.id)</span>",
            ]
        }
        let columns: [TableMarkup.Column] = [
            TableMarkup.Column(SortLink(query: query, term: "name", title: "Name", startsAscending: true).html), .number("Runs"),
            .text("Last run"),
            TableMarkup.Column(SortLink(query: query, term: "creation_time", title: "Created").html), .text("Tags"), .text("Id"),
        ]
        let empty = text.isEmpty ? "No experiments." : "No experiment has “\(text)” in its name."
        let body: HTML = """
            <form class="search" role="search" action="/"><input type="search" name="q" value="\(text)" placeholder="Part of a name" \
            aria-label="Search experiments by name">\(query.hidden(except: "q", "page", "view"))\
            <select name="view" aria-label="Which experiments">\(Piece.option("", "Active", chosen: query["view"]))\
            \(Piece.option("deleted", "Deleted", chosen: query["view"]))</select><button>Search</button></form>
            \(TableMarkup(columns, rows: rows, whenEmpty: empty).render())\(Piece.pager(query, next: found.nextPageToken))\(isFresh(found.elements, activity) && text.isEmpty ? Self.start : .empty)
            """
        return Pages.page("Experiments", in: .experiments, body: body)
    }

    private func isFresh(_ experiments: [Experiment], _ activity: [String: TrackingStore.ExperimentActivity]) -> Bool {
        experiments.count == 1 && activity.values.allSatisfy { $0.runCount == 0 }
    }

    /// What somebody sees who has just started the server.
    private static let start: HTML = """
        <h2>Log the first run</h2><p class="dim">Any MLflow client writes here; give it this server's address.</p>
        <pre><code>import mlflow

        mlflow.set_tracking_uri("http://localhost:5000")   # the address of this page
        mlflow.set_experiment("first")
        with mlflow.start_run():
            mlflow.log_param("depth", 6)
            for step in range(10):
                mlflow.log_metric("loss", 1 / (step + 1), step=step)
        </code></pre>
        """
}

/// The head of a column that sorts by it: once one way, then the other, then as it was.
struct SortLink {
    let query: PageQuery
    /// As an order of the search names it.
    let term: String
    let title: String
    var startsAscending = false

    var isCurrent: Bool { direction != nil }

    /// For `aria-sort`; `nil` while something else sorts.
    var direction: String? {
        switch query["order"] {
        case term + " ASC", term: "ascending"
        case term + " DESC": "descending"
        default: nil
        }
    }

    var html: HTML {
        let turns = startsAscending ? [term + " ASC", term + " DESC"] : [term + " DESC", term + " ASC"]
        let next = direction == nil ? turns[0] : query["order"] == turns[0] ? turns[1] : nil
        let arrow: HTML =
            direction == nil
            ? .empty : direction == "ascending" ? " <span aria-hidden=\"true\">↑</span>" : " <span aria-hidden=\"true\">↓</span>"
        return "<a href=\"\(query.without("page").setting("order", next).address)\" title=\"Sort by \(title)\">\(title)\(arrow)</a>"
    }
}
