import Domain
package import Table

/// What is wrong with a set of columns, all of it, and what the sound ones come to.
package struct ProgramCheck: Sendable {
    /// The columns that compiled, in order.
    package let outputs: Schema
    /// `column` is the position of the declared column, `nil` for the filter. Errors that only follow from others are left out.
    package let errors: [(column: Int?, error: ExpressionError)]
    /// Whether a sequence operator needs memory of earlier rows.
    package let hasState: Bool
}

/// The columns of a view that makes one row per input row: scalars and sequence operators, evaluated column at a time
/// with the state of every key.
///
/// An expression names a column of the input or, if there is none of that name, an output declared above it; the filter
/// looks among the outputs first. Sequence operators see every row, also those the filter drops.
package struct RowProgram: Sendable {
    /// What the operators remember of one key.
    package struct State: Sendable, Equatable {
        var reals: [Double]
        var ints: [Int64]
        var texts: [String]

        init(_ size: StatePlace) {
            // Never empty, so that there is always an address to give out.
            reals = Array(repeating: 0, count: Swift.max(1, size.reals))
            ints = Array(repeating: 0, count: Swift.max(1, size.ints))
            texts = Array(repeating: "", count: size.texts)
        }

        /// Exact to the bit.
        package func encode() -> [UInt8] {
            var writer = BinaryWriter()
            writer.write(count: reals.count)
            for value in reals { writer.write(value) }
            writer.write(count: ints.count)
            for value in ints { writer.write(value) }
            writer.write(count: texts.count)
            for value in texts { writer.write(value) }
            return writer.bytes
        }

        @inline(__always)
        mutating func withMemory(at place: StatePlace, _ body: (OperatorMemory) -> Void) {
            reals.withUnsafeMutableBufferPointer { reals in
                ints.withUnsafeMutableBufferPointer { ints in
                    guard let first = reals.baseAddress, let firstInt = ints.baseAddress else { return }
                    body(OperatorMemory(reals: first + place.reals, ints: firstInt + place.ints))
                }
            }
        }
    }

    /// Functions with several outputs have become several columns.
    package let outputs: Schema
    private let schema: Schema
    private let plans: [Plan]
    private let filter: Plan?
    private let stateSize: StatePlace
    private let usedInputs: [Int]
    /// The positions of the declared columns that remember something of earlier rows.
    package let remembering: [Int]
    /// Whether the filter does.
    package let filterRemembers: Bool

    package init(
        columns: [(name: String, expression: Expression)], filter: Expression?, schema: Schema
    ) throws(ExpressionError) {
        let compiled = Compilation(columns, filter, schema)
        if let first = compiled.errors.first { throw first.error }
        outputs = compiled.compiler.scope.outputSchema
        self.schema = schema
        plans = compiled.plans
        self.filter = compiled.filter
        stateSize = compiled.compiler.stateSize
        remembering = compiled.remembering
        filterRemembers = compiled.filterRemembers
        var used: Set<Int> = []
        for plan in compiled.plans { plan.collectColumns(&used) }
        compiled.filter?.collectColumns(&used)
        usedInputs = used.filter { $0 < schema.count }.sorted()
    }

    /// Everything that is wrong, where `init` stops at the first.
    package static func check(
        columns: [(name: String, expression: Expression)], filter: Expression?, schema: Schema
    ) -> ProgramCheck {
        let compiled = Compilation(columns, filter, schema)
        return ProgramCheck(
            outputs: compiled.compiler.scope.outputSchema, errors: compiled.errors.filter { !$0.error.isConsequence },
            hasState: compiled.compiler.stateSize.total > 0)
    }

    package var hasState: Bool { stateSize.total > 0 }

    /// How many rows of a key come before the first value of each output, when no input is null; 0 where no operator looks back.
    /// - Parameter inputs: The same of the input's columns, where it is not 0.
    package func warmUp(inputs: [String: Int]) -> [String: Int] {
        var known = schema.map { inputs[$0.name] ?? 0 }
        for plan in plans { known += repeatElement(plan.warmUp(known), count: plan.outputCount) }
        return Dictionary(zip(outputs.map(\.name), known.dropFirst(schema.count)), uniquingKeysWith: { $1 })
    }

    package func initialState() -> State { State(stateSize) }

    /// - Throws: ``ExpressionError`` when the bytes are damaged or belong to another program.
    package func decodeState(_ bytes: [UInt8]) throws(ExpressionError) -> State {
        var state = initialState()
        var reader = BinaryReader(bytes)
        var isWhole = false
        do throws(BinaryReader.Damaged) {
            isWhole = try Self.read(&state, from: &reader) && reader.isAtEnd
        } catch {}
        guard isWhole else {
            throw ExpressionError("the saved state of the operators is damaged or was made by other columns", at: 0)
        }
        return state
    }

    /// - Returns: Whether the sizes are those of this program.
    private static func read(_ state: inout State, from reader: inout BinaryReader) throws(BinaryReader.Damaged) -> Bool {
        guard try reader.readInt() == Int64(state.reals.count) else { return false }
        for index in state.reals.indices { state.reals[index] = try reader.readDouble() }
        guard try reader.readInt() == Int64(state.ints.count) else { return false }
        for index in state.ints.indices { state.ints[index] = try reader.readInt() }
        guard try reader.readInt() == Int64(state.texts.count) else { return false }
        for index in state.texts.indices { state.texts[index] = try reader.readString() }
        return true
    }

    /// Computes all rows of a batch.
    /// - Parameters:
    ///   - input: Has the columns of the schema, in any order.
    ///   - keyOfRow: Per row, the index of its key in `states`.
    /// - Returns: The output columns, and which rows the filter keeps (`nil` is all; a null condition drops the row).
    package func evaluate(
        _ input: Table, keyOfRow: [Int], states: inout [State]
    ) -> (columns: [Column], keep: [Bool]?) {
        var counts = EvaluationCounts()
        return evaluate(input, keyOfRow: keyOfRow, states: &states, counts: &counts)
    }

    /// - Parameter counts: Raised by what happened to values.
    package func evaluate(
        _ input: Table, keyOfRow: [Int], states: inout [State], counts: inout EvaluationCounts
    ) -> (columns: [Column], keep: [Bool]?) {
        var frame = Frame(
            vectors: Frame.inputs(usedInputs, of: schema, in: input), rowCount: keyOfRow.count, keyOfRow: keyOfRow)
        for plan in plans { frame.vectors += plan.evaluateAll(&frame, &states) }
        let columns = outputs.indices.map { frame.vector(schema.count + $0).column(outputs[$0].name) }
        // A null condition holds `false`.
        let keep = filter?.evaluate(&frame, &states).bools
        counts += frame.counts
        return (columns, keep)
    }
}

