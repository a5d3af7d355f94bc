import HTTPTypes
import Testing
import Tracking
import Web

@testable import TrackRole

/// What one request may make the server hold, wait for or keep.
@Suite struct BoundsTests {
    private func limits(_ method: HTTPRequest.Method, _ path: String) -> HTTPLimits {
        TrackRouter.limits(HTTPRequest(method: method, scheme: "http", authority: "x", path: path), maxUploadBytes: 1 << 40)
    }

    @Test(arguments: [
        "/api/2.0/mlflow/runs/search?mlflow-artifacts/artifacts/", "/api/2.0/mlflow/runs/search?x=/upload-artifact?",
        "/?/api/2.0/mlflow-artifacts/artifacts/", "/x/api/2.0/mlflow-artifacts/artifacts/y", "/api/2.0/mlflow-artifacts/artifacts?path=x",
        "/api/3.0/mlflow-artifacts/artifacts/x", "/ajax-api/2.0/mlflow/upload-artifact/x", "/api/2.0/mlflow/upload-artifact",
    ])
    func `only the artefact routes may take their time and their room`(path: String) {
        #expect(limits(.post, path).timeout == .seconds(60) && limits(.post, path).maxBodyBytes == TrackRouter.maxJSONBytes)
    }

    @Test func `the artefact routes take what an upload takes`() {
        for path in [
            "/api/2.0/mlflow-artifacts/artifacts/1/x", "/ajax-api/2.0/mlflow-artifacts/artifacts/1/x?y=z",
            "/ajax-api/2.0/mlflow/upload-artifact?run_id=1&path=x",
        ] { #expect(limits(.put, path) == HTTPLimits(maxBodyBytes: 1 << 40, timeout: nil)) }
    }

    @Test(arguments: [
        ("runs/log-inputs", true), ("runs/log-batch", true), ("logged-models", true), ("logged-models/m-1/params", true),
        ("registered-models/create", true), ("model-versions/create", true), ("traces", true), ("runs/create", false),
        ("runs/search", false), ("runs/log-metric", false), ("runs/search?x=/runs/log-batch", false), ("logged-models/search", false),
    ])
    func `what the protocol lets grow may be large, nothing else`(route: String, isLarge: Bool) {
        for prefix in Route.prefixes {
            let most = limits(.post, "\(prefix)/2.0/mlflow/\(route)").maxBodyBytes
            #expect(most == (isLarge ? 64 << 20 : TrackRouter.maxJSONBytes))
        }
    }

    @Test func `a batch of a megabyte goes in, and of a larger one its client learns the limit`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let run = try await server.client.createRun(experiment: "0", name: "r", startTime: 1).info.id
            func batch(_ count: Int, _ length: Int) -> String {
                let value = String(repeating: "é", count: length)
                let tags = (0..<count).map { #"{"key":"t\#($0)","value":"\#(value)"}"# }.joined(separator: ",")
                return #"{"run_id":"\#(run)","tags":[\#(tags)]}"#
            }
            #expect(batch(62, 8_000).utf8.count > 990_000)
            #expect(await server.api(.post, "runs/log-batch", batch(62, 8_000)).status == 200)
            let run62 = await server.api(.get, "runs/get", query: [("run_id", run)])
            #expect(run62.json?["run"]?["data"]?["tags"]?.array?.count == 63)
            for (count, length) in [(100, 8_000), (100, 30_000)] {
                let refused = await server.api(.post, "runs/log-batch", batch(count, length))
                #expect(refused == .refused(400, "INVALID_PARAMETER_VALUE"))
                #expect(refused.json?["message"]?.string?.contains("at most 1000000 bytes") == true)
            }
        }
    }

