package import Domain
package import Statistics
package import Table

package import Inference

/// What a training run found: the model, how it was chosen, how it did, and the gate's verdict.
package struct TrainingOutcome: Sendable {
    /// Rows kept for drift at most; up to this many, the drift test is exact.
    package static let maxReferenceRows = 5_000

    package struct Baseline: Sendable {
        /// `current(close)`, `mean`.
        package let name: String
        /// The column it repeats; `nil` when it looks at none.
        package let column: String?
        /// Its inputs are all features, and ``column``.
        package let model: Model
        /// One a test row.
        package let predictions: [Double]
        package let errors: RegressionErrors
        /// Inputs, `prediction` and `target` of evenly spaced training rows.
        package let reference: Table
    }

    /// In the order tried.
    package let trials: [Trial]
    package let best: Trial
    /// The best setting, refitted on all training rows.
    package let fitted: FittedModel
    /// On all test rows.
    package let errors: RegressionErrors
    /// In the order declared.
    package let baselines: [Baseline]
    package let verdict: Gate.Verdict
    package let counts: TrainingRows.Counts
    package let trainingRows: Int
    package let purgedRows: Int
    /// Availability of the first training row.
    package let trainingStart: EventTime.Milliseconds
    /// Availability of the last training row plus the horizon: nothing later was learnt from.
    package let learntUntil: EventTime.Milliseconds
    /// Availability, truth and prediction of the test rows.
    package let testTimes: [EventTime.Milliseconds]
    package let testTruths: [Double]
    package let testPredictions: [Double]
    /// Inputs, `prediction` and `target` of evenly spaced training rows.
    package let reference: Table
    /// One test row with all columns of the view.
    package let example: Table

    /// The baseline with the smallest error of the metric; `nil` when none is declared.
    package func bestBaseline(by metric: TrainingDefinition.Metric) -> Baseline? {
        baselines.min { a, b in
            switch metric {
            case .mae: a.errors.mae < b.errors.mae
            case .rmse: a.errors.rmse < b.errors.rmse
            }
        }
    }
}
