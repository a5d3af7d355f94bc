/// The one JSON text form of values that the project writes: keys, record values, hashes.
///
/// Compact UTF-8; doubles in the shortest form that reads back equal, always with `.0` or an exponent; −0 as
/// `0.0`; null for a missing or non-finite value; only the escapes that JSON requires.
package enum JSONText {
    package static func append(_ value: Value, to bytes: inout [UInt8]) {
        switch value {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .int(let value), .time(let value): append(value, to: &bytes)
        case .double(let value): append(value, to: &bytes)
        case .string(let value): append(value, to: &bytes)
        }
    }

    package static func append(_ value: Int64, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: value.description.utf8)
    }

    package static func append(_ value: Double, to bytes: inout [UInt8]) {
        guard value.isFinite else { return bytes.append(contentsOf: "null".utf8) }
        bytes.append(contentsOf: (value == 0 ? "0.0" : value.description).utf8)
    }

    package static func append(_ value: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        var value = value
        value.withUTF8 { utf8 in
            // Nearly all texts need no escape: they are copied at once.
            let plain = plainPrefix(of: utf8)
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[..<plain]))
            for byte in utf8[plain...] { appendEscaped(byte, to: &bytes) }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func appendEscaped(_ byte: UInt8, to bytes: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
        case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
        case 0x08: bytes.append(contentsOf: "\\b".utf8)
        case 0x09: bytes.append(contentsOf: "\\t".utf8)
        case 0x0A: bytes.append(contentsOf: "\\n".utf8)
        case 0x0C: bytes.append(contentsOf: "\\f".utf8)
        case 0x0D: bytes.append(contentsOf: "\\r".utf8)
        case 0..<0x20:
            bytes.append(contentsOf: "\\u00".utf8)
            bytes.append(hexDigit(byte >> 4))
            bytes.append(hexDigit(byte & 15))
        default: bytes.append(byte)
        }
    }

    /// How many bytes at the beginning need no escape, found eight at a time.
    private static func plainPrefix(of utf8: UnsafeBufferPointer<UInt8>) -> Int {
        let raw = UnsafeRawBufferPointer(utf8)
        let ones: UInt64 = 0x0101_0101_0101_0101, tops: UInt64 = 0x8080_8080_8080_8080
        var at = 0
        while at + 8 <= raw.count {
            let word = raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            // A top bit is set where a byte is below 0x20, is a quote or is a backslash; above 0x7F there may be false alarms.
            let quote = word ^ (ones &* 0x22), backslash = word ^ (ones &* 0x5C)
            let found = ((word &- ones &* 0x20) & ~word) | ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)
            if found & tops != 0 { break }
            at += 8
        }
        while at < raw.count, raw[at] >= 0x20, raw[at] != UInt8(ascii: "\""), raw[at] != UInt8(ascii: "\\") { at += 1 }
        return at
    }

    /// `["a",1]` for several values, in order.
    package static func array(_ values: [Value]) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "[")]
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            append(value, to: &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
        return bytes
    }

    /// `{"name":value,…}` in the order given.
    package static func object(_ fields: [(name: String, value: Value)]) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "{")]
        for (index, field) in fields.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            append(field.name, to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            append(field.value, to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    static func hexDigit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? nibble + UInt8(ascii: "0") : nibble - 10 + UInt8(ascii: "a") }
}
