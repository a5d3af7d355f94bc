import Testing

@testable import Tracking

@Suite struct RunSearchTests {
    /// Four runs: `a` and `b` with the metric, `n` with NaN, `x` without.
    private func fixture() async throws -> StoreFixture {
        let fixture = try await StoreFixture()
        _ = try await fixture.run("a", start: 1, metrics: [Metric("m", 0.1, timestamp: 1)], params: [KeyValue("p", "one")])
        _ = try await fixture.run("b", start: 2, metrics: [Metric("m", 0.9, timestamp: 1)], params: [KeyValue("p", "TWO")])
        _ = try await fixture.run("n", start: 3, metrics: [Metric("m", .nan, timestamp: 1)])
        _ = try await fixture.run("x", start: 4)
        return fixture
    }

    @Test func `without an order the newest run comes first`() async throws {
        #expect(try await fixture().names() == ["x", "n", "b", "a"])
    }

    @Test(arguments: [
        ("metrics.m ASC", ["a", "b", "n", "x"]), ("metrics.m DESC", ["b", "a", "n", "x"]), ("params.p", ["b", "a", "x", "n"]),
        ("params.p DESC", ["a", "b", "x", "n"]), ("start_time", ["a", "b", "n", "x"]), ("end_time DESC", ["x", "n", "b", "a"]),
        ("attributes.run_name DESC", ["x", "n", "b", "a"]),
    ])
    func `a number comes before NaN and NaN before nothing, in both directions`(order: String, names: [String]) async throws {
        #expect(try await fixture().names(order: [order]) == names)
    }

    @Test(arguments: [
        ("metrics.m > 0.1", ["b"]), ("metrics.m >= 0.1", ["b", "a"]), ("metrics.m != 0.1", ["b"]),
        ("params.p = 'one'", ["a"]), ("params.p != 'one'", ["b"]), ("params.p LIKE 'T%'", ["b"]), ("params.p LIKE 't%'", []),
        ("params.p ILIKE 't__'", ["b"]), ("params.p LIKE '[T]%'", []), ("params.p IS NULL", ["x", "n"]),
        ("attributes.start_time > 2", ["x", "n"]),
        ("run_name = 'a'", ["a"]), ("run.status = 'RUNNING' AND params.p = 'one'", ["a"]), ("tags.mlflow.runName = 'x'", ["x"]),
        ("params.p = ''' OR 1=1 --'", []), ("params.`p' OR '1'='1` = 'x'", []),
    ])
    func `a filter finds what it says and nothing else`(filter: String, names: [String]) async throws {
        #expect(try await fixture().names(filter) == names)
    }

    @Test(arguments: [
        "attributes.nope = 'x'", "metrics.m = 'x'", "params.p > 1", "params.p = 1", "metrics.m LIKE 'x'", "start_time IN ('1')",
        "nope.x = 1",
    ])
    func `a filter that makes no sense is refused`(filter: String) async throws {
        let fixture = try await fixture()
        #expect(await refusal { try await fixture.names(filter) } == .invalidParameter)
    }

    @Test(arguments: [["metrics.m DESC"], [], ["params.p", "metrics.m"]])
    func `pages join up without gap or double`(order: [String]) async throws {
        let fixture = try await StoreFixture()
        for index in 0..<23 {
            _ = try await fixture.run(
                "r\(index)", start: Int64(index % 5), metrics: index % 3 == 0 ? [] : [Metric("m", Double(index % 4), timestamp: 1)])
        }
        var search = TrackingStore.RunSearch(experiments: ["0"])
        search.order = order
        let whole = try await fixture.store.searchRuns(search).elements.map(\.info.id)
        search.maxResults = 4
        var pieces: [String] = []
        repeat {
            let page = try await fixture.store.searchRuns(search)
            pieces += page.elements.map(\.info.id)
            search.pageToken = page.nextPageToken
        } while search.pageToken != nil
        #expect(pieces == whole && Set(pieces).count == 23)
    }

    @Test func `the short way by index gives the same order as the long way`() async throws {
        let fixture = try await StoreFixture()
        for index in 0..<40 {
            _ = try await fixture.run("r\(index)", start: Int64(index % 7), metrics: [Metric("m", Double(index % 5), timestamp: 1)])
        }
        var search = TrackingStore.RunSearch(experiments: ["0"])
        search.maxResults = 20
        for direction in ["ASC", "DESC"] {
            search.order = ["metrics.m \(direction)"]
            let short = try await fixture.store.searchRuns(search).elements.map(\.info.id)
            search.order = ["metrics.m \(direction)", "start_time DESC"]
            let long = try await fixture.store.searchRuns(search).elements.map(\.info.id)
            #expect(short == long)
        }
    }

    @Test func `only the stages asked for are found`() async throws {
        let fixture = try await fixture()
        var search = TrackingStore.RunSearch(experiments: ["0"])
        search.filter = "run_name = 'a'"
        let id = try await fixture.store.searchRuns(search).elements[0].info.id
        try await fixture.store.setRunStage(id: id, .deleted, now: 9)
        #expect(try await fixture.names() == ["x", "n", "b"])
        #expect(try await fixture.names(view: .deletedOnly) == ["a"])
        #expect(try await fixture.names(view: .all).count == 4)
    }
}
