import Foundation

/// The population stability index: how much the shares of bins or categories moved, 0 when not at all.
///
/// The sum of (r − c) · ln(r / c) over the bins; empty bins are filled so that the logarithm exists. Bins, filling
/// and the threshold 0.1 are those of Evidently 0.7, so scores can be compared with its reports.
///
/// Source: B. Yurdakul, "Statistical Properties of Population Stability Index", 2018, for the index.
package enum PopulationStability {
    /// From this score on a column counts as drifted.
    package static let threshold = 0.1
    /// A numeric column with more distinct reference values is binned, otherwise each value is a category.
    static let maxDistinctValues = 20

    /// The index of two samples of numbers without NaN.
    /// - Parameter integers: Whether the column holds integers, whose bins are at least 1 wide.
    /// - Returns: `nil` when a sample is empty.
    package static func index(reference: [Double], current: [Double], integers: Bool = false) -> Double? {
        guard !reference.isEmpty, !current.isEmpty else { return nil }
        guard Set(reference).count > maxDistinctValues else { return categoryIndex(reference: reference, current: current) }
        let edges = Histogram.sturgesEdges(reference + current, integers: integers)
        return index(
            shares(Histogram(reference, edges: edges).counts, of: reference.count),
            shares(Histogram(current, edges: edges).counts, of: current.count))
    }

    /// The index of two samples of categories.
    /// - Returns: `nil` when a sample is empty.
    package static func index(reference: [String], current: [String]) -> Double? { categoryIndex(reference: reference, current: current) }

    private static func categoryIndex<Category: Hashable & Comparable>(reference: [Category], current: [Category]) -> Double? {
        guard !reference.isEmpty, !current.isEmpty else { return nil }
        let before = counts(reference)
        let after = counts(current)
        // Sorted, because sums in dictionary order would differ from run to run.
        let categories = Set(before.keys).union(after.keys).sorted()
        return index(
            shares(categories.map { before[$0] ?? 0 }, of: reference.count), shares(categories.map { after[$0] ?? 0 }, of: current.count))
    }

    private static func counts<Category: Hashable>(_ values: [Category]) -> [Category: Int] {
        values.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    /// Shares of the whole; an empty bin gets 0.0001, or a millionth of the smallest share when that is no larger.
    private static func shares(_ counts: [Int], of total: Int) -> [Double] {
        let shares = counts.map { Double($0) / Double(total) }
        guard let smallest = shares.filter({ $0 > 0 }).min() else { return shares }
        let fill = smallest <= 0.0001 ? smallest / 1_000_000 : 0.0001
        return shares.map { $0 == 0 ? fill : $0 }
    }

    private static func index(_ reference: [Double], _ current: [Double]) -> Double {
        zip(reference, current).reduce(0) { $0 + ($1.0 - $1.1) * log($1.0 / $1.1) }
    }
}
