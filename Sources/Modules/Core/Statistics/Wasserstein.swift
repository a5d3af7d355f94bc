/// The distance the mass of one sample must move to become the other.
///
/// Source: S. S. Vallender, "Calculation of the Wasserstein Distance Between Probability Distributions on the Line",
/// Theory of Probability and Its Applications 18(4), 1974.
package enum Wasserstein {
    /// First-order distance, in the unit of the values.
    /// - Returns: `nil` when a sample is empty.
    package static func distance(_ first: [Double], _ second: [Double]) -> Double? {
        guard !first.isEmpty, !second.isEmpty else { return nil }
        let a = first.sorted()
        let b = second.sorted()
        var i = 0
        var j = 0
        var previous = min(a[0], b[0])
        var sum = 0.0
        while i < a.count || j < b.count {
            let next = i < a.count && (j == b.count || a[i] <= b[j]) ? a[i] : b[j]
            sum += (Double(i) / Double(a.count) - Double(j) / Double(b.count)).magnitude * (next - previous)
            previous = next
            if i < a.count, a[i] == next { i += 1 } else { j += 1 }
        }
        return sum
    }

    /// What ``normed(reference:current:)`` takes the deviation of the reference for when it is smaller.
    package static let leastDeviation = 0.001

    /// The distance in deviations of the reference (divisor n, at least ``leastDeviation``), as Evidently norms it.
    package static func normed(reference: [Double], current: [Double]) -> Double? {
        guard let distance = distance(reference, current), let deviation = Moments(reference).populationDeviation else { return nil }
        return distance / max(deviation, leastDeviation)
    }

    /// The distance in deviations of the reference (divisor n): the same in every unit of the values.
    /// - Returns: `nil` when a sample is empty or the reference is constant.
    package static func byDeviation(reference: [Double], current: [Double]) -> Double? {
        guard let distance = distance(reference, current), let deviation = Moments(reference).populationDeviation, deviation > 0 else {
            return nil
        }
        return distance / deviation
    }
}
