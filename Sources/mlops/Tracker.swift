import Domain
import EventLog
import Foundation
import Logging
import ObjectStore
import Project
import ServiceLifecycle
import Settings
import TrackRole
import Tracking
import Web

/// How a run finds its tracking server: the one it was told, the one that works on its directory, or one of its own.
struct Tracker: Sendable {
    /// The server of this process, when there is no other.
    let own: TrackRole?
    private let known: String?
    /// What the server asks for, as far as it is known before it runs.
    private let token: String?
    /// Trusted for HTTPS, instead of the system's.
    private let authority: String?
    private let spool: TrackingSpool
    /// Where the server is by now, and what it asks for.
    private let again: @Sendable () async -> JSONClient?
    private let readiness: Readiness

    /// For a role that runs alone.
    /// - Throws: When the settings name an authority that cannot be read.
    static func find(_ session: Session) async throws -> Tracker {
        var known = session.settings.trackURL, token = session.settings.trackCredential
        if known == nil, let found = try await endpoint(of: session.settings.dataDirectory, session.settings.trackAuthority) {
            known = found.track
            token = token ?? found.token
        }
        return Tracker(
            own: known == nil ? session.trackRole(port: 0) : nil, known: known, token: token, authority: session.settings.trackAuthority,
            spool: Self.spool(session), again: Self.again(session), readiness: session.readiness)
    }

    private init(
        own: TrackRole?, known: String?, token: String?, authority: String?, spool: TrackingSpool,
        again: @escaping @Sendable () async -> JSONClient?, readiness: Readiness
    ) {
        self.own = own
        self.known = known
        self.token = token
        self.authority = authority
        self.spool = spool
        self.again = again
        self.readiness = readiness
    }

    /// For a process that runs every role: its own server as the settings say, unless they name another one.
    init(_ session: Session, _ settings: TrackSettings) {
        known = session.settings.trackURL
        token = session.settings.trackCredential
        authority = session.settings.trackAuthority
        spool = Self.spool(session)
        again = Self.again(session)
        readiness = session.readiness
        own = known == nil ? session.trackRole(settings) : nil
    }

    private static func spool(_ session: Session) -> TrackingSpool { TrackingSpool(directory: session.settings.dataDirectory + "/spool") }

    /// Looks for the server as the settings and `DIR/endpoints.json` name it by now.
    private static func again(_ session: Session) -> @Sendable () async -> JSONClient? {
        { [reread = session.reread] in
            guard let settings = reread() else { return nil }
            var url = settings.trackURL, token = settings.trackCredential
            if url == nil, let found = try? await endpoint(of: settings.dataDirectory, settings.trackAuthority) {
                url = found.track
                token = token ?? found.token
            }
            return url.flatMap { try? JSONClient(baseURL: $0, authority: settings.trackAuthority, bearer: token) }
        }
    }

    /// A client, once the server answers; it first hands over what earlier runs could not.
    func client() async throws -> TrackingClient {
        let client = try await connected()
        do throws(TrackingFailure) {
            try await client.replay()
        } catch {
            Logger(label: "track").warning("what runs said while the server was away still waits", metadata: ["reason": "\(error)"])
        }
        return client
    }

    private func connected() async throws -> TrackingClient {
        if let known { return try client(known, token) }
        guard let own else { throw Failure(.unreachable, "there is no tracking server") }
        do {
            return try client(try await own.address.wait().url, own.directorySecret.revealed)
        } catch TrackRole.Error.inUse(let directory) {
            // Another process was quicker; it says where it listens in a moment.
            for _ in 0..<100 {
                if let found = try await Self.endpoint(of: directory, authority) {
                    return try client(found.track, found.token)
                }
                try await Task.sleep(for: .milliseconds(100))
            }
            throw Failure(.unreachable, "another process holds the tracking server of \(directory) but does not answer")
        }
    }

    /// The server of this process as a service: it gives way to one that another process started at the same moment.
    var services: [any Service] { own.map { [GivingWay(server: $0, readiness: readiness)] } ?? [] }

    /// A client of the server that the settings name, or of the one that works on the directory; starts none.
    static func running(_ session: Session) async throws -> TrackingClient? {
        let settings = session.settings, token = settings.trackCredential
        if let url = settings.trackURL { return try client(url, token, settings.trackAuthority) }
        guard let found = try await endpoint(of: settings.dataDirectory, settings.trackAuthority) else { return nil }
        return try client(found.track, token ?? found.token, settings.trackAuthority)
    }

