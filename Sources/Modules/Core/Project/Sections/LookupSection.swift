import Domain
import Expressions
import Features
import Streaming

/// `lookup:` and `join:` of a view as read; what they name is not looked up yet.
struct LookupSection {
    let table: String
    let tableItem: Item
    let on: [(text: String, item: Item)]

    /// One map, or a list of them.
    static func read(_ item: Item, _ reader: inout ProjectReader) -> [LookupSection] {
        maps(item, &reader).compactMap { item in
            guard let section = reader.section(item, keys: ["table", "on"]), let tableItem = reader.required(section, "table"),
                let table = reader.text(tableItem, "the name of a table"), let onItem = reader.required(section, "on"),
                let on = reader.texts(onItem)
            else { return nil }
            return LookupSection(table: table, tableItem: tableItem, on: on)
        }
    }

    static func maps(_ item: Item, _ reader: inout ProjectReader) -> [Item] {
        if case .list = item.node.content { return reader.list(item) ?? [] }
        return [item]
    }

    /// - Parameter columns: Of the view's input.
    func resolve(_ tables: [String: LookupTable], declared: Set<String>, columns: Schema, _ reader: inout ProjectReader) -> ViewDefinition
        .Lookup?
    {
        guard let table = tables[table] else {
            if !declared.contains(self.table) {
                reader.refuse(
                    tableItem, "there is no table \"\(self.table)\"" + SpellingSuggestion.hint(for: self.table, among: Array(declared)))
            } else {
                reader.refuse(tableItem, "the table \"\(self.table)\" says no fields: and no key:, so it cannot be looked up")
            }
            return nil
        }
        let names = table.key.map(\.name).joined(separator: ", ")
        guard on.count == table.key.count else {
            reader.refuse(tableItem, "on: names \(on.count) columns, and the key of \"\(table.name)\" is \(names)")
            return nil
        }
        var isSound = true
        for ((name, item), key) in zip(on, table.key) {
            if let column = columns.first(where: { $0.name == name }) {
                guard column.type != key.type else { continue }
                reader.refuse(
                    item, "\"\(name)\" is \(column.type.rawValue), and the key \"\(key.name)\" of the table is \(key.type.rawValue)")
            } else {
                reader.refuse(item, "the input has no column \"\(name)\"" + SpellingSuggestion.hint(for: name, among: columns.map(\.name)))
            }
            isSound = false
        }
        return isSound ? ViewDefinition.Lookup(table: table, on: on.map(\.text)) : nil
    }
}

struct JoinSection {
    let view: String
    let viewItem: Item
    let on: [(text: String, item: Item)]
    let within: EventTime.Milliseconds

    static func read(_ item: Item, _ reader: inout ProjectReader) -> [JoinSection] {
        LookupSection.maps(item, &reader).compactMap { item in
            guard let section = reader.section(item, keys: ["view", "on", "within"]), let viewItem = reader.required(section, "view"),
                let view = reader.text(viewItem, "the name of a view"), let onItem = reader.required(section, "on"),
                let on = reader.texts(onItem), let withinItem = reader.required(section, "within"),
                let within = reader.duration(withinItem, 1...WindowShape.limit)
            else { return nil }
            return JoinSection(view: view, viewItem: viewItem, on: on, within: within)
        }
    }

    /// - Parameters:
    ///   - views: What is known of the views so far.
    ///   - root: Where the view that joins comes from, and its key.
    func resolve(
        _ views: ViewResolution, root: ViewDefinition.Input, key: Schema, declared: Set<String>, _ reader: inout ProjectReader
    ) -> ViewDefinition.Join? {
        guard let other = views.roots[view] else {
            if declared.contains(view) { return nil }
            reader.refuse(viewItem, "there is no view \"\(view)\"" + SpellingSuggestion.hint(for: view, among: Array(declared)))
            return nil
        }
        let name = key.map(\.name).joined(separator: ", ")
        guard on.map(\.text) == key.map(\.name) else {
            reader.refuse(viewItem, "on: must be the key of both views, \(name)")
            return nil
        }
        if other != root {
            guard case .stream = other else {
                reader.refuse(
                    viewItem, "\"\(view)\" comes from the table \"\(other.name)\"; a view of a table cannot be joined, lookup: can")
                return nil
            }
            guard let otherKey = views.schemas[view]?.key else { return nil }
            guard otherKey.map(\.name) == key.map(\.name), otherKey.map(\.type) == key.map(\.type) else {
                let found = otherKey.map { "\($0.name) (\($0.type.rawValue))" }.joined(separator: ", ")
                let own = key.map { "\($0.name) (\($0.type.rawValue))" }.joined(separator: ", ")
                reader.refuse(viewItem, "\"\(view)\" has the key \(found) and this view \(own): views of two streams need the same key")
                return nil
            }
            if let chained = views.joinOfOtherStream(under: view) {
                reader.refuse(
                    viewItem,
                    "\"\(view)\" rests on a join of another stream's view \"\(chained)\": joins from stream to stream do not follow each other"
                )
                return nil
            }
        }
        return ViewDefinition.Join(view: view, within: within)
    }
}
