import CRDKafka
import Domain
import Foundation
import Synchronization

/// A producer whose units appear whole or not at all, and whose identifier fences whoever had it before.
///
/// All calls run on one thread. After any error the outcome of the unit is unknown to the caller, who goes on from what
/// the changelog says; the transaction itself has been aborted, or will be by the next producer of the identifier.
final class TransactionalProducer: Sendable {
    /// Records for one partition of a topic, or for the partitions of their keys.
    struct Part: Sendable {
        let topic: String
        let partition: Int?
        let records: [Record]
    }

    private let handle: KafkaHandle
    private let thread: BlockingThread

    /// Milliseconds that a step of a transaction may take.
    private static let timeout: Int32 = 30_000

    /// - Parameter identifier: The same for every owner of the same right.
    init(_ options: KafkaOptions, identifier: String, statistics: (@Sendable (String) -> Void)?) throws {
        let properties = KafkaProperties(options).forProducer.with([
            ("transactional.id", identifier), ("transaction.timeout.ms", "60000"),
        ])
        let handle = try KafkaHandle(.producer, properties, logger: options.logger, callbacks: .init(statistics: statistics))
        self.handle = handle
        thread = BlockingThread("kafka-transactions") { [weak handle] in
            // Statistics are served between jobs; a job need not wait longer than this.
            if let handle { rd_kafka_poll(handle.pointer, 2) }
        }
    }

    /// Fences the identifier's earlier producers and aborts what they left open.
    func begin() async throws {
        let handle = handle
        try await thread.run { try Self.retrying { rd_kafka_init_transactions(handle.pointer, Self.timeout) } }
    }

    /// Writes one transaction.
    /// - Parameters:
    ///   - offsets: Told to the group's coordinator, for tools that show lag.
    ///   - group: Makes the group's metadata, which the library then owns.
    /// - Returns: The greatest offset that a record of the last part was given; −1 for none.
    func commit(_ parts: [Part], offsets: [LogUnit.Position], group: @escaping @Sendable () -> OpaquePointer?) async throws -> Int64 {
        let handle = handle
        return try await thread.run {
            if let fatal = handle.fatalError { throw fatal }
            try Self.retrying { rd_kafka_begin_transaction(handle.pointer) }
            do {
                let deliveries = try parts.map { try Self.send($0, handle) }
                if !offsets.isEmpty, let metadata = group() {
                    defer { rd_kafka_consumer_group_metadata_destroy(metadata) }
                    let list = PartitionList(offsets)
                    try Self.retrying { rd_kafka_send_offsets_to_transaction(handle.pointer, list.pointer, metadata, Self.timeout) }
                }
                do {
                    try Self.retrying { rd_kafka_commit_transaction(handle.pointer, Self.timeout) }
                } catch {
                    throw Self.lost(parts, deliveries) ?? error
                }
                return deliveries.last?.lastOffset ?? -1
            } catch {
                try Self.abort(handle)
                throw error
            }
        }
    }

    /// Returns, holding the calling thread, when the transaction that is being written is over.
    func waitUntilIdle() { thread.waitForJobs(timeout: .milliseconds(Int(Self.timeout))) }

    func close() {
        let handle = handle
        thread.stop { handle.close() }
    }

    private static func send(_ part: Part, _ handle: KafkaHandle) throws -> Delivery {
        let delivery = Delivery(count: part.records.count)
        var sender = try RecordSender(handle, topic: part.topic, partition: part.partition)
        var refused: (any Error)?
        for (index, record) in part.records.enumerated() {
            if refused != nil {
                delivery.lose(index, KafkaFailure(RD_KAFKA_RESP_ERR__PURGE_QUEUE))
                continue
            }
            while let failure = sender.send(record, opaque: delivery.opaque(index)) {
                if failure.error == RD_KAFKA_RESP_ERR__QUEUE_FULL {
                    rd_kafka_poll(handle.pointer, 10)
                    continue
                }
                delivery.lose(index, failure)
                refused = EventLogError(failure, record: record, of: part.topic, during: "write to \(part.topic)")
                break
            }
            // Reports wait in a queue that grows with the records.
            if index % 10_000 == 9_999 { rd_kafka_poll(handle.pointer, 0) }
        }
        if let refused { throw refused }
        return delivery
    }

    /// A record that the brokers refused says more than the transaction that failed with it.
    private static func lost(_ parts: [Part], _ deliveries: [Delivery]) -> (any Error)? {
        for (part, delivery) in zip(parts, deliveries) {
            guard let loss = delivery.losses.first(where: { $0.failure.error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE }) else { continue }
            return EventLogError(loss.failure, record: part.records[loss.index], of: part.topic, during: "write to \(part.topic)")
        }
        return nil
    }

    /// What cannot be aborted here is aborted by the next producer of the identifier.
    private static func abort(_ handle: KafkaHandle) throws {
        guard handle.fatalError == nil else { return }
        try? retrying { rd_kafka_abort_transaction(handle.pointer, timeout) }
    }

    /// Calls again what the library says to call again, as long as one step may take.
    private static func retrying(_ call: () -> OpaquePointer?) throws {
        let clock = ContinuousClock(), start = clock.now
        while let failure = KafkaFailure(consuming: call()) {
            guard failure.mayBeCalledAgain, clock.now - start < .milliseconds(Int(timeout)) else { throw failure }
            Thread.sleep(forTimeInterval: 0.05)
        }
    }
}

/// The library's list of partitions.
final class PartitionList {
    let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    init(_ positions: [LogUnit.Position]) {
        pointer = rd_kafka_topic_partition_list_new(Int32(clamping: positions.count))
        for position in positions {
            rd_kafka_topic_partition_list_add(pointer, position.topic, Int32(clamping: position.partition)).pointee.offset = position.next
        }
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }
}
