import Domain
import Expressions
import Statistics
import Table

/// The values of one aggregate call in all open windows: flat arrays indexed by window slot, so that a batch is
/// aggregated call by call in tight loops.
///
/// Nulls are skipped; a slot that saw only nulls gives null. `first` and `last` go by (event time, offset), the others
/// by arrival.
struct Lane: Sendable {
    let kind: AggregateCall.Kind
    let argument: Int?
    /// The constant of `quantile`.
    let parameter: Double
    /// Type of the argument's column; `int` for `count()`.
    let argumentType: ValueType
    let resultType: ValueType

    var counts: [Int64] = []
    var doubles: [Double] = []
    var ints: [Int64] = []
    var texts: [String] = []
    var times: [Int64] = []
    var offsets: [Int64] = []
    /// Sums of squared distances from the mean, of `std`.
    var squares: [Double] = []
    var quantiles: [QuantileSketch] = []
    var distincts: [DistinctSketch] = []

    enum Storage { case none, doubles, ints, texts, moments, quantiles, distincts }

    init(_ call: AggregateCall, argumentType: ValueType) {
        kind = call.kind
        argument = call.argument
        parameter = call.parameter
        self.argumentType = argumentType
        resultType = call.type
    }

    var storage: Storage {
        switch kind {
        case .count: return .none
        case .std: return .moments
        case .quantile: return .quantiles
        case .countDistinct: return .distincts
        default: break
        }
        return switch argumentType {
        case .double: .doubles
        case .int: kind == .mean ? .doubles : .ints
        case .bool, .time: .ints
        case .string: .texts
        }
    }

    var isOrdered: Bool { kind == .first || kind == .last }

    /// Makes room for `slots` slots.
    mutating func grow(to slots: Int) {
        let missing = slots - counts.count
        guard missing > 0 else { return }
        counts += repeatElement(0, count: missing)
        switch storage {
        case .none: break
        case .doubles: doubles += repeatElement(0, count: missing)
        case .ints: ints += repeatElement(0, count: missing)
        case .texts: texts += repeatElement("", count: missing)
        case .moments:
            doubles += repeatElement(0, count: missing)
            squares += repeatElement(0, count: missing)
        case .quantiles: quantiles += repeatElement(QuantileSketch(), count: missing)
        case .distincts: distincts += repeatElement(DistinctSketch(), count: missing)
        }
        if isOrdered {
            times += repeatElement(0, count: missing)
            offsets += repeatElement(0, count: missing)
        }
        // The flag of an overflowed integer sum lives in `times`.
        if kind == .sum, storage == .ints { times += repeatElement(0, count: missing) }
    }

    mutating func reset(_ slot: Int) {
        counts[slot] = 0
        switch storage {
        case .none: break
        case .doubles: doubles[slot] = 0
        case .ints: ints[slot] = 0
        case .texts: texts[slot] = ""
        case .moments: (doubles[slot], squares[slot]) = (0, 0)
        case .quantiles: quantiles[slot] = QuantileSketch()
        case .distincts: distincts[slot] = DistinctSketch()
        }
        if !times.isEmpty { times[slot] = 0 }
    }

    /// Adds the events of a batch: `rows[i]` of the argument goes to slot `slots[i]`.
    mutating func add(_ column: Column?, rows: [Int32], slots: [Int32], times eventTimes: [Int64], offsets eventOffsets: [Int64]) {
        guard let column else {
            for slot in slots { counts[Int(slot)] += 1 }
            return
        }
        let nulls = column.nulls
        switch (storage, column.values) {
        case (.none, _): addCounts(nulls, rows, slots)
        case (.moments, _), (.quantiles, _), (.distincts, _): addSummaries(column, rows, slots)
        case (.doubles, .double(let values)): addDoubles(values, nulls, rows, slots, eventTimes, eventOffsets)
        case (.doubles, .int(let values)):
            addDoubles(values.map(Double.init), nulls, rows, slots, eventTimes, eventOffsets)
        case (.ints, .int(let values)), (.ints, .time(let values)): addInts(values, nulls, rows, slots, eventTimes, eventOffsets)
        case (.ints, .bool(let values)):
            addInts(values.map { $0 ? 1 : 0 }, nulls, rows, slots, eventTimes, eventOffsets)
        case (.texts, .string(let values)): addTexts(values, nulls, rows, slots, eventTimes, eventOffsets)
        default: break  // The compiled program has fixed the column's type; nothing else can arrive.
        }
    }

    private mutating func addCounts(_ nulls: [Bool]?, _ rows: [Int32], _ slots: [Int32]) {
        for index in rows.indices where !(nulls?[Int(rows[index])] ?? false) { counts[Int(slots[index])] += 1 }
    }