    private func client(_ url: String, _ token: String?) throws -> TrackingClient {
        TrackingClient(http: try JSONClient(baseURL: url, authority: authority, bearer: token), spool: spool, find: again)
    }

    private static func client(_ url: String, _ token: String?, _ authority: String?) throws -> TrackingClient {
        TrackingClient(http: try JSONClient(baseURL: url, authority: authority, bearer: token))
    }

    /// What may be wrong when the server that the directory names does not answer.
    static func hint(_ session: Session) -> String {
        let directory = session.settings.dataDirectory
        guard session.settings.trackAuthority == nil, let found = written(in: directory), found.track.hasPrefix("https://") else {
            return ""
        }
        return "; \(found.track) does not answer, or its certificate is not one that this system trusts: set track.ca"
    }

    private struct Endpoint: Decodable {
        let track: String
        let token: String?
    }

    /// What `DIR/endpoints.json` says, when the server it names answers; one that was killed leaves the file behind.
    private static func endpoint(of directory: String, _ authority: String?) async throws -> Endpoint? {
        guard let found = written(in: directory), try await answers(found.track, authority)
        else { return nil }
        return found
    }

    private static func written(in directory: String) -> Endpoint? {
        FileManager.default.contents(atPath: directory + "/endpoints.json").flatMap { try? JSONDecoder().decode(Endpoint.self, from: $0) }
    }

    private static func answers(_ url: String, _ authority: String?) async throws -> Bool {
        let client = try JSONClient(baseURL: url, authority: authority, timeout: .seconds(2), retry: .none)
        return (try? await client.send(.init(.get, "/health")))?.status == 200
    }
}

private struct GivingWay: Service {
    let server: TrackRole
    let readiness: Readiness

    func run() async throws {
        do {
            try await server.run()
        } catch TrackRole.Error.inUse {
            readiness.set("track", true)
            try await gracefulShutdown()
        }
    }
}

/// A service that can only be made once something else runs; until then the process is not ready.
struct Deferred: Service {
    private let readiness: Readiness
    private let check: String
    private let make: @Sendable () async throws -> any Service

    init(_ session: Session, _ role: Role, make: @escaping @Sendable () async throws -> any Service) {
        readiness = session.readiness
        check = "\(role.rawValue) started"
        self.make = make
        readiness.expect(check)
    }

    func run() async throws {
        let service = try await cancelWhenGracefulShutdown { try await make() }
        // By now it has said what else it waits for.
        readiness.set(check, true)
        try await service.run()
    }
}

extension CommonSettings {
    /// What the settings say to show the tracking server, as it is by now.
    var trackCredential: String? {
        if let trackToken { return trackToken.revealed }
        guard let text = trackTokenFile.flatMap({ try? String(contentsOfFile: $0, encoding: .utf8) }) else { return nil }
        let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
        return token.isEmpty ? nil : token
    }
}

extension Session {
    /// The server as `mlops track` runs it.
    func trackRole(_ own: TrackSettings) -> TrackRole {
        let access: TrackAccess? =
            switch own.access {
            case .auto: nil
            case .tokens: .tokens
            case .open: .open
            }
        return trackRole(
            port: own.port.number, access: access, allowedHosts: own.allowedHosts,
            tls: own.tls.map { TLSFiles(certificate: $0.certificate, key: $0.key) }, maxUploadBytes: own.maxUploadBytes,
            allowsPrivateWebhooks: own.allowsPrivateWebhooks)
    }

    private var artifactPlace: ArtifactPlace? {
        settings.artifactsURL.map {
            ArtifactPlace(url: $0, s3: S3Options(settings.s3, environment: ProcessInfo.processInfo.environment))
        }
    }

    func trackRole(
        port: Int, access: TrackAccess? = nil, allowedHosts: [String] = [], tls: TLSFiles? = nil, maxUploadBytes: Int = 10 << 30,
        allowsPrivateWebhooks: Bool = false
    ) -> TrackRole {
        let topic = Topics.registryEvents(project), log = log
        return TrackRole(
            host: settings.host, port: port, directory: settings.dataDirectory, artifacts: artifactPlace, access: access,
            allowedHosts: allowedHosts, tls: tls,
            isDurable: settings.durability == .full, maxUploadBytes: maxUploadBytes, allowsPrivateWebhooks: allowsPrivateWebhooks,
            readiness: readiness, logger: logger(.track), now: wall
        ) { record in try await log.append([record], to: topic) }
    }
}
