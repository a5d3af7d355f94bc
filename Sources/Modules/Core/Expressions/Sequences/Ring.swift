/// The last `rows` values, for operators that look at all of them again at every row.
struct Ring: Sendable {
    let rows: Int

    /// Doubles of memory; and one int, the number of values so far.
    var reals: Int { rows }

    /// Takes a value.
    /// - Returns: Whether the ring is full.
    @inline(__always)
    func add(_ value: Double, _ memory: OperatorMemory) -> Bool {
        let seen = memory.seen
        memory.reals[Int(seen % Int64(rows))] = value
        memory.seen = seen &+ 1
        return seen >= Int64(rows) - 1
    }

    /// Goes from the oldest value of a full ring to the newest, so that a result does not depend on where the ring begins.
    @inline(__always)
    func forEach(_ memory: OperatorMemory, _ body: (Double) -> Void) {
        let oldest = Int(memory.seen % Int64(rows)), values = memory.reals
        for slot in oldest..<rows { body(values[slot]) }
        for slot in 0..<oldest { body(values[slot]) }
    }

    @inline(__always)
    func mean(_ memory: OperatorMemory) -> Double {
        var sum = 0.0
        forEach(memory) { sum += $0 }
        return sum / Double(rows)
    }
}

/// The place of the newest value among the last ones, from 1; equal values share the mean of their places.
struct MovingRank: RealOperator {
    let ring: Ring

    var reals: Int { ring.reals }
    var warmUp: Int { ring.rows - 1 }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        let value = input[0]
        guard ring.add(value, memory) else { return }
        var smaller = 0, equal = 0
        for slot in 0..<ring.rows {
            if memory.reals[slot] < value { smaller += 1 } else if memory.reals[slot] == value { equal += 1 }
        }
        output[0] = Double(smaller) + Double(equal + 1) / 2
    }
}
