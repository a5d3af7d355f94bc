import Domain
import EventLog
import Features
import Hummingbird
import Project
import ServiceLifecycle
import Telemetry
import Testing
import Web

@testable import ServeRole

@Suite struct ServeRoleTests {
    private static let now: Int64 = 1_000_000

    private struct Answer {
        let status: Int
        let text: String

        var json: JSONValue? { try? JSONReader.read(Array(text.utf8)) }
    }

    private struct Running {
        let role: ServeRole
        let base: String
        let fixture: ServeFixture
        let registry: FakeRegistry

        func get(_ path: String) async throws -> Answer { try await send(path, nil) }
        func post(_ path: String, _ body: String) async throws -> Answer { try await send(path, body) }

        func predict(_ body: String) async throws -> Answer { try await post("/v1/models/m:predict", body) }

        private func send(_ path: String, _ body: String?) async throws -> Answer {
            var call = JSONClient.Call(body == nil ? .get : .post, path)
            call.body = body.map { Array($0.utf8) }
            call.contentType = "application/x-www-form-urlencoded"
            do throws(HTTPFailure) {
                let answer = try await JSONClient(baseURL: base, retry: .none).send(call)
                return Answer(status: answer.status, text: String(decoding: answer.body, as: UTF8.self))
            } catch {
                guard case .status(let status) = error.code else { throw error }
                return Answer(status: status, text: String(decoding: error.body, as: UTF8.self))
            }
        }
    }

    private func serve(
        load: Bool = true, hashes: [String: ContentHash] = ServeFixture.hashes, _ body: (Running) async throws -> Void
    ) async throws {
        try await ServeFixture.run { fixture in
            let registry = FakeRegistry()
            for number in 1...3 { registry.add(number, try ServeFixture.model(number)) }
            if load { registry.set("champion", 1) }
            try await fixture.put("XRP/ETH", 10, at: 940_000)
            var configuration = ServeRole.Configuration()
            configuration.port = 0
            configuration.maxBodyBytes = 20_000
            let role = ServeRole(
                configuration,
                serving: ServingDefinition(models: [.init(name: "m", alias: "champion")], featuresFrom: "rows", stream: false),
                view: fixture.view, definitionHashes: hashes, source: registry.source, log: fixture.log,
                metrics: MetricsRegistry(), readiness: Readiness(), logger: ServeFixture.logger, wall: { Self.now })
            if load { try await role.load() }
            let group = ServiceGroup(configuration: .init(services: [role], logger: ServeFixture.logger))
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                let base = try await role.address.wait().url
                try await body(Running(role: role, base: base, fixture: fixture, registry: registry))
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
        }
    }

