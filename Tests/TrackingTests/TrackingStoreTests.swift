import Foundation
import GRDB
import Testing

@testable import Tracking

/// A store in a folder of its own that goes with the test.
final class StoreFixture: Sendable {
    let store: TrackingStore
    let directory: String

    init() async throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "tracking-\(UUID().uuidString)").path
        store = TrackingStore(
            database: try await TrackingDatabase.open(path: directory + "/t.sqlite", migrations: TrackingSchema.migrations))
        try await store.prepare(now: 1)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func run(_ name: String, start: Int64, experiment: String = "0", metrics: [Metric] = [], params: [KeyValue] = []) async throws -> String
    {
        let run = try await store.createRun(experiment: experiment, name: name, startTime: start, tags: [], now: start)
        try await store.logBatch(run: run.info.id, metrics: metrics, params: params)
        return run.info.id
    }

    func names(_ filter: String = "", order: [String] = [], experiments: [String] = ["0"], view: ViewType = .activeOnly) async throws
        -> [String]
    {
        var search = TrackingStore.RunSearch(experiments: experiments)
        search.filter = filter
        search.order = order
        search.view = view
        return try await store.searchRuns(search).elements.map(\.info.name)
    }
}

func refusal<Value>(_ body: () async throws -> Value) async -> TrackingError.Code? {
    do {
        _ = try await body()
        return nil
    } catch {
        return (error as? TrackingError)?.code
    }
}

@Suite struct TrackingStoreTests {
    @Test func `experiment 0 is there, the others count on`() async throws {
        let fixture = try await StoreFixture()
        #expect(try await fixture.store.experiment(id: "0").name == "Default")
        #expect(try await fixture.store.createExperiment(name: "a", now: 2) == "1")
        #expect(try await fixture.store.createExperiment(name: "b", now: 2) == "2")
        #expect(try await fixture.store.experiment(named: "b").artifactLocation == "mlflow-artifacts:/2")
    }

    @Test func `a name stays taken after its experiment was deleted`() async throws {
        let fixture = try await StoreFixture()
        let id = try await fixture.store.createExperiment(name: "a", now: 2)
        try await fixture.store.setExperimentStage(id: id, .deleted, now: 3)
        #expect(await refusal { try await fixture.store.createExperiment(name: "a", now: 4) } == .alreadyExists)
    }

    @Test func `deleting an experiment deletes its runs, restoring brings them back`() async throws {
        let fixture = try await StoreFixture()
        let id = try await fixture.store.createExperiment(name: "a", now: 2)
        let run = try await fixture.run("r", start: 5, experiment: id)
        try await fixture.store.setExperimentStage(id: id, .deleted, now: 3)
        #expect(try await fixture.store.run(id: run).info.stage == .deleted)
        #expect(await refusal { try await fixture.store.logMetric(run: run, Metric("m", 1, timestamp: 1)) } == .invalidParameter)
        #expect(try await fixture.names(experiments: [id]).isEmpty)
        try await fixture.store.setExperimentStage(id: id, .active, now: 4)
        #expect(try await fixture.names(experiments: [id]) == ["r"])
    }

    @Test(arguments: [
        ("9", TrackingError.Code.doesNotExist), ("-1", .invalidParameter), ("x;y", .invalidParameter), ("007", .doesNotExist),
        ("", .invalidParameter),
    ])
    func `an experiment id that is none of ours is refused`(id: String, code: TrackingError.Code) async throws {
        let fixture = try await StoreFixture()
        #expect(await refusal { try await fixture.store.experiment(id: id) } == code)
    }

    @Test func `the latest value is that of the greatest step, then time, then value`() async throws {
        let fixture = try await StoreFixture()
        let run = try await fixture.run("r", start: 1)
        for metric in [
            Metric("m", 1, timestamp: 9, step: 1), Metric("m", 2, timestamp: 5, step: 2), Metric("m", 3, timestamp: 4, step: 2),
            Metric("m", 1.5, timestamp: 5, step: 2), Metric("m", 7, timestamp: 99, step: -3),
        ] { try await fixture.store.logMetric(run: run, metric) }
        #expect(try await fixture.store.run(id: run).metrics == [Metric("m", 2, timestamp: 5, step: 2)])
    }

