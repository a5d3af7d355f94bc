import Domain
import Table
import Testing

@testable import Expressions

@Suite struct PatternTests {
    private static func isFound(_ pattern: String, _ text: String) throws -> Bool {
        var search = PatternSearch(try Pattern(pattern))
        return search.isFound(in: text)
    }

    @Test(
        arguments: [
            ("abc", "xabcx", true), ("abc", "ab c", false), ("^abc", "abcd", true), ("^abc", "xabc", false), ("abc$", "xabc", true),
            ("abc$", "abcx", false), ("^$", "", true), ("^$", "a", false), ("", "anything", true), ("a|b", "xb", true),
            ("^(a|bc)+$", "abcbca", true),
            ("^(a|bc)+$", "abcb", false), ("colou?r", "my color", true), ("^a{2,3}$", "a", false), ("^a{2,3}$", "aaa", true),
            ("^a{2,3}$", "aaaa", false), ("^a{2}$", "aa", true), ("^a{2,}$", "aaaaa", true), ("^a{0}$", "", true),
            ("[0-9]+", "no digits", false),
            ("^[^0-9]+$", "no digits", true), ("^[a-cx]+$", "abcx", true), ("[]a]", "]", true), ("[a-]", "-", true),
            ("^\\d{3}-\\d{4}$", "555-1234", true),
            ("\\bcat\\b", "a cat sat", true), ("\\bcat\\b", "concatenate", false), ("\\Bcat\\B", "concatenate", true), ("a.c", "abc", true),
            ("a.c", "a\nc", false), ("\\.", "abc", false), ("\\.", "a.c", true), ("(?i)hello", "say HeLLo", true),
            ("(?i)[a-c]+$", "XABC", true),
            ("(?i)ÄÖ", "äö", true), ("^(?:ab)*$", "ababab", true), ("^(a*)*$", "aaab", false), ("x*?y", "xxy", true),
            ("^\\w+@\\w+\\.com$", "me@site.com", true),
            ("日本", "in 日本 now", true), ("^.$", "👍", true), ("\\s", "a\u{A0}b", true), ("[\\d\\s]x", " x", true),
            ("^a\\{2\\}$", "a{2}", true),
        ] as [(String, String, Bool)])
    func `a pattern is found or not`(pattern: String, text: String, found: Bool) throws {
        #expect(try Self.isFound(pattern, text) == found)
    }

    @Test(
        arguments: [
            ("(a", "this \"(\" is never closed", 0), ("a)", "\")\" closes nothing", 1), ("[a", "this \"[\" is never closed", 0),
            ("*a", "there is nothing to repeat before \"*\"", 0), ("a**", "a repetition cannot be repeated; put parentheses around it", 2),
            ("^*", "there is nothing to repeat here", 0), ("a{x}", "\"{\" begins a count, such as {2} or {2,5}; write \\{ for the sign", 1),
            ("a{2", "the count that begins here has no closing \"}\"", 1),
            ("a{3,2}", "a count goes up to 1000, the smaller number first", 1),
            ("a{1001}", "a count goes up to 1000, the smaller number first", 1), ("\\", "a backslash at the end", 0),
            ("\\1", "references to groups are not known", 0), ("\\p", "\"\\p\" is not known", 0),
            ("(?=a)", "only (?:…) and, at the very start, (?i) are known; looking around is not", 0),
            ("[z-a]", "a range goes from a lower to a higher character", 1), ("(a{1000}){1000}", "the pattern is too large", 0),
        ] as [(String, String, Int)])
    func `a broken pattern is refused with its place`(pattern: String, message: String, offset: Int) {
        #expect(throws: Pattern.Error(message, at: offset)) { try Pattern(pattern) }
    }

    @Test func `depth is bounded`() {
        #expect(throws: Pattern.Error.self) { try Pattern(String(repeating: "(", count: 10_000)) }
    }

