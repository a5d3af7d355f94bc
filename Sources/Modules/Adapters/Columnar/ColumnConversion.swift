import Domain
import Table

/// Brings a column to a type it was not stored with, without losing a value: what does not fit is an error, not a null.
struct ColumnConversion {
    let file: String
    /// Row of the file, from 1, at which the columns start.
    let firstRow: Int64

    /// - Throws: ``ColumnarError`` with code `invalidValue` at the first cell that does not fit.
    func convert(_ column: Column, to type: ValueType) throws(ColumnarError) -> Column {
        if column.type == type { return column }
        var builder = ColumnBuilder(column.name, type)
        for row in 0..<column.count {
            let value = column[row]
            if value.isNull {
                builder.appendNull()
            } else if let converted = Self.convert(value, to: type) {
                builder.append(converted)
            } else {
                throw ColumnarError(
                    .invalidValue, "read", file: file, column: column.name, row: firstRow + Int64(row),
                    "\(Self.text(value)) is not \(type == .int ? "an" : "a") \(type.rawValue)")
            }
        }
        return builder.finish()
    }

    static func convert(_ value: Value, to type: ValueType) -> Value? {
        switch (value, type) {
        case (.int(let value), .double): .double(Double(value))
        case (.int(let value), .time): EventTime.range.contains(value) ? .time(value) : nil
        case (.time(let value), .int): .int(value)
        case (.double(let value), .int): Int64(exactly: value).map { .int($0) }
        case (.double(let value), .time): Int64(exactly: value).flatMap { EventTime.range.contains($0) ? .time($0) : nil }
        case (_, .string): .string(text(value))
        case (.string(let text), .int): Int64(text).map { .int($0) }
        case (.string(let text), .double): Double(text).flatMap { $0.isFinite ? .double($0) : nil }
        case (.string(let text), .bool): ["true": true, "false": false][text.lowercased()].map { .bool($0) }
        case (.string(let text), .time): time(text).map { .time($0) }
        default: nil
        }
    }

    private static func time(_ text: String) -> EventTime.Milliseconds? {
        if let time = EventTime.parse(text) { return time }
        return Int64(text).flatMap { EventTime.range.contains($0) ? $0 : nil }
    }

    /// A cell as text: times as ISO 8601, numbers as JSON writes them.
    static func text(_ value: Value) -> String {
        switch value {
        case .string(let text): return text
        case .time(let time): return EventTime.format(time)
        default:
            var bytes: [UInt8] = []
            JSONText.append(value, to: &bytes)
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// The type that holds the values of both, or `nil` if none does without guessing: nulls yield, ints widen to
    /// doubles, numbers to text.
    static func common(_ a: ValueType?, _ b: ValueType?) -> ValueType?? {
        guard let a, let b, a != b else { return .some(a ?? b) }
        if a.isNumeric, b.isNumeric { return .some(.double) }
        if a.isNumeric && b == .string || a == .string && b.isNumeric { return .some(.string) }
        return .none
    }
}
