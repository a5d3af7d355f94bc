/// One word of an expression and where it begins.
struct Token: Equatable {
    enum Kind: Equatable {
        case int(Int64)
        case double(Double)
        /// Milliseconds.
        case duration(Int64)
        case string(String)
        /// A plain word: a column, a function or a keyword.
        case word(String)
        /// A column name in backquotes.
        case quotedWord(String)
        case symbol(String)
        case end
    }

    let kind: Kind
    /// In Unicode scalars from 0.
    let offset: Int
}

/// Cuts the text of an expression into tokens.
struct Lexer {
    /// No expression needs more, and the limit bounds what a stranger's file can cost.
    static let maxScalars = 16_384

    private let scalars: [Unicode.Scalar]
    private var at = 0

    static func tokens(of text: String) throws(ExpressionError) -> [Token] {
        var lexer = Lexer(scalars: Array(text.unicodeScalars))
        guard lexer.scalars.count <= maxScalars else {
            throw ExpressionError("the expression is longer than \(maxScalars) characters", at: maxScalars)
        }
        var tokens: [Token] = []
        while let token = try lexer.next() { tokens.append(token) }
        tokens.append(Token(kind: .end, offset: lexer.scalars.count))
        return tokens
    }

    private init(scalars: [Unicode.Scalar]) { self.scalars = scalars }

    private func peek(_ ahead: Int = 0) -> Unicode.Scalar? { at + ahead < scalars.count ? scalars[at + ahead] : nil }

    private mutating func next() throws(ExpressionError) -> Token? {
        while let scalar = peek(), scalar.properties.isWhitespace { at += 1 }
        guard let scalar = peek() else { return nil }
        let start = at
        if Self.isDigit(scalar) || (scalar == "." && peek(1).map(Self.isDigit) == true) {
            return Token(kind: try number(), offset: start)
        }
        if Self.startsWord(scalar) { return Token(kind: .word(word()), offset: start) }
        if scalar == "\"" || scalar == "'" { return Token(kind: .string(try quoted(scalar, "text")), offset: start) }
        if scalar == "`" {
            let name = try quoted(scalar, "column name")
            guard !name.isEmpty else { throw ExpressionError("a column name cannot be empty", at: start) }
            return Token(kind: .quotedWord(name), offset: start)
        }
        return Token(kind: .symbol(try symbol()), offset: start)
    }

    static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
    static func startsWord(_ scalar: Unicode.Scalar) -> Bool { scalar == "_" || scalar.properties.isXIDStart }
    static func continuesWord(_ scalar: Unicode.Scalar) -> Bool { scalar == "_" || scalar.properties.isXIDContinue }

    private mutating func word() -> String {
        var text = String.UnicodeScalarView()
        while let scalar = peek(), Self.continuesWord(scalar) {
            text.append(scalar)
            at += 1
        }
        return String(text)
    }

    private mutating func digits() -> String {
        var text = ""
        while let scalar = peek(), Self.isDigit(scalar) {
            text.unicodeScalars.append(scalar)
            at += 1
        }
        return text
    }

    private mutating func number() throws(ExpressionError) -> Token.Kind {
        let start = at
        var text = digits(), isWhole = true
        if peek() == ".", peek(1).map(Self.isDigit) == true || !text.isEmpty {
            isWhole = false
            at += 1
            text += "." + digits()
            if text.hasSuffix(".") { text += "0" }
        }
        if peek() == "e" || peek() == "E" {
            let sign = peek(1) == "+" || peek(1) == "-" ? 1 : 0
            if peek(1 + sign).map(Self.isDigit) == true {
                isWhole = false
                text += "e" + (sign == 1 ? String(scalars[at + 1]) : "")
                at += 1 + sign
                text += digits()
            }
        }
        if let scalar = peek(), Self.startsWord(scalar) { return try duration(text, isWhole: isWhole, from: start) }
        if isWhole {
            guard let value = Int64(text) else { throw ExpressionError("\(text) does not fit in 64 bits", at: start) }
            return .int(value)
        }
        guard let value = Double(text.hasPrefix(".") ? "0" + text : text), value.isFinite else {
            throw ExpressionError("\(text) is not a finite number", at: start)
        }
        return .double(value)
    }

    private mutating func duration(_ text: String, isWhole: Bool, from start: Int) throws(ExpressionError) -> Token.Kind {
        let unit = word()
        guard isWhole, let count = Int64(text), DurationText.units.contains(where: { $0.name == unit }) else {
            let known = DurationText.units.map(\.name).joined(separator: ", ")
            throw ExpressionError("\"\(text)\(unit)\" is not a number or a duration; units of whole durations are \(known)", at: start)
        }
        guard let value = DurationText.milliseconds(count, unit: unit) else {
            throw ExpressionError("the duration \(text)\(unit) is too long", at: start)
        }
        return .duration(value)
    }

    /// Text up to the closing quote; a backslash takes the next character as it is, except `\n` and `\t`.
    private mutating func quoted(_ quote: Unicode.Scalar, _ what: String) throws(ExpressionError) -> String {
        let start = at
        var text = String.UnicodeScalarView()
        at += 1
        while let scalar = peek() {
            at += 1
            if scalar == quote { return String(text) }
            guard scalar == "\\" else {
                text.append(scalar)
                continue
            }
            guard let escaped = peek() else { break }
            at += 1
            text.append(escaped == "n" ? "\n" : escaped == "t" ? "\t" : escaped)
        }
        throw ExpressionError("the \(what) that begins here has no closing \(quote)", at: start)
    }

    private mutating func symbol() throws(ExpressionError) -> String {
        let start = at
        let pair = String(scalars[at]) + (peek(1).map(String.init) ?? "")
        if ["==", "!=", "<=", ">="].contains(pair) {
            at += 2
            return pair
        }
        at += 1
        let single = String(scalars[start])
        if ["+", "-", "*", "/", "%", "(", ")", ",", "<", ">"].contains(single) { return single }
        let instead = ["=": "==", "!": "not", "&": "and", "|": "or", "<>": "!="][pair == "<>" ? pair : single]
        let hint = instead.map { "; did you mean \"\($0)\"?" } ?? ""
        throw ExpressionError("unexpected \"\(single)\"" + hint, at: start)
    }
}
