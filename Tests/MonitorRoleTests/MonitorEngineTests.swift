import Domain
import Project
import Table
import Testing

@testable import MonitorRole

@Suite struct MonitorEngineTests {
    static let minute: Int64 = 60_000
    static let hour: Int64 = 3_600_000

    static func settings(minRows: Int = 2, baseline: String? = "price", labelColumn: String = "close") -> MonitorEngine.Settings {
        MonitorEngine.Settings(
            model: "m", windows: .init(length: hour, minRows: minRows), labelColumn: labelColumn, labelWait: hour,
            drift: .init(method: .auto, share: 0.5), baseline: baseline)
    }

    static func prediction(
        _ entity: String? = "a", at time: Int64, output: Double? = 10, version: String = "1", model: String = "m",
        features: [(name: String, value: Value)] = [("price", .double(9))]
    ) throws -> MonitoredPrediction {
        MonitoredPrediction(
            entity: try entity.map { try EntityKey([.string($0)]) }, requestedAt: time + 5, featureTime: time,
            predictedFor: time + 10 * minute,
            model: model, version: version, features: features, output: output)
    }

    private func a() throws -> EntityKey { try EntityKey([.string("a")]) }

    @Test func `errors are those of the joined pairs, beside the baseline's`() throws {
        var engine = MonitorEngine(Self.settings())
        for (step, truth) in [12.0, 7, 10].enumerated() {
            let time = Int64(step) * Self.minute
            engine.take(try Self.prediction(at: time))
            engine.take(label: truth, entity: try a(), at: time + 10 * Self.minute)
        }
        let sums = try #require(engine.totals["1"])
        #expect(sums.mae == (2 + 3 + 0) / 3.0)
        #expect(sums.rmse == ((4 + 9 + 0) / 3.0).squareRoot())
        #expect(sums.meanError == (-2 + 3 + 0) / 3.0)
        #expect(sums.baselineMAE == (3 + 2 + 1) / 3.0)
        #expect(sums.coverage == 1)
        #expect(sums.meanDelay == 0)
    }

    @Test(arguments: [(-1, -3_600_000), (0, 0), (3_599_999, 0), (3_600_000, 3_600_000)] as [(Int64, Int64)])
    func `a prediction belongs to the window of its features' time`(time: Int64, start: Int64) throws {
        var engine = MonitorEngine(Self.settings())
        engine.take(try Self.prediction(at: time))
        #expect(engine.windows.keys.map(\.start) == [start])
    }

    @Test func `a window closes when time leaves it, and late labels still improve it`() throws {
        var engine = MonitorEngine(Self.settings())
        engine.take(try Self.prediction(at: Self.hour - Self.minute))
        engine.advance(to: Self.hour - 1)
        #expect(engine.windows.values.map(\.isClosed) == [false])
        engine.advance(to: Self.hour)
        #expect(engine.windows.values.map(\.isClosed) == [true])
        engine.take(label: 11, entity: try a(), at: Self.hour + 9 * Self.minute)
        #expect(engine.windows.values.map(\.errors.mae) == [1])
    }

    @Test func `predictions that run ahead of their labels meet them all the same`() throws {
        var engine = MonitorEngine(Self.settings())
        // A gap of two days that was filled when its end was known: first all of its predictions, then all of its labels.
        engine.advance(to: 50 * Self.hour)
        let times = (24..<48).map { Int64($0) * Self.hour }
        for time in times { engine.take(try Self.prediction(at: time)) }
        for time in times { engine.take(label: 11, entity: try a(), at: time + 10 * Self.minute) }
        #expect(engine.totals["1"]?.labelled == 24)
        #expect(engine.totals["1"]?.coverage == 1)
        #expect(engine.join.lateLabels == 0)
    }

    @Test func `a missing label lowers the coverage and leaves the errors alone`() throws {
        var engine = MonitorEngine(Self.settings())
        engine.take(try Self.prediction(at: 0))
        engine.take(try Self.prediction(at: Self.minute))
        engine.take(label: 11, entity: try a(), at: 10 * Self.minute)
        engine.take(label: nil, entity: try a(), at: 11 * Self.minute)
        let sums = try #require(engine.totals["1"])
        #expect(sums.coverage == 0.5)
        #expect(sums.mae == 1)
        #expect(sums.missing == 1)
    }

    @Test func `repeated, foreign and anonymous predictions are counted and not joined`() throws {
        var engine = MonitorEngine(Self.settings())
        engine.take(try Self.prediction(at: 0))
        engine.take(try Self.prediction(at: 0))
        engine.take(try Self.prediction(at: 0, model: "other"))
        engine.take(try Self.prediction(nil, at: 0))
        engine.take(try Self.prediction(at: Self.minute, output: nil))
        #expect(engine.counts.predictions == 4)
        #expect(engine.counts.repeated == 1)
        #expect(engine.counts.otherModels == 1)
        #expect(engine.counts.withoutEntity == 1)
        #expect(engine.counts.withoutOutput == 1)
        #expect(engine.totals["1"]?.predictions == 1)
        // Drift sees each row once, and the one that came without an entity.
        #expect(engine.recent["1"]?.count == 2)
    }

