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

    init(_ session: Session) {
        let known = session.settings.trackURL ?? Self.endpoint(of: session.settings.logDirectory)
        self.known = known
        own = known == nil ? session.trackRole(port: 0) : nil
    }

    /// For a process that runs every role: its own server on a known port, unless the settings name another one.
    init(_ session: Session, port: Int) {
        known = session.settings.trackURL
        own = known == nil ? session.trackRole(port: port) : nil
    }

    /// A client, once the server answers.
    func client() async throws -> TrackingClient {
        if let known { return TrackingClient(url: known) }
        guard let own else { throw Failure(.unreachable, "there is no tracking server") }
        return TrackingClient(url: try await own.address.wait().url)
    }

    /// What `DIR/endpoints.json` says, while the server that wrote it holds the directory's lock.
    private static func endpoint(of directory: String) -> String? {
        struct Endpoints: Decodable { let track: String }
        guard let data = FileManager.default.contents(atPath: directory + "/endpoints.json"),
            let found = try? JSONDecoder().decode(Endpoints.self, from: data), DirectoryHolder.isHeld(directory)
        else { return nil }
        return found.track
    }
}

/// Whether a tracking server is alive on a directory: a dead one leaves its files but not its lock.
private enum DirectoryHolder {
    static func isHeld(_ directory: String) -> Bool {
        let descriptor = open(directory + "/tracking.lock", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return true }
        flock(descriptor, LOCK_UN)
        return false
    }
}

/// A service that can only be made once something else runs.
struct Deferred: Service {
    let make: @Sendable () async throws -> any Service

    func run() async throws { try await make().run() }
}

extension Session {
    func trackRole(port: Int) -> TrackRole {
        let topic = Topics.registryEvents(project), log = log
        return TrackRole(
            host: settings.host, port: port, directory: settings.logDirectory, readiness: readiness, logger: logger(.track), now: wall
        ) { record in try await log.append([record], to: topic) }
    }
}
