/// The types of the expression language and of table columns.
package enum ValueType: String, Hashable, Sendable, CaseIterable, Codable {
    case bool, int, double, string
    /// Milliseconds since the Unix epoch.
    case time

    /// Whether arithmetic applies; an `int` widens to `double` where the two meet.
    package var isNumeric: Bool { self == .int || self == .double }
}

/// One cell: a typed value or null.
///
/// Doubles held here are always finite: NaN and the infinities become ``null`` where they arise.
package enum Value: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case time(EventTime.Milliseconds)

    /// The type of a value that is not null.
    package var type: ValueType? {
        switch self {
        case .null: nil
        case .bool: .bool
        case .int: .int
        case .double: .double
        case .string: .string
        case .time: .time
        }
    }

    package var isNull: Bool { self == .null }

    /// `value` as a cell; NaN and the infinities become null.
    package static func finite(_ value: Double) -> Value { value.isFinite ? .double(value) : .null }

    /// The number this cell holds, widened to double; `true` is 1. Null, strings: `nil`.
    package var number: Double? {
        switch self {
        case .double(let value): value
        case .int(let value), .time(let value): Double(value)
        case .bool(let value): value ? 1 : 0
        case .null, .string: nil
        }
    }
}
