/// A parsed model file of XGBoost, whichever of its two encodings it came in.
///
/// Arrays of numbers are kept flat: a file holds a handful of maps and millions of numbers.
enum ModelDocument: Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    /// An array of numbers only; also the form of an empty array.
    case numbers([Double])
    case array([ModelDocument])
    case object([String: ModelDocument])

    /// Why bytes are not a model file.
    struct Error: Swift.Error, Equatable, CustomStringConvertible {
        let message: String
        /// Bytes from the start of the file.
        let offset: Int
        var description: String { "\(message) at byte \(offset)" }
    }

    /// Nesting deeper than this is refused, so a hostile file cannot exhaust the stack. Real ones stay below 10.
    static let maxDepth = 32

    /// Arrays that evaluation has no use for; a reader checks and drops them.
    static let unusedArrays: Set<String> = ["base_weights", "loss_changes", "sum_hessian", "parents"]

    /// Reads either encoding. XGBoost writes `{"learner":…` as text and `{L` or `{i` in UBJSON.
    static func parse(_ bytes: [UInt8]) throws(Error) -> ModelDocument {
        let second = bytes.dropFirst().first { $0 > 0x20 }
        if bytes.first == UInt8(ascii: "{"), let second, second != UInt8(ascii: "\""), second != UInt8(ascii: "}") {
            return try UBJSONReader.document(bytes)
        }
        return try ModelJSONReader.document(bytes)
    }

    subscript(key: String) -> ModelDocument? {
        if case .object(let fields) = self { fields[key] } else { nil }
    }

    var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// A number, or text that spells one: XGBoost writes its parameters as text.
    var number: Double? {
        switch self {
        case .number(let value): value
        case .string(let text): Double(text)
        default: nil
        }
    }

    var integer: Int? { number.flatMap { Int(exactly: $0) } }

    var numbers: [Double]? {
        switch self {
        case .numbers(let values): values
        case .array(let items):
            items.reduce(into: [Double]?([])) { values, item in
                if let value = item.number { values?.append(value) } else { values = nil }
            }
        default: nil
        }
    }

    var items: [ModelDocument]? {
        switch self {
        case .array(let items): items
        case .numbers(let values): values.map(ModelDocument.number)
        default: nil
        }
    }

    /// Texts of an array; `nil` when an item is anything else.
    var texts: [String]? {
        guard let items else { return nil }
        var texts: [String] = []
        for item in items {
            guard let text = item.text else { return nil }
            texts.append(text)
        }
        return texts
    }
}