    @Test func `a baseline that is no input of the model is the label of the features' time`() throws {
        var engine = MonitorEngine(Self.settings(baseline: "close"))
        engine.take(label: 8, entity: try a(), at: 0)
        engine.take(try Self.prediction(at: 0, features: [("sma", .double(1))]))
        engine.take(label: 11, entity: try a(), at: 10 * Self.minute)
        #expect(engine.totals["1"]?.baselineMAE == 3)
        #expect(engine.totals["1"]?.mae == 1)
    }

    @Test func `a closed window has a verdict on drift only with enough rows and a reference`() throws {
        for (rows, hasReference, expected) in [(120, true, true), (99, true, false), (120, false, false)] {
            var engine = MonitorEngine(Self.settings(minRows: 100))
            if hasReference {
                engine.references["1"] = DriftReference(try .init([.init("price", doubles: (0..<500).map { Double($0 % 97) })]))
            }
            for row in 0..<rows {
                engine.take(try Self.prediction("e\(row)", at: Int64(row), features: [("price", .double(Double(row % 97) + 500))]))
            }
            engine.advance(to: Self.hour)
            engine.judgeWindows()
            let window = try #require(engine.windows.values.first)
            #expect((window.drift?.isDrifted ?? false) == expected)
            #expect((window.drift?.rows ?? rows) == rows)
        }
    }

    /// 3,600 rows of the first hour that look like the reference as a whole, but not those that come first.
    private func disordered(_ settings: MonitorEngine.Settings) throws -> (engine: MonitorEngine, rest: [MonitoredPrediction]) {
        var engine = MonitorEngine(settings)
        engine.references["1"] = DriftReference(try .init([.init("price", doubles: (0..<500).map { Double($0 % 100) })]))
        let rows = try (0..<3_600).map { row in
            try Self.prediction("e\(row)", at: Int64(row), features: [("price", .double(Double(row / 36)))])
        }
        for row in rows.prefix(200) { engine.take(row) }
        return (engine, Array(rows.dropFirst(200)))
    }

    @Test(arguments: [500, 900, 5_000])
    func `the verdict of a window is of all its rows, also of those that come when it has closed`(batches: Int) throws {
        var (engine, rest) = try disordered(Self.settings(minRows: 100))
        // Another partition was read first.
        engine.take(label: 1, entity: try a(), at: 20 * Self.hour)
        engine.judgeWindows()
        #expect(engine.windows.values.compactMap(\.drift) == [.init(share: 1, isDrifted: true, rows: 200)])
        for (index, row) in rest.enumerated() {
            engine.take(row)
            if index % batches == 0 { engine.judgeWindows() }
        }
        engine.judgeWindows()
        #expect(engine.windows.values.compactMap(\.drift) == [.init(share: 0, isDrifted: false, rows: 3_600)])
    }

    @Test func `a window that began when its time was over is closed and judged`() throws {
        var (engine, rest) = try disordered(Self.settings(minRows: 100))
        engine = MonitorEngine(engine.settings)
        engine.references["1"] = DriftReference(try .init([.init("price", doubles: (0..<500).map { Double($0 % 100) })]))
        engine.take(label: 1, entity: try a(), at: 20 * Self.hour)
        for row in rest { engine.take(row) }
        engine.judgeWindows()
        #expect(engine.windows.values.map(\.isClosed) == [true])
        #expect(engine.windows.values.compactMap(\.drift?.rows) == [3_400])
    }

    @Test func `rows that came after the last verdict are judged after a restart`() throws {
        var (engine, rest) = try disordered(Self.settings(minRows: 100))
        engine.advance(to: 20 * Self.hour)
        engine.judgeWindows()
        for row in rest { engine.take(row) }
        var restarted = MonitorEngine(engine.settings)
        restarted.references = engine.references
        try restarted.restore(engine.takeChanges().compactMap { entry in entry.value.map { (key: entry.key, value: $0) } })
        restarted.judgeWindows()
        #expect(restarted.windows.values.compactMap(\.drift?.rows) == [3_600])
    }

    @Test func `a verdict of more rows stays when rows have been given up`() throws {
        var settings = Self.settings(minRows: 100)
        (settings.keptRows, settings.recentRows) = (1_000, 250)
        var (engine, rest) = try disordered(settings)
        for row in rest.prefix(300) { engine.take(row) }
        engine.advance(to: 2 * Self.hour)
        engine.judgeWindows()
        for row in 0..<900 { engine.take(try Self.prediction("l\(row)", at: 2 * Self.hour + Int64(row), version: "2")) }
        engine.take(rest[300])
        engine.judgeWindows()
        #expect(engine.windows.values.compactMap(\.drift?.rows) == [500])
        #expect(engine.recent.values.reduce(0) { $0 + $1.count } <= 1_000 + RecentRows.chunkRows)
        #expect(engine.recent["1"]?.count == 251)
    }

