import Foundation
import Testing
import Tracking
import Web

@testable import TrackRole

@Suite struct AccessTests {
    private static let unauthenticated = TrackServer.Outcome.refused(401, "UNAUTHENTICATED")
    private static let denied = TrackServer.Outcome.refused(403, "PERMISSION_DENIED")

    @Test func `every route of the table says what it asks of its caller`() {
        for route in Route.table { #expect(Need.table[route.path] != nil, "\(route.path)") }
    }

    @Test func `a caller that has shown nothing may do nothing`() throws {
        #expect(Caller.current == .nobody)
        #expect(throws: TrackingError.self) { try Caller.nobody.require(.trainer) }
        #expect(throws: TrackingError.self) { try Caller.nobody.requireExperiment("0", "Default") }
        #expect(throws: TrackingError.self) { try Caller.nobody.requireModel("m") }
    }

    @Test func `without a token nothing is told but that the server lives`() async throws {
        try await TrackServer.guarded { (server: TrackServer, _: TokenStore) async throws in
            #expect(await server.call(.get, "/health").status == 200)
            #expect(await server.call(.get, "/version").status == 200)
            for route in Route.table {
                for method in route.methods.compactMap({ JSONClient.Method(rawValue: $0.rawValue) }) {
                    for prefix in Route.prefixes {
                        let path = "\(prefix)/\(route.version)/mlflow/\(route.path.replacing("{", with: "").replacing("}", with: ""))"
                        #expect(await server.call(method, path, method == .get ? nil : "{}") == Self.unauthenticated, "\(method) \(path)")
                    }
                }
            }
            for path in ["/", "/models", "/experiments/0", "/get-artifact", "/api/2.0/mlflow-artifacts/artifacts/x", "/nothing"] {
                #expect(await server.call(.get, path) == Self.unauthenticated, "\(path)")
            }
            let artifact = "/api/2.0/mlflow-artifacts/artifacts/0/x"
            #expect(await server.call(.put, artifact, "x") == Self.unauthenticated)
            #expect(await server.call(.delete, artifact) == Self.unauthenticated)
            for token in ["", "x", "mlops_000000000000_\(String(repeating: "0", count: 64))"] {
                #expect(
                    await server.with(token: token).api(.get, "experiments/get", query: [("experiment_id", "0")]) == Self.unauthenticated)
            }
        }
    }

