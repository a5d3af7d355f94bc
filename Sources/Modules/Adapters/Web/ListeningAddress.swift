import Synchronization

/// Where a host listens, known once it does: with port 0 the system chooses.
package final class ListeningAddress: Sendable {
    package struct Place: Sendable, Hashable, CustomStringConvertible {
        package let host: String
        package let port: Int
        /// Whether it speaks HTTPS.
        package let isSecure: Bool

        package init(host: String, port: Int, isSecure: Bool = false) {
            self.host = host
            self.port = port
            self.isSecure = isSecure
        }

        /// How a process of this machine reaches it; the wildcard addresses become loopback.
        package var url: String {
            let reachable = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host
            return (isSecure ? "https://" : "http://") + (reachable.contains(":") ? "[\(reachable)]" : reachable) + ":\(port)"
        }

        package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    private enum State {
        case pending([CheckedContinuation<Place, any Error>])
        case known(Result<Place, any Error>)
    }

    private let state = Mutex(State.pending([]))

    package init() {}

    /// `nil` until the host listens.
    package var current: Place? {
        state.withLock { if case .known(.success(let place)) = $0 { place } else { nil } }
    }

    /// Suspends until the host listens.
    /// - Throws: What kept it from listening.
    package func wait() async throws -> Place {
        try await withCheckedThrowingContinuation { continuation in
            let known: Result<Place, any Error>? = state.withLock { state in
                switch state {
                case .known(let result): return result
                case .pending(var waiting):
                    waiting.append(continuation)
                    state = .pending(waiting)
                    return nil
                }
            }
            if let known { continuation.resume(with: known) }
        }
    }

    /// The first result counts.
    package func resolve(_ result: Result<Place, any Error>) {
        let waiting: [CheckedContinuation<Place, any Error>] = state.withLock { state in
            guard case .pending(let waiting) = state else { return [] }
            state = .known(result)
            return waiting
        }
        for continuation in waiting { continuation.resume(with: result) }
    }
}
