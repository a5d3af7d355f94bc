import Domain
import Table
import Testing

@testable import Expressions

@Suite struct ScalarTests {
    @Test(
        arguments: [
            ("1 + 2", .int(3)), ("7 / 2", .double(3.5)), ("4 / 2", .double(2)), ("7 % 3", .int(1)), ("-7 % 3", .int(-1)),
            ("7.5 % 2", .double(1.5)),
            ("2 + 3 * 4", .int(14)), ("(2 + 3) * 4", .int(20)), ("10 - 4 - 3", .int(3)), ("-2 * -3", .int(6)), ("1 + 0.5", .double(1.5)),
            ("1 < 2", .bool(true)), ("2 <= 2", .bool(true)), ("2 > 2", .bool(false)), ("2 >= 3", .bool(false)), ("2 == 2.0", .bool(true)),
            ("1 != 1", .bool(false)),
            ("'a' < 'b'", .bool(true)), ("'a' == 'a'", .bool(true)), ("true != false", .bool(true)), ("not true", .bool(false)),
            ("abs(-3)", .int(3)), ("abs(-0.5)", .double(0.5)), ("sqrt(9)", .double(3)), ("log(1)", .double(0)), ("exp(0)", .double(1)),
            ("round(2.5)", .double(3)), ("round(-2.5)", .double(-3)), ("round(2.345, 2)", .double(2.35)),
            ("round(1234, -2)", .double(1200)),
            ("clip(5, 1, 3)", .int(3)), ("clip(-1.0, 0, 3)", .double(0)), ("clip(2, 1, 3)", .int(2)), ("least(3, 1, 2)", .int(1)),
            ("greatest(1, 2.5)", .double(2.5)), ("if(1 < 2, 'yes', 'no')", .string("yes")), ("if(false, 1, 2)", .int(2)),
            ("coalesce(null, 5)", .int(5)),
            ("is_null(1)", .bool(false)), ("is_null(null)", .bool(true)), ("concat('a', 1, true, 0.5)", .string("a1true0.5")),
            ("lower('ÄBc')", .string("äbc")), ("upper('äßc')", .string("ÄSSC")), ("trim(' a b\\t')", .string("a b")),
            ("trim('  ')", .string("")),
            ("hour(0)", .int(0)), ("hour(86399999)", .int(23)), ("hour(-1)", .int(23)), ("weekday(0)", .int(3)), ("weekday(-1)", .int(2)),
            ("weekday(345600000)", .int(0)), ("minutes(90s)", .double(1.5)), ("10m", .int(600_000)),
        ] as [(String, Value)])
    func `scalars compute what they say`(text: String, value: Value) throws {
        #expect(try Evaluation.value(text) == value)
    }

    @Test(arguments: [
        "1 / 0", "0.0 / 0", "1 % 0", "1.5 % 0", "sqrt(-1)", "log(0)", "log(-1)", "exp(1000)", "1e308 * 10", "clip(2, 3, 1)",
        "clip(2.0, 3, 1)",
        "9223372036854775807 + 1", "-9223372036854775807 - 2", "9223372036854775807 * 2", "abs(-9223372036854775807 - 1)",
        "-(-9223372036854775807 - 1)", "hash('a', 0)", "concat('a', lower(null))", "least(1, null)", "null + 1", "if(true, null, 1)",
    ])
    func `what has no value is null`(text: String) throws {
        #expect(try Evaluation.value(text) == .null)
    }

    @Test func `a null operand makes arithmetic, comparison and text null, and leaves no residue in the cell`() throws {
        let columns = [Column("a", doubles: [1, nil]), Column("n", ints: [nil, 2]), Column("s", strings: ["x", nil])]
        #expect(try Evaluation.values("a + n", columns) == [.null, .null])
        #expect(try Evaluation.values("a * 2", columns) == [.double(2), .null])
        #expect(try Evaluation.values("n > 1", columns) == [.null, .bool(true)])
        #expect(try Evaluation.values("not (n > 1)", columns) == [.null, .bool(false)])
        #expect(try Evaluation.values("concat(s, '!')", columns) == [.string("x!"), .null])
        #expect(try Evaluation.columns(of: [("r", "a + 5")], columns)[0] == Column("r", doubles: [6, nil]))
    }

