import Domain
import Foundation
import Testing
import Tracking

@testable import Registry

/// What `track gc` removes, beside a registry.
@Suite struct CollectingTests {
    private final class Fixture: Sendable {
        let store: TrackingStore
        let registry: RegistryStore
        private let directory: String

        init() async throws {
            directory = FileManager.default.temporaryDirectory.appending(path: "collecting-\(UUID().uuidString)").path
            let database = try await TrackingDatabase.open(
                path: directory + "/t.sqlite", migrations: TrackingSchema.migrations + RegistrySchema.migrations)
            store = TrackingStore(database: database)
            registry = RegistryStore(database: database)
            try await store.prepare(now: 1)
        }

        deinit { try? FileManager.default.removeItem(atPath: directory) }

        func run(_ experiment: String = "0") async throws -> Run {
            let run = try await store.createRun(experiment: experiment, name: "", startTime: 1, tags: [], now: 1)
            try await store.logBatch(run: run.info.id, metrics: [Metric("m", 1, timestamp: 1)], params: [KeyValue("p", "1")])
            return run
        }

        func version(_ source: String, run: String = "", loggedModel: String = "") async throws {
            if (try? await registry.model(name: "m")) == nil { _ = try await registry.createModel(name: "m", now: 1) }
            var new = RegistryStore.NewVersion(model: "m", source: source)
            new.run = run
            new.loggedModel = loggedModel
            _ = try await registry.createVersion(new, now: 1)
        }

        func collect(isTrial: Bool = false) async throws -> TrackingStore.Garbage {
            try await store.collect(deletedBefore: 100, isTrial: isTrial, referred: RegistryReferences.sql)
        }
    }

    @Test(arguments: ["run", "runs:/", "runs:/…/path", "place", "place/path"])
    func `a deleted run that a version refers to stays with its files`(how: String) async throws {
        let fixture = try await Fixture()
        let kept = try await fixture.run(), gone = try await fixture.run()
        let id = kept.info.id
        switch how {
        case "run": try await fixture.version("s3://elsewhere", run: id)
        case "runs:/": try await fixture.version("runs:/" + id)
        case "runs:/…/path": try await fixture.version("runs:/" + id + "/model")
        case "place": try await fixture.version(kept.info.artifactURI)
        default: try await fixture.version(kept.info.artifactURI + "/model")
        }
        // As if somebody's place began like the run's.
        try await fixture.version("runs:/" + gone.info.id + "x/model")
        for run in [kept, gone] { try await fixture.store.setRunStage(id: run.info.id, .deleted, now: 2) }
        for isTrial in [true, false] {
            let garbage = try await fixture.collect(isTrial: isTrial)
            #expect(garbage.runs == [gone.info.id] && garbage.kept == [id])
            #expect(garbage.artifacts == ["0/\(gone.info.id)/artifacts"])
        }
        #expect(try await fixture.store.run(id: id).metrics.count == 1)
        await #expect(throws: TrackingError.self) { try await fixture.store.run(id: gone.info.id) }
        // Once no version refers to it, it goes.
        _ = try await fixture.registry.deleteModel(name: "m", promotion: Promotion(), now: 3)
        #expect(try await fixture.collect().runs == [id])
    }

    @Test func `a deleted logged model that a version refers to stays, and so does its experiment`() async throws {
        let fixture = try await Fixture()
        let experiment = try await fixture.store.createExperiment(name: "e", now: 1)
        let other = try await fixture.store.createExperiment(name: "f", now: 1)
        let run = try await fixture.run(experiment)
        _ = try await fixture.run(other)
        var models: [String] = []
        for _ in 0..<3 {
            let new = try await fixture.store.createLoggedModel(
                experiment: experiment, name: "l", type: "", sourceRun: run.info.id, params: [], tags: [], now: 1)
            models.append(new.id)
        }
        try await fixture.version("models:/" + models[0])
        try await fixture.version("s3://x", loggedModel: models[1])
        for id in [experiment, other] { try await fixture.store.setExperimentStage(id: id, .deleted, now: 2) }
        let trial = try await fixture.collect(isTrial: true)
        let garbage = try await fixture.collect()
        #expect(garbage == trial)
        #expect(garbage.loggedModels == [models[2]] && garbage.runs.count == 2 && garbage.experiments == [other])
        #expect(garbage.kept == [models[0], models[1], experiment])
        #expect(try await fixture.store.experiment(id: experiment).name == "e")
        #expect(try await fixture.store.loggedModel(id: models[1]).name == "l")
    }

    @Test func `more than one transaction's worth goes, batch by batch, and what is restored meanwhile stays`() async throws {
        let fixture = try await Fixture()
        let experiment = try await fixture.store.createExperiment(name: "e", now: 1)
        var runs: [String] = []
        for _ in 0..<120 { runs.append(try await fixture.run(experiment).info.id) }
        try await fixture.store.setExperimentStage(id: experiment, .deleted, now: 2)
        var sizes: [Int] = []
        let garbage = try await fixture.store.collect(deletedBefore: 100, referred: RegistryReferences.sql) { batch in
            sizes.append(batch.runs.count)
            // Somebody wants it back when the first batch is gone.
            if sizes.count == 1 { try await fixture.store.setExperimentStage(id: experiment, .active, now: 3) }
        }
        #expect(sizes.first == 50 && garbage.runs == Array(runs[..<50]) && garbage.experiments.isEmpty)
        #expect(try await fixture.store.experiment(id: experiment).stage == .active)
        for id in runs[50...] { #expect(try await fixture.store.run(id: id).metrics.count == 1) }
    }
}
