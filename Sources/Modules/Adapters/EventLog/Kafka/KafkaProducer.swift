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
    private final class Life: Sendable {
        let handle: KafkaHandle
        private let poller: BlockingThread

        init(_ properties: KafkaProperties, logger: Logger, callbacks: KafkaHandle.Callbacks) throws {
            let handle = try KafkaHandle(.producer, properties, logger: logger, callbacks: callbacks)
            self.handle = handle
            poller = BlockingThread("kafka-reports") { rd_kafka_poll(handle.pointer, 100) }
        }

        /// - Parameter flush: How long to wait for what is on its way.
        func end(flush: Duration) {
            let handle = handle
            poller.stop {
                if flush > .zero { rd_kafka_flush(handle.pointer, flush.wholeMilliseconds) }
                // What is left is reported as lost, so that nobody waits for ever.
                rd_kafka_purge(handle.pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
                rd_kafka_poll(handle.pointer, 0)
                handle.close()
            }
        }
    }

    private let properties: KafkaProperties
    private let logger: Logger
    private let callbacks: KafkaHandle.Callbacks
    private let sender = BlockingThread("kafka-append")
    private let life: Mutex<Life>

    init(_ options: KafkaOptions, statistics: (@Sendable (String) -> Void)? = nil) throws {
        properties = KafkaProperties(options).forProducer
        logger = options.logger
        callbacks = KafkaHandle.Callbacks(statistics: statistics)
        life = Mutex(try Life(properties, logger: logger, callbacks: callbacks))
    }

    /// Appends records, each to the partition of its key unless one is given.
    /// - Throws: `recordTooLarge`, or `storage` with what the cluster said.
    func append(_ records: [Record], to topic: String, partition: Int? = nil) async throws {
        var records = records
        for attempt in 1... {
            let life = life.withLock { $0 }
            let delivery = Delivery(count: records.count)
            let batch = records
            try await sender.run {
                var sender = try RecordSender(life.handle, topic: topic, partition: partition)
                for (index, record) in batch.enumerated() {
                    while let failure = sender.send(record, opaque: delivery.opaque(index)) {
                        guard failure.error == RD_KAFKA_RESP_ERR__QUEUE_FULL else {
                            delivery.lose(index, failure)
                            break
                        }
                        Thread.sleep(forTimeInterval: 0.001)
                    }
                }
            }
            await delivery.finished()
            let losses = delivery.losses
            guard let first = losses.first else { return }
            guard life.handle.fatalError != nil, attempt <= Self.lives else {
                throw EventLogError(first.failure, record: batch[first.index], of: topic, during: "append to \(topic)")
            }
            try restart(life, losses: losses, topic: topic)
            records = losses.map { batch[$0.index] }
        }
    }

    /// Fatal errors that one append survives.
    private static let lives = 3

    /// Replaces the handle that a fatal error has ended; what it did not deliver is sent again by the next.
    private func restart(_ ended: Life, losses: [Delivery.Loss], topic: String) throws {
        let isFirst = try life.withLock { current in
            guard current === ended else { return false }
            current = try Life(properties, logger: logger, callbacks: callbacks)
            return true
        }
        if isFirst { ended.end(flush: .zero) }
        logger.warning(
            "the producer begins anew",
            metadata: [
                "topic": "\(topic)", "sends_again": "\(losses.count)", "maybe_twice": "\(losses.filter(\.isUncertain).count)",
                "after": "\(ended.handle.fatalError?.message ?? "")",
            ])
    }

    func close() {
        sender.stop()
        life.withLock { $0 }.end(flush: .seconds(10))
    }
}
