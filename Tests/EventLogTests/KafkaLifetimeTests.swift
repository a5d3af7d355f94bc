import CRDKafka
import Domain
import Foundation
import Synchronization
import Testing

@testable import EventLog

/// What the C library calls from its threads must live until it has been told to stop, whoever lets go first.
@Suite struct KafkaLifetimeTests {
    /// Lives as long as something may call it.
    private final class Arrivals: Sendable {
        private let calls = Mutex(0)

        var count: Int { calls.withLock { $0 } }
        func note() { calls.withLock { $0 += 1 } }
    }

    /// Holds the one who passes while it is shut.
    private final class Gate: Sendable {
        private let semaphore = DispatchSemaphore(value: 0)
        private let state = Mutex((isShut: false, isReached: false))

        var isReached: Bool { state.withLock { $0.isReached } }

        func shut() { state.withLock { $0.isShut = true } }

        func pass() {
            let isShut = state.withLock { state in
                state.isReached = state.isShut
                return state.isShut
            }
            if isShut { semaphore.wait() }
        }

        func open() {
            state.withLock { $0.isShut = false }
            semaphore.signal()
        }
    }

    /// For what other threads do in their own time; the bound is for what they never do.
    private func until(_ what: Comment, _ condition: () async -> Bool) async throws {
        for _ in 0..<10_000 {
            if await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        try #require(await condition(), what)
    }

    private func record(_ text: String) -> Domain.Record { Domain.Record(key: [1], value: Array(text.utf8), timestamp: 1_000) }

    @Test func `readers that are let go without being closed live until the library has stopped calling them`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        let gate = Gate()
        // Also when the test fails: nobody waits at the gate for ever.
        defer { gate.open() }
        try await cluster.withLog { writer in
            var arrivals: Arrivals? = Arrivals()
            weak let alive = arrivals
            let options = cluster.options { $0.statisticsInterval = .milliseconds(20) }
            // Statistics are served by the thread that would stop the fetch: at the gate it does nothing else.
            var pool: ReaderPool? = ReaderPool(options, statistics: { _ in gate.pass() }) { [arrivals] _ in arrivals?.note() }
            weak let reader = pool
            arrivals = nil
            // Ends once the report of the end has been taken: the queue is empty, and the library tells of what comes next.
            let batch = try await pool?.read(topic: "t", partition: 0, from: 0, limit: 1, knownEnd: 0)
            #expect(batch?.count == 0)
            gate.shut()
            try await until("the thread of the readers is at the gate") { gate.isReached }
            pool = nil
            try await until("the readers are gone") { reader == nil }

            try #require(alive != nil, "the library still fetches, and what it calls is gone")
            let before = alive?.count ?? 0
            try await writer.append([record("1")], to: "t")
            try await until("the library calls") { (alive?.count ?? 0) > before }
            gate.open()
            try await until("what the library called is freed once it has stopped") { alive == nil }
        }
    }

    @Test(arguments: [false, true])
    func `the logs that a command has opened are closed when it ends, whoever still has them`(isFailing: Bool) async throws {
        struct Failed: Error {}
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        let kept = Mutex<(any EventLog)?>(nil)
        var isThrown = false
        do {
            // The mock brokers are a handle of the library too, and stay.
            try await OpenLogs.closing(within: .milliseconds(10)) {
                let log = try await LogURL("kafka://" + cluster.brokers).open { $0 = cluster.options() }
                try await log.append([record("1")], to: "t")
                kept.withLock { $0 = log }
                #expect(try await log.read(topic: "t", partition: 0, from: 0, limit: 1).count == 1)
                if isFailing { throw Failed() }
            }
        } catch is Failed { isThrown = true }
        #expect(isThrown == isFailing)
        let log = try #require(kept.withLock { $0 })
        // On a slow machine closing goes on behind the patience; this is the last of it.
        try await until("the last of the log is closed") {
            do { _ = try await log.endOffset(topic: "t", partition: 0) } catch is CancellationError { return true } catch { return false }
            return false
        }
        await #expect(throws: CancellationError.self) { try await log.append([record("2")], to: "t") }
        await #expect(throws: CancellationError.self) { _ = try await log.read(topic: "t", partition: 0, from: 1, limit: 1) }
    }

    @Test func `a read goes on to its end although its readers are closed`() async throws {
        let cluster = try MockCluster()
        cluster.create("t", partitions: 1)
        try await cluster.withLog { writer in
            var arrivals: Arrivals? = Arrivals()
            weak let alive = arrivals
            do {
                let pool = ReaderPool(cluster.options(), statistics: { _ in }) { [arrivals] _ in arrivals?.note() }
                arrivals = nil
                async let batch = pool.read(topic: "t", partition: 0, from: 0, limit: 1, knownEnd: 1)
                // It has met the end, and waits for the record that it has been told of.
                try await until("the read has begun") { (alive?.count ?? 0) > 0 }
                await pool.close()
                try await writer.append([record("1")], to: "t")
                #expect(try await batch.count == 1)
                await #expect(throws: CancellationError.self) {
                    _ = try await pool.read(topic: "t", partition: 0, from: 0, limit: 1, knownEnd: 1)
                }
            }
            try await until("what the library called is freed once it has stopped") { alive == nil }
        }
    }
}
