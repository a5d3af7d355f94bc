import Foundation
import Testing
import Tracking
import Web

@testable import TrackRole

/// Requests put together at random, with a fixed seed: each is answered, none with 500, and the server goes on.
@Suite struct RouterFuzzTests {
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    private static let names = [
        "run_id", "run_uuid", "experiment_id", "experiment_ids", "name", "new_name", "key", "value", "timestamp", "step", "metrics",
        "params",
        "tags", "filter", "order_by", "max_results", "page_token", "view_type", "run_view_type", "alias", "version", "stage", "source",
        "model_id", "metric_key", "run_ids", "path", "datasets", "models", "status", "url", "events", "start_step", "end_step",
        "archive_existing_versions", "trace", "trace_ids", "trace_id", "request_ids", "locations", "assessment", "update_mask",
        "experiment_name", "stages",
    ]

    private static let texts = [
        #""""#, #""a""#, #""0""#, #""-1""#, "0", "-1", "1", "1.5", "1e999", "9223372036854775807", "-9223372036854775808",
        "99999999999999999999",
        "true", "null", "[]", "{}", "[1]", #"["0"]"#, #"[{"key":"a","value":"b"}]"#, #"[{"key":"a","value":1,"timestamp":1}]"#, #"[{}]"#,
        #""NaN""#, #""../../x""#, #""%00""#, "\"\\u0000\"", #""metrics.a > 1""#, #""tags.a = 'b' AND""#, #""'; DROP TABLE runs; --""#,
        #"["metrics.a DESC"]"#, #"["'"]"#, #""eyJvZmZzZXQiOiAyfQ==""#, #""ACTIVE_ONLY""#, #""runs:/x""#, #""models:/m-x""#,
        #""\ud83d\ude00""#,
        #"{"trace_info":{"trace_id":"tr-a","trace_location":{"mlflow_experiment":{"experiment_id":"0"}}}}"#, #"["tr-a"]"#,
        #"[{"mlflow_experiment":{"experiment_id":"0"}}]"#, #"{"feedback":{"value":1}}"#, #""feedback,valid""#, #""span.name = 'a'""#,
        #""Production""#, #""latest""#, #"[{"entity":"MODEL_VERSION","action":"CREATED"}]"#, #""https://127.0.0.1/""#,
    ]

    @Test func `no request makes the server fail`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            var generator = Generator(state: 4)
            let run = try await server.client.createRun(experiment: "0", name: "r", startTime: 1).info.id
            try await server.client.ensureModel("a")
            let texts = Self.texts + ["\"\(run)\""]
            var statuses: [Int: Int] = [:]
            for _ in 0..<1_500 {
                guard let route = Route.table.randomElement(using: &generator), let kind = route.methods.randomElement(using: &generator),
                    let method = JSONClient.Method(rawValue: kind.rawValue)
                else { continue }
                let path = route.path.replacing("{model_id}", with: "m-x").replacing("{tag_key}", with: "%2e").replacing(
                    "{webhook_id}", with: "w"
                ).replacing("{trace_id}", with: "tr-a").replacing("{request_id}", with: "tr-a").replacing("{assessment_id}", with: "a-x")
                var fields: [(name: String, value: String)] = []
                for _ in 0..<Int.random(in: 0...6, using: &generator) {
                    fields.append((Self.names.randomElement(using: &generator) ?? "", texts.randomElement(using: &generator) ?? ""))
                }
                var body: String?
                if method != .get {
                    body = "{" + fields.map { "\"\($0.name)\":\($0.value)" }.joined(separator: ",") + "}"
                    // Now and then cut short or overwritten.
                    if Int.random(in: 0..<20, using: &generator) == 0 { body = body.map { String($0.dropLast(3)) } }
                }
                let prefix = Route.prefixes.randomElement(using: &generator) ?? ""
                let outcome = await server.call(
                    method, "\(prefix)/\(route.version)/mlflow/\(path)", body, query: method == .get ? fields : [])
                statuses[outcome.status, default: 0] += 1
                #expect(outcome.status != 0 && outcome.status < 500 || outcome.status == 501, "\(method) \(path) \(body ?? "\(fields)")")
            }
            #expect(statuses[200] ?? 0 > 50 && statuses[400] ?? 0 > 200, "\(statuses)")
            #expect(await server.call(.get, "/health").status == 200)
        }
    }

    @Test func `no filter makes a search fail`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            var generator = Generator(state: 8)
            let pieces = [
                "metrics", "params", "tags", "attributes", "dataset", "run_id", "status", "start_time", "name", ".", "`a b`", "\"", "'",
                "'x'", "a",
                "=", "!=", "<", ">=", " AND ", " OR ", " IN ", "(", ")", ",", "1", "-", "1e9", "IS NULL", "IS NOT NULL", "LIKE", "ILIKE",
                "NOT ",
                " ", "é", "%", "*", "[", "\\u0000", ";", "--", "0x1", "\\n",
            ]
            let routes = [
                "runs/search", "experiments/search", "logged-models/search", "registered-models/search", "model-versions/search",
            ]
            for _ in 0..<1_500 {
                let text = (0..<Int.random(in: 1...10, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }
                    .joined()
                let written = text.replacing("\"", with: "\\\"")
                let route = routes.randomElement(using: &generator) ?? routes[0]
                let body = #"{"experiment_ids":["0"],"max_results":5,"filter":"\#(written)"}"#
                let ordered = #"{"experiment_ids":["0"],"max_results":5,"order_by":["\#(written)"]}"#
                for body in [body, ordered] {
                    let status = await server.api(.post, route, body).status
                    #expect([200, 400].contains(status), "\(route) \(body)")
                }
            }
        }
    }
}
