import CRDKafka
import Foundation
import Logging

@testable import EventLog

/// The C library's own mock brokers, on loopback ports, with ways to make them misbehave.
///
/// They isolate no transactions, store no offsets of transactions, fence nobody, compact nothing and create no topics on
/// request: what rests on those is shown on a real cluster (see `RealClusterTests`).
final class MockCluster: @unchecked Sendable {
    private let handle: OpaquePointer
    private let cluster: OpaquePointer
    let brokers: String

    init(brokers count: Int = 1) throws {
        let configuration = rd_kafka_conf_new()
        rd_kafka_conf_set_log_cb(configuration) { _, _, _, _ in }
        guard let handle = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0),
            let cluster = rd_kafka_mock_cluster_new(handle, Int32(count)),
            let text = rd_kafka_mock_cluster_bootstraps(cluster)
        else { throw KafkaFailure(RD_KAFKA_RESP_ERR__FAIL) }
        self.handle = handle
        self.cluster = cluster
        brokers = String(cString: text)
    }

    deinit {
        rd_kafka_mock_cluster_destroy(cluster)
        rd_kafka_destroy(handle)
    }

    func create(_ topic: String, partitions: Int) {
        rd_kafka_mock_topic_create(cluster, topic, Int32(partitions), 1)
    }

    enum Request: Int16 {
        case produce = 0, fetch = 1, listOffsets = 2, metadata = 3, findCoordinator = 10, joinGroup = 11, initProducerID = 22
        case addPartitions = 24, addOffsets = 25, endTransaction = 26
    }

    /// The next requests of a kind fail, one error each.
    func fail(_ request: Request, with errors: rd_kafka_resp_err_t...) { fail(request, with: errors) }

    func fail(_ request: Request, with errors: [rd_kafka_resp_err_t]) {
        rd_kafka_mock_push_request_errors_array(cluster, request.rawValue, errors.count, errors)
    }

    /// Failures that have not been met are taken back.
    func forget(_ request: Request) { rd_kafka_mock_clear_request_errors(cluster, request.rawValue) }

    func setDown(_ broker: Int32, _ isDown: Bool) {
        if isDown { rd_kafka_mock_broker_set_down(cluster, broker) } else { rd_kafka_mock_broker_set_up(cluster, broker) }
    }

    func setLeader(_ topic: String, _ partition: Int, broker: Int32) {
        rd_kafka_mock_partition_set_leader(cluster, topic, Int32(partition), broker)
    }

    /// Answers take this long.
    func setRoundTrip(_ broker: Int32, _ time: Duration) {
        rd_kafka_mock_broker_set_rtt(cluster, broker, time.wholeMilliseconds)
    }

    func setTopicError(_ topic: String, _ error: rd_kafka_resp_err_t) { rd_kafka_mock_topic_set_error(cluster, topic, error) }

    /// Options for a short life.
    func options(_ change: (inout KafkaOptions) -> Void = { _ in }) -> KafkaOptions {
        var options = KafkaOptions(brokers: brokers, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        options.sessionTimeout = .seconds(6)
        // A bound for machines that are busy with other tests, not a time that anything takes.
        options.patience = .seconds(60)
        change(&options)
        return options
    }

    /// Runs `body` with a log on the cluster, and closes it.
    func withLog(
        _ change: (inout KafkaOptions) -> Void = { _ in }, _ body: (KafkaLog) async throws -> Void
    ) async throws {
        let log = try await KafkaLog.open(options(change))
        do { try await body(log) } catch {
            await log.close()
            throw error
        }
        await log.close()
    }
}
