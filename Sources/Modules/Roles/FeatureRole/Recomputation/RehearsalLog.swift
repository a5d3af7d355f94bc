import Domain
import EventLog

/// A log in which a worker computes everything once more and writes nothing: it reads the history of streams, and what it would
/// have written is shown to somebody instead.
final class RehearsalLog: EventLog {
    /// The history of a stream's partition, and one past the last offset that is read.
    struct Input: Sendable {
        let history: EventHistory
        let end: Int64
        /// The ends of all partitions of the topic.
        let ends: [Int64]
    }

    private let inputs: [String: Input]
    private let show: @Sendable (LogUnit) async throws -> Void

    /// - Parameters:
    ///   - inputs: By topic.
    ///   - show: Called with every unit, in order.
    init(_ inputs: [String: Input], show: @escaping @Sendable (LogUnit) async throws -> Void) {
        self.inputs = inputs
        self.show = show
    }

    func read(topic: String, partition: Int, from: Int64, limit: Int) async throws -> RecordBatch {
        guard let input = inputs[topic] else { throw EventLogError(.unknownTopic(topic), during: "read") }
        return try await input.history.next(from: from, end: input.end, limit: limit)
    }

    func commit(_ unit: LogUnit) async throws { try await show(unit) }
    func endOffset(topic: String, partition: Int) async throws -> Int64 { inputs[topic]?.end ?? 0 }
    func endOffsets(topic: String) async throws -> [Int64] { inputs[topic]?.ends ?? [] }
    func savedState(group: String, partition: Int) async throws -> SavedState { SavedState(entries: [], positions: []) }
    func committed(group: String, topic: String, partition: Int) async throws -> Int64 { 0 }
    func partitions(of topic: String) async throws -> Int { StreamTopics.partitions }
    func topics() async throws -> [TopicPlan] { [] }
    func createTopics(_ plans: [TopicPlan]) async throws {}
    func append(_ records: [Record], to topic: String) async throws {}
    func acquire(
        group: String, topic: String, partition: Int, owner: String, now: EventTime.Milliseconds, timeToLive: Int64
    ) async throws -> Lease? { nil }
    func release(_ lease: Lease) async throws {}
    func version(of topics: [String]) -> UInt64 { 0 }
    func waitForAppend(to topics: [String], after version: UInt64, timeout: Duration) async {}
    func retention(of topic: String) async throws -> Int64? { nil }
    func firstOffset(topic: String, partition: Int) async throws -> Int64 { 0 }
    func keepTrying() {}
    func close() async {}
}
