import Domain
import Expressions
import Table

/// Puts the rows of a batch together.
struct RowCollector {
    private(set) var rows = WindowRows()
    private var builders: [ColumnBuilder]

    init(_ lanes: some Sequence<Lane>) {
        builders = lanes.enumerated().map { ColumnBuilder("\($0)", $1.resultType) }
    }

    /// - Parameter value: What the call of that number says.
    mutating func append(
        step: Int, key: Int, start: EventTime.Milliseconds, end: EventTime.Milliseconds, synthetic: Bool = false, mark: RowMark = [],
        value: (Int) -> Value
    ) {
        if !mark.isEmpty, rows.marks == nil { rows.marks = Array(repeating: [], count: rows.count) }
        rows.steps.append(step)
        rows.keys.append(key)
        rows.starts.append(start)
        rows.ends.append(end)
        rows.synthetic.append(synthetic)
        rows.marks?.append(mark)
        for call in builders.indices { builders[call].append(value(call)) }
    }

    mutating func appendLate(step: Int, start: EventTime.Milliseconds, lateBy: Int64) {
        rows.late.append(LateEvent(step: step, windowStart: start, lateBy: lateBy))
    }

    mutating func finish() -> WindowRows {
        rows.results = builders.indices.map { builders[$0].finish() }
        return rows
    }
}
