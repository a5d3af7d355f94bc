import Domain
import EventLog
import Synchronization
import TestLogs

/// A log in which something happens between two of a reader's questions: once, before the first answer to where a group stands.
final class InterruptedLog: ForwardingLog {
    let inner: any EventLog
    private let meanwhile: Mutex<(@Sendable () async throws -> Void)?>

    init(_ log: any EventLog, meanwhile: @escaping @Sendable () async throws -> Void) {
        inner = log
        self.meanwhile = Mutex(meanwhile)
    }

    func committed(group: String, topic: String, partition: Int) async throws -> Int64 {
        let action = meanwhile.withLock { action in
            defer { action = nil }
            return action
        }
        try await action?()
        return try await inner.committed(group: group, topic: topic, partition: partition)
    }
}
