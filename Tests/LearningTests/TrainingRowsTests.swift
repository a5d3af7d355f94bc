import Domain
import Learning
import Table
import Testing

struct TrainingRowsTests {
    static func rows(
        x: [Double?], y: [Double?] = [], target: [Double?], keys: [String]? = nil, times: [Int64]? = nil,
        warmUp: [String: Int] = ["x": 2, "y": 1], reject: Double = 1
    ) throws -> TrainingRows {
        let count = x.count
        return try TrainingRows(
            table: Table([Column("x", doubles: x), Column("y", doubles: y.isEmpty ? x.map { _ in 1 } : y)]),
            target: Column("t", doubles: target), availability: times ?? (0..<Int64(count)).map { $0 },
            keys: keys ?? [String](repeating: "", count: count), features: ["x", "y"],
            warmUp: warmUp, missing: .init(numeric: .median, categorical: "U", rejectRowsAbove: reject))
    }

    @Test func `warm-up and unlabelled rows are left out and count as neither missing nor usable`() throws {
        let rows = try Self.rows(x: [nil, nil, 3, nil, 5, 6, 7], target: [1, 2, 3, 4, 5, nil, nil])
        #expect(rows.targets == [3, 4, 5])
        #expect(rows.availability == [2, 3, 4])
        #expect(rows.counts.read == 7)
        #expect(rows.counts.warmUp == 2)
        #expect(rows.counts.unlabelled == 2)
        #expect(rows.counts.usable == 3)
        #expect(rows.counts.incomplete == 1)
    }

    @Test func `each key warms up by itself and each column too`() throws {
        let rows = try Self.rows(
            x: [nil, 1, nil, 1, 1, 1], y: [1, 1, nil, 1, nil, 1], target: [1, 2, 3, 4, 5, 6], keys: ["A", "A", "B", "B", "B", "B"])
        #expect(rows.targets == [2, 4, 5, 6])
        #expect(rows.counts.incomplete == 1)
    }

    @Test func `a column that never has a value for a key warms up as long as it needs, and is missing from then on`() throws {
        let rows = try Self.rows(x: [1, 2, 3, 4], y: [nil, nil, nil, nil], target: [1, 2, 3, 4], warmUp: ["y": 3])
        #expect(rows.targets == [4])
        #expect(rows.counts.warmUp == 3 && rows.counts.incomplete == 1)
    }

    @Test func `a column without an operator that looks back does not warm up: its nulls are missing values`() throws {
        #expect(throws: TrainingRows.Error.tooManyMissing(share: 0.5, limit: 0.4, column: "y")) {
            try Self.rows(x: [1, 2], y: [nil, 1], target: [1, 2], warmUp: ["x": 5], reject: 0.4)
        }
        #expect(try Self.rows(x: [1, 2], y: [nil, 1], target: [1, 2], warmUp: [:]).counts.incomplete == 1)
        #expect(try Self.rows(x: [1, 2], y: [nil, 1], target: [1, 2], warmUp: ["y": 1], reject: 0).counts.warmUp == 1)
    }

    @Test func `the share of incomplete rows may reach the limit but not exceed it`() throws {
        #expect(try Self.rows(x: [1, nil, 3, 4], target: [1, 2, 3, 4], reject: 0.25).counts.incomplete == 1)
        #expect(throws: TrainingRows.Error.tooManyMissing(share: 0.25, limit: 0.2, column: "x")) {
            try Self.rows(x: [1, nil, 3, 4], target: [1, 2, 3, 4], reject: 0.2)
        }
    }

    @Test func `rows are ordered by availability, then key, whatever order they were read in`() throws {
        let rows = try Self.rows(x: [4, 1, 3, 2], target: [40, 10, 30, 20], keys: ["B", "A", "A", "B"], times: [2, 1, 2, 1])
        #expect(rows.targets == [10, 20, 30, 40])
        #expect(rows.availability == [1, 1, 2, 2])
    }

    @Test func `what cannot train is named`() throws {
        #expect(throws: TrainingRows.Error.self) { try Self.rows(x: [1], target: [nil]) }
        #expect(throws: TrainingRows.Error.noColumn("z")) {
            try TrainingRows(
                table: Table([Column("x", doubles: [1])]), target: Column("t", doubles: [1]), availability: [0], keys: [""],
                features: ["z"],
                warmUp: [:], missing: FittingTests.missing)
        }
        #expect(throws: TrainingRows.Error.notANumber(target: "t")) {
            try TrainingRows(
                table: Table([Column("x", doubles: [1])]), target: Column("t", strings: ["a"]), availability: [0], keys: [""],
                features: ["x"], warmUp: [:], missing: FittingTests.missing)
        }
    }
}
