import Synchronization

/// A thread for questions to a cluster, one after another; each blocks until it is answered or its time is over.
///
/// A time-out of the library ends the wait for an answer only where somebody has taken the question: one that waits for a
/// connection may take a minute. So who is cancelled waits a moment and no longer, and while nobody answers, questions are not
/// begun that nobody waits for.
final class QuestionThread: Sendable {
    /// What a question has led to, for the one who asks.
    private final class Answer<T: Sendable>: Sendable {
        private struct State {
            var continuation: CheckedContinuation<T, any Error>?
            var isCancelled = false
        }

        private let state = Mutex(State())

        var isCancelled: Bool { state.withLock { $0.isCancelled } }

        func wait(_ continuation: CheckedContinuation<T, any Error>) { state.withLock { $0.continuation = continuation } }

        /// The first result counts.
        func resume(_ result: Result<T, any Error>) {
            state.withLock { state in
                defer { state.continuation = nil }
                return state.continuation
            }?.resume(with: result)
        }

        /// Who asks goes on after a moment, answered or not.
        func cancel() {
            state.withLock { $0.isCancelled = true }
            Task {
                try? await Task.sleep(for: .seconds(1))
                resume(.failure(CancellationError()))
            }
        }
    }

    private let thread: BlockingThread
    /// Whether the last question met nobody who answers.
    private let isAway = Atomic(false)

    init(_ name: String) { thread = BlockingThread(name) }

    /// - Throws: What the body throws; `CancellationError` for a question that was given up.
    func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        let answer = Answer<T>()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                answer.wait(continuation)
                let isTaken = thread.enqueue { [self] in
                    guard !answer.isCancelled || !isAway.load(ordering: .acquiring) else {
                        return answer.resume(.failure(CancellationError()))
                    }
                    answer.resume(ask(body))
                }
                if !isTaken { answer.resume(.failure(CancellationError())) }
            }
        } onCancel: {
            answer.cancel()
        }
    }

    private func ask<T>(_ body: () throws -> T) -> Result<T, any Error> {
        let result = Result { try body() }
        if case .failure(let error) = result {
            isAway.store((error as? KafkaFailure)?.isRetriable ?? false, ordering: .releasing)
        } else {
            isAway.store(false, ordering: .releasing)
        }
        return result
    }

    /// Runs `last` after the questions asked so far, then ends the thread.
    func stop(_ last: @escaping @Sendable () -> Void) { thread.stop(last) }
}
