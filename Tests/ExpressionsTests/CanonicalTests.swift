import Domain
import Table
import Testing

@testable import Expressions

@Suite struct CanonicalTests {
    private func canonical(_ text: String, _ vocabulary: Vocabulary? = nil) -> String { Category(text, vocabulary).text }

    private func vocabulary(_ text: String, _ unknown: Vocabulary.Unknown = .keep, name: String = "kind") throws -> Vocabulary {
        try Vocabulary(name: name, synonyms: text, unknown: unknown)
    }

    @Test(arguments: [
        ("shoe", "SHOE"), ("Shoes", "SHOE"), ("  shoes ", "SHOE"), ("SHOE", "SHOE"), ("boxes", "BOX"), ("batteries", "BATTERY"),
        ("glass", "GLASS"), ("glasses", "GLASS"), ("buses", "BUS"), ("bus", "BUS"), ("houses", "HOUSE"), ("watches", "WATCH"),
        ("dishes", "DISH"), ("cookies", "COOKIE"), ("movies", "MOVIE"), ("ties", "TIE"), ("potatoes", "POTATO"),
        ("horseshoes", "HORSESHOE"),
        ("videos", "VIDEO"), ("knives", "KNIFE"), ("gloves", "GLOVE"), ("women", "WOMAN"), ("children", "CHILD"), ("feet", "FOOT"),
        ("series", "SERIES"), ("news", "NEWS"), ("virus", "VIRUS"), ("viruses", "VIRUS"), ("basis", "BASIS"), ("gas", "GAS"),
        ("gases", "GAS"), ("cases", "CASE"), ("canvas", "CANVAS"), ("cameras", "CAMERA"), ("axes", "AXE"), ("caches", "CACHE"),
        ("running   shoes", "RUNNING SHOE"), ("running\tshoes\n", "RUNNING SHOE"), ("T-shirts", "T-SHIRTS"), ("4K TVs", "4K TVS"),
        ("schuhe", "SCHUHE"), ("Straße", "STRASSE"), ("café", "CAFÉ"), ("cafe\u{301}", "CAFÉ"), ("обувь", "ОБУВЬ"), ("靴", "靴"), ("", ""),
        (" \t\u{A0}", ""), ("x", "X"), ("123", "123"),
    ])
    func `a text has one spelling`(text: String, expected: String) {
        #expect(Array(canonical(text).unicodeScalars) == Array(expected.unicodeScalars))
    }

