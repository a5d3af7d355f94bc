package import Domain
import Foundation
import HTTPTypes
import Hummingbird
package import Logging
import Metrics
import Registry
import ServiceLifecycle
package import Tracking
package import Web

/// The tracking server: MLflow's REST protocol and pages over one SQLite file and a directory of artefacts.
///
/// It is the only process that opens them; the others of the directory find it by `DIR/endpoints.json`.
package struct TrackRole: Service {
    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        /// Another tracking server works on the directory.
        case inUse(String)
        case unusable(String, String)

        package var description: String {
            switch self {
            case .inUse(let directory): "another tracking server works on \(directory); stop it or use another directory"
            case .unusable(let directory, let why): "cannot use \(directory): \(why)"
            }
        }
    }

    /// What the other processes of the directory show when the server asks for tokens; new at every start.
    package let directorySecret: DirectorySecret
    /// Known once the server answers.
    package let address = ListeningAddress()
    private let host: String
    private let port: Int
    private let directory: String
    private let artifacts: ArtifactPlace
    private let access: TrackAccess
    private let allowedHosts: [String]
    private let tls: TLSFiles?
    private let isDurable: Bool
    private let maxUploadBytes: Int
    private let allowsPrivateWebhooks: Bool
    private let readiness: Readiness
    private let logger: Logger
    private let now: @Sendable () -> EventTime.Milliseconds
    private let publish: @Sendable (Domain.Record) async throws -> Void

    /// - Parameters:
    ///   - port: 0 lets the system choose; see ``address``.
    ///   - directory: Holds `tracking.sqlite`; made when missing.
    ///   - artifacts: `nil` for `DIRECTORY/artifacts`.
    ///   - access: `nil` for ``TrackAccess/open`` on a loopback address and ``TrackAccess/tokens`` on any other.
    ///   - allowedHosts: Names it may be asked under by everybody, besides those that only a private network knows.
    ///   - tls: Speaks HTTPS with this certificate.
    ///   - isDurable: Whether what was answered survives a loss of power.
    ///   - maxUploadBytes: Of one artefact.
    ///   - allowsPrivateWebhooks: Calls webhooks in private networks and without TLS.
    ///   - readiness: Gets the check `track`.
    ///   - now: Wall time in milliseconds since the Unix epoch.
    ///   - publish: Appends to the topic `registry-events`.
    package init(
        host: String = "127.0.0.1", port: Int = 5_000, directory: String, artifacts: ArtifactPlace? = nil,
        access: TrackAccess? = nil, allowedHosts: [String] = [], tls: TLSFiles? = nil, isDurable: Bool = false,
        maxUploadBytes: Int = 10 << 30,
        allowsPrivateWebhooks: Bool = false, readiness: Readiness = Readiness(),
        logger: Logger, now: @escaping @Sendable () -> EventTime.Milliseconds,
        publish: @escaping @Sendable (Domain.Record) async throws -> Void = { _ in }
    ) {
        var generator = SystemRandomNumberGenerator()
        directorySecret = DirectorySecret(TokenSecret.make(using: &generator).text)
        self.host = host
        self.port = port
        self.directory = directory
        self.artifacts = artifacts ?? .own(directory)
        self.access = access ?? (RequestOrigin.isLoopback(host) ? .open : .tokens)
        self.allowedHosts = allowedHosts
        self.tls = tls
        self.isDurable = isDurable
        self.maxUploadBytes = maxUploadBytes
        self.allowsPrivateWebhooks = allowsPrivateWebhooks
        self.readiness = readiness
        self.logger = logger
        self.now = now
        self.publish = publish
        readiness.expect("track")
    }

    package func run() async throws {
        do {
            try await serve()
        } catch {
            address.resolve(.failure(error))
            throw error
        }
        address.resolve(.failure(CancellationError()))
    }

    private func serve() async throws {
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        } catch {
            throw Error.unusable(directory, String(describing: error))
        }
        let lock = try DirectoryLock(directory: directory)
        let database = try await Self.database(directory, isDurable: isDurable)
        let store = TrackingStore(database: database)
        try await store.prepare(now: now())
        if let before = try artifacts.note(in: directory) {
            logger.warning(
                "artifacts are kept elsewhere than before; copy them, earlier runs are looked for in the new place",
                metadata: ["before": "\(before)", "now": "\(artifacts.url)"])
        }
        let webhooks = WebhookSender(
            store: WebhookStore(database: database, key: try SecretKeyFile.read(directory)), allowsPrivate: allowsPrivateWebhooks,
            logger: logger, now: now)
        let service = TrackService(
            store: store, traces: TraceStore(database: database), registry: RegistryStore(database: database),
            artifacts: try await artifacts.open(maxBytes: Int64(maxUploadBytes)),
            webhooks: webhooks, now: now
        ) { [announce] event in
            webhooks.tell(event)
            await announce(event)
        }
        let endpoints = Endpoints(directory: directory, secret: self.access == .tokens ? directorySecret : nil)
        // Connections of its own: searches that take all the others must not keep anybody from showing a token.
        let access = try await Self.database(directory, maxReaders: 1)
        let tokens = TokenStore(database: access)
        let guarded = AccessGuard(access: self.access, tokens: tokens, directorySecret: directorySecret.revealed, service: service)
        if self.access == .tokens, try await tokens.list().allSatisfy({ !$0.isValid(at: now()) }) {
            logger.warning("nobody has a token: make one with mlops track token create", metadata: ["address": "\(self.host)"])
        }
        let limits: @Sendable (HTTPRequest) -> HTTPLimits = { [maxUploadBytes] in
            TrackRouter.limits($0, maxUploadBytes: maxUploadBytes)
        }
        let host = HTTPHost(
            role: "track", host: host, port: port, tls: tls, hosts: hosts,
            responder: TrackRouter.build(service, guarded: guarded).buildResponder(),
            quick: self.access == .open ? Route.quick(service) : [],
            limits: limits, failure: Failure.answer, logger: logger, address: address
        ) { [readiness, logger] place in
            do {
                try endpoints.write(track: place.url)
            } catch {
                logger.error("cannot write endpoints.json", metadata: ["directory": "\(endpoints.directory)", "error": "\(error)"])
            }
            readiness.set("track", true)
        }
        defer {
            readiness.set("track", false)
            if let url = address.current?.url { endpoints.remove(track: url) }
            withExtendedLifetime(lock) {}
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await webhooks.run() }
            try await host.run()
            group.cancelAll()
        }
        try access.close()
        try database.close()
    }

    /// Who must show a token shows it under any name; an open server is asked under names that nobody outside can own.
    private var hosts: HostNames {
        guard access == .open else { return .any }
        return RequestOrigin.isLoopback(host) ? .loopback(and: allowedHosts) : .local(and: [host] + allowedHosts)
    }

    /// Everything a tracking directory's database holds.
    package static func database(
        _ directory: String, mode: TrackingDatabase.Mode = .owner, isDurable: Bool = false, maxReaders: Int = 4
    ) async throws -> TrackingDatabase {
        try await TrackingDatabase.open(
            path: directory + "/tracking.sqlite", mode: mode,
            migrations: TrackingSchema.migrations + RegistrySchema.migrations + TokenStore.migrations + WebhookStore.migrations,
            isDurable: isDurable, maxReaders: maxReaders)
    }

    private func announce(_ event: RegistryEvent) async {
        Counter(label: "mlops_registry_events_total", dimensions: [("event", event.kind.rawValue)]).increment()
        var facts: Logger.Metadata = ["event": "\(event.kind.rawValue)", "model": "\(event.model)"]
        if let number = event.number { facts["version"] = "\(number)" }
        if let alias = event.alias { facts["alias"] = "\(alias)" }
        logger.info("registry changed", metadata: facts)
        do {
            try await publish(event.record)
        } catch {
            logger.error("registry event not published", metadata: ["event": "\(event.kind.rawValue)", "error": "\(error)"])
        }
    }
}
