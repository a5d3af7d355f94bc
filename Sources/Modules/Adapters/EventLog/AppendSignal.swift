import Synchronization

/// Wakes readers of this process when something was appended to a topic they wait for.
final class AppendSignal: Sendable {
    private struct Waiter {
        let topics: [String]
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var versions: [String: UInt64] = [:]
        var nextTicket: UInt64 = 0
        var waiters: [UInt64: Waiter] = [:]

        /// Grows whenever one of the topics does.
        func version(of topics: [String]) -> UInt64 { topics.reduce(0) { $0 &+ (versions[$1] ?? 0) } }
    }

    private let state = Mutex(State())

    func version(of topics: [String]) -> UInt64 { state.withLock { $0.version(of: topics) } }

    func raise(_ topics: some Sequence<String>) {
        let woken = state.withLock { state in
            for topic in topics { state.versions[topic, default: 0] += 1 }
            let woken = state.waiters.filter { $1.topics.contains(where: topics.contains) }
            for ticket in woken.keys { state.waiters[ticket] = nil }
            return woken.values
        }
        for waiter in woken { waiter.continuation.resume() }
    }

    /// Returns when the version is no longer `seen`, after `timeout`, or when the task is cancelled.
    func wait(for topics: [String], after seen: UInt64, timeout: Duration) async {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let resumeNow = state.withLock { state in
                    if state.version(of: topics) != seen || Task.isCancelled { return true }
                    state.waiters[ticket] = Waiter(topics: topics, continuation: continuation)
                    return false
                }
                if resumeNow { return continuation.resume() }
                // Only now: a timer that fired before the waiter was there would wake nobody, ever.
                Task {
                    try? await Task.sleep(for: timeout)
                    self.wake(ticket)
                }
            }
        } onCancel: {
            wake(ticket)
        }
    }

    private func wake(_ ticket: UInt64) {
        state.withLock { $0.waiters.removeValue(forKey: ticket) }?.continuation.resume()
    }
}
