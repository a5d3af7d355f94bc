/// Reads the JSON form of a model file (RFC 8259).
///
/// XGBoost writes integers, `1.5E0` floats and, for missing statistics, `NaN` and `Infinity`, which are accepted.
struct ModelJSONReader {
    typealias Error = ModelDocument.Error

    private let bytes: UnsafeBufferPointer<UInt8>
    private var at = 0

    static func document(_ bytes: [UInt8]) throws(Error) -> ModelDocument {
        try bytes.withUnsafeBufferPointer { buffer throws(Error) in
            var reader = ModelJSONReader(bytes: buffer)
            let document = try reader.value(keeping: true, depth: 0)
            reader.skipSpace()
            guard reader.at == buffer.count else { throw reader.error("unexpected text after the document") }
            return document
        }
    }

    private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    private func error(_ message: String) -> Error { Error(message: message, offset: at) }

    private mutating func skipSpace() {
        while at < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[at]) { at += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
        at += 1
        return true
    }

    private mutating func takeLiteral(_ literal: String) -> Bool {
        guard bytes.count - at >= literal.utf8.count, zip(literal.utf8, bytes[at...]).allSatisfy({ $0 == $1 }) else { return false }
        at += literal.utf8.count
        return true
    }

    private mutating func value(keeping: Bool, depth: Int) throws(Error) -> ModelDocument {
        guard depth < ModelDocument.maxDepth else { throw error("nested deeper than \(ModelDocument.maxDepth)") }
        skipSpace()
        guard at < bytes.count else { throw error("the file ends where a value should stand") }
        switch bytes[at] {
        case UInt8(ascii: "{"): return try object(keeping: keeping, depth: depth)
        case UInt8(ascii: "["): return try array(keeping: keeping, depth: depth)
        case UInt8(ascii: "\""): return .string(try text())
        case UInt8(ascii: "t") where takeLiteral("true"): return .bool(true)
        case UInt8(ascii: "f") where takeLiteral("false"): return .bool(false)
        case UInt8(ascii: "n") where takeLiteral("null"): return .null
        default: return .number(try number())
        }
    }

    private mutating func number() throws(Error) -> Double {
        if takeLiteral("NaN") { return .nan }
        if takeLiteral("Infinity") { return .infinity }
        if takeLiteral("-Infinity") { return -.infinity }
        let first = at
        while at < bytes.count {
            switch bytes[at] {
            case 48...57, UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"): at += 1
            default:
                guard at > first else { throw error("expected a value") }
                return try number(first)
            }
        }
        return try number(first)
    }

    private func number(_ first: Int) throws(Error) -> Double {
        let text = String(decoding: bytes[first..<at], as: UTF8.self)
        guard let value = Double(text) else { throw Error(message: "not a number: \(text.prefix(40))", offset: first) }
        return value
    }

    private mutating func text() throws(Error) -> String {
        guard take("\"") else { throw error("expected a string") }
        let first = at
        var isPlain = true
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
            if bytes[at] == UInt8(ascii: "\\") {
                isPlain = false
                at += 1
            }
            at += 1
        }
        guard at < bytes.count else {
            at = first
            throw error("unterminated string")
        }
        defer { at += 1 }
        guard let raw = String(validating: bytes[first..<at], as: UTF8.self) else { throw error("text is not UTF-8") }
        return isPlain ? raw : try unescape(raw, at: first)
    }

    private func unescape(_ raw: String, at offset: Int) throws(Error) -> String {
        func bad() -> Error { Error(message: "bad escape in a string", offset: offset) }
        var result = ""
        var units: [UInt16] = []
        var scalars = raw.unicodeScalars.makeIterator()
        while let scalar = scalars.next() {
            var plain: Unicode.Scalar? = scalar
            if scalar == "\\" {
                guard let kind = scalars.next() else { throw bad() }
                switch kind {
                case "\"", "\\", "/": plain = kind
                case "b": plain = "\u{8}"
                case "f": plain = "\u{C}"
                case "n": plain = "\n"
                case "r": plain = "\r"
                case "t": plain = "\t"
                case "u":
                    let digits = String(String.UnicodeScalarView((0..<4).compactMap { _ in scalars.next() }))
                    guard digits.utf8.count == 4, let unit = UInt16(digits, radix: 16) else { throw bad() }
                    units.append(unit)
                    plain = nil
                default: throw bad()
                }
            }
            if let plain {
                result += String(decoding: units, as: UTF16.self)
                units.removeAll()
                result.unicodeScalars.append(plain)
            }
        }
        return result + String(decoding: units, as: UTF16.self)
    }

    private mutating func array(keeping: Bool, depth: Int) throws(Error) -> ModelDocument {
        at += 1
        var numbers: [Double] = []
        var items: [ModelDocument] = []
        if take("]") { return .numbers([]) }
        repeat {
            let item = try value(keeping: keeping, depth: depth + 1)
            if !keeping, case .number = item { continue }
            if items.isEmpty, case .number(let value) = item {
                numbers.append(value)
            } else {
                if items.isEmpty { items = numbers.map(ModelDocument.number) }
                items.append(item)
            }
        } while take(",")
        guard take("]") else { throw error("expected ',' or ']'") }
        return items.isEmpty ? .numbers(numbers) : .array(items)
    }

    private mutating func object(keeping: Bool, depth: Int) throws(Error) -> ModelDocument {
        at += 1
        var fields: [String: ModelDocument] = [:]
        if take("}") { return .object(fields) }
        repeat {
            skipSpace()
            let key = try text()
            guard take(":") else { throw error("expected ':'") }
            fields[key] = try value(keeping: keeping && !ModelDocument.unusedArrays.contains(key), depth: depth + 1)
        } while take(",")
        guard take("}") else { throw error("expected ',' or '}'") }
        return .object(fields)
    }
}
