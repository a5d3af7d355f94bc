import Synchronization
import Web

/// The server as it was last found. Copies of a client share it: what one has found anew serves them all.
final class TrackingConnection: Sendable {
    private let current: Mutex<JSONClient>
    private let find: (@Sendable () async -> JSONClient?)?

    init(_ http: JSONClient, find: (@Sendable () async -> JSONClient?)?) {
        current = Mutex(http)
        self.find = find
    }

    var http: JSONClient { current.withLock { $0 } }

    /// Sends a call; once more when the server is found elsewhere or wants another token than it was shown.
    func send(_ call: JSONClient.Call) async throws(TrackingFailure) -> JSONClient.Answer {
        let http = http
        do throws(HTTPFailure) { return try await http.send(call) } catch {
            let failure = TrackingFailure(error)
            guard failure.mayPass, let found = await renewed(after: http), call.isIdempotent || error.wasNotAccepted else { throw failure }
            do throws(HTTPFailure) { return try await found.send(call) } catch { throw TrackingFailure(error) }
        }
    }

    /// - Returns: `nil` when the server is where it was and is shown what it was.
    private func renewed(after old: JSONClient) async -> JSONClient? {
        let now = http
        if !now.asksAlike(old) { return now }
        guard let found = await find?(), !found.asksAlike(old) else { return nil }
        current.withLock { $0 = found }
        return found
    }
}
