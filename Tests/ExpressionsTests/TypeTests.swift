import Domain
import Table
import Testing

@testable import Expressions

@Suite struct TypeTests {
    @Test(
        arguments: [
            ("trades + 1", .int), ("trades + 0.5", .double), ("trades / 2", .double), ("trades % 2", .int), ("-trades", .int),
            ("-price", .double),
            ("price > 1 and flag", .bool), ("at - at", .int), ("at + 10m", .time), ("10m + at", .time), ("at - 1h", .time),
            ("at < at", .bool),
            ("pair == \"BTC/USD\"", .bool), ("pair < 'x'", .bool), ("if(flag, 1, 2.0)", .double), ("if(flag, pair, null)", .string),
            ("coalesce(trades, 0)", .int), ("coalesce(null, price)", .double), ("is_null(at)", .bool), ("least(trades, price)", .double),
            ("greatest(at, at)", .time), ("abs(trades)", .int), ("sqrt(trades)", .double), ("round(price)", .double),
            ("clip(trades, 1, 2)", .int),
            ("clip(trades, 1, 2.5)", .double), ("hour(at)", .int), ("weekday(trades)", .int), ("minutes(at - at)", .double),
            ("concat(pair, 1)", .string), ("hash(pair, 10)", .int), ("lower(trim(pair))", .string), ("lag(pair, 1)", .string),
            ("lag(flag, 2)", .bool),
            ("lag(at, 1)", .time), ("sum_over(trades, 3)", .int), ("sum_over(price, 3)", .double), ("sma(trades, 3)", .double),
            ("min_over(at, 3)", .time), ("max_over(trades, 3)", .int), ("obv(price, trades)", .double),
            ("sma(price / lag(price, 1), 3)", .double),
        ] as [(String, ValueType)])
    func `types follow from the columns`(text: String, type: ValueType) throws {
        let schema: Schema = [("price", .double), ("trades", .int), ("pair", .string), ("at", .time), ("flag", .bool)]
        let program = try RowProgram(columns: [("result", try Expression.parse(text))], filter: nil, schema: schema)
        #expect(program.outputs.map(\.type) == [type])
    }

    @Test(
        arguments: [
            ("pricee * 2", "unknown column \"pricee\"; did you mean \"price\"?", 0),
            ("zzz", "unknown column \"zzz\"; known: at, flag, pair, price, trades", 0),
            ("smaa(price, 7)", "unknown function \"smaa\"; did you mean \"sma\"?", 0),
            ("price + pair", "\"+\" expects numbers, not a string; join text with concat(a, b)", 8),
            ("price * flag", "\"*\" expects numbers, not a bool", 8), ("price and flag", "\"and\" expects a bool, not a double", 0),
            ("flag or trades", "\"or\" expects a bool, not an int", 8), ("not price", "\"not\" expects a bool, not a double", 4),
            ("price == pair", "\"==\" does not compare a double with a string", 6),
            ("at > 5", "\">\" does not compare a time with an int", 3),
            ("price == null", "\"==\" with null is always null; use is_null(x)", 6),
            ("flag < flag", "\"<\" does not apply to bools; they are only equal or not", 5),
            ("at * 2", "\"*\" does not go with a time and an int; times take \"time - time\" and \"time + duration\"", 3),
            ("at + at", "\"+\" does not go with a time and a time; times take \"time - time\" and \"time + duration\"", 3),
            ("lower(price)", "lower(text) expects a string, not a double", 6), ("sqrt(pair)", "sqrt(x) expects a number, not a string", 5),
            ("sqrt()", "sqrt(x) takes 1 argument, not 0", 0), ("clip(price, 1)", "clip(x, low, high) takes 3 arguments, not 2", 0),
            ("round(1, 2, 3)", "round(x, digits) takes at most 2 arguments, not 3", 0),
            ("coalesce(price)", "coalesce(a, b, …) takes at least 2 arguments, not 1", 0),
            ("if(flag, pair, price)", "if(condition, then, else) a double does not go with a string", 15),
            ("minutes(at)", "minutes(duration) expects a duration such as \"end - start\", not a time", 8),
            ("if(flag, null, null)", "if(condition, then, else) needs a value whose type is known, not only null", 0),
            ("null", "null alone has no type", 0),
            ("sma(price)", "sma(x, n) takes 2 arguments, not 1", 0),
            ("sma(price, trades)", "sma(x, n) counts rows: a whole number is needed here, not trades", 11),
            ("sma(price, 10m)", "sma(x, n) counts rows: a whole number is needed here, not 10m", 11),
            ("sma(price, 0)", "sma(x, n) takes 1 to 100000 here, not 0", 11),
            ("sma(price, -3)", "sma(x, n) takes 1 to 100000 here, not -3", 11),
            ("sma(pair, 7)", "sma(x, n) expects a number, not a string", 4),
            ("sma(null, 7)", "sma(x, n) of null is always null", 4),
            ("min_over(pair, 3)", "min_over(x, n) expects a number or a time, not a string", 9),
            ("macd(price, 14, 7, 9)", "macd(x, fast, slow, signal) expects fast below slow, not 14 and 7", 12),
            (
                "macd(price, 7, 14, 9) + 1",
                "macd makes several columns (NAME, NAME_signal, NAME_hist); give it a column of its own and use those", 0
            ),
            ("last(price)", "last is an aggregate and needs a view with a window", 0),
            ("max(price, 1)", "max is an aggregate and needs a view with a window; use greatest(a, b)", 0),
            ("lead(price, 10m)", "lead looks into the future and is legal only in training.target", 0),
            ("price + lead(price, 10m)", "lead looks into the future and is legal only in training.target", 8),
        ] as [(String, String, Int)])
    func `what cannot be is refused with its place`(text: String, message: String, offset: Int) {
        #expect(Evaluation.error(text) == ExpressionError(message, at: offset))
    }

