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

/// Where a view that is joined is computed.
package enum JoinedView: Sendable, Hashable {
    /// Beside the view that joins it: its place among the compiled ones.
    case own(Int)
    /// From another stream's events: the stream's place among ``CompiledViews/others``, and the view's among that one's.
    case other(stream: Int, view: Int)
}

/// The views of one stream, compiled in dependency order.
package struct CompiledViews: Sendable {
    /// A stream whose views are joined, and those of its views that this takes.
    package struct Other: Sendable {
        package let stream: StreamDefinition
        package let views: CompiledViews
    }

    package let input: ViewSchema
    package let views: [CompiledView]
    /// What every declared column means, by view and name.
    package let hashes: [String: [String: ContentHash]]
    /// What rows there are, by view.
    let rowHashes: [String: ContentHash]
    /// Per view, the position of the view it reads, or `nil` when it reads the input itself.
    package let upstream: [Int?]
    /// Per view, where those that it joins are, in its order.
    package let joined: [[JoinedView]]
    /// The other streams that views of this one join views of.
    package let others: [Other]

    package struct Error: Swift.Error, Equatable {
        package let view: String
        package let cause: CompiledView.Error
    }

    /// - Parameters:
    ///   - definitions: All views of the project, in dependency order; those that do not descend from the stream are left out.
    ///   - streams: The other streams of the project, whose views may be joined. Those must not join views of other streams themselves.
    package init(of stream: StreamDefinition, definitions: [ViewDefinition], streams: [StreamDefinition] = []) throws(Error) {
        let source = ViewDefinition.Input.stream(stream.name), schema = ViewSchema(stream: stream)
        let others = try Self.others(of: stream, definitions, streams)
        var views: [CompiledView] = [], upstream: [Int?] = [], joined: [[JoinedView]] = []
        for definition in definitions {
            let parent = views.firstIndex { definition.from == .view($0.definition.name) }
            guard parent != nil || definition.from == source else { continue }
            do throws(CompiledView.Error) {
                var places: [JoinedView] = [], schemas: [ViewSchema] = []
                for join in definition.joins {
                    if let own = views.firstIndex(where: { $0.definition.name == join.view }) {
                        places.append(.own(own))
                        schemas.append(views[own].schema)
                    } else {
                        guard let (place, schema) = Self.place(of: join.view, in: others) else { throw .unknownJoin(join.view) }
                        places.append(place)
                        schemas.append(schema)
                    }
                }
                let input = parent.map { views[$0].schema } ?? schema
                views.append(try CompiledView(definition, input: input, joined: schemas))
                upstream.append(parent)
                joined.append(places)
            } catch {
                throw Error(view: definition.name, cause: error)
            }
        }
        input = schema
        let meanings = DefinitionHash.columns(of: views, upstream: upstream, joined: joined, others: others, stream: stream)
        hashes = meanings.columns
        rowHashes = meanings.rows
        for index in views.indices { views[index].hashes = meanings.columns[views[index].definition.name] ?? [:] }
        self.views = views
        self.upstream = upstream
        self.joined = joined
        self.others = others
    }

    /// The schema of a view that is joined.
    func schema(of joined: JoinedView) -> ViewSchema {
        switch joined {
        case .own(let index): views[index].schema
        case .other(let stream, let index): others[stream].views.views[index].schema
        }
    }

    private static func place(of view: String, in others: [Other]) -> (JoinedView, ViewSchema)? {
        for (stream, other) in others.enumerated() {
            guard let index = other.views.views.firstIndex(where: { $0.definition.name == view }) else { continue }
            return (.other(stream: stream, view: index), other.views.views[index].schema)
        }
        return nil
    }

    /// The views that are joined from other streams, with all that they read and join themselves.
    private static func others(
        of stream: StreamDefinition, _ definitions: [ViewDefinition], _ streams: [StreamDefinition]
    ) throws(Error) -> [Other] {
        let byName = Dictionary(definitions.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        func root(_ view: ViewDefinition) -> ViewDefinition.Input {
            var view = view
            while case .view(let name) = view.from, let next = byName[name] { view = next }
            return view.from
        }
        var others: [Other] = []
        for other in streams where other.name != stream.name {
            var needed: Set<String> = []
            for definition in definitions where root(definition) == .stream(stream.name) {
                needed.formUnion(definition.joins.map(\.view).filter { byName[$0].map(root) == .stream(other.name) })
            }
            // Dependency order, backwards: what a needed view reads or joins comes before it.
            for definition in definitions.reversed() where needed.contains(definition.name) {
                if case .view(let parent) = definition.from { needed.insert(parent) }
                needed.formUnion(definition.joins.map(\.view))
            }
            guard !needed.isEmpty else { continue }
            others.append(
                Other(stream: other, views: try CompiledViews(of: other, definitions: definitions.filter { needed.contains($0.name) })))
        }
        return others
    }
}

extension ViewDefinition {
    /// The columns that lookups and joins add to the input.
    package func columnsBeside(_ joined: [ViewSchema]) -> Schema {
        lookups.flatMap(\.table.columns)
            + zip(joins, joined).flatMap { join, schema in schema.declared.map { (LookupTable.prefix(join.view) + $0.name, $0.type) } }
    }
}
