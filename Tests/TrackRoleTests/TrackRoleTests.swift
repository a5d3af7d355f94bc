import Foundation
import Testing
@testable import Tracking
import Web

@testable import TrackRole

@Suite struct TrackRoleTests {
    @Test func `the endpoints file is there while the server listens`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "track-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await TrackServer.with(directory: directory) { (server: TrackServer) async throws in
            let json = try JSONReader.read(FileManager.default.contents(atPath: directory + "/endpoints.json") ?? Data())
            #expect(json["track"]?.string == server.http.baseURL)
        }
        #expect(!FileManager.default.fileExists(atPath: directory + "/endpoints.json"))
    }

    @Test func `a directory has one server`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let second = TrackRole(port: 0, directory: server.directory, logger: TrackServer.quiet("second"), now: { 0 })
            await #expect(throws: TrackRole.Error.inUse(server.directory)) { try await second.run() }
        }
    }

    @Test func `runs survive the server`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "track-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var id = ""
        try await TrackServer.with(directory: directory) { (server: TrackServer) async throws in
            id = try await server.client.createRun(experiment: "0", name: "kept", startTime: 5).info.id
        }
        try await TrackServer.with(directory: directory) { (server: TrackServer) async throws in
            #expect(try await server.client.run(id: id).info.name == "kept")
        }
    }

    @Test func `the client logs a run and reads it back`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let client = server.client
            let experiment = try await client.experiment(named: "crypto")
            #expect(try await client.experiment(named: "crypto") == experiment)
            let run = try await client.createRun(experiment: experiment, name: "r", tags: [("a", "b")], startTime: 7)
            try await client.logBatch(
                run: run.info.id, params: (0..<150).map { ("p\($0)", "v") },
                metrics: (0..<2_500).map { Metric("m", Double($0), timestamp: Int64($0), step: Int64($0)) } + [
                    Metric("bad", .nan, timestamp: 1)
                ],
                tags: [("t", "u")])
            try await client.finish(run: run.info.id, status: .finished, endTime: 99)
            let found = try await client.run(id: run.info.id)
            #expect(found.params.count == 150 && found.info.status == .finished && found.info.endTime == 99)
            #expect(found.metrics.first { $0.key == "m" }?.value == 2_499)
            #expect(found.metrics.first { $0.key == "bad" }?.value.isNaN == true)
            #expect(try await client.searchRuns(experiments: [experiment], filter: "tags.t = 'u'").map(\.info.id) == [run.info.id])
        }
    }

    @Test func `long texts are cut into requests that the server takes`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let run = try await server.client.createRun(experiment: "0", name: "r", startTime: 7).info.id
            let long = String(repeating: "\u{1}\u{e9}", count: 2_900)
            try await server.client.logBatch(run: run, params: (0..<130).map { ("p\($0)", long) }, tags: (0..<130).map { ("t\($0)", long) })
            let found = try await server.client.run(id: run)
            #expect(found.params.count == 130 && found.tags.count == 131)
            #expect(found.params.allSatisfy { $0.value == long })
        }
    }

    @Test func `files go in and come back through the client`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let client = server.client
            let run = try await client.createRun(experiment: "0", name: "r", startTime: 7).info.id
            let big = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try await client.upload(run: run, path: "model/MLmodel", bytes: Array("flavors".utf8))
            try await client.upload(run: run, path: "model/data/big ü.bin", bytes: big)
            #expect(try await client.download(run: run, path: "model/data/big ü.bin") == big)
            #expect(try await client.listArtifacts(run: run).map(\.path) == ["model"])
            #expect(try await client.listArtifacts(run: run, path: "model").map(\.path) == ["model/MLmodel", "model/data"])
            let all = try await client.downloadAll(uri: "runs:/\(run)/model")
            #expect(all.map(\.path) == ["MLmodel", "data/big ü.bin"])
            await #expect(throws: TrackingFailure.self) { try await client.download(run: run, path: "nope") }
        }
    }

    @Test func `an alias is polled for free until it moves`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let client = server.client
            let run = try await client.createRun(experiment: "0", name: "r", startTime: 7).info.id
            try await client.ensureModel("m")
            try await client.ensureModel("m")
            #expect(try await client.version(model: "m", alias: "champion") == nil)
            #expect(try await client.poll(model: "m", alias: "champion", etag: nil) == .missing)
            for _ in 0..<2 { _ = try await client.createVersion(model: "m", source: "runs:/\(run)/model", run: run, tags: [("k", "v")]) }
            let promotion = Promotion(actor: "train", reason: "better", verdict: #"{"lower":0.5}"#)
            try await client.setAlias(model: "m", alias: "champion", version: 1, promotion: promotion)
            guard case .version(let first, let etag) = try await client.poll(model: "m", alias: "champion", etag: nil) else {
                Issue.record("the alias is there")
                return
            }
            #expect(first.number == 1 && first.runID == run && first.tag("k") == "v" && first.aliases == ["champion"])
            #expect(try await client.poll(model: "m", alias: "champion", etag: etag) == .unchanged)
            try await client.setAlias(model: "m", alias: "champion", version: 2, promotion: promotion)
            guard case .version(let second, _) = try await client.poll(model: "m", alias: "champion", etag: etag) else {
                Issue.record("the alias has moved")
                return
            }
            #expect(second.number == 2)
            #expect(try await client.downloadURI(second.version) == "runs:/\(run)/model")
            #expect(try await client.versions(model: "m").map(\.number) == [2, 1])
            let audit = await server.api(.get, "registered-models/promotions", query: [("name", "m")]).json?["promotions"]?.array
            #expect(audit?.count == 2 && audit?[0]["reason"]?.string == "better" && audit?[0]["verdict"]?.string == #"{"lower":0.5}"#)
        }
    }

    @Test func `every change of the registry is told`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            try await server.client.ensureModel("m")
            _ = try await server.client.createVersion(model: "m", source: "runs:/r/model", run: "r")
            try await server.client.setAlias(model: "m", alias: "champion", version: 1, promotion: Promotion(actor: "ada", reason: "why"))
            try await server.client.deleteAlias(model: "m", alias: "champion")
            let kinds = server.events.all.compactMap { try? JSONReader.read($0.utf8)["event"]?.string }
            #expect(
                kinds == [
                    "registered_model.created", "model_version.created", "model_version_alias.created", "model_version_alias.deleted",
                ])
            #expect(server.events.all[2].contains(#""actor":"ada","reason":"why""#))
        }
    }

    @Test func `what a run said while the server was away is there once, in order, when it is back`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "track-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let spool = TrackingSpool(directory: directory + "/spool")
        var run = ""
        try await TrackServer.with(directory: directory) { (server: TrackServer) async throws in
            run = try await server.client.createRun(experiment: "0", name: "r", startTime: 1).info.id
            try await server.client.logBatch(run: run, metrics: [Metric("m", 0, timestamp: 0, step: 0)])
        }
        let away = TrackingClient(http: JSONClient(baseURL: "http://127.0.0.1:1", retry: .none), spool: spool)
        for step in 0..<5 {
            try await away.logBatch(
                run: run, params: [("p\(step)", "x")], metrics: [Metric("m", Double(step), timestamp: Int64(step), step: Int64(step))],
                tags: [("t", "\(step)")])
        }
        try await away.finish(run: run, status: .finished, endTime: 9)
        try await TrackServer.with(directory: directory) { (server: TrackServer) async throws in
            let client = TrackingClient(http: server.http, spool: spool)
            // The first attempt ends after some of it, as a crash would end it.
            for entry in try await spool.batch(run).entries.prefix(3) {
                #expect(await server.api(.post, entry.route, String(decoding: entry.body, as: UTF8.self)).status == 200)
            }
            #expect(try await client.replay() == 16)
            let found = try await client.run(id: run)
            #expect(found.info.status == .finished && found.tags.first { $0.key == "t" }?.value == "4" && found.params.count == 5)
            let history = await server.api(.get, "metrics/get-history", query: [("run_id", run), ("metric_key", "m")]).json?["metrics"]?
                .array
            #expect(history?.compactMap { $0["step"]?.int64 } == [0, 1, 2, 3, 4])
            #expect(await spool.runs().isEmpty)
            #expect(try await client.replay() == 0)
        }
    }
}
