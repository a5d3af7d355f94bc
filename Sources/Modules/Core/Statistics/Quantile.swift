/// Quantiles by linear interpolation between order statistics, the default of numpy and pandas.
///
/// Source: R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", The American Statistician 50(4), 1996, type 7.
package enum Quantile {
    /// - Parameters:
    ///   - share: In 0...1.
    ///   - sorted: Ascending, without NaN.
    /// - Returns: `nil` without values or for a share outside 0...1.
    package static func linear(_ share: Double, ofSorted sorted: [Double]) -> Double? {
        guard !sorted.isEmpty, share >= 0, share <= 1 else { return nil }
        let place = share * Double(sorted.count - 1)
        let below = Int(place)
        let above = min(below + 1, sorted.count - 1)
        let weight = place - Double(below)
        return sorted[below] + (sorted[above] - sorted[below]) * weight
    }

    package static func linear(_ share: Double, of values: [Double]) -> Double? { linear(share, ofSorted: values.sorted()) }

    /// The middle value, or the mean of the two; `nil` without values.
    package static func median(_ values: [Double]) -> Double? { linear(0.5, of: values) }
}
