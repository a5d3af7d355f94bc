package import Domain

/// One aggregate of a windowed view: what is folded over the events of a window.
package struct AggregateCall: Sendable, Hashable {
    package enum Kind: String, Sendable, CaseIterable {
        /// By event time, then by arrival.
        case first, last
        case min, max, sum, mean
        /// The population standard deviation.
        case std
        /// Rows, or the rows whose argument is not null.
        case count
        case countDistinct = "count_distinct"
        case quantile

        var usage: String {
            switch self {
            case .count: "count()"
            case .quantile: "quantile(x, q)"
            default: "\(rawValue)(x)"
            }
        }

        /// How many arguments a call has.
        var arity: ClosedRange<Int> {
            switch self {
            case .count: 0...1
            case .quantile: 2...2
            default: 1...1
            }
        }
    }

    package let kind: Kind
    /// Index into the program's arguments; `nil` for `count()`.
    package let argument: Int?
    /// The constant of `quantile`, from 0 to 1; 0 for the others.
    package let parameter: Double
    /// Type of the result.
    package let type: ValueType

    package init(kind: Kind, argument: Int?, parameter: Double = 0, type: ValueType) {
        self.kind = kind
        self.argument = argument
        self.parameter = parameter
        self.type = type
    }

    /// The result type for an argument of type `argument`.
    static func resultType(_ kind: Kind, of argument: ValueType) throws(ScalarFunction.Mismatch) -> ValueType {
        switch kind {
        case .first, .last: return argument
        case .count, .countDistinct: return .int
        case .min, .max:
            guard argument != .bool else { throw ScalarFunction.Mismatch("expects a number, a time or a string, not a bool", argument: 0) }
            return argument
        case .sum, .mean, .std, .quantile:
            try ScalarFunction.requireNumber(argument, argument: 0)
            return kind == .sum ? argument : .double
        }
    }
}
