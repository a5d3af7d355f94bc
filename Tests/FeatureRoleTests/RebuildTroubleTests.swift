import Domain
import EventLog
import FeatureStore
import Features
import Logging
import Synchronization
import Testing

@testable import FeatureRole

/// Rebuilds that something comes between.
@Suite struct RebuildTroubleTests {
    private struct Lost: Error {}

    private static func topic(_ unit: LogUnit, _ name: String) -> Bool { unit.outputs.contains { $0.topic == name && !$0.records.isEmpty } }

    private func expected(period: Int) async throws -> [String: [String: [RebuildFixture.Row]]] {
        var found: [String: [String: [RebuildFixture.Row]]] = [:]
        try await RebuildFixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<900), to: "clicks")
            for worker in try fixture.workers(period: period) { _ = try await worker.drain() }
            found = try await fixture.picture(period: period)
        }
        return found
    }

    /// The unit is there or it is not, and nobody has heard which.
    @Test(arguments: [false, true]) func `after the answer to any unit was lost the same worker goes on where the log is`(isWritten: Bool)
        async throws
    {
        let expected = try await expected(period: 4)
        try await RebuildFixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<900), to: "clicks")
            for worker in try fixture.workers() { _ = try await worker.drain() }
            let count = Mutex(0)
            @Sendable func lose(_ unit: LogUnit) throws {
                // Those that begin or end a rebuild, and every third of the others; each once.
                let number = count.withLock { count in
                    count += 1
                    return count
                }
                if number % 3 == 0 || (Self.topic(unit, "means.generations") && number % 2 == 0) { throw Lost() }
            }
            let log = AlteredLog(
                fixture.log, beforeCommit: { if !isWritten { try lose($0) } }, afterCommit: { if isWritten { try lose($0) } })
            for worker in try fixture.workers(period: 4, rebuilds: true, over: log) {
                var isDone = false
                while !isDone {
                    do {
                        _ = try await worker.drain()
                        isDone = true
                    } catch is Lost {}
                }
            }
            #expect(count.withLock { $0 } > 15)
            #expect(try await fixture.picture(period: 4) == expected)
        }
    }

    @Test func `the last unit of a rebuild, written without an answer, is not written again`() async throws {
        let expected = try await expected(period: 4)
        try await RebuildFixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<900), to: "clicks")
            for worker in try fixture.workers() { _ = try await worker.drain() }
            let lost = Mutex(0)
            let log = AlteredLog(
                fixture.log,
                afterCommit: { unit in
                    guard Self.topic(unit, "means.latest") else { return }
                    lost.withLock { $0 += 1 }
                    throw Lost()
                })
            for worker in try fixture.workers(period: 4, rebuilds: true, over: log) {
                do { _ = try await worker.drain() } catch is Lost {}
                _ = try await worker.drain()
            }
            #expect(lost.withLock { $0 } > 1)
            #expect(try await fixture.picture(period: 4) == expected)
        }
    }

    @Test func `who has lost the partition while a rebuild began gives nothing up`() async throws {
        try await RebuildFixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<900), to: "clicks")
            for worker in try fixture.workers() { _ = try await worker.drain() }
            let partition = try #require(try await fixture.log.endOffsets(topic: "clicks").firstIndex { $0 > 0 })
            @Sendable func lease(_ owner: String) async throws -> Lease? {
                try await fixture.log.acquire(
                    group: "features/clicks", topic: "clicks", partition: partition, owner: owner, now: 0, timeToLive: 1_000)
            }
            let mine = try #require(try await lease("one/1"))
            let slow = Mutex<FeatureWorker?>(nil), isOver = Mutex(false), other = try fixture.workers(period: 4, rebuilds: true)[partition]
            let log = AlteredLog(
                fixture.log,
                first: { _, _ in
                    let isSecond = isOver.withLock { isOver in
                        defer { isOver = true }
                        return isOver
                    }
                    guard !isSecond else { return 0 }
                    // Meanwhile somebody else has had the partition, and has given it back.
                    try await fixture.log.release(mine)
                    await other.hold(try await lease("two/2"))
                    _ = try await other.drain()
                    if let theirs = await other.lease { try await fixture.log.release(theirs) }
                    await slow.withLock { $0 }?.hold(try await lease("one/1"))
                    return 0
                })
            let worker = try fixture.workers(period: 4, rebuilds: true, over: log)[partition]
            slow.withLock { $0 = worker }
            await worker.hold(mine)
            let error = await #expect(throws: EventLogError.self) { _ = try await worker.drain() }
            guard case .fenced = error?.code else { return #expect(Bool(false), "\(String(describing: error))") }
            let end = try await fixture.log.endOffset(topic: "means", partition: partition)
            #expect(try await worker.drain() == 0)
            #expect(try await fixture.log.endOffset(topic: "means", partition: partition) == end)
        }
    }

    @Test func `no partition gives anything up when events of one are missing`() async throws {
        try await RebuildFixture.with { fixture in
            try await fixture.log.append(fixture.events(0..<900), to: "clicks")
            for worker in try fixture.workers() { _ = try await worker.drain() }
            let last = try #require(try await fixture.log.endOffsets(topic: "clicks").lastIndex { $0 > 0 })
            let log = AlteredLog(fixture.log, first: { topic, partition in topic == "clicks" && partition == last ? 3 : 0 })
            let (stream, views) = try RebuildFixture.definitions(period: 4)
            func features(_ archive: EventArchive?) throws -> StreamFeatures {
                try StreamFeatures(
                    compiled: [(stream, views)], projectHash: ContentHash(of: "p"), batchRecords: 50, rebuilds: true, log: log,
                    archive: { _ in archive }, logger: Logger(label: "test"), wall: { 0 }, instance: "")
            }
            let features = try features(nil)
            try await features.lease()
            await #expect(throws: EventHistory.Error.incomplete(topic: "clicks", partition: last, from: 0, to: 3)) {
                try await features.drain()
            }
            #expect(try await fixture.log.endOffsets(topic: "means.generations").allSatisfy { $0 == 0 })
            for worker in try fixture.workers() { #expect(try await worker.drain() == 0) }
        }
    }
}
