import CArrow

/// What went wrong with a file of rows, and where.
package struct ColumnarError: Error, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// The file cannot be opened, read or written.
        case io
        /// Not a file of its format: truncated, damaged, or another format altogether.
        case malformed
        /// A column whose type no table column can hold.
        case unsupportedType
        /// A column that was asked for and is not there.
        case unknownColumn
        /// A value that does not fit the type its column has.
        case invalidValue
        case outOfMemory
    }

    package let code: Code
    /// `open`, `read` or `write`.
    package let operation: String
    /// Path of the file, or the name the caller gave to bytes in memory.
    package let file: String
    package let column: String?
    /// Row of the file, from 1; for text formats without a column, the line.
    package let row: Int64?
    package let reason: String

    package init(
        _ code: Code, _ operation: String, file: String, column: String? = nil, row: Int64? = nil, _ reason: String
    ) {
        self.code = code
        self.operation = operation
        self.file = file
        self.column = column
        self.row = row
        self.reason = reason
    }

    /// Whether the same call may succeed later without a change to the file.
    package var isRetriable: Bool { code == .outOfMemory }

    package var description: String {
        let place = [column.map { "column \"\($0)\"" }, row.map { "row \($0)" }].compactMap(\.self).joined(separator: ", ")
        return "cannot \(operation) \(file): \(place.isEmpty ? "" : place + ": ")\(reason)"
    }
}

extension ColumnarError {
    /// The library's own account of a failure.
    init(_ error: CArrowError, _ operation: String, file: String) {
        let code: Code =
            switch error.code {
            case Int32(CARROW_IO.rawValue): .io
            case Int32(CARROW_MEMORY.rawValue): .outOfMemory
            default: .malformed
            }
        let message = withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        // Arrow ends some of its messages with a line feed.
        self.init(code, operation, file: file, String(message.reversed().drop(while: \.isWhitespace).reversed()))
    }
}
