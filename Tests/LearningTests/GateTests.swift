import Foundation
@testable import Learning
import Testing

struct GateTests {
    static let minute: Int64 = 60_000

    static func gate(_ minImprovement: Double = 0, minRows: Int = 100, latency: Double? = nil, metric: TrainingDefinition.Metric = .mae)
        -> Gate
    {
        Gate(
            limits: .init(
                minImprovement: minImprovement, confidence: 0.95, minTestRows: minRows, maxLatencyMicroseconds: latency, slices: []),
            metric: metric, seed: 1)
    }

    /// One row a minute whose truth is 0, so a prediction is its own error.
    static func rows(_ count: Int = 400, horizon: Int64 = 10 * minute, slices: [(column: String, groups: [String])] = []) -> Gate.Rows {
        Gate.Rows(
            truths: [Double](repeating: 0, count: count), availability: (0..<count).map { Int64($0) * minute }, horizon: horizon,
            isSeries: true, slices: slices)
    }

    static func errors(_ size: Double, _ count: Int = 400) -> [Double] { [Double](repeating: size, count: count) }
    static func baseline(_ size: Double, _ count: Int = 400) -> Gate.Rival {
        .init(name: "mean", predictions: errors(size, count), learntUntil: nil)
    }

    @Test func `a clearly better model is promoted with its numbers`() throws {
        let verdict = Self.gate().judge(candidate: Self.errors(1), rivals: [Self.baseline(-2)], rows: Self.rows(), latencyMicroseconds: 5)
        #expect(verdict.isPromoted)
        #expect(verdict.score == 1)
        #expect(verdict.comparisons == [.init(rival: "mean", score: 2, improvement: 1, lower: 1, upper: 1, isBeaten: true)])
        #expect(verdict.countedRows == 400)
        #expect(verdict.sentence == "promoted: mae 1 beats mean 2 (improvement 1, 95 % interval 1 to 1) on 400 test rows")
    }

    @Test func `a clearly worse model is refused`() {
        let verdict = Self.gate().judge(candidate: Self.errors(2), rivals: [Self.baseline(1)], rows: Self.rows(), latencyMicroseconds: 5)
        #expect(verdict.reason == .notBetter)
        #expect(verdict.comparisons[0].improvement == -1)
        #expect(verdict.sentence.hasPrefix("refused: mae 2 does not beat mean 1 (improvement -1"))
    }

    @Test(arguments: [(0.5, false), (0.5.nextDown, true), (0.4999, true), (0.5001, false)])
    func `the lower bound must exceed the least improvement, equal is not enough`(least: Double, isPromoted: Bool) {
        // Halves are exact in binary, so the interval is exactly 0.5 wide of nothing.
        let verdict = Self.gate(least).judge(
            candidate: Self.errors(0.5), rivals: [Self.baseline(1)], rows: Self.rows(), latencyMicroseconds: 0)
        #expect(verdict.isPromoted == isPromoted)
    }

    @Test func `a better mean with an interval that reaches below zero is refused`() {
        // Better in most blocks, far worse in a few: the mean improves, the evidence does not.
        let candidate = (0..<400).map { $0 / 20 % 10 == 0 ? 9.0 : 1.0 }
        let verdict = Self.gate().judge(candidate: candidate, rivals: [Self.baseline(2)], rows: Self.rows(), latencyMicroseconds: 0)
        #expect(verdict.comparisons[0].improvement > 0)
        #expect(verdict.comparisons[0].lower < 0)
        #expect(verdict.reason == .notBetter)
    }

    @Test func `one unbeaten rival is enough for a refusal and is the one named`() {
        let verdict = Self.gate().judge(
            candidate: Self.errors(1),
            rivals: [Self.baseline(5), .init(name: "champion v3", predictions: Self.errors(0.9), learntUntil: 0)],
            rows: Self.rows(), latencyMicroseconds: 0)
        #expect(verdict.reason == .notBetter)
        #expect(verdict.comparisons.map(\.isBeaten) == [true, false])
        #expect(verdict.sentence.contains("champion v3") && !verdict.sentence.contains("beat mean"))
    }

