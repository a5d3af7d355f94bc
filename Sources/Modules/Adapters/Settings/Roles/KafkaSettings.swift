import Domain

package enum KafkaSecurity: String, Sendable, CaseIterable {
    case plaintext, ssl
    case saslPlaintext = "sasl_plaintext"
    case saslSSL = "sasl_ssl"

    var usesSASL: Bool { self == .saslPlaintext || self == .saslSSL }
}

package enum SASLMechanism: String, Sendable, CaseIterable {
    case plain = "PLAIN"
    case scram256 = "SCRAM-SHA-256"
    case scram512 = "SCRAM-SHA-512"
}

/// How to reach a Kafka cluster and what to ask of it.
package struct KafkaSettings: Sendable {
    package let security: KafkaSecurity
    package let mechanism: SASLMechanism
    package let username: String?
    package let password: Secret?
    /// PEM files.
    package let authority: String?
    package let certificate: String?
    package let key: String?
    package let replicationFactor: Int
    /// Of ordinary topics, in milliseconds; `nil` for ever.
    package let retention: Int64?
    /// In milliseconds, as the next two.
    package let sessionTimeout: Int64
    package let patience: Int64
    package let statisticsInterval: Int64

    init(reader: SettingsReader) {
        security = reader.read(Self.security)
        mechanism = reader.read(Self.mechanism)
        username = reader.read(Self.username)
        password = reader.read(Self.password)
        authority = reader.read(Self.authority)
        certificate = reader.read(Self.certificate)
        key = reader.read(Self.key)
        replicationFactor = reader.read(Self.replicationFactor)
        retention = reader.read(Self.retention)
        sessionTimeout = reader.read(Self.sessionTimeout)
        patience = reader.read(Self.patience)
        statisticsInterval = reader.read(Self.statisticsInterval)
        if security.usesSASL, username == nil || password == nil {
            reader.refuse("kafka.security_protocol", "\(security.rawValue) needs kafka.username and MLOPS_KAFKA_PASSWORD")
        }
        if (certificate == nil) != (key == nil) {
            reader.refuse(certificate == nil ? "kafka.key" : "kafka.certificate", "kafka.certificate and kafka.key go together")
        }
    }

    static let security = Setting("kafka.security_protocol", .choice, default: KafkaSecurity.plaintext, "How connections are protected.")
    static let mechanism = Setting(
        "kafka.sasl_mechanism", .choice, default: SASLMechanism.scram512, "How the name and the password are shown.")
    static let username = OptionalSetting("kafka.username", .text("a name"), "Who connects.")
    static let password = OptionalSetting("kafka.password", .secret, "The password that belongs to the name.", isSecret: true)
    static let authority = OptionalSetting("kafka.ca", .text("a PEM file"), "The authority that signed the brokers' certificates.")
    static let certificate = OptionalSetting("kafka.certificate", .text("a PEM file"), "The certificate of this client.")
    static let key = OptionalSetting("kafka.key", .text("a PEM file"), "The key of this client's certificate.")
    static let replicationFactor = Setting("kafka.replication_factor", .count(1...32), default: 1, "Copies of the topics that are created.")
    static let retention = OptionalSetting(
        "kafka.retention", .duration(60_000...3_650 * 86_400_000),
        "How long records of the topics that are created are kept, by their event time; for ever if not set.")
    static let sessionTimeout = Setting(
        "kafka.session_timeout", .duration(1_000...1_800_000), default: 10_000,
        "After this without a sign of life others take a process's partitions.")
    static let patience = Setting(
        "kafka.patience", .duration(100...3_600_000), default: 30_000,
        "How long the first contact, and a commit, may take before they fail.")
    static let statisticsInterval = Setting(
        "kafka.statistics_interval", .duration(100...3_600_000), default: 10_000, "How often the metrics of connections are taken.")

    static let catalogue: [SettingInfo] = [
        SettingInfo(security), SettingInfo(mechanism), SettingInfo(username), SettingInfo(password), SettingInfo(authority),
        SettingInfo(certificate), SettingInfo(key), SettingInfo(replicationFactor), SettingInfo(retention), SettingInfo(sessionTimeout),
        SettingInfo(patience), SettingInfo(statisticsInterval),
    ]
}
