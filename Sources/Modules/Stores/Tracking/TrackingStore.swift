package import Domain
import GRDB
import Synchronization

/// Experiments, runs and logged models in one SQLite file.
///
/// Every call is one transaction. The store reads no clock: callers say what time it is.
package struct TrackingStore: Sendable {
    package let database: TrackingDatabase
    private let names = KnownNames()

    /// What a client puts in front of a path to reach the server's artefacts.
    package static let artifactScheme = "mlflow-artifacts:/"

    /// - Parameter database: Opened with ``TrackingSchema/migrations``.
    package init(database: TrackingDatabase) { self.database = database }

    /// Creates the experiment `0`, `Default`, when it is missing.
    package func prepare(now: EventTime.Milliseconds) async throws(TrackingError) {
        try await database.write { db in
            try db.execute(
                sql: "INSERT OR IGNORE INTO experiments VALUES (0, 'Default', ?, 0, ?, ?)",
                arguments: [Self.artifactScheme + "0", now, now])
        }
    }

    /// 32 hexadecimal digits from the system's random source.
    static func randomID() -> String {
        let digits = [UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max)].map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        return digits.joined()
    }

    // MARK: Shared by the extensions

    /// The number of a name of a metric, parameter or tag.
    static func nameID(_ name: String, _ db: Database) throws -> Int64 {
        let find = try db.cachedStatement(sql: "SELECT id FROM names WHERE name = ?")
        if let id = try Int64.fetchOne(find, arguments: [name]) { return id }
        try db.cachedStatement(sql: "INSERT INTO names (name) VALUES (?)").execute(arguments: [name])
        return db.lastInsertedRowID
    }

    /// The same through what this store has seen committed before: a name never changes its number.
    func knownNameID(_ name: String, _ db: Database) throws -> Int64 {
        if let id = names[name] { return id }
        let id = try Self.nameID(name, db)
        db.afterNextTransaction { [names] _ in names.remember(name, id) }
        return id
    }

    /// The name behind a number of ``nameID(_:_:)``.
    func name(_ id: Int64, _ db: Database) throws -> String {
        if let name = names[id] { return name }
        let find = try db.cachedStatement(sql: "SELECT name FROM names WHERE id = ?")
        guard let name = try String.fetchOne(find, arguments: [id]) else {
            throw TrackingError(.internalError, "the tracking database has values without a name (\(id))")
        }
        // What a writer reads may still be taken back.
        if db.configuration.readonly { names.remember(name, id) }
        return name
    }

    struct RunRow {
        let seq: Int64
        let experiment: Int64
        let isDeleted: Bool
    }

    static func runRow(_ id: String, _ db: Database) throws -> RunRow {
        let statement = try db.cachedStatement(sql: "SELECT seq, experiment, deleted FROM runs WHERE id = ?")
        guard let row = try Row.fetchOne(statement, arguments: [id]) else {
            try Validation.runID(id)
            throw TrackingError(.doesNotExist, "Run with id=\(id) not found")
        }
        return RunRow(seq: row["seq"], experiment: row["experiment"], isDeleted: row["deleted"])
    }

    /// The run, refused when it is deleted.
    static func activeRun(_ id: String, _ db: Database) throws -> RunRow {
        let row = try runRow(id, db)
        guard !row.isDeleted else {
            throw TrackingError(.invalidParameter, "The run \(id) must be in the 'active' state. Current state is deleted.")
        }
        return row
    }
}

/// Names that are in the database for good, and their numbers.
private final class KnownNames: Sendable {
    private struct Known {
        var numbers: [String: Int64] = [:]
        var names: [Int64: String] = [:]
    }

    private let known = Mutex(Known())
    /// A client that makes up names without end empties the memory instead of filling it.
    private static let limit = 20_000

    subscript(name: String) -> Int64? { known.withLock { $0.numbers[name] } }
    subscript(number: Int64) -> String? { known.withLock { $0.names[number] } }

    func remember(_ name: String, _ number: Int64) {
        known.withLock { known in
            if known.numbers.count >= Self.limit { known = Known() }
            known.numbers[name] = number
            known.names[number] = name
        }
    }
}
