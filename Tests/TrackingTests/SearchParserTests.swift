import Testing

@testable import Tracking

@Suite struct SearchParserTests {
    private func parse(_ text: String) throws(TrackingError) -> [SearchFilter.Comparison] { try SearchFilter(text).comparisons }

    @Test(arguments: [
        ("metrics.rmse < 0.5", "metrics", "rmse", SearchFilter.Operator.less, SearchFilter.Literal.number(0.5)),
        ("metric.`a b` >= -1e-3", "metric", "a b", .greaterOrEqual, .number(-0.001)),
        ("params.\"batch size\" = '32'", "params", "batch size", .equal, .text("32")),
        ("tags.mlflow.parentRunId != \"x\"", "tags", "mlflow.parentRunId", .notEqual, .text("x")),
        ("\"tags\".`k.v` like '%x_'", "tags", "k.v", .like, .text("%x_")),
        ("tags.team IS NOT NULL", "tags", "team", .isNotNull, .nothing), ("tags.team is null", "tags", "team", .isNull, .nothing),
        ("attributes.run_id NOT IN ('a','b')", "attributes", "run_id", .isNotIn, .list(["a", "b"])),
        ("params.q = 'it''s AND ''x'''", "params", "q", .equal, .text("it's AND 'x'")),
    ])
    func `a comparison is read`(
        text: String, entity: String, key: String, op: SearchFilter.Operator, literal: SearchFilter.Literal
    ) throws {
        #expect(try parse(text) == [.init(entity: entity, key: key, op: op, literal: literal)])
    }

    @Test func `comparisons are joined by AND in any case`() throws {
        let found = try parse("metrics.a > 1 and status = 'FINISHED' AND params.and = 'and'")
        #expect(found.map(\.key) == ["a", "status", "and"])
        #expect(found[1].entity == nil)
    }

    @Test func `empty text matches everything`() throws {
        #expect(try parse("  ").isEmpty)
    }

    @Test(arguments: [
        "metrics.a", "metrics.a >", "metrics.a > 1 OR metrics.b > 1", "metrics.a > 1 metrics.b > 1", "= 1", "metrics. > 1", "a = 'open",
        "a IN ()", "a IN ('x'", "a IN (1)", "a IS 1", "a NOT LIKE 'x'", "(a = 1)", "a = 1;", "a = b", "metrics.a > 1 AND", "a ! 1",
        "a == 1", "a <> 1", "\u{0}",
    ])
    func `text that is not a search is refused`(text: String) {
        #expect(performing: { try parse(text) }, throws: { ($0 as? TrackingError)?.code == .invalidParameter })
    }

    @Test(arguments: [("metrics.rmse DESC", "rmse", false), ("params.`x y`", "x y", true), ("start_time asc", "start_time", true)])
    func `an order has a direction, ascending unless told`(text: String, key: String, isAscending: Bool) throws {
        let order = try SearchOrder(text)
        #expect(order.key == key && order.isAscending == isAscending)
    }

    @Test(arguments: ["metrics.rmse DOWN", "", "a, b", "a DESC NULLS LAST"])
    func `an order that is none is refused`(text: String) {
        #expect(throws: TrackingError.self) { try SearchOrder(text) }
    }

    private static func written(_ comparison: SearchFilter.Comparison) -> String {
        func quoted(_ text: String, _ quote: String) -> String { quote + text.replacing(quote, with: quote + quote) + quote }
        let literal =
            switch comparison.literal {
            case .number(let number): " \(number)"
            case .text(let text): " " + quoted(text, "'")
            case .list(let texts): " (" + texts.map { quoted($0, "'") }.joined(separator: ",") + ")"
            case .nothing: ""
            }
        return (comparison.entity.map { quoted($0, "`") + "." } ?? "") + quoted(comparison.key, "`")
            + " \(comparison.op.rawValue)\(literal)"
    }

    /// Any search that can be said is read as what it says, whatever stands in its names and texts.
    @Test func `a random search is read as it was meant`() throws {
        var generator = SeededGenerator(seed: 13)
        let pieces = [
            "a", "B", "é", "例", " ", ".", "'", "\"", "`", "''", "%", "_", "(", ")", ",", "=", " AND ", "IN", "1", "-", ";", "\n", "\\", "🦊",
        ]
        func text(_ least: Int) -> String {
            (0..<Int.random(in: least...5, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
        }
        for _ in 0..<5_000 {
            let meant = (0..<Int.random(in: 1...4, using: &generator)).map { _ -> SearchFilter.Comparison in
                let op = SearchFilter.Operator.allCases.randomElement(using: &generator) ?? .equal
                let literal: SearchFilter.Literal =
                    switch op {
                    case .isNull, .isNotNull: .nothing
                    case .isIn, .isNotIn: .list((0...Int.random(in: 0...3, using: &generator)).map { _ in text(0) })
                    default:
                        Bool.random(using: &generator) ? .text(text(0)) : .number(Double.random(in: -1e6...1e6, using: &generator))
                    }
                return .init(entity: Bool.random(using: &generator) ? text(1) : nil, key: text(1), op: op, literal: literal)
            }
            let joint = [" AND ", " and\n", "  And "].randomElement(using: &generator) ?? " AND "
            #expect(try parse(meant.map(Self.written).joined(separator: joint)) == meant)
        }
    }

    /// Texts made of the grammar's own pieces in random order: each is refused, or read as a search that says the same again.
    @Test func `a random text is refused or read as a search`() throws {
        var generator = SeededGenerator(seed: 11)
        let pieces = [
            "metrics", ".", "`", "\"", "'", "a", "=", "!=", "<", ">", " AND ", " OR ", " IN ", "(", ")", ",", "1", "-", "1e", " NULL ",
            " IS ",
            " NOT ", " LIKE ", " ", "é", "%",
        ]
        var accepted = 0
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 1...12, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            let found: [SearchFilter.Comparison]
            do throws(TrackingError) { found = try parse(text) } catch {
                #expect(error.code == .invalidParameter)
                continue
            }
            accepted += 1
            // A search of n comparisons has at least as many names, and one AND fewer.
            #expect(found.isEmpty == text.allSatisfy(\.isWhitespace), "\(text)")
            #expect(!found.contains { $0.key.isEmpty || $0.entity?.isEmpty == true }, "\(text)")
            #expect(try parse(found.map(Self.written).joined(separator: " AND ")) == found, "\(text)")
        }
        #expect(accepted > 50)
    }
}

/// A fixed stream of bits for tests (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
