import Domain

/// An interval for how much one model's losses lie below another's on the same rows, in time order.
///
/// Neighbouring rows are not independent, so whole contiguous blocks are drawn with replacement, as many as there are,
/// and both losses of a row stay together. The interval is that of the percentiles of the replicates.
///
/// Source: E. Carlstein, "The Use of Subseries Values for Estimating the Variance of a General Statistic from a
/// Stationary Sequence", Annals of Statistics 14(3), 1986.
package enum BlockBootstrap {
    package struct Interval: Sendable, Equatable, Codable {
        /// The improvement over all rows: positive when the candidate is better.
        package let estimate: Double
        package let lower: Double
        package let upper: Double
    }

    /// What is compared between two means of losses.
    package enum Statistic: Sendable {
        /// Difference of the means: absolute errors give MAE.
        case mean
        /// Difference of the roots of the means: squared errors give RMSE.
        case rootMean

        package func value(_ mean: Double) -> Double {
            switch self {
            case .mean: mean
            case .rootMean: mean.squareRoot()
            }
        }
    }

    /// - Parameters:
    ///   - candidate: One loss a row, lower is better.
    ///   - rival: Losses of the same rows.
    ///   - blocks: Contiguous ranges of rows that together cover the rows to judge.
    ///   - confidence: Mass between the two bounds, in 0..<1.
    /// - Returns: `nil` without blocks.
    package static func improvement(
        candidate: [Double], rival: [Double], blocks: [Range<Int>], statistic: Statistic, confidence: Double,
        replicates: Int = 2_000, seed: UInt64
    ) -> Interval? {
        let sums = blocks.filter { !$0.isEmpty }.map { range in
            (
                candidate: candidate[range].reduce(0, +), rival: rival[range].reduce(0, +), count: Double(range.count)
            )
        }
        guard !sums.isEmpty, replicates > 0 else { return nil }
        func improvement(_ total: (candidate: Double, rival: Double, count: Double)) -> Double {
            statistic.value(total.rival / total.count) - statistic.value(total.candidate / total.count)
        }
        let whole = sums.reduce((candidate: 0, rival: 0, count: 0)) { ($0.0 + $1.candidate, $0.1 + $1.rival, $0.2 + $1.count) }
        var random = RandomSource(seed: seed)
        var drawn: [Double] = []
        drawn.reserveCapacity(replicates)
        for _ in 0..<replicates {
            var total = (candidate: 0.0, rival: 0.0, count: 0.0)
            for _ in sums.indices {
                let block = sums[random.index(below: sums.count)]
                total.candidate += block.candidate
                total.rival += block.rival
                total.count += block.count
            }
            drawn.append(improvement(total))
        }
        drawn.sort()
        let tail = (1 - confidence) / 2
        guard let lower = Quantile.linear(tail, ofSorted: drawn), let upper = Quantile.linear(1 - tail, ofSorted: drawn) else { return nil }
        return Interval(estimate: improvement(whole), lower: lower, upper: upper)
    }

    /// Contiguous ranges of rows, each covering at least `length` of time; a remainder shorter than its neighbour joins it.
    ///
    /// - Parameters:
    ///   - times: Ascending.
    ///   - length: In the unit of `times`; 0 makes every row a block.
    package static func blocks(times: [Int64], length: Int64) -> [Range<Int>] {
        var blocks: [Range<Int>] = []
        var start = 0
        while start < times.count {
            var end = start + 1
            while end < times.count, times[end] - times[start] < length { end += 1 }
            blocks.append(start..<end)
            start = end
        }
        func span(_ block: Range<Int>) -> Int64 { times[block.upperBound - 1] - times[block.lowerBound] }
        guard length > 0, blocks.count > 1, let last = blocks.popLast(), let neighbour = blocks.popLast() else { return blocks }
        return blocks + (span(last) < span(neighbour) ? [neighbour.lowerBound..<last.upperBound] : [neighbour, last])
    }
}
