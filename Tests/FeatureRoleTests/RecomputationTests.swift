import Domain
import EventLog
import Expressions
import FeatureStore
import Features
import Foundation
import Logging
import ObjectStore
import Synchronization
import Table
import TestLogs
import Testing

@testable import FeatureRole

/// Clicks with a running mean, computed by the role into a log.
private struct Fixture {
    let log: any EventLog
    let store: ObjectStore
    let directory: String
    let stream: StreamDefinition
    let views: CompiledViews

    static func with(events: Int = 300, _ body: (Fixture) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-parity-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let log = try await LocalLog.open(directory: directory + "/log")
        let stream = StreamDefinition(
            name: "clicks", topic: "clicks", key: ["user"], time: "at",
            fields: [.init("user", .string), .init("price", .double), .init("id", .string), .init("at", .int)],
            dedupe: .init(field: "id", keep: 100), require: [])
        let definition = ViewDefinition(
            name: "means", topic: "means", from: .stream("clicks"), window: nil,
            columns: [
                .init(name: "price", expression: try Expression.parse("price")),
                .init(name: "mean", expression: try Expression.parse("sma(price, 3)")),
            ], filter: nil)
        let views = try CompiledViews(of: stream, definitions: [definition])
        try await log.createTopics(StreamTopics.plans(streams: [stream], views: [definition]) + [.init(name: "predictions", partitions: 4)])
        let fixture = Fixture(
            log: log, store: try await ObjectStore(directory: directory + "/objects"), directory: directory, stream: stream, views: views)
        try await log.append(fixture.events(events), to: "clicks")
        try await fixture.compute()
        try await body(fixture)
    }

    /// Some are not JSON, some come twice; an hour apart.
    func events(_ count: Int, from first: Int = 0) -> [Record] {
        (first..<first + count).map { index in
            let user = "U\(index % 7)", at = Int64(index) * 3_600_000
            let id = index % 10 == 9 ? "\(index - 7)" : "\(index)"
            let text = index % 25 == 3 ? "junk" : #"{"user":"\#(user)","price":\#(Double(index) / 8),"id":"\#(id)","at":\#(at)}"#
            return Record(
                key: Array(user.utf8), value: Array(text.utf8), timestamp: at, headers: [.init(HeaderName.ingestedAt, String(at))])
        }
    }

    func compute() async throws {
        for partition in 0..<StreamTopics.partitions {
            let worker = try FeatureWorker(
                .init(stream: stream, views: views, partition: partition, projectHash: ContentHash(of: "p"), batchRecords: 17), log: log,
                logger: Logger(label: "test"))
            _ = try await worker.drain()
        }
    }

    var archive: EventArchive { EventArchive(stream: stream, log: log, store: store) }

    func parity(over log: (any EventLog)? = nil, predictions: Bool = false) async throws -> Parity.Report {
        let log = log ?? self.log
        var served: ServedValues?
        if predictions {
            var noted = ServedValues(view: views.views[0])
            try await noted.read("predictions", of: log)
            served = noted
        }
        var report = Parity.Report()
        try await Parity(stream: stream, views: views, log: log, archive: archive, logger: Logger(label: "test")).check(&served, &report)
        return report
    }

    func difference(predictions: Bool = false) async throws -> Parity.Difference? {
        do {
            _ = try await parity(predictions: predictions)
            return nil
        } catch let difference as Parity.Difference {
            return difference
        }
    }

    func rows() async throws -> [StoredRecord] {
        var rows: [StoredRecord] = []
        for partition in 0..<StreamTopics.partitions {
            rows += try await log.read(topic: "means", partition: partition, from: 0, limit: 10_000).records()
        }
        return rows
    }

    func backfill(
        _ shard: EventHistory.Shard = .all, in range: Range<Int64> = EventTime.range.lowerBound..<EventTime.range.upperBound,
        to name: String
    )
        async throws -> Backfill.Summary
    {
        try await Backfill(stream: stream, views: views, log: log, archive: archive, logger: Logger(label: "test"))
            .run(["means"], in: range, shard: shard, directory: directory + "/" + name)
    }
}

/// A log that has dropped the first records of the streams, or drops them after the first read of each partition.
private final class Forgetful: ForwardingLog {
    let inner: any EventLog
    private let first: Int64
    private let isAtOnce: Bool
    private let hasRead = Mutex<Set<Int>>([])

    init(log: any EventLog, first: Int64, isAtOnce: Bool = true) {
        inner = log
        self.first = first
        self.isAtOnce = isAtOnce
    }

    func firstOffset(topic: String, partition: Int) async throws -> Int64 {
        topic == "clicks" && (isAtOnce || hasRead.withLock { $0.contains(partition) }) ? first : 0
    }

    func read(topic: String, partition: Int, from: Int64, limit: Int) async throws -> RecordBatch {
        let first = try await firstOffset(topic: topic, partition: partition)
        guard topic == "clicks" else { return try await inner.read(topic: topic, partition: partition, from: from, limit: limit) }
        hasRead.withLock { _ = $0.insert(partition) }
        return try await inner.read(topic: topic, partition: partition, from: max(from, first), limit: min(limit, 10))
    }
}

