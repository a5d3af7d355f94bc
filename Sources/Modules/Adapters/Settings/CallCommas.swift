import Domain

/// Lets calls such as `log(0.01, 0.5)` stand unquoted inside `{…}` and `[…]`, where YAML would end the value at the comma.
///
/// Before YAML sees the text, commas between the parentheses of a value in a flow collection become a character that means
/// nothing to it; afterwards they become commas again. One character replaces one character, so places stay true.
enum CallCommas {
    /// Of the private use area: no text of a project file needs it.
    private static let standIn: Unicode.Scalar = "\u{E000}"
    private static let standInBytes = Array(String(standIn).utf8)

    static func hidden(in bytes: [UInt8]) -> [UInt8] {
        var scanner = Scanner()
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for (index, byte) in bytes.enumerated() {
            let next = index + 1 < bytes.count ? bytes[index + 1] : UInt8(ascii: "\n")
            if scanner.isInsideCall(byte, next: next) { result += standInBytes } else { result.append(byte) }
        }
        return result
    }

    static func restored(_ text: String) -> String {
        guard text.unicodeScalars.contains(standIn) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == standIn ? "," : $0 }))
    }

    static func restored(_ node: SourceNode) -> SourceNode {
        let content: SourceNode.Content =
            switch node.content {
            case .scalar(let text, let isQuoted): .scalar(restored(text), isQuoted: isQuoted)
            case .list(let items): .list(items.map(restored))
            case .map(let entries):
                .map(
                    entries.map {
                        SourceNode.Entry(key: restored($0.key), keyPosition: $0.keyPosition, value: restored($0.value))
                    })
            }
        return SourceNode(content, at: node.position)
    }

    /// Knows just enough of YAML to tell where a value of a flow collection has an open parenthesis.
    private struct Scanner {
        private enum Text { case plain, comment, single, double }

        private var text = Text.plain
        private var collections = 0
        private var parentheses = 0
        /// The quote of a text inside a call, in which parentheses do not count.
        private var innerQuote: UInt8?
        private var skipsNext = false
        private var previous = UInt8(ascii: "\n")
        /// Whether a value may begin here.
        private var isStart = true

        /// Takes the next byte; whether it is a comma between the parentheses of a call.
        mutating func isInsideCall(_ byte: UInt8, next: UInt8) -> Bool {
            defer { previous = byte }
            if skipsNext {
                skipsNext = false
                return false
            }
            switch text {
            case .comment:
                if byte == UInt8(ascii: "\n") { text = .plain }
                isStart = isStart || byte == UInt8(ascii: "\n")
            case .single:
                if byte == UInt8(ascii: "'") { if next == byte { skipsNext = true } else { text = .plain } }
            case .double:
                if byte == UInt8(ascii: "\\") { skipsNext = true } else if byte == UInt8(ascii: "\"") { text = .plain }
            case .plain: return plain(byte)
            }
            return false
        }

        private mutating func plain(_ byte: UInt8) -> Bool {
            let isBlank = byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
            if byte == UInt8(ascii: "#"), [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n")].contains(previous) {
                text = .comment
                return false
            }
            if parentheses > 0 { return call(byte) }
            let begins = isStart
            if !isBlank { isStart = false }
            switch byte {
            case UInt8(ascii: "\n"): isStart = true
            case UInt8(ascii: "'") where begins: text = .single
            case UInt8(ascii: "\"") where begins: text = .double
            case UInt8(ascii: "{") where begins, UInt8(ascii: "[") where begins:
                collections += 1
                isStart = true
            case UInt8(ascii: "}") where collections > 0, UInt8(ascii: "]") where collections > 0: collections -= 1
            case UInt8(ascii: ","), UInt8(ascii: ":"): isStart = true
            case UInt8(ascii: "-") where begins: isStart = true
            case UInt8(ascii: "(") where collections > 0: parentheses = 1
            default: break
            }
            return false
        }

        private mutating func call(_ byte: UInt8) -> Bool {
            if byte == UInt8(ascii: ",") { return true }
            if let quote = innerQuote {
                if byte == quote { innerQuote = nil }
                return false
            }
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "'"): innerQuote = byte
            case UInt8(ascii: "("): parentheses += 1
            case UInt8(ascii: ")"): parentheses -= 1
            // The parenthesis is never closed, which the reader of the value will say.
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                parentheses = 0
                return plain(byte)
            default: break
            }
            return false
        }
    }
}
