import Foundation
package import GRDB
import Synchronization

/// The one SQLite file behind runs and registry; one process owns it, everybody else asks that process over HTTP.
package struct TrackingDatabase: Sendable {
    package struct Migration: Sendable {
        /// Never changes once released.
        package let name: String
        package let sql: String

        package init(_ name: String, sql: String) {
            self.name = name
            self.sql = sql
        }
    }

    package let path: String
    let pool: DatabasePool
    /// For what is answered at once.
    let shortcut: Shortcut
    let checkpointer: Checkpointer

    /// How long a writer waits for one of another process.
    static let busyMilliseconds: CInt = 10_000

    /// What becomes of a schema that is not this program's.
    package enum Mode: Sendable {
        /// For the one process that owns the file: an older schema is brought up to date.
        case owner
        /// For who writes beside the owner, whose statements are made for the schema as it is. Any other is refused.
        case guest
        /// The same without writing, so that it never keeps the owner waiting.
        case reader
    }

    /// Opens the file; makes it, with this program's schema, when it is missing and not only to be read.
    ///
    /// - Parameters:
    ///   - migrations: All that this program knows, oldest first.
    ///   - isDurable: Whether a commit survives a loss of power; the end of a process it always survives.
    ///   - maxReaders: How many requests read at once; the others wait.
    /// - Throws: `invalidState` when a newer program has migrated the file: its rows may mean something else by now. For a
    ///   guest or reader also when an older program has.
    package static func open(
        path: String, mode: Mode = .owner, migrations: [Migration], isDurable: Bool = false, maxReaders: Int = 4
    ) async throws -> TrackingDatabase {
        let isNew = !FileManager.default.fileExists(atPath: path)
        let folder = (path as NSString).deletingLastPathComponent
        if !folder.isEmpty { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }
        var configuration = Configuration()
        configuration.busyMode = .timeout(Double(busyMilliseconds) / 1_000)
        configuration.maximumReaderCount = maxReaders
        configuration.label = "tracking"
        configuration.readonly = mode == .reader
        configuration.foreignKeysEnabled = false
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA synchronous = NORMAL")
            try db.execute(sql: "PRAGMA cache_size = -2048")
            try db.execute(sql: "PRAGMA journal_size_limit = 67108864")
            db.add(function: SearchPattern.function())
        }
        do {
            let pool = try DatabasePool(path: path, configuration: configuration)
            // Said once it is open: the pool itself says NORMAL on its way into the write-ahead log.
            if isDurable { try await pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") } }
            if mode == .owner || isNew {
                try await pool.write { try migrate($0, migrations, path: path) }
            } else {
                try await pool.read { try requireSame($0, migrations, path: path) }
            }
            let checkpointer = Checkpointer(path: path)
            try await pool.writeWithoutTransaction { try checkpointer.watch($0) }
            let shortcut = try Shortcut(path: path, configuration, isDurable: isDurable)
            return TrackingDatabase(path: path, pool: pool, shortcut: shortcut, checkpointer: checkpointer)
        } catch {
            throw TrackingError(error)
        }
    }

    private static func migrate(_ db: Database, _ migrations: [Migration], path: String) throws {
        try db.execute(sql: "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY) WITHOUT ROWID")
        let applied = try Set(String.fetchAll(db, sql: "SELECT name FROM migrations"))
        try requireKnown(applied, migrations, path: path)
        for migration in migrations where !applied.contains(migration.name) {
            try db.execute(sql: migration.sql)
            try db.execute(sql: "INSERT INTO migrations VALUES (?)", arguments: [migration.name])
        }
    }

    private static func requireKnown(_ applied: Set<String>, _ migrations: [Migration], path: String) throws(TrackingError) {
        let unknown = applied.subtracting(migrations.map(\.name))
        guard unknown.isEmpty else {
            throw TrackingError(
                .invalidState,
                "\(path) was migrated by a newer program (\(unknown.sorted().joined(separator: ", "))); use that program or a newer one")
        }
    }

    private static func requireSame(_ db: Database, _ migrations: [Migration], path: String) throws {
        guard try db.tableExists("migrations") else { throw TrackingError(.invalidState, "\(path) is no tracking database") }
        let applied = try Set(String.fetchAll(db, sql: "SELECT name FROM migrations"))
        try requireKnown(applied, migrations, path: path)
        let missing = migrations.map(\.name).filter { !applied.contains($0) }
        guard missing.isEmpty else {
            throw TrackingError(
                .invalidState,
                "\(path) is of an older program (without \(missing.joined(separator: ", "))), whose server may be running: use that program, or start this one's server on it once, which brings it up to date"
            )
        }
    }

    package func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(TrackingError) -> Value {
        do { return try await pool.read(body) } catch { throw TrackingError(error) }
    }

    /// One transaction: when `body` throws, nothing of it stays.
    package func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(TrackingError) -> Value {
        shortcut.writers.wrappingAdd(1, ordering: .sequentiallyConsistent)
        defer { shortcut.writers.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
        do { return try await pool.write(body) } catch { throw TrackingError(error) }
    }

    /// One transaction of many: others write for as long after it as it took, so that long work keeps nobody out.
    package func writeInTurn<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        let start = ContinuousClock.now
        let value = try await write(body)
        try await Task.sleep(for: min(.seconds(1), max(.milliseconds(1), start.duration(to: .now))))
        return value
    }

    /// For statements that cannot stand in a transaction, such as attaching another file; `body` begins its own.
    package func withoutTransaction<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(TrackingError) -> Value {
        shortcut.writers.wrappingAdd(1, ordering: .sequentiallyConsistent)
        defer { shortcut.writers.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
        do { return try await pool.writeWithoutTransaction(body) } catch { throw TrackingError(error) }
    }

    /// Checkpoints and closes; for a clean stop.
    package func close() throws {
        checkpointer.finish()
        try shortcut.close()
        try pool.close()
    }
}
