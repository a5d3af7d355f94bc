package import Domain
package import Table

/// The columns of a windowed view: expressions over aggregate calls.
///
/// Inside an aggregate stand scalars over the events; around it, scalars over aggregates and columns declared above.
package struct AggregateProgram: Sendable {
    /// The distinct calls, in order of first appearance.
    package let calls: [AggregateCall]
    /// Types of the columns that the calls' arguments index.
    package let argumentTypes: [ValueType]
    package let outputs: Schema
    private let schema: Schema
    private let argumentPlans: [(text: String, plan: Plan)]
    private let plans: [Plan]
    private let usedInputs: [Int]

    package init(columns: [(name: String, expression: Expression)], schema: Schema) throws(ExpressionError) {
        let compiled = WindowCompilation(columns, schema)
        if let first = compiled.errors.first { throw first.error }
        calls = compiled.compiler.calls
        argumentTypes = compiled.compiler.callArguments.map(\.type)
        argumentPlans = compiled.compiler.callArguments.map { ($0.text, $0.plan) }
        outputs = compiled.compiler.scope.outputSchema
        plans = compiled.plans
        self.schema = schema
        var used: Set<Int> = []
        for argument in compiled.compiler.callArguments { argument.plan.collectColumns(&used) }
        usedInputs = used.sorted()
    }

    /// Everything that is wrong, where `init` stops at the first.
    package static func check(columns: [(name: String, expression: Expression)], schema: Schema) -> ProgramCheck {
        let compiled = WindowCompilation(columns, schema)
        return ProgramCheck(
            outputs: compiled.compiler.scope.outputSchema, errors: compiled.errors.filter { !$0.error.isConsequence }, hasState: false)
    }

    /// What is remembered of an open window, in one line a call.
    package var layout: [String] {
        calls.map { call in
            "\(call.kind.rawValue)(\(call.argument.map { argumentPlans[$0].text } ?? "")) \(call.parameter) \(call.type.rawValue)"
        }
    }

    /// One column per distinct argument, with one cell per event.
    package func arguments(_ events: Table) -> [Column] {
        var counts = EvaluationCounts()
        return arguments(events, counts: &counts)
    }

    /// - Parameter counts: Raised by what happened to values.
    package func arguments(_ events: Table, counts: inout EvaluationCounts) -> [Column] {
        var frame = Frame(
            vectors: Frame.inputs(usedInputs, of: schema, in: events), rowCount: events.rowCount, keyOfRow: [])
        let columns = argumentPlans.map { $0.plan.evaluate(&frame).column($0.text) }
        counts += frame.counts
        return columns
    }

    /// The output columns from one column per call.
    package func finish(_ results: [Column]) -> [Column] {
        var counts = EvaluationCounts()
        return finish(results, counts: &counts)
    }

    /// - Parameter counts: Raised by what happened to values.
    package func finish(_ results: [Column], counts: inout EvaluationCounts) -> [Column] {
        var frame = Frame(
            vectors: zip(results, calls).map { Vector($0, as: $1.type) }, rowCount: results.first?.count ?? 0, keyOfRow: [])
        for plan in plans { frame.vectors.append(plan.evaluate(&frame)) }
        counts += frame.counts
        return outputs.indices.map { frame.vector(calls.count + $0).column(outputs[$0].name) }
    }
}

private struct WindowCompilation {
    private(set) var compiler: Compiler
    private(set) var plans: [Plan] = []
    private(set) var errors: [(column: Int?, error: ExpressionError)] = []

    init(_ columns: [(name: String, expression: Expression)], _ schema: Schema) {
        compiler = Compiler(Scope([]), inputs: Scope(schema), place: .window)
        compiler.scope.later = Set(columns.map(\.name))
        for (position, column) in columns.enumerated() {
            compiler.scope.later.remove(column.name)
            do throws(ExpressionError) {
                let made = try compiler.column(column.expression.syntax)
                guard !compiler.scope.hasOutput(column.name) else {
                    throw ExpressionError("there is a column \"\(column.name)\" already", at: 0)
                }
                plans.append(made.plan)
                compiler.scope.add(column.name, made.outputs[0].type)
            } catch {
                compiler.scope.addBroken(column.name)
                errors.append((position, error))
            }
        }
        if compiler.calls.isEmpty, errors.isEmpty {
            errors.append((columns.isEmpty ? nil : 0, ExpressionError("a view with a window needs an aggregate, such as count()", at: 0)))
        }
        // The frame holds the calls' results, then the outputs; both are numbered now that all calls are known.
        let count = compiler.calls.count
        plans = plans.map { plan in plan.renumbered { $0 < 0 ? -1 - $0 : $0 + count } }
    }
}

extension Plan {
    /// The same plan reading other vectors of the frame.
    func renumbered(_ index: (Int) -> Int) -> Plan {
        switch self {
        case .column(let old): .column(index(old))
        case .constant: self
        case .widened(let plan): .widened(plan.renumbered(index))
        case .call(let kernel, let arguments): .call(kernel, arguments.map { $0.renumbered(index) })
        case .sequence(let kernel, let place, let arguments): .sequence(kernel, place, arguments.map { $0.renumbered(index) })
        }
    }
}
