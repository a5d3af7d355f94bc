import Domain
import Table
import Testing

@testable import Expressions

@Suite struct TargetTests {
    private let schema: Schema = [("close", .double), ("volume", .double)]

    private func target(_ text: String) throws -> TargetProgram {
        try TargetProgram(name: "y", expression: try Expression.parse(text), schema: schema)
    }

    private func table(_ closes: [Double?]) throws -> Table {
        try Table([Column("close", doubles: closes), Column("volume", doubles: closes.map { _ in 1 })])
    }

    @Test func `lead is the value of the same key exactly that much later, by time and not by row`() throws {
        let target = try target("lead(close, 10m)")
        #expect(target.horizon == 600_000)
        let minute: Int64 = 60_000
        // The second row's label is missing: what comes ten minutes later belongs to the other key.
        let column = target.evaluate(
            try table([1, 2, 3, 4, nil]), keyOfRow: [0, 0, 0, 1, 1], availability: [0, 5 * minute, 10 * minute, 15 * minute, 25 * minute])
        #expect(column == Column("y", doubles: [3, nil, nil, nil, nil]))
    }

    @Test func `a row one millisecond off is not ahead`() throws {
        let target = try target("lead(close, 1s)")
        #expect(target.evaluate(try table([1, 2]), keyOfRow: [0, 0], availability: [0, 999]).nullCount == 2)
        #expect(target.evaluate(try table([1, 2]), keyOfRow: [0, 0], availability: [0, 1_001]).nullCount == 2)
        #expect(target.evaluate(try table([1, 2]), keyOfRow: [0, 0], availability: [0, 1_000])[0] == .double(2))
        #expect(target.evaluate(try table([1, 2]), keyOfRow: [0, 0], availability: [.max, .max - 1]).nullCount == 2)
    }

    @Test func `rows may come in any order`() throws {
        let column = try target("lead(close, 1s)").evaluate(try table([2, 1]), keyOfRow: [0, 0], availability: [1_000, 0])
        #expect(column == Column("y", doubles: [nil, 2]))
    }

    @Test func `arithmetic around lead sees the present row, and the horizon is the farthest lead`() throws {
        let target = try target("lead(close, 1s) / close - 1 + 0 * lead(close + volume, 2s)")
        #expect(target.horizon == 2_000)
        let column = target.evaluate(try table([2, 3, 6]), keyOfRow: [0, 0, 0], availability: [0, 1_000, 2_000])
        #expect(column == Column("y", doubles: [0.5, nil, nil]))
    }

    @Test func `a target without lead is in the row itself`() throws {
        let target = try target("close")
        #expect(target.horizon == 0)
        #expect(target.type == .double)
        #expect(target.evaluate(try table([7]), keyOfRow: [0], availability: [0]) == Column("y", doubles: [7]))
    }

    @Test(
        arguments: [
            ("lead(close, 10)", "lead looks ahead by time: a duration such as 10m is needed here, not 10", 12),
            ("lead(close, 0m)", "lead looks ahead by time: a duration such as 10m is needed here, not 0ms", 12),
            ("lead(close)", "lead(x, duration) takes 2 arguments, not 1", 0),
            ("lead(lead(close, 1m), 1m)", "lead cannot stand inside another lead", 5),
            ("sma(close, 3)", "sma works over the rows of a key: the target is made of columns; add a column for it to the view", 0),
            ("last(close)", "last is an aggregate and needs a view with a window", 0),
            ("lead(closee, 1m)", "unknown column \"closee\"; did you mean \"close\"?", 5),
            ("lead(null, 1m)", "lead of null is always null", 5),
        ] as [(String, String, Int)])
    func `what cannot be a target is refused with its place`(text: String, message: String, offset: Int) {
        #expect(throws: ExpressionError(message, at: offset)) { try target(text) }
    }
}
