import Domain
import GRDB

extension TrackingStore {
    package static let maxBatchMetrics = 1_000, maxBatchParams = 100, maxBatchTags = 100, maxBatchItems = 1_000

    /// Metrics, parameters and tags in one transaction: all of them are there afterwards, or none.
    ///
    /// An observation that is already there is dropped, so a repeated batch changes nothing.
    /// - Parameter scope: Of whoever logs: metrics of logged models of other experiments are refused.
    /// - Throws: `invalidParameter` when a parameter has another value already.
    package func logBatch(
        run id: String, metrics: [Metric] = [], params: [KeyValue] = [], tags: [KeyValue] = [], scope: AccessScope = .all
    ) async throws(TrackingError) {
        try await database.run(loggingBatch(run: id, metrics: metrics, params: params, tags: tags, scope: scope))
    }

    package func loggingBatch(
        run id: String, metrics: [Metric] = [], params: [KeyValue] = [], tags: [KeyValue] = [], scope: AccessScope = .all
    ) throws(TrackingError) -> TrackingOperation<Void> {
        let (params, tags) = try Self.checkedBatch(metrics, params, tags)
        return .write { db in
            try MetricBatches.isRoomy(db)
        } _: { db in
            let row = try Self.activeRun(id, db)
            try Self.require(scope, models: metrics.lazy.compactMap(\.modelID), db)
            for param in params { try Self.logParam(param, row.seq, id, db) }
            try self.logMetrics(metrics, row, id, db)
            for tag in tags {
                try Self.setTag(tag, row.seq, db)
                if tag.key == Self.nameTag, !tag.value.isEmpty {
                    try db.execute(sql: "UPDATE runs SET name = ? WHERE seq = ?", arguments: [tag.value, row.seq])
                }
            }
        }
    }

    /// One metric, with errors that name the plain parameter.
    package func logMetric(run id: String, _ metric: Metric, scope: AccessScope = .all) async throws(TrackingError) {
        try await database.run(loggingMetric(run: id, metric, scope: scope))
    }

    package func loggingMetric(
        run id: String, _ metric: Metric, scope: AccessScope = .all
    ) throws(TrackingError) -> TrackingOperation<Void> {
        try Validation.metric(metric)
        return .write { [self] db in
            try Self.require(scope, models: CollectionOfOne(metric).lazy.compactMap(\.modelID), db)
            try logMetrics([metric], Self.activeRun(id, db), id, db)
        }
    }

    package func logParam(run id: String, _ param: KeyValue) async throws(TrackingError) {
        try await database.run(loggingParam(run: id, param))
    }

    package func loggingParam(run id: String, _ param: KeyValue) throws(TrackingError) -> TrackingOperation<Void> {
        let param = try Validation.param(param)
        return .write { db in try Self.logParam(param, Self.activeRun(id, db).seq, id, db) }
    }

    /// - Returns: Parameters and tags as they are stored.
    private static func checkedBatch(
        _ metrics: [Metric], _ params: [KeyValue], _ tags: [KeyValue]
    ) throws(TrackingError) -> (params: [KeyValue], tags: [KeyValue]) {
        for (count, limit, what) in [
            (metrics.count, maxBatchMetrics, "metrics"), (params.count, maxBatchParams, "params"), (tags.count, maxBatchTags, "tags"),
            (metrics.count + params.count + tags.count, maxBatchItems, "metrics, params, and tags"),
        ] where count > limit {
            throw TrackingError(
                .invalidParameter,
                "A batch logging request can contain at most \(limit) \(what). Got \(count) \(what). Please split up \(what) across multiple requests and try again."
            )
        }
        for (index, metric) in metrics.enumerated() { try Validation.metric(metric, at: "metrics[\(index)].name") }
        let params = try Validation.all(params, "params") { (param, place) throws(TrackingError) in try Validation.param(param, at: place())
        }
        let tags = try Validation.all(tags, "tags") { (tag, place) throws(TrackingError) in try Validation.tag(tag, at: place()) }
        var keys: Set<String> = []
        for param in params where !keys.insert(param.key).inserted {
            throw TrackingError(
                .invalidParameter,
                "Duplicate parameter keys have been submitted: ['\(Validation.shown(param.key))']. Please ensure the request contains only one param value per param key."
            )
        }
        return (params, tags)
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

    private func logMetrics(_ metrics: [Metric], _ run: RunRow, _ id: String, _ db: Database) throws {
        guard !metrics.isEmpty else { return }
        var rows = try LatestRows(run: run.seq, experiment: run.experiment, db)
        var points: [MetricPoint] = []
        points.reserveCapacity(metrics.count)
        for metric in metrics {
            let point = MetricPoint(metric, run: run.seq, key: try knownNameID(metric.key, db))
            try rows.write(point)
            points.append(point)
            if let model = metric.modelID, !model.isEmpty { try Self.logModelMetric(metric, model: model, run: id, db) }
        }
        try MetricBatches.add(points, run: run.seq, db)
    }
}
