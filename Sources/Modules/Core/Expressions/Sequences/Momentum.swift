import Domain

extension SequenceFunction {
    /// How fast one series moves, with the warm-up and seeding of TA-Lib.
    static let momentum: [SequenceFunction] = [
        average("mom(x, n)", "The difference to the value n rows earlier.") { Change(lag: RealLag(rows: $0), isRate: false).kernel },
        average("roc(x, n)", "The rate of change to the value n rows earlier, in percent; 0 where that was 0.") {
            Change(lag: RealLag(rows: $0), isRate: true).kernel
        },
        real("rsi(x, n)", "Wilder's relative strength index over n moves, 0 to 100; 0 when nothing moved.", parameters: [.rows(from: 2)]) {
            RelativeStrength(average: WilderStep(rows: $0[0])).kernel
        },
        real(
            "macd(x, fast, slow, signal)",
            "The difference of two exponential averages; makes three columns: NAME, NAME_signal (its own average) and NAME_hist (their difference).",
            parameters: [.rows(from: 1), .rows(from: 2), .rows(from: 1)], suffixes: ["", "_signal", "_hist"]
        ) { parameters throws(ScalarFunction.Mismatch) in
            guard parameters[0] < parameters[1] else {
                throw ScalarFunction.Mismatch("expects fast below slow, not \(parameters[0]) and \(parameters[1])", argument: 1)
            }
            return Convergence(fast: parameters[0], slow: parameters[1], signal: parameters[2]).kernel
        },
    ]
}

/// Numbers this near zero are what rounding leaves behind, not movement; TA-Lib's bound.
func isResidue(_ value: Double) -> Bool { value.magnitude < 1e-14 }

struct Change: RealOperator {
    let lag: RealLag
    /// In percent of the earlier value.
    let isRate: Bool

    var reals: Int { lag.reals }
    var warmUp: Int { lag.warmUp }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        guard let earlier = lag.add(input[0], memory) else { return }
        output[0] = !isRate ? input[0] - earlier : earlier == 0 ? 0 : (input[0] / earlier - 1) * 100
    }
}

/// Source: J. W. Wilder, "New Concepts in Technical Trading Systems", 1978; the seed is the mean of the first moves.
struct RelativeStrength: RealOperator {
    let average: WilderStep

    /// Last value, average gain, average loss.
    var reals: Int { 3 }
    var warmUp: Int { average.rows }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        let seen = memory.seen, reals = memory.reals
        let move = input[0] - reals[0]
        reals[0] = input[0]
        memory.seen = seen &+ 1
        guard seen > 0 else { return }
        _ = average.add(move > 0 ? move : 0, number: seen - 1, &reals[1])
        let isReady = average.add(move < 0 ? -move : 0, number: seen - 1, &reals[2])
        let total = reals[1] + reals[2]
        if isReady { output[0] = isResidue(total) ? 0 : 100 * (reals[1] / total) }
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
    var warmUp: Int { slow.rows + signal.rows - 2 }

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
