import Domain
import Foundation
import Table
import Testing

@testable import Features

@Suite struct PointInTimeJoinTests {
    /// Rows of (entity, time, created, value).
    private func view(
        _ rows: [(Int64?, Int64?, Int64?, Double?)], ttl: Int64 = 0, name: String = "v", created: Bool = true, key: [String] = ["user"]
    ) throws -> PointInTimeView {
        PointInTimeView(
            name: name,
            rows: try Table([
                Column("user", ints: rows.map(\.0)), Column("t", ints: rows.map(\.1)), Column("created", ints: rows.map(\.2)),
                Column("x", doubles: rows.map(\.3)),
            ]), key: key, time: "t", created: created ? "created" : nil, features: ["x"], ttl: ttl)
    }

    private func spine(_ rows: [(Int64?, Int64?)]) throws -> Table {
        try Table([Column("user", ints: rows.map(\.0)), Column("at", ints: rows.map(\.1))])
    }

    private func values(_ table: Table, _ name: String = "v__x") -> [Double?] {
        (0..<table.rowCount).map { table[name]?[$0].number }
    }

    private func joined(_ spine: Table, _ view: PointInTimeView, knowledge: Bool = false) throws -> [Double?] {
        values(try PointInTimeJoin.join(spine: spine, time: "at", views: [view], knowledgeTime: knowledge))
    }

    @Test(arguments: [(99, nil), (100, 1), (199, 1), (200, 2), (201, 2), (.max, 2), (.min, nil)] as [(Int64, Double?)])
    func `a spine row meets the newest row that is not later, the same moment included`(time: Int64, expected: Double?) throws {
        let view = try view([(7, 200, 0, 2), (7, 100, 0, 1), (8, 150, 0, 9)])
        #expect(try joined(try spine([(7, time)]), view) == [expected])
    }

    @Test(arguments: [(0, 1), (9, nil), (10, 1), (11, 1)] as [(Int64, Double?)])
    func `a row exactly as old as the limit counts, an older one is missing, and 0 is no limit`(ttl: Int64, expected: Double?) throws {
        #expect(try joined(try spine([(7, 110)]), try view([(7, 100, 0, 1)], ttl: ttl)) == [expected])
    }

    @Test func `the age of a row may be larger than any number`() throws {
        let rows = try view([(7, .min, 0, 1)], ttl: 1_000)
        #expect(try joined(try spine([(7, .max)]), rows) == [nil])
        #expect(try joined(try spine([(7, .max)]), try view([(7, .min, 0, 1)])) == [1])
    }

    @Test func `of rows of one time the one created last counts, then the last in order; an unknown creation gives way`() throws {
        #expect(try joined(try spine([(7, 100)]), try view([(7, 100, 5, 1), (7, 100, 9, 2), (7, 100, 3, 3)])) == [2])
        #expect(try joined(try spine([(7, 100)]), try view([(7, 100, 5, 1), (7, 100, 5, 2), (7, 100, 4, 3)])) == [2])
        #expect(try joined(try spine([(7, 100)]), try view([(7, 100, 5, 1), (7, 100, nil, 2)])) == [1])
        #expect(try joined(try spine([(7, 100)]), try view([(7, 100, 9, 1), (7, 100, 5, 2)], created: false)) == [2])
    }

    @Test func `by knowledge time a row counts only once it was ingested`() throws {
        // A backfill at 500 wrote the rows of 100 and 200; the row of 150 was there at once, that of 160 does not say.
        let view = try view([(7, 100, 500, 1), (7, 150, 150, 2), (7, 160, nil, 3), (7, 200, 500, 4)])
        let times: [(Int64?, Int64?)] = [(7, 149), (7, 150), (7, 170), (7, 250), (7, 499), (7, 500)]
        #expect(try joined(try spine(times), view, knowledge: true) == [nil, 2, 2, 2, 2, 4])
        #expect(try joined(try spine(times), view) == [1, 2, 3, 4, 4, 4])
    }

