import Domain
import Tracking
import Web

/// The rows of a run table with their boxes, names, states and chosen values.
struct RunTable {
    struct Row {
        var run: Run
        /// How far below the top.
        let depth: Int
        let children: Int
        let isOpen: Bool
    }

    let rows: [Row]
    let picker: ColumnPicker
    let query: PageQuery
    let now: EventTime.Milliseconds

    var topCount: Int { rows.count { $0.depth == 0 } }

    var html: HTML {
        guard !rows.isEmpty else { return empty }
        let heads: [HTML] =
            [
                "<th class=\"pick\"><input type=\"checkbox\" data-all hidden aria-label=\"Pick all\"></th>",
                head("run_name", "Run", startsAscending: true), head("status", "Status", startsAscending: true),
                head("start_time", "Started"),
                "<th scope=\"col\" class=\"number\">Duration</th>",
            ]
            + picker.chosen.map { head($0.term, $0.title, isNumeric: $0.isNumeric, startsAscending: !$0.isNumeric, hint: $0.text) }
        return """
            <div class="scroll"><table class="compact"><thead><tr>\(heads)</tr></thead><tbody>
            \(rows.map { row($0) })</tbody></table></div>
            """
    }

    private var empty: HTML {
        if query.has("filter") {
            return "<p class=\"empty\">No run matches. <a href=\"\(query.without("filter", "page").address)\">Show all runs</a></p>"
        }
        return """
            <div class="empty">No runs yet.<pre><code>with mlflow.start_run(experiment_id="\(query.part("id"))"):
                mlflow.log_metric("loss", 0.5)</code></pre></div>
            """
    }

    private func head(_ term: String, _ title: String, isNumeric: Bool = false, startsAscending: Bool = false, hint: String = "") -> HTML {
        let link = SortLink(query: query, term: term, title: title, startsAscending: startsAscending)
        let sort: HTML = link.direction.map { " aria-sort=\"\($0)\"" } ?? .empty
        let kind: HTML = isNumeric ? " class=\"number\"" : .empty
        let title: HTML = hint.isEmpty ? .empty : " title=\"\(hint)\""
        return "<th scope=\"col\"\(kind)\(sort)\(title)>\(link.html)</th>"
    }

    private func row(_ row: Row) -> HTML {
        let info = row.run.info
        let values = picker.chosen.map { column -> HTML in
            let text = column.value(of: row.run)
            return column.isNumeric ? "<td class=\"number\">\(text ?? "")</td>" : "<td>\(text.map { Piece.value($0) } ?? .empty)</td>"
        }
        let place: HTML = row.depth > 0 ? " class=\"child d\(min(8, row.depth))\"" : .empty
        let deleted: HTML = info.stage == .deleted ? " <span class=\"tag\">deleted</span>" : .empty
        return """
            <tr\(place) id="r-\(info.id)"><td class="pick"><input type="checkbox" form="picked" name="run" value="\(info.id)" aria-label="Pick \(info.name)"></td>\
            <th scope="row">\(expander(row))<a href="/runs/\(info.id)">\(Piece.clip(info.name))</a>\(deleted)</th><td>\(Piece.status(info.status))</td>\
            <td>\(Piece.ago(info.startTime, now: now))</td><td class="number">\(Piece.duration(info, now: now))</td>\(values)</tr>

            """
    }

    private func expander(_ row: Row) -> HTML {
        let id = row.run.info.id
        guard row.children > 0 else { return rows.contains { $0.children > 0 } ? "<span class=\"expand\"></span>" : .empty }
        let next = row.isOpen ? query.removing("expand", id) : query.adding("expand", id)
        let what = "\(row.isOpen ? "Hide" : "Show") \(Piece.count(row.children, "run")) under \(row.run.info.name)"
        return """
            <a class="expand" href="\(next.address)#r-\(id)" aria-expanded="\(row.isOpen ? "true" : "false")" aria-label="\(what)" title="\(what)">\(row.isOpen ? "▾" : "▸") \(row.children)</a>
            """
    }
}