    @Test func `and and or follow Kleene's tables`() throws {
        let truth: [Value] = [.bool(true), .bool(false), .null]
        var a = ColumnBuilder("a", .bool), b = ColumnBuilder("b", .bool)
        for first in truth { for second in truth { a.append(first); b.append(second) } }
        let columns = [a.finish(), b.finish()]
        let t = Value.bool(true), f = Value.bool(false), n = Value.null
        #expect(try Evaluation.values("a and b", columns) == [t, f, n, f, f, f, n, f, n])
        #expect(try Evaluation.values("a or b", columns) == [t, t, t, t, f, n, t, n, n])
        #expect(try Evaluation.values("not a", columns) == [f, f, f, t, t, t, n, n, n])
    }

    @Test func `a filter keeps only what is true`() throws {
        let table = try Table([Column("x", doubles: [1, -1, nil])])
        let program = try RowProgram(columns: [], filter: try .parse("x > 0"), schema: [("x", .double)])
        var states = [program.initialState()]
        #expect(program.evaluate(table, keyOfRow: [0, 0, 0], states: &states).keep == [true, false, false])
        let negated = try RowProgram(columns: [], filter: try .parse("not x > 0"), schema: [("x", .double)])
        #expect(negated.evaluate(table, keyOfRow: [0, 0, 0], states: &states).keep == [false, true, false])
    }

    @Test func `int overflow is counted once per cell`() throws {
        let table = try Table([Column("n", ints: [.max, 1, nil])])
        let program = try RowProgram(columns: [("a", try .parse("n + 1")), ("b", try .parse("n * 2"))], filter: nil, schema: [("n", .int)])
        var states = [program.initialState()], counts = EvaluationCounts()
        let columns = program.evaluate(table, keyOfRow: [0, 0, 0], states: &states, counts: &counts).columns
        #expect(counts.overflows == 2)
        #expect(columns[0] == Column("a", ints: [nil, 2, nil]))
    }

    @Test func `a choice looks at each row's own condition`() throws {
        let columns = [
            Column("c", .bool([true, false, false]), nulls: [false, false, true]), Column("x", ints: [1, 2, 3]),
            Column("y", doubles: [nil, 20, 30]),
        ]
        #expect(try Evaluation.values("if(c, x, y)", columns) == [.double(1), .double(20), .double(30)])
        #expect(try Evaluation.values("if(c, y, x)", columns) == [.null, .double(2), .double(3)])
        #expect(try Evaluation.values("coalesce(y, x)", columns) == [.double(1), .double(20), .double(30)])
        #expect(try Evaluation.values("is_null(y)", columns) == [.bool(true), .bool(false), .bool(false)])
    }

    @Test func `a hash is the same in every process and spreads over its buckets`() throws {
        #expect(try Evaluation.value("hash('BTC/USD', 1000)") == .int(Int64(ScalarFunction.digest("BTC/USD") % 1_000)))
        // The first FNV-1a step of the empty text is its offset basis; its mixed form is fixed for ever.
        #expect(ScalarFunction.digest("") == 0xF52A_15E9_A9B5_E89B)
        var buckets = [Int](repeating: 0, count: 16)
        for index in 0..<16_000 { buckets[Int(ScalarFunction.digest("user-\(index)") % 16)] += 1 }
        #expect(buckets.allSatisfy { (850...1_150).contains($0) })
    }

    @Test func `a column that is missing or of another type reads as null, an int as the time it may be`() throws {
        let program = try RowProgram(
            columns: [("a", try .parse("x + 1")), ("h", try .parse("hour(at)")), ("n", try .parse("gone"))], filter: nil,
            schema: [("x", .double), ("at", .time), ("gone", .string)])
        let table = try Table([Column("x", ints: [4]), Column("at", ints: [3_600_000])])
        var states = [program.initialState()]
        let columns = program.evaluate(table, keyOfRow: [0], states: &states).columns
        #expect(columns.map { $0[0] } == [.double(5), .int(1), .null])
    }
}
