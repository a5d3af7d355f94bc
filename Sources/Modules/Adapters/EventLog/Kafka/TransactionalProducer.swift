import CRDKafka
import Domain
import Foundation
import Logging
import Synchronization

/// A producer whose units appear whole or not at all, and whose identifier fences whoever had it before.
///
/// All calls run on one thread. After any error the outcome of the unit is unknown to the caller, who goes on from what
/// the changelog says; the transaction itself has been aborted, or will be by the next producer of the identifier. A step that has
/// not ended in its time goes on in the library, which takes no other call before it has: the producer is then ``isSpent``.
final class TransactionalProducer: Sendable {
    /// Records for one partition of a topic, or for the partitions of their keys.
    struct Part: Sendable {
        let topic: String
        let partition: Int?
        let records: [Record]
    }

    private let handle: KafkaHandle
    private let thread: BlockingThread
    private let steps: Steps
    private let logger: Logger
    private let spent = Atomic(false)

    /// - Parameter identifier: The same for every owner of the same right.
    init(_ options: KafkaOptions, identifier: String, statistics: (@Sendable (String) -> Void)?) throws {
        let properties = KafkaProperties(options).forProducer.with([
            ("transactional.id", identifier), ("transaction.timeout.ms", "60000"),
            // The commit sends what waits, so a unit's records for a partition leave in one request where they fit in one.
            ("linger.ms", "50"),
        ])
        let handle = try KafkaHandle(.producer, properties, logger: options.logger, callbacks: .init(statistics: statistics))
        self.handle = handle
        logger = options.logger
        steps = Steps(patience: options.stepPatience)
        thread = BlockingThread("kafka-transactions") { [weak handle] in
            // Statistics are served between jobs; a job need not wait longer than this.
            if let handle { rd_kafka_poll(handle.pointer, 2) }
        }
    }

    /// Whether nothing but another producer of the identifier can go on.
    var isSpent: Bool { spent.load(ordering: .acquiring) }

    /// Fences the identifier's earlier producers and ends what they left open.
    func begin() async throws {
        let handle = handle, steps = steps
        do {
            try await waiting { try await thread.run { try steps.run { rd_kafka_init_transactions(handle.pointer, $0) } } }
        } catch {
            spent.store(true, ordering: .releasing)
            throw error
        }
    }

    /// Writes one transaction.
    /// - Parameters:
    ///   - offsets: Told to the group's coordinator, for tools that show lag.
    ///   - group: Makes the group's metadata, which the library then owns.
    /// - Returns: The greatest offset that a record of the last part was given; −1 for none.
    func commit(_ parts: [Part], offsets: [LogUnit.Position], group: @escaping @Sendable () -> OpaquePointer?) async throws -> Int64 {
        try await waiting { [self] in
            try await thread.run { [self] in
                guard !isSpent else { throw KafkaFailure(RD_KAFKA_RESP_ERR__TIMED_OUT, "an earlier step has not ended") }
                do { return try write(parts, offsets, group) } catch {
                    abort(after: error)
                    throw error
                }
            }
        }
    }

    /// Who is cancelled meanwhile waits for no step that its brokers do not answer.
    private func waiting<T: Sendable>(_ body: () async throws -> T) async throws -> T {
        try await withTaskCancellationHandler(operation: body) { [steps] in steps.hurry() }
    }

    private func write(_ parts: [Part], _ offsets: [LogUnit.Position], _ group: () -> OpaquePointer?) throws -> Int64 {
        if let fatal = handle.fatalError { throw fatal }
        try steps.run { _ in rd_kafka_begin_transaction(handle.pointer) }
        let deliveries = try parts.map { try Self.send($0, handle) }
        if !offsets.isEmpty, let metadata = group() {
            defer { rd_kafka_consumer_group_metadata_destroy(metadata) }
            let list = PartitionList(offsets)
            try steps.run { rd_kafka_send_offsets_to_transaction(handle.pointer, list.pointer, metadata, $0) }
        }
        do {
            try steps.run { rd_kafka_commit_transaction(handle.pointer, $0) }
        } catch {
            throw Self.lost(parts, deliveries) ?? error
        }
        return deliveries.last?.lastOffset ?? -1
    }

    /// Ends the transaction that has failed, so that another can begin; what cannot be aborted here is aborted by the next producer
    /// of the identifier.
    private func abort(after error: any Error) {
        let isStuck = (error as? KafkaFailure)?.isStuck ?? false
        if !isStuck, handle.fatalError == nil {
            do {
                return try steps.run { rd_kafka_abort_transaction(handle.pointer, $0) }
            } catch {
                logger.warning("a transaction was not aborted", metadata: ["error": "\(error)"])
            }
        }
        spent.store(true, ordering: .releasing)
    }

    /// Returns, holding the calling thread, when the transaction that is being written is over.
    func waitUntilIdle() { thread.waitForJobs(timeout: steps.patience) }

    func close() {
        let handle = handle
        thread.stop {
            // Whoever counts on reports gets them: the library gives none once it is gone.
            rd_kafka_purge(handle.pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
            rd_kafka_poll(handle.pointer, 0)
            handle.close()
        }
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
                refused = refusal(failure, of: record, part, handle)
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

    /// Only its size is the record's own fault. All else says what has become of the transaction, or of the producer.
    private static func refusal(_ failure: KafkaFailure, of record: Record, _ part: Part, _ handle: KafkaHandle) -> any Error {
        if failure.error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE {
            return EventLogError(failure, record: record, of: part.topic, during: "write to \(part.topic)")
        }
        if let fatal = handle.fatalError { return fatal }
        var failure = failure
        if failure.error == RD_KAFKA_RESP_ERR__STATE { failure.requiresAbort = true }
        return failure
    }
}

/// Steps of a transaction, each of which the library may have to be asked for several times.
private final class Steps: Sendable {
    /// How long one step may take.
    let patience: Duration
    private let isUrgent = Atomic(false)

    init(patience: Duration) { self.patience = patience }

    /// From now on a step that does not end when it is first asked for is left to the library.
    func hurry() { isUrgent.store(true, ordering: .releasing) }

    /// Calls again what the library says to call again; `call` receives the milliseconds it may block.
    /// - Throws: ``KafkaFailure``, stuck when the step goes on in the library after the patience.
    func run(_ call: (Int32) -> OpaquePointer?) throws {
        let clock = ContinuousClock(), start = clock.now
        // Several calls fit into the patience: one that has timed out resumes when it is made again, and nothing else does.
        while var failure = KafkaFailure(consuming: call((patience / 4).wholeMilliseconds)) {
            guard failure.mayBeCalledAgain else { throw failure }
            guard clock.now - start < patience, !isUrgent.load(ordering: .acquiring) else {
                failure.isStuck = true
                throw failure
            }
            Thread.sleep(forTimeInterval: min(0.05, patience.seconds / 20))
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
