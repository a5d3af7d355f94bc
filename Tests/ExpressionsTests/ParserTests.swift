import Testing

@testable import Expressions

@Suite struct ParserTests {
    @Test(arguments: [
        ("close", "close"), ("  a+b*c ", "a + b * c"), ("(a+b)*c", "(a + b) * c"), ("a-(b-c)", "a - (b - c)"), ("(a-b)-c", "a - b - c"),
        ("a/(b/c)", "a / (b / c)"), ("-x", "-x"), ("-(-x)", "-(-x)"), ("-(a+b)", "-(a + b)"), ("- 5", "-5"), ("2--5", "2 - -5"),
        ("not a and b", "not a and b"), ("not (a and b)", "not (a and b)"), ("not not a", "not not a"),
        ("a or b and c", "a or b and c"), ("(a or b) and c", "(a or b) and c"), ("a<b and b<=c", "a < b and b <= c"),
        ("(a<b)==c", "(a < b) == c"), ("sma( close,7 )", "sma(close, 7)"), ("count()", "count()"), ("f(g(x),-1)", "f(g(x), -1)"),
        ("1", "1"), ("1.50", "1.5"), (".5", "0.5"), ("2.", "2.0"), ("1e3", "1000.0"), ("2e-3", "0.002"), ("1E+2", "100.0"),
        ("60s", "1m"), ("90s", "90s"), ("1d", "1d"), ("500ms", "500ms"), ("24h", "1d"), ("2w", "14d"),
        ("'buy'", "\"buy\""), ("\"a\\\"b\"", "\"a\\\"b\""), ("'tab\\t'", "\"tab\\t\""), ("true", "true"), ("null", "null"),
        ("`close`", "close"), ("`trip distance`", "`trip distance`"), ("`and`", "`and`"), ("a % b", "a % b"),
        ("close / lag(close, 1) - 1", "close / lag(close, 1) - 1"), ("öl + 1", "öl + 1"),
    ])
    func `a text has one canonical spelling`(text: String, canonical: String) throws {
        let normalised = try Expression.parse(text).normalised
        #expect(normalised == canonical)
        #expect(try Expression.parse(normalised).normalised == canonical)
    }

    @Test(arguments: [
        ("", "the expression is empty", 0), ("  ", "the expression is empty", 0), ("a +", "expected a value, found the end", 3),
        ("a b", "expected an operator or the end, found \"b\"", 2), ("(a", "this \"(\" is never closed", 0),
        ("a)", "this \")\" closes nothing", 1),
        ("f(a", "this \"(\" is never closed", 1), ("f(a b)", "expected \")\" or \",\", found \"b\"", 4),
        ("f(,)", "expected a value, found \",\"", 2), ("a = 1", "unexpected \"=\"; did you mean \"==\"?", 2),
        ("a && b", "unexpected \"&\"; did you mean \"and\"?", 2), ("a | b", "unexpected \"|\"; did you mean \"or\"?", 2),
        ("!a", "unexpected \"!\"; did you mean \"not\"?", 0), ("a # b", "unexpected \"#\"", 2),
        ("1 < x < 2", "comparisons do not chain; join two with \"and\"", 6), ("and", "expected a value, found \"and\"", 0),
        ("'open", "the text that begins here has no closing '", 0), ("``", "a column name cannot be empty", 0),
        ("10y", "\"10y\" is not a number or a duration; units of whole durations are ms, s, m, h, d, w", 0),
        ("1.5h", "\"1.5h\" is not a number or a duration; units of whole durations are ms, s, m, h, d, w", 0),
        ("9223372036854775808", "9223372036854775808 does not fit in 64 bits", 0), ("1e999", "1e999 is not a finite number", 0),
        ("9223372036854775807w", "the duration 9223372036854775807w is too long", 0), ("+ 1", "expected a value, found \"+\"", 0),
    ])
    func `a broken text is refused with its place`(text: String, message: String, offset: Int) {
        #expect(throws: ExpressionError(message, at: offset)) { try Expression.parse(text) }
    }

    @Test func `depth and length are bounded, so that no file can exhaust the stack`() throws {
        func message(_ text: String) -> String? {
            do throws(ExpressionError) {
                _ = try Expression.parse(text)
                return nil
            } catch { return error.message }
        }
        let tooDeep = "nested deeper than \(Syntax.maxDepth) levels"
        #expect(message(String(repeating: "(", count: 10_000) + "1") == tooDeep)
        #expect(message(String(repeating: "not ", count: 3_000) + "true") == tooDeep)
        #expect(message(String(repeating: "-", count: 10_000) + "x") == tooDeep)
        #expect(message(Array(repeating: "x", count: 2_000).joined(separator: "+")) == tooDeep)
        #expect(message(Array(repeating: "x", count: Syntax.maxDepth).joined(separator: "+")) == nil)
        #expect(message(String(repeating: " ", count: Lexer.maxScalars + 1)) == "the expression is longer than 16384 characters")
    }

    @Test func `the columns of an expression are those it names, not functions or keywords`() throws {
        let expression = try Expression.parse("if(a > 1 and not is_null(`b c`), sma(a, 7), null) + d")
        #expect(expression.columnReferences == ["a", "b c", "d"])
        #expect(expression.column == nil)
        #expect(try Expression.parse("(close)").column == "close")
    }

    @Test func `renaming columns leaves the rest as it is`() throws {
        let renamed = try Expression.parse("lead(close, 10m) / close - other").renamingColumns(["close": "current price"])
        #expect(renamed.normalised == "lead(`current price`, 10m) / `current price` - other")
    }

    @Test(
        arguments: [("60s", 60_000), ("500ms", 500), ("10m", 600_000), ("1h", 3_600_000), ("1d", 86_400_000), ("0s", 0)]
            as [(String, Int64)])
    func `a duration is a whole number and a unit`(text: String, milliseconds: Int64) {
        #expect(DurationText.parse(text) == milliseconds)
        #expect(DurationText.parse(DurationText.format(milliseconds)) == milliseconds)
    }

    @Test(arguments: ["", "10", "s", "-1s", "1.5s", "1 s", "10S", "99999999999999999999s", "9223372036854775807d", "٣s"])
    func `anything else is not a duration`(text: String) {
        #expect(DurationText.parse(text) == nil)
    }
}
