/// Reads search texts token by token.
struct SearchParser {
    enum Token: Equatable {
        /// A name with the parts between its dots; quoted parts are kept whole.
        case name([String])
        case text(String)
        /// And how it is written.
        case number(Double, String)
        case symbol(String)
        case end
    }

    /// Longer texts are refused before they are read.
    static let maxBytes = 64_000

    private let source: String
    private var tokens: [Token] = []
    private var next = 0

    init(_ source: String) throws(TrackingError) {
        self.source = source
        guard source.utf8.count <= Self.maxBytes else {
            throw TrackingError(.invalidParameter, "Invalid filter: it is longer than \(Self.maxBytes) bytes")
        }
        tokens = try Self.tokens(Array(source.unicodeScalars), source)
    }

    private func refuse(_ why: String) -> TrackingError { Self.refuse(source, why) }

    private static func refuse(_ source: String, _ why: String) -> TrackingError {
        TrackingError(.invalidParameter, "Invalid filter '\(Validation.shown(source))': \(why)")
    }

    private var current: Token { next < tokens.count ? tokens[next] : .end }

    private mutating func advance() -> Token {
        defer { next += 1 }
        return current
    }

    // MARK: Grammar

    mutating func filter() throws(TrackingError) -> [SearchFilter.Comparison] {
        guard current != .end else { return [] }
        var comparisons = [try comparison()]
        while current != .end {
            guard takeWord("AND") else {
                throw refuse(isWord("OR") ? "OR is not supported; only AND joins comparisons" : "expected AND between comparisons")
            }
            comparisons.append(try comparison())
        }
        return comparisons
    }

    mutating func order() throws(TrackingError) -> SearchOrder {
        let (entity, key) = try identifier()
        let isAscending = takeWord("ASC") || !takeWord("DESC")
        guard current == .end else {
            throw TrackingError(
                .invalidParameter, "Invalid order_by clause '\(Validation.shown(source))': expected ASC or DESC after the name")
        }
        return SearchOrder(entity: entity, key: key, isAscending: isAscending)
    }

    private mutating func comparison() throws(TrackingError) -> SearchFilter.Comparison {
        let (entity, key) = try identifier()
        let op = try comparator()
        let literal: SearchFilter.Literal
        var written: String?
        if case .number(_, let text) = current { written = text }
        switch op {
        case .isNull, .isNotNull: literal = .nothing
        case .isIn, .isNotIn: literal = .list(try list())
        default: literal = try scalar()
        }
        return SearchFilter.Comparison(entity: entity, key: key, op: op, literal: literal, written: written)
    }

    private mutating func identifier() throws(TrackingError) -> (entity: String?, key: String) {
        switch advance() {
        case .name(let parts) where parts.count == 1: return (nil, parts[0])
        case .name(let parts): return (parts[0], parts.dropFirst().joined(separator: "."))
        case .text(let text) where !text.isEmpty: return (nil, text)
        default: throw refuse("expected a name such as metrics.rmse")
        }
    }

    private mutating func comparator() throws(TrackingError) -> SearchFilter.Operator {
        if takeWord("LIKE") { return .like }
        if takeWord("ILIKE") { return .ilike }
        if takeWord("RLIKE") { return .rlike }
        if takeWord("IN") { return .isIn }
        if takeWord("NOT") {
            guard takeWord("IN") else { throw refuse("expected IN after NOT") }
            return .isNotIn
        }
        if takeWord("IS") {
            let isNegated = takeWord("NOT")
            guard takeWord("NULL") else { throw refuse("expected NULL after IS") }
            return isNegated ? .isNotNull : .isNull
        }
        if case .symbol(let symbol) = current {
            guard let op = SearchFilter.Operator(rawValue: symbol) else {
                throw refuse("'\(symbol)' is not a comparison operator; equality is = and inequality is !=")
            }
            next += 1
            return op
        }
        throw refuse("expected a comparison operator")
    }

    private mutating func scalar() throws(TrackingError) -> SearchFilter.Literal {
        switch advance() {
        case .text(let text): return .text(text)
        case .number(let number, _): return .number(number)
        default: throw refuse("expected a number or a quoted text after the operator")
        }
    }

    private mutating func list() throws(TrackingError) -> [String] {
        guard advance() == .symbol("(") else { throw refuse("expected a list in parentheses after IN") }
        var values: [String] = []
        repeat {
            guard case .text(let text) = advance() else { throw refuse("a list holds quoted texts only") }
            values.append(text)
        } while takeSymbol(",")
        guard takeSymbol(")") else { throw refuse("expected ')'") }
        return values
    }

