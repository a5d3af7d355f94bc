import Foundation
import Testing
import Tracking
import Web

@testable import TrackRole

/// The trace routes over HTTP: what MLflow's own server answers, to the byte where a client could tell.
@Suite struct TraceRouteTests {
    private func start(_ server: TrackServer, _ id: String, experiment: String = "0", _ more: String = "") async -> TrackServer.Outcome {
        await server.call(
            .post, "/api/3.0/mlflow/traces",
            #"{"trace":{"trace_info":{"trace_id":"\#(id)","trace_location":{"type":"MLFLOW_EXPERIMENT","mlflow_experiment":{"experiment_id":"\#(experiment)"}},"request_time":"2026-01-01T00:00:00.123456Z","execution_duration":"1.5s","state":"OK"\#(more)}}}"#
        )
    }

    /// Sends one span in JSON form.
    private func otlp(_ server: TrackServer, headers: [(String, String)], _ body: String? = nil) async throws -> (status: Int, text: String)
    {
        let standard =
            #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"00f067aa0ba902b7","name":"root","startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000500000000"}]}]}]}"#
        var call = JSONClient.Call(.post, "/v1/traces")
        call.body = Array((body ?? standard).utf8)
        call.contentType = headers.first { $0.0 == "Content-Type" }?.1 ?? ""
        call.headers = headers.filter { $0.0 != "Content-Type" }.map { (name: $0.0, value: $0.1) }
        do throws(HTTPFailure) {
            let answer = try await server.with(token: nil).http.send(call)
            return (answer.status, String(decoding: answer.body, as: UTF8.self))
        } catch {
            guard case .status(let status) = error.code else { return (0, "") }
            return (status, String(decoding: error.body, as: UTF8.self))
        }
    }

    private static let json = ("Content-Type", "application/json"), experiment = ("x-mlflow-experiment-id", "0")

