package import Domain
import Foundation
import GRDB

/// The log on the embedded backend: one SQLite file in a directory.
///
/// Records are stored in batches, so that reading and writing cost per batch and not per record. Several processes of one
/// host may share the directory.
package final class LocalLog: EventLog {
    /// The directory that holds `log.sqlite`.
    package let directory: String
    let pool: DatabasePool
    private let signal = AppendSignal()

    private init(directory: String, pool: DatabasePool) {
        self.directory = directory
        self.pool = pool
    }

    /// Opens the log in a directory, and creates it when it is missing.
    package static func open(directory: String, durability: LogDurability = .process) async throws -> LocalLog {
        try LocalDirectory.prepare(directory)
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(30)
            configuration.maximumReaderCount = 6
            configuration.label = "log"
            configuration.prepareDatabase { db in
                try db.execute(sql: "PRAGMA synchronous = NORMAL")
                try db.execute(sql: "PRAGMA journal_size_limit = 67108864")
                // Readers go through blobs once, from front to back: what they have read they do not need again.
                try db.execute(sql: "PRAGMA cache_size = -\(db.configuration.readonly ? 256 : 4096)")
            }
            // One process at a time opens the file: its switch to write-ahead logging does not wait for others.
            let lock = try OpeningLock(directory: directory)
            defer { lock.release() }
            let pool = try DatabasePool(path: directory + "/log.sqlite", configuration: configuration)
            // Said once it is open: the pool itself says NORMAL on its way into the write-ahead log.
            if durability == .full { try await pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") } }
            try await pool.write { try LogSchema.prepare($0) }
            return LocalLog(directory: directory, pool: pool)
        } catch {
            throw EventLogError(error, during: "open \(directory)/log.sqlite")
        }
    }

    package func createTopics(_ plans: [TopicPlan]) async throws {
        try await write("create topics") { db in
            for plan in plans {
                if let row = try? TopicRow.find(plan.name, db) {
                    let found = Self.describe(row.partitions, row.isCompacted), wanted = Self.describe(plan.partitions, plan.isCompacted)
                    guard found == wanted else {
                        throw EventLogError(.topicMismatch(topic: plan.name, found: found, wanted: wanted), during: "create topics")
                    }
                    continue
                }
                try db.execute(
                    sql: "INSERT INTO topics (name, partitions, compacted) VALUES (?, ?, ?)",
                    arguments: [plan.name, plan.partitions, plan.isCompacted])
                let id = db.lastInsertedRowID
                for partition in 0..<plan.partitions {
                    try db.execute(sql: "INSERT INTO ends VALUES (?, ?, 0)", arguments: [id, partition])
                }
            }
        }
    }

    package func topics() async throws -> [TopicPlan] {
        try await read("list topics") { db in
            try Row.fetchAll(db, sql: "SELECT name, partitions, compacted FROM topics ORDER BY name").map {
                TopicPlan(name: $0["name"], partitions: $0["partitions"], isCompacted: $0["compacted"])
            }
        }
    }

    package func partitions(of topic: String) async throws -> Int {
        try await read("find topic") { try TopicRow.find(topic, $0).partitions }
    }

    /// Nothing is removed from this log by its age.
    package func retention(of topic: String) async throws -> Int64? { nil }

    package func firstOffset(topic: String, partition: Int) async throws -> Int64 { 0 }

    package func endOffset(topic: String, partition: Int) async throws -> Int64 {
        try await read("end offset of \(topic)") { db in
            try LogTables.end(db, topic: try TopicRow.find(topic, db).id, partition: partition)
        }
    }

    package func endOffsets(topic: String) async throws -> [Int64] {
        try await read("end offsets of \(topic)") { db in
            let row = try TopicRow.find(topic, db)
            return try (0..<row.partitions).map { try LogTables.end(db, topic: row.id, partition: $0) }
        }
    }

    package func committed(group: String, topic: String, partition: Int) async throws -> Int64 {
        try await read("committed offset of \(group)") { db in
            try Int64.fetchOne(
                db, sql: "SELECT next FROM offsets WHERE consumer = ? AND topic = ? AND partition = ?",
                arguments: [group, try TopicRow.find(topic, db).id, partition]) ?? 0
        }
    }

    package func append(_ records: [Domain.Record], to topic: String) async throws {
        try await commit(LogUnit(group: "", outputs: [.init(topic: topic, records: records)]))
    }

    package func commit(_ unit: LogUnit) async throws {
        try await write("commit of \(unit.group)") { try LogTables.write(unit, $0) }
        signal.raise(Set(unit.outputs.lazy.filter { !$0.records.isEmpty }.map(\.topic)))
    }

    package func read(topic: String, partition: Int, from: Int64, limit: Int) async throws -> RecordBatch {
        try await read("read \(topic)/\(partition)") { db in
            let row = try TopicRow.find(topic, db)
            return row.isCompacted
                ? try LogTables.readLatest(db, row, partition: partition, from: from, limit: limit)
                : try LogTables.readBatches(db, row, partition: partition, from: from, limit: limit)
        }
    }

    package func savedState(group: String, partition: Int) async throws -> SavedState {
        try await read("read state of \(group)/\(partition)") { db in
            let entries = try Row.fetchAll(
                db, sql: "SELECT key, value FROM state WHERE consumer = ? AND partition = ? ORDER BY key", arguments: [group, partition]
            ).map { (key: Array($0["key"] as Data), value: Array($0["value"] as Data)) }
            let positions = try Row.fetchAll(
                db,
                sql: "SELECT name, partition, next FROM offsets JOIN topics ON topics.id = offsets.topic WHERE consumer = ?",
                arguments: [group]
            ).map { LogUnit.Position(topic: $0["name"], partition: $0["partition"], next: $0["next"]) }
            return SavedState(entries: entries, positions: positions)
        }
    }

    package func version(of topics: [String]) -> UInt64 { signal.version(of: topics) }

    package func waitForAppend(to topics: [String], after version: UInt64, timeout: Duration) async {
        await signal.wait(for: topics, after: version, timeout: timeout)
    }

    /// A file does not go away for a while.
    package func keepTrying() {}

    /// What is committed is in the file; nobody else waits for this process.
    package func close() async {}

    /// A consistent copy of the whole log in a new file.
    package func backup(to path: String) async throws {
        let target = try DatabaseQueue(path: path)
        try pool.backup(to: target)
    }

    func read<T: Sendable>(_ operation: String, _ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        do { return try await pool.read(body) } catch { throw Self.wrapped(error, operation) }
    }

    func write<T: Sendable>(_ operation: String, _ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        do { return try await pool.write(body) } catch { throw Self.wrapped(error, operation) }
    }

    /// A statement that the task's cancellation has interrupted is a cancellation, whatever the database calls it.
    private static func wrapped(_ error: any Error, _ operation: String) -> any Error {
        if error is CancellationError { return error }
        let isInterrupted = (error as? DatabaseError).map { [.SQLITE_INTERRUPT, .SQLITE_ABORT].contains($0.resultCode) } ?? false
        return isInterrupted && Task.isCancelled ? CancellationError() : EventLogError(error, during: operation)
    }

    private static func describe(_ partitions: Int, _ isCompacted: Bool) -> String {
        "\(partitions) partition\(partitions == 1 ? "" : "s")\(isCompacted ? ", compacted" : "")"
    }
}
