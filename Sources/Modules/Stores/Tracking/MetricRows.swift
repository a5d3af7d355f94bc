import Domain
import GRDB
import GRDBSQLite

/// One observation as the tables have it.
struct MetricPoint {
    let run: Int64
    /// The number of the metric's name.
    let key: Int64
    let timestamp: Int64
    let step: Int64
    /// Finite, or NaN.
    let value: Double

    init(_ metric: Metric, run: Int64, key: Int64) {
        let (value, isNaN) = metric.stored
        self.init(run: run, key: key, timestamp: metric.timestamp, step: metric.step, value: isNaN ? .nan : value)
    }

    init(run: Int64, key: Int64, timestamp: Int64, step: Int64, value: Double) {
        self.run = run
        self.key = key
        self.timestamp = timestamp
        self.step = step
        self.value = value
    }
}

/// Writes observations, each as a row of the history.
struct HistoryRows {
    private var rows: PointRows

    init(_ db: Database) throws {
        rows = try PointRows(
            "INSERT OR IGNORE INTO metrics (run, key, timestamp, step, value, is_nan) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", db)
    }

    mutating func write(_ point: MetricPoint) throws { try rows.write(point) }
}

/// Writes observations of one run, each as the latest of its metric when none is newer.
struct LatestRows {
    private var rows: PointRows

    init(run: Int64, experiment: Int64, _ db: Database) throws {
        rows = try PointRows(
            """
            INSERT INTO latest_metrics (run, key, timestamp, step, value, is_nan, experiment) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT (run, key) DO UPDATE SET
            timestamp = excluded.timestamp, step = excluded.step, value = excluded.value, is_nan = excluded.is_nan
            WHERE (excluded.step, excluded.timestamp, excluded.value) > (step, timestamp, value)
            """, db)
        try rows.bind(experiment, at: 7)
    }

    mutating func write(_ point: MetricPoint) throws { try rows.write(point) }
}

/// Runs one statement for observation after observation: numbers are bound as they are, with nothing boxed and no list made.
private struct PointRows {
    private let db: Database
    private let statement: SQLiteStatement

    init(_ sql: String, _ db: Database) throws {
        self.db = db
        statement = try db.cachedStatement(sql: sql).sqliteStatement
    }

    func bind(_ number: Int64, at place: CInt) throws { try check(sqlite3_bind_int64(statement, place, number)) }

    func write(_ point: MetricPoint) throws {
        let isNaN = point.value.isNaN
        try bind(point.run, at: 1)
        try bind(point.key, at: 2)
        try bind(point.timestamp, at: 3)
        try bind(point.step, at: 4)
        try check(sqlite3_bind_double(statement, 5, isNaN ? 0 : point.value))
        try bind(isNaN ? 1 : 0, at: 6)
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