    @Test func `every spine row is kept in its order, with all its columns`() throws {
        let table = try PointInTimeJoin.join(
            spine: try spine([(9, 100), (7, 300), (nil, 300), (7, nil), (7, 50), (7, 300)]), time: "at",
            views: [try view([(7, 100, 0, 1), (nil, 100, 0, 5), (7, nil, 0, 6)], name: "a"), try view([(9, 100, 0, nil)], name: "b")])
        #expect(table.names == ["user", "at", "a__x", "b__x"])
        #expect(values(table, "a__x") == [nil, 1, nil, nil, nil, 1])
        #expect(values(table, "b__x") == [nil, nil, nil, nil, nil, nil])
        #expect(table["at"] == Column("at", ints: [100, 300, 300, nil, 50, 300]))
    }

    @Test func `an entity may be named by several columns, by text, or not at all`() throws {
        let rows = try Table([
            Column("shop", strings: ["a", "a", "b", "b", nil]), Column("user", ints: [1, 2, 1, 2, 1]), Column("t", ints: [1, 1, 1, 1, 1]),
            Column("x", strings: ["a1", "a2", "b1", "b2", "?"]),
        ])
        let spine = try Table([
            Column("shop", strings: ["b", "a", "c", nil, "b"]), Column("user", ints: [1, 2, 1, 1, 2]),
            Column("at", strings: ["1970-01-01", "1970-01-01T00:00:00.001Z", "2020-01-01", "2020-01-01", "2020-01-01"]),
        ])
        func view(_ key: [String]) -> PointInTimeView { PointInTimeView(name: "v", rows: rows, key: key, time: "t", features: ["x"]) }
        let joined = try PointInTimeJoin.join(spine: spine, time: "at", views: [view(["shop", "user"])])
        #expect(joined["v__x"] == Column("v__x", strings: [nil, "a2", nil, nil, "b2"]))
        let whole = try PointInTimeJoin.join(spine: spine, time: "at", views: [view([])])
        #expect(whole["v__x"] == Column("v__x", strings: [nil, "?", "?", "?", "?"]))
    }

    @Test func `every type of column keeps its values and nulls`() throws {
        let rows = try Table([
            Column("user", ints: [1, 2]), Column("t", ints: [1, 1]), Column("flag", .bool([true, false]), nulls: [false, true]),
            Column("n", ints: [5, nil]), Column("when", .time([9, 8])),
        ])
        let view = PointInTimeView(name: "v", rows: rows, key: ["user"], time: "t", features: ["when", "flag", "n"])
        let table = try PointInTimeJoin.join(spine: try spine([(2, 1), (1, 1), (3, 1)]), time: "at", views: [view])
        #expect(table.row(0).suffix(3) == [.time(8), .null, .null])
        #expect(table.row(1).suffix(3) == [.time(9), .bool(true), .int(5)])
        #expect(table.row(2).suffix(3) == [.null, .null, .null])
    }