extension StatePlace {
    var total: Int { reals + ints + texts }
}

extension Frame {
    /// The columns of a table in the order of the schema; `nil` where not used.
    static func inputs(_ used: [Int], of schema: Schema, in table: Table) -> [Vector?] {
        var vectors = [Vector?](repeating: nil, count: schema.count)
        for index in used {
            vectors[index] =
                table[schema[index].name].map { Vector($0, as: schema[index].type) }
                ?? Vector(repeating: .null, schema[index].type, count: table.rowCount)
        }
        return vectors
    }
}

/// The columns of a row view, compiled one by one so that every wrong one is told.
private struct Compilation {
    private(set) var compiler: Compiler
    private(set) var plans: [Plan] = []
    private(set) var filter: Plan?
    private(set) var errors: [(column: Int?, error: ExpressionError)] = []
    private(set) var remembering: [Int] = []
    private(set) var filterRemembers = false

    init(_ columns: [(name: String, expression: Expression)], _ filter: Expression?, _ schema: Schema) {
        compiler = Compiler(Scope(schema), place: .row)
        compiler.scope.later = Set(columns.map(\.name))
        for (position, column) in columns.enumerated() {
            compiler.scope.later.remove(column.name)
            let before = compiler.stateSize.total
            defer { if compiler.stateSize.total > before { remembering.append(position) } }
            do throws(ExpressionError) {
                let made = try compiler.column(column.expression.syntax)
                let names = made.outputs.map { column.name + $0.suffix }
                for name in names where compiler.scope.hasOutput(name) || compiler.scope.later.contains(name) {
                    throw ExpressionError("makes a column \"\(name)\", which there is already", at: 0)
                }
                plans.append(made.plan)
                for (name, output) in zip(names, made.outputs) { compiler.scope.add(name, output.type) }
            } catch {
                compiler.scope.addBroken(column.name)
                errors.append((position, error))
            }
        }
        guard let filter else { return }
        compiler.scope.outputsFirst = true
        let before = compiler.stateSize.total
        defer { filterRemembers = compiler.stateSize.total > before }
        do throws(ExpressionError) { self.filter = try compiler.condition(filter.syntax) } catch { errors.append((nil, error)) }
    }
}
