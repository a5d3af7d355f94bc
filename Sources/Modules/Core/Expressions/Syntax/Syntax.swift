import Domain

/// The structure of an expression, with the place of every part.
struct Syntax: Sendable {
    enum Literal: Sendable, Equatable {
        case null
        case bool(Bool)
        case int(Int64)
        case double(Double)
        case string(String)
        /// Milliseconds.
        case duration(Int64)
        /// What the name in the text stands for.
        case vocabulary(Vocabulary)
    }

    indirect enum Form: Sendable {
        case literal(Literal)
        case column(String)
        case call(String, [Syntax])
        case unary(UnaryOperator, Syntax)
        case binary(BinaryOperator, Syntax, Syntax)
    }

    let form: Form
    /// In Unicode scalars from the start of the text; of a binary operation, the place of its operator.
    let offset: Int
    /// Levels of the tree below and including this node; bounded, so that walking it cannot exhaust the stack.
    let depth: Int

    static let maxDepth = 128

    init(_ form: Form, at offset: Int) throws(ExpressionError) {
        self.form = form
        self.offset = offset
        let below =
            switch form {
            case .literal, .column: 0
            case .call(_, let arguments): arguments.map(\.depth).max() ?? 0
            case .unary(_, let operand): operand.depth
            case .binary(_, let left, let right): max(left.depth, right.depth)
            }
        depth = below + 1
        guard depth <= Self.maxDepth else { throw ExpressionError("nested deeper than \(Self.maxDepth) levels", at: offset) }
    }

    private init(form: Form, offset: Int, depth: Int) {
        self.form = form
        self.offset = offset
        self.depth = depth
    }

    var literal: Literal? { if case .literal(let literal) = form { literal } else { nil } }

    func visit(_ body: (Syntax) -> Void) {
        body(self)
        switch form {
        case .literal, .column: break
        case .call(_, let arguments): for argument in arguments { argument.visit(body) }
        case .unary(_, let operand): operand.visit(body)
        case .binary(_, let left, let right):
            left.visit(body)
            right.visit(body)
        }
    }

    func renamingColumns(_ names: [String: String]) -> Syntax {
        let renamed: Form =
            switch form {
            case .literal: form
            case .column(let name): .column(names[name] ?? name)
            case .call(let name, let arguments): .call(name, arguments.map { $0.renamingColumns(names) })
            case .unary(let symbol, let operand): .unary(symbol, operand.renamingColumns(names))
            case .binary(let symbol, let left, let right):
                .binary(symbol, left.renamingColumns(names), right.renamingColumns(names))
            }
        return Syntax(form: renamed, offset: offset, depth: depth)
    }
}

enum UnaryOperator: String, Sendable {
    case minus = "-"
    case not
}

enum BinaryOperator: String, Sendable, CaseIterable {
    case or, and
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case plus = "+"
    case minus = "-"
    case times = "*"
    case divided = "/"
    case remainder = "%"

    /// How tightly the operator binds; more is tighter.
    var precedence: Int {
        switch self {
        case .or: 1
        case .and: 2
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual: Precedence.comparison
        case .plus, .minus: 5
        case .times, .divided, .remainder: 6
        }
    }
}

enum Precedence {
    static let not = 3
    static let comparison = 4
    static let minus = 7
    static let primary = 8
}

extension Syntax {
    /// How tightly the outermost operation binds.
    private var precedence: Int {
        switch form {
        case .literal(.int(let value)) where value < 0: Precedence.minus
        case .literal(.double(let value)) where value.sign == .minus: Precedence.minus
        case .literal, .column, .call: Precedence.primary
        case .unary(.not, _): Precedence.not
        case .unary(.minus, _): Precedence.minus
        case .binary(let symbol, _, _): symbol.precedence
        }
    }

    /// The canonical spelling.
    var text: String {
        switch form {
        case .literal(let literal): literal.text
        case .column(let name): Self.text(ofColumn: name)
        case .call(let name, let arguments): "\(name)(\(arguments.map(\.text).joined(separator: ", ")))"
        case .unary(.not, let operand): "not " + operand.text(atLeast: Precedence.not)
        case .unary(.minus, let operand): "-" + operand.text(atLeast: Precedence.primary)
        case .binary(let symbol, let left, let right):
            // Comparisons do not chain; everything else groups from the left.
            left.text(atLeast: symbol.precedence == Precedence.comparison ? symbol.precedence + 1 : symbol.precedence)
                + " \(symbol.rawValue) " + right.text(atLeast: symbol.precedence + 1)
        }
    }

    private func text(atLeast required: Int) -> String { precedence < required ? "(\(text))" : text }

    private static func text(ofColumn name: String) -> String {
        let scalars = name.unicodeScalars
        let isPlain =
            scalars.first.map(Lexer.startsWord) == true && scalars.allSatisfy(Lexer.continuesWord) && !Parser.keywords.contains(name)
        return isPlain ? name : Literal.quote(name, "`")
    }
}

extension Syntax.Literal {
    var text: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .int(let value): String(value)
        case .double(let value): value == 0 ? "0.0" : "\(value)"
        case .string(let value): Self.quote(value, "\"")
        case .duration(let value): DurationText.format(value)
        case .vocabulary(let vocabulary): Self.quote(vocabulary.name, "\"")
        }
    }

    static func quote(_ text: String, _ mark: Unicode.Scalar) -> String {
        var quoted = String.UnicodeScalarView()
        quoted.append(mark)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": quoted.append(contentsOf: "\\n".unicodeScalars)
            case "\t": quoted.append(contentsOf: "\\t".unicodeScalars)
            case mark, "\\":
                quoted.append("\\")
                quoted.append(scalar)
            default: quoted.append(scalar)
            }
        }
        quoted.append(mark)
        return String(quoted)
    }
}
