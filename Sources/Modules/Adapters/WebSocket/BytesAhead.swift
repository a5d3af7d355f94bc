import Synchronization

/// Bytes of messages that were read and that nobody has taken yet. While there are too many, reading waits.
final class BytesAhead: Sendable {
    private struct State {
        var bytes = 0
        var waiting: (@Sendable () -> Void)?
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: One read may go beyond it by what it brings.
    init(limit: Int) { self.limit = limit }

    func add(_ bytes: Int) { state.withLock { $0.bytes += bytes } }

    /// - Parameter go: Called once, from whoever takes messages, when there is room again.
    /// - Returns: Whether there is room now.
    func hasRoom(orElse go: @escaping @Sendable () -> Void) -> Bool {
        state.withLock { state in
            if state.bytes >= limit { state.waiting = go }
            return state.bytes < limit
        }
    }

    func take(_ bytes: Int) {
        let waiting = state.withLock { state -> (@Sendable () -> Void)? in
            state.bytes -= bytes
            guard state.bytes < limit else { return nil }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?()
    }
}
