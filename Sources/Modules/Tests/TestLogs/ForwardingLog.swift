package import Domain
package import EventLog

/// A log that is another one but for what a test makes of it: whatever the test does not write itself is asked of ``inner``.
package protocol ForwardingLog: EventLog {
    var inner: any EventLog { get }
}

extension ForwardingLog {
    package func createTopics(_ plans: [TopicPlan]) async throws { try await inner.createTopics(plans) }
    package func topics() async throws -> [TopicPlan] { try await inner.topics() }
    package func partitions(of topic: String) async throws -> Int { try await inner.partitions(of: topic) }
    package func retention(of topic: String) async throws -> Int64? { try await inner.retention(of: topic) }
    package func firstOffset(topic: String, partition: Int) async throws -> Int64 {
        try await inner.firstOffset(topic: topic, partition: partition)
    }
    package func endOffset(topic: String, partition: Int) async throws -> Int64 {
        try await inner.endOffset(topic: topic, partition: partition)
    }
    package func endOffsets(topic: String) async throws -> [Int64] { try await inner.endOffsets(topic: topic) }
    package func committed(group: String, topic: String, partition: Int) async throws -> Int64 {
        try await inner.committed(group: group, topic: topic, partition: partition)
    }
    package func append(_ records: [Record], to topic: String) async throws { try await inner.append(records, to: topic) }
    package func read(topic: String, partition: Int, from: Int64, limit: Int) async throws -> RecordBatch {
        try await inner.read(topic: topic, partition: partition, from: from, limit: limit)
    }
    package func acquire(
        group: String, topic: String, partition: Int, owner: String, now: EventTime.Milliseconds, timeToLive: Int64
    ) async throws -> Lease? {
        try await inner.acquire(group: group, topic: topic, partition: partition, owner: owner, now: now, timeToLive: timeToLive)
    }
    package func release(_ lease: Lease) async throws { try await inner.release(lease) }
    package func savedState(group: String, partition: Int) async throws -> SavedState {
        try await inner.savedState(group: group, partition: partition)
    }
    package func commit(_ unit: LogUnit) async throws { try await inner.commit(unit) }
    package func version(of topics: [String]) -> UInt64 { inner.version(of: topics) }
    package func waitForAppend(to topics: [String], after version: UInt64, timeout: Duration) async {
        await inner.waitForAppend(to: topics, after: version, timeout: timeout)
    }
    package func keepTrying() { inner.keepTrying() }
    package func close() async { await inner.close() }
}
