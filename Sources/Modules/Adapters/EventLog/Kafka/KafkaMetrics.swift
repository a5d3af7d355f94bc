import Foundation
import Metrics

/// What the library's statistics and the log's own work say, as metrics.
final class KafkaMetrics: Sendable {
    /// The part of the library's statistics that is read; times in microseconds.
    private struct Statistics: Decodable {
        struct Broker: Decodable {
            struct Window: Decodable { let avg: Int64 }
            let nodeid: Int32
            let state: String
            let rtt: Window?
        }

        let client_id: String
        let type: String
        let msg_cnt: Int64
        let msg_size: Int64
        let brokers: [String: Broker]?
    }

    func note(statistics json: String) {
        guard let found = try? JSONDecoder().decode(Statistics.self, from: Data(json.utf8)) else { return }
        if found.type == "producer" {
            gauge("queue_records", []).record(found.msg_cnt)
            gauge("queue_bytes", []).record(found.msg_size)
        }
        for broker in (found.brokers ?? [:]).values where broker.nodeid >= 0 {
            let dimensions = [("broker", String(broker.nodeid))]
            gauge("broker_up", dimensions).record(broker.state == "UP" ? 1 : 0)
            if let rtt = broker.rtt, rtt.avg > 0 { gauge("broker_rtt_seconds", dimensions).record(Double(rtt.avg) / 1e6) }
        }
    }

    /// Whether the cluster answered the last question.
    func note(isReachable: Bool) { gauge("reachable", []).record(isReachable ? 1 : 0) }

    func note(lag: Int64, group: String, topic: String, partition: Int) {
        gauge("lag_records", [("group", group), ("topic", topic), ("partition", String(partition))]).record(lag)
    }

    func note(restore: Duration, entries: Int, group: String, partition: Int) {
        let dimensions = [("group", group), ("partition", String(partition))]
        gauge("state_restore_seconds", dimensions).record(restore.seconds)
        gauge("state_entries", dimensions).record(entries)
    }

    func note(removed records: Int64, topic: String, partition: Int) {
        Counter(label: "mlops_kafka_records_removed_unread_total", dimensions: [("topic", topic), ("partition", String(partition))])
            .increment(by: records)
    }

    private func gauge(_ name: String, _ dimensions: [(String, String)]) -> Gauge {
        Gauge(label: "mlops_kafka_\(name)", dimensions: dimensions)
    }
}
