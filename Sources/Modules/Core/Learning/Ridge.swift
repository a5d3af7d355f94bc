package import Inference

/// Least squares with a penalty on the squared weights, solved in closed form.
///
/// The constant is not penalised: columns and labels are centred first. The sums over the rows are made once, so that
/// each further penalty costs one small factorisation. The same rows give the same bits.
///
/// Source: A. E. Hoerl and R. W. Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems",
/// Technometrics 12(1), 1970.
package struct Ridge: Sendable {
    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        /// The matrix has other than rows × columns values, or there are no rows.
        case sizes(values: Int, rows: Int, columns: Int)
        /// A value was NaN or infinite.
        case notFinite
        /// Columns depend on each other and the penalty is too small to tell them apart.
        case singular(alpha: Double)

        package var description: String {
            switch self {
            case .sizes(let values, let rows, let columns): "\(values) values are not \(rows) rows of \(columns) columns"
            case .notFinite: "a feature or label of the ridge regression is not finite"
            case .singular(let alpha): "the ridge regression is singular at alpha \(alpha)"
            }
        }
    }

    private let columns: Int
    private let means: [Double]
    private let labelMean: Double
    /// Centred products of columns, lower triangle, row-major.
    private let products: [Double]
    /// Centred products of columns with the labels.
    private let moments: [Double]

    /// - Parameters:
    ///   - matrix: Row-major, `labels.count` × `columns`.
    ///   - labels: One a row.
    package init(matrix: [Double], columns: Int, labels: [Double]) throws(Error) {
        let rows = labels.count
        guard rows > 0, matrix.count == rows * columns else { throw .sizes(values: matrix.count, rows: rows, columns: columns) }
        var means = [Double](repeating: 0, count: columns)
        for row in 0..<rows { for column in 0..<columns { means[column] += matrix[row * columns + column] } }
        for column in 0..<columns { means[column] /= Double(rows) }
        let labelMean = labels.reduce(0, +) / Double(rows)
        guard labelMean.isFinite, means.allSatisfy(\.isFinite) else { throw .notFinite }

        var products = [Double](repeating: 0, count: columns * columns)
        var moments = [Double](repeating: 0, count: columns)
        var centred = [Double](repeating: 0, count: columns)
        for row in 0..<rows {
            let label = labels[row] - labelMean
            for column in 0..<columns { centred[column] = matrix[row * columns + column] - means[column] }
            for a in 0..<columns {
                let value = centred[a]
                moments[a] += value * label
                if value == 0 { continue }
                for b in 0...a { products[a * columns + b] += value * centred[b] }
            }
        }
        self.columns = columns
        self.means = means
        self.labelMean = labelMean
        self.products = products
        self.moments = moments
    }

    /// The weights that minimise the squared error plus `alpha` times the squared weights.
    package func solve(alpha: Double) throws(Error) -> LinearModel {
        let weights = try Self.weights(products: products, moments: moments, columns: columns, alpha: alpha)
        return LinearModel(weights: weights, intercept: labelMean - zip(weights, means).reduce(0) { $0 + $1.0 * $1.1 })
    }

    /// The solution of (products + alpha·I)·weights = moments.
    ///
    /// - Parameters:
    ///   - products: Symmetric, lower triangle, row-major.
    ///   - moments: One a column.
    static func weights(products: [Double], moments: [Double], columns: Int, alpha: Double) throws(Error) -> [Double] {
        var factor = products
        for index in 0..<columns { factor[index * columns + index] += alpha }
        // Cholesky: the lower triangle becomes L with L·Lᵀ = products + alpha·I.
        for row in 0..<columns {
            for column in 0...row {
                var sum = factor[row * columns + column]
                for k in 0..<column { sum -= factor[row * columns + k] * factor[column * columns + k] }
                if row == column {
                    guard sum > products[row * columns + row] * 1e-14, sum.isFinite else { throw .singular(alpha: alpha) }
                    factor[row * columns + row] = sum.squareRoot()
                } else {
                    factor[row * columns + column] = sum / factor[column * columns + column]
                }
            }
        }
        var weights = moments
        for row in 0..<columns {
            for k in 0..<row { weights[row] -= factor[row * columns + k] * weights[k] }
            weights[row] /= factor[row * columns + row]
        }
        for row in stride(from: columns - 1, through: 0, by: -1) {
            for k in (row + 1)..<max(columns, row + 1) { weights[row] -= factor[k * columns + row] * weights[k] }
            weights[row] /= factor[row * columns + row]
        }
        guard weights.allSatisfy(\.isFinite) else { throw .notFinite }
        return weights
    }
}
