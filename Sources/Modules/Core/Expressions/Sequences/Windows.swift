import Domain

extension SequenceFunction {
    /// Looking back over a fixed number of rows. All give null until they have seen that many values.
    static let windows: [SequenceFunction] = [
        SequenceFunction("lag(x, n)", "The value n rows earlier.", parameters: [.rows(from: 1)]) { types, parameters in
            switch types[0] {
            case .double: RealLag(rows: parameters[0]).kernel
            case .int, .time, .bool: IntLag(rows: parameters[0]).kernel(types[0])
            case .string: TextLag.kernel(rows: parameters[0])
            }
        },
        SequenceFunction("sum_over(x, n)", "The sum of the last n values.", parameters: [.rows(from: 1)]) {
            types, parameters throws(ScalarFunction.Mismatch) in
            try ScalarFunction.requireNumber(types[0], argument: 0)
            return types[0] == .int ? IntSum(rows: parameters[0]).kernel(.int) : RealWindow(rows: parameters[0], fold: .sum).kernel
        },
        extreme("min_over(x, n)", "The smallest of the last n values.", .least),
        extreme("max_over(x, n)", "The greatest of the last n values.", .greatest),
        real(
            "rank_over(x, n)", "The place of the value among the last n, 1 the smallest; equal values share the middle of their places.",
            parameters: [.rows(from: 1)]
        ) {
            MovingRank(ring: Ring(rows: $0[0])).kernel
        },
    ]

    private static func extreme(_ usage: String, _ summary: String, _ fold: Fold) -> SequenceFunction {
        SequenceFunction(usage, summary, parameters: [.rows(from: 1)]) { types, parameters throws(ScalarFunction.Mismatch) in
            if types[0] == .double { return RealWindow(rows: parameters[0], fold: fold).kernel }
            guard types[0] == .int || types[0] == .time else {
                throw ScalarFunction.Mismatch("expects a number or a time, not \(types[0].named)", argument: 0)
            }
            return IntWindow(rows: parameters[0], isLeast: fold == .least).kernel(types[0])
        }
    }
}

/// How two neighbouring stretches of a window become one.
enum Fold: Sendable {
    case sum, least, greatest

    @inline(__always)
    func callAsFunction(_ older: Double, _ newer: Double) -> Double {
        switch self {
        case .sum: older + newer
        case .least: newer < older ? newer : older
        case .greatest: newer > older ? newer : older
        }
    }
}

/// The sum, minimum or maximum of the last `rows` values, O(1) amortised and without subtraction, so that a large value
/// that has left the window leaves no residue behind.
///
/// The values are cut into blocks of `rows`. The slots after the current one hold, for the block before, the fold of the
/// values from there to its end; the current block's fold so far is kept beside them, and the two make the window.
///
/// Source: M. van Herk, "A fast algorithm for local minimum and maximum filters", Pattern Recognition Letters 13(7), 1992.
struct RealWindow: RealOperator {
    let rows: Int
    let fold: Fold

    var reals: Int { rows + 1 }
    var warmUp: Int { rows - 1 }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        if let value = add(input[0], memory) { output[0] = value }
    }

    /// The window's fold once it is full.
    @inline(__always)
    func add(_ value: Double, _ memory: OperatorMemory) -> Double? {
        let seen = memory.seen, slot = Int(seen % Int64(rows)), slots = memory.reals
        slots[slot] = value
        slots[rows] = slot == 0 ? value : fold(slots[rows], value)
        memory.seen = seen &+ 1
        let result = slot == rows - 1 ? slots[rows] : fold(slots[slot + 1], slots[rows])
        if slot == rows - 1 {
            for index in stride(from: rows - 2, through: 1, by: -1) { slots[index] = fold(slots[index], slots[index + 1]) }
        }
        return seen >= Int64(rows) - 1 ? result : nil
    }
}

/// ``RealWindow`` for the minimum and maximum of ints.
struct IntWindow: IntOperator {
    let rows: Int
    let isLeast: Bool

    var ints: Int { rows + 2 }
    var warmUp: Int { rows - 1 }

