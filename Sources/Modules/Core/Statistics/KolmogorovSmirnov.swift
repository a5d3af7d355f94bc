/// The two-sample Kolmogorov–Smirnov test: whether two samples come from one distribution.
///
/// The statistic is the largest distance between the two empirical distribution functions. Up to 10,000 values a
/// sample the two-sided p-value is exact, counting lattice paths; beyond, the distribution of the one-sample
/// statistic at the effective size n·m/(n+m) stands in, as in scipy's `ks_2samp(method="auto")`.
///
/// Source: J. L. Hodges, "The Significance Probability of the Smirnov Two-Sample Test", Arkiv för Matematik 3, 1958.
package struct KolmogorovSmirnov: Sendable, Equatable {
    /// In 0...1.
    package let statistic: Double
    /// Two-sided.
    package let pValue: Double

    /// Samples up to this size get an exact p-value.
    package static let maxExactCount = 10_000

    /// - Parameters: Samples without NaN, in any order.
    /// - Returns: `nil` when a sample is empty.
    package init?(_ first: [Double], _ second: [Double]) {
        guard !first.isEmpty, !second.isEmpty else { return nil }
        let a = first.sorted()
        let b = second.sorted()
        let largest = Self.largestDistance(a, b)
        let counts = (large: max(a.count, b.count), small: min(a.count, b.count))
        guard counts.large <= Self.maxExactCount else {
            statistic = Double(largest) / (Double(a.count) * Double(b.count))
            let size = (Double(counts.large) * Double(counts.small) / Double(counts.large + counts.small)).rounded(.toNearestOrEven)
            pValue = KolmogorovDistribution.survival(size: Int(size), distance: statistic)
            return
        }
        let divisor = Self.greatestCommonDivisor(a.count, b.count)
        let height = largest / divisor
        statistic = Double(height) / Double(a.count / divisor * b.count)
        pValue = Self.outsideProbability(counts.large, counts.small, divisor, height)
    }

    /// The largest |i·n₂ − j·n₁| over all values, where i and j count how many of each sample are not above: the
    /// statistic times n₁·n₂, kept as an integer because the exact p-value jumps at integers.
    private static func largestDistance(_ a: [Double], _ b: [Double]) -> Int {
        var i = 0
        var j = 0
        var largest = 0
        while i < a.count, j < b.count {
            let value = min(a[i], b[j])
            while i < a.count, a[i] <= value { i += 1 }
            while j < b.count, b[j] <= value { j += 1 }
            largest = max(largest, abs(i * b.count - j * a.count))
        }
        return largest
    }

    /// Probability that a random monotone path from (0, 0) to (m, n) touches |x/m − y/n| ≥ h/lcm(m, n).
    ///
    /// Column by column, `outside[y]` is the probability that a uniformly drawn path to (x, y) has touched; a path
    /// to (x, y) came from (x−1, y) with probability x/(x+y), so no binomial coefficient is ever formed and nothing
    /// overflows. Points beyond the lines hold 1. O(m · width of the strip).
    private static func outsideProbability(_ m: Int, _ n: Int, _ divisor: Int, _ height: Int) -> Double {
        guard height > 0 else { return 1 }
        let mg = m / divisor
        let ng = n / divisor
        var first = 0
        var end = min(ceilingQuotient(height, mg), n + 1)
        var outside = [Double](repeating: 1, count: min(2 * end + 2, n + 1))
        for y in 0..<end { outside[y] = 0 }
        for x in 1...m {
            let previousFirst = first
            let previousCount = end - first
            first = min(max((ng * x - height).flooredQuotient(mg) + 1, 0), n)
            end = min(ceilingQuotient(ng * x + height, mg), n + 1)
            guard end > first else { return 1 }
            var value = first == 0 ? 0.0 : 1.0
            for y in first..<end {
                value = (outside[y - previousFirst] * Double(x) + value * Double(y)) / Double(x + y)
                outside[y - first] = value
            }
            for place in (end - first)..<max(end - first, previousCount) { outside[place] = 1 }
        }
        return outside[end - first - 1]
    }

    private static func ceilingQuotient(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }

    private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int { b == 0 ? a : greatestCommonDivisor(b, a % b) }
}

extension Int {
    fileprivate func flooredQuotient(_ divisor: Int) -> Int {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }
}
