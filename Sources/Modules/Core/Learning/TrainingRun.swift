package import Domain
package import Inference
package import Table

import Foundation
import Statistics

/// One training from rows to verdict: split, search, refit, test, gate.
///
/// Pure but for the two closures: the boosting library and a clock. It blocks for as long as it takes, so it is not
/// called on the cooperative pool. The same rows, definition and seed give the same outcome, as long as the trials fit
/// into the seconds allowed.
package struct TrainingRun: Sendable {
    package struct Champion: Sendable {
        package let name: String
        package let model: Model
        /// Latest time whose data it may have learnt from, labels included.
        package let learntUntil: EventTime.Milliseconds

        package init(name: String, model: Model, learntUntil: EventTime.Milliseconds) {
            self.name = name
            self.model = model
            self.learntUntil = learntUntil
        }
    }

    package enum Error: Swift.Error, CustomStringConvertible {
        case rows(TrainingRows.Error)
        case split(Split.Error)
        case table(Table.Error)
        case model(Model.Error)
        /// No trial of any candidate could be fitted; the first reason.
        case noTrial(String)

        package var description: String {
            switch self {
            case .rows(let error): error.description
            case .split(let error): error.description
            case .table(let error): String(describing: error)
            case .model(let error): error.description
            case .noTrial(let reason): "no candidate could be trained: \(reason)"
            }
        }
    }

    package let definition: TrainingDefinition
    /// Fits trees; called from several threads at once, so one thread each is best.
    package let boost: BoostedTrees.Fit
    /// Seconds from any origin; never runs backwards.
    package let clock: @Sendable () -> Double
    /// One line a fact, as it becomes known.
    package let report: @Sendable (String) -> Void

    package init(
        definition: TrainingDefinition, boost: @escaping BoostedTrees.Fit, clock: @escaping @Sendable () -> Double,
        report: @escaping @Sendable (String) -> Void
    ) {
        self.definition = definition
        self.boost = boost
        self.clock = clock
        self.report = report
    }

    package func run(_ rows: TrainingRows, champion: Champion?) throws(Error) -> TrainingOutcome {
        let split = try Self.wrap({ (error: Split.Error) in .split(error) }) { () throws(Split.Error) in
            try Split(times: rows.availability, horizon: definition.horizon, definition: definition.split, seed: definition.budget.seed)
        }
        report(
            "\(rows.counts.usable) usable rows of \(rows.counts.read): \(split.test.training.count) train, \(split.test.purged) purged, \(split.test.judging.count) test"
        )
        let trials = try search(rows, split)
        guard let best = trials.filter({ !$0.isPruned }).min(by: { $0.score < $1.score }), best.score.isFinite else {
            throw .noTrial("every fit failed")
        }
        report("best of \(trials.count) trials: \(best.description), \(definition.metric.rawValue) \(Gate.Verdict.short(best.score))")

        let training = try Fold(rows, training: split.test.training, judging: split.test.judging, definition)
        let fitted: FittedModel
        do {
            fitted = try fit(training, best.candidate, best.parameters)
        } catch {
            throw .noTrial(String(describing: error))
        }
        let predictions = try predict(fitted.model, training.judgingTable)
        let test = try evaluate(predictions, training.judgingTargets)
        report(
            "test of \(best.candidate.description): mae \(Gate.Verdict.short(test.mae)), rmse \(Gate.Verdict.short(test.rmse)), r2 \(Gate.Verdict.short(test.r2))"
        )
        let baselines = try baselines(training)
        for baseline in baselines {
            report(
                "test of \(baseline.name): mae \(Gate.Verdict.short(baseline.errors.mae)), rmse \(Gate.Verdict.short(baseline.errors.rmse))"
            )
        }
        let times = split.test.judging.map { rows.availability[$0] }
        let verdict = judge(fitted.model, predictions, training, times, baselines, champion)
        report(verdict.sentence)

        let reference = try reference(fitted.model, training)
        return TrainingOutcome(
            trials: trials, best: best, fitted: fitted, errors: test, baselines: baselines, verdict: verdict, counts: rows.counts,
            trainingRows: split.test.training.count, purgedRows: split.test.purged,
            trainingStart: split.test.training.first.map { rows.availability[$0] } ?? 0,
            learntUntil: (split.test.training.map { rows.availability[$0] }.max() ?? 0) + definition.horizon,
            testTimes: times, testTruths: training.judgingTargets, testPredictions: predictions, reference: reference,
            example: training.judgingTable.slice(0..<min(1, training.judgingTable.rowCount)))
    }

    private func judge(
        _ model: Model, _ predictions: [Double], _ fold: Fold, _ times: [EventTime.Milliseconds],
        _ baselines: [TrainingOutcome.Baseline], _ champion: Champion?
    ) -> Gate.Verdict {
        var rivals = baselines.map { Gate.Rival(name: $0.name, predictions: $0.predictions, learntUntil: nil) }
        if let champion, let predictions = championPredictions(champion, fold.judgingTable) {
            rivals.append(.init(name: champion.name, predictions: predictions, learntUntil: champion.learntUntil))
        }
        return Gate(limits: definition.gate, metric: definition.metric, seed: definition.budget.seed).judge(
            candidate: predictions, rivals: rivals,
            rows: .init(
                truths: fold.judgingTargets, availability: times, horizon: definition.horizon,
                isSeries: definition.split.kind == .time, slices: slices(fold.judgingTable)),
            latencyMicroseconds: latency(model, fold.judgingTable))
    }

    /// Turns one typed error into this type's.
    static func wrap<Value, Inner: Swift.Error>(
        _ outer: (Inner) -> Error, _ body: () throws(Inner) -> Value
    ) throws(Error) -> Value {
        do throws(Inner) { return try body() } catch { throw outer(error) }
    }

    func predict(_ model: Model, _ table: Table) throws(Error) -> [Double] {
        try Self.wrap({ (error: Model.Error) in .model(error) }) { () throws(Model.Error) in try model.predict(table) }
    }

    func evaluate(_ predictions: [Double], _ truths: [Double]) throws(Error) -> RegressionErrors {
        guard let errors = RegressionErrors(predictions: predictions, truths: truths) else {
            throw .noTrial("\(predictions.count) predictions for \(truths.count) rows")
        }
        return errors
    }

    /// A champion whose inputs the view no longer has cannot be served either, so it cannot block a successor.
    private func championPredictions(_ champion: Champion, _ table: Table) -> [Double]? {
        do throws(Model.Error) {
            return try champion.model.predict(table)
        } catch {
            report("\(champion.name) is left out of the comparison: \(error.description)")
            return nil
        }
    }

    /// Median time of one prediction by the single-row path, microseconds.
    private func latency(_ model: Model, _ table: Table) -> Double {
        guard let inputs = try? table.selecting(model.inputs.map(\.name)) else { return 0 }
        let rows = (0..<min(64, inputs.rowCount)).map { inputs.row($0) }
        var times: [Double] = []
        for _ in 0..<9 {
            let start = clock()
            for row in rows { _ = try? model.predict(row) }
            times.append((clock() - start) * 1e6 / Double(max(1, rows.count)))
        }
        return Quantile.median(times) ?? 0
    }

    private func slices(_ table: Table) -> [(column: String, groups: [String])] {
        definition.gate.slices.compactMap { name in
            guard let column = table[name] else { return nil }
            return (name, (0..<table.rowCount).map { Self.text(column[$0]) })
        }
    }

    private static func text(_ value: Value) -> String {
        if case .string(let text) = value { return text }
        var bytes: [UInt8] = []
        JSONText.append(value, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What drift will be measured against: inputs, predictions and truths of evenly spaced training rows.
    func reference(_ model: Model, _ fold: Fold) throws(Error) -> Table {
        let rows = fold.trainingTable.rowCount
        let count = min(rows, TrainingOutcome.maxReferenceRows)
        let chosen = (0..<count).map { $0 * rows / count }
        let sample = fold.trainingTable.gathered(chosen)
        let predictions = try predict(model, sample)
        return try Self.wrap({ (error: Table.Error) in .table(error) }) { () throws(Table.Error) in
            var columns = try sample.selecting(model.inputs.map(\.name)).columns.filter { !["prediction", "target"].contains($0.name) }
            columns.append(Column("prediction", doubles: predictions))
            columns.append(Column("target", doubles: chosen.map { fold.trainingTargets[$0] }))
            return try Table(columns)
        }
    }
}