    @Test func `a text that drives a backtracking search to exponential time takes linear time`() throws {
        let text = String(repeating: "a", count: 20_000) + "!"
        #expect(try !Self.isFound("^(a+)+$", text))
        #expect(try !Self.isFound("^(a|a)*b$", text))
        #expect(try !Self.isFound("(x+x+)+y", String(repeating: "x", count: 5_000)))
    }

    @Test func `the search agrees with trying every way, on random patterns and texts`() throws {
        var random = RandomSource(seed: 9)
        for _ in 0..<3_000 {
            let node = Oracle.random(depth: 3, &random), pattern = "^(?:\(node.text))$"
            let text = String((0..<Int.random(in: 0...6, using: &random)).map { _ in Bool.random(using: &random) ? "a" : "b" })
            let ends = node.ends(Array(text), from: 0)
            #expect(try Self.isFound(pattern, text) == ends.contains(text.count), "\(pattern) in \(text)")
        }
    }

    /// A pattern that knows by recursion where a match may end.
    private indirect enum Oracle {
        case letter(Character), any, sequence(Oracle, Oracle), either(Oracle, Oracle), star(Oracle), optional(Oracle), twice(Oracle)

        static func random(depth: Int, _ random: inout RandomSource) -> Oracle {
            switch depth == 0 ? Int.random(in: 0...2, using: &random) : Int.random(in: 0...7, using: &random) {
            case 0: .letter("a")
            case 1: .letter("b")
            case 2: .any
            case 3: .star(.random(depth: depth - 1, &random))
            case 4: .optional(.random(depth: depth - 1, &random))
            case 5: .twice(.random(depth: depth - 1, &random))
            case 6: .either(.random(depth: depth - 1, &random), .random(depth: depth - 1, &random))
            default: .sequence(.random(depth: depth - 1, &random), .random(depth: depth - 1, &random))
            }
        }

        var text: String {
            switch self {
            case .letter(let letter): String(letter)
            case .any: "."
            case .sequence(let a, let b): a.text + b.text
            case .either(let a, let b): "(?:\(a.text)|\(b.text))"
            case .star(let a): "(?:\(a.text))*"
            case .optional(let a): "(?:\(a.text))?"
            case .twice(let a): "(?:\(a.text)){2}"
            }
        }

        func ends(_ text: [Character], from start: Int) -> Set<Int> {
            switch self {
            case .letter(let letter): return start < text.count && text[start] == letter ? [start + 1] : []
            case .any: return start < text.count ? [start + 1] : []
            case .sequence(let a, let b): return Set(a.ends(text, from: start).flatMap { b.ends(text, from: $0) })
            case .either(let a, let b): return a.ends(text, from: start).union(b.ends(text, from: start))
            case .optional(let a): return a.ends(text, from: start).union([start])
            case .twice(let a): return Oracle.sequence(a, a).ends(text, from: start)
            case .star(let a):
                var all: Set<Int> = [start], new = all
                while !new.isEmpty {
                    new = Set(new.flatMap { a.ends(text, from: $0) }).subtracting(all)
                    all.formUnion(new)
                }
                return all
            }
        }
    }

    @Test func `regex_match looks at each row, and its pattern is written out`() throws {
        let columns = [Column("sku", strings: ["AB-12", "ab-12", nil, "AB-123"])]
        #expect(
            try Evaluation.values("regex_match(sku, '^[A-Z]{2}-\\\\d{2}$')", columns) == [.bool(true), .bool(false), .null, .bool(false)])
        #expect(
            Evaluation.error("regex_match(pair, pair)")
                == ExpressionError("regex_match(text, pattern) needs a pattern written out, such as \"^[A-Z]+$\"", at: 18))
        #expect(
            Evaluation.error("regex_match(pair, '(a')")
                == ExpressionError(
                    "regex_match(text, pattern) cannot read the pattern: this \"(\" is never closed (at its character 1)", at: 18))
        #expect(Evaluation.error("regex_match(price, 'a')")?.message == "regex_match(text, pattern) expects a string, not a double")
    }
}
