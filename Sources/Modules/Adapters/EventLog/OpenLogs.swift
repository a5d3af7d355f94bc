import CRDKafka
import Synchronization

/// The logs that a command has opened, to be closed when it ends.
///
/// A process must not end under the threads of a library: they go on while what they use is torn down.
package final class OpenLogs: Sendable {
    @TaskLocal static var current: OpenLogs?

    private let logs = Mutex<[any EventLog]>([])

    func add(_ log: any EventLog) { logs.withLock { $0.append(log) } }

    /// Runs `body`, and closes the logs that it has opened by their URL.
    /// - Parameter patience: How long closing may take: a cluster that does not answer keeps nobody from ending.
    package static func closing(within patience: Duration = .seconds(5), _ body: () async throws -> Void) async throws {
        let opened = OpenLogs()
        do { try await $current.withValue(opened, operation: body) } catch {
            await opened.close(patience)
            throw error
        }
        await opened.close(patience)
    }

    private func close(_ patience: Duration) async {
        let all = logs.withLock { logs in
            defer { logs = [] }
            return logs
        }
        guard all.contains(where: { $0 is KafkaLog }) else {
            for log in all { await log.close() }
            return
        }
        let (ends, end) = AsyncStream<Void>.makeStream()
        let closing = Task {
            for log in all { await log.close() }
            let thread = BlockingThread("kafka-end")
            // The handles end on threads of their own.
            _ = try? await thread.run { rd_kafka_wait_destroyed(patience.wholeMilliseconds) }
            end.finish()
        }
        let alarm = Task {
            try? await Task.sleep(for: patience)
            end.finish()
        }
        for await _ in ends {}
        closing.cancel()
        alarm.cancel()
    }
}