    @Test func `a role may do its own and what the lesser ones may`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            var servers: [AccessRole: TrackServer] = [:]
            for role in AccessRole.allCases {
                servers[role] = server.with(token: try await tokens.create(name: role.rawValue, role: role, now: 1).secret)
            }
            func statuses(_ ask: (TrackServer) async -> TrackServer.Outcome) async -> [Int] {
                var found: [Int] = []
                for role in AccessRole.allCases { if let server = servers[role] { found.append(await ask(server).status) } }
                return found
            }
            #expect(await statuses { await $0.api(.post, "experiments/search", "{}") } == [200, 200, 200, 200])
            #expect(await statuses { await $0.api(.post, "runs/create", "{}") } == [403, 200, 200, 200])
            #expect(await statuses { await $0.call(.put, "/api/2.0/mlflow-artifacts/artifacts/0/x", "x") } == [403, 200, 200, 200])
            let alias = #"{"name":"m","alias":"a","version":"1"}"#
            #expect(await statuses { await $0.api(.post, "registered-models/alias", alias) } == [403, 403, 404, 404])
            #expect(await statuses { await $0.api(.get, "webhooks") } == [403, 403, 403, 200])
            #expect(await statuses { await $0.api(.post, "experiments/delete", #"{"experiment_id":"7"}"#) } == [403, 403, 403, 404])
            #expect(await statuses { await $0.call(.get, "/") } == [200, 200, 200, 200])
        }
    }

    @Test func `a token reaches the experiments and models it is for`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            let admin = server.with(token: try await tokens.create(name: "admin", role: .admin, now: 1).secret)
            let mine = try await admin.client.experiment(named: "mine-1"), other = try await admin.client.experiment(named: "other")
            let foreign = try await admin.client.createRun(experiment: other, name: "r", startTime: 1).info
            try await admin.client.upload(run: foreign.id, path: "secret.txt", bytes: [1])
            try await admin.client.ensureModel("theirs")
            let scoped = server.with(
                token: try await tokens.create(
                    name: "s", role: .promoter, experiments: AccessScope(patterns: ["mine-*"]), models: AccessScope(patterns: ["m"]), now: 1
                ).secret)
            let run = try await scoped.client.createRun(experiment: mine, name: "r", startTime: 1).info
            try await scoped.client.upload(run: run.id, path: "a.txt", bytes: [1, 2])
            #expect(try await scoped.client.download(run: run.id, path: "a.txt") == [1, 2])
            #expect(await scoped.api(.get, "runs/get", query: [("run_id", foreign.id)]) == Self.denied)
            #expect(await scoped.api(.post, "runs/search", #"{"experiment_ids":["\#(mine)","\#(other)"]}"#) == Self.denied)
            #expect(await scoped.api(.post, "runs/search", #"{"experiment_ids":["\#(mine)"]}"#).status == 200)
            #expect(await scoped.api(.post, "runs/create", "{}") == Self.denied)
            let root = "/api/2.0/mlflow-artifacts/artifacts"
            let place = "\(root)/\(other)/\(foreign.id)/artifacts/secret.txt"
            #expect(await scoped.call(.get, place) == Self.denied)
            #expect(await scoped.call(.get, place.replacing("/\(other)/", with: "/%3\(other)/")).status != 200)
            #expect(await scoped.call(.get, root) == Self.denied)
            #expect(await scoped.call(.get, "\(root)/\(mine)/../\(other)").status != 200)
            #expect(await scoped.call(.get, "/get-artifact", query: [("run_id", foreign.id), ("path", "secret.txt")]) == Self.denied)
            let found = await scoped.api(.post, "experiments/search", "{}").json?["experiments"]?.array
            #expect(found?.compactMap { $0["name"]?.string } == ["mine-1"])
            #expect(await scoped.api(.get, "registered-models/get", query: [("name", "theirs")]) == Self.denied)
            try await scoped.client.ensureModel("m")
            let version = #"{"name":"m","source":"runs:/\#(foreign.id)/x","run_id":""}"#
            #expect(await scoped.api(.post, "model-versions/create", version) == Self.denied)
            #expect(await scoped.api(.post, "registered-models/rename", #"{"name":"m","new_name":"theirs2"}"#) == Self.denied)
            let models = await scoped.api(.get, "registered-models/search").json?["registered_models"]?.array
            #expect(models?.compactMap { $0["name"]?.string } == ["m"])
        }
    }

    @Test func `pages show a limited token what it reaches, and refuse the rest`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            let admin = server.with(token: try await tokens.create(name: "admin", role: .admin, now: 1).secret)
            let mine = try await admin.client.experiment(named: "mine-1"), other = try await admin.client.experiment(named: "other-1")
            let foreign = try await admin.client.createRun(experiment: other, name: "foreign-run", startTime: 1).info
            let run = try await admin.client.createRun(experiment: mine, name: "own-run", startTime: 1).info
            let child = try await admin.client.createRun(
                experiment: other, name: "foreign-child", tags: [("mlflow.parentRunId", run.id)], startTime: 1
            ).info
            try await admin.client.upload(run: foreign.id, path: "secret.txt", bytes: Array("hush".utf8))
            for (model, source) in [("house", run.id), ("theirs", foreign.id)] {
                try await admin.client.ensureModel(model)
                _ = try await admin.client.createVersion(model: model, source: "runs:/\(source)/m", run: source)
            }
            // One that the token reaches, of a run that it does not.
            _ = try await admin.client.createVersion(model: "house", source: "runs:/\(foreign.id)/m", run: foreign.id)
            let scope = (AccessScope(patterns: ["mine-*"]), AccessScope(patterns: ["house"]))
            let reader = server.with(
                token: try await tokens.create(name: "r", role: .reader, experiments: scope.0, models: scope.1, now: 1).secret)
            for path in [
                "/", "/experiments/\(mine)", "/runs/\(run.id)", "/runs/\(run.id)/charts?with=\(foreign.id)", "/runs/\(run.id)/artifacts",
                "/compare?run=\(run.id)&run=\(foreign.id)", "/models", "/models/house", "/models/house/versions/1",
                "/models/house/versions/2",
                "/models/house/compare?version=1&version=2", "/datasets",
            ] {
                let page = await reader.page(path)
                #expect(page.status == 200, "\(path)")
                for hidden in ["other-1", "foreign-run", "foreign-child", child.id, "theirs", "hush"] {
                    #expect(!page.text.contains(hidden), "\(path) shows \(hidden)")
                }
            }
            for path in [
                "/experiments/\(other)", "/runs/\(foreign.id)", "/runs/\(foreign.id)/charts", "/runs/\(foreign.id)/artifacts",
                "/models/theirs", "/models/theirs/versions/1", "/models/theirs/compare?version=1&version=2", "/system",
                "/system?artifacts=count",
                "/preview?uri=\(URLText.encode(foreign.artifactURI))&path=secret.txt",
                "/get-artifact?run_id=\(foreign.id)&path=secret.txt", "/model-versions/get-artifact?name=theirs&version=1&path=x",
                "/model-versions/get-artifact?name=house&version=2&path=x",
            ] {
                let page = await reader.page(path)
                #expect(page.status == 403 && !page.text.contains("hush"), "\(path): \(page.status)")
            }
            #expect(await reader.page("/").text.contains("mine-1"))
            #expect(await reader.page("/models").text.contains("house"))
            #expect(await admin.page("/").text.contains("other-1"))
        }
    }

    @Test func `what a limited token stores leads to nothing out of its reach`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            let admin = server.with(token: try await tokens.create(name: "admin", role: .admin, now: 1).secret)
            let other = try await admin.client.experiment(named: "other-1")
            let foreign = try await admin.client.createRun(experiment: other, name: "r", startTime: 1).info
            try await admin.client.upload(run: foreign.id, path: "secret.txt", bytes: [1])
            let logged = await admin.api(.post, "logged-models", #"{"experiment_id":"\#(other)","name":"n"}"#)
            let model = try #require(logged.json?["model"]?["info"]?["model_id"]?.string)
            let scoped = server.with(
                token: try await tokens.create(
                    name: "s", role: .trainer, experiments: AccessScope(patterns: ["mine-*"]), models: AccessScope(patterns: ["m"]), now: 1
                ).secret)
            // Others' places are no places for an experiment of one's own.
            let taken = #"{"name":"mine-2","artifact_location":"mlflow-artifacts:/\#(other)/\#(foreign.id)"}"#
            #expect([400, 403].contains(await scoped.api(.post, "experiments/create", taken).status))
            let mine = try await scoped.client.experiment(named: "mine-2")
            let run = try await scoped.client.createRun(experiment: mine, name: "r", startTime: 1).info
            for body in [
                #"{"run_id":"\#(run.id)","key":"k","value":1,"timestamp":1,"model_id":"\#(model)"}"#
            ] { #expect(await scoped.api(.post, "runs/log-metric", body) == Self.denied) }
            let batch = #"{"run_id":"\#(run.id)","metrics":[{"key":"k","value":1,"timestamp":1,"model_id":"\#(model)"}]}"#
            #expect(await scoped.api(.post, "runs/log-batch", batch) == Self.denied)
            try await scoped.client.ensureModel("m")
            for source in ["models:/\(model)", "\(foreign.artifactURI)/x"] {
                let version = #"{"name":"m","source":"\#(source)","model_id":"\#(model)"}"#
                #expect(await scoped.api(.post, "model-versions/create", version) == Self.denied, "\(source)")
            }
            _ = try await admin.client.createVersion(model: "m", source: "runs:/\(foreign.id)/x", run: foreign.id)
            let lineage = await scoped.api(.get, "model-versions/lineage", query: [("name", "m"), ("version", "1")])
            #expect(lineage.status == 200 && lineage.json?["run"] == nil)
        }
    }

    @Test func `a revoked or expired token is like none, and the audit names who acted`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            let (token, secret) = try await tokens.create(name: "ann", role: .promoter, now: 1)
            let ann = server.with(token: secret)
            try await ann.client.ensureModel("m")
            let run = try await ann.client.createRun(experiment: "0", name: "r", startTime: 1).info.id
            _ = try await ann.client.createVersion(model: "m", source: "runs:/\(run)/model", run: run)
            try await ann.client.setAlias(model: "m", alias: "champion", version: 1, promotion: Promotion(actor: "bob", reason: "x"))
            let audit = await ann.api(.get, "registered-models/promotions", query: [("name", "m")]).json?["promotions"]?.array
            #expect(audit?.first?["actor"]?.string == "ann")
            try await tokens.revoke("ann", now: 2)
            #expect(await ann.api(.get, "runs/get", query: [("run_id", run)]) == Self.unauthenticated)
            await #expect(throws: TrackingError.self) { try await tokens.revoke("ann", now: 3) }
            let old = try await tokens.create(name: "old", role: .reader, expiresAt: 5, now: 1).secret
            #expect(await server.with(token: old).api(.post, "experiments/search", "{}") == Self.unauthenticated)
            #expect(try await tokens.list().first { $0.id == token.id }?.revokedAt == 2)
        }
    }

    @Test func `the text of a token is nowhere in the directory`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            let secret = try await tokens.create(name: "n", role: .reader, now: 1).secret
            for name in try FileManager.default.contentsOfDirectory(atPath: server.directory) {
                guard let data = FileManager.default.contents(atPath: server.directory + "/" + name) else { continue }
                #expect(data.range(of: Data(secret.utf8)) == nil && data.range(of: Data(secret.suffix(64).utf8)) == nil, "\(name)")
            }
            let file = server.directory + "/endpoints.json"
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            // Who can read the directory needs no other token.
            let json = try JSONReader.read(Array(try #require(FileManager.default.contents(atPath: file))))
            let local = server.with(token: try #require(json["token"]?.string))
            #expect(await local.api(.post, "experiments/search", "{}").status == 200)
        }
    }

    @Test(arguments: [
        ("Bearer abc", "abc"), ("bearer  abc", "abc"), ("Basic " + Data("u:p:q".utf8).base64EncodedString(), "p:q"), ("Basic %%%", nil),
        ("abc", nil), ("Digest x", nil), ("Basic " + Data("nocolon".utf8).base64EncodedString(), nil),
    ])
    func `a token comes as a bearer or as a password`(header: String, secret: String?) {
        #expect(AccessGuard.secret(in: header) == secret)
    }

    @Test func `texts are compared whole`() {
        #expect(TokenSecret.isEqual("abc", "abc") && !TokenSecret.isEqual("abc", "abd") && !TokenSecret.isEqual("abc", "ab"))
    }

    @Test func `an upload beyond the limit is refused and leaves nothing`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let path = "/api/2.0/mlflow-artifacts/artifacts/0/big"
            #expect(await server.call(.put, path, String(repeating: "x", count: 17 << 20)).status == 413)
            #expect(await server.call(.get, path).status == 404)
            #expect(await server.call(.put, path, String(repeating: "x", count: 1 << 19)).status == 200)
        }
    }
}
