import Domain
import Expressions
import Table

/// Aggregates a fixed number of events of a key, in order of arrival; a new window opens every `step` of them.
///
/// A window closes with the event that fills it, so no event is late and time closes nothing: not a tick, not the end of
/// the input. Its row covers the event times `[least, greatest]` of its events.
///
/// Memory is O(count / step × aggregate calls × keys).
struct CountWindows: KeyedWindows {
    private struct Open: Sendable {
        var slot: Int
        var filled: Int
        var start: EventTime.Milliseconds
        var end: EventTime.Milliseconds
    }

    private struct Key: Sendable {
        /// Events until the next window opens.
        var untilNext = 0
        /// In order of opening.
        var open: [Open] = []
    }

    private let count: Int
    private let step: Int
    private let emitsCurrent: Bool
    private var slots: SlotTable
    private var keys: [Key] = []

    var overflows: Int { slots.overflows }

    /// - Parameters:
    ///   - count: Events of a window, at least 1.
    ///   - step: 1 to `count`; equal to it, every event is in one window.
    init(count: Int, step: Int, emitsCurrent: Bool, calls: [AggregateCall], argumentTypes: [ValueType]) {
        self.count = count
        self.step = step
        self.emitsCurrent = emitsCurrent
        slots = SlotTable(calls: calls, argumentTypes: argumentTypes)
    }

    mutating func growKeys(to count: Int) {
        while keys.count < count { keys.append(Key()) }
    }

    mutating func process(_ steps: [WindowStep], arguments: [Column]) -> WindowRows {
        var rows = RowCollector(slots.lanes)
        var closed: [(step: Int, key: Int, window: Open)] = []
        for (index, happening) in steps.enumerated() {
            guard case .event(let row) = happening.kind else { continue }
            let key = happening.key
            add(happening, row: row)
            if let first = keys[key].open.first, first.filled == count { closed.append((index, key, keys[key].open.removeFirst())) }
            guard emitsCurrent else { continue }
            slots.flush(arguments)
            emit(&closed, into: &rows)
            for (position, window) in keys[key].open.enumerated() {
                let isOutrun = position + 1 < keys[key].open.count
                rows.append(step: index, key: key, start: window.start, end: window.end, mark: isOutrun ? [.partial, .outrun] : .partial) {
                    slots.value($0, window.slot)
                }
            }
        }
        slots.flush(arguments)
        emit(&closed, into: &rows)
        return rows.finish()
    }

    private mutating func add(_ event: WindowStep, row: Int) {
        let key = event.key
        if keys[key].untilNext == 0 {
            keys[key].untilNext = step
            keys[key].open.append(Open(slot: slots.open(), filled: 0, start: event.time, end: event.time))
        }
        keys[key].untilNext -= 1
        for index in keys[key].open.indices {
            keys[key].open[index].filled += 1
            keys[key].open[index].start = min(keys[key].open[index].start, event.time)
            keys[key].open[index].end = max(keys[key].open[index].end, event.time)
            slots.add(row: row, slot: keys[key].open[index].slot, time: event.time, offset: event.offset)
        }
    }

    private mutating func emit(_ closed: inout [(step: Int, key: Int, window: Open)], into rows: inout RowCollector) {
        for (step, key, window) in closed {
            let isOutrun = emitsCurrent && !keys[key].open.isEmpty
            rows.append(step: step, key: key, start: window.start, end: window.end, mark: isOutrun ? .outrun : []) {
                slots.value($0, window.slot)
            }
            slots.release(window.slot)
        }
        closed.removeAll(keepingCapacity: true)
    }

    // MARK: State

    func encodeKey(_ key: Int, into writer: inout BinaryWriter) {
        writer.write(count: keys[key].untilNext)
        writer.write(count: keys[key].open.count)
        for window in keys[key].open {
            writer.write(count: window.filled)
            writer.write(window.start)
            writer.write(window.end)
            slots.encode(window.slot, into: &writer)
        }
    }

    mutating func decodeKey(_ key: Int, from reader: inout BinaryReader) throws(BinaryReader.Damaged) {
        growKeys(to: key + 1)
        let untilNext = try reader.readInt()
        guard (0...Int64(step)).contains(untilNext) else { throw BinaryReader.Damaged(offset: 0) }
        keys[key] = Key(untilNext: Int(untilNext))
        for _ in 0..<(try reader.readCount()) {
            let filled = try reader.readInt(), start = try reader.readInt(), end = try reader.readInt()
            guard (0..<Int64(count)).contains(filled) else { throw BinaryReader.Damaged(offset: 0) }
            keys[key].open.append(Open(slot: try slots.decode(from: &reader), filled: Int(filled), start: start, end: end))
        }
    }
}
