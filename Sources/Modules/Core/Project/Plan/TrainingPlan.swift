import Expressions
import Learning

/// The part of the plan that speaks of training.
enum TrainingPlan {
    static func add(_ training: TrainingDefinition, _ page: inout PlanPage) {
        page.heading("training", "model \(training.model), \(training.task.rawValue) by \(training.metric.rawValue)")
        let horizon = training.horizon > 0 ? ", \(DurationText.format(training.horizon)) ahead" : ""
        page.rows(
            [
                ["view", training.view],
                ["target", training.targetName + horizon],
                ["features", "\(training.features.count): " + training.features.joined(separator: ", ")],
                ["missing", missing(training.missing)],
                ["split", split(training.split)],
                ["baselines", training.baselines.map(\.description).joined(separator: ", ")],
            ] + training.candidates.map { ["candidate", candidate($0)] } + [
                [
                    "budget",
                    "\(training.budget.trials) trials, \(PlanPage.number(training.budget.seconds)) s, seed \(training.budget.seed)",
                ],
                ["gate", gate(training.gate)],
            ])
    }

    private static func missing(_ missing: TrainingDefinition.Missing) -> String {
        let numeric =
            switch missing.numeric {
            case .median: "the median"
            case .mean: "the mean"
            case .constant(let value): PlanPage.number(value)
            }
        return "numbers by \(numeric), text by \(missing.categorical), at most \(PlanPage.number(missing.rejectRowsAbove)) of the rows"
    }

    private static func split(_ split: TrainingDefinition.Split) -> String {
        let how = split.kind == .time ? "the latest" : "a random"
        return "\(how) \(PlanPage.number(split.test)) of the rows test, \(split.folds) validation folds before them"
    }

    private static func candidate(_ candidate: TrainingDefinition.Candidate) -> String {
        let search = candidate.search.map { range in
            range.lower == range.upper
                ? "\(range.name) \(PlanPage.number(range.lower))"
                : "\(range.name) \(range.scale.rawValue)(\(PlanPage.number(range.lower)), \(PlanPage.number(range.upper)))"
        }
        return ([candidate.description] + search).joined(separator: ", ")
    }

    private static func gate(_ gate: TrainingDefinition.Gate) -> String {
        var facts = [
            "better than every baseline and the champion by more than \(PlanPage.number(gate.minImprovement))",
            "confidence \(PlanPage.number(gate.confidence))", "at least \(gate.minTestRows) test rows",
        ]
        if let latency = gate.maxLatencyMicroseconds { facts.append("at most \(PlanPage.number(latency)) µs a row") }
        if !gate.slices.isEmpty { facts.append("judged by \(gate.slices.joined(separator: ", ")) too") }
        return facts.joined(separator: ", ")
    }
}
