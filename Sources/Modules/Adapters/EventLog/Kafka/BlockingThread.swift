import Foundation
import Synchronization

/// A thread for calls that block, so that none of them ever holds a thread of the cooperative pool.
///
/// Jobs run one after another in the order they were given. Between them `idle` runs, which may block for a moment;
/// without it the thread sleeps until there is a job.
final class BlockingThread: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var isStopped = false
    }

    /// What the thread works off; it outlives the owner by the jobs that were given.
    private final class Work: Sendable {
        let state = Mutex(State())
        let wake = DispatchSemaphore(value: 0)

        func take() -> (jobs: [@Sendable () -> Void], isStopped: Bool) {
            state.withLock { state in
                defer { state.jobs = [] }
                return (state.jobs, state.isStopped)
            }
        }
    }

    private let work = Work()
    private let hasIdle: Bool

    init(_ name: String, idle: (@Sendable () -> Void)? = nil) {
        hasIdle = idle != nil
        let work = work
        let thread = Thread {
            while true {
                let (jobs, isStopped) = work.take()
                for job in jobs { job() }
                if isStopped { return }
                if let idle { idle() } else { work.wake.wait() }
            }
        }
        thread.name = name
        thread.start()
    }

    deinit { stop() }

    /// Runs `body` on the thread and waits for its outcome without holding a thread.
    /// - Throws: `CancellationError` when the thread has been stopped.
    func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            if !enqueue({ continuation.resume(with: Result { try body() }) }) { continuation.resume(throwing: CancellationError()) }
        }
    }

    /// - Returns: Whether the thread still takes jobs.
    @discardableResult
    func enqueue(_ job: @escaping @Sendable () -> Void) -> Bool {
        let isTaken = work.state.withLock { state in
            if !state.isStopped { state.jobs.append(job) }
            return !state.isStopped
        }
        if isTaken, !hasIdle { work.wake.signal() }
        return isTaken
    }

    /// Waits, holding the calling thread, until the jobs given so far are done; for threads that may block.
    func waitForJobs(timeout: Duration) {
        let done = DispatchSemaphore(value: 0)
        if enqueue({ done.signal() }) { _ = done.wait(timeout: .now() + timeout.seconds) }
    }

    /// Runs `last` after the jobs given so far, then ends the thread.
    func stop(_ last: @escaping @Sendable () -> Void = {}) {
        work.state.withLock { state in
            guard !state.isStopped else { return }
            state.jobs.append(last)
            state.isStopped = true
        }
        work.wake.signal()
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
    /// For the C library's time-outs; at least one millisecond.
    var wholeMilliseconds: Int32 { Int32(clamping: max(1, Int64(seconds * 1_000))) }
}
