import GRDB
import Tracking
import Web

extension MLflowImport {
    /// Traces with their spans, tags, metadata, assessments and links to runs.
    ///
    /// Newer servers keep names, sessions and counts of tokens in columns, older ones among tags and metadata.
    static let freshTraces = """
        SELECT s.request_id AS id, p.ours AS experiment FROM src.trace_info s JOIN temp.place p ON p.theirs = s.experiment_id
        WHERE s.request_id NOT IN (SELECT id FROM traces) ORDER BY s.timestamp_ms
        """

    /// Only these traces have files: those that their clients could not send as spans.
    static let traceFiles = """
        SELECT s.value AS source, n.value AS place FROM src.trace_info i JOIN traces t ON t.id = i.request_id
        JOIN src.trace_tags s ON s.request_id = i.request_id AND s.key = 'mlflow.artifactLocation'
        JOIN trace_tags n ON n.trace = t.seq AND n.key = 'mlflow.artifactLocation'
        WHERE NOT EXISTS (SELECT 1 FROM spans p WHERE p.trace = t.seq)
        """

    static func traces(_ db: Database, _ tables: Set<String>, _ report: inout Report) throws {
        let columns = try Set(String.fetchAll(db, sql: "SELECT name FROM pragma_table_info('trace_info', 'src')"))
        func column(_ name: String) -> String { columns.contains(name) ? "s." + name : "NULL" }
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO traces (id, experiment, request_time, duration, state, client_request_id, request_preview, response_preview)
                SELECT f.id, f.experiment, s.timestamp_ms, s.execution_time_ms,
                    CASE s.status WHEN 'TRACE_STATUS_UNSPECIFIED' THEN 'STATE_UNSPECIFIED' ELSE s.status END, \(column("client_request_id")),
                    \(column("request_preview")), \(column("response_preview"))
                FROM temp.fresh_traces f JOIN src.trace_info s ON s.request_id = f.id ORDER BY s.timestamp_ms
                """)
        report.traces = db.changesCount
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO trace_tags SELECT t.seq, s.key, CASE s.key WHEN 'mlflow.artifactLocation'
                    THEN 'mlflow-artifacts:/' || t.experiment || '/traces/' || t.id || '/artifacts' ELSE coalesce(s.value, '') END
                FROM temp.fresh_traces f JOIN traces t USING (id) JOIN src.trace_tags s ON s.request_id = f.id;
                INSERT OR IGNORE INTO trace_metadata SELECT t.seq, s.key, coalesce(s.value, '')
                FROM temp.fresh_traces f JOIN traces t USING (id) JOIN src.trace_request_metadata s ON s.request_id = f.id;
                """)
        if columns.contains("trace_name") {
            try db.execute(
                sql: """
                    INSERT OR IGNORE INTO trace_tags SELECT t.seq, 'mlflow.traceName', s.trace_name FROM temp.fresh_traces f
                    JOIN traces t USING (id) JOIN src.trace_info s ON s.request_id = f.id WHERE s.trace_name IS NOT NULL;
                    INSERT OR IGNORE INTO trace_metadata SELECT t.seq, 'mlflow.trace.session', s.session_id FROM temp.fresh_traces f
                    JOIN traces t USING (id) JOIN src.trace_info s ON s.request_id = f.id WHERE s.session_id IS NOT NULL;
                    """)
            try counts(db, columns, "mlflow.trace.tokenUsage", where: { $0.hasSuffix("_tokens") || $0.contains("_tokens_") })
            try counts(db, columns, "mlflow.trace.cost", where: { $0.hasSuffix("_cost") })
        }
        if tables.contains("spans") { try spans(db) }
        if tables.contains("assessments") { try assessments(db) }
        if tables.contains("entity_associations") {
            try db.execute(
                sql: """
                    INSERT OR IGNORE INTO trace_links SELECT t.seq, CASE s.destination_type WHEN 'run' THEN 'run' ELSE 'prompt' END, s.destination_id
                    FROM temp.fresh_traces f JOIN traces t USING (id) JOIN src.entity_associations s ON s.source_id = f.id
                    WHERE s.source_type = 'trace' AND s.destination_type IN ('run', 'prompt_version')
                    """)
        }
    }

    /// Numbers in columns of a trace, as the metadata that stands for them.
    private static func counts(_ db: Database, _ columns: Set<String>, _ key: String, where isOne: (String) -> Bool) throws {
        let names = [
            "input_tokens", "output_tokens", "total_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
            "cache_creation_input_tokens_above_1hr", "input_cost", "output_cost", "total_cost",
        ].filter { columns.contains($0) && isOne($0) }
        guard !names.isEmpty else { return }
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT t.seq, \(names.map { "s." + $0 }.joined(separator: ", ")) FROM temp.fresh_traces f JOIN traces t USING (id)
                JOIN src.trace_info s ON s.request_id = f.id WHERE coalesce(\(names.map { "s." + $0 }.joined(separator: ", ")), NULL) IS NOT NULL
                """)
        for row in rows {
            let members = names.compactMap { name -> JSONValue.Member? in
                let value: DatabaseValue = row[name]
                switch value.storage {
                case .int64(let number): return .init(name, .int(number))
                case .double(let number): return .init(name, .double(number))
                default: return nil
                }
            }
            try db.execute(
                sql: "INSERT OR IGNORE INTO trace_metadata VALUES (?, ?, ?)",
                arguments: [row["seq"] as Int64, key, PythonJSON.text(.object(members))])
        }
    }

    private static func spans(_ db: Database) throws {
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO spans
                SELECT t.seq, s.span_id, s.parent_span_id, coalesce(s.name, ''), s.type, s.status, s.start_time_unix_nano, s.end_time_unix_nano,
                    CASE WHEN json_valid(s.content) THEN json_extract(s.content, '$.attributes."mlflow.chat.tokenUsage"') END,
                    CASE WHEN json_valid(s.content) THEN json_extract(s.content, '$.attributes."mlflow.llm.cost"') END,
                    CASE WHEN json_valid(s.content) THEN trim(json_extract(s.content, '$.attributes."mlflow.llm.model"'), '"') END,
                    CASE WHEN json_valid(s.content) THEN trim(json_extract(s.content, '$.attributes."mlflow.llm.provider"'), '"') END,
                    s.content
                FROM temp.fresh_traces f JOIN traces t USING (id) JOIN src.spans s ON s.trace_id = f.id WHERE s.content != ''
                """)
    }

    private static func assessments(_ db: Database) throws {
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO assessments (id, trace, kind, name, value, number, error, source_type, source_id, create_time,
                    last_update_time, span, rationale, metadata, overrides, run, valid)
                SELECT s.assessment_id, t.seq, s.assessment_type, s.name, s.value,
                    CASE WHEN json_valid(s.value) AND json_type(s.value) IN ('integer', 'real') THEN CAST(s.value AS REAL) END,
                    s.error, s.source_type, s.source_id, s.created_timestamp, s.last_updated_timestamp, s.span_id, s.rationale,
                    s.assessment_metadata, s.overrides, s.run_id, s.valid
                FROM temp.fresh_traces f JOIN traces t USING (id) JOIN src.assessments s ON s.trace_id = f.id ORDER BY s.created_timestamp
                """)
    }
}
