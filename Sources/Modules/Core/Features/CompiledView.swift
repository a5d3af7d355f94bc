package import Domain
package import Expressions
package import Streaming
import Table

/// A view definition resolved against its input: what the engine runs, without state.
package struct CompiledView: Sendable {
    package enum Program: Sendable {
        case rows(RowProgram)
        case windows(WindowRule, AggregateProgram, filter: RowProgram?)
    }

    package enum Error: Swift.Error, Equatable {
        case expression(ExpressionError)
        case window(WindowShape.Error)
        /// A window reads a stream or a table, not another view.
        case windowOverView
        /// A window needs an entity to belong to.
        case windowWithoutKey
        /// A declared column has the name of a key or metadata column.
        case reservedName(String)
        /// A joined view that does not come before this one, or is of another stream.
        case unknownJoin(String)
        /// Outliers are looked for in a column that there is not, or that is no number.
        case noNumber(String)
    }

    package let definition: ViewDefinition
    package let program: Program
    package let input: ViewSchema
    package let schema: ViewSchema
    /// What each declared column means; empty for a view that was compiled alone.
    package fileprivate(set) var hashes: [String: ContentHash] = [:]
    /// Of the views that it joins, in the order of the definition.
    private let joinedSchemas: [ViewSchema]

    /// - Parameter joined: The schemas of the views that the definition joins, in its order.
    package init(_ definition: ViewDefinition, input: ViewSchema, joined: [ViewSchema] = []) throws(Error) {
        self.definition = definition
        joinedSchemas = joined
        let columnsRead = input.columns + definition.columnsBeside(joined)
        if let twice = Dictionary(grouping: columnsRead, by: \.name).first(where: { $1.count > 1 })?.key { throw .reservedName(twice) }
        self.input = input
        let columns = definition.columns.map { (name: $0.name, expression: $0.expression) }
        let flag: Schema = definition.outliers?.flagColumn.map { [($0, .bool)] } ?? []
        if let window = definition.window {
            if case .view = definition.from { throw .windowOverView }
            guard !input.key.isEmpty else { throw .windowWithoutKey }
            let rule = try Self.rule(window)
            let aggregate = try Self.checked { () throws(ExpressionError) in
                try AggregateProgram(columns: columns, schema: columnsRead)
            }
            schema = ViewSchema(key: input.key, declared: aggregate.outputs + flag, metadata: .window)
            var filter: RowProgram?
            if let expression = definition.filter {
                let rows = ViewSchema(key: input.key, declared: aggregate.outputs, metadata: .window).columns
                let program = try Self.checked { () throws(ExpressionError) in
                    try RowProgram(columns: [], filter: expression, schema: rows)
                }
                guard !program.hasState else {
                    throw .expression(
                        ExpressionError("the where: of a windowed view cannot look at other rows; filter in a view of this view", at: 0))
                }
                filter = program
            }
            program = .windows(rule, aggregate, filter: filter)
        } else {
            let rows = try Self.checked { () throws(ExpressionError) in
                try RowProgram(columns: columns, filter: definition.filter, schema: columnsRead)
            }
            schema = ViewSchema(key: input.key, declared: rows.outputs + flag, metadata: input.metadata)
            program = .rows(rows)
        }
        let reserved = Set(schema.metadata.columns.map(\.name))
        for output in schema.declared where reserved.contains(output.name) { throw .reservedName(output.name) }
        guard let outliers = definition.outliers else { return }
        if let name = flag.first?.name, schema.columns.count(where: { $0.name == name }) > 1 { throw .reservedName(name) }
        guard schema.declared.contains(where: { $0.name == outliers.column && $0.type.isNumeric }) else { throw .noNumber(outliers.column) }
    }

    private static func checked<T>(_ body: () throws(ExpressionError) -> T) throws(Error) -> T {
        do throws(ExpressionError) { return try body() } catch { throw .expression(error) }
    }

    private static func rule(_ window: ViewDefinition.Window) throws(Error) -> WindowRule {
        do throws(WindowShape.Error) { return try window.rule() } catch { throw .window(error) }
    }
}

extension CompiledView {
    /// What the view remembers of its entities, as a hash: state of one layout can be read under another's definitions only if
    /// they are equal. `nil` when it remembers nothing, so that its rows are the same wherever it begins.
    package var memory: ContentHash? {
        var parts: [String] = []
        switch program {
        case .windows(_, let aggregate, _):
            parts = ["windows", definition.window?.canonical ?? "", definition.emit.rawValue] + aggregate.layout
        case .rows(let rows):
            parts = rows.remembering.map { hashes[definition.columns[$0].name]?.hex ?? definition.columns[$0].name }
            if rows.filterRemembers, let filter = definition.filter { parts.append("where \(filter.definition)") }
        }
        if let outliers = definition.outliers, outliers.rule.period > 0 { parts.append(outliers.canonical) }
        for (join, schema) in zip(definition.joins, joinedSchemas) {
            parts.append("join \(join.view) \(join.within)")
            parts += schema.declared.map { "\($0.name) \($0.type.rawValue)" }
        }
        return parts.isEmpty ? nil : ContentHash(of: parts.joined(separator: "\n"))
    }
}

/// The views of one stream, compiled in dependency order.
package struct CompiledViews: Sendable {
    package let input: ViewSchema
    package let views: [CompiledView]
    /// What every declared column means, by view and name.
    package let hashes: [String: [String: ContentHash]]
    /// Per view, the position of the view it reads, or `nil` when it reads the input itself.
    package let upstream: [Int?]
    /// Per view, the positions of the views it joins, in its order.
    package let joined: [[Int]]

    package struct Error: Swift.Error, Equatable {
        package let view: String
        package let cause: CompiledView.Error
    }

    /// - Parameter definitions: All views of the project, in dependency order; those that do not descend from the stream are left out.
    package init(of stream: StreamDefinition, definitions: [ViewDefinition]) throws(Error) {
        let source = ViewDefinition.Input.stream(stream.name), schema = ViewSchema(stream: stream)
        var views: [CompiledView] = [], upstream: [Int?] = [], joined: [[Int]] = []
        for definition in definitions {
            let parent = views.firstIndex { definition.from == .view($0.definition.name) }
            guard parent != nil || definition.from == source else { continue }
            do throws(CompiledView.Error) {
                var others: [Int] = []
                for join in definition.joins {
                    guard let other = views.firstIndex(where: { $0.definition.name == join.view }) else { throw .unknownJoin(join.view) }
                    others.append(other)
                }
                let input = parent.map { views[$0].schema } ?? schema
                views.append(try CompiledView(definition, input: input, joined: others.map { views[$0].schema }))
                upstream.append(parent)
                joined.append(others)
            } catch {
                throw Error(view: definition.name, cause: error)
            }
        }
        input = schema
        hashes = DefinitionHash.columns(of: views, upstream: upstream, joined: joined, stream: stream)
        for index in views.indices { views[index].hashes = hashes[views[index].definition.name] ?? [:] }
        self.views = views
        self.upstream = upstream
        self.joined = joined
    }
}

extension ViewDefinition {
    /// The columns that lookups and joins add to the input.
    package func columnsBeside(_ joined: [ViewSchema]) -> Schema {
        lookups.flatMap(\.table.columns)
            + zip(joins, joined).flatMap { join, schema in schema.declared.map { (LookupTable.prefix(join.view) + $0.name, $0.type) } }
    }
}