    @Test func `what is canonical stays as it is, whatever it was made from`() throws {
        let known = try vocabulary("SHOE, sneaker, pumps\nJEANS\nsocks, stocking", .category("Other things"))
        var random = RandomSource(seed: 3)
        let parts = [
            "s", "es", "ies", "ss", "us", "x", "ch", "oe", "ou", "a", "ß", "é", "e\u{301}", "ŉ", " ", "\t", "-", "7", "ΐ", "İ", "ﬃ",
        ]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...6, using: &random)).map { _ in parts[Int.random(in: 0..<parts.count, using: &random)] }
                .joined()
            for words in [nil, known] {
                let once = canonical(text, words), twice = canonical(once, words)
                #expect(Array(once.unicodeScalars) == Array(twice.unicodeScalars), "\(text)")
            }
        }
    }

    @Test func `a vocabulary gives the category of its line, and knows what it does not know`() throws {
        let words = try vocabulary("# kinds\nSHOE, sneaker , \"boot, high\"\n\nJeans, denims\nHAT")
        #expect(words.categories == ["HAT", "JEANS", "SHOE"])
        let cases = [
            ("shoes", "SHOE", false), ("Sneakers", "SHOE", false), ("boot, HIGH", "SHOE", false), ("jeans", "JEANS", false),
            ("jean", "JEANS", false), ("denim", "JEANS", false), ("hats", "HAT", false), ("gloves", "GLOVE", true),
        ]
        for (text, expected, isUnknown) in cases {
            #expect(canonical(text, words) == expected)
            #expect(Category(text, words).isUnknown == isUnknown)
        }
        #expect(canonical("gloves", try vocabulary("HAT", .category("unknown"))) == "UNKNOWN")
    }

    @Test(arguments: [
        ("SHOE, boot\nHAT, Boot", Vocabulary.Error(line: 2, message: "\"BOOT\" belongs to HAT here and to SHOE on line 1")),
        ("HAT\n, cap", Vocabulary.Error(line: 2, message: "the category, the first word of the line, is missing")),
        ("HAT, \"cap", Vocabulary.Error(line: 1, message: "a quote is never closed")),
        ("HAT, \"cap\" x", Vocabulary.Error(line: 1, message: "a comma is missing after a text in quotes")),
    ])
    func `a file that contradicts itself or cannot be read is refused with its line`(text: String, error: Vocabulary.Error) {
        #expect(throws: error) { try vocabulary(text) }
    }

    @Test func `only what a vocabulary says counts for its hash`() throws {
        let first = try vocabulary("SHOE, boot\nHAT")
        #expect(try vocabulary("# comment\r\nHat\n\nshoe,  BOOT").hash == first.hash)
        #expect(try vocabulary("SHOE, boots\nHAT").hash != first.hash)
        #expect(try vocabulary("SHOE, boot\nHAT", .category("UNKNOWN")).hash != first.hash)
    }

    @Test func `a call uses the vocabulary it names, or the one named like its column, and its meaning includes what that holds`() throws {
        let words = try vocabulary("SHOE, boot")
        let implied = try Expression.parse("canonical(kind)", vocabularies: ["kind": words])
        let named = try Expression.parse("canonical(kind, 'kind')", vocabularies: ["kind": words])
        #expect(implied.normalised == "canonical(kind, \"kind\")")
        #expect(implied == named)
        #expect(implied.vocabularies == [words])
        let changed = try Expression.parse("canonical(kind)", vocabularies: ["kind": try vocabulary("SHOE, boot, clog")])
        #expect(changed.definition != implied.definition)
        #expect(try Expression.parse("lower(kind)", vocabularies: ["kind": words]).definition == "lower(kind)")
        let program = try RowProgram(columns: [("c", implied)], filter: nil, schema: [("kind", .string)])
        var states = [program.initialState()], counts = EvaluationCounts()
        let table = try Table([Column("kind", strings: ["boots", "clog", nil, "clogs", " "])])
        let columns = program.evaluate(table, keyOfRow: [0, 0, 0, 0, 0], states: &states, counts: &counts).columns
        #expect(columns == [Column("c", strings: ["SHOE", "CLOG", nil, "CLOG", nil])])
        #expect(counts.looked == 3 && counts.unknown == 2)
    }

    @Test func `a vocabulary that there is not is refused, and without one nothing is counted`() throws {
        func error(_ text: String, _ names: [String]) -> ExpressionError? {
            do throws(ExpressionError) {
                var words: [String: Vocabulary] = [:]
                for name in names { words[name] = try? vocabulary("A", name: name) }
                _ = try Expression.parse(text, vocabularies: words)
                return nil
            } catch { return error }
        }
        #expect(
            error("1 + canonical(x, 'kinds')", ["kind"])
                == ExpressionError("there is no vocabulary \"kinds\"; did you mean \"kind\"?", at: 17))
        #expect(error("canonical(x, 'kind')", []) == ExpressionError("there is no vocabulary \"kind\"; the file has none", at: 13))
        #expect(
            Evaluation.error("canonical(pair, pair)")
                == ExpressionError("canonical(text, vocabulary) needs the name of a vocabulary in quotes", at: 16))
        #expect(Evaluation.error("canonical(price)")?.offset == 10)
        #expect(try Evaluation.values("canonical(s)", [Column("s", strings: ["Shoes", "", nil])]) == [.string("SHOE"), .null, .null])
    }
}
