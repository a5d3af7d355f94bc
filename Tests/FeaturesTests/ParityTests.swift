import Domain
import Testing

@testable import Features

/// Live, replayed and after a crash: equal to the last byte.
@Suite struct ParityTests {
    private func records(_ seed: UInt64) -> [TestRecord] {
        var random = RandomSource(seed: seed)
        var clocks: [Int64] = [0, 0, 0]
        var records: [TestRecord] = (0..<4_000).map { index in
            let key = random.index(below: 3)
            clocks[key] += Int64(random.index(below: 12_000))
            if random.index(below: 40) == 0 { clocks[key] += 400_000 }
            let pair = ["A/B", "C/D", "é"][key]
            if random.index(below: 60) == 0 { return TestRecord(key: pair, value: "garbage \(index)") }
            let id = random.index(below: 30) == 0 ? "repeat" : "\(index)"
            return .trade(
                pair, 1 + random.uniform(), at: max(0, clocks[key] - Int64(random.index(below: 20_000))), quantity: random.uniform(), id: id
            )
        }
        for (pair, clock) in zip(["A/B", "C/D", "é"], clocks) { records.append(.end(pair, at: clock)) }
        return records
    }

    @Test(arguments: [1, 3, 50, 999])
    func `batch sizes change nothing`(size: Int) throws {
        let records = records(21)
        var whole = try TradeFixture().engine(), cut = try TradeFixture().engine()
        let expected = try feed(records, to: &whole), found = try feed(records, to: &cut, batch: size)
        #expect((expected.rows["indicators"]?.count ?? 0) > 500 && !expected.late.isEmpty && expected.duplicates > 10)
        for pair in ["A/B", "C/D", "é"] {
            for view in ["candles", "indicators"] { #expect(found.rows(view, of: pair) == expected.rows(view, of: pair)) }
        }
        #expect(found.dead == expected.dead && found.late == expected.late && found.duplicates == expected.duplicates)
    }

    @Test func `killed and resumed at random places, the rows are the same bytes`() throws {
        let records = records(22)
        var whole = try TradeFixture().engine()
        let expected = try feed(records, to: &whole)

        var random = RandomSource(seed: 1)
        var saved: [[UInt8]: [UInt8]] = [:], found = Written(), at = 0
        while at < records.count {
            var engine = try TradeFixture().engine()
            try engine.restore(saved.map { (key: $0.key, value: $0.value) })
            // Some units are committed, then one is computed and lost with the process.
            for _ in 0..<1 + random.index(below: 3) where at < records.count {
                let next = min(records.count, at + 1 + random.index(below: 400))
                let part = try feed(Array(records[at..<next]), to: &engine, from: Int64(at))
                for (view, rows) in part.rows { found.rows[view, default: []] += rows }
                found.dead += part.dead
                found.late += part.late
                found.duplicates += part.duplicates
                for entry in engine.takeChanges() { saved[entry.key] = entry.value }
                at = next
            }
            let lost = min(records.count, at + random.index(below: 400))
            _ = try feed(Array(records[at..<lost]), to: &engine, from: Int64(at))
        }
        for pair in ["A/B", "C/D", "é"] {
            for view in ["candles", "indicators"] { #expect(found.rows(view, of: pair) == expected.rows(view, of: pair)) }
        }
        #expect(found.dead == expected.dead && found.late == expected.late && found.duplicates == expected.duplicates)
    }

    @Test func `state made with other definitions is refused by name`() throws {
        var engine = try TradeFixture().engine()
        _ = try feed([.trade("A", 1, at: 0)], to: &engine)
        let entries = engine.takeChanges()
        var other = try TradeFixture(indicatorColumns: [("sma_7", "sma(close, 8)"), ("extra", "close")]).engine()
        #expect {
            try other.restore(entries)
        } throws: { error in
            guard case EngineState.Error.definitionsChanged(let columns)? = error as? EngineState.Error else { return false }
            return columns.contains("indicators.sma_7") && columns.contains("indicators.extra") && !columns.contains("candles.close")
        }
    }

    @Test func `damaged state is refused and never trusted`() throws {
        var engine = try TradeFixture().engine()
        _ = try feed([.trade("A", 1, at: 0)], to: &engine)
        let entries = engine.takeChanges()
        for index in entries.indices {
            var damaged = entries
            damaged[index].value = Array(damaged[index].value.dropLast(3))
            var other = try TradeFixture().engine()
            let before = damaged[index].value.count
            if before < entries[index].value.count { #expect(throws: EngineState.Error.self) { try other.restore(damaged) } }
        }
    }
}
