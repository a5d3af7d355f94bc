import Tracking
import Web

/// The spans of a trace below each other as a tree, each with the stretch of time it took.
struct SpanTree {
    struct Row {
        let span: TraceSpan
        let depth: Int
    }

    /// Rows of one page; what is left out is said.
    static let maxRows = 1_000
    private static let maxDepth = 100

    let rows: [Row]
    let spanCount: Int
    /// Nanoseconds since the Unix epoch: from the first start to the last end.
    let start: Int64
    let end: Int64

    /// - Parameter spans: Of one trace. One whose parent is not among them stands at the top.
    init(_ spans: [TraceSpan]) {
        spanCount = spans.count
        start = spans.map(\.start).min() ?? 0
        end = max(start, spans.map { $0.end ?? $0.start }.max() ?? 0)
        let known = Set(spans.map(\.id))
        let sorted = spans.sorted { ($0.start, $0.id) < ($1.start, $1.id) }
        let children = Dictionary(grouping: sorted.filter { span in span.parent.map { known.contains($0) } ?? false }) { $0.parent ?? "" }
        var rows: [Row] = [], seen: Set<String> = []
        func unfold(_ tops: [TraceSpan]) {
            var waiting = tops.reversed().map { Row(span: $0, depth: 0) }
            while let row = waiting.popLast(), rows.count < Self.maxRows {
                // Spans may each say that they stand under the other.
                guard seen.insert(row.span.id).inserted else { continue }
                rows.append(row)
                let depth = min(row.depth + 1, Self.maxDepth)
                waiting += (children[row.span.id] ?? []).reversed().map { Row(span: $0, depth: depth) }
            }
        }
        unfold(sorted.filter { span in span.parent.map { !known.contains($0) } ?? true })
        // What only a circle reaches stands at the top too.
        unfold(sorted.filter { !seen.contains($0.id) })
        self.rows = rows
    }

    /// The span that a page shows whole: the one asked for, or else the first.
    func chosen(_ id: String) -> TraceSpan? { (rows.first { $0.span.id == id } ?? rows.first)?.span }

    func html(_ query: PageQuery, chosen: TraceSpan?) -> HTML {
        guard !rows.isEmpty else { return "<p class=\"empty\">No spans of this trace have arrived.</p>" }
        let body = rows.map { row -> HTML in
            let span = row.span
            let isChosen = span.id == chosen?.id
            let place: HTML = row.depth > 0 ? "child d\(min(8, row.depth))" : .empty
            let title: HTML = """
                <a href="\(query.setting("span", span.id).address)#span"\(isChosen ? " aria-current=\"true\"" : "" as HTML)>\(Piece.clip(span.name))</a>
                """
            return """
                <tr class="\(place)\(isChosen ? " current" : "" as HTML)" id="s-\(span.id)"><th scope="row">\(title)</th><td>\(Self.type(span))</td>\
                <td>\(Self.status(span))</td><td class="stretch">\(bar(span))</td><td class="number">\(Self.duration(span))</td></tr>

                """
        }
        let rest: HTML =
            spanCount > rows.count
            ? "<p class=\"dim\">The first \(Piece.grouped(rows.count)) of \(Piece.grouped(spanCount)) spans.</p>" : .empty
        return """
            <div class="scroll"><table class="compact waterfall"><thead><tr><th scope="col">Span</th><th scope="col">Type</th><th scope="col">Status</th>\
            <th scope="col">Time</th><th scope="col" class="number">Duration</th></tr></thead><tbody>
            \(body)</tbody></table></div>\(rest)
            """
    }

    /// The span's place in the whole trace, as a share of a thousand.
    func stretch(of span: TraceSpan) -> (offset: Int, width: Int) {
        let whole = Double(max(1, end - start))
        let offset = Int((Double(span.start - start) / whole * 1_000).rounded(.down))
        let length = Double((span.end ?? end) - span.start)
        let width = Int((length / whole * 1_000).rounded(.up))
        return (min(max(offset, 0), 997), min(max(width, 3), 1_000 - min(max(offset, 0), 997)))
    }

    private func bar(_ span: TraceSpan) -> HTML {
        let (offset, width) = stretch(of: span)
        let kind: HTML = span.status == .error ? "bad" : span.end == nil ? "open" : "good"
        let after = Piece.precise(nanoseconds: span.start - start)
        return """
            <svg viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label="starts after \(after), takes \(Self.duration(span))">\
            <rect class="\(kind)" x="\(offset)" y="0" width="\(width)" height="10" rx="2"><title>+\(after), \(Self.duration(span))</title></rect></svg>
            """
    }

    static func duration(_ span: TraceSpan) -> String { span.end.map { Piece.precise(nanoseconds: $0 - span.start) } ?? "open" }

    static func type(_ span: TraceSpan) -> HTML {
        guard let type = span.type, type != "UNKNOWN" else { return .empty }
        return "<span class=\"tag\">\(type.lowercased().replacing("_", with: " "))</span>"
    }

    static func status(_ span: TraceSpan) -> HTML {
        switch span.status {
        case .ok: "<span class=\"status finished\">ok</span>"
        case .error: "<span class=\"status failed\">error</span>"
        case .unset: span.end == nil ? "<span class=\"status running\">open</span>" : "<span class=\"status\">unset</span>"
        }
    }
}
