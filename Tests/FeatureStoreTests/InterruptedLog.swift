import Domain
import EventLog
import Synchronization

/// A log in which something happens between two of a reader's questions: once, before the first answer to where a group stands.
final class InterruptedLog: EventLog {
    private let log: any EventLog
    private let meanwhile: Mutex<(@Sendable () async throws -> Void)?>

    init(_ log: any EventLog, meanwhile: @escaping @Sendable () async throws -> Void) {
        self.log = log
        self.meanwhile = Mutex(meanwhile)
    }

    func committed(group: String, topic: String, partition: Int) async throws -> Int64 {
        let action = meanwhile.withLock { action in
            defer { action = nil }
            return action
        }
        try await action?()
        return try await log.committed(group: group, topic: topic, partition: partition)
    }

    func createTopics(_ plans: [TopicPlan]) async throws { try await log.createTopics(plans) }
    func topics() async throws -> [TopicPlan] { try await log.topics() }
    func partitions(of topic: String) async throws -> Int { try await log.partitions(of: topic) }
    func endOffset(topic: String, partition: Int) async throws -> Int64 { try await log.endOffset(topic: topic, partition: partition) }
    func endOffsets(topic: String) async throws -> [Int64] { try await log.endOffsets(topic: topic) }
    func append(_ records: [Record], to topic: String) async throws { try await log.append(records, to: topic) }
    func read(topic: String, partition: Int, from: Int64, limit: Int) async throws -> RecordBatch {
        try await log.read(topic: topic, partition: partition, from: from, limit: limit)
    }
    func acquire(
        group: String, topic: String, partition: Int, owner: String, now: EventTime.Milliseconds, timeToLive: Int64
    ) async throws -> Lease? {
        try await log.acquire(group: group, topic: topic, partition: partition, owner: owner, now: now, timeToLive: timeToLive)
    }
    func release(_ lease: Lease) async throws { try await log.release(lease) }
    func savedState(group: String, partition: Int) async throws -> SavedState {
        try await log.savedState(group: group, partition: partition)
    }
    func commit(_ unit: LogUnit) async throws { try await log.commit(unit) }
    func version(of topics: [String]) -> UInt64 { log.version(of: topics) }
    func waitForAppend(to topics: [String], after version: UInt64, timeout: Duration) async {
        await log.waitForAppend(to: topics, after: version, timeout: timeout)
    }
}
