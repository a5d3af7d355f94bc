import GRDB
import Testing

@testable import Tracking

@Suite struct PagingTests {
    /// Runs with ties, NaNs and gaps in everything that can be sorted by.
    private func fixture(_ count: Int, using generator: inout SeededGenerator) async throws -> StoreFixture {
        let fixture = try await StoreFixture()
        for index in 0..<count { try await add(index, to: fixture, using: &generator) }
        return fixture
    }

    private func add(_ index: Int, to fixture: StoreFixture, using generator: inout SeededGenerator) async throws {
        var metrics: [Metric] = [], params: [KeyValue] = []
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: break
        case 1: metrics = [Metric("m", .nan, timestamp: 1)]
        default: metrics = [Metric("m", Double(Int.random(in: -2...2, using: &generator)) / 3, timestamp: 1)]
        }
        if Bool.random(using: &generator) { params = [KeyValue("p", "v\(Int.random(in: 0...3, using: &generator))")] }
        let start = Int64.random(in: 1...5, using: &generator)
        _ = try await fixture.run("r\(index % 4)", start: start, metrics: metrics, params: params)
    }

    private static let orders = [
        [], ["metrics.m"], ["metrics.m DESC"], ["params.p"], ["params.p DESC", "metrics.m"], ["end_time"], ["run_name DESC"],
        ["start_time"], ["metrics.m", "run_name"], ["metrics.none"], ["metrics.m DESC", "params.p", "start_time DESC"],
    ]

    @Test(arguments: Self.orders)
    func `pages of any size join up to the whole, whatever the order`(order: [String]) async throws {
        var generator = SeededGenerator(seed: 5)
        let fixture = try await fixture(60, using: &generator)
        var search = TrackingStore.RunSearch(experiments: ["0"])
        search.order = order
        for filter in ["", "metrics.m > -0.5", "params.p != 'v0'"] {
            search.filter = filter
            search.maxResults = 1_000
            search.pageToken = nil
            let whole = try await fixture.store.searchRuns(search).elements.map(\.info.id)
            #expect(!whole.isEmpty)
            for size in [1, 7, whole.count] {
                search.maxResults = size
                search.pageToken = nil
                var joined: [String] = []
                repeat {
                    let page = try await fixture.store.searchRuns(search)
                    joined += page.elements.map(\.info.id)
                    search.pageToken = page.nextPageToken
                } while search.pageToken != nil && joined.count <= whole.count
                #expect(joined == whole)
            }
        }
    }

    @Test(arguments: [["metrics.m"], ["params.p DESC"], []])
    func `runs that are added between two pages repeat and skip nothing`(order: [String]) async throws {
        var generator = SeededGenerator(seed: 9)
        let fixture = try await fixture(30, using: &generator)
        var search = TrackingStore.RunSearch(experiments: ["0"])
        search.order = order
        let before = Set(try await fixture.store.searchRuns(search).elements.map(\.info.id))
        search.maxResults = 4
        var seen: [String] = []
        repeat {
            let page = try await fixture.store.searchRuns(search)
            seen += page.elements.map(\.info.id)
            search.pageToken = page.nextPageToken
            try await add(seen.count, to: fixture, using: &generator)
        } while search.pageToken != nil && seen.count < 500
        #expect(Set(seen).count == seen.count)
        #expect(before.isSubset(of: seen))
    }

    @Test func `a token of another search is refused`() async throws {
        var generator = SeededGenerator(seed: 3)
        let fixture = try await fixture(5, using: &generator)
        var search = TrackingStore.RunSearch(experiments: ["0"])
        search.maxResults = 2
        let token = try #require(try await fixture.store.searchRuns(search).nextPageToken)
        search.pageToken = token
        _ = try await fixture.store.searchRuns(search)
        for change in [{ $0.filter = "metrics.m > 0" }, { $0.order = ["metrics.m"] }, { $0.experiments = ["0", "1"] }, { $0.view = .all }]
            as [(inout TrackingStore.RunSearch) -> Void]
        {
            var other = search
            change(&other)
            await #expect(throws: TrackingError(.invalidParameter, "Invalid page token: it is not of this search")) {
                try await fixture.store.searchRuns(other)
            }
        }
        for token in ["x", "e30=", "%%%", "eyJvZmZzZXQiOiAyfQ==", String(token.dropLast(4))] {
            search.pageToken = token
            await #expect(throws: TrackingError.self) { try await fixture.store.searchRuns(search) }
        }
    }

    @Test func `sort values of a token are bound, not trusted`() async throws {
        let columns = [SortColumn("r.start_time", isAscending: false), SortColumn("r.id")]
        let seek = try SearchSeek(columns, search: ["a"], token: nil)
        let token = seek.token(after: ["x'; DROP TABLE runs; --".databaseValue, 0.1.databaseValue])
        let read = try SearchSeek(columns, search: ["a"], token: token)
        #expect(read.place == ["x'; DROP TABLE runs; --".databaseValue, 0.1.databaseValue])
        #expect(!read.condition.sql.contains("DROP"))
    }

    @Test func `a long history is thinned evenly and keeps its first and last step`() async throws {
        let fixture = try await StoreFixture()
        let run = try await fixture.run("r", start: 1)
        // Steps that start over twice, as those of a resumed training do.
        for part in 0..<3 {
            let metrics = (0..<1_000).map {
                Metric("m", Double($0), timestamp: Int64(part * 1_000 + $0), step: Int64(($0 + part * 300) % 1_000))
            }
            try await fixture.store.logBatch(run: run, metrics: metrics)
        }
        for limit in [2, 3, 4, 10, 320] {
            let points = try await fixture.store.sampledHistory(run: run, key: "m", maxPoints: limit)
            // Two of four or more are kept back for the ends of the steps, which may be among the others.
            let spread = limit < 4 ? limit : limit - 2
            #expect((spread...limit).contains(points.count))
            if limit >= 4 { #expect(points.first?.step == 0 && points.last?.step == 999) }
            let times = points.map(\.timestamp).sorted()
            #expect(times.first == 0 && times.last == 2_999)
            #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 && Int($1 - $0) <= 2_999 / (spread - 1) + 1 })
            #expect(points.map(\.step) == points.map(\.step).sorted())
        }
        #expect(try await fixture.store.sampledHistory(run: run, key: "m", steps: 10...12, maxPoints: 100).count == 9)
        #expect(try await fixture.store.sampledHistory(run: run, key: "none", maxPoints: 100).isEmpty)
    }

    @Test(arguments: [
        "run_name IN ('a')", "status IS NULL", "metrics.m IS NULL", "metrics.m IN ('a')", "params.p > 'a'", "params.p IN ('a')",
        "start_time LIKE 'a'", "metrics.m = 'a'", "params.p = 1", "dataset.name > 'a'", "nothing.m = 1",
    ])
    func `a comparison that is not defined is refused`(filter: String) async throws {
        let fixture = try await StoreFixture()
        await #expect(throws: TrackingError.self) { _ = try await fixture.names(filter) }
    }

    @Test func `what one request may ask of the database is bounded`() async throws {
        let fixture = try await StoreFixture()
        let many = Array(repeating: "metrics.m > 1", count: 101).joined(separator: " AND ")
        let long = "params.p LIKE '\(String(repeating: "%a", count: 5_000))'"
        for filter in [many, long] { await #expect(throws: TrackingError.self) { _ = try await fixture.names(filter) } }
        await #expect(throws: TrackingError.self) { _ = try await fixture.names(order: Array(repeating: "metrics.m", count: 21)) }
        let fits = Array(repeating: "metrics.m > 1", count: 100).joined(separator: " AND ")
        #expect(try await fixture.names(fits, order: (0..<20).map { "metrics.m\($0)" }).isEmpty)
    }
}
