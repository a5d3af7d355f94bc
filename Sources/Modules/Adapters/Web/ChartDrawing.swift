/// Places one chart's marks inside its frame.
struct ChartDrawing {
    let body: HTML

    init(chart: Chart) {
        let frame = ChartFrame(chart.size)
        switch chart.shape {
        case .points(let mark, let series):
            let x = ChartScale(series.lazy.flatMap { $0.points.lazy.map(\.x) }, isTight: mark == .line)
            let y = ChartScale(
                series.lazy.flatMap { $0.points.lazy.map(\.y) }, isLogarithmic: chart.isLogarithmic, including: chart.verticalIncludes)
            let pen = PointPen(frame: frame, x: x, y: y, isTime: chart.horizontal == .time, xLabel: chart.xLabel)
            let marks = series.enumerated().map { pen.draw($1, mark, color: $1.color ?? $0) }
            body = frame.verticalAxis(y, chart.yLabel) + frame.horizontalAxis(x, chart) + marks.joined()
        case .bars(let bars):
            let y = ChartScale(bars.lazy.map(\.value), isLogarithmic: false, includesZero: true)
            body = frame.verticalAxis(y, chart.yLabel) + Self.bars(bars, y, frame) + frame.axisTitle(chart.xLabel)
        case .groups(let labels, let samples):
            let y = ChartScale(samples.lazy.flatMap { $0.values }, includesZero: true)
            body = frame.verticalAxis(y, chart.yLabel) + Self.groups(labels, samples, y, frame) + frame.axisTitle(chart.xLabel)
        case .histogram(let edges, let samples):
            let x = ChartScale(edges)
            let y = ChartScale(samples.lazy.flatMap { $0.shares }, includesZero: true)
            let marks = samples.enumerated().map { Self.steps(edges, $1.shares, color: $0, x, y, frame) }
            body = frame.verticalAxis(y, chart.yLabel) + frame.horizontalAxis(x, chart) + marks.joined()
        case .parallel(let axes, let profiles):
            body = ParallelDrawing(axes, profiles, frame).body
        }
    }

    private static func bars(_ bars: [(label: String, value: Double)], _ y: ChartScale, _ frame: ChartFrame) -> HTML {
        guard !bars.isEmpty, let zero = y.position(0) else { return .empty }
        let pixel = ChartFrame.pixel
        let slot = frame.innerWidth / Double(bars.count)
        return bars.enumerated().map { index, bar -> HTML in
            let start = frame.leftEdge + Double(index) * slot
            let name = bar.label.count > 14 ? bar.label.prefix(13) + "…" : bar.label[...]
            let label: HTML = """
                <text x="\(pixel(start + slot / 2))" y="\(pixel(frame.height - 24))" text-anchor="middle">\(String(name))</text>
                """
            guard let position = y.position(bar.value) else { return label }
            let (upper, lower) = (frame.down(max(position, zero)), frame.down(min(position, zero)))
            return label + """
                <rect x="\(pixel(start + slot * 0.15))" y="\(pixel(upper))" width="\(pixel(slot * 0.7))" height="\(pixel(max(0.5, lower - upper)))" \
                fill="var(--c0)"><title>\(bar.label): \(NumberText.short(bar.value))</title></rect>
                """
        }.joined()
    }

    /// Bars of the samples side by side, label by label.
    private static func groups(
        _ labels: [String], _ samples: [(name: String, values: [Double])], _ y: ChartScale, _ frame: ChartFrame
    ) -> HTML {
        guard !labels.isEmpty, !samples.isEmpty, let zero = y.position(0) else { return .empty }
        let pixel = ChartFrame.pixel
        let slot = frame.innerWidth / Double(labels.count), width = slot * 0.76 / Double(samples.count)
        // A letter is some 6 wide.
        let room = max(2, Int(slot / 6))
        return labels.enumerated().map { index, label -> HTML in
            let start = frame.leftEdge + Double(index) * slot
            let name = label.count > room ? label.prefix(room - 1) + "…" : label[...]
            let bars = samples.enumerated().compactMap { place, sample -> HTML? in
                guard index < sample.values.count, let position = y.position(sample.values[index]) else { return nil }
                let (upper, lower) = (frame.down(max(position, zero)), frame.down(min(position, zero)))
                return """
                    <rect x="\(pixel(start + slot * 0.12 + Double(place) * width))" y="\(pixel(upper))" width="\(pixel(width))" \
                    height="\(pixel(max(0.5, lower - upper)))" fill="\(ChartFrame.color(place))">\
                    <title>\(label), \(sample.name): \(NumberText.short(sample.values[index]))</title></rect>
                    """
            }
            return """
                \(bars)<text x="\(pixel(start + slot / 2))" y="\(pixel(frame.height - 24))" text-anchor="middle">\(String(name))\
                <title>\(label)</title></text>
                """
        }.joined()
    }

    /// The outline of a histogram, filled lightly so that two samples can lie over each other.
    private static func steps(
        _ edges: [Double], _ shares: [Double], color: Int, _ x: ChartScale, _ y: ChartScale, _ frame: ChartFrame
    ) -> HTML {
        guard edges.count == shares.count + 1, let zero = y.position(0) else { return .empty }
        let pixel = ChartFrame.pixel
        var places: [String] = []
        for (index, share) in shares.enumerated() {
            guard let from = x.position(edges[index]), let to = x.position(edges[index + 1]), let up = y.position(share) else { continue }
            if places.isEmpty { places.append(pixel(frame.across(from)) + " " + pixel(frame.down(zero))) }
            places.append(pixel(frame.across(from)) + " " + pixel(frame.down(up)))
            places.append(pixel(frame.across(to)) + " " + pixel(frame.down(up)))
        }
        guard let last = x.position(edges[edges.count - 1]), !places.isEmpty else { return .empty }
        places.append(pixel(frame.across(last)) + " " + pixel(frame.down(zero)))
        let fill = ChartFrame.color(color)
        return """
            <path d="M\(places.joined(separator: "L"))Z" fill="\(fill)" fill-opacity="0.18" stroke="\(fill)" stroke-width="1.4"/>
            """
    }
}

