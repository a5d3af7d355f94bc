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
    private let artifactRoot: String
    private let access: TrackAccess
    private let tls: TLSFiles?
    private let maxUploadBytes: Int
    private let allowsPrivateWebhooks: Bool
    private let readiness: Readiness
    private let logger: Logger
    private let now: @Sendable () -> EventTime.Milliseconds
    private let publish: @Sendable (Domain.Record) async throws -> Void

    /// - Parameters:
    ///   - port: 0 lets the system choose; see ``address``.
    ///   - directory: Holds `tracking.sqlite`; made when missing.
    ///   - artifactRoot: `nil` for `DIRECTORY/artifacts`.
    ///   - access: `nil` for ``TrackAccess/open`` on a loopback address and ``TrackAccess/tokens`` on any other.
    ///   - tls: Speaks HTTPS with this certificate.
    ///   - maxUploadBytes: Of one artefact.
    ///   - allowsPrivateWebhooks: Calls webhooks in private networks and without TLS.
    ///   - readiness: Gets the check `track`.
    ///   - now: Wall time in milliseconds since the Unix epoch.
    ///   - publish: Appends to the topic `registry-events`.
    package init(
        host: String = "127.0.0.1", port: Int = 5_000, directory: String, artifactRoot: String? = nil,
        access: TrackAccess? = nil, tls: TLSFiles? = nil, maxUploadBytes: Int = 10 << 30,
        allowsPrivateWebhooks: Bool = false, readiness: Readiness = Readiness(),
        logger: Logger, now: @escaping @Sendable () -> EventTime.Milliseconds,
        publish: @escaping @Sendable (Domain.Record) async throws -> Void = { _ in }
    ) {
        var generator = SystemRandomNumberGenerator()
        directorySecret = DirectorySecret(TokenSecret.make(using: &generator).text)
        self.host = host
        self.port = port
        self.directory = directory
        self.artifactRoot = artifactRoot ?? directory + "/artifacts"
        self.access = access ?? (RequestOrigin.isLoopback(host) ? .open : .tokens)
        self.tls = tls
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
        let database = try await Self.database(directory)
        let store = TrackingStore(database: database)
        try await store.prepare(now: now())
        let webhooks = WebhookSender(
            store: WebhookStore(database: database, key: try SecretKeyFile.read(directory)), allowsPrivate: allowsPrivateWebhooks,
            logger: logger, now: now)
        let service = TrackService(
            store: store, registry: RegistryStore(database: database), artifacts: try await ArtifactStore(root: artifactRoot),
            webhooks: webhooks, now: now
        ) { [announce] event in
            webhooks.tell(event)
            await announce(event)
        }
        let endpoints = Endpoints(directory: directory, secret: access == .tokens ? directorySecret : nil)
        let tokens = TokenStore(database: database)
        let guarded = AccessGuard(access: access, tokens: tokens, directorySecret: directorySecret.revealed, service: service)
        if access == .tokens, try await tokens.list().allSatisfy({ !$0.isValid(at: now()) }) {
            logger.warning("nobody has a token: make one with mlops track token create", metadata: ["address": "\(self.host)"])
        }
        let limits: @Sendable (HTTPRequest) -> HTTPLimits = { [maxUploadBytes] in
            TrackRouter.limits($0, maxUploadBytes: maxUploadBytes)
        }
        let host = HTTPHost(
            role: "track", host: host, port: port, tls: tls, responder: TrackRouter.build(service, guarded: guarded).buildResponder(),
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
        try database.close()
    }

    /// Everything a tracking directory's database holds.
    package static func database(_ directory: String) async throws -> TrackingDatabase {
        try await TrackingDatabase.open(
            path: directory + "/tracking.sqlite",
            migrations: TrackingSchema.migrations + RegistrySchema.migrations + TokenStore.migrations + WebhookStore.migrations)
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
