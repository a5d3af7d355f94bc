import Domain
import Expressions
import Streaming
import Table

/// One running view: its compiled form with the state of every entity.
struct ViewOperator: Sendable {
    let view: CompiledView
    private var windows: WindowedAggregation?
    private var states: [RowProgram.State] = []
    private let filterState: [RowProgram.State]
    /// Entities whose state a batch has touched since it was last saved.
    private var dirty: Set<Int> = []

    init(_ view: CompiledView) {
        self.view = view
        switch view.program {
        case .rows: filterState = []
        case .windows(let shape, let program, let filter):
            windows = WindowedAggregation(shape: shape, calls: program.calls, argumentTypes: program.argumentTypes)
            filterState = filter.map { [$0.initialState()] } ?? []
        }
    }

    /// Rows of a windowed view that an event batch closes.
    mutating func process(_ batch: EventBatch, keys: KeyIndex, output: inout EngineOutput) -> ViewRows {
        guard case .windows(let shape, let program, let filter) = view.program, var windows else {
            return process(ViewRows(table: batch.events, keyOfRow: batch.keyOfRow), keys: keys, output: &output)
        }
        self.windows = nil  // Keep the only reference: the state below must not be copied.
        windows.growKeys(to: keys.count)
        let before = windows.overflows
        let closed = windows.process(batch.steps, arguments: program.arguments(batch.events, overflows: &output.overflows))
        output.overflows += windows.overflows - before
        for late in closed.late {
            output.late.append(
                LateRecord(
                    view: view.definition.name, offset: batch.steps[late.step].offset, windowStart: late.windowStart, lateBy: late.lateBy))
        }
        for step in batch.steps { dirty.insert(step.key) }
        self.windows = windows

        let ends = closed.starts.map { $0 + shape.length }
        let metadata = [
            Column("window_start_ms", .int(closed.starts)), Column("window_end_ms", .int(ends)),
            Column("is_final", .bool([Bool](repeating: true, count: closed.count))), Column("synthetic", .bool(closed.synthetic)),
        ]
        let declared = program.finish(closed.results, overflows: &output.overflows)
        let rows = assemble(declared, metadata: metadata, keyOfRow: closed.keys, keys: keys)
        guard let filter else { return rows }
        var states = filterState
        let everyRow = [Int](repeating: 0, count: rows.count)
        return rows.filtered(filter.evaluate(rows.table, keyOfRow: everyRow, states: &states).keep)
    }

    /// Rows of a view that makes one row per input row.
    mutating func process(_ input: ViewRows, keys: KeyIndex, output: inout EngineOutput) -> ViewRows {
        guard case .rows(let program) = view.program else { return input }
        while states.count < max(1, keys.count) { states.append(program.initialState()) }
        let (columns, keep) = program.evaluate(
            input.table, keyOfRow: input.keyOfRow, states: &states, overflows: &output.overflows)
        if program.hasState { dirty.formUnion(input.keyOfRow) }
        let metadata = view.schema.metadata.columns.compactMap { input.table[$0.name] }
        return assemble(columns, metadata: metadata, keyOfRow: input.keyOfRow, keys: keys).filtered(keep)
    }

    /// Puts key, declared and metadata columns together in the schema's order.
    private func assemble(_ declared: [Column], metadata: [Column], keyOfRow: [Int], keys: KeyIndex) -> ViewRows {
        let names = Set(declared.map(\.name))
        let key = keys.columns(for: keyOfRow, types: view.schema.key.map(\.type)).filter { !names.contains($0.name) }
        // Lengths agree by construction and the names were checked when the view was compiled.
        let table = (try? Table(key + declared + metadata)) ?? Table.empty
        return ViewRows(table: table, keyOfRow: keyOfRow)
    }

    // MARK: State

    mutating func takeChanges(_ add: (_ key: Int, _ bytes: [UInt8]) -> Void) {
        for key in dirty {
            if let windows {
                var writer = BinaryWriter()
                windows.encodeKey(key, into: &writer)
                add(key, writer.bytes)
            } else {
                add(key, states[key].encode())
            }
        }
        dirty.removeAll(keepingCapacity: true)
    }

    mutating func restore(key: Int, bytes: [UInt8]) throws(EngineState.Error) {
        do throws(BinaryReader.Damaged) {
            if windows != nil {
                var reader = BinaryReader(bytes)
                try windows?.decodeKey(key, from: &reader)
                return
            }
        } catch { throw .damaged(view: view.definition.name) }
        guard case .rows(let program) = view.program else { return }
        while states.count <= key { states.append(program.initialState()) }
        do throws(ExpressionError) { states[key] = try program.decodeState(bytes) } catch { throw .damaged(view: view.definition.name) }
    }
}

extension ViewRows {
    func filtered(_ keep: [Bool]?) -> ViewRows {
        guard let keep, keep.contains(false) else { return self }
        let rows = keep.indices.filter { keep[$0] }
        return ViewRows(table: table.gathered(rows), keyOfRow: rows.map { keyOfRow[$0] })
    }
}
