import Domain
import Expressions
import Table
import Testing

@testable import Features

/// Trades beside the newest candle of their pair, and beside a table.
@Suite struct JoinTests {
    private func fixture(within: Int64 = 600_000, tick: String = "0.5", window: ViewDefinition.Window? = nil) throws -> (
        StreamDefinition, CompiledViews
    ) {
        let stream = try TradeFixture().stream
        let pairs = try LookupTable(
            name: "pairs", key: ["pair"], fields: [.init("pair", .string), .init("tick", .double)], text: "pair,tick\nA,\(tick)\n",
            format: .csv)
        func view(_ name: String, _ columns: [(String, String)], window: ViewDefinition.Window? = nil, joins: Bool = false) throws
            -> ViewDefinition
        {
            ViewDefinition(
                name: name, topic: name, from: .stream("trades"), window: window,
                columns: try columns.map { .init(name: $0, expression: try TradeFixture.expression($1)) }, filter: nil,
                lookups: joins ? [.init(table: pairs, on: ["pair"])] : [], joins: joins ? [.init(view: "candles", within: within)] : [])
        }
        let candles = try view("candles", [("close", "last(price)")], window: window ?? .init(.tumbling(length: 60_000)))
        let joined = try view(
            "joined", [("price", "price"), ("close", "candles_close"), ("ticks", "price / pairs_tick"), ("move", "price - candles_close")],
            joins: true)
        let sums = try view("sums", [("most", "max(price - candles_close)")], window: .init(.count(2, step: 2)), joins: true)
        return (
            stream,
            try CompiledViews(of: stream, definitions: [candles, joined, sums])
        )
    }

    private func engine(within: Int64 = 600_000) throws -> FeatureEngine {
        let (stream, views) = try fixture(within: within)
        return try FeatureEngine(stream: stream, views: views)
    }

    private func short(_ rows: [String]?) -> [String] {
        (rows ?? []).map { row in row.replacing("\"", with: "").replacing("pair:A,", with: "") }
            .map { row in row.split(separator: ",event_time_ms").first.map(String.init) ?? "" }
    }

    private let trades: [TestRecord] = [
        .trade("A", 1, at: 1_000), .trade("A", 2, at: 59_999),  // No candle has closed.
        .trade("A", 4, at: 60_000),  // Closes the first one, which ends at this very moment.
        .trade("A", 5, at: 59_000),  // Late for the candle, and before it was known.
        .trade("A", 7, at: 130_000),  // Closes the second one.
        .trade("A", 9, at: 100_000),  // Knows the first one only.
    ]

    @Test(arguments: [1, 2, 100])
    func `a trade has the newest candle that was known at its time, however batches are cut`(batch: Int) throws {
        var engine = try engine()
        let written = try feed(trades, to: &engine, batch: batch)
        #expect(
            short(written.rows["joined"]) == [
                "{price:1.0,close:null,ticks:2.0,move:null", "{price:2.0,close:null,ticks:4.0,move:null",
                "{price:4.0,close:2.0,ticks:8.0,move:2.0", "{price:5.0,close:null,ticks:10.0,move:null",
                "{price:7.0,close:4.0,ticks:14.0,move:3.0", "{price:9.0,close:2.0,ticks:18.0,move:7.0",
            ])
        #expect(written.rows["sums"]?.map { $0.contains("\"most\":null") } == [true, false, false])
        #expect(written.rows["sums"]?.last?.contains("\"most\":7.0") == true)
    }

    @Test(arguments: [1, 2, 100])
    func `a candle counts from the event that closed it on, not from its end, however batches are cut`(batch: Int) throws {
        let (stream, views) = try fixture(window: .init(.tumbling(length: 60_000), grace: 5_000))
        var engine = try FeatureEngine(stream: stream, views: views)
        let trades: [TestRecord] = [
            .trade("A", 1, at: 1_000), .trade("A", 2, at: 61_000), .trade("A", 3, at: 65_000), .trade("A", 4, at: 62_000),
        ]
        let rows = try feed(trades, to: &engine, batch: batch).rows["joined"] ?? []
        #expect(rows.map { $0.contains("\"close\":null") } == [true, true, false, false])
    }

    @Test(arguments: [(40_000, "2.0"), (39_999, "null")] as [(Int64, String)])
    func `a candle that is too old counts as missing`(within: Int64, close: String) throws {
        var engine = try engine(within: within)
        #expect(short(try feed(trades, to: &engine).rows["joined"]).last?.contains("close:\(close)") == true)
    }

    @Test func `killed and resumed anywhere, joined rows are the same bytes`() throws {
        var random = RandomSource(seed: 12)
        var clock: Int64 = 0
        let records: [TestRecord] = (0..<800).map { _ in
            clock += Int64(random.index(below: 9_000))
            return .trade(["A", "B"][random.index(below: 2)], 1 + random.uniform(), at: max(0, clock - Int64(random.index(below: 90_000))))
        }
        let (stream, views) = try fixture(window: .init(.tumbling(length: 60_000), grace: 20_000))
        var whole = try FeatureEngine(stream: stream, views: views)
        let expected = try feed(records, to: &whole, batch: 170)
        #expect((expected.rows["joined"] ?? []).count { !$0.contains("\"close\":null") } > 500)
        var saved: [[UInt8]: [UInt8]] = [:], found: [String: [String]] = [:], at = 0
        while at < records.count {
            var engine = try FeatureEngine(stream: stream, views: views)
            try engine.restore(saved.map { (key: $0.key, value: $0.value) })
            let next = min(records.count, at + 1 + random.index(below: 90))
            let part = try feed(Array(records[at..<next]), to: &engine, batch: 1 + random.index(below: 30), from: Int64(at))
            for entry in engine.takeChanges() { saved[entry.key] = entry.value }
            for (view, rows) in part.rows { found[view, default: []] += rows }
            at = next
        }
        #expect(found == expected.rows)
    }

    @Test func `what is joined or looked up changes the hashes of what uses it`() throws {
        func hashes(_ fixture: (StreamDefinition, CompiledViews)) throws -> [String: ContentHash] {
            try FeatureEngine(stream: fixture.0, views: fixture.1).hashes["joined"] ?? [:]
        }
        let base = try hashes(fixture()), tick = try hashes(fixture(tick: "0.25")), within = try hashes(fixture(within: 1))
        let window = try hashes(fixture(window: .init(.tumbling(length: 30_000))))
        #expect(base["price"] == tick["price"] && base["close"] == tick["close"] && base["ticks"] != tick["ticks"])
        #expect(base["price"] == within["price"] && base["ticks"] == within["ticks"] && base["close"] != within["close"])
        #expect(base["price"] == window["price"] && base["move"] != window["move"])
    }

    @Test func `a view cannot join one that is not there before it`() throws {
        let stream = try TradeFixture().stream
        let view = ViewDefinition(
            name: "v", topic: "v", from: .stream("trades"), window: nil,
            columns: [.init(name: "p", expression: try TradeFixture.expression("price"))], filter: nil,
            joins: [.init(view: "rates", within: 1)])
        #expect(throws: CompiledViews.Error(view: "v", cause: .unknownJoin("rates"))) {
            try CompiledViews(of: stream, definitions: [view])
        }
    }
}
