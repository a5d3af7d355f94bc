import CRDKafka
import Domain

/// What the C library says went wrong.
struct KafkaFailure: Error, CustomStringConvertible, Equatable {
    let code: Int32
    /// The library's own words, without the operation.
    let message: String
    var isRetriable = false
    /// The library asks for the same call again, with nothing changed.
    var mayBeCalledAgain = false
    var isFatal = false
    /// The step goes on in the library, which was asked for it as long as there was patience; what comes of it is unknown.
    var isStuck = false
    /// The transaction must be aborted before another can begin.
    var requiresAbort = false

    init(_ code: rd_kafka_resp_err_t, _ message: String? = nil) {
        self.code = code.rawValue
        let name = String(cString: rd_kafka_err2name(code))
        self.message = message.map { "\($0) (\(name))" } ?? "\(String(cString: rd_kafka_err2str(code))) (\(name))"
        isRetriable = Self.passing.contains(code.rawValue)
        isFatal = Self.fencing.contains(code.rawValue) || code == RD_KAFKA_RESP_ERR__FATAL
    }

    /// Takes over and frees an error object; `nil` for success.
    init?(consuming error: OpaquePointer?) {
        guard let error else { return nil }
        defer { rd_kafka_error_destroy(error) }
        self.init(rd_kafka_error_code(error), String(cString: rd_kafka_error_string(error)))
        mayBeCalledAgain = rd_kafka_error_is_retriable(error) != 0
        isRetriable = isRetriable || mayBeCalledAgain
        isFatal = isFatal || rd_kafka_error_is_fatal(error) != 0
        requiresAbort = rd_kafka_error_txn_requires_abort(error) != 0
    }

    var error: rd_kafka_resp_err_t { rd_kafka_resp_err_t(rawValue: code) }

    /// Another process goes on under the same right.
    var isFenced: Bool { Self.fencing.contains(code) }

    var description: String { message }

    private static let fencing: Set<Int32> = Set(
        [
            RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
            RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
        ].map(\.rawValue))

    /// Errors that pass by themselves: a broker that restarts, a leader that moves, a coordinator that loads.
    private static let passing: Set<Int32> = Set(
        [
            RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
            RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
            RD_KAFKA_RESP_ERR__QUEUE_FULL, RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT,
            RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
            RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, RD_KAFKA_RESP_ERR_NOT_CONTROLLER, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
            RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
            RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        ].map(\.rawValue))
}

extension EventLogError {
    init(_ failure: KafkaFailure, during operation: String) {
        self.init(.cluster, during: operation, isRetriable: failure.isRetriable && !failure.isFatal, cause: failure)
    }

    /// The failure of one record: one that is too large is named, for nothing but a change of it or of the topic will help.
    init(_ failure: KafkaFailure, record: Record, of topic: String, during operation: String) {
        guard failure.error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE else {
            self.init(failure, during: operation)
            return
        }
        let key = record.key.map { String(decoding: $0.prefix(100), as: UTF8.self) } ?? "none"
        let bytes = (record.key?.count ?? 0) + (record.value?.count ?? 0)
        self.init(.recordTooLarge(topic: topic, key: key, bytes: bytes), during: operation, cause: failure)
    }
}