    @Test func `what cannot be joined is named`() throws {
        let good = try view([(7, 100, 0, 1)])
        func error(
            _ views: [PointInTimeView], spine: Table? = nil, time: String = "at", knowledge: Bool = false
        ) throws -> PointInTimeJoin.Error? {
            let spine = try spine ?? self.spine([(7, 100)])
            do throws(PointInTimeJoin.Error) {
                _ = try PointInTimeJoin.join(spine: spine, time: time, views: views, knowledgeTime: knowledge)
                return nil
            } catch {
                return error
            }
        }
        #expect(try error([try view([(7, 100, 0, 1)], key: ["usr"])]) == .noColumn("usr", table: nil, known: ["user", "at"]))
        #expect(try error([good], time: "when") == .noColumn("when", table: nil, known: ["user", "at"]))
        let other = PointInTimeView(name: "v", rows: good.rows, key: ["user"], time: "t", features: ["y"])
        #expect(try error([other]) == .noColumn("y", table: "v", known: ["user", "t", "created", "x"]))
        #expect(try error([good, good]) == .duplicateColumn("v__x"))
        #expect(try error([try view([(7, 100, 0, 1)], created: false)], knowledge: true) == .noCreated(view: "v"))
        let text = try Table([Column("user", strings: ["7"]), Column("at", ints: [1])])
        #expect(try error([good], spine: text) == .unlikeKeys("user", spine: .string, view: "v", found: .int))
        let times = try Table([Column("user", ints: [7]), Column("at", strings: ["yesterday"])])
        #expect(try error([good], spine: times) == .badTime("yesterday", column: "at", table: nil, row: 0))
        let double = PointInTimeView(name: "v", rows: good.rows, key: ["user"], time: "x", features: ["t"])
        #expect(try error([double]) == .notATime("x", table: "v", found: .double))
        #expect(
            try error([good], spine: try Table([Column("user", doubles: [7]), Column("at", ints: [1])])) == .notAKey("user", found: .double)
        )
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `random joins equal the rule applied row by row`(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        func number(_ bound: Int) -> Int64 { Int64(random.index(below: bound)) }
        let rows = (0..<Int(number(400))).map { index -> (Int64?, Int64?, Int64?, Double?) in
            (number(20) == 0 ? nil : number(6), number(20) == 0 ? nil : number(60), number(8) == 0 ? nil : number(90), Double(index))
        }
        let spineRows = (0..<200).map { _ -> (Int64?, Int64?) in (number(20) == 0 ? nil : number(7), number(20) == 0 ? nil : number(80)) }
        let ttl = number(3) == 0 ? 0 : number(30), knowledge = number(2) == 0
        let expected = spineRows.map { entity, time -> Double? in
            guard let entity, let time else { return nil }
            let known = rows.filter { row in
                row.0 == entity && row.1.map { $0 <= time } ?? false && (!knowledge || row.2.map { $0 <= time } ?? false)
            }
            let newest = known.max { ($0.1 ?? 0, $0.2 ?? .min, $0.3 ?? 0) < ($1.1 ?? 0, $1.2 ?? .min, $1.3 ?? 0) }
            guard let newest, let own = newest.1, ttl == 0 || time - own <= ttl else { return nil }
            return newest.3
        }
        #expect(try joined(try spine(spineRows), try view(rows, ttl: ttl), knowledge: knowledge) == expected)
    }

    @Test func `a backfill of many rows is passed over`() throws {
        var rows: [(Int64?, Int64?, Int64?, Double?)] = (0..<1_000).map { (7, $0, 5_000, Double($0)) }
        rows[3].2 = 3
        #expect(try joined(try spine([(7, 999), (7, 3), (7, 2)]), try view(rows), knowledge: true) == [3, 3, nil])
    }
}

/// Rows of `golden/streaming/pit`, whose expected values come from pandas.
@Suite struct GoldenPointInTimeTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../shared/golden/streaming/pit")
    static var isPresent: Bool { FileManager.default.fileExists(atPath: folder.path) }

    private func rows(_ name: String) throws -> [[String]] {
        let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
        return text.split(separator: "\n").dropFirst().map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
    }

    private func view(_ name: String, ttl: Int64) throws -> PointInTimeView {
        let rows = try rows("view_\(name).csv")
        let table = try Table([
            Column("user_id", ints: rows.map { Int64($0[0]) }), Column("event_timestamp", ints: rows.map { Int64($0[1]) }),
            Column("value", doubles: rows.map { Double($0[2]) }), Column("created", ints: rows.map { Int64($0[3]) }),
        ])
        return PointInTimeView(
            name: name, rows: table, key: ["user_id"], time: "event_timestamp", created: "created", features: ["value"], ttl: ttl)
    }

    @Test(.enabled(if: isPresent))
    func `golden joins equal the reference's, row for row`() throws {
        let spineRows = try rows("spine.csv"), expected = try rows("expected.csv")
        let spine = try Table([
            Column("user_id", ints: spineRows.map { Int64($0[0]) }), Column("event_timestamp", ints: spineRows.map { Int64($0[1]) }),
        ])
        let table = try PointInTimeJoin.join(
            spine: spine, time: "event_timestamp",
            views: [try view("a", ttl: 3_600_000), try view("b", ttl: 86_400_000)])
        #expect(table.rowCount == expected.count && expected.count > 1_000)
        #expect(table["a__value"] == Column("a__value", doubles: expected.map { Double($0[2]) }))
        #expect(table["b__value"] == Column("b__value", doubles: expected.map { Double($0[3]) }))
    }
}
