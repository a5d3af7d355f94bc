import Dispatch
import GRDB
import GRDBSQLite
import Synchronization

/// Copies what was committed from the write-ahead log into the database's file beside the writers, not in their commits.
///
/// Writers change the same pages again and again: the longer these wait for the file, the fewer are written twice. A log that
/// grows faster than it is copied is copied by the writer itself, so it has a limit.
final class Checkpointer: Sendable {
    /// Pages of the log from which on it is copied, and from which on the writer does it.
    private static let enough: CInt = 4_000, tooMany: CInt = 16_000

    private let path: String
    private let queue = DispatchQueue(label: "tracking-checkpoint", qos: .utility)
    private let isRunning = Atomic(false)

    init(path: String) { self.path = path }

    /// - Parameter db: The writer's connection, which must not outlive this object.
    func watch(_ db: Database) throws {
        let me = Unmanaged.passUnretained(self).toOpaque()
        sqlite3_wal_hook(
            db.sqliteConnection,
            { me, connection, _, pages in
                guard let me, pages >= Checkpointer.enough else { return SQLITE_OK }
                if pages >= Checkpointer.tooMany {
                    // What it says of itself says nothing of the commit, which has happened.
                    sqlite3_wal_checkpoint_v2(connection, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
                } else {
                    Unmanaged<Checkpointer>.fromOpaque(me).takeUnretainedValue().start()
                }
                return SQLITE_OK
            }, me)
    }

    private func start() {
        guard !isRunning.exchange(true, ordering: .acquiringAndReleasing) else { return }
        queue.async { [self] in
            defer { isRunning.store(false, ordering: .releasing) }
            var connection: SQLiteConnection?
            // It tries again after the next commit. A connection that has read nothing does not know of the log.
            if sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE, nil) == SQLITE_OK,
                sqlite3_exec(connection, "SELECT count(*) FROM sqlite_schema", nil, nil, nil) == SQLITE_OK
            {
                sqlite3_wal_checkpoint_v2(connection, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
            }
            sqlite3_close_v2(connection)
        }
    }

    /// Returns when nothing is copied any more.
    func finish() { queue.sync {} }
}
