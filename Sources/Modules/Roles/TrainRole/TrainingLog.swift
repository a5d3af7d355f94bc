import Domain
import Learning
import Statistics
import Tracking

/// What a training run writes to its tracked run, in the protocol's characters and limits.
struct TrainingLog {
    let definition: TrainingDefinition
    let outcome: TrainingOutcome
    /// Of the metrics.
    let time: EventTime.Milliseconds

    var params: [(String, String)] {
        let best: [(String, String)] = outcome.best.parameters.map { ($0.name, "\($0.value)") }
        let definition: [(String, String)] = [
            ("candidate", outcome.best.candidate.description), ("view", definition.view), ("target", definition.targetName),
            ("horizon_ms", "\(definition.horizon)"), ("features", String(definition.features.joined(separator: ",").prefix(6_000))),
            ("metric", definition.metric.rawValue), ("seed", "\(definition.budget.seed)"), ("trials", "\(outcome.trials.count)"),
        ]
        return definition + best.filter { own in !definition.contains { $0.0 == own.0 } }
    }

    var metrics: [Metric] {
        var metrics = errors("test", outcome.errors)
        for baseline in outcome.baselines { metrics += errors("baseline_\(Self.key(baseline.name))", baseline.errors) }
        metrics.append(metric("cv_\(definition.metric.rawValue)", outcome.best.score))
        metrics.append(metric("latency_us", outcome.verdict.latencyMicroseconds))
        for (name, count) in [
            ("rows_read", outcome.counts.read), ("rows_unlabelled", outcome.counts.unlabelled), ("rows_warm_up", outcome.counts.warmUp),
            ("rows_incomplete", outcome.counts.incomplete), ("rows_training", outcome.trainingRows), ("rows_purged", outcome.purgedRows),
            ("rows_test", outcome.testTruths.count), ("rows_counted", outcome.verdict.countedRows),
        ] { metrics.append(metric(name, Double(count))) }
        for (step, trial) in outcome.trials.enumerated() where trial.score.isFinite {
            metrics.append(Metric("trial_\(definition.metric.rawValue)", trial.score, timestamp: time, step: Int64(step)))
        }
        for comparison in outcome.verdict.comparisons {
            metrics.append(metric("improvement_over_\(Self.key(comparison.rival))", comparison.improvement))
            metrics.append(metric("improvement_lower_over_\(Self.key(comparison.rival))", comparison.lower))
        }
        return metrics
    }

    var tags: [(String, String)] {
        [
            ("mlops.gate", outcome.verdict.isPromoted ? "promoted" : "refused"), ("mlops.gate.reason", outcome.verdict.reason.rawValue),
            ("mlops.gate.sentence", String(outcome.verdict.sentence.prefix(8_000))),
        ]
    }

    private func errors(_ prefix: String, _ errors: RegressionErrors) -> [Metric] {
        [
            metric("\(prefix)_mae", errors.mae), metric("\(prefix)_rmse", errors.rmse), metric("\(prefix)_mean_error", errors.meanError),
            metric("\(prefix)_r2", errors.r2),
        ]
    }

    private func metric(_ key: String, _ value: Double) -> Metric { Metric(key, value, timestamp: time) }

    /// `current(close)` as `current_close`: the characters that the protocol allows in keys.
    static func key(_ name: String) -> String {
        var key = ""
        for character in name.unicodeScalars {
            let isPlain = character.isASCII && (character.properties.isAlphabetic || character.properties.numericType != nil)
            if isPlain || character == "-" || character == "." {
                key.unicodeScalars.append(character)
            } else if !key.isEmpty, !key.hasSuffix("_") {
                key += "_"
            }
        }
        return key.hasSuffix("_") ? String(key.dropLast()) : key
    }
}
