import Foundation

/// How strongly two properties of traces go together.
///
/// Normalised pointwise mutual information: 1 when they always come together, 0 when they are independent, −1 when they
/// never do. The smoothed one adds half a trace to each of the four cells (Jeffreys' prior), for small samples.
///
/// Source: G. Bouma, "Normalized (Pointwise) Mutual Information in Collocation Extraction", GSCL 2009.
package struct TraceCorrelation: Sendable, Equatable {
    package let first: Int
    package let second: Int
    package let both: Int
    package let total: Int

    package init(first: Int, second: Int, both: Int, total: Int) {
        self.first = first
        self.second = second
        self.both = both
        self.total = total
    }

    /// `nil` where it is not defined: no trace has one of the properties.
    package var npmi: Double? {
        guard isDefined else { return nil }
        return both == 0 ? -1 : value(smoothing: 0)
    }

    package var smoothed: Double? { isDefined ? value(smoothing: 0.5) : nil }

    private var isDefined: Bool {
        total > 0 && first > 0 && second > 0 && both <= min(first, second) && total - first - second + both >= 0
    }

    private func value(smoothing: Double) -> Double? {
        let both = Double(both) + smoothing, onlyFirst = Double(first - self.both) + smoothing
        let onlySecond = Double(second - self.both) + smoothing
        let all = both + onlyFirst + onlySecond + Double(total - first - second + self.both) + smoothing
        guard both > 0 else { return nil }
        if first == total, second == total, self.both == total { return 1 }
        let information = (log(both) + log(all)) - (log(both + onlyFirst) + log(both + onlySecond))
        let scale = log(all) - log(both)
        guard scale != 0 else { return 1 }
        return min(1, max(-1, information / scale))
    }
}

extension TraceStore {
    /// - Parameter base: A filter that all traces counted must match.
    package func correlation(
        experiments: [String], _ first: String, _ second: String, base: String
    ) async throws(TrackingError) -> TraceCorrelation {
        func both(_ filters: String...) -> String { filters.filter { !$0.isEmpty }.joined(separator: " AND ") }
        let counts = try await counts(
            experiments: experiments, filters: [both(base, first), both(base, second), both(base, first, second), base])
        return TraceCorrelation(first: counts[0], second: counts[1], both: counts[2], total: counts[3])
    }
}
