import Foundation
import Testing
import Tracking
import Web

@testable import TrackRole

@Suite struct ProtocolTests {
    @Test func `errors have the protocol's statuses and codes`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let missing = TrackServer.Outcome.refused(404, "RESOURCE_DOES_NOT_EXIST")
            let invalid = TrackServer.Outcome.refused(400, "INVALID_PARAMETER_VALUE")
            #expect(await server.api(.get, "runs/get", query: [("run_id", "zz")]) == missing)
            #expect(await server.api(.get, "runs/get", query: [("run_id", "../x")]) == invalid)
            #expect(await server.api(.get, "runs/get") == invalid)
            #expect(await server.api(.get, "experiments/get", query: [("experiment_id", "77")]) == missing)
            #expect(await server.api(.post, "experiments/create", #"{"name":"a"}"#).status == 200)
            #expect(await server.api(.post, "experiments/create", #"{"name":"a"}"#) == .refused(400, "RESOURCE_ALREADY_EXISTS"))
            #expect(await server.api(.post, "experiments/create", "not json") == .refused(400, "BAD_REQUEST"))
            #expect(await server.api(.post, "experiments/create", "[1]") == .refused(400, "BAD_REQUEST"))
            #expect(await server.api(.post, "experiments/create", #"{"name":"b","artifact_location":"/etc"}"#) == invalid)
            #expect(await server.api(.post, "runs/search", #"{"experiment_ids":["0"],"max_results":50001}"#) == invalid)
            #expect(await server.api(.post, "runs/search", #"{"experiment_ids":["0"],"max_results":0}"#) == invalid)
            #expect(await server.api(.post, "runs/search", #"{"experiment_ids":"0","page_token":"zz"}"#) == invalid)
            #expect(await server.api(.get, "nothing/here").status == 404)
            #expect(await server.api(.get, "nothing/here").code == "ENDPOINT_NOT_FOUND")
            #expect(await server.call(.post, "/api/2.0/mlflow-artifacts/mpu/create/a", "{}") == .refused(501, "NOT_IMPLEMENTED"))
        }
    }

    @Test func `messages name the parameter and the way to it`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let run = try await server.client.createRun(experiment: "0", name: "r", startTime: 1).info.id
            func message(_ route: String, _ body: String) async -> String {
                await server.api(.post, route, body).json?["message"]?.string ?? ""
            }
            #expect(await message("experiments/create", #"{"name":123}"#).hasPrefix("Invalid value 123 for parameter 'name' supplied"))
            #expect(
                await message("experiments/create", "{}")
                    == "Missing value for required parameter 'name'. See the API docs for more information about request parameters.")
            #expect(
                await message(
                    "runs/log-batch",
                    #"{"run_id":"\#(run)","metrics":[{"key":"a","value":1,"timestamp":1},{"key":"a","value":"x","timestamp":1}]}"#
                )
                .contains("'metrics[1].value'"))
            #expect(
                await message("runs/log-batch", #"{"run_id":"\#(run)","metrics":[{"key":"/a","value":1,"timestamp":1}]}"#).contains(
                    "metrics[0].name"))
            #expect(await message("runs/log-batch", #"{"run_id":"\#(run)","params":[{"value":"1"}]}"#).contains("'params[0].key'"))
            #expect(await message("runs/log-metric", #"{"run_id":"\#(run)","key":"a","value":1}"#).contains("'timestamp'"))
        }
    }

    @Test func `a version's source leads to the run or logged model it is said to come from, and nowhere else`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let info = try await server.client.createRun(experiment: "0", name: "r", startTime: 1).info
            let other = try await server.client.createRun(experiment: "0", name: "o", startTime: 1).info
            try await server.client.ensureModel("m")
            func create(_ source: String, _ more: String = "") async -> Int {
                await server.api(.post, "model-versions/create", #"{"name":"m","source":"\#(source)"\#(more)}"#).status
            }
            let run = #","run_id":"\#(info.id)""#
            #expect(await create(info.artifactURI + "/model", run) == 200)
            #expect(await create("runs:/\(info.id)/model", run) == 200)
            #expect(await create("models:/m/1") == 200)
            #expect(await create("s3://bucket/model") == 200)
            for source in [
                other.artifactURI + "/model", info.artifactURI + "-other/model", "mlflow-artifacts:/0", "http://169.254.169.254/x",
                "HTTPS://example.com/x", "FILE:///etc/passwd", info.artifactURI + "/m#x", info.artifactURI + "/m?x", "models:/m-unknown",
                "models:/m/99", "models:/m@none", "models:/other/1",
            ] {
                #expect([400, 404].contains(await create(source, run)), "\(source)")
            }
            #expect(await create(info.artifactURI + "/model") == 400)
            let copy = await server.api(.get, "model-versions/get-download-uri", query: [("name", "m"), ("version", "3")])
            #expect(copy.json?["artifact_uri"]?.string == info.artifactURI + "/model")
        }
    }

    @Test func `values that are too long lose their end`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let run = try await server.client.createRun(experiment: "0", name: "r", startTime: 1).info.id
            let long = String(repeating: "é", count: 9_000)
            #expect(await server.api(.post, "runs/set-tag", #"{"run_id":"\#(run)","key":"t","value":"\#(long)"}"#).status == 200)
            #expect(await server.api(.post, "runs/log-parameter", #"{"run_id":"\#(run)","key":"p","value":"\#(long)"}"#).status == 200)
            #expect(await server.api(.post, "runs/log-parameter", #"{"run_id":"\#(run)","key":"p","value":"\#(long)x"}"#).status == 200)
            let found = try await server.client.run(id: run)
            #expect(found.tags.first { $0.key == "t" }?.value.count == 8_000 && found.params[0].value.count == 6_000)
        }
    }

    @Test func `a range of steps has two ends in order, and datasets are found by experiment`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let run = try await server.client.createRun(experiment: "0", name: "r", startTime: 1).info.id
            let route = "metrics/get-history-bulk-interval"
            let base: [(name: String, value: String)] = [("run_ids", run), ("metric_key", "m")]
            #expect(await server.api(.get, route, query: base).status == 200)
            for range in [[("start_step", "3")], [("start_step", "3"), ("end_step", "2")]] as [[(name: String, value: String)]] {
                #expect(await server.api(.get, route, query: base + range) == .refused(400, "INVALID_PARAMETER_VALUE"))
            }
            let input = DatasetInput(
                name: "d", digest: "1", sourceType: "local", source: "x", schema: nil, profile: nil,
                tags: [KeyValue("mlflow.data.context", "train")])
            try await server.client.logInput(run: run, input)
            let found = await server.api(.post, "experiments/search-datasets", #"{"experiment_ids":["0"]}"#).json?["dataset_summaries"]
            #expect(found?.array?.count == 1 && found?.array?[0]["context"]?.string == "train")
            #expect(await server.api(.post, "experiments/search-datasets", "{}") == .refused(400, "INVALID_PARAMETER_VALUE"))
        }
    }

    @Test func `numbers may come as text and NaN as text`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let run = try await server.client.createRun(experiment: "0", name: "r", startTime: 1).info.id
            let body = #"{"run_id":"\#(run)","key":"m","value":"NaN","timestamp":"5","step":"-2","unknown_field":{"x":1}}"#
            #expect(await server.api(.post, "runs/log-metric", body).status == 200)
            let history = await server.api(.get, "metrics/get-history", query: [("run_uuid", run), ("metric_key", "m")]).json
            let metric = history?["metrics"]?.array?.first
            #expect(metric?["value"] == .string("NaN") && metric?["timestamp"] == .int(5) && metric?["step"] == .int(-2))
        }
    }

    @Test func `run_id and run_uuid may come together only when they agree`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let run = try await server.client.createRun(experiment: "0", name: "r", startTime: 1).info.id
            #expect(await server.api(.get, "runs/get", query: [("run_id", run), ("run_uuid", run)]).status == 200)
            #expect(await server.api(.get, "runs/get", query: [("run_id", run), ("run_uuid", "other")]).status == 400)
        }
    }

    @Test func `a batch beyond a megabyte is refused`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let run = try await server.client.createRun(experiment: "0", name: "r", startTime: 1).info.id
            let padding = String(repeating: " ", count: 1_000_000)
            #expect(
                await server.api(.post, "runs/log-batch", #"{"run_id":"\#(run)"\#(padding)}"#) == .refused(400, "INVALID_PARAMETER_VALUE"))
        }
    }

    @Test func `both prefixes, probes and empty answers are as clients expect`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            #expect(await server.call(.get, "/ajax-api/2.0/mlflow/experiments/get", query: [("experiment_id", "0")]).status == 200)
            #expect(await server.call(.get, "/api/3.0/mlflow/server-info").json?["multipart_uploads_enabled"] == .bool(false))
            #expect(await server.call(.get, "/health").status == 200)
            #expect(await server.call(.get, "/version").status == 200)
            #expect(await server.api(.post, "runs/search", #"{"experiment_ids":["55"]}"#).json == .object([]))
            #expect(await server.api(.get, "registered-models/search").json == .object([]))
        }
    }

    @Test func `a browser's route takes no form of another site`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            var call = JSONClient.Call(.post, "/ajax-api/2.0/mlflow/experiments/create")
            call.body = Array(#"{"name":"forged"}"#.utf8)
            call.contentType = "text/plain"
            await #expect(throws: HTTPFailure.self) { try await server.http.send(call) }
            call.contentType = "application/json; charset=utf-8"
            #expect(try await server.http.send(call).status == 200)
        }
    }

    @Test(arguments: [
        "..%2f..%2fetc%2fpasswd", "%2e%2e/x", "%252e%252e/x", "a%5c..%5cx", "a%00b", ".part/x", "a//b", "%2fetc/passwd",
    ])
    func `no path leaves the artefact root`(path: String) async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            for prefix in ["/api", "/ajax-api"] {
                let url = "\(prefix)/2.0/mlflow-artifacts/artifacts/\(path)"
                #expect(await server.call(.get, url).status == 400)
                #expect(await server.call(.put, url, "x").status == 400)
                #expect(await server.call(.delete, url).status == 400)
            }
            #expect(await server.call(.get, "/api/2.0/mlflow-artifacts/artifacts", query: [("path", "../")]).status == 400)
        }
    }

    @Test func `a browser may not run what somebody uploaded`() async throws {
        #expect(MediaKind.of("a.html") == "text/plain; charset=utf-8")
        #expect(MediaKind.of("a.svg") == "text/plain; charset=utf-8")
        #expect(MediaKind.of("a.PNG") == "image/png")
        #expect(MediaKind.of("a") == "application/octet-stream")
    }

    @Test(arguments: [
        ("bytes=0-0", ByteRange.part(0..<1)), ("bytes=5-", .part(5..<10)), ("bytes=-3", .part(7..<10)), ("bytes=-30", .part(0..<10)),
        ("bytes=8-99", .part(8..<10)), ("bytes=10-", .unsatisfiable), ("bytes=-0", .unsatisfiable), ("bytes=3-2", .whole),
        ("bytes=0-1,3-4", .whole),
        ("lines=0-1", .whole), ("bytes=x-1", .whole), ("bytes=0-9223372036854775807", .part(0..<10)),
    ])
    func `a range of bytes is read as the standard says`(text: String, range: ByteRange) {
        #expect(ByteRange.read(text, size: 10) == range)
    }

    @Test func `pages show what strangers wrote as text`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let evil = "<script>alert(1)</script>"
            let experiment = try await server.client.experiment(named: evil)
            let run = try await server.client.createRun(experiment: experiment, name: evil, tags: [("a", evil)], startTime: 1)
            try await server.client.logBatch(
                run: run.info.id, params: [("p", evil)],
                metrics: [Metric("m", 1, timestamp: 1, step: 0), Metric("m", 2, timestamp: 2, step: 1)])
            try await server.client.ensureModel(evil.replacing("/", with: ""))
            for path in [
                "/", "/experiments/\(experiment)", "/experiments/\(experiment)?filter=%3Cscript%3E", "/runs/\(run.info.id)", "/models",
            ] {
                let page = String(decoding: try await server.http.send(.init(.get, path)).body, as: UTF8.self)
                #expect(page.contains("<!doctype html>") && !page.contains("<script>") && !page.contains("<img"))
            }
            let chart = String(decoding: try await server.http.send(.init(.get, "/runs/\(run.info.id)/charts")).body, as: UTF8.self)
            #expect(chart.contains("<svg class=\"chart\""))
            #expect(await server.call(.get, "/runs/nope").status == 404)
        }
    }

    @Test func `every route stands below both prefixes once`() {
        let keys = Route.table.flatMap { route in route.methods.map { "\($0.rawValue) \(route.version) \(route.path)" } }
        #expect(Set(keys).count == keys.count)
        for wanted in ["GET 2.0 runs/get", "POST 2.0 runs/search", "PATCH 2.0 logged-models/{model_id}", "GET 3.0 server-info"] {
            #expect(keys.contains(wanted))
        }
    }
}
