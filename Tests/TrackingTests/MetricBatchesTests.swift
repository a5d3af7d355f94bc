import Foundation
import GRDB
import Testing

@testable import Tracking

/// Batches that wait for their place in the history: nobody sees that they wait.
@Suite struct MetricBatchesTests {
    private func points(_ count: Int, step: Int64, _ name: String = "k") -> [Metric] {
        (0..<count).map { Metric("\(name)\($0)", Double($0) / 7, timestamp: step, step: step) }
    }

    private func waiting(_ store: TrackingStore) async throws -> Int {
        try await store.database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM metric_batches") ?? -1 }
    }

    @Test func `a history holds what was logged before it was read, in its order, and everything once`() async throws {
        let fixture = try await StoreFixture(), store = fixture.store
        let run = try await fixture.run("r", start: 1)
        for step in [3, 1, 2, 3, -4] as [Int64] {
            let signed = Metric("signed", step < 0 ? .nan : 1, timestamp: 9, step: step)
            try await store.logBatch(run: run, metrics: points(40, step: abs(step)) + [signed])
        }
        #expect(try await waiting(store) == 5)
        #expect(try await store.history(run: run, key: "k7").elements.map(\.step) == [1, 2, 3, 4])
        #expect(try await waiting(store) == 0)
        let signed = try await store.history(run: run, key: "signed").elements
        #expect(signed.map(\.step) == [-4, 1, 2, 3] && signed[0].value.isNaN)
        // One that is in the history already, then both ways of reading a thinned one.
        try await store.logBatch(run: run, metrics: points(40, step: 4) + points(40, step: 5, "late"))
        #expect(try await store.bucketedHistory(run: run, key: "late3", maxPoints: 10).map(\.step) == [5])
        try await store.logBatch(run: run, metrics: points(40, step: 6))
        #expect(try await store.sampledHistory(run: run, key: "k7", maxPoints: 10).map(\.step) == [1, 2, 3, 4, 6])
        #expect(try await store.run(id: run).metrics.first { $0.key == "k7" }?.step == 6)
    }

    @Test func `of a batch that is refused nothing stays, of those before and after it everything`() async throws {
        let fixture = try await StoreFixture(), store = fixture.store
        let run = try await fixture.run("r", start: 1, params: [KeyValue("p", "1")])
        try await store.logBatch(run: run, metrics: points(20, step: 1))
        let refused = await refusal {
            try await store.logBatch(run: run, metrics: points(20, step: 2), params: [KeyValue("q", "2"), KeyValue("p", "2")])
        }
        #expect(refused == .invalidParameter)
        try await store.logBatch(run: run, metrics: points(20, step: 3))
        #expect(try await store.history(run: run, key: "k0").elements.map(\.step) == [1, 3])
        #expect(try await store.run(id: run).params == [KeyValue("p", "1")])
    }

    @Test func `only so many wait, whether or not anybody reads`() async throws {
        let fixture = try await StoreFixture(), store = fixture.store
        let run = try await fixture.run("r", start: 1), other = try await fixture.run("s", start: 2)
        let rounds = Int64(MetricBatches.limit) / 1_000 + 3
        for step in 0..<rounds { try await store.logBatch(run: step == 4 ? other : run, metrics: points(1_000, step: step)) }
        #expect(try await waiting(store) == 3)
        #expect(try await store.history(run: run, key: "k999").elements.map(\.step) == (0..<rounds).filter { $0 != 4 })
        #expect(try await store.history(run: other, key: "k999").elements.map(\.step) == [4])
    }

    @Test func `what waits goes with its run, and nothing of it turns up in a later one`() async throws {
        let fixture = try await StoreFixture(), store = fixture.store
        let gone = try await fixture.run("gone", start: 1, metrics: points(20, step: 1))
        try await store.setRunStage(id: gone, .deleted, now: 5)
        #expect(try await store.collect(deletedBefore: 9, referred: { _, _ in "FALSE" }).runs == [gone])
        let next = try await fixture.run("next", start: 2)
        #expect(try await store.history(run: next, key: "k0").elements.isEmpty)
    }

    @Test func `a database of before is opened with its histories`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "tracking-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/t.sqlite", before = TrackingSchema.migrations.filter { $0.name != "tracking-batches" }
        #expect(before.count == TrackingSchema.migrations.count - 1)
        let old = TrackingStore(database: try await TrackingDatabase.open(path: path, migrations: before))
        try await old.prepare(now: 1)
        let run = try await old.createRun(experiment: "0", name: "r", startTime: 1, tags: [], now: 1).info.id
        try await old.database.write { db in
            try db.execute(sql: "INSERT INTO names (name) VALUES ('k0')")
            try db.execute(sql: "INSERT INTO metrics SELECT seq, last_insert_rowid(), 1, 1, 1, 0 FROM runs")
        }
        try old.database.close()
        let new = TrackingStore(database: try await TrackingDatabase.open(path: path, migrations: TrackingSchema.migrations))
        try await new.logBatch(run: run, metrics: points(20, step: 2))
        #expect(try await new.history(run: run, key: "k0").elements.map(\.step) == [1, 2])
        try new.database.close()
    }
}