/// Draws series of points over two scales.
private struct PointPen {
    let frame: ChartFrame
    let x: ChartScale
    let y: ChartScale
    let isTime: Bool
    let xLabel: String

    /// Points of a line that tell their value; more would make the page heavy and stand too close to be pointed at.
    private static let maxHits = 80

    /// A line breaks where a value is missing; single points between gaps still show.
    func draw(_ series: Chart.Series, _ mark: Chart.Mark, color: Int) -> HTML {
        var dots: HTML = .empty, hits: HTML = .empty
        var path = ""
        var run: [String] = []
        func endRun() {
            if run.count == 1 { dots += dot(run[0], color, nil) }
            if run.count > 1 { path += "M" + run.joined(separator: "L") }
            run.removeAll()
        }
        let step = max(1, (series.points.count + Self.maxHits - 1) / Self.maxHits)
        for (index, point) in series.points.enumerated() {
            guard let across = x.position(point.x), let up = y.position(point.y) else {
                endRun()
                continue
            }
            let place = ChartFrame.pixel(frame.across(across)) + " " + ChartFrame.pixel(frame.down(up))
            if mark == .scatter {
                let point = dot(place, color, label(series, point))
                dots += series.target.map { "<a href=\"\($0)\">\(point)</a>" } ?? point
                continue
            }
            run.append(place)
            if !series.isFaint, index % step == 0 || index == series.points.count - 1 { hits += hit(place, label(series, point)) }
        }
        endRun()
        let group: HTML = hits.isEmpty ? .empty : "<g class=\"c\(color % Chart.colorCount)\">\(hits)</g>"
        guard !path.isEmpty else { return dots + group }
        let look: HTML = series.isFaint ? "stroke-width=\"1\" stroke-opacity=\"0.3\"" : "stroke-width=\"1.7\""
        return dots + "<path d=\"\(path)\" fill=\"none\" stroke=\"\(ChartFrame.color(color))\" \(look) stroke-linejoin=\"round\"/>" + group
    }

    private func label(_ series: Chart.Series, _ point: (x: Double, y: Double)) -> String {
        let where_ = isTime ? ChartFrame.time(point.x) : NumberText.short(point.x, digits: 7)
        return "\(series.name): \(NumberText.short(point.y, digits: 7)) at \(xLabel.isEmpty ? "" : xLabel + " ")\(where_)"
    }

    private func hit(_ place: String, _ label: String) -> HTML {
        let parts = place.split(separator: " ")
        return "<circle class=\"hit\" cx=\"\(String(parts[0]))\" cy=\"\(String(parts[1]))\" r=\"5\"><title>\(label)</title></circle>"
    }

    private func dot(_ place: String, _ color: Int, _ label: String?) -> HTML {
        let parts = place.split(separator: " ")
        let title: HTML = label.map { "<title>\($0)</title>" } ?? .empty
        let radius = label == nil ? "2.4" : "4"
        return """
            <circle cx="\(String(parts[0]))" cy="\(String(parts[1]))" r="\(radius)" fill="\(ChartFrame.color(color))" fill-opacity="0.8">\(title)</circle>
            """
    }
}

/// Parallel coordinates: one upright axis per quantity, one line per thing.
private struct ParallelDrawing {
    let body: HTML

    init(_ axes: [String], _ profiles: [Chart.Profile], _ frame: ChartFrame) {
        let pixel = ChartFrame.pixel
        let scales = axes.indices.map { axis in ChartScale(profiles.compactMap { $0.values.indices.contains(axis) ? $0.values[axis] : nil })
        }
        func across(_ axis: Int) -> Double { 40 + (frame.width - 80) * (axes.count > 1 ? Double(axis) / Double(axes.count - 1) : 0.5) }
        func down(_ position: Double) -> Double { frame.height - 34 - position * (frame.height - 52) }
        let uprights = axes.enumerated().map { axis, name -> HTML in
            let x = pixel(across(axis)), scale = scales[axis]
            let anchor = axis == 0 ? "start" : axis == axes.count - 1 ? "end" : "middle"
            let short = name.count > 24 ? name.prefix(23) + "…" : name[...]
            return """
                <line x1="\(x)" x2="\(x)" y1="\(pixel(down(0)))" y2="\(pixel(down(1)))" stroke="var(--line)"/>\
                <text x="\(x)" y="\(pixel(frame.height - 6))" text-anchor="\(anchor)">\(String(short))<title>\(name)</title></text>\
                <text x="\(x)" y="\(pixel(frame.height - 20))" text-anchor="\(anchor)">\(NumberText.short(scale.lower, digits: 4))</text>\
                <text x="\(x)" y="12" text-anchor="\(anchor)">\(NumberText.short(scale.upper, digits: 4))</text>
                """
        }
        let lines = profiles.map { profile -> HTML in
            var path = "", pen = "M"
            for (axis, value) in profile.values.enumerated() {
                guard axis < scales.count, let value, let up = scales[axis].position(value) else {
                    pen = "M"
                    continue
                }
                path += pen + pixel(across(axis)) + " " + pixel(down(up))
                pen = "L"
            }
            guard path.contains("L") else { return .empty }
            return """
                <path d="\(path)" fill="none" stroke="\(ChartFrame.color(profile.color))" stroke-width="1.6" stroke-opacity="0.75"><title>\(profile.name)</title></path>
                """
        }
        body = uprights.joined() + lines.joined()
    }
}