@Suite struct RecomputationTests {
    @Test func `what the role stored is what the events give, row by row`() async throws {
        try await Fixture.with { fixture in
            let rows = try await fixture.rows().count
            let report = try await fixture.parity()
            #expect(rows > 200)
            #expect(report.rows == ["means": rows] && report.latest == ["means": 7] && report.events == 300)
        }
    }

    @Test func `events that the role has not taken yet are no difference`() async throws {
        try await Fixture.with { fixture in
            try await fixture.log.append(fixture.events(50, from: 300), to: "clicks")
            #expect(try await fixture.parity().events == 300)
        }
    }

    @Test func `a row that the events do not give is named, and so is one that is missing`() async throws {
        try await Fixture.with { fixture in
            let last = try #require(try await fixture.rows().last)
            try await fixture.log.append([last.record], to: "means")
            let difference = try #require(try await fixture.difference())
            #expect(difference.recomputed == "no such row" && difference.place.hasPrefix("means/"))
            #expect(difference.stored.hasSuffix(String(decoding: last.record.value ?? [], as: UTF8.self)))
        }
        try await Fixture.with(events: 0) { fixture in
            // The position says that the events were taken; their rows are not there.
            try await fixture.log.append(fixture.events(20), to: "clicks")
            for (partition, end) in try await fixture.log.endOffsets(topic: "clicks").enumerated() {
                try await fixture.log.commit(
                    LogUnit(
                        group: "features/clicks", partition: partition, offsets: [.init(topic: "clicks", partition: partition, next: end)]))
            }
            #expect(try await fixture.difference()?.stored == "no such row")
        }
    }

    @Test func `a latest row that is another is named`() async throws {
        try await Fixture.with { fixture in
            let value = #"{"user":"U1","price":1.0,"mean":2.0,"event_time_ms":0}"#
            try await fixture.log.append([Record(key: Array("U1".utf8), value: Array(value.utf8), timestamp: 0)], to: "means.latest")
            let difference = try #require(try await fixture.difference())
            #expect(difference.place.hasPrefix("means.latest/") && difference.stored.hasSuffix(value))
        }
    }

    @Test func `predictions are held to the values they were made from`() async throws {
        try await Fixture.with { fixture in
            let row = try #require(try await fixture.rows().last)
            let table = try RowTable(row.record, fixture.views.views[0])
            func predict(_ mean: Value, entity: [UInt8]? = row.record.key, at: Int64 = row.record.timestamp) async throws {
                let features: [(name: String, value: Value)] = [("mean", mean), ("price", table["price"])]
                var record = Prediction(
                    id: "p", entity: try #require(EntityKey(bytes: row.record.key ?? [])), requestedAt: 1, featureTime: at, predictedFor: 2,
                    model: "m", version: "1", features: features, valuesHash: ContentHash(of: JSONText.object(features)), output: 1
                ).record
                record.key = entity
                try await fixture.log.append([record], to: "predictions")
            }
            try await predict(table["mean"])
            try await predict(.double(-1), entity: nil)
            let report = try await fixture.parity(predictions: true)
            #expect(report.predictions == 1 && report.uncheckedPredictions == 1)
            try await predict(.double(-1))
            #expect(try await fixture.difference(predictions: true)?.recomputed.contains("other values of mean, price") == true)
        }
    }

    @Test func `what the log has dropped comes from the archive of events, or is said to be lost`() async throws {
        try await Fixture.with { fixture in
            let forgetful = Forgetful(log: fixture.log, first: 20)
            await #expect(throws: EventHistory.Error.self) { _ = try await fixture.parity(over: forgetful) }
            #expect(try await fixture.archive.archive(minRecords: 1) == 300)
            let rows = try await fixture.rows().count
            #expect(try await fixture.parity(over: forgetful).rows == ["means": rows])
            // Killed between writing and committing: it writes some again, which count once.
            for partition in 0..<StreamTopics.partitions {
                try await fixture.log.commit(
                    LogUnit(group: "archive-events", offsets: [.init(topic: "clicks", partition: partition, next: 5)]))
            }
            _ = try await fixture.archive.archive(minRecords: 1)
            #expect(try await fixture.parity(over: forgetful).rows == ["means": rows])
        }
    }

    @Test func `events that the log removed before they were archived are told, and the archive is not taken for whole`() async throws {
        try await Fixture.with { fixture in
            let told = Mutex<[Int: Range<Int64>]>([:])
            let log = Forgetful(log: fixture.log, first: 20)
            let archive = EventArchive(stream: fixture.stream, log: log, store: fixture.store) { partition, offsets in
                told.withLock { $0[partition] = offsets }
            }
            _ = try await archive.archive(minRecords: 1)
            let ends = try await fixture.log.endOffsets(topic: "clicks")
            let busy = ends.indices.filter { ends[$0] > 20 }
            #expect(busy.count > 1 && told.withLock { $0 } == Dictionary(uniqueKeysWithValues: busy.map { ($0, 0..<20) }))
            // Once only, and what comes is archived.
            told.withLock { $0 = [:] }
            try await fixture.log.append(fixture.events(70, from: 300), to: "clicks")
            #expect(try await archive.archive(minRecords: 1) == 70 && told.withLock { $0.isEmpty })
            for partition in busy {
                #expect(try await archive.gaps(partition: partition) == [0..<20])
                let history = EventHistory(stream: fixture.stream, partition: partition, log: log, archive: archive)
                let missing = EventHistory.Error.incomplete(topic: "clicks", partition: partition, from: 0, to: 20)
                await #expect(throws: missing) { try await history.check(until: 30) }
                await #expect(throws: missing) { _ = try await history.next(from: 0, end: 30, limit: 10) }
                #expect(try await history.next(from: 20, end: 30, limit: 10).isEmpty == false)
            }
        }
    }

