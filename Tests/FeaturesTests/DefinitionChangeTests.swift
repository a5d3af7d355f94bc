import Domain
import Expressions
import Table
import Testing

@testable import Features

@Suite struct DefinitionChangeTests {
    private static let candles = [("close", "last(price)"), ("trades", "count()")]
    private static let means = [("mean", "sma(close, 3)")]

    private func trades(_ range: Range<Int>) -> [TestRecord] {
        range.map { .trade("P\($0 % 3)", Double($0 % 17) + 1, at: Int64($0) * 9_000, id: "\($0)") }
    }

    /// The entries of an engine that has taken some trades.
    private func saved(_ fixture: TradeFixture) throws -> (entries: [EngineState.Entry], engine: FeatureEngine) {
        var engine = try fixture.engine()
        _ = try feed(trades(0..<200), to: &engine)
        return (engine.takeChanges(), engine)
    }

    private func refused(_ old: TradeFixture, _ new: TradeFixture) throws -> [String] {
        let entries = try saved(old).entries
        var engine = try new.engine()
        do throws(EngineState.Error) {
            try engine.restore(entries)
            return []
        } catch {
            guard case .definitionsChanged(let columns) = error else { return ["\(error)"] }
            return columns
        }
    }

    private func fixture(
        _ candles: [(String, String)] = candles, _ means: [(String, String)] = means, filter: String? = nil
    ) throws -> TradeFixture {
        try TradeFixture(candleColumns: candles, indicatorColumns: means, filter: filter)
    }

    @Test func `a column that remembers nothing may come, and the others go on as they were`() throws {
        let old = try fixture(), new = try fixture(Self.candles + [("twice", "last(price) * 2")], Self.means + [("half", "close / 2")])
        var (entries, engine) = try saved(old)
        var widened = try new.engine()
        try widened.restore(entries)
        let before = try feed(trades(200..<400), to: &engine, from: 200)
        let after = try feed(trades(200..<400), to: &widened, from: 200)
        #expect(before.rows["indicators"]?.count ?? 0 > 10 && before.rows["indicators"]?.count == after.rows["indicators"]?.count)
        for (row, wide) in zip(before.rows["indicators"] ?? [], after.rows["indicators"] ?? []) {
            var narrow = wide
            narrow.replace(/"half":[^,]*,/, with: "")
            #expect(row == narrow)
        }
        // What is saved next says what it was made with.
        entries += widened.takeChanges()
        #expect(try refused(old, new) == [])
        var again = try new.engine()
        try again.restore(entries)
    }

    @Test func `columns may go when nothing else remembered with them`() throws {
        #expect(try refused(fixture(Self.candles, Self.means + [("half", "close / 2")]), fixture()) == [])
        #expect(try refused(fixture(Self.candles, Self.means + [("slow", "sma(close, 9)")]), fixture()) == ["indicators.slow"])
    }

