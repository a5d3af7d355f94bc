import Foundation
import GRDB
import Testing

@testable import Tracking

/// Operations that are run at once: they do what those that wait do, or nothing.
@Suite struct TrackingOperationTests {
    private func fill(_ database: TrackingDatabase, pages: Int) async throws {
        try await database.write { db in
            try db.execute(sql: "CREATE TABLE IF NOT EXISTS heap (bytes BLOB)")
            for _ in 0..<pages { try db.execute(sql: "INSERT INTO heap VALUES (zeroblob(4000))") }
        }
    }

    @Test func `at once or later makes no difference to what is there`() async throws {
        let fixture = try await StoreFixture(), store = fixture.store, database = store.database
        let creation = try store.creatingRun(experiment: "0", name: "r", startTime: 1, tags: [KeyValue("t", "1")], now: 1)
        let run = try #require(try database.runNow(creation))
        #expect(try database.runNow(store.readingRun(id: run.info.id)) == run)
        #expect(try await store.run(id: run.info.id) == run)
        try await store.logMetric(run: run.info.id, Metric("m", 1, timestamp: 1, step: 1))
        #expect(try database.runNow(store.loggingMetric(run: run.info.id, Metric("m", 2, timestamp: 2, step: 2))) != nil)
        #expect(try await store.history(run: run.info.id, key: "m").elements.map(\.value) == [1, 2])
        #expect(try database.runNow(store.readingRun(id: run.info.id))?.metrics.map(\.value) == [2])
        #expect(await refusal { try database.runNow(store.readingRun(id: "nosuch")) } == .doesNotExist)
        #expect(await refusal { try database.runNow(store.settingTag(run: "nosuch", KeyValue("a", "b"))) } == .doesNotExist)
    }

    @Test func `it waits for no writer of another process, and leaves nothing then`() async throws {
        let fixture = try await StoreFixture(), store = fixture.store
        let run = try await fixture.run("r", start: 1)
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: store.database.path, configuration: configuration)
        let write = try store.loggingParam(run: run, KeyValue("p", "1"))
        try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
        #expect(try store.database.runNow(write) == nil)
        // Who only reads need not wait.
        #expect(try store.database.runNow(store.readingRun(id: run))?.params == [])
        try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
        #expect(try store.database.runNow(write) != nil)
        #expect(try await store.run(id: run).params == [KeyValue("p", "1")])
    }

    @Test func `it waits for no writer of its own process`() async throws {
        let fixture = try await StoreFixture(), store = fixture.store
        let run = try await fixture.run("r", start: 1)
        let write = try store.loggingParam(run: run, KeyValue("p", "1"))
        let isLeft = try await store.database.write { [store] _ in try store.database.runNow(write) == nil }
        #expect(isLeft)
        #expect(try store.database.runNow(write) != nil)
    }

    @Test func `what takes long is left to others`() async throws {
        let fixture = try await StoreFixture(), store = fixture.store
        let run = try await fixture.run("r", start: 1)
        let long = TrackingOperation<Int>.read { db in
            let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT count(*) FROM n"
            return try Int.fetchOne(db, sql: sql) ?? 0
        }
        #expect(try store.database.runNow(long) == nil)
        #expect(try await store.database.run(long) == 1_000_000)
        // However often what is short is asked, it is answered.
        for _ in 0..<2_000 { #expect(try store.database.runNow(store.readingRun(id: run)) != nil) }
    }

    @Test func `a commit that waits for the disk is not made at once`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "tracking-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let store = TrackingStore(
            database: try await TrackingDatabase.open(
                path: directory + "/t.sqlite", migrations: TrackingSchema.migrations, isDurable: true))
        try await store.prepare(now: 1)
        let creation = try store.creatingRun(experiment: "0", name: "r", startTime: 1, tags: [], now: 1)
        #expect(try store.database.runNow(creation) == nil)
        let run = try await store.database.run(creation)
        #expect(try store.database.runNow(store.readingRun(id: run.info.id)) == run)
    }

    @Test func `writers at the same moment get each their own answer`() async throws {
        let fixture = try await StoreFixture(), store = fixture.store
        let run = try await fixture.run("r", start: 1)
        let outcomes = try await withThrowingTaskGroup(of: (Int, Bool).self) { group in
            for index in 0..<200 {
                group.addTask {
                    // Every third asks for what is refused.
                    let write = try store.loggingParam(run: run, KeyValue(index % 3 == 0 ? "same" : "p\(index)", "\(index)"))
                    do {
                        if index % 2 == 0, try store.database.runNow(write) != nil { return (index, true) }
                        try await store.database.run(write)
                        return (index, true)
                    } catch {
                        return (index, false)
                    }
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        #expect(outcomes.count { $0.value } == 134)
        #expect(outcomes.count { $0.key % 3 == 0 && $0.value } == 1)
        #expect(try await store.run(id: run).params.count == 134)
    }

    @Test func `the log is copied into the file beside the writers, and by them when it grows too long`() async throws {
        let fixture = try await StoreFixture(), database = fixture.store.database
        func size(_ name: String) throws -> Int {
            try FileManager.default.attributesOfItem(atPath: fixture.directory + name)[.size] as? Int ?? -1
        }
        #expect(try size("/t.sqlite") < 1_000_000)
        try await fill(database, pages: 5_000)
        database.checkpointer.finish()
        #expect(try size("/t.sqlite") > 16_000_000)
        // What is copied makes room in the log for what comes.
        let long = try size("/t.sqlite-wal")
        try await fill(database, pages: 4_000)
        #expect(try size("/t.sqlite-wal") == long)
        try await fill(database, pages: 17_000)
        #expect(try size("/t.sqlite") > 4_000 * 26_000)
    }
}
