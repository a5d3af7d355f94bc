import Foundation
import GRDB
import Testing

@testable import Tracking

@Suite struct LoggedModelTests {
    private func model(_ fixture: StoreFixture, _ params: [KeyValue] = []) async throws -> LoggedModel {
        try await fixture.store.createLoggedModel(
            experiment: "0", name: "m", type: "", sourceRun: "", params: params, tags: [KeyValue("team", "x")], now: 2)
    }

    @Test(arguments: [[("q", "2")], [("q", "1")], [("new", "1"), ("q", "1")], [("z", "1"), ("z", "1")]])
    func `a parameter of a logged model is logged once`(params: [(String, String)]) async throws {
        let fixture = try await StoreFixture()
        let made = try await model(fixture, [KeyValue("q", "1")])
        await #expect(throws: TrackingError.self) {
            try await fixture.store.logLoggedModelParams(id: made.id, params.map { KeyValue($0.0, $0.1) }, now: 3)
        }
        // All of them or none.
        #expect(try await fixture.store.loggedModel(id: made.id).params == [KeyValue("q", "1")])
        try await fixture.store.logLoggedModelParams(id: made.id, [KeyValue("r", "2")], now: 4)
        #expect(try await fixture.store.loggedModel(id: made.id).params.map(\.key) == ["q", "r"])
    }

    @Test func `metrics come back by key and time, each observation once`() async throws {
        let fixture = try await StoreFixture()
        let made = try await model(fixture), run = try await fixture.run("r", start: 1)
        func metric(_ value: Double, _ time: Int64, _ step: Int64, _ key: String = "acc") -> Metric {
            Metric(key, value, timestamp: time, step: step, modelID: made.id)
        }
        let metrics = [metric(0.95, 2, 2), metric(0.9, 1, 0), metric(0.95, 2, 2), metric(1, 2, 1), metric(3, 9, 0, "Z")]
        try await fixture.store.logBatch(run: run, metrics: metrics)
        let found = try await fixture.store.loggedModel(id: made.id).metrics.map(\.metric)
        #expect(found.map(\.value) == [3, 0.9, 1, 0.95] && found.map(\.step) == [0, 0, 1, 2])
    }

    @Test func `an order by a metric looks at its newest value`() async throws {
        let fixture = try await StoreFixture()
        let run = try await fixture.run("r", start: 1), first = try await model(fixture), second = try await model(fixture)
        try await fixture.store.logBatch(
            run: run,
            metrics: [
                Metric("acc", 9, timestamp: 1, step: 0, modelID: first.id), Metric("acc", 1, timestamp: 2, step: 5, modelID: first.id),
                Metric("acc", 8, timestamp: 2, step: 1, modelID: first.id), Metric("acc", 2, timestamp: 1, step: 0, modelID: second.id),
                Metric("acc", 7, timestamp: 0, step: 0, modelID: second.id, dataset: ("d", "x")),
            ])
        var search = LoggedModelSearch(experiments: ["0"])
        search.order = [.init(field: "metrics.acc")]
        #expect(try await fixture.store.searchLoggedModels(search).elements.map(\.id) == [first.id, second.id])
        search.order = [.init(field: "metrics.acc", isAscending: false, dataset: .init(name: "d", digest: nil))]
        #expect(try await fixture.store.searchLoggedModels(search).elements.map(\.id) == [second.id, first.id])
        // Without a metric in the filter the datasets themselves are the question.
        search.datasets = [.init(name: "d", digest: "x")]
        #expect(try await fixture.store.searchLoggedModels(search).elements.map(\.id) == [second.id])
    }

    // As MLflow's server answers the same filters.
    @Test(arguments: [
        ("params.q IN ('1','7')", true), ("params.q NOT IN ('2')", true), ("params.q in ('2')", false), ("params.q = 1", true),
        ("params.q = 1.0", false), ("params.none NOT IN ('2')", false), ("tags.team IN ('x')", true), ("name IN ('m')", true),
        ("experiment_id = '0'", true), ("artifact_location LIKE 'mlflow%'", true), ("lifecycle_stage = 'active'", true),
        ("creation_timestamp > 1", true), ("params.creation_time = 5", true), ("source_run_id = ''", true),
    ])
    func `a search understands the whole grammar`(filter: String, isFound: Bool) async throws {
        let fixture = try await StoreFixture()
        _ = try await model(fixture, [KeyValue("q", "1"), KeyValue("creation_time", "5")])
        var search = LoggedModelSearch(experiments: ["0"])
        search.filter = filter
        #expect(try await fixture.store.searchLoggedModels(search).elements.isEmpty != isFound)
    }

    @Test(arguments: ["metrics.acc IN (1)", "creation_timestamp IN ('1')", "nothing = 'x'", "metrics.acc = 'x'"])
    func `what the grammar lacks is refused`(filter: String) async throws {
        let fixture = try await StoreFixture()
        var search = LoggedModelSearch(experiments: ["0"])
        search.filter = filter
        await #expect(throws: TrackingError.self) { try await fixture.store.searchLoggedModels(search) }
    }

    @Test func `an experiment that is no number is refused, one that is nowhere has nothing`() async throws {
        let fixture = try await StoreFixture()
        for id in ["abc", "", "0x1", "-", "1 2"] {
            await #expect(throws: TrackingError.self) { try await fixture.store.searchLoggedModels(LoggedModelSearch(experiments: [id])) }
            await #expect(throws: TrackingError.self) { try await fixture.store.searchRuns(.init(experiments: ["0", id])) }
        }
        for id in ["999", "-1", "99999999999999999999999"] {
            #expect(try await fixture.store.searchLoggedModels(LoggedModelSearch(experiments: [id])).elements.isEmpty)
            #expect(try await fixture.store.searchRuns(.init(experiments: [id])).elements.isEmpty)
        }
    }

    @Test func `metrics of a database of before are kept`() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "models-\(UUID().uuidString).sqlite").path
        defer { for ending in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + ending) } }
        let before = try await TrackingDatabase.open(path: path, migrations: Array(TrackingSchema.migrations.dropLast()))
        try await TrackingStore(database: before).prepare(now: 1)
        let made = try await TrackingStore(database: before).createLoggedModel(
            experiment: "0", name: "m", type: "", sourceRun: "", params: [], tags: [], now: 2)
        try await before.write { db in
            try db.execute(sql: "INSERT INTO logged_model_metrics SELECT seq, 'acc', 'd', 'x', 'run', 5, 7, 0.5, 0 FROM logged_models")
        }
        try before.close()
        let now = try await TrackingDatabase.open(path: path, migrations: TrackingSchema.migrations)
        let metrics = try await TrackingStore(database: now).loggedModel(id: made.id).metrics
        #expect(metrics.map(\.run) == ["run"] && metrics.map(\.metric.value) == [0.5] && metrics.map(\.metric.step) == [7])
        #expect(metrics.first?.metric.timestamp == 5 && metrics.first?.metric.dataset?.name == "d")
        try now.close()
    }
}