    private func isWord(_ word: String) -> Bool {
        if case .name(let parts) = current, parts.count == 1, parts[0].uppercased() == word { true } else { false }
    }

    private mutating func takeWord(_ word: String) -> Bool {
        guard isWord(word) else { return false }
        next += 1
        return true
    }

    private mutating func takeSymbol(_ symbol: String) -> Bool {
        guard current == .symbol(symbol) else { return false }
        next += 1
        return true
    }

    // MARK: Tokens

    private static func tokens(_ text: [Unicode.Scalar], _ source: String) throws(TrackingError) -> [Token] {
        var tokens: [Token] = []
        var at = 0
        while at < text.count {
            let scalar = text[at]
            if scalar.properties.isWhitespace {
                at += 1
            } else if scalar == "'" || (scalar == "\"" && !beginsName(text, at)) {
                tokens.append(.text(try quoted(text, &at, source)))
            } else if let (number, written) = number(text, &at) {
                tokens.append(.number(number, written))
            } else if isNamePart(scalar) || scalar == "`" || scalar == "\"" {
                tokens.append(.name(try name(text, &at, source)))
            } else if let symbol = symbol(text, &at) {
                tokens.append(.symbol(symbol))
            } else {
                throw refuse(source, "unexpected character '\(Character(scalar))'")
            }
        }
        return tokens
    }

    /// A double-quoted text directly before a dot is the first part of a name.
    private static func beginsName(_ text: [Unicode.Scalar], _ at: Int) -> Bool {
        guard let close = text[(at + 1)...].firstIndex(of: "\"") else { return false }
        return close + 1 < text.count && text[close + 1] == "."
    }

    /// Reads to the closing quote; a doubled quote stands for itself.
    private static func quoted(_ text: [Unicode.Scalar], _ at: inout Int, _ source: String) throws(TrackingError) -> String {
        let quote = text[at]
        var content = String.UnicodeScalarView()
        at += 1
        while at < text.count {
            if text[at] == quote {
                guard at + 1 < text.count, text[at + 1] == quote else {
                    at += 1
                    return String(content)
                }
                at += 1
            }
            content.append(text[at])
            at += 1
        }
        throw refuse(source, "a quote is not closed")
    }

    private static func name(_ text: [Unicode.Scalar], _ at: inout Int, _ source: String) throws(TrackingError) -> [String] {
        var parts: [String] = []
        while at < text.count {
            if text[at] == "`" || text[at] == "\"" {
                parts.append(try quoted(text, &at, source))
            } else {
                var part = String.UnicodeScalarView()
                while at < text.count, isNamePart(text[at]) {
                    part.append(text[at])
                    at += 1
                }
                parts.append(String(part))
            }
            guard at < text.count, text[at] == "." else { break }
            at += 1
        }
        guard parts.allSatisfy({ !$0.isEmpty }) else { throw refuse(source, "a name has an empty part") }
        return parts
    }

    private static func isNamePart(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isAlphabetic || scalar.properties.numericType != nil || "_-/:".unicodeScalars.contains(scalar)
    }

    /// A sign, digits, a fraction, an exponent; not the beginning of a name.
    private static func number(_ text: [Unicode.Scalar], _ at: inout Int) -> (Double, String)? {
        var end = at
        if end < text.count, text[end] == "-" || text[end] == "+" { end += 1 }
        guard end < text.count, ("0"..."9").contains(text[end]) || text[end] == "." else { return nil }
        while end < text.count,
            ("0"..."9").contains(text[end]) || text[end] == "." || text[end] == "e" || text[end] == "E"
                || ((text[end] == "-" || text[end] == "+") && (text[end - 1] == "e" || text[end - 1] == "E"))
        { end += 1 }
        guard end == text.count || !isNamePart(text[end]) else { return nil }
        var digits = String.UnicodeScalarView()
        digits.append(contentsOf: text[at..<end])
        guard let value = Double(String(digits)) else { return nil }
        at = end
        return (value, String(digits))
    }

    private static func symbol(_ text: [Unicode.Scalar], _ at: inout Int) -> String? {
        let pair = at + 1 < text.count ? String(Character(text[at])) + String(Character(text[at + 1])) : ""
        for symbol in ["<=", ">=", "!=", "<>", "=="] where pair == symbol {
            at += 2
            return symbol
        }
        guard "=<>(),".unicodeScalars.contains(text[at]) else { return nil }
        defer { at += 1 }
        return String(Character(text[at]))
    }
}
