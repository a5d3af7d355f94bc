import Domain
import EventLog
import FeatureStore
import Features
import Logging
import Table
import Testing

@testable import FeatureRole

@Suite struct RebuildTests {
    @Test(arguments: [false, true]) func `a rebuild, however often stopped, leaves what a fresh log would have`(isArchived: Bool)
        async throws
    {
        var expected: [String: [String: [RebuildFixture.Row]]] = [:]
        try await RebuildFixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<2_000), to: "clicks")
            for worker in try fixture.workers(period: 4, least: 20) { _ = try await worker.drain() }
            expected = try await fixture.picture(period: 4, least: 20)
        }
        #expect((expected["means"]?["U1"]?.count ?? 0) > 20 && expected["means.latest"]?["U0"] == nil)
        #expect(expected["totals.quarantine"]?.isEmpty == false)
        try await RebuildFixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<1_500), to: "clicks")
            for worker in try fixture.workers() { _ = try await worker.drain() }
            #expect(try await fixture.rows("means.latest", of: "means")["U0"] != nil)
            if isArchived {
                for view in try RebuildFixture.definitions().1.views {
                    #expect(try await ViewArchive(view: view, log: fixture.log, store: fixture.store).archive(minRows: 1) > 0)
                }
            }
            try await fixture.log.append(fixture.events(1_500..<2_000), to: "clicks")
            await #expect(throws: EngineState.Error.definitionsChanged(["means.mean", "totals.total"])) {
                for worker in try fixture.workers(period: 4, least: 20) { _ = try await worker.drain() }
            }
            let old = try await fixture.history("means", period: 3, least: 0)
            // The first to begin with it; whoever comes after goes on, asked to or not.
            for worker in try fixture.workers(period: 4, least: 20, rebuilds: true) { try await worker.open() }
            let still = try await fixture.history("means", period: 3, least: 0)
            #expect("\(still.columns)" == "\(old.columns)")
            var done = 0
            repeat {
                done = 0
                for worker in try fixture.workers(period: 4, least: 20, batch: 37) {
                    try await worker.open()
                    done += try await worker.step()
                }
            } while done > 0
            for worker in try fixture.workers(period: 4, least: 20) { _ = try await worker.drain() }
            let found = try await fixture.picture(period: 4, least: 20)
            for (topic, rows) in expected { #expect(found[topic] == rows, "\(topic)") }
        }
    }

    @Test func `while a rebuild is under way everybody sees the old rows`() async throws {
        try await RebuildFixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<1_200), to: "clicks")
            for worker in try fixture.workers() { _ = try await worker.drain() }
            let before = try await fixture.picture(period: 3)
            for worker in try fixture.workers(period: 5, rebuilds: true) {
                try await worker.open()
                _ = try await worker.step()
            }
            #expect(try await fixture.picture(period: 3) == before)
            // Other definitions once more: what the first rebuild wrote never counts.
            for worker in try fixture.workers(period: 4, rebuilds: true) { _ = try await worker.drain() }
            let after = try await fixture.picture(period: 4)
            #expect(after["totals"] == before["totals"] && after["means"] != before["means"])
            for worker in try fixture.workers(period: 3, rebuilds: true) { _ = try await worker.drain() }
            #expect(try await fixture.picture(period: 3) == before)
        }
    }

    @Test func `asked for without need, a rebuild does nothing, and what was refused is not told twice`() async throws {
        try await RebuildFixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<1_000), to: "clicks")
            for worker in try fixture.workers(rebuilds: true) { _ = try await worker.drain() }
            let ends = try await fixture.log.endOffsets(topic: "means")
            let dead = try await fixture.log.endOffsets(topic: "clicks.dead"), late = try await fixture.log.endOffsets(topic: "clicks.late")
            #expect(dead.reduce(0, +) == 10 && late.reduce(0, +) > 0)
            for worker in try fixture.workers(rebuilds: true) { #expect(try await worker.drain() == 0) }
            #expect(try await fixture.log.endOffsets(topic: "means") == ends)
            for worker in try fixture.workers(period: 9, rebuilds: true) { _ = try await worker.drain() }
            #expect(try await fixture.log.endOffsets(topic: "clicks.dead") == dead)
            #expect(try await fixture.log.endOffsets(topic: "clicks.late") == late)
        }
    }

    @Test func `state of another format, or damaged, is rebuilt too`() async throws {
        try await RebuildFixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<600), to: "clicks")
            for worker in try fixture.workers() { _ = try await worker.drain() }
            let before = try await fixture.picture(period: 3)
            for partition in 0..<StreamTopics.partitions {
                var unit = LogUnit(group: "features/clicks", partition: partition)
                unit.state = [.init(key: Array(#"["meta"]"#.utf8), value: Array("2\nmeans.mean x".utf8))]
                try await fixture.log.commit(unit)
            }
            await #expect(throws: EngineState.Error.format(found: "2")) { try await fixture.workers()[0].open() }
            for worker in try fixture.workers(rebuilds: true) { _ = try await worker.drain() }
            #expect(try await fixture.picture(period: 3) == before)
        }
    }

    @Test func `rows are parity's after a rebuild, and a rebuild under way is told`() async throws {
        try await RebuildFixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<900), to: "clicks")
            for worker in try fixture.workers() { _ = try await worker.drain() }
            let (stream, views) = try RebuildFixture.definitions(period: 5)
            let parity = Parity(stream: stream, views: views, log: fixture.log, archive: nil, logger: Logger(label: "test"))
            for worker in try fixture.workers(period: 5, rebuilds: true) { try await worker.open() }
            func report() async throws -> Parity.Report {
                var served: ServedValues?, report = Parity.Report()
                try await parity.check(&served, &report)
                return report
            }
            await #expect(throws: Parity.Rebuilding.self) { _ = try await report() }
            for worker in try fixture.workers(period: 5) { _ = try await worker.drain() }
            let found = try await report()
            #expect((found.rows["means"] ?? 0) > 50 && found.latest["means"] == 6)
        }
    }
}
