import GRDB
import Web

extension TraceStore {
    /// One delivery of spans; more are refused, so that a request stays a short transaction.
    package static let maxSpans = 20_000

    /// Stores spans and brings their traces up to date, making those that are new.
    ///
    /// A span that comes again replaces what was known of it.
    /// - Parameter run: The run that traces whose first span is among these belong to.
    package func log(_ received: [OTLPRequest.Received], experiment: String, run: String? = nil) async throws(TrackingError) {
        let number = try Validation.experimentID(experiment)
        guard received.count <= Self.maxSpans else {
            throw TrackingError(.invalidParameter, "At most \(Self.maxSpans) spans can be sent at once; got \(received.count)")
        }
        var order: [String] = [], groups: [String: Batch] = [:]
        for one in received {
            var span = one.span
            span.translate()
            if groups[span.traceHex] == nil { order.append(span.traceHex) }
            groups[span.traceHex, default: Batch(resource: one.resource)].spans.append(span)
        }
        let batches = order.compactMap { groups[$0] }
        try await database.write { db in
            _ = try TrackingStore.experiment(number, db)
            for batch in batches { try Self.log(batch, number, run: run, db) }
        }
    }

    /// The spans of one trace in one delivery.
    struct Batch: Sendable {
        var spans: [TraceSpan] = []
        let resource: [JSONValue.Member]

        init(resource: [JSONValue.Member]) { self.resource = resource }

        var root: TraceSpan? { spans.last { $0.parent == nil } }
        /// Milliseconds since the Unix epoch.
        var start: Int64 { (spans.map(\.start).min() ?? 0) / 1_000_000 }
        var end: Int64? { spans.compactMap(\.end).max().map { $0 / 1_000_000 } }
        var state: TraceState? { root.map { $0.status == .error ? .error : .ok } }

        func text(_ keys: String...) -> String? {
            for span in spans {
                for key in keys { if let text = span.text(key), !text.isEmpty { return text } }
            }
            return nil
        }
    }

    private static func log(_ batch: Batch, _ experiment: Int64, run: String?, _ db: Database) throws {
        guard let id = batch.spans.first?.traceID else { return }
        let known = try Row.fetchOne(db, sql: "SELECT * FROM traces WHERE id = ?", arguments: [id])
        let seq: Int64
        if let known {
            seq = known["seq"]
        } else {
            let trace = TraceInfo(
                id: id, experimentID: String(experiment), requestTime: batch.start, duration: batch.end.map { $0 - batch.start },
                state: batch.state ?? .inProgress)
            seq = try insert(trace, experiment, db)
            try set("trace_tags", [try location(id, experiment, db)], seq, db)
        }
        for span in batch.spans { try put(span, seq, db) }
        let metadata = try Dictionary(
            Row.fetchAll(db, sql: "SELECT key, value FROM trace_metadata WHERE trace = ?", arguments: [seq])
                .map { ($0["key"] as String, $0["value"] as String) }
        ) { first, _ in first }
        if let known { try update(known, batch, isFinal: metadata[TraceKey.finalized] != nil, db) }
        try preview(batch, seq, db)
        try set("trace_metadata", try totals(batch, metadata, seq, db), seq, db)
        try set("trace_tags", tags(batch), seq, db)
        if let run, batch.root != nil {
            try db.execute(sql: "INSERT OR IGNORE INTO trace_links VALUES (?, 'run', ?)", arguments: [seq, run])
        }
    }

    static func put(_ span: TraceSpan, _ trace: Int64, _ db: Database) throws {
        let statement = try db.cachedStatement(
            sql: """
                INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET parent = excluded.parent,
                name = excluded.name, type = excluded.type, status = excluded.status, start_ns = excluded.start_ns, end_ns = excluded.end_ns,
                usage = excluded.usage, cost = excluded.cost, model = excluded.model, provider = excluded.provider, content = excluded.content
                """)
        try statement.execute(arguments: [
            trace, span.id, span.parent, span.name, span.text(TraceSpan.typeKey), span.status.rawValue, span.start, span.end,
            span.attribute(TraceSpan.usageKey), span.attribute(TraceSpan.costKey), span.text(TraceSpan.modelKey),
            span.text(TraceSpan.providerKey), span.content,
        ])
    }

