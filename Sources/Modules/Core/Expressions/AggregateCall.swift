package import Domain

/// One aggregate of a windowed view: what is folded over the events of a window.
package struct AggregateCall: Sendable, Hashable {
    package enum Kind: String, Sendable, CaseIterable {
        /// By event time, then by arrival.
        case first, last
        case min, max, sum, mean
        /// Rows, or the rows whose argument is not null.
        case count

        var usage: String { self == .count ? "count()" : "\(rawValue)(x)" }
    }

    package let kind: Kind
    /// Index into the program's arguments; `nil` for `count()`.
    package let argument: Int?
    /// Type of the result.
    package let type: ValueType

    package init(kind: Kind, argument: Int?, type: ValueType) {
        self.kind = kind
        self.argument = argument
        self.type = type
    }

    /// The result type for an argument of type `argument`.
    static func resultType(_ kind: Kind, of argument: ValueType) throws(ScalarFunction.Mismatch) -> ValueType {
        switch kind {
        case .first, .last: return argument
        case .count: return .int
        case .min, .max:
            guard argument != .bool else { throw ScalarFunction.Mismatch("expects a number, a time or a string, not a bool", argument: 0) }
            return argument
        case .sum, .mean:
            try ScalarFunction.requireNumber(argument, argument: 0)
            return kind == .mean ? .double : argument
        }
    }
}
