import CRDKafka
import Domain
import Foundation
import Logging
import Synchronization

/// Appends records outside of any transaction: each once and in order, whatever the connection does meanwhile.
///
/// The queue is bounded: a writer that is faster than the brokers waits.
final class KafkaProducer: Sendable {
    /// A handle with the thread that serves its reports. A fatal error ends it; the records go on in the next.
    ///
    /// The handle is freed when nobody holds the life any more: an append keeps it until all its records are reported on.
    private final class Life: Sendable {
        let handle: KafkaHandle
        private let poller: BlockingThread

        init(_ properties: KafkaProperties, logger: Logger, callbacks: KafkaHandle.Callbacks) throws {
            let handle = try KafkaHandle(.producer, properties, logger: logger, callbacks: callbacks)
            self.handle = handle
            poller = BlockingThread("kafka-reports") { rd_kafka_poll(handle.pointer, 100) }
        }

        /// Reports as lost what has not been delivered after `flush`, so that nobody waits for ever.
        func finish(flush: Duration) {
            let handle = handle
            poller.enqueue {
                rd_kafka_flush(handle.pointer, flush.wholeMilliseconds)
                rd_kafka_purge(handle.pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
            }
        }

        /// Reports as lost what has not been delivered, at once.
        func purge() { rd_kafka_purge(handle.pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT) }

        deinit {
            let handle = handle
            poller.stop { handle.close() }
        }
    }

    private let properties: KafkaProperties
    private let logger: Logger
    private let callbacks: KafkaHandle.Callbacks
    private let sender = BlockingThread("kafka-append")
    /// `nil` once it is closed.
    private let life: Mutex<Life?>

    init(_ options: KafkaOptions, statistics: (@Sendable (String) -> Void)? = nil) throws {
        properties = KafkaProperties(options).forProducer
        logger = options.logger
        callbacks = KafkaHandle.Callbacks(statistics: statistics)
        life = Mutex(try Life(properties, logger: logger, callbacks: callbacks))
    }

    /// Appends records, each to the partition of its key unless one is given.
    ///
    /// What was lost for a reason that passes is sent again, and only that.
    /// - Throws: `recordTooLarge`, or `cluster` with what it said; the error has the records that have not been written.
    func append(_ records: [Record], to topic: String, partition: Int? = nil) async throws {
        var records = records
        for attempt in 1... {
            guard let life = life.withLock({ $0 }) else { throw CancellationError() }
            defer { withExtendedLifetime(life) {} }
            let losses = try await send(records, to: topic, partition, in: life)
            guard let first = losses.first else { return }
            // What nothing but a change of the record will help says more than what passes.
            let worst = losses.first { !$0.failure.isRetriable } ?? first
            let fatal = life.handle.fatalError
            guard fatal != nil || worst.failure.isRetriable, attempt <= Self.repetitions, !Task.isCancelled else {
                var error = EventLogError(worst.failure, record: records[worst.index], of: topic, during: "append to \(topic)")
                error.unwritten = losses.map { records[$0.index] }
                throw error
            }
            if let fatal { try replace(life, after: fatal) }
            logger.warning(
                "records are sent again",
                metadata: [
                    "topic": "\(topic)", "records": "\(losses.count)", "maybe_twice": "\(losses.filter(\.isUncertain).count)",
                    "after": "\(fatal ?? worst.failure)",
                ])
            records = losses.map { records[$0.index] }
        }
    }

    /// How often one append sends again what was lost.
    private static let repetitions = 3

    /// - Returns: What did not arrive; the life must not end before.
    private func send(_ records: [Record], to topic: String, _ partition: Int?, in life: Life) async throws -> [Delivery.Loss] {
        let delivery = Delivery(count: records.count)
        do {
            try await sender.run {
                var sender = try RecordSender(life.handle, topic: topic, partition: partition)
                // By index: a copy of each record would count its references up and down.
                for index in records.indices {
                    while let failure = sender.send(records[index], opaque: delivery.opaque(index)) {
                        guard failure.error == RD_KAFKA_RESP_ERR__QUEUE_FULL else {
                            delivery.lose(index, failure)
                            break
                        }
                        Thread.sleep(forTimeInterval: 0.001)
                    }
                }
            }
        } catch {
            // Nothing was handed over: the delivery ends here.
            for index in records.indices { delivery.lose(index, KafkaFailure(RD_KAFKA_RESP_ERR__DESTROY)) }
            throw error
        }
        await delivery.finished()
        return delivery.losses
    }

    /// The first to meet a fatal error puts the next life in the place of the one it has ended.
    private func replace(_ ended: Life, after fatal: KafkaFailure) throws {
        let isFirst = try life.withLock { current in
            guard current === ended else { return false }
            current = try Life(properties, logger: logger, callbacks: callbacks)
            return true
        }
        guard isFirst else { return }
        logger.warning("the producer begins anew", metadata: ["after": "\(fatal)"])
        // On the thread that hands records over: whatever it takes after this, the library refuses at once.
        sender.enqueue { ended.purge() }
    }

    func close() {
        sender.stop()
        let last = life.withLock { life in
            defer { life = nil }
            return life
        }
        last?.finish(flush: .seconds(10))
    }
}
