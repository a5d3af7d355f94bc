/// A piece of HTML text in which every stranger's text has been escaped.
///
/// Written as a literal: its own characters are markup, and what is interpolated is escaped, unless it is ``HTML``
/// itself. So text cannot become markup by oversight:
///
///     let cell: HTML = "<td>\(run.name)</td>"      // a name of "<b>" shows as <b>
///     let row: HTML = "<tr>\(cell)\(cell)</tr>"
package struct HTML: Sendable, Equatable, ExpressibleByStringInterpolation, CustomStringConvertible {
    /// The markup.
    package let text: String

    package var description: String { text }
    package var isEmpty: Bool { text.isEmpty }

    package static let empty: HTML = ""

    /// - Parameter trusted: Markup that holds no stranger's text.
    package init(trusted: String) { text = trusted }

    package init(stringLiteral value: String) { text = value }
    package init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

    /// `text` as characters to read: `<` becomes `&lt;` and so on, safe between tags and inside quoted attributes.
    package static func escape(_ text: String) -> String {
        guard text.utf8.contains(where: { specials.contains($0) }) else { return text }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count + 16)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): bytes.append(contentsOf: "&amp;".utf8)
            case UInt8(ascii: "<"): bytes.append(contentsOf: "&lt;".utf8)
            case UInt8(ascii: ">"): bytes.append(contentsOf: "&gt;".utf8)
            case UInt8(ascii: "\""): bytes.append(contentsOf: "&quot;".utf8)
            case UInt8(ascii: "'"): bytes.append(contentsOf: "&#39;".utf8)
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let specials = Set("&<>\"'".utf8)

    package static func + (a: HTML, b: HTML) -> HTML { HTML(trusted: a.text + b.text) }
    package static func += (a: inout HTML, b: HTML) { a = a + b }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        package init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity + interpolationCount * 16) }
        package mutating func appendLiteral(_ literal: String) { text += literal }
        package mutating func appendInterpolation(_ value: HTML) { text += value.text }
        package mutating func appendInterpolation(_ value: [HTML]) { for piece in value { text += piece.text } }
        package mutating func appendInterpolation(_ value: String) { text += HTML.escape(value) }
        package mutating func appendInterpolation(_ value: some BinaryInteger) { text += String(value) }
        package mutating func appendInterpolation(_ value: some CustomStringConvertible) { text += HTML.escape(value.description) }
    }
}

extension Sequence<HTML> {
    package func joined(separator: HTML = .empty) -> HTML { HTML(trusted: map(\.text).joined(separator: separator.text)) }
}

/// Pieces of URLs from stranger's text.
package enum URLText {
    /// One path segment or query value: everything but letters, digits and `-._~` percent-encoded.
    package static func encode(_ text: String) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                bytes.append(byte)
            default:
                bytes.append(UInt8(ascii: "%"))
                bytes.append(contentsOf: hexadecimal(byte))
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A path whose `/` stay.
    package static func encodePath(_ path: String) -> String {
        path.split(separator: "/", omittingEmptySubsequences: false).map { encode(String($0)) }.joined(separator: "/")
    }

    /// The inverse of ``encode(_:)``. `nil` for a broken escape or bytes that are not UTF-8.
    /// - Parameter plusIsSpace: As in a query string.
    package static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard rest.count >= 2, let high = digit(rest.removeFirst()), let low = digit(rest.removeFirst()) else { return nil }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The pairs of a query string in order; broken escapes stay as they are.
    package static func query(_ text: some StringProtocol) -> [(name: String, value: String)] {
        text.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { part in
                decode(part, plusIsSpace: true) ?? String(part)
            }
            return (parts[0], parts.count > 1 ? parts[1] : "")
        }
    }

    private static func hexadecimal(_ byte: UInt8) -> [UInt8] {
        [byte >> 4, byte & 15].map { $0 < 10 ? $0 + UInt8(ascii: "0") : $0 - 10 + UInt8(ascii: "A") }
    }

    private static func digit(_ byte: UInt8) -> UInt8? { Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) } }
}
