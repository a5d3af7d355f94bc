import Columnar
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

/// Clicks that look at the newest minute of rates, which are another stream.
private struct Fixture {
    let log: any EventLog
    let directory: String

    static func with(_ body: (Fixture) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-joins-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let log = try await LocalLog.open(directory: directory)
        let compiled = try definitions()
        for (stream, views) in compiled {
            try await log.createTopics(StreamTopics.plans(streams: [stream], views: views.views.map(\.definition)))
        }
        try await body(Fixture(log: log, directory: directory))
    }

    static func definitions(period: Int = 2) throws -> [(stream: StreamDefinition, views: CompiledViews)] {
        func stream(_ name: String) -> StreamDefinition {
            StreamDefinition(
                name: name, topic: name, key: ["user"], time: "at",
                fields: [.init("user", .string), .init("value", .double), .init("at", .int)], dedupe: nil, require: [])
        }
        let streams = [stream("clicks"), stream("rates")]
        let levels = ViewDefinition(
            name: "levels", topic: "levels", from: .stream("rates"),
            window: .init(length: 60_000, grace: 5_000, gaps: .none, maxGap: 0),
            columns: [.init(name: "level", expression: try Expression.parse("last(value)"))], filter: nil)
        let trends = ViewDefinition(
            name: "trends", topic: "trends", from: .view("levels"), window: nil,
            columns: [.init(name: "trend", expression: try Expression.parse("sma(level, \(period))"))], filter: nil)
        let moves = ViewDefinition(
            name: "moves", topic: "moves", from: .stream("clicks"), window: nil,
            columns: [
                .init(name: "value", expression: try Expression.parse("value")),
                .init(name: "level", expression: try Expression.parse("levels_level")),
                .init(name: "trend", expression: try Expression.parse("trends_trend")),
            ], filter: nil,
            joins: [.init(view: "levels", within: 600_000), .init(view: "trends", within: 600_000)])
        let sums = ViewDefinition(
            name: "sums", topic: "sums", from: .stream("clicks"), window: .init(length: 60_000, grace: 0, gaps: .none, maxGap: 0),
            columns: [.init(name: "sum", expression: try Expression.parse("sum(value * levels_level)"))], filter: nil,
            joins: [.init(view: "levels", within: 600_000)])
        let definitions = [levels, trends, moves, sums]
        return try streams.map { ($0, try CompiledViews(of: $0, definitions: definitions, streams: streams)) }
    }

    static let users = ["U0", "U1", "U2", "U3", "U4", "U5", "U6"]
    static let rated = Array(users[..<6])

    /// In disorder by up to a second and a half; the last user has clicks and no rates.
    static func events(_ name: String, _ count: Int, every step: Int64, users: [String], seed: UInt64) -> [Record] {
        var random = RandomSource(seed: seed)
        return (0..<count).map { index in
            let user = users[random.index(below: users.count)]
            let at = 60_000 + Int64(index) * step + Int64(random.index(below: name == "rates" ? 1 : 1_500))
            let text = #"{"user":"\#(user)","value":\#(Double(random.index(below: 1_000)) / 8),"at":\#(at)}"#
            return Record(key: Array(user.utf8), value: Array(text.utf8), timestamp: at)
        }
    }

    static let clicks = events("clicks", 1_500, every: 700, users: users, seed: 3)
    static let rates = events("rates", 700, every: 1_500, users: rated, seed: 4)

    static func ends(_ users: [String]) -> [Record] {
        users.map { Record(key: Array($0.utf8), value: nil, timestamp: 0, headers: [.init("mlops-tick", "end")]) }
    }

    func workers(batch: Int = 1_000, period: Int = 2, rebuilds: Bool = false) throws -> [FeatureWorker] {
        try Self.definitions(period: period).flatMap { stream, views in
            try (0..<StreamTopics.partitions).map { partition in
                try FeatureWorker(
                    .init(
                        stream: stream, views: views, partition: partition, projectHash: ContentHash(of: "p"), batchRecords: batch,
                        rebuilds: rebuilds), log: log, logger: Logger(label: "test"))
            }
        }
    }

    func drain(batch: Int = 1_000) async throws {
        for worker in try workers(batch: batch) { _ = try await worker.drain() }
    }

    func rows(_ view: String) async throws -> [String: [String]] {
        let definition = try #require(try Self.definitions().flatMap(\.views.views).first { $0.definition.name == view }).definition
        var values: [String: [String]] = [:], generations = Generations(of: definition, log: log)
        for partition in 0..<StreamTopics.partitions {
            let generation = try await generations.current(partition)
            for stored in try await log.read(topic: view, partition: partition, from: 0, limit: 100_000).records()
            where generation.counts(stored.offset) {
                values[String(decoding: stored.record.key ?? [], as: UTF8.self), default: []].append(
                    String(decoding: stored.record.value ?? [], as: UTF8.self))
            }
        }
        return values
    }

