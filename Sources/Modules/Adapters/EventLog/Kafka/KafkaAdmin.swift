import CRDKafka
import Domain
import Foundation
import Logging
import Synchronization

/// Asks the cluster about topics, offsets and groups, and creates topics; on one thread, since each question blocks.
final class KafkaAdmin: Sendable {
    private let options: KafkaOptions
    private let handle: KafkaHandle
    private let thread: QuestionThread
    /// Partitions of the topics that were asked for; topics do not shrink.
    private let known = Mutex<[String: Int]>([:])

    /// Milliseconds that one answer may take.
    private static let timeout: Int32 = 5_000

    init(_ options: KafkaOptions) throws {
        self.options = options
        // Asking about a topic must not create it.
        let properties = KafkaProperties(options).with([
            ("allow.auto.create.topics", "false"), ("isolation.level", "read_committed"), ("group.id", "mlops-admin"),
            ("enable.auto.commit", "false"), ("statistics.interval.ms", "0"),
        ])
        handle = try KafkaHandle(.consumer, properties, logger: options.logger)
        thread = QuestionThread("kafka-admin")
    }

    /// - Returns: Partitions of all topics, or of those named that exist.
    func partitions(of names: [String]? = nil) async throws -> [String: Int] {
        let handle = handle
        var found: [String: Int] = [:]
        if let names {
            for name in names { found[name] = try await thread.run { try Self.metadata(handle, topic: handle.topic(name))[name] } }
        } else {
            found = try await thread.run { try Self.metadata(handle, topic: nil) }
        }
        let all = found
        known.withLock { $0.merge(all) { $1 } }
        return found
    }

    /// - Throws: `unknownTopic`.
    func partitions(of topic: String) async throws -> Int {
        if let count = known.withLock({ $0[topic] }) { return count }
        guard let count = try await wrapped("find topic", { try await partitions(of: [topic])[topic] }) else {
            throw EventLogError(.unknownTopic(topic), during: "find topic")
        }
        return count
    }

    /// First and next offset of a partition, as readers of committed records see them.
    func offsets(topic: String, partition: Int) async throws -> Range<Int64> {
        let handle = handle
        return try await wrapped("end offset of \(topic)") {
            // A leader that has just moved is found by asking again.
            var attempts = 1
            while true {
                do {
                    return try await thread.run {
                        var low: Int64 = 0, high: Int64 = 0
                        let code = rd_kafka_query_watermark_offsets(
                            handle.pointer, topic, Int32(clamping: partition), &low, &high, Self.timeout)
                        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaFailure(code) }
                        return max(0, low)..<max(0, low, high)
                    }
                } catch let failure as KafkaFailure {
                    guard failure.isRetriable, failure.error != RD_KAFKA_RESP_ERR__TIMED_OUT, attempts < 20 else { throw failure }
                    attempts += 1
                    // Where nobody can tell who leads, asking the leader is no use.
                    guard (try? await partitions(of: [topic])) != nil else { throw failure }
                }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    /// The identifier that tells this cluster from another at the same address.
    func clusterID() async throws -> String {
        let handle = handle
        return try await thread.run {
            guard let text = rd_kafka_clusterid(handle.pointer, Self.timeout) else { return "" }
            defer { rd_kafka_mem_free(handle.pointer, text) }
            return String(cString: text)
        }
    }

    /// Returns when a broker has answered.
    /// - Throws: `unreachable` after `patience`.
    func waitForBroker(_ patience: Duration) async throws {
        let clock = ContinuousClock(), start = clock.now
        var delay = Duration.milliseconds(100)
        while true {
            do {
                let handle = handle
                _ = try await thread.run { try Self.metadata(handle, topic: nil, timeout: min(Self.timeout, patience.wholeMilliseconds)) }
                return
            } catch let failure as KafkaFailure {
                guard clock.now - start < patience else {
                    throw EventLogError(
                        .unreachable(brokers: options.brokers, seconds: Int(patience.seconds)), during: "open", isRetriable: true,
                        cause: failure)
                }
                options.logger.warning("waiting for the brokers", metadata: ["brokers": "\(options.brokers)", "error": "\(failure)"])
            }
            try await Task.sleep(for: delay)
            delay = min(delay * 2, .seconds(2))
        }
    }

    /// How many processes a group has; `nil` where the cluster does not say.
    func members(of group: String) async -> Int? {
        let handle = handle
        return try? await thread.run {
            var list: UnsafePointer<rd_kafka_group_list>?
            let code = rd_kafka_list_groups(handle.pointer, group, &list, Self.timeout)
            defer { if let list { rd_kafka_group_list_destroy(list) } }
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let list, list.pointee.group_cnt > 0 else { throw KafkaFailure(code) }
            return Int(list.pointee.groups[0].member_cnt)
        }
    }

    /// Runs `body` with the handle on the admin thread.
    func ask<T: Sendable>(_ operation: String, _ body: @escaping @Sendable (OpaquePointer) throws -> T) async throws -> T {
        let handle = handle
        return try await wrapped(operation) { try await thread.run { try body(handle.pointer) } }
    }

    func forget(_ topics: [String]) { known.withLock { known in for topic in topics { known[topic] = nil } } }

    func close() {
        let handle = handle
        thread.stop { handle.close() }
    }

    private func wrapped<T>(_ operation: String, _ body: () async throws -> T) async throws -> T {
        do { return try await body() } catch let failure as KafkaFailure { throw EventLogError(failure, during: operation) }
    }

    private static func metadata(_ handle: KafkaHandle, topic: OpaquePointer?, timeout: Int32 = timeout) throws -> [String: Int] {
        var answer: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(handle.pointer, topic == nil ? 1 : 0, topic, &answer, timeout)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let answer else { throw KafkaFailure(code) }
        defer { rd_kafka_metadata_destroy(answer) }
        var found: [String: Int] = [:]
        for index in 0..<Int(answer.pointee.topic_cnt) {
            let topic = answer.pointee.topics[index]
            // A topic that is being made has partitions but no leaders yet.
            let isThere = topic.err == RD_KAFKA_RESP_ERR_NO_ERROR || topic.err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE
            if isThere, topic.partition_cnt > 0, let name = topic.topic { found[String(cString: name)] = Int(topic.partition_cnt) }
        }
        return found
    }
}