    @Test func `a body of a great many values is refused before they are held`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            for body in [
                "{\"x\":[" + String(repeating: "1,", count: 1_000_000) + "1]}", "{\"x\":" + String(repeating: "[],", count: 200_000) + "1}",
                "{" + String(repeating: "\"a\":1,", count: 200_000) + "\"b\":1}",
            ] {
                let answer = await server.api(.post, "runs/search", body)
                #expect(answer == .refused(400, "BAD_REQUEST"), "\(answer)")
            }
            let long = "{\"filter\":\"" + String(repeating: "x", count: 5 << 20) + "\"}"
            #expect(await server.api(.post, "runs/search", long).status == 413)
            // As much as the protocol allows still goes in.
            let run = try await server.client.createRun(experiment: "0", name: "r", startTime: 1).info.id
            let profile = String(repeating: "p", count: 5 << 20)
            let input = #"{"dataset":{"name":"d","digest":"g","source_type":"s","source":"x","profile":"\#(profile)"}}"#
            #expect(await server.api(.post, "runs/log-inputs", #"{"run_id":"\#(run)","datasets":[\#(input)]}"#).status == 200)
        }
    }

    @Test func `who may not ask is told so before the body is read`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            let reader = server.with(token: try await tokens.create(name: "r", role: .reader, now: 1).secret)
            #expect(await reader.api(.post, "runs/create", "this is not JSON") == .refused(403, "PERMISSION_DENIED"))
        }
    }

    @Test(arguments: [
        ("runs/create", "user_id"), ("registered-models/create", "description"), ("model-versions/create", "description"),
        ("model-versions/create", "run_link"), ("model-versions/create", "source"), ("model-versions/create", "run_id"),
        ("logged-models", "model_type"), ("logged-models", "source_run_id"), ("logged-models", "name"),
        ("experiments/create", "artifact_location"), ("registered-models/update", "description"), ("model-versions/update", "description"),
    ])
    func `no text is kept at any length`(route: String, field: String) async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            try await server.client.ensureModel("m")
            let run = try await server.client.createRun(experiment: "0", name: "r", startTime: 1).info.id
            _ = try await server.client.createVersion(model: "m", source: "runs:/\(run)/m", run: run)
            let values = [
                ("experiment_id", "0"), ("name", route.hasSuffix("s/create") && !route.hasPrefix("model") ? "new" : "m"),
                ("source", "runs:/\(run)/m"), ("version", "1"),
            ].filter { $0.0 != field }
            let long = field == "artifact_location" ? "s3://b/" : field == "source" ? "runs:/\(run)/" : ""
            let fields = values + [(field, long + String(repeating: "a", count: 200_000))]
            let body = "{" + fields.map { "\"\($0.0)\":\"\($0.1)\"" }.joined(separator: ",") + "}"
            let method: JSONClient.Method = route.hasSuffix("update") ? .patch : .post
            #expect(await server.api(method, route, body) == .refused(400, "INVALID_PARAMETER_VALUE"))
        }
    }

    @Test func `a run's name is cut where a tag is`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let long = String(repeating: "n", count: 9_000)
            let made = await server.api(.post, "runs/create", #"{"experiment_id":"0","run_name":"\#(long)"}"#).json?["run"]
            let id = try #require(made?["info"]?["run_id"]?.string)
            #expect(made?["info"]?["run_name"]?.string?.count == 8_000)
            #expect(await server.api(.post, "runs/update", #"{"run_id":"\#(id)","run_name":"\#(long)x"}"#).status == 200)
            let run = try await server.client.run(id: id)
            #expect(run.info.name.count == 8_000 && run.tags.first { $0.key == "mlflow.runName" }?.value == run.info.name)
        }
    }

    @Test func `a NUL is refused by name, wherever it stands`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            for (route, body) in [
                ("experiments/create", "{\"name\":\"a\\u0000b\"}"), ("runs/search", "{\"experiment_ids\":[\"0\\u0000\"]}"),
                ("runs/create", "{\"experiment_id\":\"0\",\"tags\":[{\"key\":\"k\",\"value\":\"\\u0000\"}]}"),
            ] {
                let answer = await server.api(.post, route, body)
                #expect(answer == .refused(400, "INVALID_PARAMETER_VALUE"))
                #expect(answer.json?["message"]?.string?.contains("NUL") == true)
            }
            #expect(await server.api(.get, "experiments/get-by-name", query: [("experiment_name", "a\0")]).status == 400)
        }
    }

    @Test func `experiments are sorted by their ids as numbers`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            for index in 1...11 { _ = try await server.client.experiment(named: "e\(index)") }
            var found: [Int] = [], token = ""
            repeat {
                let body = #"{"order_by":["experiment_id ASC"],"max_results":5,"page_token":"\#(token)"}"#
                let page = await server.api(.post, "experiments/search", body).json
                found += (page?["experiments"]?.array ?? []).compactMap { $0["experiment_id"]?.string.flatMap { Int($0) } }
                token = page?["next_page_token"]?.string ?? ""
            } while !token.isEmpty && found.count < 100
            #expect(found == Array(0...11))
            let same = await server.api(.post, "experiments/search", #"{"filter":"experiment_id = '10'"}"#).json?["experiments"]?.array
            #expect(same?.count == 1)
        }
    }
}
