package import Inference

/// Ridge regression whose squared errors are counted in a unit of each row's own, such as the present price.
///
/// Every row of features, with the constant as one of them, and its label are divided by the row's unit. So all rows
/// weigh the same whatever their scale, and a fit of several series at once is not that of the largest. The columns are
/// then brought to a root mean square of 1, which makes the penalty the same for each, and the weights are given back for
/// the features as they came. Neither step centres: where features and label share the unit, the rule keeps that.
///
/// Source of the estimator: see ``Ridge``.
package struct RelativeRidge: Sendable {
    /// Of the features and, last, the constant.
    private let scales: [Double]
    private let products: [Double]
    private let moments: [Double]

    /// - Parameters:
    ///   - matrix: Row-major, `labels.count` × `columns`, finite.
    ///   - labels: One a row.
    ///   - units: One a row, of any sign; a row whose unit is NaN or 0 is left out.
    package init(matrix: [Double], columns: Int, labels: [Double], units: [Double]) throws(Ridge.Error) {
        let rows = labels.indices.filter { $0 < units.count && !units[$0].isNaN && units[$0] != 0 }
        guard !rows.isEmpty, units.count == labels.count, matrix.count == labels.count * columns else {
            throw .sizes(values: matrix.count, rows: rows.count, columns: columns)
        }
        let width = columns + 1
        var products = [Double](repeating: 0, count: width * width)
        var moments = [Double](repeating: 0, count: width)
        var relative = [Double](repeating: 0, count: width)
        for row in rows {
            let unit = units[row].magnitude
            for column in 0..<columns { relative[column] = matrix[row * columns + column] / unit }
            relative[columns] = 1 / unit
            let label = labels[row] / unit
            for a in 0..<width {
                let value = relative[a]
                moments[a] += value * label
                if value == 0 { continue }
                for b in 0...a { products[a * width + b] += value * relative[b] }
            }
        }
        let scales = (0..<width).map { column in
            let scale = (products[column * width + column] / Double(rows.count)).squareRoot()
            return scale > 0 ? scale : 1
        }
        guard scales.allSatisfy(\.isFinite), moments.allSatisfy(\.isFinite) else { throw .notFinite }
        for a in 0..<width {
            moments[a] /= scales[a]
            for b in 0...a { products[a * width + b] /= scales[a] * scales[b] }
        }
        self.scales = scales
        self.products = products
        self.moments = moments
    }

    /// The weights, of the features as they came, that minimise the squared relative error plus `alpha` times the
    /// squared weights of the scaled columns.
    package func solve(alpha: Double) throws(Ridge.Error) -> LinearModel {
        let solution = try Ridge.weights(products: products, moments: moments, columns: scales.count, alpha: alpha)
        let weights = zip(solution, scales).map { $0 / $1 }
        guard weights.allSatisfy(\.isFinite) else { throw .notFinite }
        return LinearModel(weights: Array(weights.dropLast()), intercept: weights.last ?? 0)
    }
}
