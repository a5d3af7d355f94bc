package import Domain
package import Expressions
package import Table

/// Aggregates keyed events into epoch-aligned tumbling windows of event time.
///
/// A window covers `[start, start + length)` and belongs to one key. It closes when the key's own time, the greatest
/// event time or tick it has seen, reaches `end + grace`; an event for a closed window is late and leaves the windows
/// unchanged. The windows of a key leave in order of their start, silent ones included when gaps are filled, and the
/// sequence depends only on the key's own steps: not on other keys, nor on how steps are cut into batches.
///
/// Memory is O(open windows × aggregate calls + keys).
///
/// Source: T. Akidau et al., "The Dataflow Model", PVLDB 8(12), 2015, <https://doi.org/10.14778/2824032.2824076>.
package struct WindowedAggregation: Sendable {
    package let shape: WindowShape
    private let calls: Int
    /// One per call, then one `last` per argument whose value a silent window carries on.
    private var lanes: [Lane]
    /// Per call, the lane whose last value a silent window repeats; `nil` when it says zero or null.
    private let carrying: [Int?]
    private var clocks: [KeyClock] = []
    /// Per key and carried lane: the last value of the last window that had one.
    private var carried: [[Value]] = []
    private var freeSlots: [Int] = []
    private var slotCount = 0
    /// Integer sums that left 64 bits and became null.
    package private(set) var overflows = 0

    /// - Parameters:
    ///   - calls: The aggregates, in result order.
    ///   - argumentTypes: Types of the columns that ``AggregateCall/argument`` indexes.
    package init(shape: WindowShape, calls: [AggregateCall], argumentTypes: [ValueType]) {
        self.shape = shape
        self.calls = calls.count
        var lanes = calls.map { Lane($0, argumentType: $0.argument.map { argumentTypes[$0] } ?? .int) }
        var carrying = [Int?](repeating: nil, count: calls.count)
        if shape.fillsGaps {
            var laneOfArgument: [Int: Int] = [:]
            for (index, call) in calls.enumerated() where [.first, .last, .min, .max, .mean].contains(call.kind) {
                guard let argument = call.argument else { continue }
                if laneOfArgument[argument] == nil {
                    laneOfArgument[argument] = lanes.count
                    let last = AggregateCall(kind: .last, argument: argument, type: argumentTypes[argument])
                    lanes.append(Lane(last, argumentType: argumentTypes[argument]))
                }
                carrying[index] = laneOfArgument[argument]
            }
        }
        self.lanes = lanes
        self.carrying = carrying
    }

    /// Makes room for keys `0 ..< count`.
    package mutating func growKeys(to count: Int) {
        let missing = count - clocks.count
        guard missing > 0 else { return }
        clocks += repeatElement(KeyClock(), count: missing)
        carried += repeatElement([Value](repeating: .null, count: lanes.count - calls), count: missing)
    }

    /// Takes a batch of steps, in log order.
    /// - Parameter arguments: One column per argument; a step's row indexes them.
    package mutating func process(_ steps: [WindowStep], arguments: [Column]) -> ClosedWindows {
        var closing: [(key: Int, start: EventTime.Milliseconds, slot: Int?)] = []
        var accepted = AcceptedEvents(capacity: steps.count)
        var late: [LateEvent] = []
        for (index, step) in steps.enumerated() {
            if case .end = step.kind {
                clocks[step.key].closeAll(shape) { closing.append((step.key, $0, $1)) }
                continue
            }
            clocks[step.key].advance(to: step.time)
            clocks[step.key].closeDue(shape) { closing.append((step.key, $0, $1)) }
            if case .event(let row) = step.kind {
                let start = shape.start(of: step.time)
                if let lateBy = clocks[step.key].lateness(of: step.time, start: start, shape) {
                    late.append(LateEvent(step: index, windowStart: start, lateBy: lateBy))
                } else {
                    let slot = openSlot(step.key, start)
                    accepted.append(row: row, slot: slot, time: step.time, offset: step.offset)
                }
            }
        }
        for lane in lanes.indices {
            lanes[lane].grow(to: slotCount)
            lanes[lane].add(
                lanes[lane].argument.map { arguments[$0] }, rows: accepted.rows, slots: accepted.slots, times: accepted.times,
                offsets: accepted.offsets)
        }
        return emit(closing, late: late)
    }

    private mutating func openSlot(_ key: Int, _ start: EventTime.Milliseconds) -> Int {
        clocks[key].slot(at: start) {
            if let free = freeSlots.popLast() { return free }
            defer { slotCount += 1 }
            return slotCount
        }
    }

    private mutating func emit(
        _ closing: [(key: Int, start: EventTime.Milliseconds, slot: Int?)], late: [LateEvent]
    ) -> ClosedWindows {
        var closed = ClosedWindows()
        closed.late = late
        var builders = lanes.prefix(calls).enumerated().map { ColumnBuilder("\($0)", $1.resultType) }
        for window in closing {
            closed.keys.append(window.key)
            closed.starts.append(window.start)
            closed.synthetic.append(window.slot == nil)
            for call in 0..<calls { builders[call].append(result(call, window.key, window.slot)) }
            if let slot = window.slot { release(slot, of: window.key) }
        }
        closed.results = builders.indices.map { builders[$0].finish() }
        return closed
    }

    private func result(_ call: Int, _ key: Int, _ slot: Int?) -> Value {
        if let slot { return lanes[call].value(slot) }
        if let lane = carrying[call] {
            let value = carried[key][lane - calls]
            return lanes[call].resultType == .double ? value.number.map(Value.double) ?? .null : value
        }
        return switch lanes[call].kind {
        case .sum where lanes[call].resultType == .double: .double(0)
        case .sum, .count: .int(0)
        default: .null
        }
    }

    /// Remembers what later silent windows carry on, and frees the slot.
    private mutating func release(_ slot: Int, of key: Int) {
        for lane in lanes.indices {
            if lane >= calls, lanes[lane].counts[slot] > 0 { carried[key][lane - calls] = lanes[lane].value(slot) }
            if lanes[lane].overflowed(slot) { overflows += 1 }
            lanes[lane].reset(slot)
        }
        freeSlots.append(slot)
    }

    /// The whole state of a key, exact to the bit.
    package func encodeKey(_ key: Int, into writer: inout BinaryWriter) {
        clocks[key].encode(into: &writer) { slot, writer in
            for lane in lanes { lane.encode(slot, into: &writer) }
        }
        for value in carried[key] { writer.write(value) }
    }

    /// Puts back what ``encodeKey(_:into:)`` wrote.
    package mutating func decodeKey(_ key: Int, from reader: inout BinaryReader) throws(BinaryReader.Damaged) {
        growKeys(to: key + 1)
        clocks[key] = try KeyClock(from: &reader) { reader throws(BinaryReader.Damaged) in
            let slot = freeSlots.popLast() ?? slotCount
            if slot == slotCount { slotCount += 1 }
            for lane in lanes.indices {
                lanes[lane].grow(to: slotCount)
                try lanes[lane].decode(slot, from: &reader)
            }
            return slot
        }
        for lane in carried[key].indices { carried[key][lane] = try reader.readValue() }
    }
}

/// The events of a batch that found an open window, column by column.
private struct AcceptedEvents {
    var rows: [Int32] = []
    var slots: [Int32] = []
    var times: [Int64] = []
    var offsets: [Int64] = []

    init(capacity: Int) {
        rows.reserveCapacity(capacity)
        slots.reserveCapacity(capacity)
        times.reserveCapacity(capacity)
        offsets.reserveCapacity(capacity)
    }

    mutating func append(row: Int, slot: Int, time: Int64, offset: Int64) {
        rows.append(Int32(row))
        slots.append(Int32(slot))
        times.append(time)
        offsets.append(offset)
    }
}
