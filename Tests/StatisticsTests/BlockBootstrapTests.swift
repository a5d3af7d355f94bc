import Domain
import Statistics
import Testing

struct BlockBootstrapTests {
    @Test func `a constant improvement has an interval of no width`() throws {
        let rival = (0..<100).map { Double($0 % 7) + 1 }
        let interval = try #require(
            BlockBootstrap.improvement(
                candidate: rival.map { $0 - 0.5 }, rival: rival, blocks: blocks(100, of: 10), statistic: .mean, confidence: 0.95, seed: 1))
        #expect(close(interval.estimate, 0.5))
        #expect(close(interval.lower, 0.5))
        #expect(close(interval.upper, 0.5))
    }

    @Test func `the sign is positive when the candidate loses less`() throws {
        let better = try #require(
            BlockBootstrap.improvement(
                candidate: [1, 1, 1], rival: [2, 3, 4], blocks: blocks(3, of: 1), statistic: .mean, confidence: 0.9, seed: 1))
        #expect(better.estimate == 2)
        #expect(better.lower >= 1 && better.lower < 2 && better.upper > 2 && better.upper <= 3)
    }

    @Test func `the same seed gives the same interval`() {
        func interval(_ seed: UInt64) -> BlockBootstrap.Interval? {
            BlockBootstrap.improvement(
                candidate: (0..<60).map { Double($0 * $0 % 17) }, rival: (0..<60).map { Double($0 * 5 % 13) }, blocks: blocks(60, of: 4),
                statistic: .rootMean, confidence: 0.95, seed: seed)
        }
        #expect(interval(7) == interval(7))
        #expect(interval(7) != interval(8))
    }

    @Test func `a root mean is compared after averaging`() throws {
        let interval = try #require(
            BlockBootstrap.improvement(
                candidate: [1, 1], rival: [4, 14], blocks: [0..<2], statistic: .rootMean, confidence: 0.5, seed: 1))
        #expect(interval.estimate == 2)
    }

    @Test func `blocks keep runs together, so dependent rows give a wider interval`() throws {
        // Losses that drift slowly: 20 runs of 20 equal differences.
        let rival = (0..<400).map { Double(($0 / 20) % 2) * 2 }
        func width(_ length: Int) throws -> Double {
            let interval = try #require(
                BlockBootstrap.improvement(
                    candidate: [Double](repeating: 0, count: 400), rival: rival, blocks: blocks(400, of: length), statistic: .mean,
                    confidence: 0.95, seed: 3))
            return interval.upper - interval.lower
        }
        #expect(try width(20) > 3 * width(1))
    }

    @Test(arguments: [(0.95, 1.96), (0.8, 1.2816)])
    func `for independent rows the interval is the normal one`(confidence: Double, deviations: Double) throws {
        var random = RandomSource(seed: 9)
        let rival = (0..<1_000).map { _ in random.uniform() }
        let interval = try #require(
            BlockBootstrap.improvement(
                candidate: rival.map { _ in 0 }, rival: rival, blocks: blocks(1_000, of: 1), statistic: .mean, confidence: confidence,
                replicates: 10_000, seed: 2))
        let moments = Moments(rival)
        let margin = try #require(moments.sampleDeviation) / 1_000.squareRoot() * deviations
        #expect(close(moments.mean - interval.lower, margin, 0.04))
        #expect(close(interval.upper - moments.mean, margin, 0.04))
    }

    @Test func `nothing to draw from has no interval`() {
        #expect(BlockBootstrap.improvement(candidate: [], rival: [], blocks: [], statistic: .mean, confidence: 0.9, seed: 1) == nil)
    }

    @Test(
        arguments: [
            ([0, 1, 2, 3, 4, 5], 2, [0..<2, 2..<4, 4..<6]), ([0, 1, 2, 3, 4], 2, [0..<2, 2..<5]),
            ([0, 0, 0, 10, 10, 10], 10, [0..<3, 3..<6]),
            ([0, 1, 2], 0, [0..<1, 1..<2, 2..<3]), ([0, 1], 100, [0..<2]), ([], 5, []),
        ] as [([Int64], Int64, [Range<Int>])])
    func `a block covers at least the length asked for and blocks cover all rows`(times: [Int64], length: Int64, expected: [Range<Int>]) {
        #expect(BlockBootstrap.blocks(times: times, length: length) == expected)
    }

    private func blocks(_ count: Int, of length: Int) -> [Range<Int>] {
        stride(from: 0, to: count, by: length).map { $0..<min(count, $0 + length) }
    }
}
