import Domain
import Streaming
import Table

/// Judges the rows of a view one by one, each against the values of its entity before it.
///
/// Every value is remembered, outlier or not: after a lasting change of level the new level is the normal one within a
/// period. A null is never an outlier. A row of an open window is judged and not remembered.
///
/// O(period) state per entity; O(period log period) time per row.
struct OutlierFilter: Sendable {
    private struct Memory: Sendable {
        /// The latest values; the oldest is overwritten first.
        var values: [Double] = []
        var next = 0
        /// The time of the last row that went on; `nil` before there is one.
        var passed: EventTime.Milliseconds?

        mutating func add(_ value: Double, period: Int) {
            guard period > 0 else { return }
            if values.count < period {
                values.append(value)
            } else {
                values[next] = value
                next = (next + 1) % period
            }
        }
    }

    private let definition: ViewDefinition.Outliers
    /// The last of the view's own columns, behind which a flag stands.
    private let lastColumn: String
    /// The column of a row's time.
    private let timeColumn: String
    private var memories: [Memory] = []
    private var dirty: Set<Int> = []

    init(_ definition: ViewDefinition.Outliers, lastColumn: String, timeColumn: String) {
        self.definition = definition
        self.timeColumn = timeColumn
        self.lastColumn = lastColumn
    }

    /// - Returns: The rows that go on, and those that are held back with the reason of each.
    mutating func apply(_ rows: ViewRows, keys: Int) -> (rows: ViewRows, held: HeldRows?) {
        while memories.count < max(1, keys) { memories.append(Memory()) }
        guard let column = rows.table[definition.column] else { return (rows, nil) }
        let numbers = column.numbers()
        var verdicts = [String?](repeating: nil, count: rows.count), hasOutlier = false
        for row in 0..<rows.count where !column.isNull(row) && !rows.mark(row).contains(.removed) {
            let key = rows.keyOfRow[row]
            verdicts[row] = definition.rule.verdict(on: numbers[row], after: memories[key].values)
            hasOutlier = hasOutlier || verdicts[row] != nil
            guard definition.rule.period > 0, !rows.mark(row).contains(.partial) else { continue }
            memories[key].add(numbers[row], period: definition.rule.period)
            dirty.insert(key)
        }
        if definition.action == .quarantine { notePassed(rows, verdicts) }
        if let flag = definition.flagColumn {
            return (rows.with(Column(flag, .bool(verdicts.map { $0 != nil })), after: lastColumn), nil)
        }
        guard hasOutlier else { return (rows, nil) }
        if definition.action == .null {
            let mask = verdicts.indices.map { verdicts[$0] != nil || column.isNull($0) }
            return (rows.with(Column(definition.column, column.values, nulls: mask)), nil)
        }
        let kept = verdicts.indices.filter { verdicts[$0] == nil }, outliers = verdicts.indices.filter { verdicts[$0] != nil }
        let reasons = outliers.compactMap { verdicts[$0].map { "\(definition.column) \($0)" } }
        return (rows.gathered(kept), HeldRows(rows: rows.gathered(outliers), reasons: reasons))
    }

    private mutating func notePassed(_ rows: ViewRows, _ verdicts: [String?]) {
        let times = rows.times(timeColumn)
        for row in verdicts.indices where verdicts[row] == nil && rows.mark(row).isDisjoint(with: [.partial, .removed, .outrun]) {
            memories[rows.keyOfRow[row]].passed = times[row]
            dirty.insert(rows.keyOfRow[row])
        }
    }

    /// Whether a row that is released is its entity's newest.
    mutating func release(key: Int, at time: EventTime.Milliseconds) -> Bool {
        while memories.count <= key { memories.append(Memory()) }
        if let passed = memories[key].passed, passed > time { return false }
        memories[key].passed = time
        dirty.insert(key)
        return true
    }

    // MARK: State

    mutating func takeChanges(_ add: (_ key: Int, _ bytes: [UInt8]) -> Void) {
        for key in dirty {
            var writer = BinaryWriter()
            writer.write(count: memories[key].next)
            writer.write(count: memories[key].values.count)
            for value in memories[key].values { writer.write(value) }
            writer.write(memories[key].passed != nil)
            writer.write(memories[key].passed ?? 0)
            add(key, writer.bytes)
        }
        dirty.removeAll(keepingCapacity: true)
    }

    mutating func restore(key: Int, bytes: [UInt8]) throws(BinaryReader.Damaged) {
        while memories.count <= key { memories.append(Memory()) }
        var reader = BinaryReader(bytes)
        let next = try reader.readInt()
        var values: [Double] = []
        for _ in 0..<(try reader.readCount()) { values.append(try reader.readDouble()) }
        let hasPassed = try reader.readBool(), passed = try reader.readInt()
        guard (0...Int64(values.count)).contains(next), values.count <= definition.rule.period else { throw .init(offset: 0) }
        memories[key] = Memory(values: values, next: Int(next), passed: hasPassed ? passed : nil)
    }
}

/// Rows that an outlier rule held back, with the reason of each.
package struct HeldRows: Sendable {
    package let rows: ViewRows
    package let reasons: [String]
}

extension ViewRows {
    /// These rows with a column in the place of the one of its name, or a new one right behind another.
    fileprivate func with(_ column: Column, after name: String? = nil) -> ViewRows {
        var columns = table.columns
        if let index = columns.firstIndex(where: { $0.name == column.name }) {
            columns[index] = column
        } else {
            columns.insert(column, at: (columns.firstIndex { $0.name == name } ?? columns.count - 1) + 1)
        }
        // As many cells as rows, under a name that the project has checked.
        return ViewRows(table: (try? Table(columns)) ?? table, keyOfRow: keyOfRow, marks: marks, causes: causes)
    }
}
