import Domain
import EventLog
import Expressions
import FeatureStore
import Features
import Foundation
import Logging
import ObjectStore
import Table
import Testing

@testable import FeatureRole

/// Clicks → totals a minute → their mean, over a log of their own.
private struct Fixture {
    let log: any EventLog
    let store: ObjectStore

    static func with(_ body: (Fixture) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-rebuild-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let log = try await LocalLog.open(directory: directory)
        let (stream, views) = try definitions()
        try await log.createTopics(StreamTopics.plans(streams: [stream], views: views.views.map(\.definition)))
        try await body(Fixture(log: log, store: try await ObjectStore(directory: directory + "/objects")))
    }

    static func definitions(period: Int = 3, least: Int = 0) throws -> (StreamDefinition, CompiledViews) {
        let stream = StreamDefinition(
            name: "clicks", topic: "clicks", key: ["user"], time: "at",
            fields: [.init("user", .string), .init("price", .double), .init("at", .int)], dedupe: nil, require: [])
        let totals = ViewDefinition(
            name: "totals", topic: "totals", from: .stream("clicks"), window: .init(length: 60_000, grace: 1_000, gaps: .none, maxGap: 0),
            columns: [.init(name: "total", expression: try Expression.parse("sum(price)"))],
            filter: try Expression.parse("total >= \(least)"), emit: .final,
            outliers: .init(column: "total", rule: .range(min: nil, max: 900), action: .quarantine))
        let means = ViewDefinition(
            name: "means", topic: "means", from: .view("totals"), window: nil,
            columns: [.init(name: "mean", expression: try Expression.parse("sma(total, \(period))"))], filter: nil)
        return (stream, try CompiledViews(of: stream, definitions: [totals, means]))
    }

    func workers(period: Int = 3, least: Int = 0, batch: Int = 50, rebuilds: Bool = false) throws -> [FeatureWorker] {
        let (stream, views) = try Self.definitions(period: period, least: least)
        return try (0..<StreamTopics.partitions).map { partition in
            try FeatureWorker(
                .init(
                    stream: stream, views: views, partition: partition, projectHash: ContentHash(of: "p"), batchRecords: batch,
                    rebuilds: rebuilds), log: log, logger: Logger(label: "test"))
        }
    }

    /// Prices of user U0 are small; every hundredth event is junk, some are late, and a few totals are outliers.
    func events(_ range: Range<Int>) -> [Record] {
        range.map { index in
            let user = "U\(index % 6)", at = Int64(index) * 2_000 - (index % 40 == 7 ? 90_000 : 0)
            let price = index % 6 == 0 ? 1 : index % 331 == 5 ? 1_000 : index % 13
            let text = index % 100 == 99 ? "junk" : #"{"user":"\#(user)","price":\#(price),"at":\#(max(0, at))}"#
            return Record(key: Array(user.utf8), value: Array(text.utf8), timestamp: max(0, at))
        }
    }

    struct Row: Equatable {
        let time: Int64
        let value: String
    }

    /// The rows of a topic that count, by key.
    func rows(_ topic: String, of view: String) async throws -> [String: [Row]] {
        let definition = try #require(try Self.definitions().1.views.first { $0.definition.name == view }).definition
        var generations = Generations(of: definition, topic: topic, log: log), found: [String: [Row]] = [:]
        for partition in 0..<StreamTopics.partitions {
            let generation = try await generations.current(partition)
            for stored in try await log.read(topic: topic, partition: partition, from: 0, limit: 100_000).records()
            where generation.counts(stored.offset) || topic.hasSuffix(".latest") {
                guard let value = stored.record.value else { continue }
                found[String(decoding: stored.record.key ?? [], as: UTF8.self), default: []].append(
                    Row(time: stored.record.timestamp, value: String(decoding: value, as: UTF8.self)))
            }
        }
        return found
    }

    func history(_ view: String, period: Int, least: Int) async throws -> Table {
        let views = try Self.definitions(period: period, least: least).1.views
        return try await OfflineStore(log: log, store: store, views: views).read(view: view).table
    }

    /// Everything that somebody could read of the views.
    func picture(period: Int, least: Int = 0) async throws -> [String: [String: [Row]]] {
        var picture: [String: [String: [Row]]] = [:]
        for (topic, view) in [
            ("totals", "totals"), ("means", "means"), ("totals.latest", "totals"), ("means.latest", "means"),
            ("totals.quarantine", "totals"),
        ] { picture[topic] = try await rows(topic, of: view) }
        for view in ["totals", "means"] {
            picture["history of \(view)"] = ["": [Row(time: 0, value: "\(try await history(view, period: period, least: least).columns)")]]
        }
        return picture
    }
}

