import Domain
import GRDB

extension TrackingStore {
    package static let maxBatchMetrics = 1_000, maxBatchParams = 100, maxBatchTags = 100, maxBatchItems = 1_000

    /// Metrics, parameters and tags in one transaction: all of them are there afterwards, or none.
    ///
    /// An observation that is already there is dropped, so a repeated batch changes nothing.
    /// - Throws: `invalidParameter` when a parameter has another value already.
    package func logBatch(run id: String, metrics: [Metric] = [], params: [KeyValue] = [], tags: [KeyValue] = [])
        async throws(TrackingError)
    {
        try Self.checkBatch(metrics, params, tags)
        try await database.write { db in
            let row = try Self.activeRun(id, db)
            for param in params { try Self.logParam(param, row.seq, id, db) }
            try Self.logMetrics(metrics, row, id, db)
            for tag in tags {
                try Self.setTag(tag, row.seq, db)
                if tag.key == Self.nameTag, !tag.value.isEmpty {
                    try db.execute(sql: "UPDATE runs SET name = ? WHERE seq = ?", arguments: [tag.value, row.seq])
                }
            }
        }
    }

    /// One metric, with errors that name the plain parameter.
    package func logMetric(run id: String, _ metric: Metric) async throws(TrackingError) {
        try Validation.metric(metric)
        try await database.write { db in try Self.logMetrics([metric], Self.activeRun(id, db), id, db) }
    }

    package func logParam(run id: String, _ param: KeyValue) async throws(TrackingError) {
        try Validation.param(param)
        try await database.write { db in try Self.logParam(param, Self.activeRun(id, db).seq, id, db) }
    }

    private static func checkBatch(_ metrics: [Metric], _ params: [KeyValue], _ tags: [KeyValue]) throws(TrackingError) {
        for (count, limit, what) in [
            (metrics.count, maxBatchMetrics, "metrics"), (params.count, maxBatchParams, "params"), (tags.count, maxBatchTags, "tags"),
            (metrics.count + params.count + tags.count, maxBatchItems, "metrics, params and tags"),
        ] where count > limit {
            throw TrackingError(
                .invalidParameter,
                "A batch logging request can contain at most \(limit) \(what). Got \(count) \(what). Please split up \(what) across multiple requests and try again."
            )
        }
        for (index, metric) in metrics.enumerated() { try Validation.metric(metric, at: "metrics[\(index)].name") }
        for (index, param) in params.enumerated() { try Validation.param(param, at: "params[\(index)].key") }
        for (index, tag) in tags.enumerated() { try Validation.tag(tag, at: "tags[\(index)].key") }
        var values: [String: String] = [:]
        for param in params {
            guard values.updateValue(param.value, forKey: param.key) ?? param.value == param.value else {
                throw TrackingError(.invalidParameter, "Duplicate parameter keys have been submitted: \(param.key)")
            }
        }
    }

    private static func logParam(_ param: KeyValue, _ run: Int64, _ id: String, _ db: Database) throws {
        let key = try nameID(param.key, db)
        let find = try db.cachedStatement(sql: "SELECT value FROM params WHERE run = ? AND key = ?")
        if let known = try String.fetchOne(find, arguments: [run, key]) {
            guard known == param.value else {
                throw TrackingError(
                    .invalidParameter,
                    "Changing param values is not allowed. Param with key='\(param.key)' was already logged with value='\(known)' for run ID='\(id)'. Attempted logging new value '\(param.value)'."
                )
            }
            return
        }
        try db.cachedStatement(sql: "INSERT INTO params VALUES (?, ?, ?)").execute(arguments: [run, key, param.value])
    }

    private static func logMetrics(_ metrics: [Metric], _ run: RunRow, _ id: String, _ db: Database) throws {
        guard !metrics.isEmpty else { return }
        let insert = try db.cachedStatement(sql: "INSERT OR IGNORE INTO metrics VALUES (?, ?, ?, ?, ?, ?)")
        let latest = try db.cachedStatement(
            sql: """
                INSERT INTO latest_metrics VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, key) DO UPDATE SET
                timestamp = excluded.timestamp, step = excluded.step, value = excluded.value, is_nan = excluded.is_nan
                WHERE (excluded.step, excluded.timestamp, excluded.value) > (step, timestamp, value)
                """)
        var keys: [String: Int64] = [:]
        for metric in metrics {
            let key = try keys[metric.key] ?? nameID(metric.key, db)
            keys[metric.key] = key
            let (value, isNaN) = metric.stored
            try insert.execute(arguments: [run.seq, key, metric.timestamp, metric.step, value, isNaN])
            try latest.execute(arguments: [run.seq, key, run.experiment, metric.timestamp, metric.step, value, isNaN])
            if let model = metric.modelID, !model.isEmpty { try logModelMetric(metric, model: model, run: id, db) }
        }
    }

    /// Every observation of one metric of a run by (timestamp, step, value).
    package func history(run id: String, key: String, maxResults: Int?, pageToken: String?) async throws(TrackingError) -> Paged<Metric> {
        let offset = try PageToken.offset(of: pageToken)
        return try await database.read { db in
            let row = try Self.runRow(id, db)
            let statement = try db.cachedStatement(
                sql: """
                    SELECT ? AS name, value, is_nan, timestamp, step FROM metrics
                    WHERE run = ? AND key = (SELECT id FROM names WHERE name = ?) ORDER BY timestamp, step, value LIMIT ? OFFSET ?
                    """)
            let rows = try Row.fetchAll(
                statement, arguments: [key, row.seq, key, maxResults.map { Int64($0) + 1 } ?? -1, offset])
            return PageToken.page(rows.map { Self.metric($0) }, offset: offset, limit: maxResults ?? .max)
        }
    }

    /// At most about `maxPoints` observations of a metric over a range of steps, first and last kept, for a chart.
    package func sampledHistory(
        run id: String, key: String, steps: ClosedRange<Int64> = .min ... .max, maxPoints: Int
    ) async throws(TrackingError) -> [Metric] {
        let limit = max(2, maxPoints)
        return try await database.read { db in
            let row = try Self.runRow(id, db)
            let rows = try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT ? AS name, value, is_nan, timestamp, step FROM metrics
                        WHERE run = ? AND key = (SELECT id FROM names WHERE name = ?) AND step BETWEEN ? AND ? ORDER BY step, timestamp, value
                        """),
                arguments: [key, row.seq, key, steps.lowerBound, steps.upperBound])
            guard rows.count > limit else { return rows.map { Self.metric($0) } }
            return (0..<limit).map { Self.metric(rows[$0 * (rows.count - 1) / (limit - 1)]) }
        }
    }
}
