import Domain
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import Testing
import Tracking
import Web

@testable import TrackRole

/// A tracking server on a free port with a directory of its own, for the time of a test.
struct TrackServer: Sendable {
    let client: TrackingClient
    let http: JSONClient
    let directory: String
    let events: Events

    final class Events: Sendable {
        private let records = Mutex<[String]>([])
        func add(_ record: Domain.Record) { records.withLock { $0.append(String(decoding: record.value ?? [], as: UTF8.self)) } }
        var all: [String] { records.withLock { $0 } }
    }

    /// Answers on the API: the status and the error code, when there is one.
    struct Outcome: Equatable {
        var status: Int
        var code: String?
        var json: JSONValue?

        static func == (a: Outcome, b: Outcome) -> Bool { a.status == b.status && a.code == b.code }
        static func refused(_ status: Int, _ code: String) -> Outcome { Outcome(status: status, code: code) }
    }

    func call(_ method: JSONClient.Method, _ path: String, _ body: String? = nil, query: [(name: String, value: String)] = []) async
        -> Outcome
    {
        var call = JSONClient.Call(method, path)
        call.body = body.map { Array($0.utf8) }
        call.query = query
        do throws(HTTPFailure) {
            let answer = try await http.send(call)
            return Outcome(status: answer.status, json: try? answer.json(during: path))
        } catch {
            guard case .status(let status) = error.code else { return Outcome(status: 0) }
            let json = try? JSONReader.read(error.body)
            return Outcome(status: status, code: json?["error_code"]?.string, json: json)
        }
    }

    /// A page as a browser gets it.
    /// - Parameter address: With its query.
    func page(_ address: String) async -> (status: Int, text: String) {
        do throws(HTTPFailure) {
            let answer = try await http.send(.init(.get, address))
            return (answer.status, String(decoding: answer.body, as: UTF8.self))
        } catch {
            guard case .status(let status) = error.code else { return (0, "") }
            return (status, String(decoding: error.body, as: UTF8.self))
        }
    }

    func api(_ method: JSONClient.Method, _ route: String, _ body: String? = nil, query: [(name: String, value: String)] = []) async
        -> Outcome
    {
        await call(method, "/api/2.0/mlflow/" + route, body, query: query)
    }

    static func quiet(_ label: String) -> Logger { Logger(label: label) { _ in SwiftLogNoOpLogHandler() } }

    static func with(_ body: (TrackServer) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "track-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await with(directory: directory, body)
    }

    /// The same server, seen by somebody with a token.
    func with(token: String?) -> TrackServer {
        let http = JSONClient(baseURL: http.baseURL, bearer: token, timeout: .seconds(600), retry: .none)
        return TrackServer(client: TrackingClient(http: http), http: http, directory: directory, events: events)
    }

    static func guarded(_ body: (TrackServer, TokenStore) async throws -> Void) async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "track-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await with(directory: directory, access: .tokens) { (server: TrackServer) async throws in
            // As the commands do it: beside the server, on the same file.
            try await body(server, TokenStore(database: try await TrackRole.database(directory)))
        }
    }

    static func with(
        directory: String, access: TrackAccess = .open, allowsPrivateWebhooks: Bool = false, maxUploadBytes: Int = 16 << 20,
        _ body: (TrackServer) async throws -> Void
    ) async throws {
        let events = Events(), clock = Mutex<Int64>(1_700_000_000_000)
        let tick: @Sendable () -> Int64 = {
            clock.withLock { now in
                now += 1
                return now
            }
        }
        let role = TrackRole(
            port: 0, directory: directory, access: access, maxUploadBytes: maxUploadBytes, allowsPrivateWebhooks: allowsPrivateWebhooks,
            logger: quiet("track"), now: tick
        ) { events.add($0) }
        let group = ServiceGroup(configuration: .init(services: [role], logger: quiet("group")))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let http = JSONClient(baseURL: try await role.address.wait().url, timeout: .seconds(600), retry: .none)
            try await body(TrackServer(client: TrackingClient(http: http), http: http, directory: directory, events: events))
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}
