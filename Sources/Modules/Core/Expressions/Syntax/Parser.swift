/// Turns tokens into ``Syntax`` by precedence climbing.
///
/// Source: V. Pratt, "Top Down Operator Precedence", POPL 1973, <https://doi.org/10.1145/512927.512931>.
struct Parser {
    static let keywords: Set<String> = ["and", "or", "not", "true", "false", "null"]

    private let tokens: [Token]
    private var at = 0
    private var nesting = 0

    init(_ tokens: [Token]) { self.tokens = tokens }

    private var token: Token { tokens[at] }

    mutating func parseWhole() throws(ExpressionError) -> Syntax {
        guard token.kind != .end else { throw ExpressionError("the expression is empty", at: 0) }
        let syntax = try parse(minimum: 0)
        guard token.kind == .end else {
            if token.kind == .symbol(")") { throw ExpressionError("this \")\" closes nothing", at: token.offset) }
            throw ExpressionError("expected an operator or the end, found \(Self.name(token.kind))", at: token.offset)
        }
        return syntax
    }

    private mutating func parse(minimum: Int) throws(ExpressionError) -> Syntax {
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= Syntax.maxDepth else {
            throw ExpressionError("nested deeper than \(Syntax.maxDepth) levels", at: token.offset)
        }
        var left = try prefix()
        while let symbol = binaryOperator(), symbol.precedence >= minimum {
            let offset = token.offset
            at += 1
            left = try Syntax(.binary(symbol, left, try parse(minimum: symbol.precedence + 1)), at: offset)
            if symbol.precedence == Precedence.comparison, let next = binaryOperator(), next.precedence == Precedence.comparison {
                throw ExpressionError("comparisons do not chain; join two with \"and\"", at: token.offset)
            }
        }
        return left
    }

    private func binaryOperator() -> BinaryOperator? {
        switch token.kind {
        case .symbol(let text): BinaryOperator(rawValue: text)
        case .word("and"): .and
        case .word("or"): .or
        default: nil
        }
    }

    private mutating func prefix() throws(ExpressionError) -> Syntax {
        let start = token
        at += 1
        switch start.kind {
        case .int(let value): return try Syntax(.literal(.int(value)), at: start.offset)
        case .double(let value): return try Syntax(.literal(.double(value)), at: start.offset)
        case .duration(let value): return try Syntax(.literal(.duration(value)), at: start.offset)
        case .string(let value): return try Syntax(.literal(.string(value)), at: start.offset)
        case .quotedWord(let name): return try Syntax(.column(name), at: start.offset)
        case .word(let name): return try word(name, at: start.offset)
        case .symbol("("):
            let inner = try parse(minimum: 0)
            try expectClosing("(", openedAt: start.offset)
            return inner
        case .symbol("-"): return try minus(at: start.offset)
        case .symbol, .end:
            at -= 1
            throw ExpressionError("expected a value, found \(Self.name(start.kind))", at: start.offset)
        }
    }

    /// A minus sign before a number is part of the number.
    private mutating func minus(at offset: Int) throws(ExpressionError) -> Syntax {
        switch token.kind {
        case .int(let value):
            at += 1
            return try Syntax(.literal(.int(-value)), at: offset)
        case .double(let value):
            at += 1
            return try Syntax(.literal(.double(-value)), at: offset)
        default: return try Syntax(.unary(.minus, try parse(minimum: Precedence.minus)), at: offset)
        }
    }

    private mutating func word(_ name: String, at offset: Int) throws(ExpressionError) -> Syntax {
        switch name {
        case "true": return try Syntax(.literal(.bool(true)), at: offset)
        case "false": return try Syntax(.literal(.bool(false)), at: offset)
        case "null": return try Syntax(.literal(.null), at: offset)
        case "not": return try Syntax(.unary(.not, try parse(minimum: Precedence.not)), at: offset)
        case "and", "or": throw ExpressionError("expected a value, found \"\(name)\"", at: offset)
        default: break
        }
        guard token.kind == .symbol("(") else { return try Syntax(.column(name), at: offset) }
        let open = token.offset
        at += 1
        var arguments: [Syntax] = []
        if token.kind != .symbol(")") {
            arguments.append(try parse(minimum: 0))
            while token.kind == .symbol(",") {
                at += 1
                arguments.append(try parse(minimum: 0))
            }
        }
        try expectClosing("(", openedAt: open)
        return try Syntax(.call(name, arguments), at: offset)
    }

    private mutating func expectClosing(_ mark: String, openedAt offset: Int) throws(ExpressionError) {
        if token.kind == .symbol(")") {
            at += 1
            return
        }
        if token.kind == .end { throw ExpressionError("this \"\(mark)\" is never closed", at: offset) }
        throw ExpressionError("expected \")\" or \",\", found \(Self.name(token.kind))", at: token.offset)
    }

    private static func name(_ kind: Token.Kind) -> String {
        switch kind {
        case .int(let value): "\(value)"
        case .double(let value): "\(value)"
        case .duration(let value): DurationText.format(value)
        case .string(let value): Syntax.Literal.quote(value, "\"")
        case .word(let value), .quotedWord(let value), .symbol(let value): "\"\(value)\""
        case .end: "the end"
        }
    }
}
