/// A weighted sum of features plus a constant.
package struct LinearModel: Sendable, Equatable, Codable {
    /// One weight a feature.
    package let weights: [Double]
    package let intercept: Double

    package init(weights: [Double], intercept: Double) {
        self.weights = weights
        self.intercept = intercept
    }

    /// The sum in the order of the features, so that every path gives the same bits.
    /// - Parameter row: As many values as ``weights``.
    @inline(__always)
    func predict(_ row: UnsafePointer<Double>) -> Double {
        var sum = intercept
        weights.withUnsafeBufferPointer { weights in
            for index in 0..<weights.count { sum += weights[index] * row[index] }
        }
        return sum
    }
}