    private mutating func addDoubles(
        _ values: [Double], _ nulls: [Bool]?, _ rows: [Int32], _ slots: [Int32], _ eventTimes: [Int64], _ eventOffsets: [Int64]
    ) {
        let kind = kind
        for index in rows.indices {
            let row = Int(rows[index]), slot = Int(slots[index])
            if let nulls, nulls[row] { continue }
            let value = values[row], isFirst = counts[slot] == 0
            counts[slot] += 1
            switch kind {
            case .sum, .mean: doubles[slot] += value
            case .min: if isFirst || value < doubles[slot] { doubles[slot] = value }
            case .max: if isFirst || value > doubles[slot] { doubles[slot] = value }
            default: if takesPlace(slot, isFirst, eventTimes[index], eventOffsets[index]) { doubles[slot] = value }
            }
        }
    }

    private mutating func addInts(
        _ values: [Int64], _ nulls: [Bool]?, _ rows: [Int32], _ slots: [Int32], _ eventTimes: [Int64], _ eventOffsets: [Int64]
    ) {
        for index in rows.indices {
            let row = Int(rows[index]), slot = Int(slots[index])
            if let nulls, nulls[row] { continue }
            let value = values[row], isFirst = counts[slot] == 0
            counts[slot] += 1
            switch kind {
            case .sum:
                let (sum, overflow) = ints[slot].addingReportingOverflow(value)
                ints[slot] = sum
                if overflow { times[slot] = 1 }
            case .min: if isFirst || value < ints[slot] { ints[slot] = value }
            case .max: if isFirst || value > ints[slot] { ints[slot] = value }
            default: if takesPlace(slot, isFirst, eventTimes[index], eventOffsets[index]) { ints[slot] = value }
            }
        }
    }

    private mutating func addTexts(
        _ values: [String], _ nulls: [Bool]?, _ rows: [Int32], _ slots: [Int32], _ eventTimes: [Int64], _ eventOffsets: [Int64]
    ) {
        for index in rows.indices {
            let row = Int(rows[index]), slot = Int(slots[index])
            if let nulls, nulls[row] { continue }
            let value = values[row], isFirst = counts[slot] == 0
            counts[slot] += 1
            switch kind {
            case .min: if isFirst || value < texts[slot] { texts[slot] = value }
            case .max: if isFirst || value > texts[slot] { texts[slot] = value }
            default: if takesPlace(slot, isFirst, eventTimes[index], eventOffsets[index]) { texts[slot] = value }
            }
        }
    }

    /// Whether an event becomes the slot's first or last; notes its place if so.
    @inline(__always)
    mutating func takesPlace(_ slot: Int, _ isFirst: Bool, _ time: Int64, _ offset: Int64) -> Bool {
        if !isFirst {
            let held = (times[slot], offsets[slot])
            guard kind == .first ? (time, offset) < held : (time, offset) > held else { return false }
        }
        times[slot] = time
        offsets[slot] = offset
        return true
    }

    /// What the call says of a window.
    func value(_ slot: Int) -> Value {
        let count = counts[slot]
        if kind == .count { return .int(count) }
        if kind == .countDistinct { return summary(slot) }
        guard count > 0 else { return .null }
        switch storage {
        case .none: return .null
        case .doubles: return .finite(kind == .mean ? doubles[slot] / Double(count) : doubles[slot])
        case .ints:
            if kind == .sum, times[slot] != 0 { return .null }
            return switch argumentType {
            case .bool: .bool(ints[slot] != 0)
            case .time: .time(ints[slot])
            default: .int(ints[slot])
            }
        case .texts: return .string(texts[slot])
        case .moments, .quantiles, .distincts: return summary(slot)
        }
    }

    /// Whether an integer sum left the range of 64 bits.
    func overflowed(_ slot: Int) -> Bool { kind == .sum && !times.isEmpty && times[slot] != 0 }

    func encode(_ slot: Int, into writer: inout BinaryWriter) {
        writer.write(counts[slot])
        switch storage {
        case .none: break
        case .doubles: writer.write(doubles[slot])
        case .ints: writer.write(ints[slot])
        case .texts: writer.write(texts[slot])
        case .moments:
            writer.write(doubles[slot])
            writer.write(squares[slot])
        case .quantiles: quantiles[slot].encode(into: &writer)
        case .distincts: distincts[slot].encode(into: &writer)
        }
        if !times.isEmpty { writer.write(times[slot]) }
        if isOrdered { writer.write(offsets[slot]) }
    }

    mutating func decode(_ slot: Int, from reader: inout BinaryReader) throws(BinaryReader.Damaged) {
        counts[slot] = try reader.readInt()
        switch storage {
        case .none: break
        case .doubles: doubles[slot] = try reader.readDouble()
        case .ints: ints[slot] = try reader.readInt()
        case .texts: texts[slot] = try reader.readString()
        case .moments:
            doubles[slot] = try reader.readDouble()
            squares[slot] = try reader.readDouble()
        case .quantiles: quantiles[slot] = try QuantileSketch(from: &reader)
        case .distincts: distincts[slot] = try DistinctSketch(from: &reader)
        }
        if !times.isEmpty { times[slot] = try reader.readInt() }
        if isOrdered { offsets[slot] = try reader.readInt() }
    }
}
