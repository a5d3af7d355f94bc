import CRDKafka
import Synchronization

/// Positions that groups keep at their coordinator: what lag tools show, and where readers without a lease go on.
final class GroupOffsets: Sendable {
    private let options: KafkaOptions
    private let thread = QuestionThread("kafka-offsets")
    /// One for each group: the library asks for a group's positions only as that group.
    private let handles = Mutex<[String: KafkaHandle]>([:])

    private static let timeout: Int32 = 10_000

    init(_ options: KafkaOptions) { self.options = options }

    /// - Returns: 0 where nothing was ever committed.
    func committed(group: String, topic: String, partition: Int) async throws -> Int64 {
        let handle = try handle(group)
        return try await thread.run {
            let list = PartitionList([LogUnit.Position(topic: topic, partition: partition, next: -1)])
            let code = rd_kafka_committed(handle.pointer, list.pointer, Self.timeout)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaFailure(code) }
            return max(0, list.pointer.pointee.elems[0].offset)
        }
    }

    func commit(group: String, _ positions: [LogUnit.Position]) async throws {
        let handle = try handle(group)
        try await thread.run {
            let list = PartitionList(positions)
            let code = rd_kafka_commit(handle.pointer, list.pointer, 0)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaFailure(code) }
        }
    }

    private func handle(_ group: String) throws -> KafkaHandle {
        try handles.withLock { handles in
            if let known = handles[group] { return known }
            let properties = KafkaProperties(options).with([
                ("group.id", Changelog.identifier(of: group, prefix: options.topicPrefix)), ("enable.auto.commit", "false"),
                ("allow.auto.create.topics", "false"), ("statistics.interval.ms", "0"),
            ])
            let made = try KafkaHandle(.consumer, properties, logger: options.logger)
            handles[group] = made
            return made
        }
    }

    func close() {
        let all = handles.withLock { handles in
            defer { handles = [:] }
            return Array(handles.values)
        }
        thread.stop { for handle in all { handle.close() } }
    }
}
