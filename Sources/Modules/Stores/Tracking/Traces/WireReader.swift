/// Reads Protocol Buffers' wire format field by field.
///
/// Strict: a field beyond its message, a number of more than ten bytes, a group or an unknown kind is an error, never a guess.
///
/// Source: <https://protobuf.dev/programming-guides/encoding/>.
struct WireReader {
    enum Error: Swift.Error, Equatable {
        /// The bytes end inside a field, or a length leads beyond them.
        case cutShort
        case badNumber
        /// A kind of field that the format has not, or has no longer.
        case badKind(UInt8)
        case badText
        /// A field of another kind than its message says.
        case unexpectedKind(field: Int)
        case tooDeep
    }

    enum Value {
        case number(UInt64)
        case fixed64(UInt64)
        case bytes(ArraySlice<UInt8>)
        case fixed32(UInt32)
    }

    struct Field {
        let number: Int
        let value: Value

        func uint() throws(Error) -> UInt64 {
            guard case .number(let number) = value else { throw .unexpectedKind(field: self.number) }
            return number
        }

        func fixed64() throws(Error) -> UInt64 {
            guard case .fixed64(let number) = value else { throw .unexpectedKind(field: self.number) }
            return number
        }

        func bytes() throws(Error) -> ArraySlice<UInt8> {
            guard case .bytes(let bytes) = value else { throw .unexpectedKind(field: number) }
            return bytes
        }

        func text() throws(Error) -> String {
            guard let text = String(validating: try bytes(), as: UTF8.self) else { throw .badText }
            return text
        }
    }

    private let bytes: ArraySlice<UInt8>
    private var at: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        at = bytes.startIndex
    }

    /// The next field; `nil` at the end of the message.
    mutating func next() throws(Error) -> Field? {
        guard at < bytes.endIndex else { return nil }
        let tag = try number()
        let field = tag >> 3
        guard field > 0, field < 1 << 29 else { throw .badNumber }
        switch UInt8(tag & 7) {
        case 0: return Field(number: Int(field), value: .number(try number()))
        case 1: return Field(number: Int(field), value: .fixed64(try fixed(8)))
        case 2:
            let count = try number()
            guard count <= UInt64(bytes.endIndex - at) else { throw .cutShort }
            defer { at += Int(count) }
            return Field(number: Int(field), value: .bytes(bytes[at..<at + Int(count)]))
        case 5: return Field(number: Int(field), value: .fixed32(UInt32(truncatingIfNeeded: try fixed(4))))
        case let kind: throw .badKind(kind)
        }
    }

    private mutating func number() throws(Error) -> UInt64 {
        var result: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            guard at < bytes.endIndex else { throw .cutShort }
            let byte = bytes[at]
            at += 1
            // The tenth byte has room for one bit.
            guard shift < 63 || byte <= 1 else { throw .badNumber }
            result |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return result }
        }
        throw .badNumber
    }

    private mutating func fixed(_ count: Int) throws(Error) -> UInt64 {
        guard bytes.endIndex - at >= count else { throw .cutShort }
        defer { at += count }
        return bytes[at..<at + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
