import Foundation
import Testing
import Tracking
import Web

@testable import TrackRole

/// What a token that reaches some experiments and models learns of the others, and what it does to them: nothing.
@Suite struct ScopeTests {
    private static let denied = TrackServer.Outcome.refused(403, "PERMISSION_DENIED")

    /// A server with an administrator and a caller for `mine-*`, each with an experiment.
    private struct Teams {
        let admin: TrackServer
        let mine: TrackServer
        let own: String
        let other: String

        init(_ server: TrackServer, _ tokens: TokenStore, role: AccessRole = .trainer) async throws {
            admin = server.with(token: try await tokens.create(name: "admin", role: .admin, now: 1).secret)
            let scope = AccessScope(patterns: ["mine-*"])
            mine = server.with(
                token: try await tokens.create(name: "mine", role: role, experiments: scope, models: scope, now: 1).secret)
            own = try await admin.client.experiment(named: "mine-0")
            other = try await admin.client.experiment(named: "other-0")
        }

        func loggedModel(_ server: TrackServer, _ experiment: String, run: String? = nil) async throws -> String {
            let source = run.map { #","source_run_id":"\#($0)""# } ?? ""
            let made = await server.api(.post, "logged-models", #"{"experiment_id":"\#(experiment)","name":"x"\#(source)}"#)
            return try #require(made.json?["model"]?["info"]?["model_id"]?.string)
        }
    }

    @Test func `a search tells of no row out of reach, neither by its pages nor by its tokens`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            let teams = try await Teams(server, tokens)
            for index in 1...4 {
                for team in ["mine", "secret"] {
                    _ = try await teams.admin.client.experiment(named: "\(team)-\(index)")
                    try await teams.admin.client.ensureModel("\(team)-\(index)")
                    let run = try await teams.admin.client.createRun(experiment: teams.own, name: "r", startTime: 1).info.id
                    _ = try await teams.admin.client.createVersion(model: "\(team)-\(index)", source: "runs:/\(run)/m", run: run)
                }
            }
            for (route, list, name, order) in [
                ("experiments/search", "experiments", "name", "name"), ("registered-models/search", "registered_models", "name", "name"),
                ("model-versions/search", "model_versions", "name", "name"), ("experiments/search", "experiments", "name", "creation_time"),
            ] {
                var found: [String] = [], token = "", pages = 0
                repeat {
                    let body = #"{"max_results":2,"order_by":["\#(order)"],"page_token":"\#(token)"}"#
                    let page = await teams.mine.api(.post, route, body)
                    #expect(page.status == 200)
                    let rows = page.json?[list]?.array ?? []
                    token = page.json?["next_page_token"]?.string ?? ""
                    let shown = Data(base64Encoded: token).map { String(decoding: $0, as: UTF8.self) } ?? ""
                    #expect(!shown.contains("secret") && !shown.contains("other"), "\(shown)")
                    // A page that is short would tell of rows that were left out.
                    #expect(rows.count == 2 || token.isEmpty, "\(route)")
                    found += rows.compactMap { $0[name]?.string }
                    pages += 1
                } while !token.isEmpty && pages < 20
                #expect(Set(found) == Set((list == "experiments" ? 0...4 : 1...4).map { "mine-\($0)" }), "\(route)")
            }
        }
    }

    @Test(arguments: [
        (["a*"], "a", true), (["a*"], "abc", true), (["a*"], "b", false), (["a"], "ab", false), (["é*"], "éa", true),
        (["e*"], "e\u{301}a", true), (["x", "y*"], "yz", true), (["a%*"], "abc", false), (["a_"], "ab", false),
    ])
    func `a scope says the same of a name as its condition does`(patterns: [String], name: String, isReached: Bool) async throws {
        let scope = AccessScope(patterns: patterns)
        #expect(scope.contains(name) == isReached)
        try await TrackServer.with { (server: TrackServer) async throws in
            _ = try await server.client.experiment(named: name)
            let store = TrackingStore(database: try await TrackRole.database(server.directory))
            let found = try await store.searchExperiments(scope: scope).elements.map(\.name)
            #expect(found.contains(name) == isReached)
        }
    }

