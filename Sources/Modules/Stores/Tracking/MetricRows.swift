import Domain
import GRDB
import GRDBSQLite

/// Writes observations of one run, each as a row of its history and, when none is newer, as the latest of its metric.
///
/// A batch has up to a thousand of them, so numbers are bound as they are, with nothing boxed and no list made.
struct MetricRows {
    private let db: Database
    private let history: Statement
    private let latest: Statement

    init(run: Int64, experiment: Int64, _ db: Database) throws {
        self.db = db
        history = try db.cachedStatement(
            sql: "INSERT OR IGNORE INTO metrics (run, key, timestamp, step, value, is_nan) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        latest = try db.cachedStatement(
            sql: """
                INSERT INTO latest_metrics (run, key, timestamp, step, value, is_nan, experiment) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                ON CONFLICT (run, key) DO UPDATE SET
                timestamp = excluded.timestamp, step = excluded.step, value = excluded.value, is_nan = excluded.is_nan
                WHERE (excluded.step, excluded.timestamp, excluded.value) > (step, timestamp, value)
                """)
        for statement in [history, latest] { try check(sqlite3_bind_int64(statement.sqliteStatement, 1, run)) }
        try check(sqlite3_bind_int64(latest.sqliteStatement, 7, experiment))
    }

    /// - Parameter key: The number of the metric's name.
    func write(_ metric: Metric, key: Int64) throws {
        try insert(metric, key, history.sqliteStatement)
        try insert(metric, key, latest.sqliteStatement)
    }

    private func insert(_ metric: Metric, _ key: Int64, _ statement: SQLiteStatement) throws {
        let (value, isNaN) = metric.stored
        try check(sqlite3_bind_int64(statement, 2, key))
        try check(sqlite3_bind_int64(statement, 3, metric.timestamp))
        try check(sqlite3_bind_int64(statement, 4, metric.step))
        try check(sqlite3_bind_double(statement, 5, value))
        try check(sqlite3_bind_int64(statement, 6, isNaN ? 1 : 0))
        let code = sqlite3_step(statement)
        // Makes the statement ready for the next row, and says again what went wrong.
        try check(sqlite3_reset(statement))
        guard code == SQLITE_DONE else { throw failure(code) }
    }

    private func check(_ code: CInt) throws { if code != SQLITE_OK { throw failure(code) } }

    private func failure(_ code: CInt) -> DatabaseError {
        DatabaseError(resultCode: ResultCode(rawValue: code), message: db.sqliteConnection.map { String(cString: sqlite3_errmsg($0)) })
    }
}
