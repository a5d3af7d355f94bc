import Domain
import Project
import Web

/// Window by window.
extension MonitorReport {
    /// Rows of the table of windows.
    private static let maxWindowRows = 48
    /// Versions that get a line.
    private static let maxLines = 4

    private typealias Windows = [(key: MonitorEngine.WindowKey, value: MonitorEngine.Window)]

    var timeLine: Report.Section {
        let windows = engine.windows.sorted { $0.key < $1.key }
        guard !windows.isEmpty else { return Report.Section("Windows", [.paragraph("No window yet.")]) }
        let settings = engine.settings.windows
        let ends = [windows.first, windows.last].compactMap { $0.map { Double($0.key.start + settings.length) } }
        let limit = Chart.Series("threshold", ends.map { (x: $0, y: engine.settings.drift.share) }, color: Self.maxLines + 1)
        /// Nothing where no version has a value: an empty box says less than none.
        func chart(_ title: String, _ label: String, includes: [Double], _ lines: [Chart.Series], beside others: [Chart.Series] = [])
            -> [Chart]
        {
            lines.isEmpty
                ? []
                : [
                    Chart(
                        title: "\(title) by window", xLabel: "window end", yLabel: label, horizontal: .time, verticalIncludes: includes,
                        .points(.line, lines + others))
                ]
        }
        let predictions = lines(windows, minRows: 0) { Double($0.errors.predictions) }
        let charts =
            chart("Mean absolute error", "MAE", includes: [], lines(windows) { $0.errors.mae }, beside: baseline(windows))
            + chart("Label coverage", "coverage", includes: [0, 1], lines(windows) { $0.errors.coverage })
            + chart("Drifted share of columns", "share", includes: [0, 1], lines(windows) { $0.drift?.share }, beside: [limit])
            + chart("Predictions", "predictions", includes: [0], predictions)
        let rows = windows.suffix(Self.maxWindowRows).reversed().map { Self.row($0.key, $0.value, settings.minRows) }
        let columns: [TableMarkup.Column] =
            [.text("Window"), .text("Version")]
            + ["Predicted", "Labelled", "Coverage", "MAE", "RMSE", "Baseline MAE", "Drifted share"].map { .number($0) }
        return Report.Section(
            "Windows",
            [
                .paragraph(
                    "A window is \(Self.time(settings.length)) of the features' time; below \(settings.minRows) rows it gives no verdict. The errors of a closed window change while labels come, its verdict while rows do."
                ),
                .charts(charts), .table(TableMarkup(columns, rows: Array(rows))),
            ])
    }

    /// One line a version that has a value anywhere. A window with few rows interrupts the line instead of bending it.
    private func lines(
        _ windows: Windows, minRows: Int? = nil, _ value: (MonitorEngine.Window) -> Double?
    ) -> [Chart.Series] {
        let least = minRows ?? engine.settings.windows.minRows
        return engine.versions.suffix(Self.maxLines).enumerated().compactMap { place, version in
            let points = windows.filter { $0.key.version == version }.map { key, window in
                (x: end(key), y: window.errors.predictions >= least ? value(window) ?? .nan : .nan)
            }
            guard points.contains(where: { $0.y.isFinite }) else { return nil }
            return Chart.Series("version \(version)", points, color: place)
        }
    }

    /// The baseline's error, window by window that of the highest version that has one: versions answer the same questions.
    private func baseline(_ windows: Windows) -> [Chart.Series] {
        var points: [(x: Double, y: Double)] = []
        let order = engine.versions
        let byStart = Dictionary(grouping: windows) { $0.key.start }.sorted { $0.key < $1.key }
        for (_, group) in byStart {
            let known = group.filter {
                $0.value.errors.predictions >= engine.settings.windows.minRows && $0.value.errors.baselineMAE != nil
            }
            let best = known.max { order.firstIndex(of: $0.key.version) ?? -1 < order.firstIndex(of: $1.key.version) ?? -1 }
            points.append((x: group.first.map { end($0.key) } ?? .nan, y: best?.value.errors.baselineMAE ?? .nan))
        }
        return points.contains { $0.y.isFinite } ? [Chart.Series("baseline", points, color: Self.maxLines)] : []
    }

    private func end(_ key: MonitorEngine.WindowKey) -> Double { Double(key.start + engine.settings.windows.length) }

    /// `1 day`, `90 minutes`: in the largest unit that leaves no rest.
    static func time(_ milliseconds: Int64) -> String {
        for (unit, length) in [("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000)] as [(String, Int64)]
        where milliseconds >= length && milliseconds % length == 0 {
            let count = milliseconds / length
            return "\(count) \(unit)\(count == 1 ? "" : "s")"
        }
        return "\(milliseconds) ms"
    }

    private static func row(_ key: MonitorEngine.WindowKey, _ window: MonitorEngine.Window, _ minRows: Int) -> [HTML] {
        let errors = window.errors
        let drift: HTML =
            window.drift.map { drift in
                drift.isDrifted ? "<span class=\"bad\">\(share(drift.share))</span>" : "\(share(drift.share))"
            } ?? (window.isClosed && errors.predictions < minRows ? "too few rows" : "–")
        return [
            "<time>\(EventTime.format(key.start))</time>", "\(key.version)", "\(errors.predictions)", "\(errors.labelled)",
            "\(share(errors.coverage))", "\(number(errors.mae))", "\(number(errors.rmse))", "\(number(errors.baselineMAE))", drift,
        ]
    }
}
