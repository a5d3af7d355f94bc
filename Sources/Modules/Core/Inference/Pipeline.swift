import Domain
package import Table

/// The fitted way from raw feature columns to the matrix an estimator reads.
///
/// It travels inside the model artefact, so training and serving cannot differ. Each input column becomes one matrix
/// column, or one a category; a row never sees another row.
package struct Pipeline: Sendable, Equatable {
    package enum Step: Sendable, Equatable {
        /// A number, a flag (0 or 1) or a time (milliseconds); without imputer a missing one stays NaN.
        case numeric(column: String, imputer: NumericImputer?, scaler: StandardScaler?)
        /// Text.
        case categorical(column: String, imputer: CategoricalImputer, encoder: OneHotEncoder)

        package var column: String {
            switch self {
            case .numeric(let column, _, _), .categorical(let column, _, _): column
            }
        }

        /// Matrix columns this step makes.
        package var width: Int {
            switch self {
            case .numeric: 1
            case .categorical(_, _, let encoder): encoder.categories.count
            }
        }
    }

    /// One an input column, in input order.
    package let steps: [Step]
    /// Matrix columns in all.
    package let width: Int

    package init(steps: [Step]) {
        self.steps = steps
        width = steps.reduce(0) { $0 + $1.width }
    }

    /// Names of the matrix columns: the input's, with `=category` where it was spread.
    package var outputNames: [String] {
        steps.flatMap { step in
            switch step {
            case .numeric(let column, _, _): [column]
            case .categorical(let column, _, let encoder): encoder.categories.map { "\(column)=\($0)" }
            }
        }
    }

    /// The matrix of a table, row-major, ``width`` values a row.
    package func matrix(_ table: Table) throws(Table.Error) -> [Double] {
        var matrix = [Double](repeating: 0, count: table.rowCount * width)
        var offset = 0
        for step in steps {
            let column = try table.column(step.column)
            switch step {
            case .numeric(_, let imputer, let scaler):
                guard column.type != .string else { throw .typeMismatch(column: column.name, found: .string, expected: .double) }
                let numbers = column.numbers()
                for row in numbers.indices { matrix[row * width + offset] = Self.number(numbers[row], imputer, scaler) }
            case .categorical(_, let imputer, let encoder):
                guard case .string(let texts) = column.values else {
                    throw .typeMismatch(column: column.name, found: column.type, expected: .string)
                }
                for row in texts.indices {
                    let category = column.isNull(row) ? imputer.fill : texts[row]
                    if let position = encoder.position(of: category) { matrix[row * width + offset + position] = 1 }
                }
            }
            offset += step.width
        }
        return matrix
    }

    /// Writes the matrix row of one row of inputs; no allocation.
    /// - Parameters:
    ///   - row: One value a step, of the step's type or null; another type counts as missing.
    ///   - output: ``width`` places.
    func encode(_ row: [Value], into output: UnsafeMutablePointer<Double>) {
        var output = output
        for (index, step) in steps.enumerated() {
            switch step {
            case .numeric(_, let imputer, let scaler):
                output.pointee = Self.number(row[index].number ?? .nan, imputer, scaler)
                output += 1
            case .categorical(_, let imputer, let encoder):
                let width = encoder.categories.count
                output.update(repeating: 0, count: width)
                let position: Int? =
                    if case .string(let text) = row[index] { encoder.position(of: text) } else { encoder.position(of: imputer.fill) }
                if let position { output[position] = 1 }
                output += width
            }
        }
    }

    @inline(__always)
    private static func number(_ value: Double, _ imputer: NumericImputer?, _ scaler: StandardScaler?) -> Double {
        let present = imputer?.apply(value) ?? value
        return scaler?.apply(present) ?? present
    }
}
