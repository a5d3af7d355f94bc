import Domain

/// The box of a chart: where its values stand, with axes around them.
struct ChartFrame {
    let width: Double
    let height: Double
    private let left = 58.0, right = 12.0, top = 10.0, bottom = 40.0

    init(_ size: (width: Int, height: Int)) {
        width = Double(size.width)
        height = Double(size.height)
    }

    var leftEdge: Double { left }
    var innerWidth: Double { width - left - right }
    func across(_ position: Double) -> Double { left + position * innerWidth }
    func down(_ position: Double) -> Double { height - bottom - position * (height - top - bottom) }

    /// One decimal is a tenth of a pixel.
    static func pixel(_ value: Double) -> String { NumberText.short((value * 10).rounded() / 10) }

    static func color(_ index: Int) -> HTML { "var(--c\(index % Chart.colorCount))" }

    func verticalAxis(_ scale: ChartScale, _ label: String) -> HTML {
        let lines = scale.ticks.compactMap { tick -> HTML? in
            guard let position = scale.position(tick) else { return nil }
            let y = Self.pixel(down(position))
            return """
                <line x1="\(Self.pixel(left))" x2="\(Self.pixel(width - right))" y1="\(y)" y2="\(y)" stroke="var(--line)"/>\
                <text x="\(Self.pixel(left - 6))" y="\(y)" text-anchor="end" dominant-baseline="middle">\(NumberText.short(tick, digits: 4))</text>
                """
        }
        let title: HTML =
            label.isEmpty
            ? .empty
            : "<text transform=\"translate(11 \(Self.pixel(height / 2 - 10))) rotate(-90)\" text-anchor=\"middle\">\(label)</text>"
        return lines.joined() + title
    }

    func horizontalAxis(_ scale: ChartScale, _ chart: Chart) -> HTML {
        // A time needs more room than a number.
        let step = if case .time = chart.horizontal { max(1, (scale.ticks.count + 2) / 3) } else { 1 }
        let labels = scale.ticks.enumerated().compactMap { index, tick -> HTML? in
            guard index % step == 0, let position = scale.position(tick) else { return nil }
            let text = if case .time = chart.horizontal { Self.time(tick) } else { NumberText.short(tick, digits: 4) }
            // A label at an end grows inwards: the drawing ends there.
            let anchor = position > 0.97 ? "end" : "middle"
            return
                "<text x=\"\(Self.pixel(across(position)))\" y=\"\(Self.pixel(height - 24))\" text-anchor=\"\(anchor)\">\(text)</text>"
        }
        return labels.joined() + axisTitle(chart.xLabel)
    }

    func axisTitle(_ label: String) -> HTML {
        label.isEmpty
            ? .empty
            : "<text x=\"\(Self.pixel(width / 2 + 20))\" y=\"\(Self.pixel(height - 6))\" text-anchor=\"middle\">\(label)</text>"
    }

    /// `01-31 12:00`
    static func time(_ milliseconds: Double) -> String {
        guard let value = Int64(exactly: milliseconds.rounded()), EventTime.range.contains(value) else { return "" }
        let text = EventTime.format(value)
        return String(text.prefix(16).suffix(11)).replacing("T", with: " ")
    }
}
