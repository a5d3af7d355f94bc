import Domain
import Tracking
import Web

/// Runs side by side: what differs, their charts over each other, one quantity against another.
struct ComparePage: Sendable {
    let service: ScopedService

    /// Runs of a comparison, and runs that a table has columns for.
    private static let maxRuns = 100, maxColumns = 20
    /// Names of a kind that are compared, and rows of a kind that the table shows.
    private static let maxNames = 1_000, maxRows = 300
    private static let views = [("", "Differences"), ("charts", "Charts"), ("scatter", "Scatter"), ("parallel", "Parallel")]

    func show(_ query: PageQuery) async throws -> Page {
        var ids: [String] = []
        for id in query.all("run") where !ids.contains(id) { ids.append(id) }
        guard ids.count <= Self.maxRuns else {
            throw TrackingError(.invalidParameter, "\(ids.count) runs were chosen; at most \(Self.maxRuns) can be compared")
        }
        let runs = try await load(ids)
        guard let first = runs.first else {
            throw TrackingError(
                ids.isEmpty ? .invalidParameter : .doesNotExist,
                ids.isEmpty ? "No runs were chosen; pick some in an experiment's table" : "None of these runs exists")
        }
        let experiment = try await service.store.experiment(id: first.info.experimentID)
        let trail = [Pages.Section.experiments.link, Page.Link(experiment.name, "/experiments/\(experiment.id)")]
        var page = Pages.page(runs.count == 1 ? first.info.name : "Comparing \(runs.count) runs", in: .experiments, trail: trail)
        page.isWide = true
        let view = query["view"]
        let tabs = Self.views.map { name, title in
            Piece.Tab(title: title, target: query.without("view", "page").setting("view", name).address, isCurrent: view == name)
        }
        let body: HTML =
            switch view {
            case "charts": try await charts(runs, query)
            case "scatter": scatter(runs, query)
            case "parallel": parallel(runs, query)
            default: differences(runs, query)
            }
        page.body = "\(Piece.tabs(tabs))\(body)"
        return page
    }

    /// The runs with as many of their values as a comparison can show; runs that are gone are left out.
    private func load(_ ids: [String]) async throws(TrackingError) -> [Run] {
        let bare = try await service.store.runs(ids: ids, showing: TrackingStore.RunColumns())
        var columns = TrackingStore.RunColumns()
        for experiment in Set(bare.map(\.info.experimentID)) {
            let names = try await service.store.names(ofExperiment: experiment, runs: ids, limit: Self.maxNames)
            columns.metrics = Array(Set(columns.metrics + names.metrics))
            columns.params = Array(Set(columns.params + names.params))
            columns.tags = Array(Set(columns.tags + names.tags))
        }
        return try await service.store.runs(ids: ids, showing: columns)
    }

    // MARK: Differences

    private func differences(_ runs: [Run], _ query: PageQuery) -> HTML {
        let shown = Array(runs.prefix(Self.maxColumns)), now = service.now()
        let onlyDiffering = query["only"] != "all" && runs.count > 1
        let heads = shown.enumerated().map { index, run -> HTML in
            let others = query.removing("run", run.info.id).address
            return """
                <th scope="col"><i class="c\(index % Chart.colorCount)">■</i> \(Piece.run(run.info.id, name: run.info.name)) \
                <a class="dim" href="\(others)" title="Leave it out" aria-label="Leave out \(run.info.name)">×</a></th>
                """
        }
        func row(_ name: String, _ values: [HTML], differs: Bool = false) -> HTML {
            let mark: HTML = differs ? " class=\"differs\"" : .empty
            return "<tr><th scope=\"row\">\(Piece.clip(name))</th>\(values.map { value -> HTML in "<td\(mark)>\(value)</td>" })</tr>\n"
        }
        var rows: [HTML] = [
            row("Status", shown.map { Piece.status($0.info.status) }), row("Started", shown.map { Piece.ago($0.info.startTime, now: now) }),
            row("Duration", shown.map { "\(Piece.duration($0.info, now: now))" }),
        ]
        var hidden = 0
        for (title, columns) in Self.groups(shown) {
            var group: [HTML] = []
            for column in columns {
                let values = shown.map { column.value(of: $0) }
                let differs = Set(values).count > 1
                if onlyDiffering && !differs {
                    hidden += 1
                } else {
                    group.append(
                        row(
                            column.title, values.map { $0.map { Piece.value($0) } ?? "<span class=\"dim\">–</span>" },
                            differs: differs && shown.count > 1))
                }
            }
            guard !group.isEmpty else { continue }
            rows.append("<tr><th scope=\"colgroup\" colspan=\"\(shown.count + 1)\"><strong>\(title)</strong></th></tr>")
            rows += group.prefix(Self.maxRows)
            if group.count > Self.maxRows {
                rows.append(
                    "<tr><td colspan=\"\(shown.count + 1)\" class=\"dim\">… \(Piece.grouped(group.count - Self.maxRows)) more</td></tr>")
            }
        }
        let toggle: HTML = """
            <a class="button" href="\(query.setting("only", onlyDiffering ? "all" : nil).address)">\(onlyDiffering ? "Show all rows" : "Show only what differs")</a>
            """
        let note: HTML =
            onlyDiffering && hidden > 0 ? "<span class=\"dim\">\(Piece.count(hidden, "row")) alike in all runs left out</span>" : .empty
        let cut: HTML = runs.count > shown.count ? "<span class=\"dim\">the first \(shown.count) of \(runs.count) runs</span>" : .empty
        return """
            <div class="bar">\(toggle)\(note)\(cut)</div>
            <div class="scroll"><table class="compact"><thead><tr><th></th>\(heads)</tr></thead><tbody>\(rows)</tbody></table></div>
            """
    }

