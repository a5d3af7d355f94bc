import Domain
import Foundation
import Streaming
import Table
import Testing

@testable import Features

@Suite struct OutlierTests {
    private func fixture(_ rule: ViewDefinition.Outliers.Rule, _ action: ViewDefinition.Outliers.Action) throws -> TradeFixture {
        try TradeFixture(
            candleColumns: [("close", "last(price)")], indicatorColumns: [("close", "close"), ("previous", "lag(close, 1)")],
            window: .init(.count(1, step: 1)), outliers: .init(column: "close", rule: rule, action: action),
            minPrice: "> -100")
    }

    private func trades(_ prices: [Double], pair: String = "A", from start: Int64 = 0) -> [TestRecord] {
        prices.enumerated().map { .trade(pair, $1, at: start + Int64($0)) }
    }

    /// What follows `"name":` in each row.
    private func values(_ name: String, _ rows: [String]?) -> [String] {
        (rows ?? []).map { row in
            row.components(after: "\"\(name)\":")
        }
    }

    @Test(
        arguments: [
            (.range(min: 2, max: 3), [1.9, 2, 3, 3.1], ["2.0", "3.0"]), (.range(min: nil, max: 3), [-9, 4], ["-9.0"]),
            // Median 2, median absolute deviation 1: three deviations reach from -2.447… to 6.447….
            (.mad(threshold: 3, period: 3), [1, 2, 3, 6.44, 2, 3, 6.45], ["1.0", "2.0", "3.0", "6.44", "2.0", "3.0", "6.45"]),
            (.mad(threshold: 3, period: 3), [1, 2, 3, 6.45], ["1.0", "2.0", "3.0"]),
            // Mean 2, deviation √(2/3): two of them reach from 0.367… to 3.632….
            (.zscore(threshold: 2, period: 3), [1, 2, 3, 3.63], ["1.0", "2.0", "3.0", "3.63"]),
            (.zscore(threshold: 2, period: 3), [1, 2, 3, 3.64], ["1.0", "2.0", "3.0"]),
            (.zscore(threshold: 2, period: 3), [5, 5, 5, 9], ["5.0", "5.0", "5.0", "9.0"]),
        ] as [(ViewDefinition.Outliers.Rule, [Double], [String])])
    func `a row is an outlier by the values before it`(rule: ViewDefinition.Outliers.Rule, prices: [Double], kept: [String]) throws {
        var engine = try fixture(rule, .quarantine).engine()
        #expect(values("close", try feed(trades(prices), to: &engine).rows["candles"]) == kept)
    }

    @Test func `a row held back is told with its reason, and views downstream never see it`() throws {
        var engine = try fixture(.range(min: nil, max: 10), .quarantine).engine()
        for (index, record) in trades([1, 50, 2]).enumerated() {
            Array(record.value.utf8).withUnsafeBytes { engine.addEvent($0, hasKey: true, offset: Int64(index), ingestedAt: nil) }
        }
        let output = engine.process()
        #expect(output.held.map(\.view) == [0])
        #expect(output.held.first?.rows.reasons == ["close is 50.0, above 10.0"])
        #expect(output.held.first?.rows.rows.table["close"]?[0] == .double(50))
        #expect(output.rows[1].table["close"].map { [$0[0], $0[1]] } == [.double(1), .double(2)])
        #expect(output.rows[1].table["previous"]?[1] == .double(1))
    }

    @Test func `null takes the value out, and flag says so beside it`() throws {
        var null = try fixture(.range(min: nil, max: 10), .null).engine()
        #expect(values("close", try feed(trades([1, 50, 2]), to: &null).rows["candles"]) == ["1.0", "null", "2.0"])
        var flag = try fixture(.range(min: nil, max: 10), .flag).engine()
        let rows = try feed(trades([1, 50]), to: &flag).rows["candles"]
        #expect(values("close_outlier", rows) == ["false", "true"])
        #expect(rows?.first?.hasPrefix(#"{"pair":"A","close":1.0,"close_outlier":false,"window_start_ms":"#) == true, "\(rows ?? [])")
        #expect(flag.views.views[0].schema.columns.map(\.name).prefix(3) == ["pair", "close", "close_outlier"])
    }

    @Test func `after a lasting change of level the new level is the normal one`() throws {
        var random = RandomSource(seed: 1)
        let prices = (0..<200).map { ($0 < 60 ? 10 : 100) + random.uniform() }
        var engine = try fixture(.mad(threshold: 8, period: 30), .quarantine).engine()
        let kept = try feed(trades(prices), to: &engine).rows["candles"] ?? []
        #expect(kept.count > 165 && kept.count < 190)
    }

    @Test func `what is an outlier depends on the entity's own values, not on batches or restarts`() throws {
        var random = RandomSource(seed: 9)
        let records: [TestRecord] = (0..<400).map { index in
            .trade(["A", "B"][random.index(below: 2)], random.index(below: 25) == 0 ? 90 : 1 + random.uniform(), at: Int64(index))
        }
        for action in ViewDefinition.Outliers.Action.allCases {
            let fixture = try fixture(.mad(threshold: 5, period: 20), action)
            var whole = try fixture.engine()
            let expected = try feed(records, to: &whole)
            var saved: [[UInt8]: [UInt8]] = [:], found: [String: [String]] = [:]
            for start in stride(from: 0, to: 400, by: 35) {
                var engine = try fixture.engine()
                try engine.restore(saved.map { (key: $0.key, value: $0.value) })
                let part = try feed(Array(records[start..<min(400, start + 35)]), to: &engine, batch: 9, from: Int64(start))
                for entry in engine.takeChanges() { saved[entry.key] = entry.value }
                for (view, rows) in part.rows { found[view, default: []] += rows }
            }
            #expect(found == expected.rows, "\(action)")
            #expect(action != .quarantine || (expected.rows["candles"]?.count ?? 0) < 395)
        }
    }

    @Test func `a rule changes the hashes of what it changes`() throws {
        let plain = try TradeFixture(
            candleColumns: [("close", "last(price)"), ("n", "count()")], indicatorColumns: [("c", "close"), ("m", "n")])
        func hashes(_ action: ViewDefinition.Outliers.Action) throws -> [String: [String: ContentHash]] {
            try TradeFixture(
                candleColumns: [("close", "last(price)"), ("n", "count()")], indicatorColumns: [("c", "close"), ("m", "n")],
                outliers: .init(column: "close", rule: .range(min: 0, max: 1), action: action)
            ).engine().hashes
        }
        let before = try plain.engine().hashes, null = try hashes(.null), flag = try hashes(.flag), held = try hashes(.quarantine)
        #expect(null["candles"]?["close"] != before["candles"]?["close"] && null["candles"]?["n"] == before["candles"]?["n"])
        #expect(null["indicators"]?["c"] != before["indicators"]?["c"] && null["indicators"]?["m"] == before["indicators"]?["m"])
        #expect(flag["candles"]?["close"] == before["candles"]?["close"] && flag["candles"]?["close_outlier"] != nil)
        #expect(held["indicators"]?["m"] != before["indicators"]?["m"])
    }
}

extension String {
    /// What follows a name up to the next comma or bracket.
    fileprivate func components(after name: String) -> String {
        guard let range = range(of: name) else { return "" }
        return String(self[range.upperBound...].prefix { $0 != "," && $0 != "}" })
    }
}
