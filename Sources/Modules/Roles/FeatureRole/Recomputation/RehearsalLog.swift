import Domain
import EventLog

/// A log in which a worker computes everything once more and writes nothing: it reads the history of a stream, and what it would
/// have written is shown to somebody instead.
final class RehearsalLog: EventLog {
    private let history: EventHistory
    private let end: Int64
    private let show: @Sendable (LogUnit) async throws -> Void

    /// - Parameters:
    ///   - end: One past the last offset of the stream's partition that is read.
    ///   - show: Called with every unit, in order.
    init(history: EventHistory, end: Int64, show: @escaping @Sendable (LogUnit) async throws -> Void) {
        self.history = history
        self.end = end
        self.show = show
    }

    func read(topic: String, partition: Int, from: Int64, limit: Int) async throws -> RecordBatch {
        try await history.next(from: from, end: end, limit: limit)
    }

    func commit(_ unit: LogUnit) async throws { try await show(unit) }
    func endOffset(topic: String, partition: Int) async throws -> Int64 { end }
    func endOffsets(topic: String) async throws -> [Int64] { [end] }
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
}