@Suite struct RebuildTests {
    @Test(arguments: [false, true]) func `a rebuild, however often stopped, leaves what a fresh log would have`(isArchived: Bool)
        async throws
    {
        var expected: [String: [String: [Fixture.Row]]] = [:]
        try await Fixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<2_000), to: "clicks")
            for worker in try fixture.workers(period: 4, least: 20) { _ = try await worker.drain() }
            expected = try await fixture.picture(period: 4, least: 20)
        }
        #expect((expected["means"]?["U1"]?.count ?? 0) > 20 && expected["means.latest"]?["U0"] == nil)
        #expect(expected["totals.quarantine"]?.isEmpty == false)
        try await Fixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<1_500), to: "clicks")
            for worker in try fixture.workers() { _ = try await worker.drain() }
            #expect(try await fixture.rows("means.latest", of: "means")["U0"] != nil)
            if isArchived {
                for view in try Fixture.definitions().1.views {
                    #expect(try await ViewArchive(view: view, log: fixture.log, store: fixture.store).archive(minRows: 1) > 0)
                }
            }
            try await fixture.log.append(fixture.events(1_500..<2_000), to: "clicks")
            await #expect(throws: EngineState.Error.definitionsChanged(["means.mean", "totals.total"])) {
                for worker in try fixture.workers(period: 4, least: 20) { _ = try await worker.drain() }
            }
            let old = try await fixture.history("means", period: 3, least: 0)
            // The first to begin with it; whoever comes after goes on, asked to or not.
            for worker in try fixture.workers(period: 4, least: 20, rebuilds: true) { try await worker.open() }
            let still = try await fixture.history("means", period: 3, least: 0)
            #expect("\(still.columns)" == "\(old.columns)")
            var done = 0
            repeat {
                done = 0
                for worker in try fixture.workers(period: 4, least: 20, batch: 37) {
                    try await worker.open()
                    done += try await worker.step()
                }
            } while done > 0
            for worker in try fixture.workers(period: 4, least: 20) { _ = try await worker.drain() }
            let found = try await fixture.picture(period: 4, least: 20)
            for (topic, rows) in expected { #expect(found[topic] == rows, "\(topic)") }
        }
    }

    @Test func `while a rebuild is under way everybody sees the old rows`() async throws {
        try await Fixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<1_200), to: "clicks")
            for worker in try fixture.workers() { _ = try await worker.drain() }
            let before = try await fixture.picture(period: 3)
            for worker in try fixture.workers(period: 5, rebuilds: true) {
                try await worker.open()
                _ = try await worker.step()
            }
            #expect(try await fixture.picture(period: 3) == before)
            // Other definitions once more: what the first rebuild wrote never counts.
            for worker in try fixture.workers(period: 4, rebuilds: true) { _ = try await worker.drain() }
            let after = try await fixture.picture(period: 4)
            #expect(after["totals"] == before["totals"] && after["means"] != before["means"])
            for worker in try fixture.workers(period: 3, rebuilds: true) { _ = try await worker.drain() }
            #expect(try await fixture.picture(period: 3) == before)
        }
    }

    @Test func `asked for without need, a rebuild does nothing, and what was refused is not told twice`() async throws {
        try await Fixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<1_000), to: "clicks")
            for worker in try fixture.workers(rebuilds: true) { _ = try await worker.drain() }
            let ends = try await fixture.log.endOffsets(topic: "means")
            let dead = try await fixture.log.endOffsets(topic: "clicks.dead"), late = try await fixture.log.endOffsets(topic: "clicks.late")
            #expect(dead.reduce(0, +) == 10 && late.reduce(0, +) > 0)
            for worker in try fixture.workers(rebuilds: true) { #expect(try await worker.drain() == 0) }
            #expect(try await fixture.log.endOffsets(topic: "means") == ends)
            for worker in try fixture.workers(period: 9, rebuilds: true) { _ = try await worker.drain() }
            #expect(try await fixture.log.endOffsets(topic: "clicks.dead") == dead)
            #expect(try await fixture.log.endOffsets(topic: "clicks.late") == late)
        }
    }

    @Test func `state of another format, or damaged, is rebuilt too`() async throws {
        try await Fixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<600), to: "clicks")
            for worker in try fixture.workers() { _ = try await worker.drain() }
            let before = try await fixture.picture(period: 3)
            for partition in 0..<StreamTopics.partitions {
                var unit = LogUnit(group: "features/clicks", partition: partition)
                unit.state = [.init(key: Array(#"["meta"]"#.utf8), value: Array("2\nmeans.mean x".utf8))]
                try await fixture.log.commit(unit)
            }
            await #expect(throws: EngineState.Error.format(found: "2")) { try await fixture.workers()[0].open() }
            for worker in try fixture.workers(rebuilds: true) { _ = try await worker.drain() }
            #expect(try await fixture.picture(period: 3) == before)
        }
    }

    @Test func `rows are parity's after a rebuild, and a rebuild under way is told`() async throws {
        try await Fixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<900), to: "clicks")
            for worker in try fixture.workers() { _ = try await worker.drain() }
            let (stream, views) = try Fixture.definitions(period: 5)
            let parity = Parity(stream: stream, views: views, log: fixture.log, archive: nil, logger: Logger(label: "test"))
            for worker in try fixture.workers(period: 5, rebuilds: true) { try await worker.open() }
            func report() async throws -> Parity.Report {
                var served: ServedValues?, report = Parity.Report()
                try await parity.check(&served, &report)
                return report
            }
            await #expect(throws: Parity.Rebuilding.self) { _ = try await report() }
            for worker in try fixture.workers(period: 5) { _ = try await worker.drain() }
            let found = try await report()
            #expect((found.rows["means"] ?? 0) > 50 && found.latest["means"] == 6)
        }
    }
}