    @Test func `columns that the model does not read are judged on the view's rows since its first prediction`() throws {
        var engine = MonitorEngine(Self.settings(minRows: 100))
        let reference = (0..<500).map { Double($0 % 50) }
        engine.references["1"] = DriftReference(
            try .init(["price", "sma", "target", "prediction"].map { .init($0, doubles: reference) }))
        for row in 0..<300 {
            let time = Int64(row) * Self.minute, isBefore = row < 150
            if !isBefore {
                engine.take(try Self.prediction(at: time, output: Double(row % 50), features: [("price", .double(Double(row % 50)))]))
            }
            // Only what came before the first prediction looks otherwise.
            engine.take(row: [.double(Double(row % 50) + (isBefore ? 1_000 : 0))], names: ["sma"], at: time)
        }
        #expect(engine.driftColumns(of: "1") == ["price", "sma", "prediction"])
        let verdict = try #require(engine.drift(of: "1"))
        #expect(verdict.rows == 150)
        #expect(verdict.columns.map(\.isDrifted) == [false, false, false])
        for row in 300..<600 { engine.take(row: [.double(5_000)], names: ["sma"], at: Int64(row) * Self.minute) }
        #expect(engine.drift(of: "1")?.columns.map(\.isDrifted) == [false, true, false])
    }

    @Test func `versions are judged apart`() throws {
        var engine = MonitorEngine(Self.settings())
        for version in ["10", "9"] { engine.take(try Self.prediction(at: 0, output: Double(version), version: version)) }
        engine.take(label: 10, entity: try a(), at: 10 * Self.minute)
        #expect(engine.versions == ["9", "10"])
        #expect(engine.totals["9"]?.mae == 1)
        #expect(engine.totals["10"]?.mae == 0)
        #expect(engine.windows.count == 2)
        #expect(engine.latestVersion == "10")
    }

    @Test func `old windows go, their sums stay in the totals`() throws {
        var settings = Self.settings()
        settings.maxWindows = 3
        var engine = MonitorEngine(settings)
        for hour in 0..<6 { engine.take(try Self.prediction(at: Int64(hour) * Self.hour)) }
        engine.advance(to: 6 * Self.hour)
        #expect(engine.windows.keys.map(\.start).sorted() == [3, 4, 5].map { $0 * Self.hour })
        #expect(engine.totals["1"]?.predictions == 6)
    }

    @Test func `recent rows are bounded and keep the newest`() throws {
        var rows = RecentRows(limit: 500)
        for time in 0..<2_000 { rows.add(try Self.prediction(at: Int64(time))) }
        #expect((500..<500 + RecentRows.chunkRows).contains(rows.count))
        #expect(rows.lastTime == 1_999)
    }

    @Test(arguments: [1, 7, 400])
    func `an engine that is saved and put back at any point ends as one that never stopped`(every: Int) throws {
        var straight = MonitorEngine(Self.settings()), restarted = straight
        var saved: [[UInt8]: [UInt8]] = [:]
        var random = RandomSource(seed: 3)
        for step in 0..<400 {
            let time = Int64(step) * Self.minute
            let prediction = try Self.prediction(at: time, output: random.uniform(), version: step < 200 ? "1" : "2")
            let label: Double? = step % 5 == 0 ? nil : random.uniform()
            for index in 0..<2 {
                var engine = index == 0 ? straight : restarted
                engine.take(prediction)
                engine.take(row: [.double(Double(step)), .null], names: ["sma", "rsi"], at: time)
                if step % 7 != 0 { engine.take(label: label, entity: try a(), at: time) }
                if index == 0 { straight = engine } else { restarted = engine }
            }
            guard (step + 1) % every == 0 else { continue }
            for (key, value) in restarted.takeChanges() { saved[key] = value }
            restarted = MonitorEngine(Self.settings())
            try restarted.restore(saved.map { (key: $0.key, value: $0.value) })
        }
        #expect(restarted.totals == straight.totals)
        #expect(restarted.windows == straight.windows)
        #expect(restarted.counts == straight.counts)
        #expect(restarted.recent["2"]?.rows == straight.recent["2"]?.rows)
        #expect(restarted.join.count == straight.join.count)
        #expect(restarted.viewRows.rows == straight.viewRows.rows)
        #expect(restarted.since == straight.since)
        #expect(MonitorReport(restarted).html() == MonitorReport(straight).html())
    }

    @Test func `state of another format or damaged state is refused`() throws {
        var engine = MonitorEngine(Self.settings())
        engine.take(try Self.prediction(at: 0))
        var entries = engine.takeChanges().compactMap { entry in entry.value.map { (key: entry.key, value: $0) } }
        entries[0].value[0] = 9
        var other = MonitorEngine(Self.settings())
        #expect(throws: MonitorEngine.StateError.format(found: 9, known: 1)) { try other.restore(entries) }
        entries[0].value[0] = 1
        entries[1].value.removeLast()
        var third = MonitorEngine(Self.settings())
        #expect(throws: MonitorEngine.StateError.damaged) { try third.restore(entries) }
    }
}
