import GRDB

/// Rows of the tables of runs as values.
extension TrackingStore {
    /// In the order asked for; numbers that no run has are left out.
    static func infos(_ seqs: [Int64], _ db: Database) throws -> [(seq: Int64, info: RunInfo)] {
        let columns = "seq, id, name, experiment, user, status, start_time, end_time, artifact_uri, deleted"
        let (condition, arguments) = among(seqs)
        let rows = try Row.fetchCursor(
            db.cachedStatement(sql: "SELECT \(columns) FROM runs WHERE seq \(condition)"), arguments: arguments)
        var known: [Int64: RunInfo] = [:]
        known.reserveCapacity(seqs.count)
        while let row = try rows.next() {
            guard let status = RunStatus(rawValue: row[5]) else { continue }
            known[row[0]] = RunInfo(
                id: row[1], name: row[2], experimentID: String(row[3] as Int64), user: row[4], status: status, startTime: row[6],
                endTime: row[7], artifactURI: row[8], stage: row[9] ? .deleted : .active)
        }
        return seqs.compactMap { seq in known[seq].map { (seq, $0) } }
    }

    /// Whole runs in the order asked for.
    func runs(_ seqs: [Int64], _ db: Database) throws -> [Run] {
        let infos = try Self.infos(seqs, db)
        var runs = infos.map { Run(info: $0.info) }
        let places = Dictionary(infos.enumerated().map { ($1.seq, $0) }) { first, _ in first }
        let (condition, arguments) = Self.among(seqs)
        // Rows of one run follow each other, so that most of them need no look at `places`.
        func each(_ sql: String, _ end: String = "", _ body: (inout Run, Row) throws -> Void) throws {
            let rows = try Row.fetchCursor(db.cachedStatement(sql: "\(sql) \(condition)\(end)"), arguments: arguments)
            var place: (seq: Int64, index: Int)?
            while let row = try rows.next() {
                let seq: Int64 = row[0]
                if place?.seq != seq { place = places[seq].map { (seq, $0) } }
                if let place { try body(&runs[place.index], row) }
            }
        }
        try each("SELECT run, key, value, is_nan, timestamp, step FROM latest_metrics WHERE run") { run, row in
            let name = try name(row[1], db)
            run.metrics.append(Metric(name, row[3] ? .nan : row[2], timestamp: row[4], step: row[5]))
        }
        try each("SELECT run, key, value FROM params WHERE run") { $0.params.append(KeyValue(try name($1[1], db), $1[2])) }
        try each("SELECT run, key, value FROM tags WHERE run") { $0.tags.append(KeyValue(try name($1[1], db), $1[2])) }
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
        for index in runs.indices { runs[index].sort() }
        return runs
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

extension Run {
    fileprivate mutating func sort() {
        metrics.sort { $0.key < $1.key }
        params.sort { $0.key < $1.key }
        tags.sort { $0.key < $1.key }
    }
}
