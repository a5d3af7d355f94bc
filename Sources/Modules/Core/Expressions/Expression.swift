package import Domain

/// Names and types of columns, in order; names are unique.
package typealias Schema = [(name: String, type: ValueType)]

/// A parsed expression: its structure, not yet tied to columns and types.
///
/// The language has literals (`1`, `0.5`, `"text"`, `true`, `null`, durations such as `10m`, which are integers in
/// milliseconds), column names (in backquotes when they are not plain words), `+ - * / %`, comparisons, `and or not`
/// and calls of the functions in ``FunctionCatalogue``.
package struct Expression: Sendable, Equatable {
    let syntax: Syntax

    init(_ syntax: Syntax) { self.syntax = syntax }

    package static func parse(_ text: String) throws(ExpressionError) -> Expression {
        var parser = Parser(try Lexer.tokens(of: text))
        return Expression(try parser.parseWhole())
    }

    /// The expression in one canonical spelling: two texts that differ in spacing, needless parentheses or the unit of
    /// a duration have the same. Parsing it gives the same expression again.
    package var normalised: String { syntax.text }

    /// Every column the expression names.
    package var columnReferences: Set<String> {
        var names: Set<String> = []
        syntax.visit { if case .column(let name) = $0.form { names.insert(name) } }
        return names
    }

    /// The column's name when the expression is nothing but that column.
    package var column: String? {
        if case .column(let name) = syntax.form { name } else { nil }
    }

    /// This expression with columns called by other names.
    package func renamingColumns(_ names: [String: String]) -> Expression { Expression(syntax.renamingColumns(names)) }

    /// Places compare by structure alone.
    package static func == (a: Expression, b: Expression) -> Bool { a.normalised == b.normalised }
}
