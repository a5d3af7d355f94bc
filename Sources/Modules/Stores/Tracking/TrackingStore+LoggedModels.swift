package import Domain
import GRDB

extension TrackingStore {
    package func createLoggedModel(
        experiment: String, name: String?, type: String, sourceRun: String, params: [KeyValue], tags: [KeyValue],
        now: EventTime.Milliseconds
    ) async throws(TrackingError) -> LoggedModel {
        let number = try Validation.experimentID(experiment)
        let given = name.flatMap { $0.isEmpty ? nil : $0 }
        if let given { try Self.checkModelName(given) }
        try Validation.length(type, limit: 500, "Model type")
        if !sourceRun.isEmpty { try Validation.runID(sourceRun) }
        let params = try Validation.all(params, "params") { (param, place) throws(TrackingError) in try Validation.param(param, at: place())
        }
        let tags = try Validation.all(tags, "tags") { (tag, place) throws(TrackingError) in try Validation.tag(tag, at: place()) }
        var generator = SystemRandomNumberGenerator()
        let final = given ?? RunName.random(using: &generator)
        let id = "m-" + Self.randomID()
        return try await database.write { db in
            try Self.checkActive(number, db)
            let location = try Self.experiment(number, db).artifactLocation
            let uri = (location.hasSuffix("/") ? location : location + "/") + "models/\(id)/artifacts"
            try db.execute(
                sql: """
                    INSERT INTO logged_models (id, experiment, name, type, source_run, status, artifact_uri, creation_time, last_update_time)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [id, number, final, type, sourceRun, LoggedModelStatus.pending.rawValue, uri, now, now])
            let seq = db.lastInsertedRowID
            try Self.addModelParams(params, seq, db)
            try Self.setModelTags(tags, seq, db)
            return try Self.loggedModel(id, db)
        }
    }

    package func loggedModel(id: String) async throws(TrackingError) -> LoggedModel {
        try await database.read { try Self.loggedModel(id, $0) }
    }

    package func finalizeLoggedModel(id: String, status: LoggedModelStatus, now: EventTime.Milliseconds) async throws(TrackingError)
        -> LoggedModel
    {
        try await changeModel(id, now) { seq, db in
            try db.execute(sql: "UPDATE logged_models SET status = ? WHERE seq = ?", arguments: [status.rawValue, seq])
        }
    }

    package func setLoggedModelTags(id: String, _ tags: [KeyValue], now: EventTime.Milliseconds) async throws(TrackingError) -> LoggedModel
    {
        let tags = try Validation.all(tags, "tags") { (tag, place) throws(TrackingError) in try Validation.tag(tag, at: place()) }
        return try await changeModel(id, now) { seq, db in try Self.setModelTags(tags, seq, db) }
    }

    /// Adds parameters: all of them, or none when one is there already, whatever its value.
    package func logLoggedModelParams(id: String, _ params: [KeyValue], now: EventTime.Milliseconds) async throws(TrackingError) {
        let params = try Validation.all(params, "params") { (param, place) throws(TrackingError) in try Validation.param(param, at: place())
        }
        _ = try await changeModel(id, now) { seq, db in try Self.addModelParams(params, seq, db) }
    }

    package func deleteLoggedModelTag(id: String, key: String, now: EventTime.Milliseconds) async throws(TrackingError) {
        _ = try await changeModel(id, now) { seq, db in
            try db.execute(sql: "DELETE FROM logged_model_tags WHERE model = ? AND key = ?", arguments: [seq, key])
            guard db.changesCount > 0 else {
                throw TrackingError(.doesNotExist, "No tag with key '\(key)' found for model with ID '\(id)'.")
            }
        }
    }

    package func deleteLoggedModel(id: String, now: EventTime.Milliseconds) async throws(TrackingError) {
        try await database.write { db in
            let seq = try Self.loggedModelRow(id, db)["seq"] as Int64
            try db.execute(sql: "UPDATE logged_models SET deleted = 1, last_update_time = ? WHERE seq = ?", arguments: [now, seq])
        }
    }

    /// Adds an observation of a metric of a logged model; one that is there already changes nothing.
    static func logModelMetric(_ metric: Metric, model: String, run: String, _ db: Database) throws {
        let seq = try loggedModelRow(model, db)["seq"] as Int64
        let (value, isNaN) = metric.stored
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO logged_model_metrics
                (model, key, dataset_name, dataset_digest, run, timestamp, step, value, is_nan) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                seq, metric.key, metric.dataset?.name ?? "", metric.dataset?.digest ?? "", run, metric.timestamp, metric.step, value, isNaN,
            ])
    }

    /// Refuses logged models of experiments out of reach: who may write into a run may not write through it into those.
    ///
    /// Asked inside the transaction that writes.
    static func require(_ scope: AccessScope, models: some Sequence<String>, _ db: Database) throws {
        guard !scope.isAll else { return }
        let find = try db.cachedStatement(
            sql: """
                SELECT CAST(e.id AS TEXT) AS id, e.name FROM logged_models l JOIN experiments e ON e.id = l.experiment
                WHERE l.id = ? AND l.deleted = 0
                """)
        for model in Set(models) where !model.isEmpty {
            guard let row = try Row.fetchOne(find, arguments: [model]) else {
                throw TrackingError(.doesNotExist, "Logged model with ID '\(Validation.shown(model))' not found.")
            }
            guard scope.contains(row["id"]) || scope.contains(row["name"]) else {
                throw TrackingError(.permissionDenied, "Permission denied: your token does not reach the logged model '\(model)'")
            }
        }
    }

    // MARK: Rows

    private func changeModel(
        _ id: String, _ now: EventTime.Milliseconds, _ body: @escaping @Sendable (Int64, Database) throws -> Void
    ) async throws(TrackingError) -> LoggedModel {
        try await database.write { db in
            let seq = try Self.loggedModelRow(id, db)["seq"] as Int64
            try body(seq, db)
            try db.execute(sql: "UPDATE logged_models SET last_update_time = ? WHERE seq = ?", arguments: [now, seq])
            return try Self.loggedModel(id, db)
        }
    }

    private static func loggedModelRow(_ id: String, _ db: Database) throws -> Row {
        let statement = try db.cachedStatement(sql: "SELECT * FROM logged_models WHERE id = ? AND deleted = 0")
        guard let row = try Row.fetchOne(statement, arguments: [id]) else {
            throw TrackingError(.doesNotExist, "Logged model with ID '\(Validation.shown(id))' not found.")
        }
        return row
    }

    static func loggedModel(_ id: String, _ db: Database) throws -> LoggedModel {
        let row = try loggedModelRow(id, db)
        let seq: Int64 = row["seq"]
        func pairs(_ table: String) throws -> [KeyValue] {
            try Row.fetchAll(db, sql: "SELECT key, value FROM \(table) WHERE model = ? ORDER BY key", arguments: [seq])
                .map { KeyValue($0["key"], $0["value"]) }
        }
        let metrics = try Row.fetchAll(
            db, sql: "SELECT * FROM logged_model_metrics WHERE model = ? ORDER BY key, timestamp, step, run", arguments: [seq]
        ).map { row -> (metric: Metric, run: String) in
            let name: String = row["dataset_name"], digest: String = row["dataset_digest"]
            let metric = Metric(
                row["key"], row["is_nan"] ? .nan : row["value"], timestamp: row["timestamp"], step: row["step"], modelID: id,
                dataset: name.isEmpty ? nil : (name, digest))
            return (metric, row["run"])
        }
        return LoggedModel(
            id: id, experimentID: String(row["experiment"] as Int64), name: row["name"], type: row["type"], sourceRun: row["source_run"],
            status: LoggedModelStatus(rawValue: row["status"]) ?? .pending, artifactURI: row["artifact_uri"],
            creationTime: row["creation_time"], lastUpdateTime: row["last_update_time"], params: try pairs("logged_model_params"),
            tags: try pairs("logged_model_tags"), metrics: metrics)
    }

    private static func setModelTags(_ tags: [KeyValue], _ model: Int64, _ db: Database) throws {
        for tag in tags {
            try db.execute(sql: "INSERT OR REPLACE INTO logged_model_tags VALUES (?, ?, ?)", arguments: [model, tag.key, tag.value])
        }
    }

    private static func addModelParams(_ params: [KeyValue], _ model: Int64, _ db: Database) throws {
        for param in params {
            try db.execute(sql: "INSERT OR IGNORE INTO logged_model_params VALUES (?, ?, ?)", arguments: [model, param.key, param.value])
            guard db.changesCount > 0 else {
                throw TrackingError(
                    .badRequest,
                    "Parameters of a logged model do not change: '\(Validation.shown(param.key))' has been logged already, and none of these was logged now."
                )
            }
        }
    }

    private static func checkModelName(_ name: String) throws(TrackingError) {
        try Validation.length(name, limit: 500, "Model name")
        guard !name.contains(where: { "/:.%\"'".contains($0) }) else {
            throw TrackingError(
                .invalidParameter,
                "Invalid model name ('\(Validation.shown(name))') provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '\"', \"'\")"
            )
        }
    }
}
