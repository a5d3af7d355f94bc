import Columnar
import Domain
import EventLog
import Expressions
import Features
import Foundation
import ObjectStore
import Table
import Testing

@testable import FeatureStore

/// A log with one view's topics, an object store, and rows to put there.
private struct Fixture {
    let log: any EventLog
    let store: ObjectStore
    let view: CompiledView

    static func with(_ body: (Fixture) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "mlops-store-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let log = try await LocalLog.open(directory: directory + "/log")
        try await log.createTopics([.init(name: "v", partitions: 2), .init(name: "v.latest", partitions: 2, isCompacted: true)])
        let input = ViewSchema(key: [("pair", .string)], declared: [("pair", .string), ("x", .double)], metadata: .window)
        let definition = ViewDefinition(
            name: "view", topic: "v", from: .view("input"), window: nil,
            columns: [.init(name: "y", expression: try Expression.parse("x"))], filter: nil)
        try await body(
            Fixture(
                log: log, store: try await ObjectStore(directory: directory + "/objects"), view: try CompiledView(definition, input: input))
        )
    }

    /// The row of one window, as the topic holds it.
    func record(_ pair: String, _ y: Double?, start: Int64) -> Record {
        let value = JSONText.object([
            ("pair", .string(pair)), ("y", y.map(Value.double) ?? .null), ("window_start_ms", .int(start)),
            ("window_end_ms", .int(start + 60_000)), ("is_final", .bool(true)), ("synthetic", .bool(false)),
        ])
        return Record(key: Array(pair.utf8), value: value, timestamp: start)
    }

    var archive: ViewArchive { ViewArchive(view: view, log: log, store: store) }
    var offline: OfflineStore { OfflineStore(log: log, store: store, views: [view]) }

    /// Two entities that live in different partitions.
    static let pairs = ["A", ["B", "C", "D", "E", "F"].first { partition($0) != partition("A") } ?? ""]

    static func partition(_ pair: String) -> Int { Murmur2.partition(of: Array(pair.utf8), among: 2) }

    func append(_ count: Int, from first: Int) async throws {
        let records = (first..<first + count).map { record(Self.pairs[$0 % 3 == 0 ? 0 : 1], Double($0), start: Int64($0) * 3_600_000) }
        try await log.append(records, to: "v")
    }

    /// The y column of the whole history.
    func history() async throws -> [Value] {
        let table = try await offline.read(view: "view").table
        return (0..<table.rowCount).map { table["y"]?[$0] ?? .null }
    }
}

private func numbers(_ range: Range<Int>) -> [Value] { range.map { .double(Double($0)) } }

@Suite struct FeatureStoreTests {
    @Test func `history is the archive and the topic's tail, each row once and in order of time`() async throws {
        try await Fixture.with { fixture in
            try await fixture.append(60, from: 0)
            #expect(try await fixture.history() == numbers(0..<60))
            #expect(try await fixture.archive.archive(minRows: 1) == 60)
            try await fixture.append(7, from: 60)
            #expect(try await fixture.history() == numbers(0..<67))
        }
    }

