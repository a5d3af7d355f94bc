package import Logging
import ServiceLifecycle

/// One source on its way into its stream.
package protocol Sending: Sendable {
    /// Returns when the source has ended; one without end goes on until the task is cancelled.
    func run() async throws
}

/// The `produce` role: every source of the project into its stream.
package struct ProduceRole: Service {
    package let senders: [any Sending]
    private let logger: Logger

    package init(senders: [any Sending], logger: Logger) {
        self.senders = senders
        self.logger = logger
    }

    /// Returns when all finite sources have ended; an endless one goes on until the service shuts down.
    package func run() async throws {
        try await cancelWhenGracefulShutdown {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for sender in senders { group.addTask { try await sender.run() } }
                while try await group.next() != nil {}
            }
        }
    }
}
