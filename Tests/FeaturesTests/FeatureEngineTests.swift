import Domain
import Expressions
import Testing

@testable import Features

@Suite struct FeatureEngineTests {
    @Test func `a candle is one JSON row with the key first and its window last`() throws {
        var engine = try TradeFixture().engine()
        let written = try feed(
            [
                .trade("XRP/ETH", 2, at: 60_000, quantity: 3), .trade("XRP/ETH", 4, at: 61_000), .trade("XRP/ETH", 1, at: 62_000),
                .end("XRP/ETH", at: 62_000),
            ], to: &engine)
        #expect(
            written.rows["candles"] == [
                #"{"pair":"XRP/ETH","open":2.0,"high":4.0,"low":1.0,"close":1.0,"volume":5.0,"trades":3,"#
                    + #""window_start_ms":60000,"window_end_ms":120000,"is_final":true,"synthetic":false}"#
            ])
        #expect(
            written.rows["indicators"] == [
                #"{"pair":"XRP/ETH","current_price":1.0,"sma_7":null,"ema_7":null,"volume_last_10_minutes":null,"return_1":null,"#
                    + #""window_start_ms":60000,"window_end_ms":120000,"is_final":true,"synthetic":false}"#
            ])
    }

    @Test(arguments: [
        ("not json at all", "expected a JSON object"),
        (#"{"pair":"A","price":-1,"quantity":1,"timestamp_ms":0}"#, "field \"price\" must be > 0, got -1.0"),
        (#"{"pair":"A","price":1,"quantity":-0.5,"timestamp_ms":0}"#, "field \"quantity\" must be >= 0, got -0.5"),
        (#"{"pair":"A","price":1e999,"quantity":1,"timestamp_ms":0}"#, "field \"price\" is not a finite number"),
        (#"{"pair":"","price":1,"quantity":1,"timestamp_ms":0}"#, "the key pair is null or empty"),
        (#"{"pair":"A","price":1,"quantity":1,"timestamp_ms":9223372036854775807}"#, "not a time in milliseconds"),
        (#"{"pair":"A","price":1,"quantity":1}"#, "required field \"timestamp_ms\" is missing"),
        (#"{"pair":"A","price":1,"quantity":1,"timestamp_ms":1400001}"#, "more than 5 minutes ahead of its arrival"),
    ])
    func `a bad record is dead with its reason and the others go on`(value: String, reason: String) throws {
        var engine = try TradeFixture().engine()
        let written = try feed(
            [
                .trade("A", 1, at: 1_000), TestRecord(key: "A", value: value, ingestedAt: 1_100_000), .trade("A", 3, at: 2_000),
                .end("A", at: 2_000),
            ], to: &engine)
        #expect(written.dead.count == 1 && written.dead[0].offset == 1)
        #expect(written.dead.first?.reason.contains(reason) == true, "\(written.dead)")
        #expect(written.rows["candles"]?.count == 1)
        #expect(written.rows["candles"]?.first?.contains(#""close":3.0,"volume":2.0,"trades":2"#) == true)
    }

    @Test(arguments: [(300_000, 0), (300_001, 1)] as [(Int64, Int)])
    func `an event may be five minutes ahead of its arrival and no more`(time: Int64, dead: Int) throws {
        var engine = try TradeFixture().engine()
        var record = TestRecord.trade("A", 1, at: time)
        record.ingestedAt = 0
        #expect(try feed([record], to: &engine).dead.count == dead)
    }

    @Test func `a record without a key says so, unless it is not even JSON`() throws {
        var engine = try TradeFixture().engine()
        let written = try feed(
            [TestRecord(key: nil, value: #"{"pair":"A","price":1,"quantity":1,"timestamp_ms":0}"#), TestRecord(key: nil, value: "oops")],
            to: &engine)
        #expect(written.dead.map(\.reason).first == "the record has no key")
        #expect(written.dead.last?.reason.hasPrefix("not JSON") == true)
    }

    @Test func `an event whose id was seen is counted once, while it is remembered`() throws {
        var engine = try TradeFixture(dedupe: 2).engine()
        let written = try feed(
            [
                .trade("A", 1, at: 0, id: "x"), .trade("A", 1, at: 1, id: "x"), .trade("B", 1, at: 1, id: "x"),
                .trade("A", 1, at: 2, id: "y"), .trade("A", 1, at: 3, id: "z"), .trade("A", 1, at: 4, id: "x"),
                .trade("A", 1, at: 5, id: "z"), .end("A", at: 5),
            ], to: &engine)
        #expect(written.duplicates == 2)
        #expect(written.rows["candles"]?.first?.contains(#""trades":4"#) == true)
    }

    @Test func `ids longer than fifteen bytes are told apart`() {
        let ids = (0..<1_000).map { "0123456789abcdef-\($0)" } + (0..<1_000).map { "\($0)" } + ["", "a", "a\u{0}"]
        #expect(Set(ids.map(Deduplication.Fingerprint.init)).count == ids.count)
    }

    @Test func `a late event leaves the rows alone and names its place`() throws {
        var engine = try TradeFixture().engine()
        let written = try feed(
            [.trade("A", 1, at: 0), .trade("A", 2, at: 65_000), .trade("A", 9, at: 59_999), .end("A", at: 65_000)], to: &engine)
        #expect(written.late == [2])
        #expect(written.rows["candles"]?.count == 2)
        #expect(written.rows["candles"]?.first?.contains(#""high":1.0"#) == true)
    }

    @Test func `a filter drops rows but operators have seen them`() throws {
        var filtered = try TradeFixture(indicatorColumns: [("previous", "lag(close, 1)"), ("close", "close")], filter: "close > 1.5")
            .engine()
        let written = try feed(
            [.trade("A", 1, at: 0), .trade("A", 2, at: 60_000), .end("A", at: 60_000)], to: &filtered)
        #expect(written.rows["indicators"]?.count == 1)
        #expect(written.rows["indicators"]?.first?.contains(#""previous":1.0,"close":2.0"#) == true)
    }

    @Test(arguments: [1, 2, 100])
    func `a tick before an entity's first event says nothing about it, however batches are cut`(batch: Int) throws {
        var engine = try TradeFixture().engine()
        let tick = TestRecord(key: "A", value: "", tick: .idle, time: 600_000)
        let written = try feed([tick, .trade("A", 1, at: 0), .trade("A", 2, at: 1), .end("A", at: 1)], to: &engine, batch: batch)
        #expect(written.late.isEmpty)
        #expect(written.rows["candles"]?.first?.contains(#""trades":2"#) == true)
    }

    @Test func `the end of the input does not move a key's time`() throws {
        var engine = try TradeFixture().engine()
        let written = try feed([.trade("A", 1, at: 0), .end("A", at: 90_000_000)], to: &engine)
        #expect(written.rows["candles"]?.count == 1)
    }

    @Test func `the filter of a windowed view cannot look at other rows`() throws {
        let stream = try TradeFixture().stream
        let view = ViewDefinition(
            name: "v", topic: "v", from: .stream("trades"), window: .init(length: 60_000, grace: 0, gaps: .none, maxGap: 0),
            columns: [.init(name: "close", expression: try TradeFixture.expression("last(price)"))],
            filter: try TradeFixture.expression("lag(close, 1) > 0"))
        #expect(throws: CompiledView.Error.self) { try CompiledView(view, input: ViewSchema(stream: stream)) }
    }

    @Test func `a column must not take the name of the window's own columns`() throws {
        #expect(throws: CompiledViews.Error.self) { try TradeFixture(candleColumns: [("window_end_ms", "last(price)")]) }
    }

    @Test func `a changed definition changes the hashes of what depends on it and of nothing else`() throws {
        let base = try TradeFixture().engine().hashes
        let changed = try TradeFixture(candleColumns: [
            ("open", "first(price)"), ("high", "max(price)"), ("low", "min(price)"), ("close", "mean(price)"),
            ("volume", "sum( quantity )"),
            ("trades", "count()"),
        ]).engine().hashes
        #expect(base["candles"]?["close"] != changed["candles"]?["close"])
        #expect(base["candles"]?["volume"] == changed["candles"]?["volume"])
        #expect(base["indicators"]?["sma_7"] != changed["indicators"]?["sma_7"])
        #expect(base["indicators"]?["volume_last_10_minutes"] == changed["indicators"]?["volume_last_10_minutes"])
    }
}