    @Test func `history is ordered by time, step and value, and an exact repeat is dropped`() async throws {
        let fixture = try await StoreFixture()
        let metrics = [
            Metric("m", 2, timestamp: 3, step: 1), Metric("m", 1, timestamp: 3, step: 1), Metric("m", .nan, timestamp: 1, step: 5),
            Metric("m", .infinity, timestamp: 2, step: 0), Metric("m", 2, timestamp: 3, step: 1),
        ]
        let run = try await fixture.run("r", start: 1, metrics: metrics)
        let page = try await fixture.store.history(run: run, key: "m")
        #expect(
            page.elements == [
                Metric("m", .nan, timestamp: 1, step: 5), Metric("m", .greatestFiniteMagnitude, timestamp: 2, step: 0),
                Metric("m", 1, timestamp: 3, step: 1), Metric("m", 2, timestamp: 3, step: 1),
            ])
    }

    @Test func `pages of a history join up without gap or double`() async throws {
        let fixture = try await StoreFixture()
        let run = try await fixture.run(
            "r", start: 1, metrics: (0..<25).map { Metric("m", Double($0), timestamp: Int64($0), step: Int64($0)) })
        var values: [Double] = []
        var token: String?
        repeat {
            let page = try await fixture.store.history(run: run, key: "m", maxResults: 10, pageToken: token)
            values += page.elements.map(\.value)
            token = page.nextPageToken
        } while token != nil
        #expect(values == (0..<25).map(Double.init))
    }

    @Test func `a sampled history keeps its ends`() async throws {
        let fixture = try await StoreFixture()
        let run = try await fixture.run("r", start: 1, metrics: (0..<1_000).map { Metric("m", Double($0), timestamp: 1, step: Int64($0)) })
        let sample = try await fixture.store.sampledHistory(run: run, key: "m", maxPoints: 50)
        #expect((48...50).contains(sample.count) && sample.first?.step == 0 && sample.last?.step == 999)
        let part = try await fixture.store.sampledHistory(run: run, key: "m", steps: 100...200, maxPoints: 3)
        #expect(part.map(\.step) == [100, 150, 200])
    }

    @Test func `a parameter keeps its first value`() async throws {
        let fixture = try await StoreFixture()
        let run = try await fixture.run("r", start: 1, params: [KeyValue("p", "1")])
        try await fixture.store.logParam(run: run, KeyValue("p", "1"))
        #expect(await refusal { try await fixture.store.logParam(run: run, KeyValue("p", "2")) } == .invalidParameter)
        #expect(try await fixture.store.run(id: run).params == [KeyValue("p", "1")])
    }

    @Test func `a batch with one bad item leaves nothing behind`() async throws {
        let fixture = try await StoreFixture()
        let run = try await fixture.run("r", start: 1, params: [KeyValue("p", "1")])
        let code = await refusal {
            try await fixture.store.logBatch(
                run: run, metrics: [Metric("m", 1, timestamp: 1)], params: [KeyValue("q", "1"), KeyValue("p", "other")],
                tags: [KeyValue("t", "1")])
        }
        #expect(code == .invalidParameter)
        let after = try await fixture.store.run(id: run)
        #expect(after.metrics.isEmpty && after.params.count == 1 && after.tags.count == 1)
    }

    @Test(arguments: [
        (1_000, 0, 0, true), (1_001, 0, 0, false), (0, 100, 0, true), (0, 101, 0, false), (0, 0, 101, false), (901, 100, 0, false),
        (900, 100, 0, true),
    ])
    func `a batch has its limits`(metrics: Int, params: Int, tags: Int, isAllowed: Bool) async throws {
        let fixture = try await StoreFixture()
        let run = try await fixture.run("r", start: 1)
        let code = await refusal {
            try await fixture.store.logBatch(
                run: run, metrics: (0..<metrics).map { Metric("m", 1, timestamp: Int64($0)) },
                params: (0..<params).map { KeyValue("p\($0)", "") },
                tags: (0..<tags).map { KeyValue("t\($0)", "") })
        }
        #expect(code == (isAllowed ? nil : .invalidParameter))
    }

    @Test(arguments: ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a\u{0}b", "a|b", "a;b", String(repeating: "x", count: 251)])
    func `a key that is no name is refused`(key: String) async throws {
        let fixture = try await StoreFixture()
        let run = try await fixture.run("r", start: 1)
        #expect(await refusal { try await fixture.store.logMetric(run: run, Metric(key, 1, timestamp: 1)) } == .invalidParameter)
        #expect(await refusal { try await fixture.store.logParam(run: run, KeyValue(key, "1")) } == .invalidParameter)
        #expect(await refusal { try await fixture.store.setTag(run: run, KeyValue(key, "1")) } == .invalidParameter)
    }

    @Test(arguments: ["a", "a/b.c-d_e f:g", "Ünïcode", String(repeating: "x", count: 250)])
    func `a key that is a name is taken`(key: String) async throws {
        let fixture = try await StoreFixture()
        let run = try await fixture.run("r", start: 1, metrics: [Metric(key, 1, timestamp: 1)])
        #expect(try await fixture.store.run(id: run).metrics.map(\.key) == [key])
    }

    @Test func `the name of a run and its tag are one thing`() async throws {
        let fixture = try await StoreFixture()
        let run = try await fixture.run("first", start: 1)
        #expect(try await fixture.store.run(id: run).tags == [KeyValue("mlflow.runName", "first")])
        try await fixture.store.setTag(run: run, KeyValue("mlflow.runName", "second"))
        #expect(try await fixture.store.run(id: run).info.name == "second")
        _ = try await fixture.store.updateRun(id: run, name: "third")
        #expect(try await fixture.store.run(id: run).tags == [KeyValue("mlflow.runName", "third")])
    }

    @Test func `a file that a newer program migrated is refused`() async throws {
        let fixture = try await StoreFixture()
        let path = fixture.directory + "/newer.sqlite"
        let later = TrackingDatabase.Migration("tracking-99", sql: "CREATE TABLE later (x)")
        try await TrackingDatabase.open(path: path, migrations: TrackingSchema.migrations + [later]).close()
        #expect(await refusal { try await TrackingDatabase.open(path: path, migrations: TrackingSchema.migrations) } == .invalidState)
    }

    @Test func `what was acknowledged is there after the file is opened again`() async throws {
        let fixture = try await StoreFixture()
        let run = try await fixture.run("r", start: 1, metrics: [Metric("m", 1, timestamp: 1)])
        let again = TrackingStore(
            database: try await TrackingDatabase.open(path: fixture.directory + "/t.sqlite", migrations: TrackingSchema.migrations))
        #expect(try await again.run(id: run).metrics.count == 1)
    }

    @Test func `datasets and models of a run come back with it`() async throws {
        let fixture = try await StoreFixture()
        let run = try await fixture.run("r", start: 1)
        let input = DatasetInput(
            name: "d", digest: "abc", sourceType: "local", source: "{}", schema: nil, profile: "{\"n\":1}",
            tags: [KeyValue("mlflow.data.context", "training")])
        try await fixture.store.logInputs(run: run, datasets: [input], models: ["m-1"])
        try await fixture.store.logOutputs(run: run, models: [ModelOutput(modelID: "m-2", step: 3)])
        let found = try await fixture.store.run(id: run)
        #expect(found.datasets == [input] && found.modelInputs == ["m-1"] && found.modelOutputs == [ModelOutput(modelID: "m-2", step: 3)])
        #expect(try await fixture.names("dataset.context = 'training' AND datasets.name LIKE 'd%'") == ["r"])
        #expect(try await fixture.names("dataset.context = 'test'").isEmpty)
    }

    @Test func `a logged model keeps every observation of its metrics`() async throws {
        let fixture = try await StoreFixture()
        let run = try await fixture.run("r", start: 1)
        let model = try await fixture.store.createLoggedModel(
            experiment: "0", name: "lin", type: "", sourceRun: run, params: [], tags: [KeyValue("a", "b")], now: 2)
        #expect(model.status == .pending && model.artifactURI == "mlflow-artifacts:/0/models/\(model.id)/artifacts")
        try await fixture.store.logBatch(
            run: run,
            metrics: [
                Metric("m", 1, timestamp: 1, modelID: model.id), Metric("m", 2, timestamp: 2, modelID: model.id),
                Metric("m", 3, timestamp: 1, modelID: model.id, dataset: ("d", "x")),
            ])
        let ready = try await fixture.store.finalizeLoggedModel(id: model.id, status: .ready, now: 3)
        #expect(ready.metrics.map(\.metric.value) == [1, 3, 2] && ready.status == .ready)
        var search = LoggedModelSearch(experiments: ["0"])
        search.filter = "metrics.m > 2 AND tags.a = 'b' AND status = 'READY'"
        #expect(try await fixture.store.searchLoggedModels(search).elements.map(\.id) == [model.id])
        search.order = [.init(field: "metrics.m")]
        #expect(try await fixture.store.searchLoggedModels(search).elements.count == 1)
        search.datasets = [.init(name: "d", digest: "y")]
        #expect(try await fixture.store.searchLoggedModels(search).elements.isEmpty)
        search.datasets = [.init(name: "d", digest: nil)]
        #expect(try await fixture.store.searchLoggedModels(search).elements.count == 1)
    }
}
