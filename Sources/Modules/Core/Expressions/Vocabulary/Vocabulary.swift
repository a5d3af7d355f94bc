package import Domain

/// The categories of one kind of text, and the other words for each: what `canonical` looks values up in.
package struct Vocabulary: Sendable, Hashable {
    /// What becomes of a value that no line names.
    package enum Unknown: Sendable, Hashable {
        /// It stands for itself, in its normal form.
        case keep
        /// All of them become this one category.
        case category(String)
    }

    /// What is wrong with a file of synonyms.
    package struct Error: Swift.Error, Equatable, CustomStringConvertible {
        /// From 1.
        package let line: Int
        package let message: String

        package var description: String { "line \(line): \(message)" }
    }

    /// The largest file that is read, bytes.
    package static var maxBytes: Int { 8 << 20 }

    package let name: String
    package let unknown: Unknown
    /// Of the categories, their synonyms and the rule for unknown values; order and comments of the file do not count.
    package let hash: ContentHash
    /// Category by word, all in capitals.
    private let words: [String: String]
    /// Category by the singular of a word, where no word is written so.
    private let singulars: [String: String]

    /// - Parameters:
    ///   - synonyms: One category a line, then its other words, separated by commas: `SHOE, sneaker, trainer`. A field may stand in double
    ///     quotes. Empty lines and those that begin with `#` say nothing.
    /// - Throws: A word that belongs to two categories, or a line that cannot be read.
    package init(name: String, synonyms: String, unknown: Unknown) throws(Error) {
        var words: [String: String] = [:], lineOfWord: [String: Int] = [:], order: [String] = []
        for (index, line) in synonyms.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let fields = try Self.fields(line, number: index + 1).map(Self.capitals)
            guard let category = fields.first, fields.contains(where: { !$0.isEmpty }) else { continue }
            guard !category.isEmpty else { throw Error(line: index + 1, message: "the category, the first word of the line, is missing") }
            for word in fields where !word.isEmpty {
                if let other = words[word], other != category {
                    throw Error(
                        line: index + 1,
                        message: "\"\(word)\" belongs to \(category) here and to \(other) on line \(lineOfWord[word] ?? 0)")
                }
                if words.updateValue(category, forKey: word) == nil { order.append(word) }
                lineOfWord[word] = lineOfWord[word] ?? index + 1
            }
        }
        var singulars: [String: String] = [:]
        for word in order {
            let singular = EnglishNoun.singular(word)
            if words[singular] == nil, singulars[singular] == nil { singulars[singular] = words[word] }
        }
        self.name = name
        self.unknown = if case .category(let text) = unknown { .category(Self.capitals(text)) } else { unknown }
        self.words = words
        self.singulars = singulars
        let rule = if case .category(let text) = self.unknown { "unknown \(text)" } else { "unknown keep" }
        // The order decides between two words whose singulars are the same, so it is part of the meaning there.
        let lines = words.map { "\($0)\t\($1)" } + singulars.map { "\($0)\t\($1)" }
        hash = ContentHash(of: ([rule] + lines.sorted()).joined(separator: "\n"))
    }

    package static func == (a: Self, b: Self) -> Bool { a.name == b.name && a.hash == b.hash }
    package func hash(into hasher: inout Hasher) { hasher.combine(hash) }

    /// Every category, sorted.
    package var categories: [String] { Set(words.values).sorted() }

    /// The category of a text in capitals, or `nil` when no line names it.
    func category(of text: String) -> String? {
        if let category = words[text] { return category }
        let singular = EnglishNoun.singular(text)
        return words[singular] ?? singulars[singular]
    }

    // MARK: Text

    /// In capitals, composed, without white space at the ends and with one blank for any within.
    static func capitals(_ text: some StringProtocol) -> String {
        var capitals = String.UnicodeScalarView(), isAfterSpace = false
        for scalar in text.uppercased().unicodeScalars {
            if scalar.properties.isWhitespace {
                isAfterSpace = true
            } else {
                if isAfterSpace, !capitals.isEmpty { capitals.append(" ") }
                isAfterSpace = false
                capitals.append(scalar)
            }
        }
        return Self.composed(String(capitals))
    }

    private static func fields(_ line: Substring, number: Int) throws(Error) -> [String] {
        guard line.first(where: { !$0.isWhitespace }) != "#" else { return [] }
        var fields: [String] = [], field = "", isQuoted = false, wasQuoted = false
        for character in line {
            switch character {
            case "\"" where isQuoted || field.allSatisfy(\.isWhitespace):
                isQuoted.toggle()
                wasQuoted = true
            case "," where !isQuoted:
                fields.append(field)
                (field, wasQuoted) = ("", false)
            case _ where wasQuoted && !isQuoted && !character.isWhitespace:
                throw Error(line: number, message: "a comma is missing after a text in quotes")
            default: field.append(character)
            }
        }
        guard !isQuoted else { throw Error(line: number, message: "a quote is never closed") }
        return fields + [field]
    }
}
