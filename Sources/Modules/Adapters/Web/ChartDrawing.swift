import Domain

/// Places one chart's axes and marks inside its box.
struct ChartDrawing {
    static let width = 480, height = 260
    private static let left = 58.0, right = 12.0, top = 10.0, bottom = 40.0

    let body: HTML

    init(chart: Chart) {
        switch chart.shape {
        case .points(let mark, let series):
            let x = ChartScale(series.lazy.flatMap { $0.points.lazy.map(\.x) })
            let y = ChartScale(series.lazy.flatMap { $0.points.lazy.map(\.y) }, isLogarithmic: chart.isLogarithmic)
            let marks = series.enumerated().map { Self.points($1.points, mark, color: $0, x, y) }
            body = Self.verticalAxis(y, chart.yLabel) + Self.horizontalAxis(x, chart) + marks.joined()
        case .bars(let bars):
            let y = ChartScale(bars.lazy.map(\.value), isLogarithmic: false, includesZero: true)
            body = Self.verticalAxis(y, chart.yLabel) + Self.bars(bars, y) + Self.axisTitle(chart.xLabel)
        case .histogram(let edges, let samples):
            let x = ChartScale(edges)
            let y = ChartScale(samples.lazy.flatMap { $0.shares }, includesZero: true)
            let marks = samples.enumerated().map { Self.steps(edges, $1.shares, color: $0, x, y) }
            body = Self.verticalAxis(y, chart.yLabel) + Self.horizontalAxis(x, chart) + marks.joined()
        }
    }

    private static func across(_ position: Double) -> Double { left + position * (Double(width) - left - right) }
    private static func down(_ position: Double) -> Double { Double(height) - bottom - position * (Double(height) - top - bottom) }

    /// One decimal is a tenth of a pixel.
    private static func pixel(_ value: Double) -> String { NumberText.short((value * 10).rounded() / 10) }

    private static func verticalAxis(_ scale: ChartScale, _ label: String) -> HTML {
        let lines = scale.ticks.compactMap { tick -> HTML? in
            guard let position = scale.position(tick) else { return nil }
            let y = pixel(down(position))
            return """
                <line x1="\(pixel(left))" x2="\(pixel(Double(width) - right))" y1="\(y)" y2="\(y)" stroke="var(--line)"/>\
                <text x="\(pixel(left - 6))" y="\(y)" text-anchor="end" dominant-baseline="middle">\(NumberText.short(tick, digits: 4))</text>
                """
        }
        let title: HTML =
            label.isEmpty
            ? .empty : "<text transform=\"translate(11 \(height / 2 - 10)) rotate(-90)\" text-anchor=\"middle\">\(label)</text>"
        return lines.joined() + title
    }

    private static func horizontalAxis(_ scale: ChartScale, _ chart: Chart) -> HTML {
        // A time needs more room than a number.
        let step = if case .time = chart.horizontal { max(1, (scale.ticks.count + 2) / 3) } else { 1 }
        let labels = scale.ticks.enumerated().compactMap { index, tick -> HTML? in
            guard index % step == 0, let position = scale.position(tick) else { return nil }
            let text = if case .time = chart.horizontal { time(tick) } else { NumberText.short(tick, digits: 4) }
            // A label at an end grows inwards: the drawing ends there.
            let anchor = position > 0.97 ? "end" : "middle"
            return "<text x=\"\(pixel(across(position)))\" y=\"\(height - 24)\" text-anchor=\"\(anchor)\">\(text)</text>"
        }
        return labels.joined() + axisTitle(chart.xLabel)
    }

    private static func axisTitle(_ label: String) -> HTML {
        label.isEmpty ? .empty : "<text x=\"\(width / 2 + 20)\" y=\"\(height - 6)\" text-anchor=\"middle\">\(label)</text>"
    }

    /// `01-31 12:00`
    private static func time(_ milliseconds: Double) -> String {
        guard let value = Int64(exactly: milliseconds.rounded()), EventTime.range.contains(value) else { return "" }
        let text = EventTime.format(value)
        return String(text.prefix(16).suffix(11)).replacing("T", with: " ")
    }

    /// A line breaks where a value is missing; single points between gaps still show.
    private static func points(
        _ points: [(x: Double, y: Double)], _ mark: Chart.Mark, color: Int, _ x: ChartScale, _ y: ChartScale
    ) -> HTML {
        var dots: HTML = .empty
        var path = ""
        var run: [String] = []
        func endRun() {
            if run.count == 1 { dots += dot(run[0], color) }
            if run.count > 1 { path += "M" + run.joined(separator: "L") }
            run.removeAll()
        }
        for point in points {
            guard let across = x.position(point.x), let up = y.position(point.y) else {
                endRun()
                continue
            }
            let place = pixel(self.across(across)) + " " + pixel(down(up))
            if mark == .scatter { dots += dot(place, color) } else { run.append(place) }
        }
        endRun()
        guard !path.isEmpty else { return dots }
        return dots + "<path d=\"\(path)\" fill=\"none\" stroke=\"var(--c\(color % 6))\" stroke-width=\"1.6\" stroke-linejoin=\"round\"/>"
    }

    private static func dot(_ place: String, _ color: Int) -> HTML {
        let parts = place.split(separator: " ")
        return
            "<circle cx=\"\(String(parts[0]))\" cy=\"\(String(parts[1]))\" r=\"2.4\" fill=\"var(--c\(color % 6))\" fill-opacity=\"0.75\"/>"
    }

    private static func bars(_ bars: [(label: String, value: Double)], _ y: ChartScale) -> HTML {
        guard !bars.isEmpty, let zero = y.position(0) else { return .empty }
        let slot = (Double(width) - left - right) / Double(bars.count)
        return bars.enumerated().map { index, bar -> HTML in
            let start = left + Double(index) * slot
            let name = bar.label.count > 14 ? bar.label.prefix(13) + "…" : bar.label[...]
            let label: HTML = """
                <text x="\(pixel(start + slot / 2))" y="\(height - 24)" text-anchor="middle">\(String(name))</text>
                """
            guard let position = y.position(bar.value) else { return label }
            let (upper, lower) = (down(max(position, zero)), down(min(position, zero)))
            return label + """
                <rect x="\(pixel(start + slot * 0.15))" y="\(pixel(upper))" width="\(pixel(slot * 0.7))" height="\(pixel(max(0.5, lower - upper)))" \
                fill="var(--c0)"><title>\(bar.label): \(NumberText.short(bar.value))</title></rect>
                """
        }.joined()
    }

    /// The outline of a histogram, filled lightly so that two samples can lie over each other.
    private static func steps(_ edges: [Double], _ shares: [Double], color: Int, _ x: ChartScale, _ y: ChartScale) -> HTML {
        guard edges.count == shares.count + 1, let zero = y.position(0) else { return .empty }
        var places: [String] = []
        for (index, share) in shares.enumerated() {
            guard let from = x.position(edges[index]), let to = x.position(edges[index + 1]), let up = y.position(share) else { continue }
            if places.isEmpty { places.append(pixel(across(from)) + " " + pixel(down(zero))) }
            places.append(pixel(across(from)) + " " + pixel(down(up)))
            places.append(pixel(across(to)) + " " + pixel(down(up)))
        }
        guard let last = x.position(edges[edges.count - 1]), !places.isEmpty else { return .empty }
        places.append(pixel(across(last)) + " " + pixel(down(zero)))
        return """
            <path d="M\(places.joined(separator: "L"))Z" fill="var(--c\(color % 6))" fill-opacity="0.18" stroke="var(--c\(color % 6))" stroke-width="1.4"/>
            """
    }
}
