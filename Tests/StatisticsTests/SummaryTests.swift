import Foundation
import Statistics
import Testing

struct SummaryTests {
    static let values = [3.5, -1.0, 7.25, 0.125, 9.0]

    @Test(arguments: [(0.0, -1.0), (0.1, -0.55), (0.25, 0.125), (0.5, 3.5), (0.9, 8.3), (1, 9)])
    func `a quantile interpolates between the order statistics as numpy does`(share: Double, expected: Double) throws {
        #expect(close(try #require(Quantile.linear(share, of: Self.values)), expected))
    }

    @Test func `a quantile needs values and a share between 0 and 1`() {
        #expect(Quantile.linear(0.5, of: []) == nil)
        #expect(Quantile.linear(1.5, of: [1]) == nil)
        #expect(Quantile.median([2, 1, 4, 3]) == 2.5)
    }

    @Test func `moments agree with numpy and do not cancel far from zero`() throws {
        let moments = Moments(Self.values)
        #expect(moments.mean == 3.775)
        #expect(close(try #require(moments.populationDeviation), 3.8878014352587504))
        #expect(close(try #require(moments.sampleDeviation), 4.346694146129907))
        let far = Moments(Self.values.map { $0 + 1e9 })
        #expect(close(try #require(far.sampleDeviation), 4.346694146129907, 1e-7))
    }

    @Test func `merged moments are those of all values`() throws {
        var merged = Moments(Self.values[..<2])
        merged.merge(Moments())
        merged.merge(Moments(Self.values[2...]))
        #expect(merged.count == 5)
        #expect(close(merged.mean, 3.775))
        #expect(close(try #require(merged.sampleDeviation), 4.346694146129907))
        #expect(Moments([1]).sampleVariance == nil)
        #expect(Moments([]).populationVariance == nil)
    }

    @Test func `errors are prediction minus truth`() throws {
        let errors = try #require(RegressionErrors(predictions: [1, 2, 5], truths: [2, 2, 2]))
        #expect(errors.count == 3)
        #expect(close(errors.mae, 4.0 / 3))
        #expect(close(errors.rmse, (10.0 / 3).squareRoot()))
        #expect(close(errors.meanError, 2.0 / 3))
        #expect(errors.r2 == 0)
    }

    @Test func `r2 is the share of explained variance`() throws {
        #expect(close(try #require(RegressionErrors(predictions: [1, 2, 4], truths: [1, 2, 3])).r2, 0.5))
        #expect(try #require(RegressionErrors(predictions: [2, 2], truths: [2, 2])).r2 == 1)
        #expect(RegressionErrors(predictions: [1], truths: [1, 2]) == nil)
        #expect(RegressionErrors(predictions: [], truths: []) == nil)
    }

    @Test func `Sturges edges are numpy's`() {
        #expect(Histogram.sturgesEdges([0.1, 0.7, 2.3, 5.5, 1.1, 9.9, 4.2, 3.3]) == [0.1, 2.5500000000000003, 5.0, 7.45, 9.9])
        #expect(Histogram.sturgesEdges([4, 4, 4]) == [3.5, 4.5])
        #expect(Histogram.sturgesEdges([0, 1, 2, 1, 0, 2, 1, 1, 1, 0, 2, 2, 0, 1, 0], integers: true) == [0, 1, 2])
        #expect(Histogram.sturgesEdges([]) == [])
    }

    @Test func `a bin holds its lower edge, the last bin its upper one too`() {
        #expect(Histogram([0, 0.5, 1, 1.5, 2, 2.5, -0.1], edges: [0, 1, 2]).counts == [2, 3])
        #expect(Histogram([0, 1, 5, 9, 10], edges: [0, 1, 10]).counts == [1, 4])
        #expect(Histogram([1], edges: []).counts == [])
    }

    @Test func `the Wasserstein distance is the area between the distribution functions`() throws {
        let a = [1.5, 2.25, 0.5, 3.0, 2.0, 4.75]
        let b = [2.5, 3.5, 2.0, 5.0, 6.25, 4.0, 7.0]
        #expect(close(try #require(Wasserstein.distance(a, b)), 1.9880952380952381))
        #expect(Wasserstein.distance(a, a) == 0)
        #expect(Wasserstein.normed(reference: [1, 1], current: [2, 2]) == 1_000)
        #expect(Wasserstein.distance([], [1]) == nil)
    }

    @Test func `equal samples have stability index 0 and an emptied bin a large one`() throws {
        let many = (0..<100).map { Double($0) }
        #expect(PopulationStability.index(reference: many, current: many) == 0)
        #expect(try #require(PopulationStability.index(reference: many, current: many.map { $0 / 2 })) > 0.25)
        #expect(PopulationStability.index(reference: ["a"], current: []) == nil)
    }

    @Test func `a new category is filled with a ten-thousandth`() throws {
        let index = try #require(PopulationStability.index(reference: ["a", "a"], current: ["a", "b"]))
        #expect(close(index, 0.5 * log(2.0) + (0.0001 - 0.5) * log(0.0001 / 0.5)))
    }

    @Test func `up to twenty distinct reference values are categories, more are binned`() throws {
        let twenty = (0..<200).map { Double($0 % 20) }
        let shifted = twenty.map { $0 + 0.25 }
        // No value is shared, so as categories every share is lost; in bins nearly nothing moves.
        #expect(try #require(PopulationStability.index(reference: twenty, current: shifted)) > 10)
        let more = (0..<210).map { Double($0 % 21) }
        #expect(try #require(PopulationStability.index(reference: more, current: more.map { $0 + 0.25 })) < 0.5)
    }
}
