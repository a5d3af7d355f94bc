package import Logging
import ServiceLifecycle

/// The `produce` role: every source of the project into its stream.
package struct ProduceRole: Service {
    package let producers: [Producer]
    private let logger: Logger

    package init(producers: [Producer], logger: Logger) {
        self.producers = producers
        self.logger = logger
    }

    /// Returns when all finite sources have ended; an endless one goes on until the service shuts down.
    package func run() async throws {
        try await cancelWhenGracefulShutdown {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for producer in producers {
                    group.addTask {
                        if try await producer.feed() { try await producer.finish() }
                        try await producer.release()
                    }
                }
                while try await group.next() != nil {}
            }
        }
    }
}
