import Testing

@testable import Tracking

@Suite struct OverviewTests {
    /// A parent with two children, one of which has a child, and a run of its own.
    private func family(_ fixture: StoreFixture) async throws -> [String: String] {
        var ids: [String: String] = [:]
        for (name, parent, start) in [("parent", "", 1), ("b", "parent", 3), ("a", "parent", 2), ("grandchild", "a", 4), ("alone", "", 5)] {
            let id = try await fixture.run(name, start: Int64(start))
            if let parent = ids[parent] { try await fixture.store.setTag(run: id, KeyValue(TrackingStore.parentTag, parent)) }
            ids[name] = id
        }
        return ids
    }

    private func topLevel(_ fixture: StoreFixture) async throws -> [String] {
        var search = TrackingStore.RunSearch(experiments: ["0"])
        search.onlyTopLevel = true
        return try await fixture.store.searchRuns(search).elements.map(\.info.name)
    }

    @Test func `runs stand under their parents, the oldest first`() async throws {
        let fixture = try await StoreFixture()
        let ids = try await family(fixture)
        let parent = try #require(ids["parent"]), child = try #require(ids["a"])
        #expect(try await topLevel(fixture) == ["alone", "parent"])
        #expect(try await fixture.store.childCounts(ofRuns: Array(ids.values)) == [parent: 2, child: 1])
        let children = try await fixture.store.children(ofRun: parent, showing: .init(), limit: 10)
        #expect(children.map(\.info.name) == ["a", "b"])
        #expect(try await fixture.store.children(ofRun: parent, showing: .init(), limit: 1).count == 1)
    }

    @Test func `a run whose parent is gone stands at the top`() async throws {
        let fixture = try await StoreFixture()
        let ids = try await family(fixture)
        try await fixture.store.setRunStage(id: try #require(ids["parent"]), .deleted, now: 9)
        #expect(try await topLevel(fixture) == ["alone", "b", "a"])
        try await fixture.store.deleteTag(run: try #require(ids["grandchild"]), key: TrackingStore.parentTag)
        #expect(try await topLevel(fixture) == ["alone", "grandchild", "b", "a"])
        #expect(try await fixture.store.childCounts(ofRuns: [try #require(ids["a"])]).isEmpty)
    }

    @Test func `a run that calls itself its parent is still found`() async throws {
        let fixture = try await StoreFixture()
        let id = try await fixture.run("self", start: 1)
        try await fixture.store.setTag(run: id, KeyValue(TrackingStore.parentTag, id))
        #expect(try await topLevel(fixture) == ["self"])
        #expect(try await fixture.store.childCounts(ofRuns: [id]).isEmpty)
        #expect(try await fixture.store.children(ofRun: id, showing: .init(), limit: 10).isEmpty)
    }

    @Test func `a parent that changes moves its child`() async throws {
        let fixture = try await StoreFixture()
        let one = try await fixture.run("one", start: 1), two = try await fixture.run("two", start: 2)
        let child = try await fixture.run("child", start: 3)
        for parent in [one, two] { try await fixture.store.setTag(run: child, KeyValue(TrackingStore.parentTag, parent)) }
        #expect(try await fixture.store.childCounts(ofRuns: [one, two]) == [two: 1])
    }

    @Test func `a table brings only the values that it shows`() async throws {
        let fixture = try await StoreFixture()
        let metrics = (0..<50).map { Metric("m\($0)", Double($0), timestamp: 1) }
        let id = try await fixture.run("r", start: 1, metrics: metrics, params: [KeyValue("p", "1"), KeyValue("q", "2")])
        let columns = TrackingStore.RunColumns(metrics: ["m7", "missing"], params: ["q"])
        let run = try #require(try await fixture.store.runs(ids: ["nobody", id], showing: columns).first)
        #expect(run.metrics.map(\.value) == [7] && run.params == [KeyValue("q", "2")] && run.tags.isEmpty)
        var search = TrackingStore.RunSearch(experiments: ["0"])
        search.columns = columns
        #expect(try await fixture.store.searchRuns(search).elements.map(\.metrics.count) == [1])
    }

    @Test func `names are those of the experiment and of the runs shown, up to a bound`() async throws {
        let fixture = try await StoreFixture()
        let other = try await fixture.store.createExperiment(name: "other", now: 1)
        let id = try await fixture.run(
            "r", start: 1, metrics: [Metric("z", 1, timestamp: 1), Metric("a", .nan, timestamp: 1)], params: [KeyValue("p", "1")])
        _ = try await fixture.run("s", start: 2, metrics: [Metric("only there", 1, timestamp: 1)], params: [KeyValue("not shown", "1")])
        _ = try await fixture.run("o", start: 3, experiment: other, metrics: [Metric("elsewhere", 1, timestamp: 1)])
        let names = try await fixture.store.names(ofExperiment: "0", runs: [id], limit: 10)
        #expect(names.metrics == ["a", "only there", "z"] && names.params == ["p"] && names.tags == ["mlflow.runName"])
        #expect(try await fixture.store.names(ofExperiment: "0", runs: [id], limit: 2).metrics.count == 2)
        #expect(try await fixture.store.names(ofExperiment: "99", runs: [], limit: 2) == TrackingStore.RunColumns())
    }

    @Test func `an experiment tells how many runs it has and when the last began`() async throws {
        let fixture = try await StoreFixture()
        _ = try await fixture.run("a", start: 5)
        let gone = try await fixture.run("b", start: 9)
        try await fixture.store.setRunStage(id: gone, .deleted, now: 10)
        let empty = try await fixture.store.createExperiment(name: "empty", now: 1)
        let activity = try await fixture.store.activity(ofExperiments: ["0", empty, "x"])
        #expect(activity == ["0": .init(runCount: 1, lastStart: 5), empty: .init(runCount: 0, lastStart: nil)])
        let totals = try await fixture.store.totals()
        #expect(totals.experiments == 2 && totals.activeRuns == 1 && totals.deletedRuns == 1 && totals.fileBytes > 0)
    }

    @Test func `datasets come with the runs that read them, page by page`() async throws {
        let fixture = try await StoreFixture()
        let runs = [try await fixture.run("a", start: 5), try await fixture.run("b", start: 7)]
        for index in 0..<3 {
            let dataset = DatasetInput(
                name: "Trades \(index)", digest: "d", sourceType: "local", source: String(repeating: "s", count: 5_000), schema: nil,
                profile: nil,
                tags: [])
            try await fixture.store.logInputs(run: runs[0], datasets: [dataset], models: [])
            if index == 1 { try await fixture.store.logInputs(run: runs[1], datasets: [dataset], models: []) }
        }
        let first = try await fixture.store.datasets(containing: "trades", before: nil, limit: 2)
        #expect(first.uses.map(\.dataset.name) == ["Trades 2", "Trades 1"] && first.uses.map(\.runCount) == [1, 2])
        #expect(first.uses.map(\.lastUse) == [5, 7] && first.uses[0].dataset.source.count == 2_000)
        let second = try await fixture.store.datasets(containing: "trades", before: first.next, limit: 2)
        #expect(second.uses.map(\.dataset.name) == ["Trades 0"] && second.next == nil)
        #expect(try await fixture.store.datasets(containing: "%", before: nil, limit: 2).uses.isEmpty)
    }
}
