import Domain
import EventLog
import TestLogs

/// A log in front of another one, where a test may do something in between.
final class AlteredLog: ForwardingLog {
    let inner: any EventLog
    private let first: @Sendable (_ topic: String, _ partition: Int) async throws -> Int64
    private let beforeCommit: @Sendable (LogUnit) async throws -> Void
    private let afterCommit: @Sendable (LogUnit) async throws -> Void

    /// - Parameter first: The first offset that the log claims still to have.
    init(
        _ log: any EventLog, first: @escaping @Sendable (_ topic: String, _ partition: Int) async throws -> Int64 = { _, _ in 0 },
        beforeCommit: @escaping @Sendable (LogUnit) async throws -> Void = { _ in },
        afterCommit: @escaping @Sendable (LogUnit) async throws -> Void = { _ in }
    ) {
        inner = log
        self.first = first
        self.beforeCommit = beforeCommit
        self.afterCommit = afterCommit
    }

    func firstOffset(topic: String, partition: Int) async throws -> Int64 { try await first(topic, partition) }
    func read(topic: String, partition: Int, from: Int64, limit: Int) async throws -> RecordBatch {
        let first = try await first(topic, partition)
        return try await inner.read(topic: topic, partition: partition, from: max(from, first), limit: limit)
    }
    func commit(_ unit: LogUnit) async throws {
        try await beforeCommit(unit)
        try await inner.commit(unit)
        try await afterCommit(unit)
    }
}
