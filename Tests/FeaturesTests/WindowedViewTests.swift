import Domain
import Expressions
import Streaming
import Table
import Testing

@testable import Features

/// Views of every kind of window, through the whole engine.
@Suite struct WindowedViewTests {
    private func fixture(_ window: ViewDefinition.Window, emit: ViewDefinition.Emit = .final, downstream: ViewDefinition.Emit = .final)
        throws
        -> TradeFixture
    {
        try TradeFixture(
            candleColumns: [("close", "last(price)"), ("trades", "count()")],
            indicatorColumns: [("close", "close"), ("previous", "lag(close, 1)"), ("n", "sum_over(trades, 1)")], window: window, emit: emit,
            downstreamEmit: downstream)
    }

    private func short(_ rows: [String]?) -> [String] {
        (rows ?? []).map {
            $0.replacing("\"pair\":\"A\",", with: "").replacing(",\"synthetic\":false}", with: "").replacing("\"", with: "")
        }
    }

    @Test func `an event is in every hopping window around it`() throws {
        var engine = try fixture(.init(.hopping(length: 60_000, step: 20_000))).engine()
        let written = try feed([.trade("A", 1, at: 100_000), .trade("A", 2, at: 119_999), .end("A", at: 0)], to: &engine)
        #expect(
            short(written.rows["candles"]) == [
                "{close:2.0,trades:2,window_start_ms:60000,window_end_ms:120000,is_final:true",
                "{close:2.0,trades:2,window_start_ms:80000,window_end_ms:140000,is_final:true",
                "{close:2.0,trades:2,window_start_ms:100000,window_end_ms:160000,is_final:true",
            ])
    }

    @Test func `an event that joins two sessions makes one of them and takes the other back`() throws {
        var engine = try fixture(.init(.session(gap: 10_000), grace: 60_000), emit: .current, downstream: .current).engine()
        for (index, time) in [1_000, 20_000, 11_000].enumerated() {
            Array(TestRecord.trade("A", 1, at: Int64(time)).value.utf8).withUnsafeBytes {
                engine.addEvent($0, hasKey: true, offset: Int64(index), ingestedAt: nil)
            }
        }
        let output = engine.process()
        for view in 0...1 {
            let rows = output.rows[view]
            #expect(rows.times("window_start_ms") == [1_000, 20_000, 20_000, 1_000])
            #expect(rows.times("window_end_ms") == [1_000, 20_000, 20_000, 20_000])
            #expect(rows.marks == [.partial, .partial, [.partial, .removed], .partial])
            #expect(rows.present.count == 3)
        }
        #expect(output.rows[0].table["trades"]?[3] == .int(3))
    }

    @Test func `views of present rows compute them on a copy, and others see final rows only`() throws {
        let trades: [TestRecord] = [.trade("A", 1, at: 0), .trade("A", 2, at: 1), .trade("A", 3, at: 60_000), .trade("A", 4, at: 60_001)]
        let window = ViewDefinition.Window(.tumbling(length: 60_000))
        var current = try fixture(window, emit: .current, downstream: .current).engine()
        #expect(
            short(try feed(trades, to: &current).rows["indicators"]) == [
                "{close:1.0,previous:null,n:1,window_start_ms:0,window_end_ms:60000,is_final:false",
                "{close:2.0,previous:null,n:2,window_start_ms:0,window_end_ms:60000,is_final:false",
                "{close:2.0,previous:null,n:2,window_start_ms:0,window_end_ms:60000,is_final:true",
                "{close:3.0,previous:2.0,n:1,window_start_ms:60000,window_end_ms:120000,is_final:false",
                "{close:4.0,previous:2.0,n:2,window_start_ms:60000,window_end_ms:120000,is_final:false",
            ])
        var mixed = try fixture(window, emit: .current).engine()
        let written = try feed(trades, to: &mixed)
        #expect(written.rows["candles"]?.count == 5)
        #expect(short(written.rows["indicators"]) == ["{close:2.0,previous:null,n:2,window_start_ms:0,window_end_ms:60000,is_final:true"])
    }

    @Test func `final rows are the same bytes whether present ones are asked for or not, cut or killed`() throws {
        var random = RandomSource(seed: 3)
        var clock: Int64 = 0
        let records: [TestRecord] = (0..<600).map { _ in
            clock += Int64(random.index(below: 8_000))
            return .trade(["A", "B"][random.index(below: 2)], random.uniform() + 1, at: max(0, clock - Int64(random.index(below: 30_000))))
        }
        for window in [
            ViewDefinition.Window(.hopping(length: 60_000, step: 20_000), grace: 10_000), .init(.sliding(length: 40_000), grace: 5_000),
            .init(.session(gap: 9_000), grace: 20_000), .init(.count(7, step: 3)),
        ] {
            var final = try fixture(window).engine()
            let expected = try feed(records, to: &final, batch: 100)
            var saved: [[UInt8]: [UInt8]] = [:], found: [String: [String]] = [:]
            for start in stride(from: 0, to: records.count, by: 60) {
                var engine = try fixture(window, emit: .current, downstream: .current).engine()
                try engine.restore(saved.map { (key: $0.key, value: $0.value) })
                let part = try feed(Array(records[start..<start + 60]), to: &engine, batch: 25, from: Int64(start))
                for entry in engine.takeChanges() { saved[entry.key] = entry.value }
                for (view, rows) in part.rows { found[view, default: []] += rows.filter { $0.contains(#""is_final":true"#) } }
            }
            for view in ["candles", "indicators"] {
                #expect((expected.rows[view]?.count ?? 0) > 20)
                for pair in ["A", "B"] {
                    #expect((found[view] ?? []).filter { $0.contains("\"\(pair)\"") } == expected.rows(view, of: pair), "\(window)")
                }
            }
        }
    }

    @Test func `time that keys share survives a restart, and so does the order of keys`() throws {
        let window = ViewDefinition.Window(.tumbling(length: 60_000), grace: 0, closing: .partition)
        let records = (0..<40).map { TestRecord.trade("K\($0 % 20)", Double($0 + 1), at: Int64($0)) } + [.trade("Z", 1, at: 60_000)]
        var whole = try fixture(window).engine()
        let expected = try feed(records, to: &whole)
        #expect(expected.rows["candles"]?.count == 20)
        var first = try fixture(window).engine(), second = try fixture(window).engine()
        _ = try feed(Array(records.dropLast(1)), to: &first)
        try second.restore(first.takeChanges())
        #expect(try feed(Array(records.suffix(1)), to: &second, from: 40).rows["candles"] == expected.rows["candles"])
        // Keys of which nothing came since were closed, and that is saved too.
        var third = try fixture(window).engine(), saved: [[UInt8]: [UInt8]] = [:], again = try fixture(window).engine()
        for (index, record) in records.enumerated() {
            _ = try feed([record], to: &again, from: Int64(index))
            for entry in again.takeChanges() { saved[entry.key] = entry.value }
        }
        try third.restore(saved.map { (key: $0.key, value: $0.value) })
        let late = try feed([.trade("K3", 9, at: 5)], to: &third, from: 41)
        #expect(late.late == [41] && late.rows["candles"] == nil)
    }
}