    @Test func `what the log drops while it is read comes from the archive too, or is said to be lost`() async throws {
        try await Fixture.with { fixture in
            let rows = try await fixture.rows().count
            func dropping() -> Forgetful { Forgetful(log: fixture.log, first: 30, isAtOnce: false) }
            await #expect(throws: EventHistory.Error.self) { _ = try await fixture.parity(over: dropping()) }
            #expect(try await fixture.archive.archive(minRecords: 1) == 300)
            #expect(try await fixture.parity(over: dropping()).rows == ["means": rows])
            // Files that a killed archiver has not vouched for may not be all: nothing is taken from them.
            for partition in 0..<StreamTopics.partitions {
                try await fixture.log.commit(
                    LogUnit(group: "archive-events", offsets: [.init(topic: "clicks", partition: partition, next: 15)]))
            }
            await #expect(throws: EventHistory.Error.self) { _ = try await fixture.parity(over: dropping()) }
        }
    }

    @Test func `the archive of events keeps what the stream accepts, and only that`() async throws {
        try await Fixture.with(events: 50) { fixture in
            _ = try await fixture.archive.archive(minRecords: 1)
            var kept: [Record] = []
            for files in try await fixture.archive.files().values {
                for file in files { kept += try await fixture.archive.records(of: file).map(\.record) }
            }
            let expected = fixture.events(50).filter { String(decoding: $0.value ?? [], as: UTF8.self) != "junk" }
            #expect(kept.sorted { $0.timestamp < $1.timestamp } == expected)
        }
    }

    @Test func `shards of a backfill give all rows, each once, and what is there is not computed again`() async throws {
        try await Fixture.with { fixture in
            let rows = try await fixture.rows().count
            #expect(try await fixture.backfill(to: "whole").rows == ["means": rows])
            var sum = 0
            for index in 0..<3 {
                let shard = try #require(EventHistory.Shard(index: index, count: 3))
                let part = try await fixture.backfill(shard, to: "parts").rows["means"] ?? 0
                #expect(part < rows)
                sum += part
            }
            #expect(sum == rows)
            let again = try await fixture.backfill(to: "whole")
            #expect(again.pieces.kept == 4 && again.pieces.done == 0 && again.rows.isEmpty)
        }
    }

    @Test func `a backfill keeps no piece of another range or of fewer events, and does not mix numbers of shards`() async throws {
        try await Fixture.with { fixture in
            let rows = try await fixture.rows().count
            let range: Range<Int64> = 100 * 3_600_000..<200 * 3_600_000
            let few = try await fixture.backfill(in: range, to: "x").rows["means"] ?? 0
            #expect(few < rows)
            #expect(try await fixture.backfill(to: "x").rows == ["means": rows])
            let file = fixture.directory + "/x/means/1-0of1.parquet"
            let note = fixture.directory + "/x/means/1-0of1.json"
            for path in [file, note] {
                try FileManager.default.removeItem(atPath: path)
                let pieces = try await fixture.backfill(to: "x").pieces
                #expect(pieces.done == 1 && pieces.kept == 3)
            }
            try await fixture.log.append(fixture.events(50, from: 300), to: "clicks")
            #expect(try await fixture.backfill(to: "x").rows["means"] ?? 0 > rows)
            let half = try #require(EventHistory.Shard(index: 0, count: 2))
            await #expect(throws: Backfill.OtherShards.self) { _ = try await fixture.backfill(half, to: "x") }
        }
    }

    @Test func `a backfill of a range keeps the rows of it, computed from all before`() async throws {
        try await Fixture.with { fixture in
            let range: Range<Int64> = 100 * 3_600_000..<200 * 3_600_000
            let expected = try await fixture.rows().count { range.contains($0.record.timestamp) }
            #expect(try await fixture.backfill(in: range, to: "range").rows == ["means": expected])
        }
    }
}

/// One row by column.
private struct RowTable {
    private let columns: [Column]

    init(_ record: Record, _ view: CompiledView) throws {
        var decoder = RowDecoder(fields: view.schema.columns.map { RowDecoder.Field($0.name, $0.type, isOptional: true) })
        try record.value?.withUnsafeBytes { try decoder.append($0) }
        columns = decoder.finish()
    }

    subscript(name: String) -> Value { columns.first { $0.name == name }?[0] ?? .null }
}
