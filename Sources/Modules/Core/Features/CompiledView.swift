package import Expressions
package import Streaming

/// A view definition resolved against its input: what the engine runs, without state.
package struct CompiledView: Sendable {
    package enum Program: Sendable {
        case rows(RowProgram)
        case windows(WindowShape, AggregateProgram, filter: RowProgram?)
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
    }

    package let definition: ViewDefinition
    package let program: Program
    package let input: ViewSchema
    package let schema: ViewSchema

    package init(_ definition: ViewDefinition, input: ViewSchema) throws(Error) {
        self.definition = definition
        self.input = input
        let columns = definition.columns.map { (name: $0.name, expression: $0.expression) }
        if let window = definition.window {
            if case .view = definition.from { throw .windowOverView }
            guard !input.key.isEmpty else { throw .windowWithoutKey }
            let shape = try Self.shape(window)
            let aggregate = try Self.checked { () throws(ExpressionError) in
                try AggregateProgram(columns: columns, schema: input.columns)
            }
            schema = ViewSchema(key: input.key, declared: aggregate.outputs, metadata: .window)
            var filter: RowProgram?
            if let expression = definition.filter {
                let rows = schema.columns
                let program = try Self.checked { () throws(ExpressionError) in
                    try RowProgram(columns: [], filter: expression, schema: rows)
                }
                guard !program.hasState else {
                    throw .expression(
                        ExpressionError("the where: of a windowed view cannot look at other rows; filter in a view of this view", at: 0))
                }
                filter = program
            }
            program = .windows(shape, aggregate, filter: filter)
        } else {
            let rows = try Self.checked { () throws(ExpressionError) in
                try RowProgram(columns: columns, filter: definition.filter, schema: input.columns)
            }
            schema = ViewSchema(key: input.key, declared: rows.outputs, metadata: input.metadata)
            program = .rows(rows)
        }
        let reserved = Set(schema.metadata.columns.map(\.name))
        for output in schema.declared where reserved.contains(output.name) { throw .reservedName(output.name) }
    }

    private static func checked<T>(_ body: () throws(ExpressionError) -> T) throws(Error) -> T {
        do throws(ExpressionError) { return try body() } catch { throw .expression(error) }
    }

    private static func shape(_ window: ViewDefinition.Window) throws(Error) -> WindowShape {
        do throws(WindowShape.Error) {
            return try WindowShape(
                length: window.length, grace: window.grace, fillsGaps: window.gaps == .forward, maxGap: window.maxGap)
        } catch {
            throw .window(error)
        }
    }
}

/// The views of one stream or table, compiled in dependency order.
package struct CompiledViews: Sendable {
    package let input: ViewSchema
    package let views: [CompiledView]
    /// Per view, the position of the view it reads, or `nil` when it reads the input itself.
    package let upstream: [Int?]

    package struct Error: Swift.Error, Equatable {
        package let view: String
        package let cause: CompiledView.Error
    }

    /// - Parameters:
    ///   - source: The stream or table at the root.
    ///   - definitions: All views of the project, in dependency order; those that do not descend from `source` are left out.
    package init(
        source: ViewDefinition.Input, schema: ViewSchema, definitions: [ViewDefinition]
    ) throws(Error) {
        var views: [CompiledView] = [], upstream: [Int?] = []
        for definition in definitions {
            let parent = views.firstIndex { definition.from == .view($0.definition.name) }
            guard parent != nil || definition.from == source else { continue }
            do throws(CompiledView.Error) {
                views.append(try CompiledView(definition, input: parent.map { views[$0].schema } ?? schema))
                upstream.append(parent)
            } catch {
                throw Error(view: definition.name, cause: error)
            }
        }
        input = schema
        self.views = views
        self.upstream = upstream
    }
}
