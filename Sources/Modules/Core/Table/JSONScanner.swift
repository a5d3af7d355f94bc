import Domain

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A forward-only reader of JSON text (RFC 8259) that allocates only for the strings asked of it.
///
/// It borrows the bytes: they must outlive it. Every read either consumes one whole token or throws and leaves the
/// scanner useless, so a record that is not JSON can never be half accepted.
package struct JSONScanner {
    package struct Error: Swift.Error, Equatable, CustomStringConvertible {
        package let message: String
        /// Bytes from the start of the text.
        package let offset: Int
        package var description: String { "\(message) at byte \(offset)" }
    }

    /// Nesting deeper than this is refused, so a hostile record cannot exhaust the stack.
    package static var maxDepth: Int { 64 }

    let start: UnsafePointer<UInt8>
    let end: UnsafePointer<UInt8>
    var at: UnsafePointer<UInt8>

    package init(_ bytes: UnsafeRawBufferPointer) {
        // An empty buffer may have no address; any pointer will do for an empty range.
        let base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!
        start = base.assumingMemoryBound(to: UInt8.self)
        at = start
        end = start + bytes.count
    }

    package var offset: Int { at - start }

    func error(_ message: String) -> Error { Error(message: message, offset: offset) }

    @inline(__always)
    mutating func skipSpace() {
        while at < end, at.pointee == 0x20 || at.pointee == 0x0A || at.pointee == 0x0D || at.pointee == 0x09 { at += 1 }
    }

    /// The next byte that is not white space, without taking it; 0 at the end.
    @inline(__always)
    mutating func peek() -> UInt8 {
        skipSpace()
        return at < end ? at.pointee : 0
    }

    @inline(__always)
    mutating func take(_ character: UInt8) -> Bool {
        skipSpace()
        guard at < end, at.pointee == character else { return false }
        at += 1
        return true
    }

    mutating func takeLiteral(_ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard end - at >= count, memcmp(at, literal.utf8Start, count) == 0 else { return false }
        at += count
        return true
    }

    /// The raw bytes between the quotes of a string, and whether they hold escapes.
    @inline(__always)
    mutating func rawString() throws(Error) -> (bytes: UnsafeBufferPointer<UInt8>, hasEscapes: Bool) {
        guard take(UInt8(ascii: "\"")) else { throw error("expected a string") }
        let first = at
        var hasEscapes = false
        while at < end {
            let byte = at.pointee
            if byte == UInt8(ascii: "\"") {
                let raw = UnsafeBufferPointer(start: first, count: at - first)
                at += 1
                return (raw, hasEscapes)
            }
            if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                at += 1
            } else if byte < 0x20 {
                throw error("control character in a string")
            }
            at += 1
        }
        at = end
        throw error("unterminated string")
    }

    /// The text of the next string.
    package mutating func string() throws(Error) -> String {
        let (raw, hasEscapes) = try rawString()
        return try text(raw, hasEscapes: hasEscapes)
    }

    func text(_ raw: UnsafeBufferPointer<UInt8>, hasEscapes: Bool) throws(Error) -> String {
        if !hasEscapes {
            // Of what is ASCII, as most is, there is nothing to validate, which costs more than the string.
            var bits: UInt8 = 0
            for byte in raw { bits |= byte }
            if bits < 0x80 { return String(decoding: raw, as: UTF8.self) }
            guard let text = String(validating: raw, as: UTF8.self) else { throw error("string is not UTF-8") }
            return text
        }
        guard let text = JSONEscapes.decode(raw) else { throw error("bad escape in a string") }
        return text
    }

    /// Takes one value of any kind and returns its raw bytes.
    package mutating func skipValue(depth: Int = 0) throws(Error) -> UnsafeBufferPointer<UInt8> {
        guard depth < Self.maxDepth else { throw error("nested deeper than \(Self.maxDepth)") }
        let byte = peek()
        let first = at
        switch byte {
        case UInt8(ascii: "\""): _ = try rawString()
        case UInt8(ascii: "{"):
            at += 1
            if !take(UInt8(ascii: "}")) {
                repeat {
                    _ = try rawString()
                    guard take(UInt8(ascii: ":")) else { throw error("expected ':'") }
                    _ = try skipValue(depth: depth + 1)
                } while take(UInt8(ascii: ","))
                guard take(UInt8(ascii: "}")) else { throw error("expected ',' or '}'") }
            }
        case UInt8(ascii: "["):
            at += 1
            if !take(UInt8(ascii: "]")) {
                repeat { _ = try skipValue(depth: depth + 1) } while take(UInt8(ascii: ","))
                guard take(UInt8(ascii: "]")) else { throw error("expected ',' or ']'") }
            }
        case UInt8(ascii: "t") where takeLiteral("true"): break
        case UInt8(ascii: "f") where takeLiteral("false"): break
        case UInt8(ascii: "n") where takeLiteral("null"): break
        default: _ = try number()
        }
        return UnsafeBufferPointer(start: first, count: at - first)
    }

    /// Nothing but white space may follow.
    package mutating func finish() throws(Error) {
        skipSpace()
        guard at == end else { throw error("unexpected text after the value") }
    }
}

extension JSONScanner {
    /// A whole text that is an array of strings.
    package mutating func stringArray() throws(Error) -> [String] {
        guard take(UInt8(ascii: "[")) else { throw error("expected an array") }
        var strings: [String] = []
        if !take(UInt8(ascii: "]")) {
            repeat { strings.append(try string()) } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "]")) else { throw error("expected ',' or ']'") }
        }
        try finish()
        return strings
    }
}
