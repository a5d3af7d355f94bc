import Domain
import Expressions
import Streaming
import Table

/// One running view: its compiled form with the state of every entity.
struct ViewOperator: Sendable {
    let view: CompiledView
    /// Its place among the compiled views.
    private let position: Int
    private var windows: (any KeyedWindows)?
    private var widening: RowWidening
    private var outliers: OutlierFilter?
    private var states: [RowProgram.State] = []
    private let filterState: [RowProgram.State]
    /// Entities whose state a batch has touched since it was last saved.
    private var dirty: Set<Int> = []

    /// - Parameter joined: The views that this one joins, in its order.
    init(_ view: CompiledView, position: Int, joined: [(place: JoinedView, schema: ViewSchema)]) {
        self.view = view
        widening = RowWidening(view, joined: joined)
        self.position = position
        let columns = view.schema.declared.map(\.name).filter { $0 != view.definition.outliers?.flagColumn }
        outliers = view.definition.outliers.map {
            OutlierFilter($0, lastColumn: columns.last ?? "", timeColumn: view.schema.metadata.availabilityColumn)
        }
        switch view.program {
        case .rows: filterState = []
        case .windows(let rule, let program, let filter):
            windows = rule.windows(
                emitsCurrent: view.definition.emit == .current, calls: program.calls, argumentTypes: program.argumentTypes)
            filterState = filter.map { [$0.initialState()] } ?? []
        }
    }

    /// Rows of a windowed view that an event batch leads to.
    mutating func process(_ batch: EventBatch, keys: KeyIndex, output: inout EngineOutput) -> ViewRows {
        guard case .windows(_, let program, let filter) = view.program, var windows else {
            return process(
                ViewRows(table: batch.events, keyOfRow: batch.keyOfRow, causes: batch.offsets), keys: keys, output: &output)
        }
        let events = widened(
            ViewRows(table: batch.events, keyOfRow: batch.keyOfRow, causes: widening.isIdle ? [] : batch.offsets), .event, keys, output)
        self.windows = nil  // Keep the only reference: the state below must not be copied.
        windows.growKeys(to: keys.count)
        let before = windows.overflows
        let closed = windows.process(batch.steps, arguments: program.arguments(events, counts: &output.counts))
        output.counts.overflows += windows.overflows - before
        for late in closed.late {
            output.late.append(
                LateRecord(
                    view: view.definition.name, offset: batch.steps[late.step].offset, windowStart: late.windowStart, lateBy: late.lateBy))
        }
        for step in batch.steps { dirty.insert(step.key) }
        // Time that keys share closes windows of keys that no step was about.
        dirty.formUnion(closed.keys)
        self.windows = windows

        let isFinal = closed.marks.map { $0.map { !$0.contains(.partial) } } ?? [Bool](repeating: true, count: closed.count)
        let metadata = [
            Column("window_start_ms", .int(closed.starts)), Column("window_end_ms", .int(closed.ends)),
            Column("is_final", .bool(isFinal)), Column("synthetic", .bool(closed.synthetic)),
        ]
        let declared = program.finish(closed.results, counts: &output.counts)
        let rows = assemble(
            declared, metadata: metadata, keyOfRow: closed.keys, marks: closed.marks, causes: closed.steps.map { batch.steps[$0].offset },
            keys: keys)
        guard let filter else { return judged(rows, keys, &output) }
        var states = filterState
        let everyRow = [Int](repeating: 0, count: rows.count)
        return judged(rows.filtered(filter.evaluate(rows.table, keyOfRow: everyRow, states: &states).keep), keys, &output)
    }

    /// Rows with the columns of lookups and joins.
    private mutating func widened(_ input: ViewRows, _ metadata: ViewSchema.Metadata, _ keys: KeyIndex, _ output: EngineOutput) -> Table {
        if widening.isIdle { return input.table }
        return widening.widen(
            input.table, keyOfRow: input.keyOfRow, causes: input.causes, times: input.times(metadata.availabilityColumn),
            computed: output.rows, others: output.others, keys: keys)
    }

    /// The rows that are no outliers.
    private mutating func judged(_ rows: ViewRows, _ keys: KeyIndex, _ output: inout EngineOutput) -> ViewRows {
        guard let (rows, held) = outliers?.apply(rows, keys: keys.count) else { return rows }
        if let held { output.held.append((position, held)) }
        return rows
    }

    /// Rows with those among them that were held back and have been released, each where its release stands in the log.
    mutating func with(_ released: [ReleasedRow], among rows: ViewRows) -> ViewRows {
        guard !released.isEmpty else { return rows }
        let times = released.map { $0.rows.times(view.schema.metadata.availabilityColumn)[0] }
        let newest = zip(released, times).map { row, time in outliers?.release(key: row.rows.keyOfRow[0], at: time) ?? false }
        // Of one schema, whose names the project has checked.
        guard let table = try? Table.concatenated([rows.table] + released.map(\.rows.table)) else { return rows }
        let causes = rows.causes + released.map(\.offset)
        var marks = (0..<rows.count).map { rows.mark($0) }
        for isNewest in newest { marks.append(isNewest ? [] : .outrun) }
        let all = ViewRows(
            table: table, keyOfRow: rows.keyOfRow + released.map { $0.rows.keyOfRow[0] }, marks: marks, causes: causes)
        return all.gathered(causes.indices.sorted { (causes[$0], $0) < (causes[$1], $1) })
    }

