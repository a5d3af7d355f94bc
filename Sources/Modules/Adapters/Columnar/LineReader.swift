#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Reads a text file line by line as bytes, a block at a time.
///
/// A line ends at a line feed, which is left out together with a carriage return before it; the last line need not end.
package final class LineReader {
    package let file: String
    /// Number of the line that ``next()`` returned last, from 1.
    package private(set) var line: Int64 = 0
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var consumed = 0
    private var isAtEnd = false
    private static var blockBytes: Int { 1 << 20 }
    /// A longer line is refused, so that a file without line ends cannot fill the memory.
    package static var maxLineBytes: Int { 16 << 20 }

    package init(path: String) throws(ColumnarError) {
        file = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ColumnarError(.io, "open", file: path, String(cString: strerror(errno))) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// The next line, or `nil` at the end; empty lines are returned.
    package func next() throws(ColumnarError) -> ArraySlice<UInt8>? {
        var searched = consumed
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { consumed = end + 1 }
                return take(consumed..<end)
            }
            searched = buffer.count - consumed
            guard searched <= Self.maxLineBytes else {
                throw ColumnarError(.malformed, "read", file: file, row: line + 1, "the line is longer than \(Self.maxLineBytes) bytes")
            }
            if isAtEnd {
                guard consumed < buffer.count else { return nil }
                defer { consumed = buffer.count }
                return take(consumed..<buffer.count)
            }
            try fill()
        }
    }

    private func take(_ range: Range<Int>) -> ArraySlice<UInt8> {
        line += 1
        let text = buffer[range]
        return text.last == UInt8(ascii: "\r") ? text.dropLast() : text
    }

    /// Drops what was consumed and reads another block behind the rest.
    private func fill() throws(ColumnarError) {
        buffer.removeSubrange(..<consumed)
        consumed = 0
        let kept = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: Self.blockBytes))
        let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress.map { $0 + kept }, Self.blockBytes) }
        buffer.removeSubrange((kept + max(0, count))...)
        if count < 0, errno == EINTR { return }
        guard count >= 0 else { throw ColumnarError(.io, "read", file: file, row: line + 1, String(cString: strerror(errno))) }
        isAtEnd = count == 0
    }
}
