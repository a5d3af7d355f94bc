/// Count, mean and spread of numbers seen one at a time, in one pass and without cancellation.
///
/// Source: B. P. Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products",
/// Technometrics 4(3), 1962; merging after T. F. Chan, G. H. Golub and R. J. LeVeque, 1979.
package struct Moments: Sendable, Equatable {
    package private(set) var count = 0
    /// 0 while nothing has been added.
    package private(set) var mean = 0.0
    /// Sum of squared distances from the mean.
    private var squares = 0.0

    package init() {}

    package init(_ values: some Sequence<Double>) {
        for value in values { add(value) }
    }

    package mutating func add(_ value: Double) {
        count += 1
        let before = value - mean
        mean += before / Double(count)
        squares += before * (value - mean)
    }

    package mutating func merge(_ other: Moments) {
        guard other.count > 0 else { return }
        guard count > 0 else { return self = other }
        let total = Double(count + other.count)
        let distance = other.mean - mean
        squares += other.squares + distance * distance * Double(count) * Double(other.count) / total
        mean += distance * Double(other.count) / total
        count += other.count
    }

    /// Mean squared distance from the mean (divisor n); `nil` without numbers.
    package var populationVariance: Double? { count > 0 ? squares / Double(count) : nil }
    /// Divisor n − 1; `nil` below two numbers.
    package var sampleVariance: Double? { count > 1 ? squares / Double(count - 1) : nil }
    package var populationDeviation: Double? { populationVariance?.squareRoot() }
    package var sampleDeviation: Double? { sampleVariance?.squareRoot() }
}