    @Test func `the archive has one file per partition and day, named by its offsets`() async throws {
        try await Fixture.with { fixture in
            try await fixture.append(48, from: 0)
            _ = try await fixture.archive.archive(minRows: 1)
            let names = try await fixture.store.list(prefix: "features/v/").map(\.path.description)
            let a = Fixture.partition(Fixture.pairs[0]), b = Fixture.partition(Fixture.pairs[1])
            #expect(
                Set(names) == [
                    "features/v/day=1970-01-01/\(a)-0-7.parquet", "features/v/day=1970-01-01/\(b)-0-15.parquet",
                    "features/v/day=1970-01-02/\(a)-8-15.parquet", "features/v/day=1970-01-02/\(b)-16-31.parquet",
                ])
        }
    }

    @Test func `a row that two files hold counts once`() async throws {
        try await Fixture.with { fixture in
            try await fixture.append(10, from: 0)
            _ = try await fixture.archive.archive(minRows: 1)
            // The archiver was killed after writing and before committing: it starts again with more to take.
            for partition in 0..<2 {
                try await fixture.log.commit(LogUnit(group: "archive", offsets: [.init(topic: "v", partition: partition, next: 0)]))
            }
            try await fixture.append(5, from: 10)
            _ = try await fixture.archive.archive(minRows: 1)
            #expect(try await fixture.store.list(prefix: "features/v/").count > 2)
            #expect(try await fixture.history() == numbers(0..<15))
        }
    }

    @Test func `what is archived while somebody reads is not missed`() async throws {
        try await Fixture.with { fixture in
            try await fixture.append(30, from: 0)
            let log = InterruptedLog(fixture.log) { _ = try await fixture.archive.archive(minRows: 1) }
            let (table, ranges) = try await OfflineStore(log: log, store: fixture.store, views: [fixture.view]).read(view: "view")
            #expect(table.rowCount == 30)
            #expect(ranges.map(\.next).reduce(0, +) == 30)
        }
    }

    @Test func `a reader of the past sees no later row`() async throws {
        try await Fixture.with { fixture in
            try await fixture.append(10, from: 0)
            let past = OfflineStore(log: fixture.log, store: fixture.store, views: [fixture.view], notAfter: 3 * 3_600_000 + 60_000)
            #expect(try await past.read(view: "view").table.rowCount == 4)
        }
    }

    @Test func `few rows wait for more`() async throws {
        try await Fixture.with { fixture in
            try await fixture.append(10, from: 0)
            #expect(try await fixture.archive.archive(minRows: 100) == 0)
            #expect(try await fixture.store.list(prefix: "features/v/").isEmpty)
        }
    }

    @Test func `history tells when rows were ingested, from the archive and from the tail`() async throws {
        try await Fixture.with { fixture in
            func stamped(_ y: Double, _ ingested: String?) -> Record {
                var record = fixture.record("A", y, start: Int64(y) * 60_000)
                record.headers = ingested.map { [Record.Header(HeaderName.ingestedAt, $0)] } ?? []
                return record
            }
            #expect(try await fixture.offline.history(of: "view").ingestedColumn == nil)
            try await fixture.log.append([stamped(1, "70000"), stamped(2, nil)], to: "v")
            _ = try await fixture.archive.archive(minRows: 1)
            try await fixture.log.append([stamped(3, "90000")], to: "v")
            let history = try await fixture.offline.history(of: "view")
            let name = try #require(history.ingestedColumn)
            #expect(history.table[name]?.renamed("x") == Column("x", ints: [70_000, nil, 90_000]))
            #expect(try await fixture.offline.read(view: "view").table.names == fixture.view.schema.columns.map(\.name))
        }
    }

    @Test func `a damaged file of the archive, and one that is not its own, are named`() async throws {
        try await Fixture.with { fixture in
            let damaged = "features/v/day=1970-01-01/0-0-7.parquet"
            try await fixture.store.put(Array("PAR1 and no more".utf8), at: try ObjectPath(damaged))
            let error = await #expect(throws: ColumnarError.self) { _ = try await fixture.history() }
            #expect(error?.file == damaged)
        }
        try await Fixture.with { fixture in
            try await fixture.store.put([1], at: try ObjectPath("features/v/day=1970-01-01/rows.parquet"))
            try await fixture.store.put([1], at: try ObjectPath("features/v/README.md"))
            await #expect(throws: OfflineStore.Error.foreignFile("features/v/day=1970-01-01/rows.parquet")) {
                _ = try await fixture.history()
            }
        }
    }

    @Test func `an unknown view is named, with the nearest that exists`() async throws {
        try await Fixture.with { fixture in
            await #expect(throws: OfflineStore.Error.unknownView("veiw", known: ["view"])) {
                _ = try await fixture.offline.read(view: "veiw")
            }
        }
    }

    @Test func `the online store knows the latest row of each entity, and forgets a deleted one`() async throws {
        try await Fixture.with { fixture in
            let online = OnlineStore(view: fixture.view, log: fixture.log)
            #expect(await online.isReady == false)
            try await fixture.log.append([fixture.record("A", 1, start: 0), fixture.record("B", nil, start: 0)], to: "v.latest")
            try await online.refresh()
            #expect(await online.isReady)
            try await fixture.log.append([fixture.record("A", 2, start: 60_000)], to: "v.latest")
            try await online.refresh()
            let a = try EntityKey([.string("A")]), b = try EntityKey([.string("B")])
            #expect(await online.row(for: a)?.values.prefix(2) == [.string("A"), .double(2)])
            #expect(await online.row(for: a)?.availability == 120_000)
            #expect(await online.row(for: b)?.values[1] == .null)
            try await fixture.log.append([Record(key: b.bytes, value: nil, timestamp: 0)], to: "v.latest")
            try await online.refresh()
            #expect(await online.entities == [a])
        }
    }
}
