import GRDB
import Testing

@testable import Tracking

@Suite struct RunOrderTests {
    /// Runs of two experiments whose texts tie, share long beginnings, or are missing.
    private func fixture() async throws -> (fixture: StoreFixture, other: String) {
        let fixture = try await StoreFixture()
        let other = try await fixture.store.createExperiment(name: "other", now: 1)
        var generator = SeededGenerator(seed: 17)
        let long = String(repeating: "é", count: 99)
        for index in 0..<80 {
            let text = ["", "a", "B", long, long + "x", long + "xa", long + "xb", long + "y"].randomElement(using: &generator) ?? ""
            let params = Int.random(in: 0..<4, using: &generator) == 0 ? [] : [KeyValue("p", text), KeyValue("q", "1")]
            _ = try await fixture.run(
                "r\(index % 9)", start: Int64.random(in: 1...6, using: &generator), experiment: index % 5 == 0 ? other : "0", params: params
            )
        }
        return (fixture, other)
    }

    /// What the order promises, in so many words.
    private func expected(_ runs: [Run], _ before: (Run, Run) -> Bool?) -> [String] {
        runs.sorted { a, b in
            before(a, b) ?? (a.info.startTime != b.info.startTime ? a.info.startTime > b.info.startTime : a.info.id < b.info.id)
        }.map(\.info.id)
    }

    private func text(_ run: Run) -> [UInt8]? { run.params.first { $0.key == "p" }.map { Array($0.value.utf8) } }

    @Test(arguments: [("ASC", 1_000), ("DESC", 1_000), ("ASC", 1), ("DESC", 7)])
    func `runs by a parameter come by its whole text, those without it last, page by page`(direction: String, size: Int) async throws {
        let (fixture, other) = try await fixture()
        for experiments in [["0"], [other], ["0", other]] {
            var search = TrackingStore.RunSearch(experiments: experiments)
            let all = try await fixture.store.searchRuns(search).elements
            let wanted = expected(all) { a, b in
                guard let left = text(a), let right = text(b) else { return text(a) == nil && text(b) == nil ? nil : text(b) == nil }
                if left == right { return nil }
                return left.lexicographicallyPrecedes(right) == (direction == "ASC")
            }
            search.order = ["params.p \(direction)"]
            search.maxResults = size
            var found: [String] = []
            repeat {
                let page = try await fixture.store.searchRuns(search)
                found += page.elements.map(\.info.id)
                search.pageToken = page.nextPageToken
            } while search.pageToken != nil && found.count <= all.count
            #expect(found == wanted)
        }
    }

    @Test(arguments: [1, 3, 1_000])
    func `runs with one text of a parameter are those and no other, the newest first, page by page`(size: Int) async throws {
        let (fixture, other) = try await fixture()
        let long = String(repeating: "é", count: 99)
        for experiments in [["0"], [other], ["0", other]] {
            let all = try await fixture.store.searchRuns(TrackingStore.RunSearch(experiments: experiments)).elements
            for wanted in ["", "a", long, long + "x", long + "xa", "nothing"] {
                var search = TrackingStore.RunSearch(experiments: experiments)
                search.filter = "params.p = '\(wanted)' AND params.q = '1'"
                search.maxResults = size
                var found: [String] = []
                repeat {
                    let page = try await fixture.store.searchRuns(search)
                    found += page.elements.map(\.info.id)
                    search.pageToken = page.nextPageToken
                } while search.pageToken != nil && found.count <= all.count
                #expect(found == expected(all.filter { text($0) == Array(wanted.utf8) }) { _, _ in nil })
            }
        }
    }

    @Test(arguments: ["ASC", "DESC"])
    func `runs by name come by name, then the newest first`(direction: String) async throws {
        let (fixture, _) = try await fixture()
        var search = TrackingStore.RunSearch(experiments: ["0"])
        let all = try await fixture.store.searchRuns(search).elements
        search.order = ["attributes.run_name \(direction)"]
        let wanted = expected(all) { a, b in a.info.name == b.info.name ? nil : (a.info.name < b.info.name) == (direction == "ASC") }
        #expect(try await fixture.store.searchRuns(search).elements.map(\.info.id) == wanted)
    }

    @Test func `an order by name or by a parameter reads an index in its order`() async throws {
        let (fixture, _) = try await fixture()
        let plan = try await fixture.store.database.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    EXPLAIN QUERY PLAN SELECT seq FROM runs r WHERE experiment = 0 AND deleted = 0 ORDER BY name, start_time DESC, id LIMIT 3
                    """
            ).map { $0["detail"] as String }
        }
        #expect(plan == ["SEARCH r USING COVERING INDEX runs_by_name (experiment=? AND deleted=?)"])
    }

    @Test func `parameters of before the index are in it, and leave it with their run`() async throws {
        let fixture = try await StoreFixture()
        let path = fixture.directory + "/old.sqlite"
        let old = try await TrackingDatabase.open(path: path, migrations: TrackingSchema.migrations.dropLast())
        let before = TrackingStore(database: old)
        try await before.prepare(now: 1)
        let run = try await before.createRun(experiment: "0", name: "a", startTime: 1, tags: [], now: 1)
        try await before.logParam(run: run.info.id, KeyValue("p", String(repeating: "x", count: 300)))
        try old.close()
        let database = try await TrackingDatabase.open(path: path, migrations: TrackingSchema.migrations)
        let store = TrackingStore(database: database)
        func indexed() async throws -> [String] {
            try await database.read { try String.fetchAll($0, sql: "SELECT value FROM param_values ORDER BY value") }
        }
        #expect(try await indexed() == [String(repeating: "x", count: 100)])
        try await store.logParam(run: run.info.id, KeyValue("q", "1"))
        #expect(try await indexed() == ["1", String(repeating: "x", count: 100)])
        try await store.setRunStage(id: run.info.id, .deleted, now: 2)
        _ = try await store.collect(deletedBefore: 3, referred: { _, _ in "FALSE" })
        #expect(try await indexed().isEmpty)
    }

    @Test func `names of metrics are right whatever was read before`() async throws {
        let fixture = try await StoreFixture()
        let keys = (0..<40).map { "k\(($0 * 7) % 40)" }
        let id = try await fixture.run(
            "a", start: 1, metrics: keys.enumerated().map { Metric($1, Double($0), timestamp: 5, step: -1) },
            params: keys.map { KeyValue($0, $0) })
        let fresh = TrackingStore(database: fixture.store.database)
        for store in [fixture.store, fresh, fresh] {
            let run = try await store.run(id: id)
            #expect(run.metrics == keys.enumerated().map { Metric($1, Double($0), timestamp: 5, step: -1) }.sorted { $0.key < $1.key })
            #expect(run.params == keys.sorted().map { KeyValue($0, $0) })
        }
    }
}
