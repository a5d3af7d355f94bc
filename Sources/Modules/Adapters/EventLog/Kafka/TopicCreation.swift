import CRDKafka
import Foundation
import Logging

extension KafkaAdmin {
    /// Creates the topics that are missing and checks those that are there.
    /// - Throws: `topicMismatch`, naming what to change.
    func createTopics(_ plans: [TopicPlan], options: KafkaOptions) async throws {
        let found = try await existing(plans.map(\.name))
        for plan in plans {
            guard let partitions = found[plan.name] else { continue }
            guard partitions == plan.partitions else {
                throw EventLogError(
                    .topicMismatch(topic: plan.name, found: Self.describe(partitions), wanted: Self.describe(plan.partitions)),
                    during: "create topics")
            }
        }
        let missing = plans.filter { found[$0.name] == nil }
        if !missing.isEmpty { try await create(missing, options: options) }
        try await checkPolicies(plans.filter { found[$0.name] != nil }, options: options)
    }

    private func existing(_ names: [String]) async throws -> [String: Int] {
        do { return try await partitions(of: names) } catch let failure as KafkaFailure {
            throw EventLogError(failure, during: "list topics")
        }
    }

    private func create(_ plans: [TopicPlan], options: KafkaOptions) async throws {
        let results: [(String, Int32, String)]
        do { results = try await ask("create topics") { try Self.request(plans, options, $0) } } catch let error as EventLogError {
            throw Self.notCreated(plans, error.cause, isRetriable: error.isRetriable)
        }
        let refused = results.filter { $0.1 != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS.rawValue }
        if let (name, code, reason) = refused.first {
            let failure = KafkaFailure(rd_kafka_resp_err_t(rawValue: code), "\(name): \(reason)"), names = Set(refused.map(\.0))
            throw Self.notCreated(plans.filter { names.contains($0.name) }, failure, isRetriable: failure.isRetriable)
        }
        // Two processes that start at once may both create: the other's topic counts, if it is the same.
        let names = plans.map(\.name)
        forget(names)
        let clock = ContinuousClock(), start = clock.now
        while true {
            let found = try await existing(names)
            for plan in plans {
                guard let partitions = found[plan.name], partitions != plan.partitions else { continue }
                throw EventLogError(
                    .topicMismatch(topic: plan.name, found: Self.describe(partitions), wanted: Self.describe(plan.partitions)),
                    during: "create topics")
            }
            if found.count == Set(names).count { break }
            guard clock.now - start < options.patience else {
                throw EventLogError(.unknownTopic(names.first { found[$0] == nil } ?? ""), during: "create topics", isRetriable: true)
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        options.logger.info("topics created", metadata: ["topics": "\(names.joined(separator: " "))"])
    }

    private static func notCreated(_ plans: [TopicPlan], _ cause: (any Error)?, isRetriable: Bool) -> EventLogError {
        let topics = plans.map { "\($0.name) (\(describe($0.partitions))\($0.isCompacted ? ", compacted" : ""))" }
        return EventLogError(.notCreated(topics: topics), during: "create topics", isRetriable: isRetriable, cause: cause)
    }

    /// - Returns: Name, code and reason of each topic that was not created.
    private static func request(
        _ plans: [TopicPlan], _ options: KafkaOptions, _ handle: OpaquePointer
    ) throws -> [(String, Int32, String)] {
        var reason = [CChar](repeating: 0, count: 512)
        var topics: [OpaquePointer?] = []
        defer { for topic in topics { rd_kafka_NewTopic_destroy(topic) } }
        for plan in plans {
            guard
                let topic = rd_kafka_NewTopic_new(
                    plan.name, Int32(clamping: plan.partitions), Int32(clamping: options.replicationFactor), &reason, reason.count)
            else { throw EventLogError(.badKafkaSetting(KafkaProperties.text(reason)), during: "create topic \(plan.name)") }
            topics.append(topic)
            rd_kafka_NewTopic_set_config(topic, "cleanup.policy", plan.isCompacted ? "compact" : "delete")
            // Retention goes by the time in the record: a replay of old events would be deleted at once by the default.
            if !plan.isCompacted { rd_kafka_NewTopic_set_config(topic, "retention.ms", String(options.retention)) }
        }
        let results = try AdminCall.run(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS, RD_KAFKA_EVENT_CREATETOPICS_RESULT, timeout: 10_000) {
            settings, queue in
            rd_kafka_CreateTopics(handle, &topics, topics.count, settings, queue)
        } read: { event in
            var count = 0
            let list = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
            return (0..<count).compactMap { index -> (String, Int32, String)? in
                guard let result = list?[index] else { return nil }
                let code = rd_kafka_topic_result_error(result)
                guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
                let text = rd_kafka_topic_result_error_string(result).map { String(cString: $0) } ?? ""
                return (String(cString: rd_kafka_topic_result_name(result)), code.rawValue, text)
            }
        }
        return results
    }

    /// Compares clean-up policies; a cluster that does not tell them is trusted, and retention that will delete is told.
    private func checkPolicies(_ plans: [TopicPlan], options: KafkaOptions) async throws {
        guard !plans.isEmpty else { return }
        let names = plans.map(\.name)
        let configs: [String: [String: String]]
        do {
            configs = try await ask("describe topics") { try Self.describe(names, $0) }
        } catch let error as EventLogError {
            options.logger.debug("topic policies are not checked", metadata: ["error": "\(error)"])
            return
        }
        for plan in plans {
            guard let policy = configs[plan.name]?["cleanup.policy"] else { continue }
            guard policy.contains("compact") == plan.isCompacted else {
                throw EventLogError(
                    .topicMismatch(
                        topic: plan.name, found: "cleanup.policy=\(policy)",
                        wanted: "cleanup.policy=\(plan.isCompacted ? "compact" : "delete"); set it with kafka-configs"),
                    during: "create topics")
            }
            if !plan.isCompacted, options.retention < 0, let kept = configs[plan.name].flatMap(Self.retention) {
                options.logger.warning(
                    "old events will be deleted as soon as they are replayed: retention goes by event time",
                    metadata: ["topic": "\(plan.name)", "retention.ms": "\(kept)"])
            }
        }
    }

    /// How long a topic keeps records by the time in them, milliseconds; `nil` for ever, by the time of their coming, and where
    /// the cluster does not say.
    func retention(of topic: String) async throws -> Int64? {
        let configs: [String: String]?
        do {
            configs = try await ask("describe \(topic)") { try Self.describe([topic], $0) }[topic]
        } catch is EventLogError {
            return nil
        }
        return configs.flatMap(Self.retention)
    }

    /// What a topic's configuration says of it; `nil` for ever, and by the time of coming.
    static func retention(_ configs: [String: String]) -> Int64? {
        guard configs["message.timestamp.type"] != "LogAppendTime", configs["cleanup.policy"] != "compact" else { return nil }
        return configs["retention.ms"].flatMap(Int64.init).flatMap { $0 < 0 ? nil : $0 }
    }

    private static func describe(_ names: [String], _ handle: OpaquePointer) throws -> [String: [String: String]] {
        var resources: [OpaquePointer?] = names.map { rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, $0) }
        defer { for resource in resources { rd_kafka_ConfigResource_destroy(resource) } }
        return try AdminCall.run(handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT, timeout: 2_000) {
            settings, queue in
            rd_kafka_DescribeConfigs(handle, &resources, resources.count, settings, queue)
        } read: { event in
            var found: [String: [String: String]] = [:]
            var count = 0
            let list = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count)
            for index in 0..<count {
                guard let resource = list?[index], let name = rd_kafka_ConfigResource_name(resource) else { continue }
                var entries = 0
                let configs = rd_kafka_ConfigResource_configs(resource, &entries)
                for entry in 0..<entries {
                    guard let config = configs?[entry], let key = rd_kafka_ConfigEntry_name(config),
                        let value = rd_kafka_ConfigEntry_value(config)
                    else { continue }
                    found[String(cString: name), default: [:]][String(cString: key)] = String(cString: value)
                }
            }
            return found
        }
    }

