import Domain
import Tracking
import Web

/// One value of runs that a table shows, named as the search grammar names it: `metrics.rmse`.
struct RunColumn: Hashable, Sendable {
    enum Kind: String, CaseIterable, Sendable { case metrics, params, tags }

    let kind: Kind
    let key: String

    init(_ kind: Kind, _ key: String) {
        self.kind = kind
        self.key = key
    }

    /// - Returns: `nil` for text that names no column.
    init?(_ text: String) {
        guard let dot = text.firstIndex(of: "."), let kind = Kind(rawValue: String(text[..<dot])), dot != text.indices.last else {
            return nil
        }
        self.init(kind, String(text[text.index(after: dot)...]))
    }

    var text: String { kind.rawValue + "." + key }

    /// As an order of a search names it.
    var term: String { "\(kind.rawValue).`\(key)`" }

    var title: String {
        switch text {
        case "tags.mlflow.user": "User"
        case "tags.mlflow.source.name": "Source"
        case "tags.mlflow.source.git.commit": "Commit"
        default: key
        }
    }

    var isNumeric: Bool { kind == .metrics }

    func value(of run: Run) -> String? {
        switch kind {
        case .metrics: run.metrics.first { $0.key == key }.map { NumberText.short($0.value) }
        case .params: run.params.first { $0.key == key }?.value
        case .tags: run.tags.first { $0.key == key }?.value
        }
    }

    /// The value as a number, when it is one.
    func number(of run: Run) -> Double? {
        switch kind {
        case .metrics: run.metrics.first { $0.key == key }.map(\.value)
        case .params, .tags: value(of: run).flatMap { Double($0) }
        }
    }
}

extension [RunColumn] {
    /// What the store has to bring for these columns.
    var wanted: TrackingStore.RunColumns {
        func keys(_ kind: RunColumn.Kind) -> [String] { filter { $0.kind == kind }.map(\.key) }
        return TrackingStore.RunColumns(metrics: keys(.metrics), params: keys(.params), tags: keys(.tags))
    }
}

/// Which columns there are and which of them to show.
struct ColumnPicker {
    let names: TrackingStore.RunNames
    let chosen: [RunColumn]

    /// Names of a kind that the picker offers.
    static let maxNames = 200
    /// Columns that a table shows.
    static let maxColumns = 60

    /// - Parameter query: Its `column`s, else the first few metrics and parameters.
    init(_ query: PageQuery, _ names: TrackingStore.RunNames) {
        self.names = names
        var seen: Set<RunColumn> = []
        let asked = query.all("column").compactMap { RunColumn($0) }.filter { seen.insert($0).inserted }
        chosen = query.has("column") ? Array(asked.prefix(Self.maxColumns)) : Self.standard(names)
    }

    private static func standard(_ names: TrackingStore.RunNames) -> [RunColumn] {
        let metrics = names.metrics.filter { !$0.hasPrefix("system/") }.prefix(6).map { RunColumn(.metrics, $0) }
        return metrics + names.params.prefix(5).map { RunColumn(.params, $0) }
    }

    /// A sheet with a box per name; choosing needs no script.
    func html(_ query: PageQuery) -> HTML {
        let groups = RunColumn.Kind.allCases.map { kind -> HTML in
            let known = kind == .metrics ? names.metrics : kind == .params ? names.params : names.tags
            let all = Set(known).union(chosen.filter { $0.kind == kind }.map(\.key)).sorted()
            guard !all.isEmpty else { return .empty }
            let boxes = all.map { key -> HTML in
                let column = RunColumn(kind, key)
                let isOn: HTML = chosen.contains(column) ? " checked" : ""
                return "<label title=\"\(key)\"><input type=\"checkbox\" name=\"column\" value=\"\(column.text)\"\(isOn)>\(key)</label>"
            }
            let more: HTML = known.count >= Self.maxNames ? " <span class=\"dim\">the first \(Self.maxNames)</span>" : ""
            let title = kind == .metrics ? "Metrics" : kind == .params ? "Parameters" : "Tags"
            return "<h3>\(title)\(more)</h3><div class=\"choices\">\(boxes)</div>"
        }
        return """
            <details class="sheet"><summary class="button">Columns <span class="dim">\(chosen.count)</span></summary><div>
            <form action="\(query.path)">\(query.hidden(except: "column", "page"))<button class="primary">Show these columns</button> \
            <a class="button" href="\(query.without("column", "page").address)">Standard</a>
            <label> <span class="dim">and</span> <input name="column" placeholder="metrics.name" aria-label="A column by its name" size="22"></label>
            \(groups)</form></div></details>
            """
    }
}
