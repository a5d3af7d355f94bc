import Domain
import Expressions
import Features
import Learning
import Table
import Testing

@testable import TrainRole

struct TrainingLabelsTests {
    static let minute: Int64 = 60_000

    static func labels(_ expression: String = "lead(close, 2m)") throws -> TrainingLabels {
        let schema = ViewSchema(key: [("pair", .string)], declared: [("close", .double), ("sma", .double)], metadata: .window)
        let target = try TargetProgram(name: "ahead", expression: .parse(expression), schema: schema.columns)
        return TrainingLabels(definition: Examples.definition(horizon: target.horizon), target: target, schema: schema, warmUp: ["sma": 1])
    }

    /// One row per (minute, pair); `close` is the minute, a thousand more for pair B.
    static func table(_ rows: [(minute: Int64, pair: String)], sma: [Double?]? = nil) throws -> Table {
        let closes: [Double?] = rows.map { Double($0.minute) + ($0.pair == "B" ? 1_000 : 0) }
        return try Table([
            Column("pair", strings: rows.map(\.pair)), Column("close", doubles: closes), Column("sma", doubles: sma ?? closes),
            Column("window_start_ms", ints: rows.map { ($0.minute - 1) * minute }),
            Column("window_end_ms", ints: rows.map { $0.minute * minute }), Column("is_final", .bool(rows.map { _ in true })),
            Column("synthetic", .bool(rows.map { _ in false })),
        ])
    }

    @Test func `a label is the same key's value exactly the horizon later, by the window's end`() throws {
        let rows = try Self.labels().rows(Self.table([(1, "A"), (1, "B"), (2, "A"), (3, "A"), (3, "B"), (4, "A"), (5, "B")]))
        #expect(rows.availability == [1, 1, 2, 3].map { $0 * Self.minute })
        #expect(rows.targets == [3, 1_003, 4, 1_005])
        #expect(rows.counts.unlabelled == 3)
    }

    @Test func `a gap leaves rows unlabelled instead of taking the next row`() throws {
        let rows = try Self.labels().rows(Self.table([(1, "A"), (2, "A"), (4, "A"), (5, "A"), (6, "A")]))
        // 1 → 3 is missing; 2 → 4, 4 → 6; 5 and 6 look beyond the end.
        #expect(rows.targets == [4, 6])
    }

    @Test func `rows of a key still warming up do not train`() throws {
        let rows = try Self.labels().rows(Self.table([(1, "A"), (2, "A"), (3, "A"), (4, "A")], sma: [nil, 2, 3, 4]))
        #expect(rows.targets == [4])
        #expect(rows.counts.warmUp == 1)
    }
}
