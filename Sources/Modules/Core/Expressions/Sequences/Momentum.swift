import Domain

extension SequenceFunction {
    /// Oscillators, with the warm-up and seeding of TA-Lib.
    static let momentum: [SequenceFunction] = [
        SequenceFunction(
            "rsi(x, n)", "Wilder's relative strength index over n moves, 0 to 100; 0 when nothing moved.", parameters: [2...maxRows]
        ) { types, parameters throws(ScalarFunction.Mismatch) in
            try ScalarFunction.requireNumber(types[0], argument: 0)
            return RelativeStrength(moves: parameters[0]).kernel
        },
        SequenceFunction(
            "macd(x, fast, slow, signal)",
            "The difference of two exponential averages; makes three columns: NAME, NAME_signal (its own average) and NAME_hist (their difference).",
            parameters: [1...maxRows, 2...maxRows, 1...maxRows], suffixes: ["", "_signal", "_hist"]
        ) { types, parameters throws(ScalarFunction.Mismatch) in
            try ScalarFunction.requireNumber(types[0], argument: 0)
            guard parameters[0] < parameters[1] else {
                throw ScalarFunction.Mismatch("expects fast below slow, not \(parameters[0]) and \(parameters[1])", argument: 1)
            }
            return Convergence(fast: parameters[0], slow: parameters[1], signal: parameters[2]).kernel
        },
    ]
}

/// Source: J. W. Wilder, "New Concepts in Technical Trading Systems", 1978; the seed is the mean of the first moves.
struct RelativeStrength: RealOperator {
    let moves: Int

    /// Last value, average gain, average loss.
    var reals: Int { 3 }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        let seen = memory.seen, reals = memory.reals, count = Double(moves)
        let move = input[0] - reals[0]
        reals[0] = input[0]
        memory.seen = seen &+ 1
        guard seen > 0 else { return }
        let gain = move > 0 ? move : 0, loss = move < 0 ? -move : 0
        if seen <= Int64(moves) {
            reals[1] += gain
            reals[2] += loss
            if seen == Int64(moves) {
                reals[1] /= count
                reals[2] /= count
            }
        } else {
            reals[1] = (reals[1] * (count - 1) + gain) / count
            reals[2] = (reals[2] * (count - 1) + loss) / count
        }
        let total = reals[1] + reals[2]
        // What a still market leaves behind is rounding, not movement.
        if seen >= Int64(moves) { output[0] = total < 1e-14 ? 0 : 100 * (reals[1] / total) }
        memory.restart(3, unless: total.isFinite)
    }
}

/// Moving average convergence and divergence.
///
/// Both averages start on the same bar: the fast one is seeded with the last `fast` of the first `slow` bars. All three
/// outputs begin when the signal does.
struct Convergence: RealOperator {
    private let fast: ExponentialStep
    private let slow: ExponentialStep
    private let signal: ExponentialStep

    init(fast: Int, slow: Int, signal: Int) {
        self.fast = ExponentialStep(rows: fast)
        self.slow = ExponentialStep(rows: slow)
        self.signal = ExponentialStep(rows: signal)
    }

    var outputs: Int { 3 }
    /// The three averages.
    var reals: Int { 3 }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        let bar = memory.seen, reals = memory.reals
        memory.seen = bar &+ 1
        let fastBar = bar - Int64(slow.rows - fast.rows)
        if fastBar >= 0 { _ = fast.add(input[0], number: fastBar, &reals[0]) }
        if slow.add(input[0], number: bar, &reals[1]) {
            let difference = reals[0] - reals[1]
            if signal.add(difference, number: bar - Int64(slow.rows - 1), &reals[2]) {
                output[0] = difference
                output[1] = reals[2]
                output[2] = difference - reals[2]
            }
        }
        memory.restart(3, unless: reals[0].isFinite && reals[1].isFinite && reals[2].isFinite)
    }
}
