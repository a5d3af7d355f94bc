import Domain
import Tracking
import Web

/// Charts of metrics over steps or time, of one run or of several laid over each other.
struct MetricCharts {
    enum Horizontal: String { case step, time, relative }

    let service: ScopedService
    let runs: [Run]
    let query: PageQuery

    /// Charts of a page, and points of a line: drawn as fast for a long run as for a short one.
    private static let perPage = 24, maxPoints = 300

    private var asked: Horizontal? { Horizontal(rawValue: query["x"]) }
    private var weight: Double { query.number("smooth", Smoothing.range, default: 0) }
    private var isLogarithmic: Bool { query["scale"] == "log" }
    private var first: Int { query.int("page", 0...1_000_000, default: 0) }

    /// What the person chose; applies at once with a script, with the button without one.
    func controls(overlay: HTML = .empty) -> HTML {
        """
        <form class="bar" action="\(query.path)" data-auto>\(query.hidden(except: "q", "x", "smooth", "scale", "with", "page"))\
        <input type="search" name="q" value="\(query["q"])" placeholder="Part of a metric's name" aria-label="Which metrics">\
        <label>x <select name="x">\(Piece.option("", "step", chosen: query["x"] == "step" ? "" : query["x"]))\(Piece.option("time", "time", chosen: query["x"]))\
        \(Piece.option("relative", "time since start", chosen: query["x"]))</select></label>\
        <label title="Weight of what came before">Smoothing <input type="range" name="smooth" min="0" max="0.99" step="0.01" value="\(NumberText.short(weight))">\
        <output>\(NumberText.short(weight))</output></label>\
        <label><input type="checkbox" name="scale" value="log"\(isLogarithmic ? " checked" : "" as HTML)>log scale</label>\(overlay)<button>Apply</button></form>
        """
    }

    func html() async throws(TrackingError) -> HTML {
        let text = query["q"].lowercased()
        // Metrics of the machine come after those of the model.
        let keys = Set(runs.flatMap { $0.metrics.map(\.key) }).filter { text.isEmpty || $0.lowercased().contains(text) }
            .sorted { ($0.hasPrefix("system/") ? 1 : 0, $0) < ($1.hasPrefix("system/") ? 1 : 0, $1) }
        guard !keys.isEmpty else { return "<p class=\"empty\">\(text.isEmpty ? "No metrics yet." : "No metric of this name.")</p>" }
        var figures: [HTML] = [], single: [String] = []
        for key in keys.dropFirst(first).prefix(Self.perPage) {
            if let chart = try await chart(key) { figures.append(chart.render()) } else { single.append(key) }
        }
        let next = first + Self.perPage < keys.count ? String(first + Self.perPage) : nil
        let around: HTML =
            keys.count > Self.perPage
            ? "Metrics \(first + 1)–\(min(keys.count, first + Self.perPage)) of \(Piece.grouped(keys.count))" : .empty
        return """
            <div class="charts">\(figures)</div>\(values(single))\(Piece.pager(query, next: next, around: around))
            """
    }

    /// `nil` when no run has more than one observation: a number tells it better.
    private func chart(_ key: String) async throws(TrackingError) -> Chart? {
        var histories: [(index: Int, run: Run, history: [Metric])] = []
        for (index, run) in runs.enumerated() where run.metrics.contains(where: { $0.key == key }) {
            let history = try await service.store.sampledHistory(run: run.info.id, key: key, maxPoints: Self.maxPoints)
            histories.append((index, run, history))
        }
        guard histories.contains(where: { $0.history.count > 1 }) else { return nil }
        // Observations that all carry one step tell nothing over steps.
        let hasSteps = histories.contains { Set($0.history.map(\.step)).count > 1 }
        let horizontal = asked ?? (hasSteps ? .step : .relative)
        var series: [Chart.Series] = []
        for (index, run, history) in histories {
            let xs = history.map { x($0, run, horizontal) }
            let name = runs.count > 1 ? run.info.name : key
            let values = history.map(\.value)
            if weight > 0 { series.append(Chart.Series(name, zip(xs, values).map { ($0, $1) }, color: index, isFaint: true)) }
            let smooth = zip(xs, Smoothing.average(values, weight: weight)).map { (x: $0, y: $1) }
            series.append(Chart.Series(name, smooth, color: index, target: "/runs/\(run.info.id)"))
        }
        let label = horizontal == .step ? "step" : horizontal == .time ? "time" : "seconds"
        return Chart(
            title: key, xLabel: label, horizontal: horizontal == .time ? .time : .number, isLogarithmic: isLogarithmic,
            .points(.line, series))
    }

    private func x(_ metric: Metric, _ run: Run, _ horizontal: Horizontal) -> Double {
        switch horizontal {
        case .step: Double(metric.step)
        case .time: Double(metric.timestamp)
        case .relative: Double(metric.timestamp &- run.info.startTime) / 1_000
        }
    }

    /// Metrics that were observed once.
    private func values(_ keys: [String]) -> HTML {
        guard !keys.isEmpty else { return .empty }
        let rows = keys.map { key -> [HTML] in
            ["\(key)"]
                + runs.map { run -> HTML in run.metrics.first { $0.key == key }.map { "\(NumberText.short($0.value, digits: 7))" } ?? .empty
                }
        }
        let columns = [TableMarkup.Column.text("Observed once")] + runs.map { .number($0.info.name) }
        return "<br>" + TableMarkup(columns, rows: rows).render()
    }
}