    /// The rows in the files of a backfill, by key.
    func files(_ folder: String) throws -> [String: [String]] {
        var values: [String: [String]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: "\(directory)/\(folder)") where name.hasSuffix(".parquet") {
            let table = try ParquetReader(path: "\(directory)/\(folder)/\(name)").readAll()
            let encoder = RowEncoder(columns: table.columns.map(\.name))
            for row in 0..<table.rowCount {
                guard case .string(let user)? = table["user"]?[row] else { continue }
                values[user, default: []].append(String(decoding: encoder.encode(table, row: row), as: UTF8.self))
            }
        }
        return values
    }

    func all() async throws -> [String: [String: [String]]] {
        ["levels": try await rows("levels"), "moves": try await rows("moves"), "sums": try await rows("sums")]
    }
}

@Suite struct StreamJoinTests {
    /// Everything there is before anything is computed.
    private func expected(period: Int = 2) async throws -> [String: [String: [String]]] {
        var found: [String: [String: [String]]] = [:]
        try await Fixture.with { fixture in
            try await fixture.log.append(Fixture.rates + Fixture.ends(Fixture.rated), to: "rates")
            try await fixture.log.append(Fixture.clicks + Fixture.ends(Fixture.users), to: "clicks")
            for worker in try fixture.workers(period: period) { _ = try await worker.drain() }
            found = try await fixture.all()
        }
        return found
    }

    private struct Cells: Decodable {
        let value: Double?
        let level: Double?
        let event_time_ms: Int64?
        let window_end_ms: Int64?
    }

    private func cells(_ rows: [String]) throws -> [Cells] {
        try rows.map { try JSONDecoder().decode(Cells.self, from: Data($0.utf8)) }
    }

    @Test func `a row takes the newest row of the other stream's view that was known at its time`() async throws {
        let found = try await expected()
        var answered = 0
        for user in Fixture.users {
            let levels = try cells(found["levels"]?[user] ?? []), moves = try cells(found["moves"]?[user] ?? [])
            #expect(moves.count > 100 && (levels.count > 10) == (user != "U6"))
            for move in moves {
                let time = try #require(move.event_time_ms)
                let newest = levels.last { ($0.window_end_ms ?? .max) <= time && time - ($0.window_end_ms ?? 0) <= 600_000 }
                #expect(move.level == newest?.level, "\(user) at \(time)")
                answered += move.level == nil ? 0 : 1
            }
        }
        #expect(answered > 1_000)
    }

    @Test func `the order in which streams come does not matter`() async throws {
        let expected = try await expected()
        let clicks = Fixture.clicks + Fixture.ends(Fixture.users), rates = Fixture.rates + Fixture.ends(Fixture.rated)
        // The one that joins before the other has begun; then in turn, in pieces.
        try await Fixture.with { fixture in
            try await fixture.log.append(clicks, to: "clicks")
            try await fixture.drain()
            #expect(try await fixture.rows("moves").isEmpty)
            try await fixture.log.append(rates, to: "rates")
            try await fixture.drain(batch: 83)
            #expect(try await fixture.all() == expected)
        }
        try await Fixture.with { fixture in
            for part in 0..<10 {
                try await fixture.log.append(Array(rates[part * rates.count / 10..<(part + 1) * rates.count / 10]), to: "rates")
                try await fixture.drain(batch: 60)
                try await fixture.log.append(Array(clicks[part * clicks.count / 10..<(part + 1) * clicks.count / 10]), to: "clicks")
                try await fixture.drain(batch: 70)
            }
            #expect(try await fixture.all() == expected)
        }
    }

    @Test func `stopped after every unit, rows are what they would have been`() async throws {
        let expected = try await expected()
        try await Fixture.with { fixture in
            try await fixture.log.append(Fixture.clicks + Fixture.ends(Fixture.users), to: "clicks")
            try await fixture.log.append(Fixture.rates + Fixture.ends(Fixture.rated), to: "rates")
            var done = 0
            repeat {
                done = 0
                for worker in try fixture.workers(batch: 29) {
                    try await worker.open()
                    done += try await worker.step()
                }
            } while done > 0
            #expect(try await fixture.all() == expected)
        }
    }

