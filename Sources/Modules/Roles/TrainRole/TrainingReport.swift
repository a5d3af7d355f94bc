import Domain
import Learning
import Statistics
import Web

/// `report.html` of a model: how it was chosen, how it did on the test rows, and what the gate said.
struct TrainingReport {
    let definition: TrainingDefinition
    let outcome: TrainingOutcome
    let run: String

    /// Points of a chart at most; more cannot be told apart on a page.
    private static let maxPoints = 600

    var html: String {
        Report(
            title: "\(definition.model): training report",
            lead: "\(definition.targetName) from view \(definition.view), run \(run), "
                + "training data up to \(EventTime.format(outcome.learntUntil))",
            sections: [gate, test, rows, search]
        ).render()
    }

    private var gate: Report.Section {
        let verdict = outcome.verdict
        var blocks: [Report.Block] = [
            .verdict(verdict.sentence, verdict.isPromoted ? .good : .warn),
            .facts([
                ("Test rows that count", "\(verdict.countedRows) of \(verdict.testRows) (at least \(verdict.minTestRows))"),
                ("Independent blocks", "\(verdict.blocks)"), ("Least improvement", NumberText.short(verdict.minImprovement)),
                ("One prediction", "\(NumberText.short(verdict.latencyMicroseconds)) µs"),
            ]),
            .table(
                TableMarkup(
                    [
                        .text("Against"), .number(verdict.metric), .number("Improvement"), .number("Lower bound"), .number("Upper bound"),
                        .text("Beaten"),
                    ],
                    rows: verdict.comparisons.map {
                        [
                            "\($0.rival)", "\(NumberText.short($0.score))", "\(NumberText.short($0.improvement))",
                            "\(NumberText.short($0.lower))", "\(NumberText.short($0.upper))", "\($0.isBeaten ? "yes" : "no")",
                        ]
                    })),
        ]
        if !verdict.slices.isEmpty {
            blocks.append(
                .table(
                    TableMarkup(
                        [
                            .text("Slice"), .number("Rows"), .number(verdict.metric), .text("Best rival"), .number("Its \(verdict.metric)"),
                            .number("Improvement"), .number("Lower bound"), .number("Upper bound"), .text("Worse"),
                        ],
                        rows: verdict.slices.map {
                            [
                                "\($0.column) = \($0.group)", "\($0.rows)", "\(NumberText.short($0.score))", "\($0.bestRival)",
                                "\(NumberText.short($0.bestRivalScore))", "\(NumberText.short($0.improvement))",
                                "\(Self.bound($0.lower))", "\(Self.bound($0.upper))",
                                "\($0.upper == nil ? "too few rows" : $0.isWorse ? "yes" : "no")",
                            ]
                        })))
        }
        return Report.Section("Gate", blocks)
    }

    private static func bound(_ value: Double?) -> String { value.map { NumberText.short($0) } ?? "" }

    private var test: Report.Section {
        var rows = [(name: outcome.best.description, errors: outcome.errors)]
        rows += outcome.baselines.map { ($0.name, $0.errors) }
        let table = TableMarkup(
            [.text("Model"), .number("MAE"), .number("RMSE"), .number("Mean error"), .number("R²")],
            rows: rows.map {
                [
                    "\($0.name)", "\(NumberText.short($0.errors.mae))", "\(NumberText.short($0.errors.rmse))",
                    "\(NumberText.short($0.errors.meanError))", "\(NumberText.short($0.errors.r2))",
                ]
            })
        let count = outcome.testTruths.count
        let shown = (0..<min(count, Self.maxPoints)).map { $0 * count / min(count, Self.maxPoints) }
        let scatter = Chart(
            title: "Predicted against actual", xLabel: "actual", yLabel: "predicted",
            .points(.scatter, [.init("test rows", shown.map { (outcome.testTruths[$0], outcome.testPredictions[$0]) })]))
        let errors = Chart(
            title: "Error in time", yLabel: "predicted − actual", horizontal: .time,
            .points(
                .scatter,
                [.init("test rows", shown.map { (Double(outcome.testTimes[$0]), outcome.testPredictions[$0] - outcome.testTruths[$0]) })]))
        return Report.Section("Test rows", [.table(table), .charts([scatter, errors])])
    }

    private var rows: Report.Section {
        let counts = outcome.counts
        return Report.Section(
            "Rows",
            [
                .facts([
                    ("Read", "\(counts.read)"), ("Without a label", "\(counts.unlabelled)"), ("In warm-up", "\(counts.warmUp)"),
                    ("Usable", "\(counts.usable)"), ("Of these with a filled feature", "\(counts.incomplete)"),
                    ("Training", "\(outcome.trainingRows)"), ("Purged before the test", "\(outcome.purgedRows)"),
                    ("Test", "\(outcome.testTruths.count)"), ("Features", definition.features.joined(separator: ", ")),
                ])
            ])
    }

    private var search: Report.Section {
        Report.Section(
            "Trials",
            [
                .table(
                    TableMarkup(
                        [.number("Trial"), .text("Setting"), .number("Cross-validated \(definition.metric.rawValue)"), .text("")],
                        rows: outcome.trials.enumerated().map { number, trial in
                            [
                                "\(number + 1)", "\(trial.description)", "\(NumberText.short(trial.score))",
                                "\(trial.isPruned ? "given up after the first fold" : "")",
                            ]
                        }))
            ])
    }
}
