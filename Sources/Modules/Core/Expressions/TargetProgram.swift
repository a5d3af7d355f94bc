package import Domain
package import Table

/// What a model learns to predict, from the rows of its view: the only place where `lead` is legal.
package struct TargetProgram: Sendable {
    package let name: String
    /// The farthest look ahead, milliseconds; 0 when the target is in the row itself.
    package let horizon: Int64
    package let type: ValueType
    private let schema: Schema
    private let plan: Plan
    private let leads: [(plan: Plan, ahead: Int64)]
    private let usedInputs: [Int]

    private struct Moment: Hashable {
        let key: Int
        let time: Int64
    }

    package init(name: String, expression: Expression, schema: Schema) throws(ExpressionError) {
        var compiler = Compiler(Scope(schema), place: .target)
        let made = try compiler.column(expression.syntax)
        self.name = name
        self.schema = schema
        type = made.outputs[0].type
        // What is looked up ahead stands in the frame after the inputs.
        plan = made.plan.renumbered { $0 < 0 ? schema.count - 1 - $0 : $0 }
        leads = compiler.leads.map { ($0.plan, $0.ahead) }
        horizon = leads.map(\.ahead).max() ?? 0
        var used: Set<Int> = []
        plan.collectColumns(&used)
        for lead in leads { lead.plan.collectColumns(&used) }
        usedInputs = used.filter { $0 < schema.count }.sorted()
    }

    /// One cell per row; null where the row ahead is missing.
    /// - Parameters:
    ///   - table: The view's rows, in any order.
    ///   - keyOfRow: Per row, a number of its key.
    ///   - availability: Per row, the time from which it could be known, milliseconds; `lead` is the value of the row of
    ///     the same key exactly that much later, of several the last.
    package func evaluate(_ table: Table, keyOfRow: [Int], availability: [Int64]) -> Column {
        var frame = Frame(
            vectors: Frame.inputs(usedInputs, of: schema, in: table), rowCount: keyOfRow.count, keyOfRow: keyOfRow)
        if !leads.isEmpty {
            var rowAt: [Moment: Int] = [:]
            rowAt.reserveCapacity(keyOfRow.count)
            for row in keyOfRow.indices { rowAt[Moment(key: keyOfRow[row], time: availability[row])] = row }
            for lead in leads {
                let present = lead.plan.evaluate(&frame)
                var builder = ColumnBuilder(name, present.column(name).type)
                for row in keyOfRow.indices {
                    let (time, overflow) = availability[row].addingReportingOverflow(lead.ahead)
                    let ahead = overflow ? nil : rowAt[Moment(key: keyOfRow[row], time: time)]
                    builder.append(ahead.map { present[$0] } ?? .null)
                }
                let column = builder.finish()
                frame.vectors.append(Vector(column, as: column.type))
            }
        }
        return plan.evaluate(&frame).column(name)
    }
}