    @Test(arguments: [(299, true, 100), (300, false, 99)] as [(Int64, Bool, Int)])
    func `only rows after the champion's training data count, for every rival`(learntUntil: Int64, isPromoted: Bool, counted: Int) {
        // Before the cut the candidate is bad: those rows must not speak.
        let candidate = (0..<400).map { $0 <= learntUntil ? 50.0 : 1.0 }
        let verdict = Self.gate(minRows: 100).judge(
            candidate: candidate,
            rivals: [Self.baseline(2), .init(name: "champion", predictions: Self.errors(3), learntUntil: learntUntil * Self.minute)],
            rows: Self.rows(), latencyMicroseconds: 0)
        #expect(verdict.countedRows == counted)
        #expect(verdict.isPromoted == isPromoted)
        if !isPromoted {
            #expect(verdict.reason == .tooFewRows)
            #expect(verdict.sentence.hasPrefix("refused, insufficient evidence: 99 of 400 test rows"))
        }
    }

    @Test func `the rival that learnt longest decides which rows count`() {
        let verdict = Self.gate().judge(
            candidate: Self.errors(1),
            rivals: [
                .init(name: "a", predictions: Self.errors(2), learntUntil: 99 * Self.minute),
                .init(name: "b", predictions: Self.errors(2), learntUntil: 199 * Self.minute),
            ], rows: Self.rows(), latencyMicroseconds: 0)
        #expect(verdict.countedRows == 200)
    }

    @Test func `few blocks are insufficient evidence, however many rows they hold`() {
        let verdict = Self.gate().judge(
            candidate: Self.errors(1), rivals: [Self.baseline(2)], rows: Self.rows(horizon: 100 * Self.minute), latencyMicroseconds: 0)
        #expect(verdict.blocks == 4)
        #expect(verdict.reason == .tooFewBlocks)
    }

    @Test func `a block is never shorter than the horizon`() {
        let verdict = Self.gate().judge(
            candidate: Self.errors(1), rivals: [], rows: Self.rows(400, horizon: 20 * Self.minute), latencyMicroseconds: 0)
        #expect(verdict.blocks == 20)
    }

    @Test(arguments: [(200.0, true), (200.1, false)])
    func `a slow model is refused`(latency: Double, isPromoted: Bool) {
        let verdict = Self.gate(latency: 200).judge(
            candidate: Self.errors(1), rivals: [Self.baseline(2)], rows: Self.rows(), latencyMicroseconds: latency)
        #expect(verdict.isPromoted == isPromoted)
    }

    @Test func `rmse is compared as a root`() {
        let verdict = Self.gate(metric: .rmse).judge(
            candidate: Self.errors(3), rivals: [Self.baseline(-5)], rows: Self.rows(), latencyMicroseconds: 0)
        #expect(verdict.score == 3)
        #expect(verdict.comparisons[0].improvement == 2)
    }

    /// Every fourth row is of ETH.
    static let pairs = (0..<400).map { $0 % 4 == 0 ? "ETH" : "BTC" }

