/// Reads JSON text (RFC 8259) into a ``JSONValue``.
///
/// The bare words `NaN`, `Infinity` and `-Infinity` are accepted as numbers, because Python writes them.
package struct JSONReader {
    package struct Error: Swift.Error, Equatable, CustomStringConvertible {
        package let message: String
        /// Bytes from the start of the text.
        package let offset: Int
        package var description: String { "\(message) at byte \(offset)" }
    }

    /// Nesting deeper than this is refused, so a hostile body cannot exhaust the stack.
    package static var maxDepth: Int { 64 }

    private let bytes: UnsafeBufferPointer<UInt8>
    private let numbersAsText: Bool
    /// How many more values there may be.
    private var left: Int
    private var at = 0

    /// - Parameters:
    ///   - numbersAsText: Whether numbers come as texts, digit by digit as they were written.
    ///   - maxValues: More values than these, the nested ones counted, are refused as they are met: what is two bytes of text
    ///     is dozens of bytes in memory.
    /// - Throws: ``Error`` unless the bytes are exactly one JSON value.
    package static func read(
        _ bytes: some Sequence<UInt8>, numbersAsText: Bool = false, maxValues: Int = .max
    ) throws(Error) -> JSONValue {
        let copy = ContiguousArray(bytes)
        let result: Result<JSONValue, Error> = copy.withUnsafeBufferPointer { buffer in
            var reader = JSONReader(bytes: buffer, numbersAsText: numbersAsText, maxValues: maxValues)
            do throws(Error) {
                let value = try reader.value(depth: 0)
                reader.skipSpace()
                guard reader.at == buffer.count else { throw reader.error("unexpected text after the value") }
                return .success(value)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private init(bytes: UnsafeBufferPointer<UInt8>, numbersAsText: Bool, maxValues: Int) {
        left = maxValues
        self.bytes = bytes
        self.numbersAsText = numbersAsText
    }

    private func error(_ message: String) -> Error { Error(message: message, offset: at) }

    private mutating func skipSpace() {
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0A || bytes[at] == 0x0D || bytes[at] == 0x09 { at += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
        at += 1
        return true
    }

    private mutating func takeWord(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard bytes.count - at >= count else { return false }
        for index in 0..<count where bytes[at + index] != word.utf8Start[index] { return false }
        at += count
        return true
    }

    private mutating func value(depth: Int) throws(Error) -> JSONValue {
        guard depth < Self.maxDepth else { throw error("nested deeper than \(Self.maxDepth)") }
        skipSpace()
        guard at < bytes.count else { throw error("expected a value") }
        guard left > 0 else { throw error("more values than are read") }
        left -= 1
        switch bytes[at] {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t") where takeWord("true"): return .bool(true)
        case UInt8(ascii: "f") where takeWord("false"): return .bool(false)
        case UInt8(ascii: "n") where takeWord("null"): return .null
        case UInt8(ascii: "N") where takeWord("NaN"): return .double(.nan)
        case UInt8(ascii: "I") where takeWord("Infinity"): return .double(.infinity)
        case UInt8(ascii: "-") where takeWord("-Infinity"): return .double(-.infinity)
        default: return try number()
        }
    }

    private mutating func object(depth: Int) throws(Error) -> JSONValue {
        at += 1
        var members: [JSONValue.Member] = []
        if take("}") { return .object(members) }
        members.reserveCapacity(4)
        repeat {
            skipSpace()
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw error("expected a key") }
            let key = try string()
            guard take(":") else { throw error("expected ':'") }
            members.append(JSONValue.Member(key, try value(depth: depth + 1)))
        } while take(",")
        guard take("}") else { throw error("expected ',' or '}'") }
        return .object(members)
    }

    private mutating func array(depth: Int) throws(Error) -> JSONValue {
        at += 1
        var values: [JSONValue] = []
        if take("]") { return .array(values) }
        repeat { values.append(try value(depth: depth + 1)) } while take(",")
        guard take("]") else { throw error("expected ',' or ']'") }
        return .array(values)
    }

    private mutating func string() throws(Error) -> String {
        at += 1
        let first = at
        while at < bytes.count, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\"), bytes[at] >= 0x20 { at += 1 }
        guard at < bytes.count, bytes[at] >= 0x20 else { throw error("unterminated string") }
        if bytes[at] == UInt8(ascii: "\"") {
            let raw = UnsafeBufferPointer(rebasing: bytes[first..<at])
            at += 1
            guard let text = String(validating: raw, as: UTF8.self) else { throw error("string is not UTF-8") }
            return text
        }
        return try escapedString(from: first)
    }

    private mutating func escapedString(from first: Int) throws(Error) -> String {
        var text = Array(bytes[first..<at])
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: text, as: UTF8.self) else { throw error("string is not UTF-8") }
                return text
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw error("control character in a string")
            default: text.append(byte)
            }
        }
        throw error("unterminated string")
    }

    private mutating func escape(into text: inout [UInt8]) throws(Error) {
        guard at < bytes.count else { throw error("unterminated string") }
        let byte = bytes[at]
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hex4()
            if (0xD800..<0xDC00).contains(code) {
                // A surrogate pair; a lone half is not text.
                guard takeWord("\\u") else { throw error("half a surrogate pair") }
                let low = try hex4()
                guard (0xDC00..<0xE000).contains(low) else { throw error("half a surrogate pair") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw error("half a surrogate pair") }
            text.append(contentsOf: Array(String(Character(scalar)).utf8))
        default: throw error("unknown escape in a string")
        }
    }

    private mutating func hex4() throws(Error) -> UInt32 {
        guard bytes.count - at >= 4 else { throw error("unterminated string") }
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[at])).hexDigitValue else { throw error("expected four hexadecimal digits") }
            code = code << 4 | UInt32(digit)
            at += 1
        }
        return code
    }

    private mutating func number() throws(Error) -> JSONValue {
        let first = at
        if at < bytes.count, bytes[at] == UInt8(ascii: "-") { at += 1 }
        let firstDigit = at
        skipDigits()
        guard at > firstDigit else { throw error("expected a value") }
        guard at == firstDigit + 1 || bytes[firstDigit] != UInt8(ascii: "0") else { throw error("number with a leading zero") }
        var isInteger = true
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            isInteger = false
            at += 1
            let fraction = at
            skipDigits()
            guard at > fraction else { throw error("number without digits after the point") }
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            at += 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            let exponent = at
            skipDigits()
            guard at > exponent else { throw error("number without digits in the exponent") }
        }
        let text = String(decoding: bytes[first..<at], as: UTF8.self)
        if numbersAsText { return .string(text) }
        if isInteger, let value = Int64(text) { return .int(value) }
        guard let value = Double(text) else { throw error("expected a number") }
        return .double(value)
    }

    private mutating func skipDigits() {
        while at < bytes.count, bytes[at] &- 48 < 10 { at += 1 }
    }
}
