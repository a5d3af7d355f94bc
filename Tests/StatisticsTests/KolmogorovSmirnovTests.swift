import Foundation
import Statistics
import Testing

/// Values computed with scipy 1.17 (`stats.ks_2samp`, `stats.kstwo`).
struct KolmogorovSmirnovTests {
    @Test(arguments: [
        ([1.5, 2.25, 0.5, 3.0, 2.0, 4.75], [2.5, 3.5, 2.0, 5.0, 6.25, 4.0, 7.0], 0.5476190476190477, 0.21212121212121213),
        ([1.5, 2.25, 0.5, 3.0, 2.0, 4.75], [2.5, 3.5, 2.0, 5.0, 6.25, 4.0], 0.5, 0.474025974025974),
        ([1, 1, 2, 2, 3], [1, 2, 2, 3, 3], 0.2, 1.0),
        ([1, 2, 3], [1, 2, 3], 0.0, 1.0),
        ([1, 2, 3], [4, 5, 6], 1.0, 0.1),
        ([1], [2], 1.0, 1.0),
    ])
    func `small samples get the exact p-value, ties included`(a: [Double], b: [Double], statistic: Double, p: Double) throws {
        let test = try #require(KolmogorovSmirnov(a, b))
        #expect(close(test.statistic, statistic))
        #expect(close(test.pValue, p))
        #expect(KolmogorovSmirnov(b, a) == test)
    }

    @Test func `unequal sizes that share a divisor are exact`() throws {
        let a = (0..<12).map { Double($0 * 7 % 12) }
        let b = (0..<8).map { Double($0) * 1.1 + 2.5 }
        let test = try #require(KolmogorovSmirnov(a, b))
        // Of all 125,970 orders of 12 and 8 values, this share is at least as far apart as these.
        #expect(close(test.statistic, 0.25))
        #expect(close(test.pValue, 0.8970707311264589, 1e-9))
    }

    @Test(arguments: [
        (50, 0.0, 1.3, 0.1161666666666667, 0.4745840810775269), (9_000, 0, 1.02, 0.007388888888888889, 0.9395633050688545),
        (9_000, 0, 1.2, 0.06708333333333338, 1.4432259095433926e-20),
    ])
    func `above ten thousand values the one-sample law stands in`(
        count: Int, shift: Double, power: Double, statistic: Double, p: Double
    ) throws {
        let a = (0..<12_000).map { Double($0 * 7_919 % 12_000) / 12_000 }
        let b = (0..<count).map { pow(Double($0 * 37 % count) / Double(count), power) + shift }
        let test = try #require(KolmogorovSmirnov(a, b))
        #expect(close(test.statistic, statistic))
        #expect(close(test.pValue, p, 1e-8))
    }

    @Test(arguments: [
        (5, 0.3, 0.664), (10, 0.25, 0.4841115325000003), (49, 0.1, 0.6739838769457911), (49, 0.2, 0.03408216310078471), (49, 0.02, 1),
        (140, 0.07, 0.4776228287946577), (5_000, 0.01, 0.6954557253913853), (5_000, 0.02, 0.03613941395325637),
        (5_142, 0.008, 0.8944198058943424), (5_142, 0.03, 0.0001870920270197533), (200_000, 0.002, 0.39995085369038097),
        (200_000, 0.004, 0.003314212822560255), (500, 0.6, 1.1934763993433721e-172), (3, 0.2, 0.9982222222222222), (1_000, 0.0004, 1),
        (1_000, 0.012, 0.9984464668620097), (10, 1, 0),
    ])
    func `every region of the one-sample law agrees with scipy`(size: Int, distance: Double, survival: Double) {
        #expect(close(KolmogorovDistribution.survival(size: size, distance: distance), survival, 1e-9))
    }

    @Test func `an empty sample has no test`() {
        #expect(KolmogorovSmirnov([], [1]) == nil)
        #expect(KolmogorovSmirnov([1], []) == nil)
    }
}
