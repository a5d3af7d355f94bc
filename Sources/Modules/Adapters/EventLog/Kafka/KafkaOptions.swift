import CRDKafka
package import Logging

/// How to reach a Kafka cluster and how to behave in it.
package struct KafkaOptions: Sendable {
    package struct Security: Sendable {
        package var securityProtocol = "plaintext"
        package var saslMechanism: String?
        package var username: String?
        package var password: String?
        /// File of the certificate authority, of the client's certificate and of its key, all PEM.
        package var authority: String?
        package var certificate: String?
        package var key: String?

        package init() {}
    }

    /// `host:port`, comma-separated.
    package var brokers: String
    package var security = Security()
    /// Begins the names of changelogs, consumer groups and transactions, as it begins the project's topics.
    package var topicPrefix = ""
    package var replicationFactor = 1
    /// How long records of ordinary topics are kept, in milliseconds; −1 for ever.
    package var retention: Int64 = -1
    /// After this without a sign of life another member takes a process's partitions.
    package var sessionTimeout = Duration.seconds(10)
    /// Beginnings of the names of groups whose work is not cut into partitions: one process does all of it.
    package var exclusiveGroups: [String] = []
    /// How long the first contact may take.
    package var patience = Duration.seconds(30)
    /// How long one step of a transaction may take before another producer does what is left of it.
    package var stepPatience = Duration.seconds(30)
    /// How long the library tries to deliver a record that is not part of a transaction.
    package var deliveryTimeout = Duration.seconds(60)
    package var statisticsInterval = Duration.seconds(10)
    /// Where copies of states lie, so that a restart need not read the changelogs; `nil` for none.
    package var cacheDirectory: String?
    /// After this without an answer of the cluster a reader to whom nothing comes asks whether it is there.
    package var silence = Duration.seconds(5)
    package var logger: Logger

    func isExclusive(_ group: String) -> Bool { exclusiveGroups.contains(where: group.hasPrefix) }

    package init(brokers: String, logger: Logger = Logger(label: "kafka")) {
        self.brokers = brokers
        self.logger = logger
    }
}

/// Properties of one handle of the C library, by their names there.
struct KafkaProperties: Sendable {
    let brokers: String
    private let deliveryTimeout: Duration
    private var values: [(name: String, value: String)]

    /// What every handle of a cluster needs.
    init(_ options: KafkaOptions) {
        brokers = options.brokers
        deliveryTimeout = options.deliveryTimeout
        let security = options.security
        values = [
            ("bootstrap.servers", options.brokers), ("client.id", "mlops"), ("security.protocol", security.securityProtocol),
            ("reconnect.backoff.ms", "50"), ("reconnect.backoff.max.ms", "2000"), ("topic.metadata.refresh.interval.ms", "60000"),
            ("statistics.interval.ms", "\(options.statisticsInterval.wholeMilliseconds)"),
        ]
        for (name, value) in [
            ("sasl.mechanism", security.saslMechanism), ("sasl.username", security.username), ("sasl.password", security.password),
            ("ssl.ca.location", security.authority), ("ssl.certificate.location", security.certificate),
            ("ssl.key.location", security.key),
        ] {
            if let value { values.append((name, value)) }
        }
    }

    func with(_ more: [(String, String)]) -> KafkaProperties {
        var copy = self
        copy.values += more.map { (name: $0.0, value: $0.1) }
        return copy
    }

    /// A writer that never repeats a record when it tries again, and places keys as Kafka's Java client does.
    var forProducer: KafkaProperties {
        with([
            ("enable.idempotence", "true"), ("partitioner", "murmur2_random"), ("linger.ms", "1"),
            ("queue.buffering.max.messages", "100000"), ("queue.buffering.max.kbytes", "65536"), ("compression.type", "lz4"),
            ("delivery.timeout.ms", "\(deliveryTimeout.wholeMilliseconds)"),
        ])
    }

    /// A reader of partitions by offset: no group, no commits, only what is committed, bounded read-ahead.
    var forReader: KafkaProperties {
        with([
            ("enable.partition.eof", "true"), ("isolation.level", "read_committed"), ("auto.offset.reset", "error"),
            ("queued.min.messages", "10000"), ("queued.max.messages.kbytes", "2048"), ("fetch.wait.max.ms", "100"),
            ("fetch.error.backoff.ms", "100"), ("fetch.queue.backoff.ms", "5"),
        ])
    }

    /// What only some releases of the library know.
    private static let newer: Set<String> = ["fetch.queue.backoff.ms"]

    /// - Returns: A configuration that the caller owns.
    func makeConfiguration() throws -> OpaquePointer {
        guard let configuration = rd_kafka_conf_new() else { throw EventLogError(.storage, during: "open \(brokers)") }
        var reason = [CChar](repeating: 0, count: 512)
        for (name, value) in values {
            let result = rd_kafka_conf_set(configuration, name, value, &reason, reason.count)
            if result == RD_KAFKA_CONF_UNKNOWN, Self.newer.contains(name) { continue }
            guard result == RD_KAFKA_CONF_OK else {
                rd_kafka_conf_destroy(configuration)
                throw EventLogError(.badKafkaSetting(Self.text(reason)), during: "open \(brokers)")
            }
        }
        return configuration
    }

    static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
