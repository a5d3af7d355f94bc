/// What S3 answers with: elements and text. Attributes are skipped, and what XML has beyond that is refused.
struct S3XML: Sendable, Equatable {
    enum Error: Swift.Error, Equatable {
        /// The byte where the text stops being what is read here.
        case malformed(at: Int)
    }

    let name: String
    private(set) var text = ""
    private(set) var children: [S3XML] = []

    /// The first child of a name.
    subscript(_ name: String) -> S3XML? { children.first { $0.name == name } }

    /// The text of the first child of a name.
    func text(_ name: String) -> String? { self[name]?.text }

    func all(_ name: String) -> [S3XML] { children.filter { $0.name == name } }

    private static let maxDepth = 16

    private init(name: String) { self.name = name }

    static func read(_ bytes: [UInt8]) throws(Error) -> S3XML {
        var reader = Reader(bytes: bytes)
        reader.skipProlog()
        guard try reader.open() != nil else { throw reader.malformed }
        return try reader.element(depth: 0)
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0
        /// Of the tag just opened.
        private var name = ""
        private var isEmpty = false

        init(bytes: [UInt8]) { self.bytes = bytes }

        var malformed: Error { .malformed(at: position) }

        mutating func skipProlog() {
            skipBlanks()
            if bytes[position...].starts(with: "<?".utf8), let end = find("?>") { position = end + 2 }
            skipBlanks()
        }

        private mutating func skipBlanks() {
            while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
        }

        private func find(_ text: String) -> Int? {
            let wanted = Array(text.utf8)
            guard bytes.count >= wanted.count else { return nil }
            return (position..<(bytes.count - wanted.count + 1)).first { bytes[$0...].starts(with: wanted) }
        }

        /// Reads `<name …>` or `<name …/>`; `nil` when a closing tag comes.
        mutating func open() throws(Error) -> String? {
            guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "<") else { throw malformed }
            if bytes[position + 1] == UInt8(ascii: "/") { return nil }
            guard let end = find(">") else { throw malformed }
            var inside = bytes[(position + 1)..<end]
            isEmpty = inside.last == UInt8(ascii: "/")
            if isEmpty { inside = inside.dropLast() }
            name = String(decoding: inside.prefix { $0 != 0x20 && $0 != 0x0A && $0 != 0x09 && $0 != 0x0D }, as: UTF8.self)
            // Comments, doctypes and sections are not what this protocol sends.
            guard let first = name.utf8.first, first | 0x20 >= 0x61, first | 0x20 <= 0x7A else { throw malformed }
            position = end + 1
            return name
        }

        /// The element whose tag was just opened.
        mutating func element(depth: Int) throws(Error) -> S3XML {
            guard depth < S3XML.maxDepth else { throw malformed }
            var element = S3XML(name: name)
            if isEmpty { return element }
            var text: [UInt8] = []
            while position < bytes.count {
                guard bytes[position] == UInt8(ascii: "<") else {
                    try character(into: &text)
                    continue
                }
                if try open() != nil {
                    element.children.append(try self.element(depth: depth + 1))
                    continue
                }
                let closing = Array("</\(element.name)>".utf8)
                guard bytes[position...].starts(with: closing) else { throw malformed }
                position += closing.count
                element.text = String(decoding: text, as: UTF8.self)
                return element
            }
            throw malformed
        }

        private mutating func character(into text: inout [UInt8]) throws(Error) {
            guard bytes[position] == UInt8(ascii: "&") else {
                text.append(bytes[position])
                position += 1
                return
            }
            guard let end = bytes[position...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else { throw malformed }
            let entity = String(decoding: bytes[(position + 1)..<end], as: UTF8.self)
            guard let scalar = Self.scalar(entity) else { throw malformed }
            text.append(contentsOf: Array(String(Character(scalar)).utf8))
            position = end + 1
        }

        private static func scalar(_ entity: String) -> Unicode.Scalar? {
            switch entity {
            case "lt": "<"
            case "gt": ">"
            case "amp": "&"
            case "quot": "\""
            case "apos": "'"
            case _ where entity.hasPrefix("#x"): UInt32(entity.dropFirst(2), radix: 16).flatMap { Unicode.Scalar($0) }
            case _ where entity.hasPrefix("#"): UInt32(entity.dropFirst()).flatMap { Unicode.Scalar($0) }
            default: nil
            }
        }
    }

    /// Text between tags.
    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
    }
}