    @Test func `a logged model leads to no run out of reach`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            let teams = try await Teams(server, tokens)
            let secret = try await teams.admin.client.createRun(experiment: teams.other, name: "secret", startTime: 1).info.id
            let body = #"{"experiment_id":"\#(teams.own)","source_run_id":"\#(secret)"}"#
            #expect(await teams.mine.api(.post, "logged-models", body) == Self.denied)
            // One that an administrator made: its files are in reach, its run is not.
            let model = try await teams.loggedModel(teams.admin, teams.own, run: secret)
            try await teams.admin.client.ensureModel("mine-m")
            let version = #"{"name":"mine-m","source":"models:/\#(model)","model_id":"\#(model)"}"#
            #expect(await teams.mine.api(.post, "model-versions/create", version) == Self.denied)
            #expect(await teams.admin.api(.post, "model-versions/create", version).status == 200)
            let query: [(name: String, value: String)] = [("name", "mine-m"), ("version", "1")]
            let lineage = await teams.mine.api(.get, "model-versions/lineage", query: query)
            #expect(lineage.status == 200 && lineage.json?["run"] == nil)
            #expect(await teams.admin.api(.get, "model-versions/lineage", query: query).json?["run"] != nil)
            let foreign = try await teams.loggedModel(teams.admin, teams.other)
            let taken = #"{"name":"mine-m","source":"models:/\#(foreign)","model_id":"\#(foreign)"}"#
            #expect(await teams.mine.api(.post, "model-versions/create", taken) == Self.denied)
            #expect(
                await teams.mine.api(.post, "experiments/update", #"{"experiment_id":"\#(teams.own)","new_name":"other-9"}"#) == Self.denied
            )
        }
    }

    @Test func `who writes into a run writes into no logged model out of reach`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            let teams = try await Teams(server, tokens)
            let run = try await teams.mine.client.createRun(experiment: teams.own, name: "r", startTime: 1).info.id
            let foreign = try await teams.loggedModel(teams.admin, teams.other), mine = try await teams.loggedModel(teams.mine, teams.own)
            func bodies(_ model: String) -> [(String, String)] {
                [
                    ("runs/log-metric", #"{"run_id":"\#(run)","key":"auc","value":1,"timestamp":1,"model_id":"\#(model)"}"#),
                    (
                        "runs/log-batch",
                        #"{"run_id":"\#(run)","metrics":[{"key":"a","value":1,"timestamp":1},{"key":"auc","value":1,"timestamp":2,"model_id":"\#(model)"}]}"#
                    ), ("runs/log-inputs", #"{"run_id":"\#(run)","models":[{"model_id":"\#(model)"}]}"#),
                    ("runs/outputs", #"{"run_id":"\#(run)","models":[{"model_id":"\#(model)","step":0}]}"#),
                ]
            }
            for (route, body) in bodies(foreign) { #expect(await teams.mine.api(.post, route, body) == Self.denied, "\(route)") }
            #expect(await teams.admin.api(.get, "logged-models/\(foreign)").json?["model"]?["data"]?["metrics"]?.array == nil)
            // Nothing of a refused request stays, the run's own metrics neither.
            #expect(try await teams.mine.client.run(id: run).metrics.isEmpty)
            for (route, body) in bodies(mine) { #expect(await teams.mine.api(.post, route, body).status == 200, "\(route)") }
            for (route, body) in bodies(foreign) { #expect(await teams.admin.api(.post, route, body).status == 200, "\(route)") }
        }
    }

    @Test func `files belong to the experiment whose place they are in, whatever the place is called`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            let teams = try await Teams(server, tokens)
            func create(_ server: TrackServer, _ name: String, _ place: String) async -> TrackServer.Outcome {
                await server.api(.post, "experiments/create", #"{"name":"\#(name)","artifact_location":"mlflow-artifacts:/\#(place)"}"#)
            }
            // Below the scoped caller's own place, and in a folder whose name is no id.
            #expect(await create(teams.admin, "other-inside", "\(teams.own)/b").status == 200)
            #expect(await create(teams.admin, "other-shared", "shared/x").status == 200)
            #expect(await create(teams.admin, "mine-shared", "//shared/y/").status == 200)
            let root = "/api/2.0/mlflow-artifacts/artifacts/"
            for place in ["\(teams.own)/b/f", "shared/x/f", "shared/f", "9999/f", "nothing"] {
                #expect(await teams.mine.call(.put, root + place, "x") == Self.denied, "\(place)")
                #expect(await teams.mine.call(.get, root + place) == Self.denied, "\(place)")
                #expect(await teams.mine.call(.delete, root + place) == Self.denied, "\(place)")
            }
            for place in ["\(teams.own)/f", "shared/y/f"] {
                #expect(await teams.mine.call(.put, root + place, "x").status == 200, "\(place)")
                #expect(await teams.mine.call(.get, root + place).status == 200, "\(place)")
            }
            // Nobody gets at files by making an experiment of their place, or of the place that a number will have.
            for place in [teams.other, "\(teams.other)/x", "shared", "shared/x/deep", "77", "\(teams.own)/z"] {
                #expect(await create(teams.mine, "mine-thief", place) == Self.denied, "\(place)")
            }
            #expect(await create(teams.mine, "mine-free", "mine/free").status == 200)
        }
    }
}
