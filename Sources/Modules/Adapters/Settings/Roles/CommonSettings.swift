/// A role of the system, or all of them in one process.
package enum Role: String, Sendable, CaseIterable {
    case all, produce, features, train, serve, monitor, track

    /// Where `/healthz`, `/readyz` and `/metrics` are, unless told otherwise.
    package var defaultAdminPort: Port {
        switch self {
        case .all: .known(9_100)
        case .produce: .known(9_101)
        case .features: .known(9_102)
        case .train: .known(9_103)
        case .serve: .known(9_104)
        case .monitor: .known(9_105)
        case .track: .known(9_106)
        }
    }
}

package enum LogLevel: String, Sendable, CaseIterable { case trace, debug, info, notice, warning, error, critical }

package enum LogFormat: String, Sendable, CaseIterable {
    /// For a person.
    case text
    /// For a collector.
    case json
}

package enum Durability: String, Sendable, CaseIterable {
    /// Survives the death of the process.
    case process
    /// Survives the loss of power.
    case full
}

/// What every role needs to know.
package struct CommonSettings: Sendable {
    /// The event log: `local:DIRECTORY` or `kafka://HOST:PORT[,HOST:PORT]`.
    package let logURL: String
    /// What the roles of this host keep in files; of a local log, its directory.
    package let dataDirectory: String
    /// `nil` unless the log is a Kafka cluster.
    package let kafka: KafkaSettings?
    package let durability: Durability
    package let logLevel: LogLevel
    package let logFormat: LogFormat
    /// Where to listen.
    package let host: String
    package let adminPort: Port
    /// The tracking server; `nil` for the one that the log's directory names, or one of this process.
    package let trackURL: String?
    package let trackToken: Secret?
    /// A file with the token: another may be in it by now. `nil` for ``trackToken``, which goes before it.
    package let trackTokenFile: String?
    /// PEM file of the authorities to trust when the tracking server speaks HTTPS, instead of the system's.
    package let trackAuthority: String?
    /// Where the tracking server keeps artefacts: `file:DIRECTORY` or `s3://BUCKET/PREFIX`; `nil` for its own directory.
    package let artifactsURL: String?
    /// The object store of the roles, likewise.
    package let objectsURL: String
    package let s3: S3Settings

    package init(reader: SettingsReader, role: Role) throws(SettingsError) {
        let url = reader.read(Self.logURL(directory: reader.directory))
        logURL = Self.anchored(url, "local:", reader, "event_log.url")
        if logURL.hasPrefix("local:") {
            dataDirectory = String(logURL.dropFirst(6))
            kafka = nil
        } else {
            let directory = reader.read(Self.dataDirectory(directory: reader.directory))
            let isRelative = reader.isFromFile("data.directory") && !directory.hasPrefix("/")
            dataDirectory = isRelative ? "\(reader.directory)/\(directory)" : directory
            kafka = KafkaSettings(reader: reader)
        }
        durability = reader.read(Self.durability)
        logLevel = reader.read(Self.logLevel)
        logFormat = reader.read(Self.logFormat)
        host = reader.read(Self.host)
        adminPort = reader.read(Self.adminPort(role))
        trackURL = reader.read(Self.trackURL)
        trackToken = reader.read(Self.trackToken)
        trackTokenFile = reader.read(Self.trackTokenFile)
        trackAuthority = reader.read(Self.trackAuthority)
        artifactsURL = reader.read(Self.artifactsURL).map { Self.anchored($0, "file:", reader, "track.artifacts") }
        objectsURL = Self.anchored(reader.read(Self.objectsURL(dataDirectory: dataDirectory)), "file:", reader, "objects.url")
        s3 = S3Settings(reader: reader)
        try reader.finish()
    }

    /// A relative directory in the project file starts at the file's folder.
    private static func anchored(_ url: String, _ scheme: String, _ reader: SettingsReader, _ key: String) -> String {
        guard reader.isFromFile(key), url.hasPrefix(scheme) else { return url }
        let path = url.dropFirst(scheme.count)
        return path.hasPrefix("/") ? url : "\(scheme)\(reader.directory)/\(path)"
    }

    static func logURL(directory: String) -> Setting<String> {
        Setting("event_log.url", .logURL, default: "local:\(directory)/.mlops", "The event log that the roles meet at.")
    }
    static func dataDirectory(directory: String) -> Setting<String> {
        Setting(
            "data.directory", .text("a directory"), default: "\(directory)/.mlops",
            "Where files are kept when the log is a Kafka cluster: objects, copies of states, the address of the tracking server.")
    }
    static let durability = Setting("event_log.durability", .choice, default: Durability.process, "What a commit survives.")
    static let logLevel = Setting("log.level", .choice, default: LogLevel.info, "The least severe log lines that are written.")
    static let logFormat = Setting("log.format", .choice, default: LogFormat.text, "How log lines look.")
    static let host = Setting("host", .host, default: "127.0.0.1", "The address to listen on.")
    static func adminPort(_ role: Role) -> Setting<Port> {
        Setting(
            "\(role.rawValue).admin_port", .port, default: role.defaultAdminPort, "Health, readiness and metrics; 0 lets the system choose."
        )
    }
    static let trackURL = OptionalSetting("track.url", .httpURL, "The tracking server to use.")
    static let trackToken = OptionalSetting("track.token", .secret, "What the tracking server asks for.", isSecret: true)
    static let trackTokenFile = OptionalSetting(
        "track.token_file", .path, "A file with what the tracking server asks for; read again when the server refuses it.")
    static let trackAuthority = OptionalSetting(
        "track.ca", .path, "A PEM file: the authority that signed the tracking server's certificate.")
    static let artifactsURL = OptionalSetting(
        "track.artifacts", .objectsURL, "Where the tracking server keeps artifacts: a directory or s3://BUCKET/PREFIX.")
    static func objectsURL(dataDirectory: String) -> Setting<String> {
        Setting(
            "objects.url", .objectsURL, default: "file:\(dataDirectory)/objects",
            "Where archives of rows and events are kept: a directory or s3://BUCKET/PREFIX.")
    }

    static let catalogue: [SettingInfo] =
        [
            SettingInfo(logURL(directory: "PROJECT")), SettingInfo(dataDirectory(directory: "PROJECT")), SettingInfo(durability),
            SettingInfo(logLevel), SettingInfo(logFormat),
            SettingInfo(host), SettingInfo(trackURL), SettingInfo(trackToken), SettingInfo(trackTokenFile), SettingInfo(trackAuthority),
            SettingInfo(artifactsURL), SettingInfo(objectsURL(dataDirectory: "DATA")),
        ] + S3Settings.catalogue + KafkaSettings.catalogue + Role.allCases.map { SettingInfo(adminPort($0)) }
}
