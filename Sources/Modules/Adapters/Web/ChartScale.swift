#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Maps data values to positions along an axis, with round ticks.
struct ChartScale {
    let lower: Double
    let upper: Double
    let isLogarithmic: Bool
    /// Tick values inside the range, ascending.
    let ticks: [Double]

    /// - Parameters:
    ///   - values: The data; non-finite ones (and, on a logarithmic axis, those not above zero) do not count.
    ///   - extra: Values that the axis shows in any case.
    ///   - isTight: Ends with the data instead of with round ticks.
    init(
        _ values: some Sequence<Double>, isLogarithmic: Bool = false, includesZero: Bool = false, including extra: [Double] = [],
        isTight: Bool = false
    ) {
        var low = Double.infinity, high = -Double.infinity
        for value in values where value.isFinite && (!isLogarithmic || value > 0) {
            low = min(low, value)
            high = max(high, value)
        }
        for value in extra where !isLogarithmic || value > 0 {
            low = min(low, value)
            high = max(high, value)
        }
        if low > high { (low, high) = isLogarithmic ? (1, 10) : (0, 1) }
        if includesZero && !isLogarithmic { (low, high) = (min(low, 0), max(high, 0)) }
        self.isLogarithmic = isLogarithmic
        if isLogarithmic {
            let first = floor(log10(low)), last = max(first + 1, ceil(log10(high)))
            lower = pow(10, first)
            upper = pow(10, last)
            let step = max(1, ((last - first) / 6).rounded(.up))
            ticks = stride(from: first, through: last, by: step).map { pow(10, $0) }
            return
        }
        if low == high {
            let margin = low == 0 ? 1 : abs(low) * 0.1
            (low, high) = (low - margin, high + margin)
        }
        // Halved first: the distance between two huge values must not overflow.
        let step = Self.roundStep(from: low, to: high)
        let first = floor(low / step), last = ceil(high / step)
        guard step > 0, (first * step).isFinite, (last * step).isFinite else {
            (lower, upper, ticks) = (low, high, [low, high])
            return
        }
        let round = (0...Int(min(20, last - first))).map { (first + Double($0)) * step }
        let inside = round.filter { $0 >= low && $0 <= high }
        guard isTight, inside.count > 1 else {
            (lower, upper, ticks) = (first * step, last * step, round)
            return
        }
        (lower, upper, ticks) = (low, high, inside)
    }

    /// 1, 2 or 5 times a power of ten, about five of them in the range.
    private static func roundStep(from low: Double, to high: Double) -> Double {
        let rough = (high / 2 - low / 2) / 2.5
        guard rough > 0 else { return 0 }
        let unit = pow(10, floor(log10(rough)))
        let ratio = rough / unit
        return unit * (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10)
    }

    /// 0 at the lower end, 1 at the upper. `nil` for a value the axis cannot show.
    func position(_ value: Double) -> Double? {
        guard value.isFinite else { return nil }
        if isLogarithmic {
            guard value > 0 else { return nil }
            return (log10(value) - log10(lower)) / (log10(upper) - log10(lower))
        }
        return (value / 2 - lower / 2) / (upper / 2 - lower / 2)
    }
}
