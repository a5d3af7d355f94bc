import Domain

extension SequenceFunction {
    /// Averages over the last rows, with the warm-up and seeding of TA-Lib.
    ///
    /// Source: <https://github.com/TA-Lib/ta-lib>, unstable period 0, default compatibility.
    static let averages: [SequenceFunction] = [
        average("sma(x, n)", "The mean of the last n values.") { MovingMean(window: RealWindow(rows: $0, fold: .sum)).kernel },
        average("mean_over(x, n)", "The mean of the last n values; another name of sma.") {
            MovingMean(window: RealWindow(rows: $0, fold: .sum)).kernel
        },
        average("ema(x, n)", "The exponential average with weight 2 / (n + 1), seeded with the mean of the first n values.") {
            ExponentialMean(rows: $0).kernel
        },
        average("wma(x, n)", "The mean of the last n values weighted 1 to n, the newest most.") { WeightedMean(rows: $0).kernel },
        average("std_over(x, n)", "The population standard deviation of the last n values.") { MovingDeviation(rows: $0).kernel },
    ]

    static func average(_ usage: String, _ summary: String, _ make: @escaping @Sendable (_ rows: Int) -> SequenceKernel) -> SequenceFunction
    {
        SequenceFunction(usage, summary, parameters: [1...maxRows]) { types, parameters throws(ScalarFunction.Mismatch) in
            try ScalarFunction.requireNumber(types[0], argument: 0)
            return make(parameters[0])
        }
    }
}

struct MovingMean: RealOperator {
    let window: RealWindow

    var reals: Int { window.reals }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        if let sum = window.add(input[0], memory) { output[0] = sum / Double(window.rows) }
    }
}

/// An exponential average as part of an operator: the mean of its first `rows` values, then `e += (x − e)·2/(rows + 1)`.
struct ExponentialStep {
    let rows: Int
    let weight: Double

    init(rows: Int) {
        self.rows = rows
        weight = 2 / Double(rows + 1)
    }

    /// Takes the value number `index` (from 0); `average` holds the sum while seeding, then the average.
    /// - Returns: Whether `average` is one.
    @inline(__always)
    func add(_ value: Double, number index: Int64, _ average: inout Double) -> Bool {
        if index < Int64(rows) {
            average += value
            guard index == Int64(rows) - 1 else { return false }
            average /= Double(rows)
        } else {
            average = (value - average) * weight + average
        }
        return true
    }
}

struct ExponentialMean: RealOperator {
    private let average: ExponentialStep

    init(rows: Int) { average = ExponentialStep(rows: rows) }

    var reals: Int { 1 }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        let isReady = average.add(input[0], number: memory.seen, &memory.reals[0])
        memory.seen = memory.seen &+ 1
        if isReady { output[0] = memory.reals[0] }
        memory.restart(1, unless: memory.reals[0].isFinite)
    }
}

extension OperatorMemory {
    /// Forgets everything when numbers have left the range of doubles: an average would otherwise stay null for ever.
    @inline(__always)
    func restart(_ count: Int, unless isSound: Bool) {
        guard !isSound else { return }
        for index in 0..<count { reals[index] = 0 }
        seen = 0
    }
}

struct WeightedMean: RealOperator {
    let rows: Int

    var reals: Int { rows }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        let seen = memory.seen, slot = Int(seen % Int64(rows))
        memory.reals[slot] = input[0]
        memory.seen = seen &+ 1
        guard seen >= Int64(rows) - 1 else { return }
        var sum = 0.0
        for age in 0..<rows { sum += Double(age + 1) * memory.reals[(slot + 1 + age) % rows] }
        output[0] = sum / (Double(rows) * Double(rows + 1) / 2)
    }
}

/// Two passes over the window, so that prices far from zero lose no digits.
struct MovingDeviation: RealOperator {
    let rows: Int

    var reals: Int { rows }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        let seen = memory.seen, slot = Int(seen % Int64(rows))
        memory.reals[slot] = input[0]
        memory.seen = seen &+ 1
        guard seen >= Int64(rows) - 1 else { return }
        // From oldest to newest, so that the result does not depend on where the ring begins.
        var sum = 0.0
        for age in 1...rows { sum += memory.reals[(slot + age) % rows] }
        let mean = sum / Double(rows)
        var squares = 0.0
        for age in 1...rows {
            let distance = memory.reals[(slot + age) % rows] - mean
            squares += distance * distance
        }
        output[0] = (squares / Double(rows)).squareRoot()
    }
}
