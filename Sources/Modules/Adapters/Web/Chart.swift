/// A static SVG chart in the page's colours. Marks tell their values to who points at them, without a script.
package struct Chart: Sendable {
    package struct Series: Sendable {
        package let name: String
        package let points: [(x: Double, y: Double)]
        /// Of the palette; `nil` for the series' place among the others.
        package var color: Int?
        /// Drawn thin and pale, left out of the legend: what another series smooths.
        package var isFaint = false
        /// Where a click on the name leads.
        package var target: String?

        package init(_ name: String, _ points: [(x: Double, y: Double)], color: Int? = nil, isFaint: Bool = false, target: String? = nil) {
            self.name = name
            self.points = points
            self.color = color
            self.isFaint = isFaint
            self.target = target
        }
    }

    package enum Mark: Sendable, Equatable { case line, scatter }

    /// One line through all axes of a parallel chart; `nil` where it has no value.
    package struct Profile: Sendable {
        package let name: String
        package let values: [Double?]
        package let color: Int

        package init(_ name: String, _ values: [Double?], color: Int) {
            self.name = name
            self.values = values
            self.color = color
        }
    }

    package enum Shape: Sendable {
        /// One mark per series over a numeric x axis.
        case points(Mark, [Series])
        /// One bar per label, from zero.
        case bars([(label: String, value: Double)])
        /// One bar per label and sample, from zero.
        case groups(labels: [String], [(name: String, values: [Double])])
        /// Shares per bin of one or more samples over common edges (one more edge than shares).
        case histogram(edges: [Double], [(name: String, shares: [Double])])
        /// One upright axis per name, each with its own scale.
        case parallel(axes: [String], [Profile])
    }

    package enum HorizontalAxis: Sendable {
        case number
        /// Milliseconds since the Unix epoch.
        case time
    }

    /// Colours of the palette; series beyond it begin again.
    package static let colorCount = 10

    package var title: String
    package var xLabel: String
    package var yLabel: String
    package var horizontal: HorizontalAxis
    package var isLogarithmic: Bool
    /// What the upright axis of points shows in any case: 0 for counts, 0 and 1 for shares.
    package var verticalIncludes: [Double]
    package var shape: Shape
    /// In units of the drawing, which is scaled to the room there is.
    package var size = (width: 480, height: 260)

    package init(
        title: String, xLabel: String = "", yLabel: String = "", horizontal: HorizontalAxis = .number, isLogarithmic: Bool = false,
        verticalIncludes: [Double] = [], _ shape: Shape
    ) {
        self.title = title
        self.xLabel = xLabel
        self.yLabel = yLabel
        self.horizontal = horizontal
        self.isLogarithmic = isLogarithmic
        self.verticalIncludes = verticalIncludes
        self.shape = shape
    }

    /// A figure with the title as its caption.
    package func render() -> HTML {
        let drawing = ChartDrawing(chart: self)
        let entries = legend
        let names: HTML = entries.count > 1 ? "<div class=\"legend\">\(entries.map { entry($0) })</div>" : .empty
        return """
            <figure><figcaption>\(title)</figcaption>
            <svg class="chart" viewBox="0 0 \(size.width) \(size.height)" role="img" aria-label="\(title)">\(drawing.body)</svg>\(names)</figure>

            """
    }

    private typealias Entry = (name: String, color: Int, target: String?)

    private func entry(_ entry: Entry) -> HTML {
        let mark: HTML = "<i class=\"c\(entry.color % Self.colorCount)\">■</i>"
        return entry.target.map { "<a href=\"\($0)\" title=\"\(entry.name)\">\(mark)\(entry.name)</a>" }
            ?? "<span title=\"\(entry.name)\">\(mark)\(entry.name)</span>"
    }

    private var legend: [Entry] {
        switch shape {
        case .points(_, let series):
            series.enumerated().filter { !$1.isFaint }.map { ($1.name, $1.color ?? $0, $1.target) }
        case .bars: []
        case .groups(_, let samples): samples.enumerated().map { ($1.name, $0, nil) }
        case .histogram(_, let samples): samples.enumerated().map { ($1.name, $0, nil) }
        case .parallel(_, let profiles): profiles.count <= Self.colorCount ? profiles.map { ($0.name, $0.color, nil) } : []
        }
    }
}
