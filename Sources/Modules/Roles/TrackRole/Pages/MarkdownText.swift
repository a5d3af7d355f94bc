import Foundation
import Web

/// A safe part of Markdown as HTML: headings, paragraphs, lists, quotes, code, tables, rules, emphasis, links.
///
/// What is not known stays text: markup inside is escaped, pictures become links, and a link leads to the web or a mail
/// program or is no link.
///
/// Source of the syntax: CommonMark 0.31, <https://spec.commonmark.org/0.31.2/>, and the pipe tables of GitHub's dialect.
enum MarkdownText {
    /// Longer texts are shown as they are.
    static let maxBytes = 64_000

    static func html(_ text: String) -> HTML {
        guard text.utf8.count <= maxBytes else { return "<pre>\(text)</pre>" }
        let lines = text.replacing("\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var blocks = MarkdownBlocks(lines[...])
        return blocks.html(depth: 0)
    }

    // MARK: Inside a line

    /// Emphasis, code and links. Each is looked for once from the left, so the work is bounded by the square of a line's marks.
    static func inline(_ text: String, depth: Int = 0) -> HTML {
        guard depth < 6 else { return "\(text)" }
        var result: HTML = .empty
        var plain = ""
        var rest = Substring(text)
        func flush() {
            result += "\(plain)"
            plain = ""
        }
        while let first = rest.first {
            if first == "\\", let next = rest.dropFirst().first, next.isPunctuation || next.isSymbol {
                plain.append(next)
                rest = rest.dropFirst(2)
            } else if first == "`", let (inner, after) = between(rest, "`", "`") {
                flush()
                result += "<code>\(String(inner))</code>"
                rest = after
            } else if let (mark, name) = [("**", "strong"), ("__", "strong"), ("*", "em"), ("_", "em"), ("~~", "del")].first(where: {
                rest.hasPrefix($0.0)
            }), mark != "_" || !(plain.last?.isLetter ?? false), let (inner, after) = between(rest, mark, mark), !inner.isEmpty,
                inner.first != " "
            {
                flush()
                result += "<\(HTML(trusted: name))>\(inline(String(inner), depth: depth + 1))</\(HTML(trusted: name))>"
                rest = after
            } else if first == "[" || rest.hasPrefix("!["), let link = Link(rest) {
                flush()
                result += link.html(depth)
                rest = link.after
            } else {
                plain.append(first)
                rest = rest.dropFirst()
            }
        }
        flush()
        return result
    }

    private static func between(_ text: Substring, _ open: String, _ close: String) -> (inner: Substring, after: Substring)? {
        let inside = text.dropFirst(open.count)
        // A mark that has no partner nearby has none: a long line of marks must not cost its square.
        guard let end = inside.prefix(500).range(of: close) else { return nil }
        return (inside[..<end.lowerBound], inside[end.upperBound...])
    }

    /// `[text](target)` or `![text](target)`
    private struct Link {
        let title: Substring
        let target: String
        let after: Substring

        init?(_ text: Substring) {
            let start = text.hasPrefix("!") ? text.dropFirst() : text
            guard let (title, rest) = MarkdownText.between(start, "[", "]"), rest.first == "(",
                let (target, after) = MarkdownText.between(rest, "(", ")")
            else { return nil }
            self.title = title
            self.target = target.split(separator: " ").first.map(String.init) ?? ""
            self.after = after
        }

        func html(_ depth: Int) -> HTML {
            let shown = title.isEmpty ? "\(target)" : MarkdownText.inline(String(title), depth: depth + 1)
            let scheme = target.prefix { $0 != ":" }.lowercased()
            guard target.contains(":"), ["http", "https", "mailto"].contains(scheme) else { return shown }
            return "<a href=\"\(target)\" rel=\"noopener noreferrer nofollow\">\(shown)</a>"
        }
    }
}

/// Reads Markdown line by line.
private struct MarkdownBlocks {
    private var lines: ArraySlice<String>

    init(_ lines: ArraySlice<String>) { self.lines = lines }

