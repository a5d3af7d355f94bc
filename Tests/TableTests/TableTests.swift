import Domain
import Table
import Testing

@Suite struct TableTests {
    private let table = try? Table([
        Column("k", strings: ["b", "a", nil, "a"]), Column("x", doubles: [1, nil, 3, .nan]), Column("n", ints: [3, 1, 2, 1]),
    ])

    @Test func `columns of unequal length or equal name are refused`() {
        #expect(throws: Table.Error.unequalLengths(column: "b", count: 1, expected: 2)) {
            try Table([Column("a", ints: [1, 2]), Column("b", ints: [1])])
        }
        #expect(throws: Table.Error.duplicateColumn("a")) { try Table([Column("a", ints: [1]), Column("a", ints: [1])]) }
    }

    @Test func `sorting is stable and puts nulls last`() throws {
        let table = try #require(table)
        #expect(try table.order(by: "k") == [1, 3, 0, 2])
        #expect(try table.order(by: "n") == [1, 3, 2, 0])
        #expect(try table.order(by: "x") == [0, 2, 1, 3])
        #expect(throws: Table.Error.noColumn("y", known: ["k", "x", "n"])) { try table.order(by: "y") }
    }

    @Test func `filtering and gathering keep nulls with their rows`() throws {
        let table = try #require(table)
        let kept = table.filtered([false, true, true, false])
        #expect(kept.row(0) == [.string("a"), .null, .int(1)])
        #expect(kept.row(1) == [.null, .double(3), .int(2)])
        #expect(table.gathered([2, 2]).rowCount == 2)
    }

    @Test func `concatenation widens ints to doubles and refuses other mixes`() throws {
        let a = try Table([Column("v", ints: [1, nil])]), b = try Table([Column("v", doubles: [2.5])])
        #expect(try Table.concatenated([a, b]).columns[0] == Column("v", doubles: [1, nil, 2.5]))
        let c = try Table([Column("v", strings: ["x"])])
        #expect(throws: Table.Error.typeMismatch(column: "v", found: .string, expected: .int)) { try Table.concatenated([a, c]) }
    }

    @Test func `a row is one compact JSON object with explicit nulls`() throws {
        let table = try #require(table)
        let encoder = RowEncoder(table)
        #expect(String(decoding: encoder.encode(table, row: 0), as: UTF8.self) == #"{"k":"b","x":1.0,"n":3}"#)
        #expect(String(decoding: encoder.encode(table, row: 3), as: UTF8.self) == #"{"k":"a","x":null,"n":1}"#)
        #expect(String(decoding: encoder.encode([.null, .double(2), .int(1)]), as: UTF8.self) == #"{"k":null,"x":2.0,"n":1}"#)
    }
}
