package import Web

/// JSON text as Python's `json` writes it, with a space after commas and colons.
///
/// Clients and searches see this text: previews show it, and `LIKE` patterns are written against it.
package enum PythonJSON {
    /// - Parameter isASCII: Writes everything beyond ASCII as `\u` escapes.
    package static func text(_ value: JSONValue, isASCII: Bool = false) -> String {
        var bytes: [UInt8] = []
        append(value, isASCII, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func append(_ value: JSONValue, _ isASCII: Bool, to bytes: inout [UInt8]) {
        switch value {
        case .null: bytes += "null".utf8
        case .bool(let flag): bytes += (flag ? "true" : "false").utf8
        case .int(let number): bytes += String(number).utf8
        case .double(let number):
            bytes += (number.isFinite ? "\(number)" : number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity").utf8
        case .string(let text): append(text, isASCII, to: &bytes)
        case .array(let values):
            bytes.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { bytes += ", ".utf8 }
                append(value, isASCII, to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes += ", ".utf8 }
                append(member.key, isASCII, to: &bytes)
                bytes += ": ".utf8
                append(member.value, isASCII, to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private static func append(_ text: String, _ isASCII: Bool, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": bytes += "\\\"".utf8
            case "\\": bytes += "\\\\".utf8
            case "\n": bytes += "\\n".utf8
            case "\r": bytes += "\\r".utf8
            case "\t": bytes += "\\t".utf8
            case "\u{08}": bytes += "\\b".utf8
            case "\u{0C}": bytes += "\\f".utf8
            case _ where scalar.value < 0x20 || (isASCII && scalar.value > 0x7E):
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    bytes += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
                }
            default: bytes += UTF8.encode(scalar).map { Array($0) } ?? []
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Bytes as Python shows them: `b'\x00a'`.
    package static func bytes(_ content: some Sequence<UInt8>) -> String {
        let content = Array(content)
        let quote: Character = content.contains(UInt8(ascii: "'")) && !content.contains(UInt8(ascii: "\"")) ? "\"" : "'"
        var text = "b" + String(quote)
        for byte in content {
            switch byte {
            case UInt8(ascii: "\\"): text += "\\\\"
            case UInt8(ascii: "\n"): text += "\\n"
            case UInt8(ascii: "\r"): text += "\\r"
            case UInt8(ascii: "\t"): text += "\\t"
            case UInt8(ascii: "'") where quote == "'": text += "\\'"
            case 0x20...0x7E: text.unicodeScalars.append(Unicode.Scalar(byte))
            default: text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return text + String(quote)
    }
}
