import Domain

extension SequenceFunction {
    /// Where the close lies within the prices of the last rows, with the warm-up of TA-Lib.
    static let oscillators: [SequenceFunction] = [
        real(
            "stoch(high, low, close, k, slow, d)",
            "The slow stochastic; makes two columns: NAME_k (the place of the close in the range of k rows, 0 to 100, averaged over slow rows) and NAME_d (its average over d rows).",
            inputs: 3, parameters: [.rows(from: 1), .rows(from: 1), .rows(from: 1)], suffixes: ["_k", "_d"]
        ) { Stochastic(rows: $0[0], slow: $0[1], signal: $0[2]).kernel },
        real(
            "stochf(high, low, close, k, d)",
            "The fast stochastic; makes two columns: NAME_k (the place of the close in the range of k rows, 0 to 100) and NAME_d (its average over d rows).",
            inputs: 3, parameters: [.rows(from: 1), .rows(from: 1)], suffixes: ["_k", "_d"]
        ) { Stochastic(rows: $0[0], slow: 1, signal: $0[1]).kernel },
        real(
            "willr(high, low, close, n)", "Williams' %R: the distance of the close from the highest of n rows, −100 to 0.", inputs: 3,
            parameters: [.rows(from: 2)]
        ) { WilliamsRange(reach: PriceReach(rows: $0[0])).kernel },
        real(
            "cci(high, low, close, n)",
            "The commodity channel index: the typical price's distance from its mean over n rows, "
                + "in units of 0.015 mean deviations; 0 when nothing moved.", inputs: 3, parameters: [.rows(from: 2)]
        ) { ChannelIndex(ring: Ring(rows: $0[0])).kernel },
    ]
}

/// The highest high and the lowest low of the last rows, as part of an operator.
struct PriceReach: Sendable {
    private let highs: RealWindow
    private let lows: RealWindow

    init(rows: Int) {
        highs = RealWindow(rows: rows, fold: .greatest)
        lows = RealWindow(rows: rows, fold: .least)
    }

    var reals: Int { highs.reals + lows.reals }
    var ints: Int { 2 }
    var warmUp: Int { highs.warmUp }

    @inline(__always)
    func add(_ high: Double, _ low: Double, _ memory: OperatorMemory) -> (highest: Double, lowest: Double)? {
        let highest = highs.add(high, memory)
        guard let lowest = lows.add(low, memory.part(reals: highs.reals, ints: 1)), let highest else { return nil }
        return (highest, lowest)
    }
}

/// Source: G. Lane's stochastic; both outputs begin together.
struct Stochastic: RealOperator {
    private let reach: PriceReach
    private let slow: MovingMean
    private let signal: MovingMean

    init(rows: Int, slow: Int, signal: Int) {
        reach = PriceReach(rows: rows)
        self.slow = MovingMean(window: RealWindow(rows: slow, fold: .sum))
        self.signal = MovingMean(window: RealWindow(rows: signal, fold: .sum))
    }

    var inputs: Int { 3 }
    var outputs: Int { 2 }
    var reals: Int { reach.reals + slow.reals + signal.reals }
    var ints: Int { reach.ints + 2 }
    var warmUp: Int { reach.warmUp + slow.warmUp + signal.warmUp }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        guard let (highest, lowest) = reach.add(input[0], input[1], memory) else { return }
        let unit = (highest - lowest) / 100
        let place = unit == 0 ? 0 : (input[2] - lowest) / unit
        let slowMemory = memory.part(reals: reach.reals, ints: reach.ints)
        guard let average = slow.add(place, slowMemory),
            let signal = signal.add(average, slowMemory.part(reals: slow.reals, ints: 1))
        else { return }
        output[0] = average
        output[1] = signal
    }
}

struct WilliamsRange: RealOperator {
    let reach: PriceReach

    var inputs: Int { 3 }
    var reals: Int { reach.reals }
    var ints: Int { reach.ints }
    var warmUp: Int { reach.warmUp }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        guard let (highest, lowest) = reach.add(input[0], input[1], memory) else { return }
        let unit = (highest - lowest) / -100
        output[0] = unit == 0 ? 0 : (highest - input[2]) / unit
    }
}

/// The typical price is the mean of high, low and close.
///
/// Source: D. Lambert, "Commodity Channel Index", Commodities, October 1980.
struct ChannelIndex: RealOperator {
    let ring: Ring

    var inputs: Int { 3 }
    var reals: Int { ring.reals }
    var warmUp: Int { ring.rows - 1 }

    func step(_ input: UnsafeMutablePointer<Double>, _ output: UnsafeMutablePointer<Double>, _ memory: OperatorMemory) {
        let price = (input[0] + input[1] + input[2]) / 3
        guard ring.add(price, memory) else { return }
        let mean = ring.mean(memory)
        var distances = 0.0, hasMoved = false
        ring.forEach(memory) {
            distances += ($0 - mean).magnitude
            hasMoved = hasMoved || $0 != price
        }
        // The mean of equal prices may differ from them by rounding, which is not a distance.
        guard hasMoved, distances != 0 else {
            output[0] = 0
            return
        }
        output[0] = (price - mean) / (0.015 * (distances / Double(ring.rows)))
    }
}
