import Domain
import EventLog
import Foundation
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
    private let readiness: Readiness

    /// For a role that runs alone.
    static func find(_ session: Session) async -> Tracker {
        var known = session.settings.trackURL
        if known == nil, let url = endpoint(of: session.settings.dataDirectory), await answers(url) { known = url }
        return Tracker(own: known == nil ? session.trackRole(port: 0) : nil, known: known, readiness: session.readiness)
    }

    private init(own: TrackRole?, known: String?, readiness: Readiness) {
        self.own = own
        self.known = known
        self.readiness = readiness
    }

    /// For a process that runs every role: its own server on a known port, unless the settings name another one.
    init(_ session: Session, port: Int) {
        known = session.settings.trackURL
        readiness = session.readiness
        own = known == nil ? session.trackRole(port: port) : nil
    }

    /// A client, once the server answers.
    func client() async throws -> TrackingClient {
        if let known { return TrackingClient(url: known) }
        guard let own else { throw Failure(.unreachable, "there is no tracking server") }
        do {
            return TrackingClient(url: try await own.address.wait().url)
        } catch TrackRole.Error.inUse(let directory) {
            // Another process was quicker; it says where it listens in a moment.
            for _ in 0..<100 {
                if let url = Self.endpoint(of: directory), await Self.answers(url) { return TrackingClient(url: url) }
                try await Task.sleep(for: .milliseconds(100))
            }
            throw Failure(.unreachable, "another process holds the tracking server of \(directory) but does not answer")
        }
    }

    /// The server of this process as a service: it gives way to one that another process started at the same moment.
    var services: [any Service] { own.map { [GivingWay(server: $0, readiness: readiness)] } ?? [] }

    /// What `DIR/endpoints.json` says; a server that was killed leaves it behind.
    private static func endpoint(of directory: String) -> String? {
        struct Endpoints: Decodable { let track: String }
        guard let data = FileManager.default.contents(atPath: directory + "/endpoints.json"),
            let found = try? JSONDecoder().decode(Endpoints.self, from: data)
        else { return nil }
        return found.track
    }

    private static func answers(_ url: String) async -> Bool {
        let client = JSONClient(baseURL: url, timeout: .seconds(2), retry: .none)
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

/// A service that can only be made once something else runs.
struct Deferred: Service {
    let make: @Sendable () async throws -> any Service

    func run() async throws {
        let service = try await cancelWhenGracefulShutdown { try await make() }
        try await service.run()
    }
}

extension Session {
    func trackRole(port: Int) -> TrackRole {
        let topic = Topics.registryEvents(project), log = log
        return TrackRole(
            host: settings.host, port: port, directory: settings.dataDirectory, readiness: readiness, logger: logger(.track), now: wall
        ) { record in try await log.append([record], to: topic) }
    }
}
