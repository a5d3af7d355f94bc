import GRDB
import GRDBSQLite
import Synchronization

/// What one request does to the database, as one transaction.
///
/// A task runs it and waits as long as it takes. Where nothing may wait, on an event loop, it is run at once if it can be.
package struct TrackingOperation<Value: Sendable>: Sendable {
    let writes: Bool
    /// Whether it may be run at once. Reads that take too long are also broken off; writes never are.
    let isBrief: @Sendable (Database) throws -> Bool
    let body: @Sendable (Database) throws -> Value

    static func read(
        isBrief: @escaping @Sendable (Database) throws -> Bool = { _ in true }, _ body: @escaping @Sendable (Database) throws -> Value
    ) -> Self { Self(writes: false, isBrief: isBrief, body: body) }

    static func write(
        isBrief: @escaping @Sendable (Database) throws -> Bool = { _ in true }, _ body: @escaping @Sendable (Database) throws -> Value
    ) -> Self { Self(writes: true, isBrief: isBrief, body: body) }

    /// The same with something made of what comes out.
    package func map<Other: Sendable>(_ make: @escaping @Sendable (Value) -> Other) -> TrackingOperation<Other> {
        TrackingOperation<Other>(writes: writes, isBrief: isBrief) { [body] db in make(try body(db)) }
    }
}

extension TrackingDatabase {
    package func run<Value: Sendable>(_ operation: TrackingOperation<Value>) async throws(TrackingError) -> Value {
        if operation.writes { try await write(operation.body) } else { try await read(operation.body) }
    }

    /// The same here and now.
    /// - Returns: `nil`, and nothing has happened, when it would have to wait, for another
    ///   writer, another reader or the disk, or would take long.
    package func runNow<Value: Sendable>(_ operation: TrackingOperation<Value>) throws(TrackingError) -> Value? {
        do {
            return try operation.writes ? shortcut.write(operation, pool) : shortcut.read(operation)
        } catch let error as DatabaseError where [.SQLITE_BUSY, .SQLITE_LOCKED, .SQLITE_INTERRUPT].contains(error.resultCode) {
            return nil
        } catch {
            throw TrackingError(error)
        }
    }
}

/// A way into the database that never waits.
final class Shortcut: Sendable {
    /// Who writes or waits to.
    let writers = Atomic(0)
    private let reader: Mutex<DatabaseQueue>
    /// A commit that waits for the disk is not for an event loop.
    private let isDurable: Bool

    init(path: String, _ configuration: Configuration, isDurable: Bool) throws {
        self.isDurable = isDurable
        var configuration = configuration
        configuration.readonly = true
        configuration.busyMode = .immediateError
        reader = Mutex(try DatabaseQueue(path: path, configuration: configuration))
    }

    func read<Value: Sendable>(_ operation: TrackingOperation<Value>) throws -> Value? {
        try reader.withLockIfAvailable { reader in
            try reader.inDatabase { db in
                try Self.execute("BEGIN", db)
                defer { sqlite3_exec(db.sqliteConnection, "COMMIT", nil, nil, nil) }
                return try Self.limited(db) { try operation.isBrief(db) ? operation.body(db) : nil }
            }
        } ?? nil
    }

    /// After how many steps of the database's machine, each some ten nanoseconds, a look is taken, and how many looks there are.
    private static let stepsPerLook: CInt = 1_000, maxLooks = 100

    /// - Throws: `SQLITE_INTERRUPT` when the statements together take longer than an event loop may stand still.
    private static func limited<Value>(_ db: Database, _ body: () throws -> Value) rethrows -> Value {
        var looks = 0
        return try withUnsafeMutablePointer(to: &looks) { looks in
            sqlite3_progress_handler(
                db.sqliteConnection, stepsPerLook,
                { looks in
                    guard let looks = looks?.assumingMemoryBound(to: Int.self) else { return 0 }
                    looks.pointee += 1
                    return looks.pointee > Shortcut.maxLooks ? 1 : 0
                }, looks)
            defer { sqlite3_progress_handler(db.sqliteConnection, 0, nil, nil) }
            return try body()
        }
    }

    func write<Value: Sendable>(_ operation: TrackingOperation<Value>, _ pool: DatabasePool) throws -> Value? {
        guard !isDurable,
            writers.compareExchange(expected: 0, desired: 1, ordering: .sequentiallyConsistent).exchanged
        else { return nil }
        defer { writers.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
        return try pool.writeWithoutTransaction { db in
            // Another process may be writing.
            sqlite3_busy_timeout(db.sqliteConnection, 0)
            defer { sqlite3_busy_timeout(db.sqliteConnection, TrackingDatabase.busyMilliseconds) }
            var value: Value?
            try db.inTransaction(.immediate) {
                guard try operation.isBrief(db) else { return .rollback }
                value = try operation.body(db)
                return .commit
            }
            return value
        }
    }

    func close() throws { try reader.withLock { try $0.close() } }

    private static func execute(_ sql: String, _ db: Database) throws {
        let code = sqlite3_exec(db.sqliteConnection, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw DatabaseError(resultCode: ResultCode(rawValue: code), sql: sql) }
    }
}
