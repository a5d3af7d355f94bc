/// How far predictions lie from the truth. An error is prediction − truth, in the unit of the target.
package struct RegressionErrors: Sendable, Equatable, Codable {
    package let count: Int
    /// Mean absolute error.
    package let mae: Double
    /// Root of the mean squared error.
    package let rmse: Double
    /// Mean error; positive when predictions are too high.
    package let meanError: Double
    /// Share of the truth's variance that is explained; 0 for a constant truth unless it is met exactly, then 1.
    package let r2: Double

    /// - Returns: `nil` without rows, or when the two differ in length.
    package init?(predictions: [Double], truths: [Double]) {
        guard !truths.isEmpty, predictions.count == truths.count else { return nil }
        var absolute = 0.0
        var squared = 0.0
        var signed = 0.0
        var spread = Moments()
        for (prediction, truth) in zip(predictions, truths) {
            let error = prediction - truth
            absolute += error.magnitude
            squared += error * error
            signed += error
            spread.add(truth)
        }
        count = truths.count
        let rows = Double(truths.count)
        mae = absolute / rows
        rmse = (squared / rows).squareRoot()
        meanError = signed / rows
        let total = (spread.populationVariance ?? 0) * rows
        r2 = total > 0 ? 1 - squared / total : squared == 0 ? 1 : 0
    }
}
