package import Domain

import Foundation
import Statistics

/// Decides whether a trained model may become champion, from predictions on test rows that no contestant has seen.
///
/// It must beat every baseline and the champion: the lower bound of the paired block-bootstrap interval of the
/// improvement must exceed `min_improvement`. Rows that the champion may have learnt from do not count, and too few rows
/// (or blocks of them) are a refusal, because an interval from them means nothing. Nor may it be worse than the best
/// rival of any group of the slices, beyond doubt: a metric over all rows hears only the groups with the largest values.
package struct Gate: Sendable {
    /// Fewer independent blocks than this say nothing about the spread between blocks.
    package static let minBlocks = 5
    /// Fewer rows of a group than this, or than a whole test needs, are reported and not judged.
    package static let minSliceRows = 30

    /// The test rows, in time order.
    package struct Rows: Sendable {
        package let truths: [Double]
        /// When each row became available; ascending.
        package let availability: [EventTime.Milliseconds]
        /// How far ahead the target lies, milliseconds.
        package let horizon: EventTime.Milliseconds
        /// Whether neighbouring rows depend on each other; when not, every row is a block.
        package let isSeries: Bool
        /// The group of each row, for every column to judge by.
        package let slices: [(column: String, groups: [String])]

        package init(
            truths: [Double], availability: [EventTime.Milliseconds], horizon: EventTime.Milliseconds, isSeries: Bool,
            slices: [(column: String, groups: [String])]
        ) {
            self.truths = truths
            self.availability = availability
            self.horizon = horizon
            self.isSeries = isSeries
            self.slices = slices
        }
    }

    /// What the candidate is measured against.
    package struct Rival: Sendable {
        package let name: String
        /// One a test row.
        package let predictions: [Double]
        /// Latest time whose data the rival may have learnt from, labels included; `nil` for the baselines, which
        /// are fitted on the candidate's own training rows.
        package let learntUntil: EventTime.Milliseconds?

        package init(name: String, predictions: [Double], learntUntil: EventTime.Milliseconds?) {
            self.name = name
            self.predictions = predictions
            self.learntUntil = learntUntil
        }
    }

    package let limits: TrainingDefinition.Gate
    package let metric: TrainingDefinition.Metric
    package let seed: UInt64

    package init(limits: TrainingDefinition.Gate, metric: TrainingDefinition.Metric, seed: UInt64) {
        self.limits = limits
        self.metric = metric
        self.seed = seed
    }

    /// - Parameters:
    ///   - candidate: One prediction a test row.
    ///   - rivals: Every baseline, and the champion if there is one.
    ///   - latencyMicroseconds: Time of one prediction.
    package func judge(candidate: [Double], rivals: [Rival], rows: Rows, latencyMicroseconds: Double) -> Verdict {
        let untouched = rivals.compactMap(\.learntUntil).max() ?? .min
        let counted = rows.availability.indices.filter { rows.availability[$0] > untouched }
        let blocks = blocks(of: counted.map { rows.availability[$0] }, rows)
        let losses = losses(candidate, rows, counted)
        var verdict = Verdict(
            metric: metric.rawValue, score: score(losses), minImprovement: limits.minImprovement, confidence: limits.confidence,
            testRows: rows.truths.count, countedRows: counted.count, minTestRows: limits.minTestRows, blocks: blocks.count,
            latencyMicroseconds: latencyMicroseconds, maxLatencyMicroseconds: limits.maxLatencyMicroseconds)
        for rival in rivals {
            let rivalLosses = self.losses(rival.predictions, rows, counted)
            guard let interval = self.interval(losses, rivalLosses, blocks) else { continue }
            verdict.comparisons.append(
                .init(
                    rival: rival.name, score: score(rivalLosses), improvement: interval.estimate, lower: interval.lower,
                    upper: interval.upper, isBeaten: interval.lower > limits.minImprovement))
        }
        verdict.slices = slices(candidate, rivals, rows, counted)
        verdict.reason = reason(verdict, rivals: rivals.count)
        verdict.sentence = verdict.explanation
        return verdict
    }

    private func reason(_ verdict: Verdict, rivals: Int) -> Verdict.Reason {
        if verdict.countedRows < limits.minTestRows { return .tooFewRows }
        if verdict.blocks < Self.minBlocks { return .tooFewBlocks }
        if verdict.comparisons.count < rivals || !verdict.comparisons.allSatisfy(\.isBeaten) { return .notBetter }
        if verdict.slices.contains(where: \.isWorse) { return .worseForASlice }
        if let limit = limits.maxLatencyMicroseconds, verdict.latencyMicroseconds > limit { return .tooSlow }
        return .better
    }

    private func interval(_ candidate: [Double], _ rival: [Double], _ blocks: [Range<Int>]) -> BlockBootstrap.Interval? {
        BlockBootstrap.improvement(
            candidate: candidate, rival: rival, blocks: blocks, statistic: statistic, confidence: limits.confidence, seed: seed)
    }

    private var statistic: BlockBootstrap.Statistic {
        switch metric {
        case .mae: .mean
        case .rmse: .rootMean
        }
    }

    private func losses(_ predictions: [Double], _ rows: Rows, _ counted: [Int]) -> [Double] {
        counted.map { row in
            let error = predictions[row] - rows.truths[row]
            return switch metric {
            case .mae: error.magnitude
            case .rmse: error * error
            }
        }
    }

    private func score(_ losses: [Double]) -> Double {
        losses.isEmpty ? 0 : statistic.value(losses.reduce(0, +) / Double(losses.count))
    }

    /// At least the horizon long, because labels of closer rows overlap, and at least the cube root of the number of
    /// moments, the length that keeps most of a series' own memory inside its blocks.
    ///
    /// Source: P. Hall, J. L. Horowitz and B.-Y. Jing, "On Blocking Rules for the Bootstrap with Dependent Data", 1995.
    private func blocks(of times: [EventTime.Milliseconds], _ rows: Rows) -> [Range<Int>] {
        guard rows.isSeries, let first = times.first, let last = times.last else { return BlockBootstrap.blocks(times: times, length: 0) }
        let moments = Double(zip(times, times.dropFirst()).count { $0 != $1 } + 1)
        let memory = Double(last - first) / moments * cbrt(moments)
        return BlockBootstrap.blocks(times: times, length: max(rows.horizon, Int64(memory), 1))
    }

    private func slices(_ candidate: [Double], _ rivals: [Rival], _ rows: Rows, _ counted: [Int]) -> [Verdict.Slice] {
        rows.slices.flatMap { slice in
            Dictionary(grouping: counted, by: { slice.groups[$0] }).sorted { $0.key < $1.key }.map { group, members in
                sliceOf(slice.column, group, members, candidate, rivals, rows)
            }
        }
    }

    private func sliceOf(
        _ column: String, _ group: String, _ members: [Int], _ candidate: [Double], _ rivals: [Rival], _ rows: Rows
    ) -> Verdict.Slice {
        let own = losses(candidate, rows, members)
        let others = rivals.map { (name: $0.name, losses: losses($0.predictions, rows, members)) }
        let best = others.min { (score($0.losses), $0.name) < (score($1.losses), $1.name) }
        let blocks = blocks(of: members.map { rows.availability[$0] }, rows)
        let isJudged = members.count >= min(Self.minSliceRows, limits.minTestRows) && blocks.count >= Self.minBlocks
        let interval = isJudged ? best.flatMap { self.interval(own, $0.losses, blocks) } : nil
        let bestScore = best.map { score($0.losses) }
        return Verdict.Slice(
            column: column, group: group, rows: members.count, score: score(own), bestRival: best?.name ?? "",
            bestRivalScore: bestScore ?? 0, improvement: bestScore.map { $0 - score(own) } ?? 0, lower: interval?.lower,
            upper: interval?.upper)
    }
}