    @Test func `a column that needs the past, or means something else now, is refused by name`() throws {
        #expect(try refused(fixture(), fixture(Self.candles, Self.means + [("slow", "ema(close, 5)")])) == ["indicators.slow"])
        #expect(try refused(fixture(), fixture(Self.candles, [("mean", "sma(close, 4)")])) == ["indicators.mean"])
        #expect(try refused(fixture(), fixture(Self.candles + [("high", "max(price)")])) == ["candles.high"])
        let half = Self.means + [("half", "close / 2")], third = Self.means + [("half", "close / 3")]
        #expect(try refused(fixture(Self.candles, half), fixture(Self.candles, third)) == ["indicators.half"])
        #expect(
            try refused(fixture(), fixture([("close", "first(price)"), ("trades", "count()")])) == ["candles.close", "indicators.mean"])
        #expect(try refused(fixture(), fixture(filter: "mean > 2")) == ["indicators.mean"])
    }

    @Test func `the refusal says what to do`() {
        let text = EngineState.Error.definitionsChanged(["a.x", "b.y"]).description
        #expect(text.contains("a.x, b.y") && text.contains("--rebuild"))
        #expect(EngineState.Error.format(found: "2").description.contains("--rebuild"))
    }

    // MARK: Reading rows

    private func read(_ rows: [(value: String, header: [UInt8]?)], _ view: CompiledView) -> (rows: ViewRowReader.Rows, refused: Int) {
        var reader = ViewRowReader(view), refused = 0
        for row in rows {
            Array(row.value.utf8).withUnsafeBytes { value in
                let isTaken: Bool
                if let header = row.header {
                    isTaken = header.withUnsafeBytes { reader.append(value, header: $0) }
                } else {
                    isTaken = reader.append(value, header: nil)
                }
                if !isTaken { refused += 1 }
            }
        }
        return (reader.finish(), refused)
    }

    @Test func `a column of another meaning reads as null, whatever its type was`() throws {
        let old = try fixture(Self.candles, [("kind", "lower(pair)"), ("mean", "sma(close, 3)")]).views.views[1]
        let new = try fixture(Self.candles, [("kind", "close * 2"), ("mean", "sma(close, 3)"), ("more", "close + 1")]).views.views[1]
        let meta = #""window_start_ms":0,"window_end_ms":60000,"is_final":true,"synthetic":false}"#
        let own = #"{"pair":"A","kind":4.0,"mean":1.5,"more":3.0,"# + meta, other = #"{"pair":"B","kind":"b","mean":2.5,"# + meta
        let (rows, refused) = read(
            [(own, new.mark.bytes), (other, old.mark.bytes), (other, old.mark.bytes), (own, nil), ("junk", new.mark.bytes)], new)
        #expect(refused == 1 && rows.count == 4)
        #expect(rows.foreign == [[], ["kind", "more"], ["kind", "more"], []])
        let names = new.schema.columns.map(\.name)
        func column(_ name: String) -> [Value] { (0..<4).map { rows.columns[names.firstIndex(of: name) ?? 0][$0] } }
        #expect(column("kind") == [.double(4), .null, .null, .double(4)])
        #expect(column("mean") == [.double(1.5), .double(2.5), .double(2.5), .double(1.5)])
        #expect(column("pair") == [.string("A"), .string("B"), .string("B"), .string("A")])
        #expect(rows.isForeign(1, ["mean", "more"]) && !rows.isForeign(1, ["mean"]) && !rows.isForeign(0, ["more"]))
    }

    @Test func `rows of other definitions alone, and none at all`() throws {
        let old = try fixture().views.views[1], new = try fixture(Self.candles, [("mean", "sma(close, 9)")]).views.views[1]
        let value = #"{"pair":"B","mean":2.5,"window_start_ms":0,"window_end_ms":60000,"is_final":true,"synthetic":false}"#
        let rows = read([(value, old.mark.bytes)], new).rows
        #expect(rows.foreign == [["mean"]] && rows.columns[1][0] == .null && rows.columns[0][0] == .string("B"))
        #expect(read([], new).rows.count == 0)
    }

    // MARK: Generations

    @Test func `a generation survives its record`() {
        let first = Generation(), second = first.begun(at: 40), third = second.done(at: 90), fourth = third.begun(at: 100)
        for generation in [first, second, third, fourth] { #expect(Generation(generation.json) == generation) }
        #expect(Generation(Array("junk".utf8)) == nil && Generation(Array("{}".utf8)) == nil)
    }

    @Test func `until a rebuild is done the old rows count, then the new ones`() {
        let under = Generation().begun(at: 40), done = under.done(at: 90)
        #expect([0, 39, 40, 89].map { under.counts($0) } == [true, true, false, false])
        #expect([0, 39, 40, 89, 90].map { done.counts($0) } == [false, false, true, true, true])
        // A rebuild that definitions have overtaken: what it wrote never counts.
        let again = under.begun(at: 60)
        #expect([39, 40, 60].map { again.counts($0) } == [true, false, false])
        #expect([40, 59, 60].map { again.done(at: 70).counts($0) } == [false, false, true])
    }

    @Test func `who has followed the rows goes on with the news, who is new takes the history`() {
        let done = Generation().begun(at: 40).done(at: 90)
        #expect([0, 1, 39, 40, 90, 95].map { done.position(after: $0) } == [40, 90, 90, 90, 90, 95])
        #expect([0, 7].map { Generation().position(after: $0) } == [0, 7])
    }
}
