import Domain
import EventLog
import Features
import Foundation
import Logging
import ObjectStore
import Project
import Settings
import Telemetry
import Web

/// What a command has once its options are read: the project, the settings, the log and the object store.
struct Session: Sendable {
    let role: Role
    let project: ProjectDefinition
    let settings: CommonSettings
    let log: any EventLog
    let store: ObjectStore
    /// The settings as they are by now, for what may be mended while the process runs; `nil` while the file cannot be read.
    let reread: @Sendable () -> CommonSettings?
    let readiness = Readiness()

    /// A logger that names its role.
    func logger(_ role: Role) -> Logger { Logger(label: role.rawValue) }

    var wall: @Sendable () -> EventTime.Milliseconds { Telemetry.wallClock }

    /// Opens everything; the role's own settings are read by `body` first, so that `--check-config` can show them too.
    static func open<RoleSettings>(
        _ role: Role, _ options: RunOptions, flags: [SettingsFlag] = [],
        settings read: (SettingsReader, ProjectDefinition) throws -> RoleSettings
    ) async throws -> (Session, RoleSettings) {
        let flags = options.flags(role) + flags, environment = ProcessInfo.processInfo.environment, path = options.project
        let prefix = environment["MLOPS_TOPIC_PREFIX"], isOptional = role == .track
        let project = try ProjectFile.load(path: path, topicPrefix: prefix, isOptional: isOptional)
        let reader = SettingsReader(flags: flags, environment: environment, project: project)
        let reread: @Sendable () -> CommonSettings? = {
            // Somebody may be writing the file at this moment: the next time it is whole.
            guard let project = try? ProjectFile.load(path: path, topicPrefix: prefix, isOptional: isOptional) else { return nil }
            return try? CommonSettings(reader: SettingsReader(flags: flags, environment: environment, project: project), role: role)
        }
        // Both are read before either complains, so that all problems are told at once.
        let commonResult = Result { try CommonSettings(reader: reader, role: role) }
        let ownResult = Result { try read(reader, project) }
        try reader.finish()
        let common = try commonResult.get(), own = try ownResult.get()
        let strays = SettingsCatalogue.strays(in: environment)
        if options.checkConfig {
            print(reader.text, terminator: "")
            for stray in strays { FileHandle.standardError.write(Data("mlops: environment: \(stray)\n".utf8)) }
            throw ExitStatus.done.code
        }
        Telemetry.bootstrap(
            level: Logger.Level(rawValue: common.logLevel.rawValue) ?? .info, style: common.logFormat == .json ? .json : .text)
        for stray in strays { Logger(label: role.rawValue).warning("a variable of the environment is left alone: \(stray)") }
        let log = try await LogURL(common.logURL).open(durability: common.durability == .full ? .full : .process) { options in
            options.complete(from: common, topicPrefix: project.topicPrefix)
        }
        try await log.createTopics(Topics.plans(project))
        let store = try await ObjectStore(
            url: common.objectsURL, durability: common.durability == .full ? .powerLoss : .processKill,
            s3: S3Options(common.s3, environment: environment))
        return (Session(role: role, project: project, settings: common, log: log, store: store, reread: reread), own)
    }
}

extension S3Options {
    init(_ settings: S3Settings, environment: [String: String]) {
        self.init(
            endpoint: settings.endpoint, region: settings.region, isPathStyle: settings.isPathStyle, authority: settings.authority,
            environment: environment, now: Telemetry.wallClock)
    }
}

extension KafkaOptions {
    /// Adds what the settings say.
    mutating func complete(from common: CommonSettings, topicPrefix: String) {
        self.topicPrefix = topicPrefix
        exclusiveGroups = ["produce/", "monitor/", "source/"]
        cacheDirectory = common.dataDirectory + "/state"
        guard let kafka = common.kafka else { return }
        security.securityProtocol = kafka.security.rawValue
        if kafka.username != nil { security.saslMechanism = kafka.mechanism.rawValue }
        security.username = kafka.username
        security.password = kafka.password?.revealed
        security.authority = kafka.authority
        security.certificate = kafka.certificate
        security.key = kafka.key
        replicationFactor = kafka.replicationFactor
        retention = kafka.retention ?? -1
        sessionTimeout = .milliseconds(kafka.sessionTimeout)
        patience = .milliseconds(kafka.patience)
        statisticsInterval = .milliseconds(kafka.statisticsInterval)
    }
}
