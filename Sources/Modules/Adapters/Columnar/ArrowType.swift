import Domain

/// The Arrow types that a table column can hold, as told by a format string of the C data interface.
///
/// Source: <https://arrow.apache.org/docs/format/CDataInterface.html#data-type-description-format-strings>.
indirect enum ArrowType: Equatable {
    enum TimeUnit: Equatable { case second, millisecond, microsecond, nanosecond }

    case null, bool
    case int8, int16, int32, int64, uint8, uint16, uint32, uint64
    case float16, float32, float64
    /// UTF-8 text, or binary that must turn out to be text; offsets of 32 or 64 bits.
    case text(wideOffsets: Bool)
    /// Signed integers of `bytes` bytes, each standing for itself divided by 10 to the `scale`.
    case decimal(bytes: Int, scale: Int)
    /// Days since the epoch, 32 bits.
    case days
    /// Times since the epoch, 64 bits. Without a zone they are taken as UTC; a zone only changes how they are shown.
    case timestamp(TimeUnit)
    case dictionary(index: ArrowType, values: ArrowType)

    /// - Returns: `nil` for a type that no column can hold.
    init?(format: String) {
        switch format {
        case "n": self = .null
        case "b": self = .bool
        case "c": self = .int8
        case "s": self = .int16
        case "i": self = .int32
        case "l": self = .int64
        case "C": self = .uint8
        case "S": self = .uint16
        case "I": self = .uint32
        case "L": self = .uint64
        case "e": self = .float16
        case "f": self = .float32
        case "g": self = .float64
        case "u", "z": self = .text(wideOffsets: false)
        case "U", "Z": self = .text(wideOffsets: true)
        case "tdD": self = .days
        case "tdm": self = .timestamp(.millisecond)
        default: self.init(parameterised: format)
        }
    }

    private init?(parameterised format: String) {
        let units: [Character: TimeUnit] = ["s": .second, "m": .millisecond, "u": .microsecond, "n": .nanosecond]
        if format.hasPrefix("ts"), format.count >= 4, let unit = units[format[format.index(format.startIndex, offsetBy: 2)]] {
            self = .timestamp(unit)
        } else if format.hasPrefix("d:") {
            let numbers = format.dropFirst(2).split(separator: ",").map { Int($0) }
            guard numbers.count == 2 || numbers.count == 3, let scale = numbers[1] else { return nil }
            guard let bits = numbers.count == 3 ? numbers[2] : 128, [32, 64, 128].contains(bits) else { return nil }
            self = .decimal(bytes: bits / 8, scale: scale)
        } else {
            return nil
        }
    }

    /// The type of the table column, or `nil` for a column of nothing but nulls.
    var valueType: ValueType? {
        switch self {
        case .null: nil
        case .bool: .bool
        case .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64: .int
        case .float16, .float32, .float64, .decimal: .double
        case .text: .string
        case .days, .timestamp: .time
        case .dictionary(_, let values): values.valueType
        }
    }

    /// What people call the type of a format string that is not supported.
    static func name(ofUnsupported format: String) -> String {
        let names: [(prefix: String, name: String)] = [
            ("+l", "list"), ("+L", "list"), ("+w", "list"), ("+vl", "list"), ("+vL", "list"), ("+s", "struct"), ("+m", "map"),
            ("+u", "union"), ("+r", "run-end encoded"), ("tt", "time of day"), ("tD", "duration"), ("ti", "interval"),
            ("w:", "fixed-size binary"), ("vz", "binary view"), ("vu", "text view"), ("d:", "wide decimal"),
        ]
        return names.first { format.hasPrefix($0.prefix) }?.name ?? "Arrow \"\(format)\""
    }
}
