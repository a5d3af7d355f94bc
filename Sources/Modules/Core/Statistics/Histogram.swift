import Foundation

/// Counts of values in consecutive bins. A bin holds its lower edge; the last holds its upper edge too.
package struct Histogram: Sendable, Equatable {
    /// Ascending; one more than bins.
    package let edges: [Double]
    package let counts: [Int]

    /// Values outside the edges are not counted.
    /// - Parameter edges: Ascending, at least two.
    package init(_ values: [Double], edges: [Double]) {
        var counts = [Int](repeating: 0, count: max(0, edges.count - 1))
        if let first = edges.first, let last = edges.last, counts.count > 0 {
            let scale = Double(counts.count) / (last - first)
            for value in values where value >= first && value <= last {
                // Equal widths are the usual case, so the guess is right or next to right; then the edges decide.
                var bin = min(counts.count - 1, max(0, Int((value - first) * scale)))
                while bin > 0, value < edges[bin] { bin -= 1 }
                while bin < counts.count - 1, value >= edges[bin + 1] { bin += 1 }
                counts[bin] += 1
            }
        }
        self.edges = edges
        self.counts = counts
    }

    /// Edges of equal bins over the range of the values, as many as Sturges advises: ⌈log₂ n + 1⌉.
    ///
    /// Equal to numpy's `histogram_bin_edges(values, "sturges")`, including its unit-wide bin for constant values and,
    /// for `integers`, its lower bound of 1 on the width.
    /// - Returns: An empty array without values.
    ///
    /// Source: H. A. Sturges, "The Choice of a Class Interval", JASA 21(153), 1926.
    package static func sturgesEdges(_ values: [Double], integers: Bool = false) -> [Double] {
        guard var lower = values.min(), var upper = values.max() else { return [] }
        var width = (upper - lower) / (log2(Double(values.count)) + 1)
        if lower == upper {
            lower -= 0.5
            upper += 0.5
        }
        if integers, width > 0, width < 1 { width = 1 }
        // A subnormal range would overflow the quotient; 2¹⁶ bins is far beyond what any count of values asks for.
        let bins = width > 0 ? Int(min(65_536, ((upper - lower) / width).rounded(.up))) : 1
        let step = (upper - lower) / Double(bins)
        return (0..<bins).map { Double($0) * step + lower } + [upper]
    }
}
