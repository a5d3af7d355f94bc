import GRDB
import Tracking
import Web

extension MLflowDownload {
    private static let traceAPI = "/api/3.0/mlflow/traces"
    private static let pageSize = 100

    /// The traces of an experiment; a server from before there were any has no such route, and none of them.
    func traces(of experiment: String, _ database: DatabaseQueue) async throws {
        var token: String?
        repeat {
            var call = JSONClient.Call(.post, Self.traceAPI + "/search", isIdempotent: true)
            call.body = JSONWriter.object { writer in
                writer.key("locations")
                writer.array { writer in
                    writer.object { writer in
                        writer.field("type", "MLFLOW_EXPERIMENT")
                        writer.key("mlflow_experiment")
                        writer.object { $0.field("experiment_id", experiment) }
                    }
                }
                writer.field("max_results", Int64(Self.pageSize))
                writer.field("page_token", token)
            }
            let answer: JSONValue
            do throws(HTTPFailure) {
                answer = try await http.json(call)
            } catch {
                if case .status(404) = error.code { return }
                throw error
            }
            let page = answer["traces"]?.array ?? []
            let spans = try await spans(of: page.compactMap { $0["trace_id"]?.string })
            try await database.write { db in
                for trace in page { try Self.insert(trace: trace, experiment: experiment, db) }
                for span in spans { try Self.insert(span: span, db) }
            }
            token = answer["next_page_token"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        } while token != nil
    }

    private func spans(of ids: [String]) async throws -> [TraceSpan] {
        var found: [TraceSpan] = []
        for id in ids {
            var call = JSONClient.Call(.get, Self.traceAPI + "/get")
            call.query = [("trace_id", id), ("allow_partial", "true")]
            // A trace whose spans are a file comes without; the file is copied like any other.
            guard let answer = try? await http.json(call) else { continue }
            found += (answer["trace"]?["spans"]?.array ?? []).compactMap { TraceSpan(protocol: $0) }
        }
        return found
    }

    private static func insert(trace: JSONValue, experiment: String, _ db: Database) throws {
        guard let id = trace["trace_id"]?.string else { return }
        let time = trace["request_time"]?.string.flatMap { TraceTime.milliseconds($0) }
        let duration = trace["execution_duration"]?.string.flatMap { TraceTime.milliseconds(ofDuration: $0) }
        try db.execute(
            sql: "INSERT OR REPLACE INTO trace_info VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                id, Int64(experiment), time ?? 0, duration, trace["state"]?.string ?? "STATE_UNSPECIFIED",
                trace["client_request_id"]?.string, trace["request_preview"]?.string, trace["response_preview"]?.string,
            ])
        for (table, name) in [("trace_tags", "tags"), ("trace_request_metadata", "trace_metadata")] {
            for member in trace[name]?.members ?? [] {
                try db.execute(sql: "INSERT INTO \(table) VALUES (?, ?, ?)", arguments: [member.key, member.value.string, id])
            }
        }
        for assessment in trace["assessments"]?.array ?? [] { try insert(assessment: assessment, trace: id, db) }
    }

    private static func insert(assessment: JSONValue, trace: String, _ db: Database) throws {
        let kind = ["feedback", "expectation", "issue"].first { assessment[$0] != nil } ?? "feedback"
        let said = assessment[kind] ?? .null
        let value =
            kind == "issue" ? PythonJSON.text(said) : said["serialized_value"]?["value"]?.string ?? PythonJSON.text(said["value"] ?? .null)
        try db.execute(
            sql: "INSERT OR REPLACE INTO assessments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?, ?)",
            arguments: [
                assessment["assessment_id"]?.string, trace, assessment["assessment_name"]?.string ?? "", kind, value,
                said["error"].map { PythonJSON.text($0) }, assessment["create_time"]?.string.flatMap { TraceTime.milliseconds($0) } ?? 0,
                assessment["last_update_time"]?.string.flatMap { TraceTime.milliseconds($0) } ?? 0,
                assessment["source"]?["source_type"]?.string ?? "", assessment["source"]?["source_id"]?.string,
                assessment["span_id"]?.string, assessment["rationale"]?.string, assessment["overrides"]?.string,
                assessment["valid"]?.bool ?? true, assessment["metadata"].map { PythonJSON.text($0) },
            ])
    }

    private static func insert(span: TraceSpan, _ db: Database) throws {
        try db.execute(
            sql: "INSERT OR REPLACE INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                span.traceID, span.id, span.parent, span.name, span.type, span.status.rawValue, span.start, span.end, span.content,
            ])
    }

    static let traceTables = """
        CREATE TABLE trace_info (
            request_id TEXT PRIMARY KEY, experiment_id INT, timestamp_ms INT, execution_time_ms INT, status TEXT, client_request_id TEXT,
            request_preview TEXT, response_preview TEXT
        );
        CREATE TABLE trace_tags (key TEXT, value TEXT, request_id TEXT);
        CREATE INDEX trace_tags_by_trace ON trace_tags (request_id);
        CREATE TABLE trace_request_metadata (key TEXT, value TEXT, request_id TEXT);
        CREATE INDEX trace_metadata_by_trace ON trace_request_metadata (request_id);
        CREATE TABLE spans (
            trace_id TEXT, span_id TEXT, parent_span_id TEXT, name TEXT, type TEXT, status TEXT, start_time_unix_nano INT,
            end_time_unix_nano INT, content TEXT, PRIMARY KEY (trace_id, span_id)
        );
        CREATE TABLE assessments (
            assessment_id TEXT PRIMARY KEY, trace_id TEXT, name TEXT, assessment_type TEXT, value TEXT, error TEXT, created_timestamp INT,
            last_updated_timestamp INT, source_type TEXT, source_id TEXT, run_id TEXT, span_id TEXT, rationale TEXT, overrides TEXT,
            valid INT, assessment_metadata TEXT
        );
        CREATE INDEX assessments_by_trace ON assessments (trace_id);
        """
}