    /// A trace lasts from its first span's start to its last span's end, until its client says it better.
    private static func update(_ known: Row, _ batch: Batch, isFinal: Bool, _ db: Database) throws {
        var state: String = known["state"]
        if [TraceState.inProgress.rawValue, TraceState.unspecified.rawValue].contains(state), let new = batch.state {
            state = new.rawValue
        }
        var start: Int64 = known["request_time"], duration: Int64? = known["duration"]
        if !isFinal {
            let ends = [duration.map { start + $0 }, batch.end].compactMap { $0 }
            start = min(start, batch.start)
            duration = ends.max().map { $0 - start }
        }
        try db.execute(
            sql: "UPDATE traces SET state = ?, request_time = ?, duration = ? WHERE seq = ?",
            arguments: [state, start, duration, known["seq"] as Int64])
    }

    private static func preview(_ batch: Batch, _ seq: Int64, _ db: Database) throws {
        guard let root = batch.root else { return }
        let request = root.attribute(TraceSpan.inputsKey).map { TracePreview.text($0, role: "user") }
        let response = root.attribute(TraceSpan.outputsKey).map { TracePreview.text($0, role: "assistant") }
        guard request != nil || response != nil else { return }
        try db.execute(
            sql: """
                UPDATE traces SET request_preview = coalesce(request_preview, ?), response_preview = coalesce(response_preview, ?)
                WHERE seq = ?
                """, arguments: [request, response, seq])
    }

    /// Tokens, costs, session and user of the whole trace, as far as the client has not said them itself.
    private static func totals(_ batch: Batch, _ known: [String: String], _ seq: Int64, _ db: Database) throws -> [KeyValue] {
        var found: [KeyValue] = []
        let isFinal = known[TraceKey.finalized] != nil
        func spans(_ column: String) throws -> [(id: String, parent: String?, json: String?)] {
            try Row.fetchAll(db, sql: "SELECT id, parent, \(column) AS said FROM spans WHERE trace = ?", arguments: [seq])
                .map { ($0["id"], $0["parent"], $0["said"]) }
        }
        if batch.spans.contains(where: { $0.attribute(TraceSpan.usageKey) != nil }), !isFinal || known[TraceKey.tokenUsage] == nil,
            let usage = TokenUsage.total(try spans("usage"))
        {
            found.append(KeyValue(TraceKey.tokenUsage, usage.text))
        }
        if batch.spans.contains(where: { $0.attribute(TraceSpan.costKey) != nil }), !isFinal || known[TraceKey.cost] == nil,
            let cost = TokenCost.total(try spans("cost"))
        {
            found.append(KeyValue(TraceKey.cost, cost.text))
        }
        if known[TraceKey.session] == nil, let session = batch.text("session.id", "gen_ai.conversation.id") {
            try Validation.length(session, limit: 250, "Session ID")
            found.append(KeyValue(TraceKey.session, session))
        }
        if known[TraceKey.user] == nil, let user = batch.text("user.id") {
            found.append(KeyValue(TraceKey.user, String(user.prefix(8_000))))
        }
        return found
    }

    /// Where the spans are, what the program is, and the tags that a client sends along with the first span.
    private static func tags(_ batch: Batch) -> [KeyValue] {
        var tags = [KeyValue(TraceKey.spansLocation, TraceKey.trackingStore)]
        for member in batch.resource where !member.key.hasPrefix("telemetry.sdk.") && !member.key.hasPrefix("mlflow.") {
            if let tag = try? tag(KeyValue(member.key, member.value.string ?? PythonJSON.text(member.value, isASCII: true))) {
                tags.append(tag)
            }
        }
        let prefix = "mlflow.traceTag."
        for attribute in batch.root?.attributes ?? [] where attribute.key.hasPrefix(prefix) {
            let key = String(attribute.key.dropFirst(prefix.count))
            guard !TraceKey.ownTags.contains(key), let tag = try? tag(KeyValue(key, attribute.value.string ?? attribute.json)) else {
                continue
            }
            tags.append(tag)
        }
        return tags
    }
}