    private static func describe(_ partitions: Int) -> String { "\(partitions) partition\(partitions == 1 ? "" : "s")" }
}

/// One request of the admin interface and its answer.
private enum AdminCall {
    static func run<T>(
        _ handle: OpaquePointer, _ operation: rd_kafka_admin_op_t, _ expected: Int32, timeout: Int32,
        _ send: (OpaquePointer?, OpaquePointer?) -> Void, read: (OpaquePointer?) -> T
    ) throws -> T {
        let settings = rd_kafka_AdminOptions_new(handle, operation), queue = rd_kafka_queue_new(handle)
        defer {
            rd_kafka_AdminOptions_destroy(settings)
            rd_kafka_queue_destroy(queue)
        }
        var reason = [CChar](repeating: 0, count: 256)
        rd_kafka_AdminOptions_set_request_timeout(settings, timeout, &reason, reason.count)
        send(settings, queue)
        let event = rd_kafka_queue_poll(queue, timeout + 1_000)
        defer { rd_kafka_event_destroy(event) }
        guard let event, rd_kafka_event_type(event) == expected else { throw KafkaFailure(RD_KAFKA_RESP_ERR__TIMED_OUT, "no answer") }
        let code = rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw KafkaFailure(code, rd_kafka_event_error_string(event).map { String(cString: $0) })
        }
        return read(event)
    }
}
