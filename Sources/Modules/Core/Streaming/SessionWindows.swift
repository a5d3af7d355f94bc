import Domain
import Expressions
import Table

/// Aggregates keyed events into sessions: events of a key no further apart than the gap.
///
/// A session covers `[first event, last event]`. It closes when the key's time has passed `end + gap + grace`, because up
/// to then an event may still lengthen it, or join it with another one into a single session. An event is late when the
/// session it would make has closed by that rule. When rows of open sessions are emitted, a session whose start
/// another one has taken leaves as removed.
///
/// Memory is O(open sessions × aggregate calls + keys).
struct SessionWindows: KeyedWindows {
    private struct Session: Sendable {
        var start: EventTime.Milliseconds
        var end: EventTime.Milliseconds
        var slot: Int
    }

    private struct Key: Sendable {
        var latest: EventTime.Milliseconds?
        /// End of the newest closed session; nothing that reaches back to it opens again.
        var closedThrough: EventTime.Milliseconds?
        /// Ascending, further apart than the gap.
        var open: [Session] = []
    }

    private let gap: EventTime.Milliseconds
    private let grace: EventTime.Milliseconds
    private let emitsCurrent: Bool
    private var slots: SlotTable
    private var keys: [Key] = []

    var overflows: Int { slots.overflows }

    init(gap: EventTime.Milliseconds, grace: EventTime.Milliseconds, emitsCurrent: Bool, calls: [AggregateCall], argumentTypes: [ValueType])
    {
        self.gap = gap
        self.grace = grace
        self.emitsCurrent = emitsCurrent
        slots = SlotTable(calls: calls, argumentTypes: argumentTypes)
    }

    mutating func growKeys(to count: Int) {
        while keys.count < count { keys.append(Key()) }
    }

    mutating func process(_ steps: [WindowStep], arguments: [Column]) -> WindowRows {
        var rows = RowCollector(slots.lanes)
        // Closed sessions of keys; their values are complete once everything noted has been added.
        var closed: [(step: Int, key: Int, session: Session)] = []
        for (index, step) in steps.enumerated() {
            close(step, index, &closed)
            if emitsCurrent { emit(&closed, into: &rows) }
            guard case .event(let row) = step.kind else { continue }
            guard !isLate(step) else {
                let latest = keys[step.key].latest ?? step.time
                rows.appendLate(step: index, start: step.time, lateBy: max(0, latest - grace - gap - step.time))
                continue
            }
            let (position, taken) = join(step, arguments)
            let session = keys[step.key].open[position]
            slots.add(row: row, slot: session.slot, time: step.time, offset: step.offset)
            guard emitsCurrent else { continue }
            slots.flush(arguments)
            let isOutrun = position + 1 < keys[step.key].open.count
            for old in taken where old.start != session.start {
                rows.append(step: index, key: step.key, start: old.start, end: old.end, mark: [.partial, .removed]) { _ in .null }
            }
            rows.append(
                step: index, key: step.key, start: session.start, end: session.end, mark: isOutrun ? [.partial, .outrun] : .partial
            ) {
                slots.value($0, session.slot)
            }
        }
        slots.flush(arguments)
        emit(&closed, into: &rows)
        return rows.finish()
    }

    /// Moves the key's time on and takes out the sessions that this closes.
    private mutating func close(_ step: WindowStep, _ index: Int, _ closed: inout [(step: Int, key: Int, session: Session)]) {
        let key = step.key
        var due = keys[key].open.count
        if case .end = step.kind {
        } else {
            let latest = max(keys[key].latest ?? step.time, step.time)
            keys[key].latest = latest
            due = keys[key].open.firstIndex { $0.end + gap + grace >= latest } ?? due
        }
        guard due > 0 else { return }
        for session in keys[key].open[..<due] { closed.append((index, key, session)) }
        keys[key].closedThrough = keys[key].open[due - 1].end
        keys[key].open.removeFirst(due)
    }

    private func isLate(_ step: WindowStep) -> Bool {
        let key = keys[step.key]
        if let closedThrough = key.closedThrough, step.time <= closedThrough { return true }
        guard let latest = key.latest, step.time + gap + grace < latest else { return false }
        return !key.open.contains { reaches($0, step.time) }
    }

    private func reaches(_ session: Session, _ time: EventTime.Milliseconds) -> Bool {
        session.start - gap <= time && time <= session.end + gap
    }

    /// Makes the session that an event belongs to.
    /// - Returns: Its place among the key's open ones, and the sessions that went into it as they were.
    private mutating func join(_ step: WindowStep, _ arguments: [Column]) -> (position: Int, taken: [Session]) {
        let open = keys[step.key].open
        let first = open.firstIndex { $0.end + gap >= step.time } ?? open.count
        var next = first
        while next < open.count, reaches(open[next], step.time) { next += 1 }
        let taken = Array(open[first..<next])
        var session = Session(start: step.time, end: step.time, slot: taken.first?.slot ?? slots.open())
        for other in taken {
            session.start = min(session.start, other.start)
            session.end = max(session.end, other.end)
        }
        if taken.count > 1 {
            slots.flush(arguments)
            for other in taken.dropFirst() {
                slots.merge(other.slot, into: session.slot)
                slots.release(other.slot, isClosed: false)
            }
        }
        keys[step.key].open.replaceSubrange(first..<next, with: [session])
        return (first, taken)
    }

    private mutating func emit(_ closed: inout [(step: Int, key: Int, session: Session)], into rows: inout RowCollector) {
        for (step, key, session) in closed {
            let isOutrun = emitsCurrent && !keys[key].open.isEmpty
            rows.append(step: step, key: key, start: session.start, end: session.end, mark: isOutrun ? .outrun : []) {
                slots.value($0, session.slot)
            }
            slots.release(session.slot)
        }
        closed.removeAll(keepingCapacity: true)
    }

    // MARK: State

    func encodeKey(_ key: Int, into writer: inout BinaryWriter) {
        writer.write(time: keys[key].latest)
        writer.write(time: keys[key].closedThrough)
        writer.write(count: keys[key].open.count)
        for session in keys[key].open {
            writer.write(session.start)
            writer.write(session.end)
            slots.encode(session.slot, into: &writer)
        }
    }

    mutating func decodeKey(_ key: Int, from reader: inout BinaryReader) throws(BinaryReader.Damaged) {
        growKeys(to: key + 1)
        keys[key] = Key(latest: try reader.readTime(), closedThrough: try reader.readTime())
        for _ in 0..<(try reader.readCount()) {
            let start = try reader.readInt(), end = try reader.readInt()
            keys[key].open.append(Session(start: start, end: end, slot: try slots.decode(from: &reader)))
        }
    }
}
