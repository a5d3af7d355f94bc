import Domain
import EventLog

/// A log in front of another one, where a test may do something in between.
final class AlteredLog: EventLog {
    private let log: any EventLog
    private let first: @Sendable (_ topic: String, _ partition: Int) async throws -> Int64
    private let beforeCommit: @Sendable (LogUnit) async throws -> Void
    private let afterCommit: @Sendable (LogUnit) async throws -> Void

    /// - Parameter first: The first offset that the log claims still to have.
    init(
        _ log: any EventLog, first: @escaping @Sendable (_ topic: String, _ partition: Int) async throws -> Int64 = { _, _ in 0 },
        beforeCommit: @escaping @Sendable (LogUnit) async throws -> Void = { _ in },
        afterCommit: @escaping @Sendable (LogUnit) async throws -> Void = { _ in }
    ) {
        self.log = log
        self.first = first
        self.beforeCommit = beforeCommit
        self.afterCommit = afterCommit
    }

    func firstOffset(topic: String, partition: Int) async throws -> Int64 { try await first(topic, partition) }
    func read(topic: String, partition: Int, from: Int64, limit: Int) async throws -> RecordBatch {
        let first = try await first(topic, partition)
        return try await log.read(topic: topic, partition: partition, from: max(from, first), limit: limit)
    }
    func commit(_ unit: LogUnit) async throws {
        try await beforeCommit(unit)
        try await log.commit(unit)
        try await afterCommit(unit)
    }
    func createTopics(_ plans: [TopicPlan]) async throws { try await log.createTopics(plans) }
    func topics() async throws -> [TopicPlan] { try await log.topics() }
    func partitions(of topic: String) async throws -> Int { try await log.partitions(of: topic) }
    func endOffset(topic: String, partition: Int) async throws -> Int64 { try await log.endOffset(topic: topic, partition: partition) }
    func endOffsets(topic: String) async throws -> [Int64] { try await log.endOffsets(topic: topic) }
    func committed(group: String, topic: String, partition: Int) async throws -> Int64 {
        try await log.committed(group: group, topic: topic, partition: partition)
    }
    func append(_ records: [Record], to topic: String) async throws { try await log.append(records, to: topic) }
    func acquire(
        group: String, topic: String, partition: Int, owner: String, now: EventTime.Milliseconds, timeToLive: Int64
    ) async throws -> Lease? {
        try await log.acquire(group: group, topic: topic, partition: partition, owner: owner, now: now, timeToLive: timeToLive)
    }
    func release(_ lease: Lease) async throws { try await log.release(lease) }
    func savedState(group: String, partition: Int) async throws -> SavedState {
        try await log.savedState(group: group, partition: partition)
    }
    func version(of topics: [String]) -> UInt64 { log.version(of: topics) }
    func waitForAppend(to topics: [String], after version: UInt64, timeout: Duration) async {
        await log.waitForAppend(to: topics, after: version, timeout: timeout)
    }
}