    @Test func `two processes that take partitions from each other compute what one does`() async throws {
        let expected = try await expected()
        try await Fixture.with { fixture in
            let clicks = Fixture.clicks + Fixture.ends(Fixture.users), rates = Fixture.rates + Fixture.ends(Fixture.rated)
            let compiled = try Fixture.definitions(), places = compiled.count * StreamTopics.partitions
            let processes = [try fixture.workers(batch: 31), try fixture.workers(batch: 47)]
            #expect(Set(clicks.map { Murmur2.partition(of: $0.key ?? [], among: StreamTopics.partitions) }).count > 2)
            for round in 0..<40 {
                func part(_ all: [Record]) -> [Record] { Array(all[min(round, 30) * all.count / 30..<min(round + 1, 30) * all.count / 30]) }
                try await fixture.log.append(part(clicks), to: "clicks")
                try await fixture.log.append(part(rates), to: "rates")
                for place in 0..<places {
                    let topic = compiled[place / StreamTopics.partitions].stream.topic, partition = place % StreamTopics.partitions
                    let taker = (place + round / 3) % 2
                    let lease = try await fixture.log.acquire(
                        group: "features/\(topic)", topic: topic, partition: partition, owner: "\(taker)", now: Int64(round) * 10,
                        timeToLive: 5)
                    await processes[1 - taker][place].hold(nil)
                    #expect(lease != nil)
                    await processes[taker][place].hold(lease)
                    if round < 31 {
                        try await processes[taker][place].open()
                        _ = try await processes[taker][place].step()
                    }
                }
            }
            for place in 0..<places {
                for process in processes where await process[place].lease != nil { _ = try await process[place].drain() }
            }
            #expect(try await fixture.all() == expected)
        }
    }

    @Test func `parity, a backfill and a rebuild compute the same`() async throws {
        let other = try await expected(period: 4)
        try await Fixture.with { fixture in
            try await fixture.log.append(Fixture.rates + Fixture.ends(Fixture.rated), to: "rates")
            try await fixture.log.append(Fixture.clicks + Fixture.ends(Fixture.users), to: "clicks")
            try await fixture.drain(batch: 50)
            let (stream, views) = try Fixture.definitions()[0], logger = Logger(label: "test")
            var served: ServedValues?, report = Parity.Report()
            try await Parity(stream: stream, views: views, log: fixture.log, archive: nil, logger: logger).check(&served, &report)
            #expect(report.rows["moves"] == 1_500)
            let backfill = Backfill(stream: stream, views: views, log: fixture.log, archive: nil, logger: logger)
            let summary = try await backfill.run(
                ["moves"], in: 0..<Int64.max, shard: .all, directory: fixture.directory + "/out")
            #expect(summary.rows["moves"] == 1_500)
            var sizes: [Int] = []
            for index in 0..<3 {
                let shard = try #require(EventHistory.Shard(index: index, count: 3))
                let part = try await backfill.run(
                    ["moves", "sums"], in: 0..<Int64.max, shard: shard, directory: fixture.directory + "/parts")
                sizes.append(part.rows["moves"] ?? 0)
            }
            #expect(sizes.reduce(0, +) == 1_500 && sizes.count { $0 > 0 } > 1)
            for view in ["moves", "sums"] {
                let rows = try await fixture.rows(view)
                #expect(try fixture.files("parts/" + view) == rows)
            }
            await #expect(throws: EngineState.Error.definitionsChanged(["moves.trend"])) {
                for worker in try fixture.workers(period: 4).prefix(4) { try await worker.open() }
            }
            for worker in try fixture.workers(batch: 40, period: 4, rebuilds: true) { _ = try await worker.drain() }
            #expect(try await fixture.all() == other)
        }
    }

    @Test func `partitions that differ are told before anything is computed`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-joins-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let log = try await LocalLog.open(directory: directory)
        try await log.createTopics([.init(name: "clicks", partitions: 4), .init(name: "rates", partitions: 3)])
        let (stream, views) = try Fixture.definitions()[0]
        let worker = try FeatureWorker(
            .init(stream: stream, views: views, partition: 0, projectHash: ContentHash(of: "p"), batchRecords: 10), log: log,
            logger: Logger(label: "test"))
        let differ = PartitionsDiffer(stream: "clicks", partitions: 4, other: "rates", otherPartitions: 3)
        await #expect(throws: differ) { try await worker.open() }
        let logger = Logger(label: "test")
        await #expect(throws: differ) {
            var served: ServedValues?, report = Parity.Report()
            try await Parity(stream: stream, views: views, log: log, archive: nil, logger: logger).check(&served, &report)
        }
        await #expect(throws: differ) {
            _ = try await Backfill(stream: stream, views: views, log: log, archive: nil, logger: logger)
                .run(["moves"], in: 0..<1, shard: .all, directory: directory + "/out")
        }
        #expect(!FileManager.default.fileExists(atPath: directory + "/out"))
    }
}
