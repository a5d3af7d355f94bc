extension ViewDefinition {
    /// Which rows of a view are outliers, and what becomes of them, as declared under `outliers:`.
    package struct Outliers: Sendable, Hashable {
        package enum Rule: Sendable, Hashable {
            /// Further than so many median absolute deviations, scaled to standard deviations of a normal distribution, from
            /// the median of the last values.
            case mad(threshold: Double, period: Int)
            /// Further than so many standard deviations from the mean of the last values.
            case zscore(threshold: Double, period: Int)
            /// Below or above a fixed bound.
            case range(min: Double?, max: Double?)
        }

        package enum Action: String, Sendable, CaseIterable {
            /// The row goes to a topic of its own; views that read this one never see it.
            case quarantine
            /// The column becomes null.
            case null
            /// A column named after this one, with `_outlier`, says so.
            case flag
        }

        package let column: String
        package let rule: Rule
        package let action: Action

        package init(column: String, rule: Rule, action: Action) {
            self.column = column
            self.rule = rule
            self.action = action
        }

        /// The column that `flag` adds.
        package var flagColumn: String? { action == .flag ? column + "_outlier" : nil }

        package var canonical: String {
            let bounds =
                switch rule {
                case .mad(let threshold, let period): "mad \(threshold) \(period)"
                case .zscore(let threshold, let period): "zscore \(threshold) \(period)"
                case .range(let min, let max): "range \(min.map { "\($0)" } ?? "") \(max.map { "\($0)" } ?? "")"
                }
            return "outliers \(column) \(bounds) \(action.rawValue)"
        }
    }
}

extension ViewDefinition.Outliers.Rule {
    /// Values remembered of each entity.
    var period: Int {
        switch self {
        case .mad(_, let period), .zscore(_, let period): period
        case .range: 0
        }
    }

    /// Scales the median absolute deviation of a normal distribution to its standard deviation: 1 / Φ⁻¹(3/4).
    ///
    /// Source: F. R. Hampel, "The Influence Curve and Its Role in Robust Estimation", JASA 69(346), 1974.
    private static var consistency: Double { 1.482602218505602 }

    /// Why a value is an outlier beside the last ones; `nil` when it is none, or when they say too little: there are fewer
    /// than a whole period of them, or they are all alike.
    func verdict(on value: Double, after memory: [Double]) -> String? {
        switch self {
        case .range(let min, let max):
            if let min, value < min { return "is \(value), below \(min)" }
            if let max, value > max { return "is \(value), above \(max)" }
            return nil
        case .mad(let threshold, let period):
            guard memory.count >= period else { return nil }
            let center = Self.median(memory)
            let deviation = Self.consistency * Self.median(memory.map { abs($0 - center) })
            return Self.verdict(value, center, deviation, threshold, "median", period)
        case .zscore(let threshold, let period):
            guard memory.count >= period else { return nil }
            let mean = memory.reduce(0, +) / Double(memory.count)
            let variance = memory.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(memory.count)
            return Self.verdict(value, mean, variance.squareRoot(), threshold, "mean", period)
        }
    }

    private static func verdict(
        _ value: Double, _ center: Double, _ deviation: Double, _ threshold: Double, _ name: String, _ period: Int
    ) -> String? {
        guard deviation > 0, deviation.isFinite, abs(value - center) > threshold * deviation else { return nil }
        return "is \(value), more than \(threshold) deviations of \(deviation) from the \(name) \(center) of the last \(period)"
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted(), middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : sorted[middle - 1] / 2 + sorted[middle] / 2
    }
}
