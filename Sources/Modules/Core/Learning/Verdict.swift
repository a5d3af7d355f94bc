import Foundation

extension Gate {
    /// What the gate found, with every number it went by.
    package struct Verdict: Sendable, Equatable, Codable {
        package enum Reason: String, Sendable, Codable {
            case better
            case tooFewRows = "too_few_rows"
            case tooFewBlocks = "too_few_blocks"
            case notBetter = "not_better"
            case worseForASlice = "worse_for_a_slice"
            case tooSlow = "too_slow"
        }

        /// The candidate against one rival, on the rows that count. Scores are losses, in the unit of the metric.
        package struct Comparison: Sendable, Equatable, Codable {
            package let rival: String
            package let score: Double
            /// Rival's score minus candidate's: positive when the candidate is better.
            package let improvement: Double
            package let lower: Double
            package let upper: Double
            package let isBeaten: Bool

            enum CodingKeys: String, CodingKey {
                case rival, score, improvement, lower, upper
                case isBeaten = "beaten"
            }
        }

        /// The candidate on the rows of one group, against the rival that is best there.
        package struct Slice: Sendable, Equatable, Codable {
            package let column: String
            package let group: String
            package let rows: Int
            package let score: Double
            package let bestRival: String
            package let bestRivalScore: Double
            /// Best rival's score minus candidate's: positive when the candidate is better.
            package let improvement: Double
            /// Bounds of the improvement; `nil` for a group of too few rows or blocks, which is not judged.
            package let lower: Double?
            package let upper: Double?

            /// The whole interval lies below zero.
            package var isWorse: Bool { upper.map { $0 < 0 } ?? false }

            enum CodingKeys: String, CodingKey {
                case column, group, rows, score, improvement, lower, upper
                case bestRival = "best_rival"
                case bestRivalScore = "best_rival_score"
            }
        }

        package internal(set) var reason: Reason = .tooFewRows
        /// One sentence for a person: the decision and the numbers behind it.
        package internal(set) var sentence = ""
        package let metric: String
        /// The candidate's, on the rows that count.
        package let score: Double
        package let minImprovement: Double
        package let confidence: Double
        package let testRows: Int
        /// Test rows after everything the champion may have learnt from.
        package let countedRows: Int
        package let minTestRows: Int
        package let blocks: Int
        package let latencyMicroseconds: Double
        package let maxLatencyMicroseconds: Double?
        package internal(set) var comparisons: [Comparison] = []
        package internal(set) var slices: [Slice] = []

        package var isPromoted: Bool { reason == .better }

        enum CodingKeys: String, CodingKey {
            case reason, sentence, metric, score, confidence, blocks, comparisons, slices
            case minImprovement = "min_improvement"
            case testRows = "test_rows"
            case countedRows = "counted_rows"
            case minTestRows = "min_test_rows"
            case latencyMicroseconds = "latency_us"
            case maxLatencyMicroseconds = "max_latency_us"
        }

        init(
            metric: String, score: Double, minImprovement: Double, confidence: Double, testRows: Int, countedRows: Int,
            minTestRows: Int, blocks: Int, latencyMicroseconds: Double, maxLatencyMicroseconds: Double?
        ) {
            self.metric = metric
            self.score = score
            self.minImprovement = minImprovement
            self.confidence = confidence
            self.testRows = testRows
            self.countedRows = countedRows
            self.minTestRows = minTestRows
            self.blocks = blocks
            self.latencyMicroseconds = latencyMicroseconds
            self.maxLatencyMicroseconds = maxLatencyMicroseconds
        }

        var explanation: String {
            switch reason {
            case .better:
                return "promoted: \(metric) \(Self.short(score)) beats "
                    + comparisons.map { "\($0.rival) \(Self.short($0.score)) (\(interval($0.improvement, $0.lower, $0.upper)))" }
                    .joined(separator: ", ")
                    + " on \(countedRows) test rows"
            case .tooFewRows:
                return "refused, insufficient evidence: \(countedRows) of \(testRows) test rows lie after the champion's training data, "
                    + "\(minTestRows) are needed"
            case .tooFewBlocks:
                return "refused, insufficient evidence: \(countedRows) test rows make \(blocks) independent blocks, "
                    + "\(Gate.minBlocks) are needed"
            case .notBetter:
                let unbeaten = comparisons.filter { !$0.isBeaten }
                return "refused: \(metric) \(Self.short(score)) does not beat "
                    + unbeaten.map { "\($0.rival) \(Self.short($0.score)) (\(interval($0.improvement, $0.lower, $0.upper)))" }
                    .joined(separator: ", ")
                    + " on \(countedRows) test rows; the lower bound must exceed \(Self.short(minImprovement))"
            case .worseForASlice:
                let worse = slices.filter(\.isWorse)
                return "refused: \(metric) \(Self.short(score)) beats every rival on \(countedRows) test rows, but not for "
                    + worse.prefix(Self.maxNamedSlices).map(shortfall).joined(separator: "; ")
                    + (worse.count > Self.maxNamedSlices ? "; and \(worse.count - Self.maxNamedSlices) more" : "")
            case .tooSlow:
                return "refused: one prediction takes \(Self.short(latencyMicroseconds)) µs, more than the "
                    + "\(Self.short(maxLatencyMicroseconds ?? 0)) µs allowed"
            }
        }

        /// More than this many groups make no readable sentence; the table has them all.
        private static let maxNamedSlices = 3

        private func shortfall(_ slice: Slice) -> String {
            "\(slice.column) = \(slice.group): \(Self.short(slice.score)) against \(slice.bestRival) \(Self.short(slice.bestRivalScore)) "
                + "(\(interval(slice.improvement, slice.lower ?? 0, slice.upper ?? 0))) on \(slice.rows) rows"
        }

        private func interval(_ improvement: Double, _ lower: Double, _ upper: Double) -> String {
            "improvement \(Self.short(improvement)), \(Self.short(confidence * 100)) % interval \(Self.short(lower)) to \(Self.short(upper))"
        }

        /// Four significant digits.
        static func short(_ value: Double) -> String { String(format: "%.4g", value) }

        /// `gate.json`: sorted keys, so equal verdicts give equal bytes.
        package func encoded() throws -> [UInt8] {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
            return Array(try encoder.encode(self))
        }
    }
}