    @inline(__always)
    private func fold(_ a: Int64, _ b: Int64) -> Int64 { isLeast ? Swift.min(a, b) : Swift.max(a, b) }

    func step(_ input: Int64, _ memory: OperatorMemory, overflowed: inout Bool) -> Int64? {
        let seen = memory.seen, slot = Int(seen % Int64(rows)), slots = memory.ints + 1
        slots[slot] = input
        slots[rows] = slot == 0 ? input : fold(slots[rows], input)
        memory.seen = seen &+ 1
        let result = slot == rows - 1 ? slots[rows] : fold(slots[slot + 1], slots[rows])
        if slot == rows - 1 {
            for index in stride(from: rows - 2, through: 1, by: -1) { slots[index] = fold(slots[index], slots[index + 1]) }
        }
        return seen >= Int64(rows) - 1 ? result : nil
    }
}

/// The exact sum of the last `rows` ints, running in 128 bits; null and counted where it leaves 64.
struct IntSum: IntOperator {
    let rows: Int

    var ints: Int { rows + 3 }
    var warmUp: Int { rows - 1 }

    func step(_ input: Int64, _ memory: OperatorMemory, overflowed: inout Bool) -> Int64? {
        let seen = memory.seen, slot = Int(seen % Int64(rows)), slots = memory.ints + 3
        var sum = Int128(memory.ints[1]) << 64 | Int128(UInt64(bitPattern: memory.ints[2]))
        sum = sum &+ Int128(input) &- Int128(slots[slot])  // A slot not used before holds zero.
        slots[slot] = input
        memory.ints[1] = Int64(truncatingIfNeeded: sum >> 64)
        memory.ints[2] = Int64(truncatingIfNeeded: sum)
        memory.seen = seen &+ 1
        guard seen >= Int64(rows) - 1 else { return nil }
        let result = Int64(exactly: sum)
        overflowed = result == nil
        return result
    }
}

/// The value `rows` earlier.
struct RealLag: RealOperator {
    let rows: Int

    var reals: Int { rows }
    var warmUp: Int { rows }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        if let earlier = add(input[0], memory) { output[0] = earlier }
    }

    @inline(__always)
    func add(_ value: Double, _ memory: OperatorMemory) -> Double? {
        let seen = memory.seen, slot = Int(seen % Int64(rows))
        defer {
            memory.reals[slot] = value
            memory.seen = seen &+ 1
        }
        return seen >= Int64(rows) ? memory.reals[slot] : nil
    }
}

struct IntLag: IntOperator {
    let rows: Int

    var ints: Int { rows + 1 }
    var warmUp: Int { rows }

    func step(_ input: Int64, _ memory: OperatorMemory, overflowed: inout Bool) -> Int64? {
        let seen = memory.seen, slot = 1 + Int(seen % Int64(rows))
        defer {
            memory.ints[slot] = input
            memory.seen = seen &+ 1
        }
        return seen >= Int64(rows) ? memory.ints[slot] : nil
    }
}

enum TextLag {
    static func kernel(rows: Int) -> SequenceKernel {
        SequenceKernel(arguments: [.string], outputs: [.string], size: StatePlace(ints: 1, texts: rows), warmUp: rows) {
            inputs, keyOfRow, states, place, _ in
            let nulls = inputs[0].nulls, values = inputs[0].strings
            var results = [String](repeating: "", count: keyOfRow.count)
            var mask = [Bool](repeating: true, count: keyOfRow.count)
            for row in keyOfRow.indices {
                if let nulls, nulls[row] { continue }
                let key = keyOfRow[row], seen = Swift.max(0, states[key].ints[place.ints])
                let slot = place.texts + Int(seen % Int64(rows))
                if seen >= Int64(rows) {
                    results[row] = states[key].texts[slot]
                    mask[row] = false
                }
                states[key].texts[slot] = values[row]
                states[key].ints[place.ints] = seen &+ 1
            }
            return [Vector(strings: results, nulls: mask.contains(true) ? mask : nil)]
        }
    }
}
