package import Inference
package import Table

import Domain
import Statistics

extension Pipeline {
    /// Categories kept a column at most: the most frequent ones; a rarer one counts as unknown.
    package static let maxCategories = 100

    /// Learns how to fill, spread and scale the feature columns from training rows, and from nothing else.
    ///
    /// - Parameters:
    ///   - table: The training rows only; what validation or test rows hold must not show in the fit.
    ///   - features: Columns of the table, in input order. Text is one-hot encoded, anything else is a number.
    ///   - scaled: Whether numbers are standardised after filling; trees do not need it.
    package static func fit(
        _ table: Table, features: [String], missing: TrainingDefinition.Missing, scaled: Bool
    ) throws(Table.Error) -> Pipeline {
        var steps: [Step] = []
        for name in features {
            let column = try table.column(name)
            if case .string(let texts) = column.values {
                let present = texts.indices.map { column.isNull($0) ? missing.categorical : texts[$0] }
                steps.append(
                    .categorical(
                        column: name, imputer: CategoricalImputer(fill: missing.categorical), encoder: OneHotEncoder.fit(present)))
            } else {
                let imputer = NumericImputer.fit(column.numbers(), missing.numeric)
                let scaler = scaled ? StandardScaler.fit(column.numbers().map(imputer.apply)) : nil
                steps.append(.numeric(column: name, imputer: imputer, scaler: scaler))
            }
        }
        return Pipeline(steps: steps)
    }
}

extension NumericImputer {
    /// - Parameter values: NaN where missing; without any present value the fill is 0.
    package static func fit(_ values: [Double], _ rule: TrainingDefinition.Missing.Numeric) -> NumericImputer {
        let present = values.filter { !$0.isNaN }
        return switch rule {
        case .median: NumericImputer(fill: Quantile.median(present) ?? 0)
        case .mean: NumericImputer(fill: Moments(present).mean)
        case .constant(let value): NumericImputer(fill: value)
        }
    }
}

extension OneHotEncoder {
    /// Keeps the most frequent categories, ties by name, and orders them by name.
    package static func fit(_ values: [String], maxCategories: Int = Pipeline.maxCategories) -> OneHotEncoder {
        let counts = values.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
        let kept = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(maxCategories)
        return OneHotEncoder(categories: kept.map(\.key).sorted())
    }
}

extension StandardScaler {
    /// Deviation with divisor n, as scikit-learn has it; a constant column keeps its distance from the mean, 0.
    package static func fit(_ values: [Double]) -> StandardScaler {
        let moments = Moments(values)
        let deviation = moments.populationDeviation ?? 0
        return StandardScaler(mean: moments.mean, deviation: deviation > 0 && deviation.isFinite ? deviation : 1)
    }
}
