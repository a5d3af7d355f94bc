import Domain
import EventLog
import Expressions
import Features
import Foundation
import Logging
import Table
import Testing

@testable import FeatureRole

/// Trades → candles → a moving average, over a log of their own.
private struct Fixture {
    let log: any EventLog
    let directory: String

    static func with(_ body: (Fixture) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-features-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let log = try await LocalLog.open(directory: directory)
        let (stream, views) = try definitions()
        try await log.createTopics(StreamTopics.plans(streams: [stream], views: views.views.map(\.definition)))
        try await body(Fixture(log: log, directory: directory))
    }

    static func definitions(period: Int = 3) throws -> (StreamDefinition, CompiledViews) {
        let stream = StreamDefinition(
            name: "trades", topic: "trades", key: ["pair"], time: "at",
            fields: [.init("pair", .string), .init("price", .double), .init("id", .string), .init("at", .int)],
            dedupe: .init(field: "id", keep: 50), require: [])
        let candles = ViewDefinition(
            name: "candles", topic: "candles", from: .stream("trades"),
            window: .init(length: 60_000, grace: 2_000, gaps: .forward, maxGap: 600_000),
            columns: [
                .init(name: "close", expression: try Expression.parse("last(price)")),
                .init(name: "trades", expression: try Expression.parse("count()")),
            ], filter: nil)
        let means = ViewDefinition(
            name: "means", topic: "means", from: .view("candles"), window: nil,
            columns: [.init(name: "mean", expression: try Expression.parse("sma(close, \(period))"))], filter: nil)
        return (
            stream,
            try CompiledViews(of: stream, definitions: [candles, means])
        )
    }

    func workers(batch: Int, period: Int = 3) throws -> [FeatureWorker] {
        let (stream, views) = try Self.definitions(period: period)
        return try (0..<StreamTopics.partitions).map { partition in
            try FeatureWorker(
                .init(stream: stream, views: views, partition: partition, projectHash: ContentHash(of: "p"), batchRecords: batch), log: log,
                logger: Logger(label: "test"))
        }
    }

    /// Events of five pairs with repeats, late ones, gaps and garbage, then the end of each.
    func records(_ count: Int) -> [Record] {
        var random = RandomSource(seed: 5)
        var clock: Int64 = 0
        var records: [Record] = (0..<count).map { index in
            clock += Int64(random.index(below: 4_000))
            if random.index(below: 200) == 0 { clock += 300_000 }
            let pair = "P\(random.index(below: 5))"
            let at = max(0, clock - Int64(random.index(below: 9_000)))
            let id = random.index(below: 20) == 0 ? "twice" : "\(index)"
            let text =
                random.index(below: 50) == 0 ? "junk" : "{\"pair\":\"\(pair)\",\"price\":\(random.uniform()),\"id\":\"\(id)\",\"at\":\(at)}"
            return Record(key: Array(pair.utf8), value: Array(text.utf8), timestamp: at)
        }
        for pair in 0..<5 {
            records.append(Record(key: Array("P\(pair)".utf8), value: nil, timestamp: clock, headers: [.init("mlops-tick", "end")]))
        }
        return records
    }

    /// The values of a topic by key, in order.
    func values(_ topic: String) async throws -> [String: [String]] {
        var values: [String: [String]] = [:]
        for partition in 0..<StreamTopics.partitions {
            for stored in try await log.read(topic: topic, partition: partition, from: 0, limit: 1_000_000).records() {
                values[String(decoding: stored.record.key ?? [], as: UTF8.self), default: []].append(
                    String(decoding: stored.record.value ?? [], as: UTF8.self))
            }
        }
        return values
    }
}

