/// A static SVG chart in the page's colours.
package struct Chart: Sendable {
    package struct Series: Sendable {
        package let name: String
        package let points: [(x: Double, y: Double)]

        package init(_ name: String, _ points: [(x: Double, y: Double)]) {
            self.name = name
            self.points = points
        }
    }

    package enum Mark: Sendable, Equatable { case line, scatter }

    package enum Shape: Sendable {
        /// One mark per series over a numeric x axis.
        case points(Mark, [Series])
        /// One bar per label, from zero.
        case bars([(label: String, value: Double)])
        /// Shares per bin of one or more samples over common edges (one more edge than shares).
        case histogram(edges: [Double], [(name: String, shares: [Double])])
    }

    package enum HorizontalAxis: Sendable {
        case number
        /// Milliseconds since the Unix epoch.
        case time
    }

    package var title: String
    package var xLabel: String
    package var yLabel: String
    package var horizontal: HorizontalAxis
    package var isLogarithmic: Bool
    package var shape: Shape

    package init(
        title: String, xLabel: String = "", yLabel: String = "", horizontal: HorizontalAxis = .number, isLogarithmic: Bool = false,
        _ shape: Shape
    ) {
        self.title = title
        self.xLabel = xLabel
        self.yLabel = yLabel
        self.horizontal = horizontal
        self.isLogarithmic = isLogarithmic
        self.shape = shape
    }

    /// A figure with the title as its caption.
    package func render() -> HTML {
        let drawing = ChartDrawing(chart: self)
        let names = legend
        let entries =
            names.count > 1
            ? names.enumerated().map { index, name -> HTML in
                "<span class=\"tag\"><span style=\"color:var(--c\(index % 6))\">■</span> \(name)</span>"
            } : []
        return """
            <figure><figcaption>\(title)</figcaption>
            <svg viewBox="0 0 \(ChartDrawing.width) \(ChartDrawing.height)" role="img" aria-label="\(title)">\(drawing.body)</svg>\(entries)</figure>

            """
    }

    private var legend: [String] {
        switch shape {
        case .points(_, let series): series.map(\.name)
        case .bars: []
        case .histogram(_, let samples): samples.map(\.name)
        }
    }
}
