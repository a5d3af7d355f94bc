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
        average("wma(x, n)", "The mean of the last n values weighted 1 to n, the newest most.") {
            WeightedMean(ring: Ring(rows: $0)).kernel
        },
    ]

    /// An operator of one number over a window of `n` rows.
    static func average(_ usage: String, _ summary: String, _ make: @escaping @Sendable (_ rows: Int) -> SequenceKernel) -> SequenceFunction
    {
        real(usage, summary, parameters: [.rows(from: 1)]) { make($0[0]) }
    }
}

struct MovingMean: RealOperator {
    let window: RealWindow

    var reals: Int { window.reals }
    var warmUp: Int { window.warmUp }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        if let mean = add(input[0], memory) { output[0] = mean }
    }

    /// The mean once the window is full.
    @inline(__always)
    func add(_ value: Double, _ memory: OperatorMemory) -> Double? {
        window.add(value, memory).map { $0 / Double(window.rows) }
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

/// Wilder's average as part of an operator: the mean of its first `rows` values, then `(average·(rows − 1) + x)/rows`.
///
/// Source: J. W. Wilder, "New Concepts in Technical Trading Systems", 1978.
struct WilderStep {
    let rows: Int

    /// As ``ExponentialStep/add(_:number:_:)``.
    @inline(__always)
    func add(_ value: Double, number index: Int64, _ average: inout Double) -> Bool {
        if index < Int64(rows) {
            average += value
            guard index == Int64(rows) - 1 else { return false }
            average /= Double(rows)
        } else {
            average = (average * Double(rows - 1) + value) / Double(rows)
        }
        return true
    }
}

struct ExponentialMean: RealOperator {
    private let average: ExponentialStep

    init(rows: Int) { average = ExponentialStep(rows: rows) }

    var reals: Int { 1 }
    var warmUp: Int { average.rows - 1 }

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
    let ring: Ring

    var reals: Int { ring.reals }
    var warmUp: Int { ring.rows - 1 }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        guard ring.add(input[0], memory) else { return }
        var sum = 0.0, weight = 0.0
        ring.forEach(memory) {
            weight += 1
            sum += weight * $0
        }
        output[0] = sum / (weight * (weight + 1) / 2)
    }
}
