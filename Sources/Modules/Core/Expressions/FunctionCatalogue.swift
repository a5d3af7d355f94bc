/// Every function of the language, for suggestions and reference pages.
package enum FunctionCatalogue {
    package enum Kind: String, Sendable { case scalar, sequence, aggregate, target }

    package struct Entry: Sendable {
        package let name: String
        /// How to call it: `sma(x, n)`.
        package let usage: String
        package let summary: String
        package let kind: Kind
    }

    static let leadUsage = "lead(x, duration)"

    /// Sorted by kind, then name.
    package static let entries: [Entry] = {
        let scalars = ScalarFunction.all.values.map { Entry(name: $0.name, usage: $0.usage, summary: $0.summary, kind: .scalar) }
        let sequences = SequenceFunction.all.values.map { Entry(name: $0.name, usage: $0.usage, summary: $0.summary, kind: .sequence) }
        let aggregates = AggregateCall.Kind.allCases.map {
            Entry(name: $0.rawValue, usage: $0.usage, summary: summary(of: $0), kind: .aggregate)
        }
        let lead = Entry(
            name: "lead", usage: leadUsage, summary: "The value of the same key exactly that much later; only in training.target.",
            kind: .target)
        return (scalars + sequences + aggregates + [lead]).sorted { ($0.kind.rawValue, $0.name) < ($1.kind.rawValue, $1.name) }
    }()

    static let names: [String] = entries.map(\.name)

    private static func summary(of kind: AggregateCall.Kind) -> String {
        switch kind {
        case .first: "The earliest value by event time, then arrival."
        case .last: "The latest value by event time, then arrival."
        case .min: "The smallest value."
        case .max: "The greatest value."
        case .sum: "The sum, in order of arrival."
        case .mean: "The mean."
        case .std: "The population standard deviation."
        case .countDistinct: "The number of different values: exact up to 512, beyond that with a standard error of 1.6 percent."
        case .quantile: "The quantile q, from 0 to 1: exact up to 256 values, beyond that within 0.4 percent of the values themselves."
        case .count: "The number of rows; with an argument, of those where it is not null."
        }
    }
}
