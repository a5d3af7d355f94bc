import Domain
import Streaming
import Table
import Testing

@testable import Features

@Suite struct ReleaseTests {
    private func fixture(_ rule: ViewDefinition.Outliers.Rule = .range(min: nil, max: 10)) throws -> TradeFixture {
        try TradeFixture(
            candleColumns: [("close", "last(price)")],
            indicatorColumns: [("close", "close"), ("previous", "lag(close, 1)")], window: .init(.count(1, step: 1)),
            outliers: .init(column: "close", rule: rule, action: .quarantine), minPrice: "> -100")
    }

    /// What stands in a log: a price, or the release of the row with that price.
    private enum Entry {
        case price(Double)
        case release(String, key: String = "A", mark: [UInt8]? = nil)
    }

    private func row(_ price: Double, at time: Int64) -> String {
        #"{"pair":"A","close":\#(price),"window_start_ms":\#(time),"window_end_ms":\#(time),"is_final":true,"synthetic":false}"#
    }

    /// - Parameter batches: Where the engine is made anew from its state: after so many records each.
    private func run(_ entries: [Entry], batch: Int = .max, _ fixture: TradeFixture) throws -> (
        rows: [[String]], latest: [String], dead: [String]
    ) {
        var engine = try fixture.engine(), rows: [[String]] = [[], []], latest = ["", ""], dead: [String] = []
        var state: [[UInt8]: [UInt8]] = [:]
        func flush() throws {
            let output = engine.process()
            for (index, view) in engine.views.views.enumerated() {
                let encoder = RowEncoder(columns: view.schema.columns.map(\.name))
                for row in 0..<output.rows[index].count {
                    let text = String(decoding: encoder.encode(output.rows[index].table, row: row), as: UTF8.self)
                    rows[index].append(text)
                    if output.rows[index].mark(row).isDisjoint(with: [.removed, .outrun]) { latest[index] = text }
                }
            }
            dead += output.dead.map(\.reason)
            for entry in engine.takeChanges() { state[entry.key] = entry.value }
            engine = try fixture.engine()
            try engine.restore(state.map { ($0.key, $0.value) })
        }
        for (offset, entry) in entries.enumerated() {
            switch entry {
            case .price(let price):
                Array(TestRecord.trade("A", price, at: Int64(offset) * 10).value.utf8).withUnsafeBytes {
                    engine.addEvent($0, hasKey: true, offset: Int64(offset), ingestedAt: nil)
                }
            case .release(let row, let key, let mark):
                Array(row.utf8).withUnsafeBytes { value in
                    (mark ?? fixture.views.views[0].mark.bytes).withUnsafeBytes { header in
                        engine.addRelease(
                            value, of: "candles", key: EntityKey(bytes: key.utf8), header: header, offset: Int64(offset))
                    }
                }
            }
            if (offset + 1) % batch == 0 { try flush() }
        }
        try flush()
        return (rows, latest, dead)
    }

    private func closes(_ rows: [String]) -> [String] {
        rows.compactMap { row in row.firstMatch(of: /"close":([^,]*)/).map { String($0.1) } }
    }

    @Test(arguments: [1, 2, 3, 4, 100]) func `a released row takes its place where it was released, also downstream`(batch: Int) throws {
        let entries: [Entry] = [.price(1), .price(50), .price(2), .release(row(50, at: 10)), .price(3)]
        let (rows, latest, dead) = try run(entries, batch: batch, fixture())
        #expect(closes(rows[0]) == ["1.0", "2.0", "50.0", "3.0"] && dead.isEmpty)
        #expect(rows[1].compactMap { $0.firstMatch(of: /"previous":([^,]*)/).map { String($0.1) } } == ["null", "1.0", "2.0", "50.0"])
        #expect(closes(latest) == ["3.0", "3.0"])
    }

    @Test(arguments: [1, 2, 100]) func `it is its entity's newest only when nothing later has gone on`(batch: Int) throws {
        let older: [Entry] = [.price(1), .price(50), .price(2), .release(row(50, at: 10))]
        #expect(closes(try run(older, batch: batch, fixture()).latest) == ["2.0", "2.0"])
        let newer: [Entry] = [.price(1), .price(50), .release(row(50, at: 10))]
        #expect(closes(try run(newer, batch: batch, fixture()).latest) == ["50.0", "50.0"])
        let only: [Entry] = [.price(50), .release(row(50, at: 0))]
        #expect(closes(try run(only, batch: batch, fixture()).latest) == ["50.0", "50.0"])
    }

    @Test func `the memory that outliers are told by does not change`() throws {
        let rule = ViewDefinition.Outliers.Rule.mad(threshold: 3, period: 3)
        let prices: [Entry] = [.price(1), .price(2), .price(3), .price(60)]
        let after: [Entry] = [.price(2), .price(3), .price(60)]
        let with = try run(prices + [.release(row(60, at: 30))] + after, batch: 2, fixture(rule))
        let without = try run(prices + [.release("junk")] + after, batch: 2, fixture(rule))
        #expect(closes(with.rows[0]).filter { $0 != "60.0" } == closes(without.rows[0]).filter { $0 != "60.0" })
        #expect(closes(with.rows[0]).count == closes(without.rows[0]).count + 1)
    }

    @Test func `what cannot be released is refused with the reason`() throws {
        let open = row(50, at: 0).replacing("\"is_final\":true", with: "\"is_final\":false")
        let entries: [Entry] = [
            .price(1), .release("junk"), .release(row(5, at: 0), key: "nobody"), .release(open),
            .release(row(5, at: 0), mark: Array("00000000".utf8)),
        ]
        let found = try run(entries, fixture())
        #expect(closes(found.rows[0]) == ["1.0"])
        for (reason, text) in zip(found.dead, ["no row of", "unknown entity", "not final", "other definitions"]) {
            #expect(reason.contains(text))
        }
        #expect(found.dead.count == 4)
    }
}
