import Domain
import Learning
import Table

/// A small training that takes milliseconds.
enum Examples {
    static func definition(horizon: Int64 = 0, model: String = "price") -> TrainingDefinition {
        TrainingDefinition(
            view: "view", targetName: "ahead", horizon: horizon, task: .regression, features: ["close", "sma"],
            missing: .init(numeric: .median, categorical: "UNKNOWN", rejectRowsAbove: 0.5),
            split: .init(kind: .time, test: 0.3, folds: 2), metric: .mae, baselines: [.current("close"), .mean],
            candidates: [.init(kind: .ridge, search: [.init(name: "alpha", scale: .log, lower: 1e-4, upper: 10)])],
            budget: .init(trials: 2, seconds: 60, seed: 1),
            gate: .init(minImprovement: 0, confidence: 0.9, minTestRows: 20, maxLatencyMicroseconds: nil, slices: []), model: model)
    }

    /// 200 rows whose target is `close + sma / 2`.
    static func outcome() throws -> TrainingOutcome {
        var random = RandomSource(seed: 2)
        let close = (0..<200).map { _ in random.uniform() * 10 }
        let sma = (0..<200).map { _ in random.uniform() }
        let definition = definition()
        let rows = try TrainingRows(
            table: Table([Column("close", doubles: close), Column("sma", doubles: sma)]),
            target: Column("ahead", doubles: zip(close, sma).map { $0 + $1 / 2 }), availability: (0..<200).map { Int64($0) * 60_000 },
            keys: [String](repeating: "", count: 200), features: definition.features, warmUp: [:], missing: definition.missing)
        return try TrainingRun(definition: definition, boost: { _, _, _ in [] }, clock: { 0 }, report: { _ in }).run(rows, champion: nil)
    }
}
