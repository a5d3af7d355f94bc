/// JSON text as a tree, for requests and answers whose shape is only known while reading.
package enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// A number written without fraction or exponent that fits.
    case int(Int64)
    case double(Double)
    case string(String)
    case array([JSONValue])
    /// In the order of the text.
    case object([Member])

    package struct Member: Sendable, Equatable {
        package let key: String
        package let value: JSONValue

        package init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    /// The member of an object; of a key given twice the last counts. `nil` when there is none or this is no object.
    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key == key }?.value
    }

    package var string: String? { if case .string(let text) = self { text } else { nil } }
    package var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }
    package var array: [JSONValue]? { if case .array(let values) = self { values } else { nil } }

    package var members: [Member]? { if case .object(let members) = self { members } else { nil } }

    /// An integer, also one that was written as decimal text, as protocol buffers write 64-bit numbers.
    package var int64: Int64? {
        switch self {
        case .int(let value): value
        case .string(let text): Int64(text)
        case .double(let value): Int64(exactly: value)
        default: nil
        }
    }

    /// A number, also the texts `NaN`, `Infinity` and `-Infinity`, as protocol buffers write them.
    package var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        case .string("NaN"): .nan
        case .string("Infinity"): .infinity
        case .string("-Infinity"): -.infinity
        case .string(let text): Double(text)
        default: nil
        }
    }
}
