import Domain
import Table
import Testing

@testable import Features

@Suite struct LookupTableTests {
    private static let fields: [RowDecoder.Field] = [
        .init("pair", .string), .init("tick", .double, isOptional: true), .init("listed", .time, isOptional: true), .init("live", .bool),
    ]

    private func table(_ text: String, _ format: LookupTable.Format = .csv) throws(LookupTable.Error) -> LookupTable {
        try LookupTable(name: "pairs-1", key: ["pair"], fields: Self.fields, text: text, format: format)
    }

    private func rows(_ table: LookupTable, _ keys: [String?]) -> [[Value]] {
        let columns = table.columns(on: [Column("pair", strings: keys)], count: keys.count)
        return keys.indices.map { row in columns.map { $0[row] } }
    }

    @Test(arguments: [
        "live,note,pair,tick,listed\r\ntrue,\"a \"\"b\"\", c\nd\",BTC,0.5,2024-01-01\r\n\r\nfalse,,ETH,,\n",
        "pair,tick,listed,live\nBTC,0.5,1704067200000,true\nETH,,,false",
    ])
    func `cells of a file are found by key, and keys that are not there are nulls`(text: String) throws {
        let table = try table(text)
        #expect(table.columns.map(\.name) == ["pairs_1_tick", "pairs_1_listed", "pairs_1_live"])
        #expect(
            rows(table, ["ETH", "BTC", "XRP", nil, "BTC"]) == [
                [.null, .null, .bool(false)], [.double(0.5), .time(1_704_067_200_000), .bool(true)], [.null, .null, .null],
                [.null, .null, .null], [.double(0.5), .time(1_704_067_200_000), .bool(true)],
            ])
    }

    @Test func `lines of JSON say the same`() throws {
        let table = try table("{\"pair\":\"BTC\",\"tick\":0.5,\"live\":true}\n\n{\"pair\":\"ETH\",\"live\":false}\n", .jsonLines)
        #expect(rows(table, ["ETH", "BTC"]) == [[.null, .null, .bool(false)], [.double(0.5), .null, .bool(true)]])
    }

    @Test(arguments: [
        ("", "no line of column names"), ("pair,tick,listed\n", "there is no column \"live\""),
        ("pair,tick,listed,live\nA,1,,true\nA,2,,true\n", "the key A is there twice"),
        ("pair,tick,listed,live\nA,x,,true\n", "line 2: "), ("pair,tick,listed,live\nA,1,true\n", "line 2: 3 cells under 4 column names"),
        ("pair,tick,listed,live\n,1,,true\n", "line 2: "), ("pair,tick,listed,live\n\"A\"x,1,,true\n", "line 2: a quoted cell is followed"),
        ("pair,tick,listed,live\nB,1,,true\n\"A,1,,true\n", "line 3: a quoted cell has no end"),
    ])
    func `a file that is no such table is refused with its line`(text: String, message: String) {
        let error = #expect(throws: LookupTable.Error.self) { try table(text) }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test func `content is part of the definition`() throws {
        let first = try table("pair,tick,listed,live\nA,1,,true\n"), second = try table("pair,tick,listed,live\nA,2,,true\n")
        #expect(first.hash != second.hash)
        #expect(try first.hash == table("pair,tick,listed,live\nA,1,,true\n").hash)
    }
}
