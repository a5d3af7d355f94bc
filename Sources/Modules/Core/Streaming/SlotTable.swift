import Domain
import Expressions
import Table

/// The values of every aggregate call in every open window. A window has a slot, the same in every lane.
///
/// Accepted events are noted and added lane by lane when somebody wants to see values, so that a batch is aggregated in
/// tight loops. A slot that was released in between keeps its values until then.
struct SlotTable: Sendable {
    private(set) var lanes: [Lane]
    private var free: [Int] = []
    private var count = 0
    private var pending = PendingEvents()
    /// Integer sums of closed windows that left 64 bits and became null.
    private(set) var overflows = 0

    init(_ lanes: [Lane]) { self.lanes = lanes }

    init(calls: [AggregateCall], argumentTypes: [ValueType]) {
        self.init(calls.map { Lane($0, argumentType: $0.argument.map { argumentTypes[$0] } ?? .int) })
    }

    mutating func reserve(_ events: Int) { pending.reserve(events) }

    /// A slot without values.
    mutating func open() -> Int {
        if let slot = free.popLast() { return slot }
        defer { count += 1 }
        return count
    }

    /// Notes an event for the window of `slot`.
    @inline(__always)
    mutating func add(row: Int, slot: Int, time: EventTime.Milliseconds, offset: Int64) {
        pending.append(row: row, slot: slot, time: time, offset: offset)
    }

    /// Adds what was noted.
    mutating func flush(_ arguments: [Column]) {
        for lane in lanes.indices {
            lanes[lane].grow(to: count)
            guard !pending.rows.isEmpty else { continue }
            lanes[lane].add(
                lanes[lane].argument.map { arguments[$0] }, rows: pending.rows, slots: pending.slots, times: pending.times,
                offsets: pending.offsets)
        }
        pending.removeAll()
    }

    /// Adds the values of one slot to another; nothing may be pending.
    mutating func merge(_ other: Int, into slot: Int) {
        for lane in lanes.indices { lanes[lane].merge(other, into: slot) }
    }

    /// Forgets a slot's values and gives it back.
    /// - Parameter isClosed: Whether a row was made of them.
    mutating func release(_ slot: Int, isClosed: Bool = true) {
        clear(slot, isClosed: isClosed)
        free.append(slot)
    }

    /// Forgets a slot's values.
    mutating func clear(_ slot: Int, isClosed: Bool) {
        for lane in lanes.indices {
            if isClosed, lanes[lane].overflowed(slot) { overflows += 1 }
            lanes[lane].reset(slot)
        }
    }

    func value(_ lane: Int, _ slot: Int) -> Value { lanes[lane].value(slot) }

    func encode(_ slot: Int, into writer: inout BinaryWriter) {
        for lane in lanes { lane.encode(slot, into: &writer) }
    }

    /// Puts the values of a window back.
    /// - Returns: Its slot.
    mutating func decode(from reader: inout BinaryReader) throws(BinaryReader.Damaged) -> Int {
        let slot = open()
        for lane in lanes.indices {
            lanes[lane].grow(to: count)
            try lanes[lane].decode(slot, from: &reader)
        }
        return slot
    }
}

/// Events that found an open window, column by column.
private struct PendingEvents: Sendable {
    var rows: [Int32] = []
    var slots: [Int32] = []
    var times: [Int64] = []
    var offsets: [Int64] = []

    mutating func reserve(_ count: Int) {
        rows.reserveCapacity(count)
        slots.reserveCapacity(count)
        times.reserveCapacity(count)
        offsets.reserveCapacity(count)
    }

    @inline(__always)
    mutating func append(row: Int, slot: Int, time: Int64, offset: Int64) {
        rows.append(Int32(row))
        slots.append(Int32(slot))
        times.append(time)
        offsets.append(offset)
    }

    mutating func removeAll() {
        rows.removeAll(keepingCapacity: true)
        slots.removeAll(keepingCapacity: true)
        times.removeAll(keepingCapacity: true)
        offsets.removeAll(keepingCapacity: true)
    }
}
