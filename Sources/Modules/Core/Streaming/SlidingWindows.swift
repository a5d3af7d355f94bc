import Domain
import Expressions
import Table

/// Aggregates keyed events over the stretch before each of them: one window `[time - length, time]`, both ends included,
/// per event time that occurs.
///
/// The window of a time closes when the key's time has passed it by more than the grace. An event whose own window has
/// closed is late for it; later windows take it as long as one that contains it may still be open.
///
/// Events of equal time are kept together. A closing window folds those it contains, oldest first: O(times in a window)
/// for each row, and memory O(times in length + grace × aggregate calls) for each key.
struct SlidingWindows: KeyedWindows {
    /// The events of one time.
    private struct Pane: Sendable {
        let time: EventTime.Milliseconds
        let slot: Int
        /// Whether the window that ends here has left or never will.
        var isClosed: Bool
    }

    private struct Key: Sendable {
        var latest: EventTime.Milliseconds?
        /// The newest time whose window was closed by the end of the input.
        var endedThrough: EventTime.Milliseconds?
        /// Ascending time.
        var panes: [Pane] = []
    }

    private let length: EventTime.Milliseconds
    private let grace: EventTime.Milliseconds
    private let emitsCurrent: Bool
    private var slots: SlotTable
    /// Where windows are folded.
    private let fold: Int
    private var keys: [Key] = []

    var overflows: Int { slots.overflows }

    init(
        length: EventTime.Milliseconds, grace: EventTime.Milliseconds, emitsCurrent: Bool, calls: [AggregateCall],
        argumentTypes: [ValueType]
    ) {
        self.length = length
        self.grace = grace
        self.emitsCurrent = emitsCurrent
        slots = SlotTable(calls: calls, argumentTypes: argumentTypes)
        fold = slots.open()
        slots.flush([])
    }

    mutating func growKeys(to count: Int) {
        while keys.count < count { keys.append(Key()) }
    }

    mutating func process(_ steps: [WindowStep], arguments: [Column]) -> WindowRows {
        var rows = RowCollector(slots.lanes)
        for (index, step) in steps.enumerated() {
            let key = step.key
            close(step, index, arguments, into: &rows)
            guard case .event(let row) = step.kind, let latest = keys[key].latest else { continue }
            let isOwnClosed = step.time + grace < latest || step.time <= keys[key].endedThrough ?? .min
            if isOwnClosed {
                rows.appendLate(step: index, start: start(of: step.time), lateBy: max(0, latest - grace - step.time))
                if step.time + length + grace < latest { continue }
            }
            slots.add(row: row, slot: pane(key, step.time, isClosed: isOwnClosed), time: step.time, offset: step.offset)
            if emitsCurrent { emitPresent(step, index, arguments, into: &rows) }
        }
        slots.flush(arguments)
        return rows.finish()
    }

    /// A window of a time since the epoch does not reach back beyond it.
    private func start(of time: EventTime.Milliseconds) -> EventTime.Milliseconds {
        time >= 0 ? max(0, time - length) : time - length
    }

    /// Moves the key's time on, emits the windows that this closes, and forgets what no later window can contain.
    private mutating func close(_ step: WindowStep, _ index: Int, _ arguments: [Column], into rows: inout RowCollector) {
        let key = step.key
        var isEnd = false
        if case .end = step.kind {
            isEnd = true
            keys[key].endedThrough = keys[key].panes.last?.time ?? keys[key].endedThrough
        } else {
            keys[key].latest = max(keys[key].latest ?? step.time, step.time)
        }
        let latest = keys[key].latest ?? .min
        var position = keys[key].panes.firstIndex { !$0.isClosed } ?? keys[key].panes.count
        while position < keys[key].panes.count, isEnd || keys[key].panes[position].time + grace < latest {
            if !keys[key].panes[position].isClosed { emit(index, key, position, mark: [], arguments, into: &rows) }
            keys[key].panes[position].isClosed = true
            position += 1
        }
        let old = keys[key].panes.firstIndex { !$0.isClosed || $0.time + length + grace >= latest } ?? keys[key].panes.count
        guard old > 0 else { return }
        slots.flush(arguments)
        for pane in keys[key].panes[..<old] { slots.release(pane.slot, isClosed: false) }
        keys[key].panes.removeFirst(old)
    }

    /// The slot of the events of a time.
    private mutating func pane(_ key: Int, _ time: EventTime.Milliseconds, isClosed: Bool) -> Int {
        if let last = keys[key].panes.last, last.time == time { return last.slot }
        let position = keys[key].panes.lastIndex { $0.time <= time }
        if let position, keys[key].panes[position].time == time { return keys[key].panes[position].slot }
        let slot = slots.open()
        keys[key].panes.insert(Pane(time: time, slot: slot, isClosed: isClosed), at: position.map { $0 + 1 } ?? 0)
        return slot
    }

    /// The present rows of the open windows that contain an event.
    private mutating func emitPresent(_ step: WindowStep, _ index: Int, _ arguments: [Column], into rows: inout RowCollector) {
        let panes = keys[step.key].panes
        for position in panes.indices {
            let pane = panes[position]
            guard pane.time >= step.time, pane.time <= step.time + length, start(of: pane.time) <= step.time, !pane.isClosed else {
                continue
            }
            emit(index, step.key, position, mark: position + 1 < panes.count ? [.partial, .outrun] : .partial, arguments, into: &rows)
        }
    }

    /// Folds the window that ends at a pane.
    private mutating func emit(
        _ step: Int, _ key: Int, _ position: Int, mark: RowMark, _ arguments: [Column], into rows: inout RowCollector
    ) {
        slots.flush(arguments)
        let panes = keys[key].panes, end = panes[position].time, start = start(of: end)
        var first = position
        while first > 0, panes[first - 1].time >= start { first -= 1 }
        for pane in panes[first...position] { slots.merge(pane.slot, into: fold) }
        let isOutrun = emitsCurrent && mark.isEmpty && position + 1 < panes.count
        rows.append(step: step, key: key, start: start, end: end, mark: isOutrun ? .outrun : mark) { slots.value($0, fold) }
        slots.clear(fold, isClosed: mark.isEmpty)
    }

    // MARK: State

    func encodeKey(_ key: Int, into writer: inout BinaryWriter) {
        writer.write(time: keys[key].latest)
        writer.write(time: keys[key].endedThrough)
        writer.write(count: keys[key].panes.count)
        for pane in keys[key].panes {
            writer.write(pane.time)
            writer.write(pane.isClosed)
            slots.encode(pane.slot, into: &writer)
        }
    }

    mutating func decodeKey(_ key: Int, from reader: inout BinaryReader) throws(BinaryReader.Damaged) {
        growKeys(to: key + 1)
        keys[key] = Key(latest: try reader.readTime(), endedThrough: try reader.readTime())
        for _ in 0..<(try reader.readCount()) {
            let time = try reader.readInt(), isClosed = try reader.readBool()
            keys[key].panes.append(Pane(time: time, slot: try slots.decode(from: &reader), isClosed: isClosed))
        }
    }
}
