package import Domain
package import Expressions
package import Table

/// Aggregates keyed events into epoch-aligned windows of event time, tumbling or hopping.
///
/// A window covers `[start, start + length)` and belongs to one key. It closes when time reaches `end + grace`: the key's
/// own time, the greatest event time or tick it has seen, or that of all keys together. An event for a closed window is
/// late for it and leaves it unchanged; other windows may take the same event. The final rows of a key leave in order of
/// their start, silent ones included when gaps are filled.
///
/// Memory is O(open windows × aggregate calls + keys).
///
/// Source: T. Akidau et al., "The Dataflow Model", PVLDB 8(12), 2015, <https://doi.org/10.14778/2824032.2824076>.
package struct WindowedAggregation: KeyedWindows {
    private typealias Closing = (step: Int, key: Int, start: EventTime.Milliseconds, slot: Int?)

    package let shape: WindowShape
    private let emitsCurrent: Bool
    private let calls: Int
    /// One lane per call, then one `last` per argument whose value a silent window carries on.
    private var slots: SlotTable
    /// Per call, the lane whose last value a silent window repeats; `nil` when it says zero or null.
    private let carrying: [Int?]
    private var clocks: [KeyClock] = []
    /// `nil` when windows close by their key's time.
    private var partition: PartitionClock?
    /// Per key and carried lane: the last value of the last window that had one.
    private var carried: [[Value]] = []

    package var overflows: Int { slots.overflows }

    package init(shape: WindowShape, emitsCurrent: Bool = false, calls: [AggregateCall], argumentTypes: [ValueType]) {
        self.shape = shape
        self.emitsCurrent = emitsCurrent
        self.calls = calls.count
        partition = shape.closing == .partition ? PartitionClock() : nil
        var lanes = calls.map { Lane($0, argumentType: $0.argument.map { argumentTypes[$0] } ?? .int) }
        var carrying = [Int?](repeating: nil, count: calls.count)
        if shape.gaps == .forward {
            var laneOfArgument: [Int: Int] = [:]
            for (index, call) in calls.enumerated() where [.first, .last, .min, .max, .mean, .quantile].contains(call.kind) {
                guard let argument = call.argument else { continue }
                if laneOfArgument[argument] == nil {
                    laneOfArgument[argument] = lanes.count
                    let last = AggregateCall(kind: .last, argument: argument, type: argumentTypes[argument])
                    lanes.append(Lane(last, argumentType: argumentTypes[argument]))
                }
                carrying[index] = laneOfArgument[argument]
            }
        }
        slots = SlotTable(lanes)
        self.carrying = carrying
    }

    package mutating func growKeys(to count: Int) {
        let missing = count - clocks.count
        guard missing > 0 else { return }
        clocks += repeatElement(KeyClock(), count: missing)
        carried += repeatElement([Value](repeating: .null, count: slots.lanes.count - calls), count: missing)
    }

    package mutating func process(_ steps: [WindowStep], arguments: [Column]) -> WindowRows {
        var closing: [Closing] = []
        var rows = RowCollector(slots.lanes.prefix(calls))
        slots.reserve(steps.count)
        for (index, step) in steps.enumerated() {
            close(step, index, &closing)
            if emitsCurrent { emit(&closing, into: &rows) }
            guard case .event(let row) = step.kind else { continue }
            let (first, last) = shape.starts(of: step.time)
            var start = first, isAccepted = false
            while start <= last {
                if clocks[step.key].isClosed(start, shape) {
                    rows.appendLate(step: index, start: start, lateBy: lateness(of: step))
                } else {
                    slots.add(row: row, slot: openSlot(step.key, start), time: step.time, offset: step.offset)
                    isAccepted = true
                }
                start += shape.step
            }
            if emitsCurrent, isAccepted {
                slots.flush(arguments)
                emitPresent(step.key, first...last, index, into: &rows)
            }
        }
        slots.flush(arguments)
        emit(&closing, into: &rows)
        return rows.finish()
    }

    // MARK: Time

    /// Moves time on and notes the windows that this closes.
    @inline(__always)
    private mutating func close(_ step: WindowStep, _ index: Int, _ closing: inout [Closing]) {
        let key = step.key
        if case .end = step.kind {
            clocks[key].closeAll(shape) { closing.append((index, key, $0, $1)) }
            if partition != nil { noteQuiet(key) }
        } else if partition != nil {
            closeByPartition(step, index, &closing)
        } else {
            clocks[key].advance(to: step.time)
            clocks[key].closeDue(shape) { closing.append((index, key, $0, $1)) }
        }
    }

    /// Closes what is due of every key, in order of start.
    private mutating func closeByPartition(_ step: WindowStep, _ index: Int, _ closing: inout [Closing]) {
        let isPassed = partition?.advance(to: step.time, shape) ?? false
        let now = partition?.latest ?? step.time
        if isPassed {
            var due: [Closing] = []
            for key in partition?.activeKeys ?? [] {
                clocks[key].advance(to: now)
                clocks[key].closeDue(shape) { due.append((index, key, $0, $1)) }
                noteQuiet(key)
            }
            due.sort { ($0.start, $0.key) < ($1.start, $1.key) }
            if let newest = due.last(where: { $0.slot != nil }) { partition?.noteClosed(end: newest.start + shape.length) }
            closing += due
        }
        clocks[step.key].advance(to: now)
    }

    private mutating func noteQuiet(_ key: Int) {
        if clocks[key].open.isEmpty, !clocks[key].isFilling(shape) { partition?.noteDone(key) }
    }

    /// How far a late event lies behind what was still accepted.
    private func lateness(of step: WindowStep) -> Int64 {
        let latest = partition?.closedEnd ?? clocks[step.key].latest ?? step.time
        return max(0, latest - shape.grace - step.time)
    }

    @inline(__always)
    private mutating func openSlot(_ key: Int, _ start: EventTime.Milliseconds) -> Int {
        partition?.noteOpen(key)
        return clocks[key].slot(at: start) { slots.open() }
    }

    // MARK: Rows

    private mutating func emit(_ closing: inout [Closing], into rows: inout RowCollector) {
        for window in closing {
            let isOutrun = emitsCurrent && (clocks[window.key].open.last.map { $0.start > window.start } ?? false)
            rows.append(
                step: window.step, key: window.key, start: window.start, end: window.start + shape.length, synthetic: window.slot == nil,
                mark: isOutrun ? .outrun : []
            ) { result($0, window.key, window.slot) }
            if let slot = window.slot { release(slot, of: window.key) }
        }
        closing.removeAll(keepingCapacity: true)
    }

    /// The present rows of the windows that an event has changed.
    private func emitPresent(_ key: Int, _ starts: ClosedRange<EventTime.Milliseconds>, _ step: Int, into rows: inout RowCollector) {
        let newest = clocks[key].open.last?.start ?? .min
        for window in clocks[key].open where starts.contains(window.start) {
            rows.append(
                step: step, key: key, start: window.start, end: window.start + shape.length,
                mark: window.start < newest ? [.partial, .outrun] : .partial
            ) { slots.value($0, window.slot) }
        }
    }

    private func result(_ call: Int, _ key: Int, _ slot: Int?) -> Value {
        if let slot { return slots.value(call, slot) }
        let lane = slots.lanes[call]
        if let carrier = carrying[call] {
            let value = carried[key][carrier - calls]
            return lane.resultType == .double ? value.number.map(Value.double) ?? .null : value
        }
        return switch lane.kind {
        case .count, .countDistinct: .int(0)
        case .sum where shape.gaps == .null, .std where shape.gaps == .null: .null
        case .std: .double(0)
        case .sum where lane.resultType == .double: .double(0)
        case .sum: .int(0)
        default: .null
        }
    }

    /// Remembers what later silent windows carry on, and frees the slot.
    private mutating func release(_ slot: Int, of key: Int) {
        for lane in calls..<slots.lanes.count where slots.lanes[lane].counts[slot] > 0 {
            carried[key][lane - calls] = slots.value(lane, slot)
        }
        slots.release(slot)
    }

    // MARK: State

    package func encodeKey(_ key: Int, into writer: inout BinaryWriter) {
        clocks[key].encode(into: &writer) { slots.encode($0, into: &$1) }
        for value in carried[key] { writer.write(value) }
    }

    package mutating func decodeKey(_ key: Int, from reader: inout BinaryReader) throws(BinaryReader.Damaged) {
        growKeys(to: key + 1)
        clocks[key] = try KeyClock(from: &reader) { reader throws(BinaryReader.Damaged) in try slots.decode(from: &reader) }
        for lane in carried[key].indices { carried[key][lane] = try reader.readValue() }
        partition?.noteOpen(key)
        if partition != nil { noteQuiet(key) }
    }

    package func encodeShared() -> [UInt8]? {
        guard let partition else { return nil }
        var writer = BinaryWriter()
        partition.encode(into: &writer)
        return writer.bytes
    }

    package mutating func decodeShared(_ bytes: [UInt8]) throws(BinaryReader.Damaged) {
        var reader = BinaryReader(bytes)
        try partition?.decode(from: &reader)
    }
}
