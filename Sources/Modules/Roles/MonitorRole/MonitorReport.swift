import Domain
import Project
import Web

/// What the monitor knows, as a page and as text.
package struct MonitorReport: Sendable {
    let engine: MonitorEngine
    let version: String?
    let drift: DriftVerdict?
    /// The latest values of the columns that drift is judged on.
    let samples: [String: DriftReference.Sample]

    /// With labels for less than this share of what is settled, errors are told with a warning: they speak of a part.
    private static let enoughCoverage = 0.5

    package init(_ engine: MonitorEngine) {
        self.engine = engine
        version = engine.latestVersion
        drift = version.flatMap { engine.drift(of: $0) }
        samples = version.map { engine.samples(engine.driftColumns(of: $0), of: $0) } ?? [:]
    }

    // MARK: Text

    /// A few lines for a terminal.
    package var summary: String {
        var lines = ["monitor \(engine.settings.model): \(engine.counts.predictions) predictions, \(engine.counts.labels) labels"]
        for version in engine.versions {
            guard let sums = engine.totals[version] else { continue }
            lines.append("  version \(version): " + Self.sentence(sums))
        }
        lines.append("  drift: " + driftSentence)
        return lines.joined(separator: "\n")
    }

    private static func sentence(_ sums: ErrorSums) -> String {
        var text = "\(sums.predictions) predicted, \(sums.labelled) labelled, \(sums.missing) without label, \(sums.open) waiting"
        if sums.evicted > 0 { text += ", \(sums.evicted) evicted" }
        if let mae = sums.mae, let rmse = sums.rmse { text += "; MAE \(number(mae)), RMSE \(number(rmse))" }
        if let warning = coverageWarning(sums) { text += " (\(warning))" }
        if let baseline = sums.baselineMAE { text += "; baseline MAE \(number(baseline))" }
        return text
    }

    /// What errors speak of, when most predictions have no label.
    private static func coverageWarning(_ sums: ErrorSums) -> String? {
        guard sums.mae != nil, let coverage = sums.coverage, coverage < enoughCoverage else { return nil }
        return "over \(share(coverage)) of the predictions: the others have no label"
    }

    private var driftSentence: String {
        guard let drift, let version else { return "no verdict (\(reasonWithoutVerdict))" }
        let failed = drift.columns.count { if case .failed = $0.verdict { true } else { false } }
        let drifted = drift.columns.filter(\.isDrifted).map(\.name)
        var text = "\(drifted.count) of \(drift.columns.count - failed) columns drifted (\(drift.rows) rows of version \(version))"
        if !drifted.isEmpty { text += ": " + drifted.prefix(8).joined(separator: ", ") + (drifted.count > 8 ? ", …" : "") }
        if failed > 0 { text += "; \(failed) could not be judged" }
        return text + (drift.isDrifted ? "; the data has drifted" : "")
    }

    var reasonWithoutVerdict: String {
        guard let version, let rows = engine.recent[version]?.count else { return "no predictions with features" }
        guard engine.references[version] != nil else { return "version \(version) has no reference" }
        return "\(rows) rows, \(engine.settings.windows.minRows) are needed"
    }

    static func number(_ value: Double?) -> String { value.map { NumberText.short($0) } ?? "–" }
    static func share(_ value: Double?) -> String { value.map { NumberText.short($0 * 100, digits: 3) + " %" } ?? "–" }

    // MARK: Page

    package func html() -> String {
        let time = engine.now.map { EventTime.format($0) } ?? "no records yet"
        return Report(
            title: "Monitoring of \(engine.settings.model)", lead: "Event time \(time)",
            sections: [overview, performance, distributions, timeLine, quality]
        ).render()
    }

    private var overview: Report.Section {
        var blocks: [Report.Block] = []
        if let drift {
            blocks.append(.verdict(drift.isDrifted ? "The data has drifted" : "The data has not drifted", drift.isDrifted ? .bad : .good))
        }
        blocks.append(.paragraph("Drift: " + driftSentence + "."))
        if let version, let sums = engine.totals[version], let mae = sums.mae {
            if let baseline = sums.baselineMAE {
                blocks.append(
                    .verdict(
                        mae < baseline
                            ? "Version \(version) beats its baseline: MAE \(Self.number(mae)) against \(Self.number(baseline))"
                            : "Version \(version) does not beat its baseline: MAE \(Self.number(mae)) against \(Self.number(baseline))",
                        mae < baseline ? .good : .warn))
            } else {
                blocks.append(.paragraph("Version \(version): MAE \(Self.number(mae))."))
            }
            if let warning = Self.coverageWarning(sums) {
                blocks.append(
                    .verdict(
                        "The errors of version \(version) are means \(warning). "
                            + "Labels are rows of the view labels.from with a value, for the moment that was predicted, within labels.wait.",
                        .warn))
            }
        }
        let counts = engine.counts
        blocks.append(
            .facts([
                ("Model", engine.settings.model), ("Versions", engine.versions.joined(separator: ", ")),
                ("Predictions", "\(counts.predictions)"), ("Label rows", "\(counts.labels)"),
                ("Waiting for a label", "\(engine.join.waitingCount)"),
                ("Repeated predictions", "\(counts.repeated)"), ("Features came with the request", "\(counts.withoutEntity)"),
                ("Without a number", "\(counts.withoutOutput)"), ("Too old for a label", "\(counts.stale)"),
                ("Labels that came too late", "\(engine.join.lateLabels)"), ("Unreadable records", "\(counts.unreadable)"),
            ]))
        return Report.Section("Overview", blocks)
    }

    private var performance: Report.Section {
        let rows = engine.versions.compactMap { version -> [HTML]? in
            guard let sums = engine.totals[version] else { return nil }
            return [
                "\(version)", "\(sums.predictions)", "\(sums.labelled)", "\(sums.missing)", "\(sums.open)", "\(Self.share(sums.coverage))",
                "\(Self.number(sums.mae))", "\(Self.number(sums.rmse))", "\(Self.number(sums.meanError))",
                "\(Self.number(sums.baselineMAE))", "\(Self.number(sums.baselineRMSE))",
            ]
        }
        let columns =
            [TableMarkup.Column.text("Version")]
            + ["Predicted", "Labelled", "Missing", "Waiting", "Coverage", "MAE", "RMSE", "Mean error", "Baseline MAE", "Baseline RMSE"]
            .map { .number($0) }
        let lead = "One prediction counts per entity, time and version: the earliest. Errors are prediction − truth."
        return Report.Section(
            "Performance",
            [Report.Block.paragraph(lead), .table(TableMarkup(columns, rows: rows, whenEmpty: "No label has come yet."))]
                + reasonsWithoutBaseline.map { Report.Block.paragraph($0) })
    }

    /// Why versions that have errors have none of a baseline beside them.
    private var reasonsWithoutBaseline: [String] {
        engine.versions.filter { version in
            engine.totals[version].map { $0.mae != nil && $0.baselineMAE == nil } ?? false
        }.map { version in
            guard let baseline = engine.settings.baseline else {
                return "Version \(version) has no baseline's errors: training.baselines holds no current(column)."
            }
            if engine.recent[version]?.names.contains(baseline) == true || baseline == engine.settings.labelColumn {
                return "Version \(version) has no baseline's errors: \(baseline) was null wherever a label has come."
            }
            return """
                Version \(version) has no baseline's errors: current(\(baseline)) is not known, since \(baseline) is neither an input of the \
                model nor the column of the labels, \(engine.settings.labelColumn).
                """
        }
    }
}
