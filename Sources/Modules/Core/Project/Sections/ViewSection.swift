import Domain
import Expressions
package import Features
import Streaming

/// One view under `views:` as read: its expressions are parsed, its columns are not looked up yet.
struct ViewSection {
    private static let keys = ["from", "topic", "window", "columns", "where"]

    struct NamedColumn {
        let name: String
        let expression: Expression
        let item: Item
    }

    let name: String
    let item: Item
    let topic: String
    let topicItem: Item?
    /// The name after `from:`.
    let from: String
    let fromItem: Item
    let window: ViewDefinition.Window?
    let windowItem: Item?
    /// The sound ones.
    let columns: [NamedColumn]
    /// Names of columns whose text is no expression.
    let broken: Set<String>
    let filter: Expression?
    let filterItem: Item?

    /// - Returns: `nil` when the view cannot be placed at all.
    init?(_ name: String, _ item: Item, topicPrefix: String, _ reader: inout ProjectReader) {
        guard reader.isName(item, name), let section = reader.section(item, keys: Self.keys, later: ["outliers", "emit", "ttl"]) else {
            return nil
        }
        self.name = name
        self.item = item
        topic = StreamSection.topic(section, name, topicPrefix, &reader)
        topicItem = section["topic"]
        windowItem = section["window"]
        window = windowItem.flatMap { Self.window($0, &reader) }
        filterItem = section["where"]
        filter = filterItem.flatMap { reader.expression($0) }
        var columns: [NamedColumn] = [], broken: Set<String> = []
        if let item = reader.required(section, "columns"), let entries = reader.entries(item) {
            if entries.isEmpty { reader.refuse(item, "a view needs at least one column") }
            for (name, item) in entries {
                if let expression = Self.column(name, item, &reader) {
                    columns.append(NamedColumn(name: name, expression: expression, item: item))
                } else {
                    broken.insert(name)
                }
            }
        }
        self.columns = columns
        self.broken = broken
        guard let fromItem = reader.required(section, "from"), let from = reader.text(fromItem, "the name of a stream, table or view")
        else {
            return nil
        }
        self.fromItem = fromItem
        self.from = from
    }

    private static func column(_ name: String, _ item: Item, _ reader: inout ProjectReader) -> Expression? {
        guard ValueForms.isPlainWord(name) else {
            reader.refuseKey(item, "\"\(name)\" cannot be a column; use letters, digits and \"_\", with no digit first")
            return nil
        }
        guard !StreamSection.reserved.contains(name) else {
            reader.refuseKey(item, "\"\(name)\" is a column that rows carry of themselves")
            return nil
        }
        return reader.expression(item)
    }

    private static func window(_ item: Item, _ reader: inout ProjectReader) -> ViewDefinition.Window? {
        let before = reader.errors.count
        guard let section = reader.section(item, keys: ["length", "grace", "gaps", "max_gap"]) else { return nil }
        let length = reader.required(section, "length").flatMap { reader.duration($0, 1...WindowShape.limit) }
        let grace = section["grace"].map { reader.duration($0, 0...WindowShape.limit) } ?? 0
        let gaps =
            section["gaps"].map { reader.choice($0, "way to fill gaps", as: ViewDefinition.Window.Gaps.self) }
            ?? ViewDefinition.Window.Gaps.none
        let maxGap = section["max_gap"].map { reader.duration($0, 0...WindowShape.limit) } ?? 86_400_000
        if let item = section["max_gap"], gaps == ViewDefinition.Window.Gaps.none {
            reader.refuseKey(item, "only says something with gaps: forward")
        }
        guard reader.errors.count == before, let length, let grace, let gaps, let maxGap else { return nil }
        do throws(WindowShape.Error) {
            _ = try WindowShape(length: length, grace: grace, fillsGaps: gaps == .forward, maxGap: maxGap)
        } catch {
            reader.refuse(
                section["max_gap"] ?? item, "a gap of \(DurationText.format(maxGap)) would be filled with more than a million rows")
            return nil
        }
        return ViewDefinition.Window(length: length, grace: grace, gaps: gaps, maxGap: maxGap)
    }
}

extension ViewDefinition.Window.Gaps: CaseIterable {
    package static var allCases: [Self] { [.none, .forward] }
}
