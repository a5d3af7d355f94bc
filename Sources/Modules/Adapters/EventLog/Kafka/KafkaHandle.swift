import CRDKafka
import Foundation
import Logging
import Synchronization

/// One client of the C library, with its callbacks. Blocking calls on it belong on a ``BlockingThread``.
final class KafkaHandle: @unchecked Sendable {
    enum Kind {
        case producer, consumer
        var type: rd_kafka_type_t { self == .producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER }
    }

    /// What the library reports; called from whatever thread serves the handle.
    struct Callbacks: Sendable {
        var statistics: (@Sendable (String) -> Void)?
        /// Receives whether partitions were assigned (else revoked), and the library's list.
        var rebalance: (@Sendable (OpaquePointer, Bool, UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> Void)?
    }

    /// Lives as long as the handle: the library holds a plain pointer to it.
    private final class Context: Sendable {
        let logger: Logger
        let callbacks: Callbacks

        init(logger: Logger, callbacks: Callbacks) {
            self.logger = logger
            self.callbacks = callbacks
        }

        static func of(_ handle: OpaquePointer?) -> Context? {
            guard let opaque = rd_kafka_opaque(handle) else { return nil }
            return Unmanaged<Context>.fromOpaque(opaque).takeUnretainedValue()
        }
    }

    let pointer: OpaquePointer
    private let context: Context
    /// Topic objects by name; they belong to the handle.
    private let topics = Mutex<[String: Int]>([:])
    private let isClosed = Atomic(false)

    /// - Throws: ``EventLogError`` with `badKafkaSetting`, naming the property that the library refuses.
    init(_ kind: Kind, _ properties: KafkaProperties, logger: Logger, callbacks: Callbacks = Callbacks()) throws {
        let context = Context(logger: logger, callbacks: callbacks)
        // Also where no handle comes of it.
        defer { withExtendedLifetime(context) {} }
        let configuration = try properties.makeConfiguration()
        rd_kafka_conf_set_opaque(configuration, Unmanaged.passUnretained(context).toOpaque())
        rd_kafka_conf_set_log_cb(configuration) { handle, level, facility, text in
            guard let context = Context.of(handle), let text else { return }
            context.logger.log(
                level: KafkaHandle.logLevel(level), "\(String(cString: text))",
                metadata: ["facility": "\(facility.map { String(cString: $0) } ?? "")"])
        }
        // Without one the library writes errors of its own to standard error; what matters arrives as results of calls.
        rd_kafka_conf_set_error_cb(configuration) { _, code, reason, opaque in
            guard let opaque, let reason else { return }
            let context = Unmanaged<Context>.fromOpaque(opaque).takeUnretainedValue()
            context.logger.debug("\(String(cString: reason))", metadata: ["code": "\(code)"])
        }
        if callbacks.statistics != nil {
            rd_kafka_conf_set_stats_cb(configuration) { _, json, length, opaque in
                guard let opaque, let json else { return 0 }
                let bytes = UnsafeRawBufferPointer(start: json, count: length)
                Unmanaged<Context>.fromOpaque(opaque).takeUnretainedValue().callbacks.statistics?(String(decoding: bytes, as: UTF8.self))
                return 0
            }
        }
        if callbacks.rebalance != nil {
            rd_kafka_conf_set_rebalance_cb(configuration) { handle, code, partitions, opaque in
                guard let handle, let partitions, let opaque else { return }
                Unmanaged<Context>.fromOpaque(opaque).takeUnretainedValue()
                    .callbacks.rebalance?(handle, code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, partitions)
            }
        }
        if kind == .producer {
            rd_kafka_conf_set_dr_msg_cb(configuration) { _, message, _ in
                if let message { Delivery.note(message) }
            }
        }
        var reason = [CChar](repeating: 0, count: 512)
        guard let pointer = rd_kafka_new(kind.type, configuration, &reason, reason.count) else {
            rd_kafka_conf_destroy(configuration)
            throw EventLogError(.badKafkaSetting(KafkaProperties.text(reason)), during: "open \(properties.brokers)")
        }
        self.pointer = pointer
        self.context = context
    }

    deinit {
        guard !isClosed.load(ordering: .acquiring) else { return }
        let address = Int(bitPattern: pointer), context = context, topics = topics.withLock { Array($0.values) }
        Thread.detachNewThread { Self.free(address, topics, context) }
    }

    /// Frees the handle; the C call blocks until its threads have ended.
    func close() {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let made = topics.withLock { topics in
            defer { topics = [:] }
            return Array(topics.values)
        }
        Self.free(Int(bitPattern: pointer), made, context)
    }

    /// The library calls the context until the very end.
    private static func free(_ handle: Int, _ topics: [Int], _ context: Context) {
        for topic in topics { rd_kafka_topic_destroy(OpaquePointer(bitPattern: topic)) }
        withExtendedLifetime(context) { rd_kafka_destroy(OpaquePointer(bitPattern: handle)) }
    }

    /// The library's object of a topic, made once.
    func topic(_ name: String) throws -> OpaquePointer {
        try topics.withLock { topics in
            if let address = topics[name], let known = OpaquePointer(bitPattern: address) { return known }
            guard let made = rd_kafka_topic_new(pointer, name, nil) else {
                throw KafkaFailure(rd_kafka_last_error(), "topic \(name)")
            }
            topics[name] = Int(bitPattern: made)
            return made
        }
    }

    /// The error that has made the handle useless, if one has.
    var fatalError: KafkaFailure? {
        var reason = [CChar](repeating: 0, count: 512)
        let code = rd_kafka_fatal_error(pointer, &reason, reason.count)
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        var failure = KafkaFailure(code, KafkaProperties.text(reason))
        failure.isFatal = true
        return failure
    }

    /// The library's levels are those of syslog.
    private static func logLevel(_ level: Int32) -> Logger.Level {
        switch level {
        case ...2: .critical
        case 3: .error
        case 4: .warning
        case 5: .notice
        case 6: .info
        default: .debug
        }
    }
}