    @Test func `an entity is answered from its latest row, with version, age and id, and recorded`() async throws {
        try await serve { server in
            let answer = try await server.predict(#"{"instances":[{"pair":"XRP/ETH"}]}"#)
            #expect(answer.status == 200)
            #expect(answer.json?["predictions"] == .array([.double(11)]))
            #expect(answer.json?["model_version"] == .string("1"))
            #expect(answer.json?["alias"] == .string("champion"))
            #expect(answer.json?["entities"] == .array([.string("XRP/ETH")]))
            #expect(answer.json?["feature_ages_ms"] == .array([.int(60_000)]))
            let id = try #require(answer.json?["ids"]?.array?.first?.string)
            await server.role.flush()
            let record = try #require(try await server.fixture.predictions().first)
            let text = String(decoding: record.value ?? [], as: UTF8.self)
            #expect(record.key == Array("XRP/ETH".utf8))
            #expect(text.hasPrefix(#"{"id":"\#(id)","requested_at_ms":1000000,"feature_time_ms":940000,"predicted_for_ms":1540000"#))
        }
    }

    @Test func `given features are answered in rows and in columns, and recorded without an entity`() async throws {
        try await serve { server in
            let rows = try await server.predict(#"{"instances":[{"price":1,"double_price":0},{"price":2,"double_price":null}]}"#)
            #expect(rows.json?["predictions"] == .array([.double(2), .double(3)]))
            #expect(rows.json?["entities"] == nil)
            let columns = try await server.predict(#"{"inputs":{"price":[1,NaN],"double_price":[0,0]}}"#)
            #expect(columns.text.hasPrefix(#"{"outputs":[2.0,NaN],"#))
            await server.role.flush()
            let records = try await server.fixture.predictions()
            #expect(records.count == 4)
            #expect(records.allSatisfy { $0.key == nil })
        }
    }

    @Test func `refusals carry the protocol's status and say why`() async throws {
        try await serve { server in
            let cases: [(String, String?, Int, String)] = [
                ("/v1/models/m:predict", #"{"instances":[{"pair":"FOO"}]}"#, 404, #"Unknown entity: pair "FOO""#),
                ("/v1/models/m:predict", #"{"instances":[{"pair":""}]}"#, 400, #"not an entity: pair """#),
                ("/v1/models/x:predict", "{}", 404, "Servable not found for request: Latest(x)"),
                ("/v1/models/m/versions/99:predict", "{}", 404, "Servable not found for request: Specific(m, 99)"),
                ("/v1/models/m/labels/canary:predict", "{}", 400, "Unrecognized servable version label: canary"),
                ("/v1/models/m:predict", "", 400, "JSON Parse error: The document is empty"),
                ("/v1/models/m:classify", "{}", 501, "classify is not implemented"),
                ("/v1/models/m:predict", nil, 400, "Malformed request: GET /v1/models/m:predict"),
                ("/v1/models/x", nil, 404, "Servable not found for request: Latest(x)"),
                ("/prediction", nil, 400, #"query parameter "pair" is missing"#),
            ]
            for (path, body, status, message) in cases {
                let answer = if let body { try await server.post(path, body) } else { try await server.get(path) }
                #expect(answer.status == status, "\(path)")
                #expect(answer.json == .object([.init("error", .string(message))]), "\(path)")
            }
            let huge = "{\"instances\":[[" + String(repeating: "1,", count: 20_000) + "1]]}"
            #expect(try await server.predict(huge).status == 413)
        }
    }

    @Test func `a model trained on other definitions answers 409 for entities, and still takes given features`() async throws {
        var changed = ServeFixture.hashes
        changed["price"] = ContentHash(of: "price 2")
        try await serve(hashes: changed) { server in
            let answer = try await server.predict(#"{"instances":[{"pair":"XRP/ETH"}]}"#)
            #expect(answer.status == 409)
            #expect(answer.text.contains("price"))
            #expect(try await server.predict(#"{"instances":[{"price":1,"double_price":0}]}"#).status == 200)
        }
    }

    @Test func `the first form of the service and its health are known to every client`() async throws {
        try await serve { server in
            let status = try await server.get("/v1/models/m")
            #expect(
                status.text.hasPrefix(
                    #"{"model_version_status":[{"version":"1","state":"AVAILABLE","status":{"error_code":"OK","error_message":""}}],"name":"m","ready":true"#
                ))
            #expect(try await server.get("/v1/models").text == #"{"models":["m"]}"#)
            #expect(try await server.get("/").text == #"{"status":"alive"}"#)
            #expect(try await server.get("/v2/health/live").text == #"{"live":true}"#)
            #expect(try await server.get("/v2/health/ready").text == #"{"ready":true}"#)
            #expect(try await server.get("/health").text == "I'm healthy!")
            #expect(try await server.get("/prediction?pair=XRP/ETH").text == #"{"pair":"XRP/ETH","predicted_price":11.0}"#)
            let metadata = try await server.get("/V1/models/m/metadata").json
            let signature = metadata?["metadata"]?["signature_def"]?["signature_def"]?["serving_default"]
            #expect(signature?["inputs"]?["price"]?["dtype"] == .string("DT_FLOAT"))
            #expect(signature?["method_name"] == .string("tensorflow/serving/predict"))
            #expect(metadata?["model_spec"]?["version"] == .string("1"))
        }
    }

    @Test func `before there is a model the server says come again`() async throws {
        try await serve(load: false) { server in
            let answer = try await server.predict(#"{"instances":[{"pair":"XRP/ETH"}]}"#)
            #expect(answer.status == 503)
            #expect(ServeRoutes.response(ServeFailure(.unavailable(retryAfter: 2), "x")).headers[.retryAfter] == "2")
            let status = try await server.get("/v1/models/m")
            #expect(status.status == 503)
            #expect(status.json?["ready"] == .bool(false))
            #expect(try await server.get("/v2/health/ready").status == 503)
            #expect(try await server.get("/v2/health/live").status == 200)
        }
    }

    @Test func `without a champion the baseline answers, and says so`() async throws {
        try await serve(load: false) { server in
            await #expect(throws: ModelWatcher.NothingToServe.self) { try await server.role.load() }
            server.registry.set("baseline", 2)
            try await server.role.load()
            let answer = try await server.predict(#"{"instances":[{"pair":"XRP/ETH"}]}"#)
            #expect(answer.json?["alias"] == .string("baseline"))
            #expect(answer.json?["predictions"] == .array([.double(12)]))
        }
    }

    @Test func `a swap fails no request, and a broken one leaves the old model`() async throws {
        try await serve { server in
            try await withThrowingTaskGroup(of: Set<String>.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        var seen: Set<String> = []
                        for _ in 0..<150 {
                            let answer = try await server.predict(#"{"instances":[{"pair":"XRP/ETH"}]}"#)
                            #expect(answer.status == 200)
                            let version = answer.json?["model_version"]?.string ?? ""
                            #expect(answer.json?["predictions"] == .array([.double(10 + (Double(version) ?? 0))]))
                            seen.insert(version)
                        }
                        return seen
                    }
                }
                for number in [2, 3, 1, 2] {
                    server.registry.set("champion", number)
                    try await server.role.load()
                }
                for try await seen in group { #expect(seen.isSubset(of: ["1", "2", "3"])) }
            }
            #expect(server.role.served.map(\.version.number) == [2])
            server.registry.set("champion", 77)
            await #expect(throws: FakeRegistry.Broken.self) { try await server.role.load() }
            server.registry.setDown(true)
            await #expect(throws: FakeRegistry.Broken.self) { try await server.role.load() }
            #expect(try await server.predict(#"{"instances":[{"pair":"XRP/ETH"}]}"#).json?["model_version"] == .string("2"))
        }
    }

    @Test func `news of the registry is heard at once`() async throws {
        try await serve { server in
            server.registry.set("champion", 3)
            try await server.fixture.log.append([Record(key: nil, value: Array("{}".utf8), timestamp: 0)], to: "registry-events")
            let deadline = ContinuousClock.now + .seconds(5)
            while server.role.served.first?.version.number != 3, ContinuousClock.now < deadline { await Task.yield() }
            #expect(server.role.served.first?.version.number == 3)
        }
    }
}
