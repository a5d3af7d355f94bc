import Foundation
import Synchronization

/// One look-up of a name on a thread of its own, which whoever waits may give up.
///
/// The system's look-up cannot be ended: its thread goes on until the resolver's own time-outs, in nobody's way.
final class NameLookup: Sendable {
    typealias Answer = Result<String, PublicAddress.Refused>

    private enum State {
        case begun
        case waiting(CheckedContinuation<Answer, Never>)
        case over(Answer)
    }

    private let state = Mutex(State.begun)

    /// Look-ups that go on at a time, given up or not; what asks for more is refused.
    private static let maxThreads = 200
    private static let threads = Mutex(0)

    /// - Parameter body: May block.
    func run(_ body: @escaping @Sendable () -> Answer) async -> Answer {
        let isRoom = Self.threads.withLock { count in
            guard count < Self.maxThreads else { return false }
            count += 1
            return true
        }
        guard isRoom else {
            return .failure(.init(description: "\(Self.maxThreads) other names are being looked up already"))
        }
        Thread.detachNewThread {
            self.finish(body())
            Self.threads.withLock { $0 -= 1 }
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let known: Answer? = state.withLock { state in
                    if case .over(let answer) = state { return answer }
                    state = .waiting(continuation)
                    return nil
                }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            finish(.failure(.init(description: "the look-up was given up")))
        }
    }

    private func finish(_ answer: Answer) {
        let waiting: CheckedContinuation<Answer, Never>? = state.withLock { state in
            defer { if case .over = state {} else { state = .over(answer) } }
            guard case .waiting(let continuation) = state else { return nil }
            return continuation
        }
        waiting?.resume(returning: answer)
    }
}
