import Domain
import Expressions
import Features
import Table

/// Puts views in dependency order and checks every expression against the columns it may use.
struct ViewResolution {
    /// In dependency order.
    private(set) var definitions: [ViewDefinition] = []
    /// Of every view of a stream, by name.
    private(set) var schemas: [String: ViewSchema] = [:]
    /// Columns that are declared but wrong, by view; nothing more is said about what uses them.
    private(set) var broken: [String: Set<String>] = [:]
    /// The root of every view that has one.
    private(set) var roots: [String: ViewDefinition.Input] = [:]
    /// Per view, the stream or table it descends from.
    private let streams: [String: StreamDefinition]
    private let tables: [String: TableDefinition]
    let lookups: [String: LookupTable]
    let declared: Set<String>

    /// - Parameter declared: Every stream, table and view that the file names, sound or not.
    init(
        _ sections: [ViewSection], streams: [String: StreamDefinition], tables: [String: TableDefinition],
        lookups: [String: LookupTable] = [:], declared: Set<String>,
        _ reader: inout ProjectReader
    ) {
        self.streams = streams
        self.tables = tables
        self.lookups = lookups
        self.declared = declared
        let views = Dictionary(sections.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        for section in sections where !declared.contains(section.from) {
            reader.refuse(
                section.fromItem,
                "there is no stream, table or view \"\(section.from)\"" + SpellingSuggestion.hint(for: section.from, among: Array(declared))
            )
        }
        var waiting = sections
        while true {
            let ready = waiting.filter { section in
                let isPlaced =
                    views[section.from] == nil || roots[section.from] != nil || section.from == section.name && streams[section.from] != nil
                return isPlaced && section.joins.allSatisfy { views[$0.view] == nil || roots[$0.view] != nil }
            }
            guard !ready.isEmpty else { break }
            for section in ready { resolve(section, &reader) }
            waiting.removeAll { section in ready.contains { $0.name == section.name } }
        }
        Self.refuseCycles(waiting, views, &reader)
    }

    private mutating func resolve(_ section: ViewSection, _ reader: inout ProjectReader) {
        refuseIdleEmit(section, &reader)
        if let stream = streams[section.from] {
            resolve(section, from: .stream(stream.name), root: .stream(stream.name), ViewSchema(stream: stream), [], &reader)
        } else if let table = tables[section.from] {
            refuseKeylessWindow(section, table, &reader)
            refuseBeside(section, &reader)
            add(section, from: .table(table.name), root: .table(table.name))
        } else if let root = roots[section.from] {
            if let window = section.windowItem {
                reader.refuseKey(window, "a window reads a stream or a table, and \"\(section.from)\" is a view")
                broken[section.name] = section.broken.union(section.columns.map(\.name))
                add(section, from: .view(section.from), root: root)
            } else if let schema = schemas[section.from] {
                resolve(section, from: .view(section.from), root: root, schema, broken[section.from] ?? [], &reader)
            } else {
                add(section, from: .view(section.from), root: root)
            }
        }
    }

    /// Only a window has present rows, and a view hands on what its input gives it.
    private func refuseIdleEmit(_ section: ViewSection, _ reader: inout ProjectReader) {
        guard section.emit == .current, section.windowItem == nil, let item = section.emitItem else { return }
        guard let input = definitions.first(where: { $0.name == section.from }), schemas[section.from]?.metadata == .window else {
            return reader.refuse(item, "emit: current is for windows and the views of their rows; this view makes one final row per event")
        }
        if input.emit == .final {
            reader.refuse(item, "\"\(section.from)\" gives final rows only; say emit: current there too")
        }
    }

    private func refuseKeylessWindow(_ section: ViewSection, _ table: TableDefinition, _ reader: inout ProjectReader) {
        guard let window = section.windowItem, table.key.isEmpty else { return }
        reader.refuseKey(window, "a window belongs to an entity, but the table \"\(table.name)\" has no key")
    }

    private mutating func add(
        _ section: ViewSection, from: ViewDefinition.Input, root: ViewDefinition.Input, columns: Set<String>? = nil,
        beside: (lookups: [ViewDefinition.Lookup], joins: [ViewDefinition.Join]) = ([], [])
    ) {
        let sound = section.columns.filter { columns?.contains($0.name) ?? true }
        definitions.append(
            ViewDefinition(
                name: section.name, topic: section.topic, from: from, window: section.window,
                columns: sound.map { .init(name: $0.name, expression: $0.expression) }, filter: section.filter, emit: section.emit,
                outliers: section.outliers, lookups: beside.lookups, joins: beside.joins))
        roots[section.name] = root
    }

    /// - Parameter broken: Columns of the input that are wrong themselves.
    private mutating func resolve(
        _ section: ViewSection, from: ViewDefinition.Input, root: ViewDefinition.Input, _ input: ViewSchema, _ broken: Set<String>,
        _ reader: inout ProjectReader
    ) {
        func rests(_ expression: Expression, on broken: Set<String>) -> Bool {
            expression.columnReferences.contains { name in
                broken.contains(name) || broken.contains { name.hasPrefix($0 + "_") && !input.columns.contains { $0.name == name } }
            }
        }
        let beside = beside(section, root: root, input, &reader)
        let columnsRead = input.columns + beside.columns
        let known = Set(columnsRead.map(\.name) + section.columns.map(\.name))
        func mayBeBeside(_ expression: Expression) -> Bool {
            !beside.isSound && expression.columnReferences.contains { !known.contains($0) }
        }
        var wrong = broken.union(section.broken).union(beside.broken), sound: [ViewSection.NamedColumn] = []
        for column in section.columns {
            if input.key.contains(where: { $0.name == column.name }) {
                reader.refuseKey(column.item, "the key \"\(column.name)\" is in every row by itself")
                wrong.insert(column.name)
            } else if rests(column.expression, on: wrong) || mayBeBeside(column.expression) {
                wrong.insert(column.name)
            } else {
                sound.append(column)
            }
        }
        let isWindowed = section.windowItem != nil
        let columns = sound.map { (name: $0.name, expression: $0.expression) }
        let filter = section.filter.flatMap { rests($0, on: wrong) || mayBeBeside($0) ? nil : $0 }
        let check =
            isWindowed
            ? AggregateProgram.check(columns: columns, schema: columnsRead)
            : RowProgram.check(columns: columns, filter: filter, schema: columnsRead)
        for (column, error) in check.errors {
            if let column {
                reader.refuse(error, in: sound[column].item)
                wrong.insert(sound[column].name)
            } else if let item = section.filterItem {
                reader.refuse(error, in: item)
            }
        }
        let metadata = isWindowed ? ViewSchema.Metadata.window : input.metadata
        let flag = flag(section, ViewSchema(key: input.key, declared: check.outputs, metadata: metadata), wrong, &reader)
        let schema = ViewSchema(key: input.key, declared: check.outputs + flag, metadata: metadata)
        if isWindowed, let filter, let item = section.filterItem, !rests(filter, on: wrong) {
            let rows = ViewSchema(key: input.key, declared: check.outputs, metadata: metadata).columns
            let check = RowProgram.check(columns: [], filter: filter, schema: rows)
            for (_, error) in check.errors { reader.refuse(error, in: item) }
            if check.errors.isEmpty, check.hasState {
                reader.refuse(item, "the condition of a window cannot look at other rows; filter in a view that reads this one")
            }
        }
        schemas[section.name] = schema
        self.broken[section.name] = wrong.subtracting(check.outputs.map(\.name))
        add(
            section, from: from, root: root, columns: Set(sound.map(\.name)).subtracting(wrong), beside: (beside.lookups, beside.joins))
    }

    /// The column that a rule about outliers adds; the rule is checked against the others.
    private func flag(_ section: ViewSection, _ schema: ViewSchema, _ wrong: Set<String>, _ reader: inout ProjectReader) -> Schema {
        guard let outliers = section.outliers, let item = section.outliersItem else { return [] }
        if let column = schema.declared.first(where: { $0.name == outliers.column }) {
            if !column.type.isNumeric {
                reader.refuse(item, "outliers are looked for among numbers, and \"\(column.name)\" is \(column.type.rawValue)")
            }
        } else if !wrong.contains(outliers.column) {
            let names = schema.declared.map(\.name)
            reader.refuse(
                item, "the view has no column \"\(outliers.column)\"" + SpellingSuggestion.hint(for: outliers.column, among: names))
        }
        guard let name = outliers.flagColumn else { return [] }
        if schema.columns.contains(where: { $0.name == name }) {
            reader.refuse(item, "the flag would be called \"\(name)\", and there is a column of that name")
            return []
        }
        return [(name, .bool)]
    }

    // MARK: Cycles

    /// - Parameter waiting: Views that could not be placed; those that only hang from a cycle are not the trouble.
    private static func refuseCycles(_ waiting: [ViewSection], _ views: [String: ViewSection], _ reader: inout ProjectReader) {
        var told: Set<String> = []
        for section in waiting where !told.contains(section.name) {
            var path = [section.name]
            while let next = views[path[path.count - 1]]?.from, views[next] != nil, !path.contains(next) { path.append(next) }
            guard let last = views[path[path.count - 1]], last.from == section.name else { continue }
            told.formUnion(path)
            let way = (path + [section.name]).joined(separator: " → ")
            reader.refuse(section.fromItem, "views cannot read each other in a circle: \(way)")
        }
        guard told.isEmpty else { return }
        for join in waiting.flatMap(\.joins) where waiting.contains(where: { $0.name == join.view }) {
            reader.refuse(join.viewItem, "\"\(join.view)\" needs this view itself: views cannot join each other in a circle")
        }
    }
}
