package import Domain
import GRDB
import Web

/// Traces in the tracking database.
///
/// Every call is one transaction. The store reads no clock: callers say what time it is.
package struct TraceStore: Sendable {
    package let database: TrackingDatabase

    /// - Parameter database: Opened with ``TrackingSchema/migrations``.
    package init(database: TrackingDatabase) { self.database = database }

    // MARK: Begin and end

    /// Takes over a trace as a client knows it; one that is here already, from its spans, takes what the client says.
    package func start(_ trace: TraceInfo) async throws(TrackingError) -> TraceInfo {
        let experiment = try Validation.experimentID(trace.experimentID)
        try Self.check(trace)
        return try await database.write { db in
            let known = try Int64.fetchOne(db, sql: "SELECT seq FROM traces WHERE id = ?", arguments: [trace.id])
            try TrackingStore.checkActive(experiment, db)
            let seq: Int64
            if let known {
                seq = known
                try db.execute(
                    sql: """
                        UPDATE traces SET experiment = ?, request_time = ?, duration = ?, state = ?, client_request_id = ?,
                        request_preview = coalesce(?, request_preview), response_preview = coalesce(?, response_preview) WHERE seq = ?
                        """,
                    arguments: [
                        experiment, trace.requestTime, trace.duration, trace.state.rawValue, trace.clientRequestID, trace.requestPreview,
                        trace.responsePreview, seq,
                    ])
            } else {
                seq = try Self.insert(trace, experiment, db)
            }
            try Self.set("trace_tags", trace.tags + [try Self.location(trace.id, experiment, db)], seq, db)
            let metadata = trace.metadata.compactMap { Self.normal($0) } + [KeyValue(TraceKey.finalized, "true")]
            try Self.set("trace_metadata", metadata, seq, db)
            for assessment in trace.assessments { try Self.put(assessment, seq, db) }
            return try Self.trace(seq, db)
        }
    }

    /// Begins a trace in the manner of clients before 3.0.
    package func startOld(
        experiment: String, time: EventTime.Milliseconds, metadata: [KeyValue], tags: [KeyValue]
    ) async throws(TrackingError) -> TraceInfo {
        let number = try Validation.experimentID(experiment)
        let trace = TraceInfo(
            id: TrackingStore.randomID(), experimentID: experiment, requestTime: time, state: .inProgress, metadata: metadata, tags: tags)
        try Self.check(trace)
        return try await database.write { db in
            try TrackingStore.checkActive(number, db)
            let seq = try Self.insert(trace, number, db)
            try Self.set("trace_tags", trace.tags + [try Self.location(trace.id, number, db)], seq, db)
            try Self.set("trace_metadata", trace.metadata.compactMap { Self.normal($0) }, seq, db)
            return try Self.trace(seq, db)
        }
    }

    package func endOld(
        id: String, time: EventTime.Milliseconds, state: TraceState, metadata: [KeyValue], tags: [KeyValue]
    ) async throws(TrackingError) -> TraceInfo {
        try Self.check(metadata: metadata, tags: tags)
        return try await database.write { db in
            let seq = try Self.seq(id, db)
            try db.execute(
                sql: "UPDATE traces SET duration = ? - request_time, state = ? WHERE seq = ?", arguments: [time, state.rawValue, seq])
            try Self.set("trace_tags", tags, seq, db)
            try Self.set("trace_metadata", metadata.compactMap { Self.normal($0) }, seq, db)
            return try Self.trace(seq, db)
        }
    }

    // MARK: Read

    package func trace(id: String) async throws(TrackingError) -> TraceInfo {
        try await database.read { try Self.trace(try Self.seq(id, $0), $0) }
    }

    /// Those that are here, each once, in the order asked for.
    /// - Parameter experiments: Only traces of these; `nil` for all.
    package func traces(ids: [String], experiments: [String]? = nil) async throws(TrackingError) -> [TraceInfo] {
        let wanted = experiments.map { Set($0) }
        return try await database.read { db in
            let seqs = try Int64.fetchAll(
                db, sql: "SELECT t.seq FROM json_each(?) j CROSS JOIN traces t ON t.id = j.value GROUP BY t.seq ORDER BY min(j.key)",
                arguments: [TrackingStore.textList(ids)])
            return try Self.traces(seqs, db).filter { wanted?.contains($0.experimentID) ?? true }
        }
    }

    /// The spans of a trace: those without a parent first, then by their start.
    package func spans(ofTrace id: String) async throws(TrackingError) -> [TraceSpan] {
        try await contents(ofTrace: id).compactMap { TraceSpan(content: $0) }
    }

    /// The same as the JSON text that is stored.
    package func contents(ofTrace id: String) async throws(TrackingError) -> [String] {
        try await database.read { db in
            try String.fetchAll(
                db, sql: "SELECT content FROM spans WHERE trace = ? ORDER BY parent IS NOT NULL, start_ns, id",
                arguments: [try Self.seq(id, db)])
        }
    }

    /// The run that made a trace, and those it was linked to.
    package func runs(ofTrace id: String) async throws(TrackingError) -> [String] {
        try await database.read { db in
            try String.fetchAll(
                db,
                sql: """
                    SELECT value FROM trace_metadata WHERE trace = ?1 AND key = 'mlflow.sourceRun'
                    UNION SELECT target FROM trace_links WHERE trace = ?1 AND kind = 'run' LIMIT 20
                    """, arguments: [try Self.seq(id, db)])
        }
    }

    /// How many traces a run made or was linked to, up to a limit.
    package func count(ofRun run: String, limit: Int) async throws(TrackingError) -> Int {
        try await database.read { db in
            try Int.fetchOne(
                db,
                sql: """
                    SELECT count(*) FROM (SELECT trace FROM trace_metadata WHERE key = 'mlflow.sourceRun' AND value = ?1
                    UNION SELECT trace FROM trace_links WHERE kind = 'run' AND target = ?1 LIMIT ?2)
                    """, arguments: [run, limit]) ?? 0
        }
    }

    // MARK: Change

    package func setTag(trace id: String, _ tag: KeyValue) async throws(TrackingError) {
        let tag = try Self.tag(tag)
        try await database.write { db in try Self.set("trace_tags", [tag], try Self.seq(id, db), db) }
    }

    package func deleteTag(trace id: String, key: String) async throws(TrackingError) {
        try await database.write { db in
            try db.execute(sql: "DELETE FROM trace_tags WHERE trace = ? AND key = ?", arguments: [try Self.seq(id, db), key])
            guard db.changesCount > 0 else {
                throw TrackingError(.doesNotExist, "No trace tag with key '\(key)' for trace with ID '\(id)'")
            }
        }
    }

    /// Removes traces for good, the oldest first.
    ///
    /// - Parameters:
    ///   - time: Those that began at it or before; `nil` to go by `ids`.
    ///   - limit: How many at most.
    /// - Returns: The ids of those that are gone.
    package func delete(
        experiment: String, until time: EventTime.Milliseconds?, limit: Int64?, ids: [String]
    ) async throws(TrackingError) -> [String] {
        guard time != nil || !ids.isEmpty else {
            throw TrackingError(.invalidParameter, "Either `max_timestamp_millis` or `trace_ids` must be specified.")
        }
        guard time == nil || ids.isEmpty else {
            throw TrackingError(.invalidParameter, "Only one of `max_timestamp_millis` and `trace_ids` can be specified.")
        }
        guard ids.isEmpty || limit == nil else {
            throw TrackingError(.invalidParameter, "`max_traces` can't be specified if `trace_ids` is specified.")
        }
        if let limit, limit <= 0 {
            throw TrackingError(.invalidParameter, "`max_traces` must be a positive integer, received \(limit).")
        }
        let number = try Validation.experimentID(experiment)
        return try await database.write { db in
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT seq, id FROM traces WHERE experiment = ? AND (? IS NULL OR request_time <= ?)
                    AND (? OR id IN (SELECT value FROM json_each(?))) ORDER BY request_time, id LIMIT ?
                    """,
                arguments: [number, time, time, ids.isEmpty, TrackingStore.textList(ids), limit ?? -1])
            let seqs = TrackingStore.list(rows.map { $0["seq"] })
            try db.execute(sql: "DELETE FROM traces WHERE seq IN (SELECT value FROM json_each(?))", arguments: [seqs])
            return rows.map { $0["id"] }
        }
    }

    package static let maxLinks = 100

    /// Says that traces belong to a run, besides what their clients noted; traces that are not here are left out.
    package func link(traces ids: [String], toRun run: String) async throws(TrackingError) {
        guard ids.count <= Self.maxLinks else {
            throw TrackingError(
                .invalidParameter,
                "Cannot link more than \(Self.maxLinks) traces to a run in a single request. Provided \(ids.count) traces.")
        }
        try await database.write { db in
            for id in ids {
                try db.execute(
                    sql: "INSERT OR IGNORE INTO trace_links SELECT seq, 'run', ? FROM traces WHERE id = ?", arguments: [run, id])
            }
        }
    }

    /// - Parameter versions: Each as `name/version`.
    package func link(trace id: String, toPrompts versions: [String]) async throws(TrackingError) {
        try await database.write { db in
            let seq = try Self.seq(id, db)
            for version in versions {
                try db.execute(sql: "INSERT OR IGNORE INTO trace_links VALUES (?, 'prompt', ?)", arguments: [seq, version])
            }
        }
    }
}

extension TraceStore {
    // MARK: Rows

    static func notFound(_ id: String) -> TrackingError {
        TrackingError(.doesNotExist, "Trace with ID '\(Validation.shown(id))' not found.")
    }

    static func seq(_ id: String, _ db: Database) throws -> Int64 {
        let statement = try db.cachedStatement(sql: "SELECT seq FROM traces WHERE id = ?")
        guard let seq = try Int64.fetchOne(statement, arguments: [id]) else { throw notFound(id) }
        return seq
    }

    static func insert(_ trace: TraceInfo, _ experiment: Int64, _ db: Database) throws -> Int64 {
        try db.cachedStatement(
            sql: """
                INSERT INTO traces (id, experiment, request_time, duration, state, client_request_id, request_preview, response_preview)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            trace.id, experiment, trace.requestTime, trace.duration, trace.state.rawValue, trace.clientRequestID, trace.requestPreview,
            trace.responsePreview,
        ])
        return db.lastInsertedRowID
    }

    /// Where files of a trace belong.
    static func location(_ id: String, _ experiment: Int64, _ db: Database) throws -> KeyValue {
        let root = try TrackingStore.experiment(experiment, db).artifactLocation
        return KeyValue(TraceKey.artifactLocation, (root.hasSuffix("/") ? root : root + "/") + "traces/\(id)/artifacts")
    }

    static func set(_ table: String, _ pairs: [KeyValue], _ trace: Int64, _ db: Database) throws {
        let statement = try db.cachedStatement(
            sql: "INSERT INTO \(table) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value")
        for pair in pairs { try statement.execute(arguments: [trace, pair.key, pair.value]) }
    }

    static func trace(_ seq: Int64, _ db: Database) throws -> TraceInfo {
        guard let trace = try traces([seq], db).first else { throw notFound("\(seq)") }
        return trace
    }

    /// In the order of the numbers, with everything but the spans.
    static func traces(_ seqs: [Int64], _ db: Database) throws -> [TraceInfo] {
        let wanted = TrackingStore.list(seqs)
        var found: [Int64: TraceInfo] = [:]
        func each(_ table: String, _ body: (inout TraceInfo, Row) throws -> Void) throws {
            let statement = try db.cachedStatement(
                sql: "SELECT v.* FROM json_each(?) j CROSS JOIN \(table) v ON v.trace = j.value")
            let rows = try Row.fetchCursor(statement, arguments: [wanted])
            while let row = try rows.next() {
                guard let index = found.index(forKey: row["trace"] as Int64) else { continue }
                try body(&found.values[index], row)
            }
        }
        let statement = try db.cachedStatement(sql: "SELECT t.* FROM json_each(?) j CROSS JOIN traces t ON t.seq = j.value")
        let rows = try Row.fetchCursor(statement, arguments: [wanted])
        while let row = try rows.next() {
            found[row["seq"]] = TraceInfo(
                id: row["id"], experimentID: String(row["experiment"] as Int64), requestTime: row["request_time"],
                duration: row["duration"], state: TraceState(rawValue: row["state"]) ?? .unspecified,
                clientRequestID: row["client_request_id"], requestPreview: row["request_preview"], responsePreview: row["response_preview"])
        }
        try each("trace_tags") { $0.tags.append(KeyValue($1["key"], $1["value"])) }
        try each("trace_metadata") { $0.metadata.append(KeyValue($1["key"], $1["value"])) }
        try each("assessments") { trace, row in trace.assessments.append(Self.assessment(row, trace: trace.id)) }
        return seqs.compactMap { found[$0] }
    }

    // MARK: Limits

    static func check(_ trace: TraceInfo) throws(TrackingError) {
        guard Validation.isIdentifier(trace.id, limit: 50) else {
            throw TrackingError(.invalidParameter, "Invalid trace ID: '\(Validation.shown(trace.id))'")
        }
        guard EventTime.range.contains(trace.requestTime) else {
            throw TrackingError(.invalidParameter, "Invalid value \(trace.requestTime) for parameter 'request_time' supplied.")
        }
        try check(metadata: trace.metadata, tags: trace.tags)
        for text in [trace.requestPreview, trace.responsePreview] {
            try Validation.length(text ?? "", limit: 100_000, "preview")
        }
        try Validation.length(trace.clientRequestID ?? "", limit: 500, "client_request_id")
    }

    static func check(metadata: [KeyValue], tags: [KeyValue]) throws(TrackingError) {
        guard metadata.count <= 1_000, tags.count <= 1_000 else {
            throw TrackingError(.invalidParameter, "A trace can have at most 1000 tags and 1000 metadata")
        }
        for pair in metadata + tags {
            guard !pair.key.isEmpty else { throw TrackingError(.invalidParameter, "A tag or metadata of a trace has an empty key") }
            try Validation.length(pair.key, limit: 250, "key")
            try Validation.length(pair.value, limit: 100_000, "value")
        }
    }

    /// A tag as it is stored: a long value loses its end.
    static func tag(_ tag: KeyValue) throws(TrackingError) -> KeyValue {
        // The length first: the protocol says it differently of traces than of runs.
        guard tag.key.unicodeScalars.count <= 250 else {
            throw TrackingError(.invalidParameter, "'key' exceeds the maximum length of 250 characters")
        }
        return try Validation.tag(tag)
    }

    /// Counts of tokens and costs in one order and spelling, whatever the client's; `nil` when there are none.
    static func normal(_ metadata: KeyValue) -> KeyValue? {
        switch metadata.key {
        case TraceKey.tokenUsage: TokenUsage(json: metadata.value).map { KeyValue(metadata.key, $0.text) }
        case TraceKey.cost: TokenCost(json: metadata.value).map { KeyValue(metadata.key, $0.text) }
        default: metadata
        }
    }
}