    @Test func `a trace comes back in the protocol's own words`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let made = await start(server, "tr-a", #","tags":{"t":"v"},"trace_metadata":{"k":"\#(String(repeating: "x", count: 300))"}"#)
            let info = made.json?["trace"]?["trace_info"]
            #expect(made.status == 200 && info?["request_time"]?.string == "2026-01-01T00:00:00.123Z")
            #expect(info?["execution_duration"]?.string == "1.500s" && info?["trace_metadata"]?["k"]?.string?.count == 250)
            #expect(info?["tags"]?["mlflow.artifactLocation"]?.string == "mlflow-artifacts:/0/traces/tr-a/artifacts")
            let old = await server.api(.get, "traces/tr-a/info").json?["trace_info"]
            #expect(old?["timestamp_ms"]?.int64 == 1_767_225_600_123 && old?["execution_time_ms"]?.int64 == 1_500)
            #expect(await server.call(.get, "/ajax-api/3.0/mlflow/traces/tr-a").json?["trace"]?["trace_info"] == info)
        }
    }

    @Test func `spans in JSON are taken, refused and told as exporters expect`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            #expect(try await otlp(server, headers: [Self.json, Self.experiment]) == (200, ""))
            let got = await server.call(.get, "/api/3.0/mlflow/traces/get", query: [("trace_id", "tr-0af7651916cd43dd8448eb211c80319c")])
            #expect(got.json?["trace"]?["spans"]?.array?.first?["start_time_unix_nano"] == .int(1_700_000_000_000_000_000))
            #expect(try await otlp(server, headers: [Self.json]).status == 422)
            #expect(try await otlp(server, headers: [("Content-Type", "text/plain"), Self.experiment]).status == 400)
            #expect(
                try await otlp(server, headers: [Self.json, Self.experiment], "{}") == (
                    400, #"{"detail":"Invalid OpenTelemetry format - no spans found"}"#
                ))
            #expect(
                try await otlp(server, headers: [Self.json, Self.experiment], "{") == (400, #"{"detail":"Invalid OpenTelemetry format"}"#))
            #expect(try await otlp(server, headers: [Self.json, Self.experiment, ("Content-Encoding", "br")]).status == 400)
            #expect(
                try await otlp(server, headers: [Self.json, Self.experiment, ("Content-Encoding", "gzip")]) == (
                    400, #"{"detail":"Failed to decompress gzip payload"}"#
                ))
            #expect(try await otlp(server, headers: [Self.json, ("x-mlflow-experiment-id", "999")]).status == 404)
        }
    }

    @Test(arguments: [
        ("POST", "/api/3.0/mlflow/traces", "{}", "Missing value for required parameter 'trace'."),
        ("POST", "/api/3.0/mlflow/traces/search", "{}", "Missing value for required parameter 'locations'."),
        (
            "POST", "/api/3.0/mlflow/traces/search", #"{"locations":[],"max_results":501}"#,
            "Invalid value 501 for parameter 'max_results' supplied"
        ),
        (
            "PATCH", "/api/3.0/mlflow/traces/tr-a/tags", #"{"key":"mlflow.trace.spansLocation","value":"x"}"#,
            "Tag 'mlflow.trace.spansLocation' is immutable and cannot be set on a trace."
        ),
        ("DELETE", "/api/3.0/mlflow/traces/tr-a/tags", #"{"key":"zz"}"#, "No trace tag with key 'zz' for trace with ID 'tr-a'"),
        (
            "POST", "/api/2.0/mlflow/traces/delete-traces", #"{"experiment_id":"0"}"#,
            "Either `max_timestamp_millis` or `trace_ids` must be specified."
        ),
        (
            "POST", "/api/3.0/mlflow/traces/tr-zz/assessments", #"{"assessment":{"feedback":{"value":1}}}"#,
            "Trace with ID 'tr-zz' not found."
        ),
        ("POST", "/api/3.0/mlflow/traces/tr-a/assessments", #"{"assessment":{}}"#, "Unknown assessment type: None"),
        (
            "PATCH", "/api/3.0/mlflow/traces/tr-a/assessments/a-x", #"{"assessment":{}}"#,
            "Missing value for required parameter 'update_mask'."
        ),
    ])
    func `a refusal says why`(method: String, path: String, body: String, message: String) async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            _ = await start(server, "tr-a")
            let outcome = await server.call(try #require(JSONClient.Method(rawValue: method)), path, body)
            #expect([400, 404].contains(outcome.status))
            #expect(outcome.json?["message"]?.string?.hasPrefix(message) ?? false, "\(outcome.json?["message"]?.string ?? "")")
        }
    }

    @Test func `an assessment keeps its kind of number and its nested values`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            _ = await start(server, "tr-a")
            let path = "/api/3.0/mlflow/traces/tr-a/assessments"
            let source = #""source":{"source_type":"HUMAN","source_id":"me"}"#
            let feedback = await server.call(
                .post, path, #"{"assessment":{"assessment_name":"a",\#(source),"feedback":{"value":[1,null,{"k":2}]}}}"#)
            #expect(feedback.json?["assessment"]?["feedback"]?["value"] == .array([.double(1), .null, .object([.init("k", .double(2))])]))
            let expected = await server.call(
                .post, path,
                #"{"assessment":{"assessment_name":"b",\#(source),"expectation":{"serialized_value":{"serialization_format":"JSON_FORMAT","value":"[1, 2]"}}}}"#
            )
            #expect(expected.json?["assessment"]?["expectation"]?["serialized_value"]?["value"]?.string == "[1, 2]")
            let id = try #require(feedback.json?["assessment"]?["assessment_id"]?.string)
            let changed = await server.call(
                .patch, path + "/" + id, #"{"assessment":{"rationale":"r","metadata":{"z":"1"}},"update_mask":"rationale,metadata"}"#)
            #expect(
                changed.json?["assessment"]?["rationale"]?.string == "r"
                    && changed.json?["assessment"]?["feedback"] == feedback.json?["assessment"]?["feedback"])
            #expect(await server.call(.delete, path + "/" + id, "{}").status == 200)
            #expect(await server.call(.get, path + "/" + id) == .refused(404, "RESOURCE_DOES_NOT_EXIST"))
        }
    }

    @Test func `spans that a client left as a file are read from there, and only from the trace's own experiment`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            _ = await start(server, "tr-a")
            #expect(
                await server.call(.get, "/api/3.0/mlflow/traces/get", query: [("trace_id", "tr-a"), ("allow_partial", "true")]).json?[
                    "trace"]?["spans"] == nil)
            let span =
                #"{"spans":[{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"00f067aa0ba902b7","parent_span_id":null,"name":"left","start_time_unix_nano":1,"end_time_unix_nano":2,"status":{"code":"OK"},"attributes":{}}]}"#
            for place in ["0/traces/tr-a", "1/traces/tr-a"] {
                let folder = server.directory + "/artifacts/" + place + "/artifacts"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                try Data(span.utf8).write(to: URL(filePath: folder + "/traces.json"))
            }
            let whole = await server.call(.get, "/api/3.0/mlflow/traces/get", query: [("trace_id", "tr-a")])
            #expect(whole.json?["trace"]?["spans"]?.array?.first?["name"]?.string == "left")
            #expect(
                await server.call(.get, "/ajax-api/2.0/mlflow/get-trace-artifact", query: [("request_id", "tr-a")]).json?["spans"]?.array?
                    .count == 1)
            #expect(
                await server.call(
                    .get, "/ajax-api/2.0/mlflow/get-trace-artifact", query: [("request_id", "tr-a"), ("path", "../traces.json")]
                ).status == 400)
            let moved = #"{"key":"mlflow.artifactLocation","value":"mlflow-artifacts:/1/traces/tr-a/artifacts"}"#
            #expect(await server.call(.patch, "/api/3.0/mlflow/traces/tr-a/tags", moved).status == 200)
            #expect(
                await server.call(.get, "/api/3.0/mlflow/traces/get", query: [("trace_id", "tr-a"), ("allow_partial", "true")]).json?[
                    "trace"]?["spans"] == nil)
            #expect(
                await server.api(.post, "traces/delete-traces", #"{"experiment_id":"0","request_ids":["tr-a"]}"#).json?["traces_deleted"]?
                    .int64 == 1)
            #expect(!FileManager.default.fileExists(atPath: server.directory + "/artifacts/0/traces/tr-a/artifacts/traces.json"))
            #expect(FileManager.default.fileExists(atPath: server.directory + "/artifacts/1/traces/tr-a/artifacts/traces.json"))
        }
    }

    @Test func `a token reaches only the traces of its experiments`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            let admin = server.with(token: try await tokens.create(name: "root", role: .admin, now: 1).secret)
            let mine = try #require(await admin.api(.post, "experiments/create", #"{"name":"mine"}"#).json?["experiment_id"]?.string)
            let theirs = try #require(await admin.api(.post, "experiments/create", #"{"name":"theirs"}"#).json?["experiment_id"]?.string)
            let secret = try await tokens.create(
                name: "t", role: .trainer, experiments: AccessScope(patterns: ["mine"]), now: 1
            ).secret
            let reader = server.with(token: try await tokens.create(name: "r", role: .reader, now: 1).secret)
            let trainer = server.with(token: secret)
            #expect(await start(admin, "tr-theirs", experiment: theirs).status == 200)
            #expect(await start(trainer, "tr-mine", experiment: mine).status == 200)
            #expect(await start(trainer, "tr-x", experiment: theirs).status == 403)
            #expect(await start(trainer, "tr-theirs", experiment: mine).status == 403, "taking over somebody's trace")
            #expect(await start(reader, "tr-y", experiment: mine).status == 403)
            let locations = { (id: String) in #"{"locations":[{"mlflow_experiment":{"experiment_id":"\#(id)"}}]}"# }
            for (path, method, body, status) in [
                ("3.0/mlflow/traces/tr-theirs", "GET", nil, 403), ("3.0/mlflow/traces/tr-mine", "GET", nil, 200),
                ("3.0/mlflow/traces/search", "POST", locations(theirs), 403), ("3.0/mlflow/traces/search", "POST", locations(mine), 200),
                ("3.0/mlflow/traces/batchGetInfos", "POST", #"{"trace_ids":["tr-mine","tr-theirs"]}"#, 403),
                ("3.0/mlflow/traces/tr-theirs/assessments", "POST", #"{"assessment":{"feedback":{"value":1}}}"#, 403),
                ("2.0/mlflow/traces/tr-theirs/tags", "PATCH", #"{"key":"a","value":"b"}"#, 403),
                ("2.0/mlflow/traces/delete-traces", "POST", #"{"experiment_id":"\#(theirs)","request_ids":["tr-theirs"]}"#, 403),
                ("2.0/mlflow/traces/link-to-run", "POST", #"{"trace_ids":["tr-theirs"],"run_id":"x"}"#, 403),
                ("2.0/mlflow/get-trace-artifact?request_id=tr-theirs", "GET", nil, 403),
            ] as [(String, String, String?, Int)] {
                let outcome = await trainer.call(try #require(JSONClient.Method(rawValue: method)), "/api/" + path, body)
                #expect(outcome.status == status, "\(method) \(path)")
            }
            let header = ("Authorization", "Bearer \(secret)")
            #expect(try await otlp(trainer, headers: [Self.json, ("x-mlflow-experiment-id", theirs), header]).status == 403)
            #expect(try await otlp(trainer, headers: [Self.json, ("x-mlflow-experiment-id", mine), header]).status == 200)
            #expect(try await otlp(trainer, headers: [Self.json, ("x-mlflow-experiment-id", mine)]).status == 401)
        }
    }
}
