import Expressions
import Features

/// One view under `views:` as read: its expressions are parsed, its columns are not looked up yet.
struct ViewSection {
    private static let keys = ["from", "topic", "window", "columns", "where", "emit", "outliers", "lookup", "join"]

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
    let emit: ViewDefinition.Emit
    let emitItem: Item?
    let outliers: ViewDefinition.Outliers?
    let outliersItem: Item?
    let lookups: [LookupSection]
    let joins: [JoinSection]
    /// Whether a lookup or join is there that cannot be read.
    let hasBrokenBeside: Bool

    /// - Returns: `nil` when the view cannot be placed at all.
    init?(_ name: String, _ item: Item, topicPrefix: String, _ reader: inout ProjectReader) {
        guard reader.isName(item, name), let section = reader.section(item, keys: Self.keys, later: ["ttl"]) else {
            return nil
        }
        self.name = name
        self.item = item
        topic = StreamSection.topic(section, name, topicPrefix, &reader)
        topicItem = section["topic"]
        let before = reader.errors.count
        lookups = section["lookup"].map { LookupSection.read($0, &reader) } ?? []
        joins = section["join"].map { JoinSection.read($0, &reader) } ?? []
        hasBrokenBeside = reader.errors.count > before
        outliersItem = section["outliers"]
        outliers = outliersItem.flatMap { OutlierSection.read($0, &reader) }
        emitItem = section["emit"]
        emit = emitItem.flatMap { reader.choice($0, "time to emit rows", as: ViewDefinition.Emit.self) } ?? .final
        windowItem = section["window"]
        window = windowItem.flatMap { [emit] in WindowSection.read($0, emit: emit, &reader) }
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
}
