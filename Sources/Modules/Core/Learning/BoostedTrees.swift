/// What a boosting library is asked for and gives back; the library itself arrives as a closure, so that learning
/// stays free of C and of I/O.
package enum BoostedTrees {
    /// A dense matrix in row-major order; NaN is missing.
    package struct Matrix: Sendable {
        package let values: [Float]
        package let rows: Int
        package let columns: Int
        /// `columns` names.
        package let names: [String]

        package init(values: [Float], rows: Int, columns: Int, names: [String]) {
            self.values = values
            self.rows = rows
            self.columns = columns
            self.names = names
        }
    }

    package struct Parameters: Sendable, Hashable {
        package var maxDepth: Int
        package var eta: Double
        package var rounds: Int
        /// The library's own names and values for everything else (`subsample`, `lambda`, …), sorted by name.
        package var other: [String: Double]
        package var seed: UInt64

        package init(maxDepth: Int, eta: Double, rounds: Int, other: [String: Double] = [:], seed: UInt64) {
            self.maxDepth = maxDepth
            self.eta = eta
            self.rounds = rounds
            self.other = other
            self.seed = seed
        }
    }

    /// Fits squared-error regression trees and returns the model in XGBoost's UBJSON form, which predicts in the unit of the
    /// labels whatever that is. `labels` has one entry a row.
    package typealias Fit = @Sendable (_ matrix: Matrix, _ labels: [Float], _ parameters: Parameters) throws -> [UInt8]
}