@Suite struct FeatureWorkerTests {
    @Test func `stopped anywhere and started again, the log is as if nothing had happened`() async throws {
        var expected: [String: [String: [String]]] = [:]
        try await Fixture.with { fixture in
            try await fixture.log.append(fixture.records(3_000), to: "trades")
            for worker in try fixture.workers(batch: 10_000) { _ = try await worker.drain() }
            for topic in ["candles", "means", "trades.dead", "trades.late"] { expected[topic] = try await fixture.values(topic) }
        }
        #expect((expected["candles"]?["P1"]?.count ?? 0) > 50 && expected["trades.dead"]?.isEmpty == false)
        #expect(expected["trades.late"]?.isEmpty == false)
        try await Fixture.with { fixture in
            try await fixture.log.append(fixture.records(3_000), to: "trades")
            var done = 0
            repeat {
                done = 0
                // Every worker is a new one that does a step or two and is forgotten.
                for worker in try fixture.workers(batch: 37) {
                    try await worker.open()
                    done += try await worker.step()
                    done += try await worker.step()
                }
            } while done > 0
            for (topic, values) in expected { #expect(try await fixture.values(topic) == values, "\(topic)") }
        }
    }

    @Test func `the batch path writes the same bytes`() async throws {
        try await Fixture.with { fixture in
            let records = fixture.records(2_000)
            try await fixture.log.append(records, to: "trades")
            for worker in try fixture.workers(batch: 500) { _ = try await worker.drain() }
            let (stream, views) = try Fixture.definitions()
            var batch = try BatchFeatures(stream: stream, views: views, directory: fixture.directory + "/out", now: .max / 2)
            for record in records { if let value = record.value { try batch.add(key: record.key, value: value) } }
            try batch.finish()
            for view in ["candles", "means"] {
                let text = try String(contentsOfFile: "\(fixture.directory)/out/\(view).jsonl", encoding: .utf8)
                var lines: [String: [String]] = [:]
                for line in text.split(separator: "\n") { lines[String(line.dropFirst(9).prefix(2)), default: []].append(String(line)) }
                #expect(try await fixture.values(view) == lines, "\(view)")
            }
            #expect(batch.summary.dead > 10 && batch.summary.late > 0 && batch.summary.duplicates > 10, "\(batch.summary)")
        }
    }

    @Test func `a refused record keeps its bytes and says where it came from and why`() async throws {
        try await Fixture.with { fixture in
            try await fixture.log.append([Record(key: [65], value: Array("junk".utf8), timestamp: 7)], to: "trades")
            for worker in try fixture.workers(batch: 10) { _ = try await worker.drain() }
            let partition = Murmur2.partition(of: [65], among: StreamTopics.partitions)
            let dead = try await fixture.log.read(topic: "trades.dead", partition: partition, from: 0, limit: 10).records()
            #expect(dead.map(\.record.value) == [Array("junk".utf8)])
            #expect(dead.first?.record.header("mlops-origin") == Array("trades/\(partition)/0".utf8))
            let reason = String(decoding: dead.first?.record.header("mlops-dead-reason") ?? [], as: UTF8.self)
            #expect(reason.contains("expected a JSON object"))
        }
    }

    @Test func `the latest topic holds the last row of every entity`() async throws {
        try await Fixture.with { fixture in
            try await fixture.log.append(fixture.records(1_000), to: "trades")
            for worker in try fixture.workers(batch: 90) { _ = try await worker.drain() }
            let all = try await fixture.values("means"), latest = try await fixture.values("means.latest")
            #expect(latest == all.mapValues { Array($0.suffix(1)) })
        }
    }

    @Test func `a worker that starts again knows how fresh its views are, and one without rows says nothing`() async throws {
        try await Fixture.with { fixture in
            let fresh = try fixture.workers(batch: 90)
            for worker in fresh { try await worker.open() }
            for worker in fresh { #expect(await worker.counters.newest(of: 0) == nil) }
            try await fixture.log.append(fixture.records(1_000), to: "trades")
            for worker in fresh { _ = try await worker.drain() }
            let restarted = try fixture.workers(batch: 90)
            for worker in restarted { try await worker.open() }
            var known = 0
            for (before, after) in zip(fresh, restarted) {
                for view in 0..<2 {
                    let time = await before.counters.newest(of: view)
                    #expect(await after.counters.newest(of: view) == time)
                    known += time == nil ? 0 : 1
                }
            }
            #expect(known >= 4)
        }
    }

    @Test func `late records are counted, and told ever less often`() async throws {
        var lateness = Lateness()
        #expect((0..<2_000).filter { _ in lateness.add(1) } == [0, 9, 99, 999])
        #expect(!lateness.add(0) && lateness.count == 2_000)
        #expect(lateness.add(500_000) && !lateness.add(400_000))
        try await Fixture.with { fixture in
            try await fixture.log.append(fixture.records(2_000), to: "trades")
            let workers = try fixture.workers(batch: 90)
            var count = 0
            for worker in workers {
                _ = try await worker.drain()
                count += await worker.lateCount
            }
            let late = try await fixture.values("trades.late").values.reduce(0) { $0 + $1.count }
            #expect(late > 0 && count == late)
        }
    }

    @Test func `other definitions of saved state are refused, naming the column`() async throws {
        try await Fixture.with { fixture in
            try await fixture.log.append(fixture.records(200), to: "trades")
            for worker in try fixture.workers(batch: 100) { _ = try await worker.drain() }
            await #expect(throws: EngineState.Error.definitionsChanged(["means.mean"])) {
                for worker in try fixture.workers(batch: 100, period: 4) { try await worker.open() }
            }
        }
    }

    @Test func `a worker whose lease has gone before its turn writes nothing`() async throws {
        try await Fixture.with { fixture in
            try await fixture.log.append(fixture.records(500), to: "trades")
            let worker = try fixture.workers(batch: 50)[0]
            let lease = try await fixture.log.acquire(
                group: "features/trades", topic: "trades", partition: 0, owner: Lease.ownerName("a"), now: 0, timeToLive: 100)
            #expect(lease != nil)
            await worker.hold(lease)
            await worker.hold(nil)
            #expect(try await worker.drain() == 0)
            #expect(try await fixture.log.committed(group: "features/trades", topic: "trades", partition: 0) == 0)
        }
    }

    @Test func `a worker that lost its lease forgets what it computed and writes nothing more`() async throws {
        try await Fixture.with { fixture in
            try await fixture.log.append(fixture.records(500), to: "trades")
            func lease(_ owner: String, now: Int64) async throws -> Lease? {
                try await fixture.log.acquire(
                    group: "features/trades", topic: "trades", partition: 0, owner: owner, now: now, timeToLive: 100)
            }
            let own = Lease.ownerName("a"), other = Lease.ownerName("b")
            let workers = try fixture.workers(batch: 50)
            await workers[0].hold(try await lease(own, now: 0))
            try await workers[0].open()
            _ = try await workers[0].step()
            let written = try await fixture.log.committed(group: "features/trades", topic: "trades", partition: 0)
            #expect(try await lease(other, now: 1_000) != nil)
            await #expect(throws: EventLogError.self) { _ = try await workers[0].step() }
            #expect(try await fixture.log.committed(group: "features/trades", topic: "trades", partition: 0) == written)
        }
    }
}