    @Test func `a model that is better overall and worse for a slice is refused, and the slice is named`() {
        let candidate = Self.pairs.map { $0 == "ETH" ? 2.5 : 0.5 }
        let verdict = Self.gate().judge(
            candidate: candidate, rivals: [Self.baseline(2), .init(name: "worse", predictions: Self.errors(9), learntUntil: nil)],
            rows: Self.rows(slices: [("pair", Self.pairs)]), latencyMicroseconds: 0)
        #expect(verdict.reason == .worseForASlice)
        #expect(verdict.comparisons.map(\.isBeaten) == [true, true])
        #expect(
            verdict.slices == [
                .init(
                    column: "pair", group: "BTC", rows: 300, score: 0.5, bestRival: "mean", bestRivalScore: 2, improvement: 1.5,
                    lower: 1.5, upper: 1.5),
                .init(
                    column: "pair", group: "ETH", rows: 100, score: 2.5, bestRival: "mean", bestRivalScore: 2, improvement: -0.5,
                    lower: -0.5, upper: -0.5),
            ])
        #expect(
            verdict.sentence == "refused: mae 1 beats every rival on 400 test rows, but not for pair = ETH: 2.5 against mean 2 "
                + "(improvement -0.5, 95 % interval -0.5 to -0.5) on 100 rows")
    }

    @Test(arguments: [(2.0, true), (2.0.nextUp, false), (1.9, true), (2.1, false)])
    func `a slice refuses when its whole interval lies below zero, equal is not worse`(error: Double, isPromoted: Bool) {
        let verdict = Self.gate().judge(
            candidate: Self.pairs.map { $0 == "ETH" ? error : 0.5 }, rivals: [Self.baseline(2)],
            rows: Self.rows(slices: [("pair", Self.pairs)]), latencyMicroseconds: 0)
        #expect(verdict.isPromoted == isPromoted)
    }

    @Test func `a slice that is worse on the mean and within doubt does not refuse`() throws {
        // Of ETH one stretch in ten is far worse and the others are better.
        let candidate = (0..<400).map { Self.pairs[$0] == "BTC" ? 0.5 : $0 / 40 == 3 ? 9.0 : 1.5 }
        let verdict = Self.gate().judge(
            candidate: candidate, rivals: [Self.baseline(2)], rows: Self.rows(slices: [("pair", Self.pairs)]), latencyMicroseconds: 0)
        let slice = try #require(verdict.slices.last)
        #expect(slice.improvement < 0)
        let (lower, upper) = (try #require(slice.lower), try #require(slice.upper))
        #expect(lower < slice.improvement && slice.improvement < upper && upper > 0)
        #expect(verdict.isPromoted)
    }

    @Test(arguments: [(30, 100, true), (29, 100, false), (20, 20, true), (19, 20, false)])
    func `a slice of fewer rows than are worth judging is only reported`(count: Int, minRows: Int, isJudged: Bool) {
        let groups = (0..<400).map { $0 % 13 == 0 && $0 / 13 < count ? "ETH" : "BTC" }
        let verdict = Self.gate(minRows: minRows).judge(
            candidate: groups.map { $0 == "ETH" ? 3.0 : 0.5 }, rivals: [Self.baseline(2)],
            rows: Self.rows(slices: [("pair", groups)]), latencyMicroseconds: 0)
        #expect(verdict.slices.map(\.rows) == [400 - count, count])
        #expect((verdict.slices[1].upper != nil) == isJudged)
        #expect(verdict.slices[1].improvement == -1)
        #expect(verdict.isPromoted != isJudged)
    }

    @Test func `a slice of too few blocks is only reported`() {
        // Forty rows of ETH in a row: four horizons.
        let groups = (0..<400).map { $0 < 40 ? "ETH" : "BTC" }
        let verdict = Self.gate().judge(
            candidate: groups.map { $0 == "ETH" ? 3.0 : 0.5 }, rivals: [Self.baseline(2)],
            rows: Self.rows(slices: [("pair", groups)]), latencyMicroseconds: 0)
        #expect(verdict.slices[1].upper == nil)
        #expect(verdict.isPromoted)
    }

    @Test func `a slice is measured against the rival that is best there`() {
        let elsewhere = Gate.Rival(name: "current", predictions: Self.pairs.map { $0 == "ETH" ? 0.25 : 9 }, learntUntil: nil)
        let verdict = Self.gate().judge(
            candidate: Self.errors(1), rivals: [Self.baseline(2), elsewhere], rows: Self.rows(slices: [("pair", Self.pairs)]),
            latencyMicroseconds: 0)
        #expect(verdict.slices.map(\.bestRival) == ["mean", "current"])
        #expect(verdict.slices.map(\.isWorse) == [false, true])
        #expect(verdict.reason == .worseForASlice)
    }

    @Test func `of many worse slices the sentence names three`() {
        let groups = (0..<400).map { "p\($0 % 8)" }
        let candidate = (0..<400).map { $0 % 8 < 5 ? 2.5 : 0.0 }
        let verdict = Self.gate().judge(
            candidate: candidate, rivals: [Self.baseline(2)], rows: Self.rows(slices: [("pair", groups)]), latencyMicroseconds: 0)
        #expect(verdict.reason == .worseForASlice)
        #expect(verdict.sentence.contains("pair = p2: ") && !verdict.sentence.contains("p3"))
        #expect(verdict.sentence.hasSuffix("; and 2 more"))
    }

    @Test func `a verdict survives JSON`() throws {
        let verdict = Self.gate(latency: 100).judge(
            candidate: Self.errors(1), rivals: [Self.baseline(2)], rows: Self.rows(slices: [("k", [String](repeating: "a", count: 400))]),
            latencyMicroseconds: 3)
        #expect(try JSONDecoder().decode(Gate.Verdict.self, from: Data(verdict.encoded())) == verdict)
    }
}
