import GRDB
import GRDBSQLite

/// Rows of the tables of runs as values.
extension TrackingStore {
    /// In the order asked for; numbers that no run has are left out.
    static func infos(_ seqs: [Int64], _ db: Database) throws -> [(seq: Int64, info: RunInfo)] {
        let columns = "seq, id, name, experiment, user, status, start_time, end_time, artifact_uri, deleted"
        let (condition, arguments) = among(seqs)
        var known: [Int64: RunInfo] = [:]
        known.reserveCapacity(seqs.count)
        try eachRow(db.cachedStatement(sql: "SELECT \(columns) FROM runs WHERE seq \(condition)"), arguments) { row in
            guard let status = RunStatus(rawValue: text(row, 5)) else { return }
            let hasEnded = sqlite3_column_type(row, 7) != SQLITE_NULL
            known[sqlite3_column_int64(row, 0)] = RunInfo(
                id: text(row, 1), name: text(row, 2), experimentID: String(sqlite3_column_int64(row, 3)), user: text(row, 4),
                status: status, startTime: sqlite3_column_int64(row, 6), endTime: hasEnded ? sqlite3_column_int64(row, 7) : nil,
                artifactURI: text(row, 8), stage: sqlite3_column_int64(row, 9) != 0 ? .deleted : .active)
        }
        return seqs.compactMap { seq in known[seq].map { (seq, $0) } }
    }

    private static func text(_ row: SQLiteStatement, _ column: CInt) -> String {
        sqlite3_column_text(row, column).map { String(cString: $0) } ?? ""
    }

    /// Whole runs in the order asked for.
    func runs(_ seqs: [Int64], _ db: Database) throws -> [Run] {
        let infos = try Self.infos(seqs, db)
        var runs = infos.map { Run(info: $0.info) }
        let places = Dictionary(infos.enumerated().map { ($1.seq, $0) }) { first, _ in first }
        let (condition, arguments) = Self.among(seqs)
        func each(_ sql: String, _ end: String = "", _ body: (inout Run, Row) throws -> Void) throws {
            let rows = try Row.fetchCursor(db.cachedStatement(sql: "\(sql) \(condition)\(end)"), arguments: arguments)
            while let row = try rows.next() {
                if let place = places[row[0]] { try body(&runs[place], row) }
            }
        }
        /// Values of a table, each run's in one piece and sorted by name.
        func values<Element>(
            _ sql: String, _ read: (String, SQLiteStatement) -> Element, _ put: (inout Run, [Element]) -> Void
        ) throws {
            var seq: Int64?, values = NamedValues<Element>()
            func end() {
                let found = values.take()
                if let place = seq.flatMap({ places[$0] }) { put(&runs[place], found) }
            }
            try Self.eachRow(db.cachedStatement(sql: "\(sql) \(condition)"), arguments) { row in
                let next = sqlite3_column_int64(row, 0)
                if next != seq {
                    end()
                    seq = next
                }
                try values.add(sqlite3_column_int64(row, 1), name: { try name($0, db) }) { read($0, row) }
            }
            end()
        }
        try values("SELECT run, key, value, is_nan, timestamp, step FROM latest_metrics WHERE run", Self.latest) { $0.metrics = $1 }
        try values("SELECT run, key, value FROM params WHERE run", Self.pair) { $0.params = $1 }
        try values("SELECT run, key, value FROM tags WHERE run", Self.pair) { $0.tags = $1 }
        try each("SELECT i.run, i.tags, d.* FROM run_datasets i JOIN datasets d ON d.id = i.dataset WHERE i.run", " ORDER BY d.id") {
            $0.datasets.append(try Self.datasetInput($1))
        }
        try each("SELECT run, direction, model, step FROM run_models WHERE run") { run, row in
            let direction: String = row[1]
            if direction == "in" {
                run.modelInputs.append(row[2])
            } else {
                run.modelOutputs.append(ModelOutput(modelID: row[2], step: row[3]))
            }
        }
        return runs
    }

    /// A page of runs has thousands of values: their rows are handed out as the library has them.
    static func eachRow(
        _ statement: Statement, _ arguments: StatementArguments, _ body: (SQLiteStatement) throws -> Void
    ) throws {
        try statement.setArguments(arguments)
        let row = statement.sqliteStatement
        defer { sqlite3_reset(row) }
        while true {
            let code = sqlite3_step(row)
            if code == SQLITE_DONE { return }
            guard code == SQLITE_ROW else { throw DatabaseError(resultCode: ResultCode(rawValue: code), message: statement.sql) }
            try body(row)
        }
    }

    private static func latest(_ name: String, _ row: SQLiteStatement) -> Metric {
        let isNaN = sqlite3_column_int64(row, 3) != 0
        return Metric(
            name, isNaN ? .nan : sqlite3_column_double(row, 2), timestamp: sqlite3_column_int64(row, 4), step: sqlite3_column_int64(row, 5))
    }

    private static func pair(_ name: String, _ row: SQLiteStatement) -> KeyValue {
        KeyValue(name, text(row, 2))
    }

    static func metric(_ row: Row) -> Metric {
        Metric(row["name"], row["is_nan"] ? .nan : row["value"], timestamp: row["timestamp"], step: row["step"])
    }

    /// A condition that holds for these numbers and no other, behind a column's name.
    private static func among(_ numbers: [Int64]) -> (sql: String, arguments: StatementArguments) {
        numbers.count == 1 ? ("= ?", [numbers[0]]) : ("IN (SELECT value FROM json_each(?))", [list(numbers)])
    }

    /// Numbers as a JSON array, to bind a list of any length as one value.
    static func list(_ numbers: [Int64]) -> String { "[" + numbers.map(String.init).joined(separator: ",") + "]" }
}

/// Collects the values of one run after another, and sorts each run's by name.
///
/// Runs of a page mostly have the same names: what was found out for one run holds for the next.
private struct NamedValues<Element> {
    private var keys: [Int64] = []
    private var names: [String] = []
    /// The places of the values in the order of their names.
    private var order: [Int]?
    private var found: [Element] = []

    mutating func add(_ key: Int64, name: (Int64) throws -> String, _ make: (String) -> Element) rethrows {
        let place = found.count
        if place == keys.count || keys[place] != key {
            let name = try name(key)
            keys.removeLast(keys.count - place)
            names.removeLast(names.count - place)
            keys.append(key)
            names.append(name)
            order = nil
        }
        found.append(make(names[place]))
    }

    /// The values since the last time.
    mutating func take() -> [Element] {
        if keys.count > found.count {
            keys.removeLast(keys.count - found.count)
            names.removeLast(names.count - found.count)
            order = nil
        }
        let order = order ?? names.indices.sorted { names[$0] < names[$1] }
        self.order = order
        defer { found.removeAll(keepingCapacity: true) }
        return order.map { found[$0] }
    }
}
