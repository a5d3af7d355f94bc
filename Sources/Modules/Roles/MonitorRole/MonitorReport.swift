import Domain
import Project
import Statistics
import Web

/// What the monitor knows, as a page and as text.
package struct MonitorReport: Sendable {
    private let engine: MonitorEngine
    private let version: String?
    private let drift: DriftVerdict?
    /// The latest values of the columns that drift is judged on.
    private let samples: [String: DriftReference.Sample]

    /// Columns that get a chart.
    private static let maxCharts = 40
    /// Rows of the table of windows.
    private static let maxWindowRows = 48

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
        if let baseline = sums.baselineMAE { text += "; baseline MAE \(number(baseline))" }
        return text
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

    private var reasonWithoutVerdict: String {
        guard let version, let rows = engine.recent[version]?.count else { return "no predictions with features" }
        guard engine.references[version] != nil else { return "version \(version) has no reference" }
        return "\(rows) rows, \(engine.settings.windows.minRows) are needed"
    }

    private static func number(_ value: Double?) -> String { value.map { NumberText.short($0) } ?? "–" }
    private static func share(_ value: Double?) -> String { value.map { NumberText.short($0 * 100, digits: 3) + " %" } ?? "–" }

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
        return Report.Section(
            "Performance",
            [
                .paragraph("One prediction counts per entity, time and version: the earliest. Errors are prediction − truth."),
                .table(TableMarkup(columns, rows: rows, whenEmpty: "No label has come yet.")),
            ])
    }

    private var distributions: Report.Section {
        guard let drift, let version else { return Report.Section("Distributions", [.paragraph("No verdict: \(reasonWithoutVerdict).")]) }
        let rows = drift.columns.map { column -> [HTML] in
            let name: HTML = "\(column.name)",
                missing: HTML = "\(Self.share(column.referenceMissing)) → \(Self.share(column.currentMissing))"
            switch column.verdict {
            case .failed(let reason): return [name, "<span class=\"warn\">not judged: \(reason)</span>", "", "", "", missing]
            case .score(let score, let method, let isDrifted):
                let verdict: HTML = isDrifted ? "<span class=\"bad\">drifted</span>" : "<span class=\"good\">same</span>"
                return [name, verdict, "\(method.rawValue)", "\(Self.number(score))", "\(Self.number(method.threshold))", missing]
            }
        }
        let columns: [TableMarkup.Column] = [
            .text("Column"), .text("Verdict"), .text("Method"), .number("Score"), .number("Threshold"), .number("Missing, then → now"),
        ]
        let charts = drift.columns.prefix(Self.maxCharts).compactMap { chart($0.name, version) }
        var blocks: [Report.Block] = [.table(TableMarkup(columns, rows: rows)), .charts(charts)]
        if drift.columns.count > Self.maxCharts { blocks.append(.paragraph("Charts of the first \(Self.maxCharts) columns.")) }
        return Report.Section("Distributions of version \(version): training and now", blocks)
    }

    private func chart(_ column: String, _ version: String) -> Chart? {
        guard let reference = engine.references[version]?[column], let current = samples[column] else { return nil }
        switch (reference.values, current.values) {
        case (.numbers(let before), .numbers(let now)):
            let edges = Histogram.sturgesEdges(before + now)
            guard edges.count > 1 else { return nil }
            return Chart(
                title: column, xLabel: column, yLabel: "share",
                .histogram(edges: edges, [("training", Self.shares(before, edges)), ("now", Self.shares(now, edges))]))
        case (.categories(let before), .categories(let now)):
            let names = Array(Set(before).union(now)).sorted().prefix(20)
            let edges = (0...names.count).map(Double.init)
            func shares(_ sample: [String]) -> [Double] {
                let counts = sample.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
                return names.map { sample.isEmpty ? 0 : Double(counts[$0] ?? 0) / Double(sample.count) }
            }
            return Chart(
                title: column, xLabel: names.joined(separator: " · "), yLabel: "share",
                .histogram(edges: edges, [("training", shares(before)), ("now", shares(now))]))
        default: return nil
        }
    }

    private static func shares(_ values: [Double], _ edges: [Double]) -> [Double] {
        let counts = Histogram(values, edges: edges).counts
        return counts.map { values.isEmpty ? 0 : Double($0) / Double(values.count) }
    }

    private var timeLine: Report.Section {
        let windows = engine.windows.sorted { $0.key < $1.key }
        guard !windows.isEmpty else { return Report.Section("Windows", [.paragraph("No window yet.")]) }
        let length = engine.settings.windows.length, minRows = engine.settings.windows.minRows
        // A window with few rows interrupts the line instead of bending it.
        func points(_ version: String?, _ value: (MonitorEngine.Window) -> Double?) -> [(x: Double, y: Double)] {
            windows.filter { version == nil || $0.key.version == version }.map { key, window in
                (x: Double(key.start + length), y: window.errors.predictions >= minRows ? value(window) ?? .nan : .nan)
            }
        }
        func series(_ value: @escaping (MonitorEngine.Window) -> Double?) -> [Chart.Series] {
            engine.versions.suffix(4).map { Chart.Series("version \($0)", points($0, value)) }
        }
        let errors = series { $0.errors.mae } + [Chart.Series("baseline", points(version) { $0.errors.baselineMAE })]
        let ends = [windows.first, windows.last].compactMap { $0.map { Double($0.key.start + length) } }
        let limit = Chart.Series("threshold", ends.map { (x: $0, y: engine.settings.drift.share) })
        let charts = [
            Chart(title: "Mean absolute error by window", xLabel: "window end", yLabel: "MAE", horizontal: .time, .points(.line, errors)),
            Chart(
                title: "Label coverage by window", xLabel: "window end", yLabel: "coverage", horizontal: .time,
                .points(.line, series { $0.errors.coverage })),
            Chart(
                title: "Drifted share of columns by window", xLabel: "window end", yLabel: "share", horizontal: .time,
                .points(.line, series { $0.drift?.share } + [limit])),
            Chart(
                title: "Predictions by window", xLabel: "window end", yLabel: "predictions", horizontal: .time,
                .points(
                    .line,
                    engine.versions.suffix(4).map { version in
                        Chart.Series(
                            "version \(version)",
                            windows.filter { $0.key.version == version }.map {
                                (x: Double($0.key.start + length), y: Double($0.value.errors.predictions))
                            })
                    })),
        ]
        let rows = windows.suffix(Self.maxWindowRows).reversed().map { Self.row($0.key, $0.value, minRows) }
        let columns: [TableMarkup.Column] =
            [.text("Window"), .text("Version")]
            + ["Predicted", "Labelled", "Coverage", "MAE", "RMSE", "Baseline MAE", "Drifted share"].map { .number($0) }
        return Report.Section(
            "Windows",
            [
                .paragraph(
                    "A window is \(length / 60_000) minutes of the features' time; below \(minRows) rows it gives no verdict. Errors of a closed window change while labels come."
                ),
                .charts(charts), .table(TableMarkup(columns, rows: Array(rows))),
            ])
    }

    private static func row(_ key: MonitorEngine.WindowKey, _ window: MonitorEngine.Window, _ minRows: Int) -> [HTML] {
        let errors = window.errors
        let drift: HTML =
            window.drift.map { drift in
                drift.isDrifted ? "<span class=\"bad\">\(share(drift.share))</span>" : "\(share(drift.share))"
            } ?? (window.isClosed && errors.predictions < minRows ? "too few rows" : "–")
        return [
            "\(EventTime.format(key.start))", "\(key.version)", "\(errors.predictions)", "\(errors.labelled)", "\(share(errors.coverage))",
            "\(number(errors.mae))", "\(number(errors.rmse))", "\(number(errors.baselineMAE))", drift,
        ]
    }

    private var quality: Report.Section {
        guard let version, let reference = engine.references[version] else {
            return Report.Section("Data quality", [.paragraph("Nothing to compare yet.")])
        }
        let rows = engine.driftColumns(of: version).compactMap { name -> [HTML]? in
            guard let now = samples[name] else { return nil }
            let before = reference[name]
            let rose = before.map { now.missing > $0.missing + ColumnDrift.missingRise } ?? false
            let missing: HTML = rose ? "<span class=\"bad\">\(Self.share(now.missing))</span>" : "\(Self.share(now.missing))"
            return ["\(name)", "\(Self.share(before?.missing))", missing] + Self.range(before) + Self.range(now)
        }
        let columns: [TableMarkup.Column] =
            [.text("Column"), .number("Missing in training"), .number("Missing now")]
            + ["Min in training", "Mean", "Max", "Min now", "Mean", "Max"].map { .number($0) }
        return Report.Section("Data quality", [.table(TableMarkup(columns, rows: rows))])
    }

    /// Least, mean and greatest value; for categories only how many there are.
    private static func range(_ sample: DriftReference.Sample?) -> [HTML] {
        switch sample?.values {
        case .numbers(let numbers) where !numbers.isEmpty:
            [numbers.min(), Moments(numbers).mean, numbers.max()].map { value -> HTML in "\(number(value))" }
        case .categories(let categories): ["", "\(Set(categories).count) categories", ""]
        default: ["", "", ""]
        }
    }
}