    /// Rows of a view that makes one row per input row.
    mutating func process(_ input: ViewRows, keys: KeyIndex, output: inout EngineOutput) -> ViewRows {
        guard case .rows(let program) = view.program else { return input }
        var input = view.definition.emit == .current ? input : input.finalOnly
        let table = widened(input, view.schema.metadata, keys, output)
        input = ViewRows(table: table, keyOfRow: input.keyOfRow, marks: input.marks, causes: input.causes)
        while states.count < max(1, keys.count) { states.append(program.initialState()) }
        let (columns, keep) = evaluate(program, input, counts: &output.counts)
        let metadata = view.schema.metadata.columns.compactMap { input.table[$0.name] }
        let rows = assemble(columns, metadata: metadata, keyOfRow: input.keyOfRow, marks: input.marks, causes: input.causes, keys: keys)
        return judged(rows.filtered(keep), keys, &output)
    }

    private mutating func evaluate(
        _ program: RowProgram, _ input: ViewRows, counts: inout EvaluationCounts
    ) -> (columns: [Column], keep: [Bool]?) {
        if program.hasState { dirty.formUnion(input.keyOfRow) }
        guard program.hasState, let marks = input.marks, marks.contains(where: { $0.contains(.partial) }) else {
            return program.evaluate(input.table, keyOfRow: input.keyOfRow, states: &states, counts: &counts)
        }
        // Stretches of final rows move the state on; a partial row looks at a copy of it.
        var columns: [[Column]] = [], keep: [Bool] = []
        var start = 0
        repeat {
            let isPartial = start < marks.count && marks[start].contains(.partial)
            let end = marks[start...].firstIndex { $0.contains(.partial) != isPartial } ?? marks.count
            let table = input.table.slice(start..<end), rowKeys = Array(input.keyOfRow[start..<end])
            let part: (columns: [Column], keep: [Bool]?)
            if isPartial {
                var copies = rowKeys.map { states[$0] }
                part = program.evaluate(table, keyOfRow: Array(rowKeys.indices), states: &copies, counts: &counts)
            } else {
                part = program.evaluate(table, keyOfRow: rowKeys, states: &states, counts: &counts)
            }
            columns.append(part.columns)
            keep += part.keep ?? Array(repeating: true, count: rowKeys.count)
            start = end
        } while start < marks.count
        return (program.outputs.indices.map { index in Self.joined(columns.map { $0[index] }) }, keep)
    }

    private static func joined(_ parts: [Column]) -> Column {
        var builder = ColumnBuilder(parts[0].name, parts[0].type)
        for part in parts { builder.append(contentsOf: part) }
        return builder.finish()
    }

    /// Puts key, declared and metadata columns together in the schema's order.
    private func assemble(
        _ declared: [Column], metadata: [Column], keyOfRow: [Int], marks: [RowMark]?, causes: [Int64], keys: KeyIndex
    ) -> ViewRows {
        let names = Set(declared.map(\.name))
        let key = keys.columns(for: keyOfRow, types: view.schema.key.map(\.type)).filter { !names.contains($0.name) }
        // Lengths agree by construction and the names were checked when the view was compiled.
        let table = (try? Table(key + declared + metadata)) ?? Table.empty
        return ViewRows(table: table, keyOfRow: keyOfRow, marks: marks, causes: causes)
    }

    // MARK: State

    /// The state of what changed since the last call: of entities, what they share, and of each what outliers are told by and
    /// what is joined.
    mutating func takeChanges(
        key addKey: (_ key: Int, _ bytes: [UInt8]) -> Void, shared addShared: ([UInt8]) -> Void,
        outliers addOutliers: (_ key: Int, _ bytes: [UInt8]) -> Void,
        joined addJoined: (_ view: String, _ place: JoinedView, _ key: Int, _ bytes: [UInt8]) -> Void
    ) {
        outliers?.takeChanges(addOutliers)
        widening.takeChanges(addJoined)
        guard !dirty.isEmpty else { return }
        for key in dirty {
            if let windows {
                var writer = BinaryWriter()
                windows.encodeKey(key, into: &writer)
                addKey(key, writer.bytes)
            } else {
                addKey(key, states[key].encode())
            }
        }
        if let shared = windows?.encodeShared() { addShared(shared) }
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

    mutating func restore(outliersOf key: Int, bytes: [UInt8]) throws(EngineState.Error) {
        do throws(BinaryReader.Damaged) { try outliers?.restore(key: key, bytes: bytes) } catch {
            throw .damaged(view: view.definition.name)
        }
    }

    mutating func restore(joined other: String, key: Int, bytes: [UInt8]) throws(EngineState.Error) {
        do throws(BinaryReader.Damaged) { try widening.restore(view: other, key: key, bytes: bytes) } catch {
            throw .damaged(view: view.definition.name)
        }
    }

    func place(ofJoined view: String) -> JoinedView? { widening.place(of: view) }

    mutating func restore(shared bytes: [UInt8]) throws(EngineState.Error) {
        do throws(BinaryReader.Damaged) { try windows?.decodeShared(bytes) } catch { throw .damaged(view: view.definition.name) }
    }
}
