import Domain
import EventLog
import Project
import Testing

@testable import ProduceRole

@Suite struct RetentionTests {
    @Test func `an event as old as what is kept goes, an older one is refused with the remedy`() throws {
        let retention = Retention(topic: "trades", kept: 3_600_000)
        try retention.check([100_000_000 - 3_600_000, 100_000_000, .min, .max], now: 100_000_000)
        #expect {
            try retention.check([100_000_000, 100_000_000 - 3_600_001], now: 100_000_000)
        } throws: { error in
            "\(error)".contains("1970-01-02T02:46:39.999Z") && "\(error)".contains("keeps 1h of event time")
                && "\(error)".contains("--entity-name trades --add-config retention.ms=-1")
        }
        try Retention(topic: "trades", kept: nil).check([0], now: .max)
        try retention.check([], now: .max)
    }

    @Test func `a source of old events is refused before anything of it is written`() async throws {
        let folder = try Folder()
        let log = ShortLog(inner: try await folder.log(), kept: 60_000)
        // The clock of the tests stands at 1,000,000 seconds; the source begins at 0.
        let producer = testProducer(log) { PartedSource { synthetic(.init(pairs: ["A"], rate: 10, seed: 1), duration: 600_000) } }
        await #expect(throws: Retention.Refused.self) { try await producer.run() }
        try await producer.release()
        #expect(try await log.endOffset(topic: "trades", partition: 0) == 0)
        let recent = testProducer(log) {
            PartedSource { synthetic(.init(pairs: ["A"], rate: 10, seed: 1), start: 999_950_000, duration: 10_000) }
        }
        try await recent.run()
        #expect(try await log.endOffset(topic: "trades", partition: 0) > 50)
    }
}

/// A log whose topics keep records for a short while, as a cluster's may.
private struct ShortLog: EventLog {
    let inner: LocalLog
    let kept: Int64

    func retention(of topic: String) async throws -> Int64? { kept }
    func createTopics(_ plans: [TopicPlan]) async throws { try await inner.createTopics(plans) }
    func topics() async throws -> [TopicPlan] { try await inner.topics() }
    func partitions(of topic: String) async throws -> Int { try await inner.partitions(of: topic) }
    func endOffset(topic: String, partition: Int) async throws -> Int64 { try await inner.endOffset(topic: topic, partition: partition) }
    func endOffsets(topic: String) async throws -> [Int64] { try await inner.endOffsets(topic: topic) }
    func committed(group: String, topic: String, partition: Int) async throws -> Int64 {
        try await inner.committed(group: group, topic: topic, partition: partition)
    }
    func append(_ records: [Record], to topic: String) async throws { try await inner.append(records, to: topic) }
    func read(topic: String, partition: Int, from: Int64, limit: Int) async throws -> RecordBatch {
        try await inner.read(topic: topic, partition: partition, from: from, limit: limit)
    }
    func acquire(
        group: String, topic: String, partition: Int, owner: String, now: EventTime.Milliseconds, timeToLive: Int64
    ) async throws -> Lease? {
        try await inner.acquire(group: group, topic: topic, partition: partition, owner: owner, now: now, timeToLive: timeToLive)
    }
    func release(_ lease: Lease) async throws { try await inner.release(lease) }
    func savedState(group: String, partition: Int) async throws -> SavedState {
        try await inner.savedState(group: group, partition: partition)
    }
    func commit(_ unit: LogUnit) async throws { try await inner.commit(unit) }
    func version(of topics: [String]) -> UInt64 { inner.version(of: topics) }
    func waitForAppend(to topics: [String], after version: UInt64, timeout: Duration) async {
        await inner.waitForAppend(to: topics, after: version, timeout: timeout)
    }
}