    private static func groups(_ runs: [Run]) -> [(String, [RunColumn])] {
        func columns(_ kind: RunColumn.Kind, _ keys: (Run) -> [String]) -> [RunColumn] {
            Set(runs.flatMap(keys)).sorted().map { RunColumn(kind, $0) }
        }
        return [
            ("Metrics", columns(.metrics) { $0.metrics.map(\.key) }), ("Parameters", columns(.params) { $0.params.map(\.key) }),
            (
                "Tags",
                columns(.tags) {
                    $0.tags.map(\.key).filter { !$0.hasPrefix("mlflow.") || $0 == "mlflow.user" || $0 == "mlflow.source.name" }
                }
            ),
        ]
    }

    // MARK: Charts

    private func charts(_ runs: [Run], _ query: PageQuery) async throws(TrackingError) -> HTML {
        let charts = MetricCharts(service: service, runs: Array(runs.prefix(Chart.colorCount)), query: query)
        let cut: HTML = runs.count > Chart.colorCount ? "<p class=\"dim\">The first \(Chart.colorCount) of \(runs.count) runs.</p>" : .empty
        return "\(charts.controls())\(cut)\(try await charts.html())"
    }

    /// Quantities that at least two runs have as numbers, metrics first.
    private static func quantities(_ runs: [Run]) -> [RunColumn] {
        var counts: [RunColumn: Int] = [:]
        for run in runs {
            for metric in run.metrics where metric.value.isFinite { counts[RunColumn(.metrics, metric.key), default: 0] += 1 }
            for param in run.params where Double(param.value)?.isFinite ?? false { counts[RunColumn(.params, param.key), default: 0] += 1 }
        }
        let known = counts.filter { $0.value > 1 }.keys
        return known.sorted { ($0.kind == .metrics ? 0 : 1, $0.key) < ($1.kind == .metrics ? 0 : 1, $1.key) }.prefix(500).map { $0 }
    }

    private static let nothing: HTML =
        "<p class=\"empty\">These runs have no number in common to draw. Pick at least two runs with metrics or numeric parameters.</p>"

    private func scatter(_ runs: [Run], _ query: PageQuery) -> HTML {
        let known = Self.quantities(runs)
        guard let standard = known.first else { return Self.nothing }
        // A parameter against a metric says most.
        let x =
            RunColumn(query["x"]).flatMap { known.contains($0) ? $0 : nil } ?? known.first { $0.kind == .params } ?? known.dropFirst().first
            ?? standard
        let y = RunColumn(query["y"]).flatMap { known.contains($0) ? $0 : nil } ?? standard
        func choice(_ name: String, _ chosen: RunColumn) -> HTML {
            "<label>\(name) <select name=\"\(name)\">\(known.map { Piece.option($0.text, $0.text, chosen: chosen.text) })</select></label>"
        }
        let series = runs.enumerated().compactMap { index, run -> Chart.Series? in
            guard let across = x.number(of: run), let up = y.number(of: run) else { return nil }
            return Chart.Series(run.info.name, [(across, up)], color: index, target: "/runs/\(run.info.id)")
        }
        var chart = Chart(
            title: "\(y.key) by \(x.key)", xLabel: x.key, yLabel: y.key, isLogarithmic: query["scale"] == "log", .points(.scatter, series))
        chart.size = (960, 420)
        return """
            <form class="bar" action="\(query.path)" data-auto>\(query.hidden(except: "x", "y", "scale"))\(choice("x", x))\(choice("y", y))\
            <label><input type="checkbox" name="scale" value="log"\(query["scale"] == "log" ? " checked" : "" as HTML)>log scale</label><button>Draw</button></form>
            \(chart.render())
            """
    }

    private func parallel(_ runs: [Run], _ query: PageQuery) -> HTML {
        let known = Self.quantities(runs)
        guard known.count > 1 else { return Self.nothing }
        let asked = query.all("axis").compactMap { RunColumn($0) }.filter { known.contains($0) }
        // What is alike in all runs separates nothing.
        let varied = known.filter { column in Set(runs.compactMap { column.number(of: $0) }).count > 1 }
        let standard = varied.filter { $0.kind == .params }.prefix(5) + varied.filter { $0.kind == .metrics }.prefix(3)
        let axes = Array((asked.isEmpty ? Array(standard) : asked).prefix(10))
        let boxes = known.prefix(200).map { column -> HTML in
            "<label title=\"\(column.text)\"><input type=\"checkbox\" name=\"axis\" value=\"\(column.text)\"\(axes.contains(column) ? " checked" : "" as HTML)>\(column.text)</label>"
        }
        var chart = Chart(
            title: "Parallel coordinates",
            .parallel(
                axes: axes.map(\.key),
                runs.enumerated().map { index, run in
                    Chart.Profile(run.info.name, axes.map { $0.number(of: run).flatMap { $0.isFinite ? $0 : nil } }, color: index)
                }))
        chart.size = (960, 380)
        return """
            <div class="bar"><details class="sheet"><summary class="button">Axes <span class="dim">\(axes.count)</span></summary><div>\
            <form action="\(query.path)">\(query.hidden(except: "axis"))<button class="primary">Show these axes</button><div class="choices">\(boxes)</div></form></div></details></div>
            \(axes.count > 1 ? chart.render() : Self.nothing)
            """
    }
}
