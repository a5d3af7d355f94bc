import Domain
package import Project
import Statistics

/// Whether one column still looks as it did in training.
package struct ColumnDrift: Sendable, Equatable {
    package enum Method: String, Sendable {
        case ks, psi
        /// In deviations of the reference, at least 0.001 of the column's unit, as Evidently norms it.
        case wasserstein = "wasserstein_normed"
        /// In deviations of the reference, however small: for columns whose deviation is below that floor.
        case wassersteinByDeviation = "wasserstein_by_deviation"

        /// A p-value below this, or a distance of this and more, is drift.
        package var threshold: Double { self == .ks ? 0.05 : 0.1 }

        func isDrift(_ score: Double) -> Bool { self == .ks ? score <= threshold : score >= threshold }
    }

    package enum Verdict: Sendable, Equatable {
        case score(Double, Method, isDrifted: Bool)
        /// Why the column cannot be judged; the others still are.
        case failed(String)
    }

    package let name: String
    package let verdict: Verdict
    package let referenceMissing: Double
    package let currentMissing: Double

    /// References up to this size are tested, larger ones are measured: with many rows every difference is significant.
    static let maxTestedRows = 1_000
    /// Numeric columns with fewer distinct values are compared value by value.
    static let minDistinctValues = 6
    /// A rise of the share of nulls by more than this is worth a word of its own.
    static let missingRise = 0.05

    /// - Parameter method: As the project asks for; `auto` decides by the size of the reference.
    package init(
        _ name: String, reference: DriftReference.Sample?, current: DriftReference.Sample, method: MonitoringDefinition.Drift.Method
    ) {
        self.name = name
        referenceMissing = reference?.missing ?? 0
        currentMissing = current.missing
        guard let reference else {
            verdict = .failed("the reference has no such column")
            return
        }
        verdict = Self.compare(reference.values, current.values, method)
    }

    package var isDrifted: Bool { if case .score(_, _, true) = verdict { true } else { false } }
    package var missingRose: Bool { currentMissing > referenceMissing + Self.missingRise }

    private static func compare(
        _ reference: DriftReference.Values, _ current: DriftReference.Values, _ wanted: MonitoringDefinition.Drift.Method
    ) -> Verdict {
        switch (reference, current) {
        case (.numbers(let reference), .numbers(let current)):
            guard !reference.isEmpty else { return .failed("the reference holds no values") }
            guard !current.isEmpty else { return .failed("no values") }
            let method = method(reference, current, wanted)
            let score: Double? =
                switch method {
                case .ks: KolmogorovSmirnov(reference, current)?.pValue
                case .psi: PopulationStability.index(reference: reference, current: current)
                case .wasserstein: Wasserstein.normed(reference: reference, current: current)
                case .wassersteinByDeviation: Wasserstein.byDeviation(reference: reference, current: current)
                }
            return judged(score, method)
        case (.categories(let reference), .categories(let current)):
            guard !reference.isEmpty else { return .failed("the reference holds no values") }
            guard !current.isEmpty else { return .failed("no values") }
            return judged(PopulationStability.index(reference: reference, current: current), .psi)
        case (.numbers, .categories(let texts)): return .failed(texts.isEmpty ? "no values" : "text where the reference has numbers")
        case (.categories, .numbers(let numbers)): return .failed(numbers.isEmpty ? "no values" : "numbers where the reference has text")
        }
    }

    /// Evidently's default rule, with the index of population stability where it would take a test or distance for categories, and
    /// with a distance that does not depend on the column's unit where its floor would hide the column.
    private static func method(
        _ reference: [Double], _ current: [Double], _ wanted: MonitoringDefinition.Drift.Method
    ) -> Method {
        switch wanted {
        case .ks: return .ks
        case .psi: return .psi
        case .auto:
            if isCoarse(reference, current) { return .psi }
            if reference.count <= maxTestedRows { return .ks }
            let deviation = Moments(reference).populationDeviation ?? 0
            if deviation >= Wasserstein.leastDeviation { return .wasserstein }
            // Constant in training: what differs is another value, at whatever distance.
            return deviation > 0 ? .wassersteinByDeviation : .psi
        }
    }

    private static func isCoarse(_ reference: [Double], _ current: [Double]) -> Bool {
        var seen: Set<Double> = []
        for sample in [reference, current] {
            for value in sample where seen.insert(value).inserted && seen.count >= minDistinctValues { return false }
        }
        return true
    }

    private static func judged(_ score: Double?, _ method: Method) -> Verdict {
        guard let score, score.isFinite else { return .failed("the score is not a number") }
        return .score(score, method, isDrifted: method.isDrift(score))
    }
}

/// Whether the data as a whole drifted.
package struct DriftVerdict: Sendable, Equatable {
    package let columns: [ColumnDrift]
    /// Rows that were judged.
    package let rows: Int
    /// Of the columns that could be judged, the share that drifted; `nil` when none could.
    package let share: Double?
    package let isDrifted: Bool

    /// - Parameters:
    ///   - names: The columns to judge, in order.
    ///   - minRows: With fewer rows there is no verdict.
    /// - Returns: `nil` when there are too few rows.
    package init?(
        _ names: [String], reference: DriftReference, current: (String) -> DriftReference.Sample, rows: Int, minRows: Int,
        rule: MonitoringDefinition.Drift
    ) {
        guard rows > 0, rows >= minRows else { return nil }
        self.init(
            columns: names.map { ColumnDrift($0, reference: reference[$0], current: current($0), method: rule.method) }, rows: rows,
            threshold: rule.share)
    }

    /// - Parameter threshold: From this share of drifted columns on the data has drifted.
    package init(columns: [ColumnDrift], rows: Int, threshold: Double) {
        self.columns = columns
        self.rows = rows
        let judged = columns.filter { if case .score = $0.verdict { true } else { false } }
        share = judged.isEmpty ? nil : Double(judged.count { $0.isDrifted }) / Double(judged.count)
        isDrifted = share.map { $0 >= threshold } ?? false
    }
}