    mutating func html(depth: Int) -> HTML {
        guard depth < 8 else { return "<pre>\(lines.joined(separator: "\n"))</pre>" }
        var result: HTML = .empty
        while let line = lines.first {
            let text = line.trimmed
            if text.isEmpty {
                lines.removeFirst()
            } else if text.hasPrefix("```") || text.hasPrefix("~~~") {
                result += fence(String(text.prefix(3)))
            } else if let level = Self.heading(text) {
                lines.removeFirst()
                // The page has its own first heading.
                let name = HTML(trusted: "h\(min(6, level + 2))")
                result += "<\(name)>\(MarkdownText.inline(text.drop { $0 == "#" }.trimmed))</\(name)>"
            } else if Self.isRule(text) {
                lines.removeFirst()
                result += "<hr>"
            } else if text.hasPrefix(">") {
                let quoted = taken { $0.trimmed.hasPrefix(">") }.map { String($0.trimmed.dropFirst()) }
                var inner = MarkdownBlocks(quoted[...])
                result += "<blockquote>\(inner.html(depth: depth + 1))</blockquote>"
            } else if Self.item(line) != nil {
                result += list(depth: depth)
            } else if let table = table() {
                result += table
            } else {
                let paragraph = taken {
                    !$0.trimmed.isEmpty && Self.heading($0.trimmed) == nil && Self.item($0) == nil && !$0.hasPrefix("```")
                }
                result += "<p>\(MarkdownText.inline(paragraph.map(\.trimmed).joined(separator: "\n")))</p>"
            }
        }
        return result
    }

    /// The first line, whatever it is, and those after it that belong to it.
    private mutating func taken(while belongs: (String) -> Bool) -> [String] {
        var result = [lines.removeFirst()]
        while let line = lines.first, belongs(line) { result.append(lines.removeFirst()) }
        return result
    }

    private static func heading(_ text: String) -> Int? {
        let marks = text.prefix { $0 == "#" }.count
        return (1...6).contains(marks) && text.dropFirst(marks).first == " " ? marks : nil
    }

    private static func isRule(_ text: String) -> Bool {
        let marks = text.filter { $0 != " " }
        return marks.count >= 3 && (marks.allSatisfy { $0 == "-" } || marks.allSatisfy { $0 == "*" } || marks.allSatisfy { $0 == "_" })
    }

    private mutating func fence(_ mark: String) -> HTML {
        lines.removeFirst()
        var code: [String] = []
        while let line = lines.first {
            lines.removeFirst()
            if line.trimmed.hasPrefix(mark) { break }
            code.append(line)
        }
        return "<pre><code>\(code.joined(separator: "\n"))</code></pre>"
    }

    /// The text of a list's item and whether the list is numbered.
    private static func item(_ line: String) -> (text: String, isNumbered: Bool, indent: Int)? {
        let indent = line.prefix { $0 == " " || $0 == "\t" }.count
        let text = line.dropFirst(indent)
        if let mark = text.first, "-*+".contains(mark), text.dropFirst().first == " " { return (String(text.dropFirst(2)), false, indent) }
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard (1...9).contains(digits.count), let dot = text.dropFirst(digits.count).first, dot == "." || dot == ")",
            text.dropFirst(digits.count + 1).first == " "
        else { return nil }
        return (String(text.dropFirst(digits.count + 2)), true, indent)
    }

    private mutating func list(depth: Int) -> HTML {
        guard let first = lines.first.flatMap({ Self.item($0) }) else { return .empty }
        var items: [HTML] = []
        while let line = lines.first, let next = Self.item(line), next.indent <= first.indent, next.isNumbered == first.isNumbered {
            // What is indented below an item belongs to it.
            let own = taken { line in
                guard !line.trimmed.isEmpty else { return false }
                return line.prefix { $0 == " " || $0 == "\t" }.count > first.indent
            }
            let nested = own.dropFirst().map { line in
                Self.item(line) == nil ? line.trimmed : line
            }
            var inner = MarkdownBlocks(nested[...])
            items.append("<li>\(MarkdownText.inline(next.text))\(nested.isEmpty ? .empty : inner.html(depth: depth + 1))</li>")
        }
        return first.isNumbered ? "<ol>\(items)</ol>" : "<ul>\(items)</ul>"
    }

    /// A head, a line of dashes, rows.
    private mutating func table() -> HTML? {
        guard let head = lines.first, head.contains("|"), let ruler = lines.dropFirst().first?.trimmed, ruler.contains("-"),
            ruler.allSatisfy({ "|-: ".contains($0) })
        else { return nil }
        let rows = taken { $0.contains("|") && !$0.trimmed.isEmpty }
        func cells(_ line: String) -> [HTML] {
            var text = line.trimmed[...]
            if text.hasPrefix("|") { text = text.dropFirst() }
            if text.hasSuffix("|") { text = text.dropLast() }
            return text.split(separator: "|", omittingEmptySubsequences: false).map { MarkdownText.inline(String($0).trimmed) }
        }
        return TableMarkup(
            cells(head).map { TableMarkup.Column($0) }, rows: rows.dropFirst(2).map { cells($0) }, whenEmpty: "An empty table."
        ).render()
    }
}

extension StringProtocol {
    fileprivate var trimmed: String {
        var text = self[...]
        while let first = text.first, first.isWhitespace { text = text.dropFirst() }
        while let last = text.last, last.isWhitespace { text = text.dropLast() }
        return String(text)
    }
}
