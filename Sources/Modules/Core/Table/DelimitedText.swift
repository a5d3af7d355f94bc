/// Comma-separated values as text: RFC 4180, with either kind of line end.
package enum DelimitedText {
    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        /// A quoted cell that does not end.
        case openQuote(line: Int)
        /// Something other than a comma or a line end after a quoted cell.
        case afterQuote(line: Int)

        package var description: String {
            switch self {
            case .openQuote(let line): "line \(line): a quoted cell has no end"
            case .afterQuote(let line): "line \(line): a quoted cell is followed by something other than a comma"
            }
        }
    }

    /// The cells of each line that is not empty, with the number of the line it begins on.
    package static func rows(_ text: String) throws(Error) -> [(line: Int, cells: [String])] {
        var scanner = Scanner(bytes: Array(text.utf8))
        var rows: [(line: Int, cells: [String])] = []
        while !scanner.isAtEnd {
            let line = scanner.line, cells = try scanner.row()
            if cells != [""] { rows.append((line, cells)) }
        }
        return rows
    }

    private struct Scanner {
        let bytes: [UInt8]
        var at = 0
        var line = 1

        var isAtEnd: Bool { at == bytes.count }

        mutating func row() throws(Error) -> [String] {
            var cells = [try cell()]
            while !isAtEnd, bytes[at] == UInt8(ascii: ",") {
                at += 1
                cells.append(try cell())
            }
            if !isAtEnd {
                at += bytes[at] == 13 && at + 1 < bytes.count && bytes[at + 1] == 10 ? 2 : 1
                line += 1
            }
            return cells
        }

        private mutating func cell() throws(Error) -> String {
            guard !isAtEnd, bytes[at] == UInt8(ascii: "\"") else {
                let start = at
                while !isAtEnd, ![UInt8(ascii: ","), 10, 13].contains(bytes[at]) { at += 1 }
                return String(decoding: bytes[start..<at], as: UTF8.self)
            }
            let first = line
            var content: [UInt8] = []
            at += 1
            while !isAtEnd {
                if bytes[at] == UInt8(ascii: "\"") {
                    at += 1
                    guard !isAtEnd, bytes[at] == UInt8(ascii: "\"") else {
                        guard isAtEnd || [UInt8(ascii: ","), 10, 13].contains(bytes[at]) else { throw .afterQuote(line: line) }
                        return String(decoding: content, as: UTF8.self)
                    }
                }
                if bytes[at] == 10 { line += 1 }
                content.append(bytes[at])
                at += 1
            }
            throw .openQuote(line: first)
        }
    }
}
