/// Puts a number in the place of a missing one.
package struct NumericImputer: Sendable, Equatable, Codable {
    package let fill: Double

    package init(fill: Double) { self.fill = fill }

    /// - Parameter value: NaN when missing.
    @inline(__always)
    package func apply(_ value: Double) -> Double { value.isNaN ? fill : value }
}

/// Puts a text in the place of a missing one.
package struct CategoricalImputer: Sendable, Equatable, Codable {
    package let fill: String

    package init(fill: String) { self.fill = fill }

    package func apply(_ value: String?) -> String { value ?? fill }
}

/// Shifts and scales a number to the training rows' mean 0 and deviation 1.
package struct StandardScaler: Sendable, Equatable, Codable {
    package let mean: Double
    /// Positive; 1 where the training rows did not vary.
    package let deviation: Double

    package init(mean: Double, deviation: Double) {
        self.mean = mean
        self.deviation = deviation
    }

    @inline(__always)
    package func apply(_ value: Double) -> Double { (value - mean) / deviation }
}

/// Spreads a category over one column a known category: 1 in its own, 0 elsewhere; an unknown one is all zeros.
package struct OneHotEncoder: Sendable, Equatable {
    /// In column order, without repeats.
    package let categories: [String]
    private let positions: [String: Int]

    package init(categories: [String]) {
        self.categories = categories
        positions = Dictionary(categories.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }

    package func position(of category: String) -> Int? { positions[category] }
}