    @Test func `a filter must be a condition`() throws {
        #expect(throws: ExpressionError("a condition must be true or false, not a double", at: 6)) {
            try RowProgram(columns: [], filter: try Expression.parse("price * 2"), schema: [("price", .double)])
        }
    }

    @Test func `an output is seen by the columns below it, an input of its name hides it there but not in the filter`() throws {
        let table = try Table([Column("a", doubles: [1, 2]), Column("b", doubles: [10, 20])])
        let program = try RowProgram(
            columns: [("c", try .parse("a + 1")), ("b", try .parse("c * 100")), ("d", try .parse("b + c"))], filter: try .parse("b > 200"),
            schema: [("a", .double), ("b", .double)])
        var states = [program.initialState()]
        let (columns, keep) = program.evaluate(table, keyOfRow: [0, 0], states: &states)
        #expect(columns.map(\.name) == ["c", "b", "d"])
        #expect(columns[2] == Column("d", doubles: [12, 23]))
        #expect(keep == [false, true])
    }

    @Test func `every wrong column is told, and what only follows from one is not`() throws {
        let check = RowProgram.check(
            columns: [
                ("a", try .parse("pricee")), ("b", try .parse("a + 1")), ("c", try .parse("d")), ("d", try .parse("price")),
                ("e", try .parse("d + pair")),
            ], filter: try .parse("a > 1 or price"), schema: [("price", .double), ("pair", .string)])
        #expect(check.outputs.map(\.name) == ["d"])
        #expect(check.errors.map(\.column) == [0, 2, 4])
        #expect(check.errors[1].error.message == "column \"d\" is declared further down; a column may use those above it")
    }

    @Test func `macd makes three columns, and none may be declared twice`() throws {
        let schema: Schema = [("close", .double)]
        let program = try RowProgram(
            columns: [("m", try .parse("macd(close, 7, 14, 9)")), ("x", try .parse("m - m_signal"))], filter: nil, schema: schema)
        #expect(program.outputs.map(\.name) == ["m", "m_signal", "m_hist", "x"])
        #expect(throws: ExpressionError("makes a column \"m_hist\", which there is already", at: 0)) {
            try RowProgram(
                columns: [("m", try .parse("macd(close, 7, 14, 9)")), ("m_hist", try .parse("close"))], filter: nil, schema: schema)
        }
    }

    @Test func `every function of the catalogue has a name of its own, a usage and a summary`() {
        let names = FunctionCatalogue.entries.map(\.name)
        #expect(Set(names).count == names.count)
        for entry in FunctionCatalogue.entries {
            #expect(entry.usage.hasPrefix(entry.name + "("))
            #expect(entry.summary.hasSuffix("."))
        }
        #expect(Set(["sma", "ema", "lag", "sum_over", "rsi", "macd", "obv", "first", "count", "lead", "if"]).isSubset(of: names))
    }
}
