import Synchronization

/// Cancels what takes too long, with one timer for everything that runs and not one each.
///
/// A sleep that is cancelled stays in the scheduler until its time: one for every request would hold memory for as long as
/// a request may take, which under load is most of a process.
final class Deadlines: Sendable {
    /// For what this process asks of others.
    static let outgoing = Deadlines()

    private typealias Instant = ContinuousClock.Instant

    private struct Entry {
        let deadline: Instant
        let cancel: @Sendable () -> Void
    }

    private struct State {
        var running: [UInt64: Entry] = [:]
        var nextTicket: UInt64 = 0
        var timer: (wake: Instant, task: Task<Void, Never>)?
        var timersStarted = 0
    }

    private let state = Mutex(State())

    /// How many bodies run now, and how many timers there have been so far.
    var counts: (running: Int, timersStarted: Int) { state.withLock { ($0.running.count, $0.timersStarted) } }

    /// Runs a body to its end, and cancels it when it takes longer than `timeout`.
    /// - Returns: `nil` when it took longer, whatever it made of the cancellation.
    func run<Value: Sendable>(within timeout: Duration, _ body: @escaping @Sendable () async throws -> Value) async throws -> Value? {
        // Begins at once, here: a body that never waits costs no change of thread.
        let task = Task.immediate { try await body() }
        let ticket = start(Entry(deadline: .now + timeout) { task.cancel() })
        let result = await withTaskCancellationHandler {
            await task.result
        } onCancel: {
            task.cancel()
        }
        let isInTime = state.withLock { $0.running.removeValue(forKey: ticket) != nil }
        return isInTime ? try result.get() : nil
    }

    private func start(_ entry: Entry) -> UInt64 {
        state.withLock { state in
            state.nextTicket += 1
            state.running[state.nextTicket] = entry
            arm(&state, for: entry.deadline)
            return state.nextTicket
        }
    }

    /// Only an earlier deadline than the timer's needs another timer; the sweep finds the later ones.
    private func arm(_ state: inout State, for deadline: Instant) {
        if let timer = state.timer, timer.wake <= deadline { return }
        state.timer?.task.cancel()
        state.timersStarted += 1
        let task = Task { [weak self] in
            guard (try? await Task.sleep(until: deadline, clock: .continuous)) != nil else { return }
            self?.sweep()
        }
        state.timer = (deadline, task)
    }

    private func sweep() {
        let now = Instant.now
        let due = state.withLock { state in
            if let timer = state.timer, timer.wake <= now { state.timer = nil }
            let due = state.running.filter { $1.deadline <= now }
            for ticket in due.keys { state.running[ticket] = nil }
            if let next = state.running.values.lazy.map(\.deadline).min() { arm(&state, for: next) }
            return due
        }
        for entry in due.values { entry.cancel() }
    }
}
