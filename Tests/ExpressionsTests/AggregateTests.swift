import Domain
import Table
import Testing

@testable import Expressions

@Suite struct AggregateTests {
    private let schema: Schema = [
        ("price", .double), ("quantity", .double), ("n", .int), ("side", .string), ("flag", .bool), ("at", .time),
    ]

    private func program(_ columns: (String, String)...) throws -> AggregateProgram {
        try AggregateProgram(columns: columns.map { ($0.0, try Expression.parse($0.1)) }, schema: schema)
    }

    private func error(_ texts: String...) -> ExpressionError? {
        do throws(ExpressionError) {
            var columns: [(name: String, expression: Expression)] = []
            for (index, text) in texts.enumerated() { columns.append(("c\(index)", try Expression.parse(text))) }
            _ = try AggregateProgram(columns: columns, schema: schema)
            return nil
        } catch { return error }
    }

    @Test func `equal calls and arguments are computed once`() throws {
        let program = try program(
            ("open", "first(price)"), ("close", "last(price)"), ("range", "max(price) - min(price)"),
            ("vwap", "sum(price * quantity) / sum(quantity)"),
            ("volume", "sum( quantity )"), ("trades", "count()"), ("again", "count() + 1"))
        #expect(program.argumentTypes == [.double, .double, .double])
        #expect(
            program.calls == [
                .init(kind: .first, argument: 0, type: .double), .init(kind: .last, argument: 0, type: .double),
                .init(kind: .max, argument: 0, type: .double),
                .init(kind: .min, argument: 0, type: .double), .init(kind: .sum, argument: 1, type: .double),
                .init(kind: .sum, argument: 2, type: .double),
                .init(kind: .count, argument: nil, type: .int),
            ])
        #expect(program.outputs.map(\.name) == ["open", "close", "range", "vwap", "volume", "trades", "again"])
        #expect(program.outputs.map(\.type) == [.double, .double, .double, .double, .double, .int, .int])
    }

    @Test func `arguments are columns of the events, outer expressions combine results and columns above`() throws {
        let program = try program(
            ("high", "max(price)"), ("low", "min(price)"), ("range", "high - low"), ("buys", "count(if(side == 'buy', 1, null))"),
            ("spent", "sum(price * quantity)"))
        let events = try Table([
            Column("price", doubles: [10, nil]), Column("quantity", doubles: [2, 3]), Column("side", strings: ["buy", "sell"]),
        ])
        let arguments = program.arguments(events)
        #expect(arguments.count == program.argumentTypes.count)
        #expect(arguments[0].values == .double([10, 0]))
        #expect(arguments[1].nulls == [false, true])
        #expect(arguments[2][0] == .double(20) && arguments[2].isNull(1))
        let results = [
            Column("0", doubles: [12, nil]), Column("1", doubles: [10, nil]), Column("2", ints: [1, 0]), Column("3", doubles: [20, nil]),
        ]
        let columns = program.finish(results)
        #expect(columns.map(\.name) == ["high", "low", "range", "buys", "spent"])
        #expect(columns[2] == Column("range", doubles: [2, nil]))
    }

    @Test(
        arguments: [
            ("first(side)", .string), ("last(flag)", .bool), ("min(at)", .time), ("max(side)", .string), ("sum(n)", .int),
            ("sum(price)", .double),
            ("mean(n)", .double), ("count(side)", .int), ("std(n)", .double), ("count_distinct(flag)", .int), ("quantile(n, 0.5)", .double),
        ] as [(String, ValueType)])
    func `a result has the type its aggregate gives`(text: String, type: ValueType) throws {
        #expect(try program(("a", text)).calls[0].type == type)
    }

    @Test func `what cannot stand in a window is refused with its place`() {
        #expect(
            error("price")
                == ExpressionError("column \"price\" has many values in a window; name one with an aggregate such as last(price)", at: 0))
        #expect(error("max(price) + quantity")?.offset == 13)
        #expect(error("max(min(price))") == ExpressionError("min is an aggregate and cannot stand inside another one", at: 4))
        #expect(error("sum(side)") == ExpressionError("sum(x) expects a number, not a string", at: 4))
        #expect(error("min(flag)") == ExpressionError("min(x) expects a number, a time or a string, not a bool", at: 4))
        #expect(error("sum()") == ExpressionError("sum(x) takes 1 argument, not 0", at: 0))
        #expect(error("sum(pricee)") == ExpressionError("unknown column \"pricee\"; did you mean \"price\"?", at: 4))
        #expect(error("last(null)") == ExpressionError("last(x) of null is always null", at: 5))
        #expect(error("1 + 1") == ExpressionError("a view with a window needs an aggregate, such as count()", at: 0))
        #expect(error("lead(price, 1m)") == ExpressionError("lead looks into the future and is legal only in training.target", at: 0))
        #expect(error("std(side)") == ExpressionError("std(x) expects a number, not a string", at: 4))
        #expect(error("quantile(price)") == ExpressionError("quantile(x, q) takes 2 arguments, not 1", at: 0))
        for (text, found) in [("price", "price"), ("1.5", "1.5"), ("-0.1", "-0.1"), ("2", "2"), ("'x'", "\"x\"")] {
            #expect(
                error("quantile(price, \(text))")
                    == ExpressionError("quantile(x, q) needs a plain number from 0 to 1 here, not \(found)", at: 16))
        }
        let sequence = "works over the rows of a key: a window has no rows to look back on; use it in a view that reads this one"
        #expect(error("sma(last(price), 3)") == ExpressionError("sma \(sequence)", at: 0))
        #expect(error("sum(lag(price, 1))") == ExpressionError("lag \(sequence)", at: 4))
        #expect(error("macd(last(price), 7, 14, 9)")?.offset == 0)
    }

    @Test func `quantiles of one argument are calls of their own`() throws {
        let program = try program(
            ("low", "quantile(price, 0.1)"), ("high", "quantile(price, 0.9)"), ("range", "quantile(price, 0.9) - low"))
        #expect(
            program.calls == [
                .init(kind: .quantile, argument: 0, parameter: 0.1, type: .double),
                .init(kind: .quantile, argument: 0, parameter: 0.9, type: .double),
            ])
        #expect(program.argumentTypes == [.double])
    }

    @Test func `every wrong column is told`() throws {
        let check = AggregateProgram.check(
            columns: [
                ("a", try .parse("sum(pricee)")), ("b", try .parse("count()")), ("c", try .parse("a + b")), ("d", try .parse("sum(side)")),
            ], schema: schema)
        #expect(check.outputs.map(\.name) == ["b"])
        #expect(check.errors.map(\.column) == [0, 3])
    }
}
