import CRDKafka
import Logging
import Synchronization

/// This process as a member of a consumer group: which partitions of a topic it may work on, and nothing else.
///
/// It never fetches: assigned partitions are paused. Partitions move cooperatively: a member keeps what it need not give.
final class GroupMember: Sendable {
    private struct State {
        var assigned: Set<Int> = []
        /// Whether the group has told this member anything yet.
        var isSettled = false
        /// Whether the group has been out of reach for so long that it may have given this member's partitions to others.
        var isOutOfReach = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let handle: KafkaHandle
    private let thread: BlockingThread
    private let shared: Shared
    private let patience: Duration

    /// What the library's callback and the callers share.
    private final class Shared: Sendable {
        let state = Mutex(State())
        let onRevoke: @Sendable (Set<Int>) -> Void
        let isExclusive: Bool
        let logger: Logger
        let name: String

        init(name: String, isExclusive: Bool, logger: Logger, onRevoke: @escaping @Sendable (Set<Int>) -> Void) {
            self.name = name
            self.isExclusive = isExclusive
            self.logger = logger
            self.onRevoke = onRevoke
        }

        func rebalance(_ handle: OpaquePointer, isAssignment: Bool, _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) {
            let count = Int(list.pointee.cnt)
            let partitions = Set((0..<count).map { Int(list.pointee.elems[$0].partition) })
            if isAssignment {
                for index in 0..<count { list.pointee.elems[index].offset = Int64(RD_KAFKA_OFFSET_END) }
                check(KafkaFailure(consuming: rd_kafka_incremental_assign(handle, list)))
                rd_kafka_pause_partitions(handle, list)
                state.withLock { state in
                    state.assigned.formUnion(partitions)
                    state.isOutOfReach = false
                }
            } else {
                let isOutOfReach = rd_kafka_assignment_lost(handle) != 0
                state.withLock { state in
                    state.assigned.subtract(partitions)
                    state.isOutOfReach = isOutOfReach
                }
                // The next owner must find finished work: what is being committed is waited for before the partition goes.
                // Of an exclusive group hardly anybody has taken over; who has fences this one's producer.
                if !(isOutOfReach && isExclusive) { onRevoke(partitions) }
                check(KafkaFailure(consuming: rd_kafka_incremental_unassign(handle, list)))
            }
            settle()
            guard !partitions.isEmpty else { return }
            logger.info(
                isAssignment ? "partitions assigned" : "partitions given up",
                metadata: ["group": "\(name)", "partitions": "\(partitions.sorted().map(String.init).joined(separator: " "))"])
        }

        func settle() {
            let waiters = state.withLock { state in
                state.isSettled = true
                defer { state.waiters = [] }
                return state.waiters
            }
            for waiter in waiters { waiter.resume() }
        }

        private func check(_ failure: KafkaFailure?) {
            guard let failure else { return }
            logger.warning("the group's assignment was not taken", metadata: ["group": "\(name)", "error": "\(failure)"])
        }
    }

    /// - Parameters:
    ///   - isExclusive: Whether one member does all the work, see ``KafkaOptions/exclusiveGroups``.
    ///   - onRevoke: Called on a thread of this member, which it may hold for a while, before partitions go.
    init(_ options: KafkaOptions, group: String, topic: String, isExclusive: Bool, onRevoke: @escaping @Sendable (Set<Int>) -> Void) throws
    {
        let session = Int(options.sessionTimeout.wholeMilliseconds)
        let properties = KafkaProperties(options).with([
            ("group.id", group), ("partition.assignment.strategy", "cooperative-sticky"), ("enable.auto.commit", "false"),
            ("session.timeout.ms", "\(session)"), ("heartbeat.interval.ms", "\(max(500, session / 4))"),
            ("max.poll.interval.ms", "\(max(300_000, session))"), ("allow.auto.create.topics", "false"),
            ("queued.max.messages.kbytes", "1"), ("statistics.interval.ms", "0"),
        ])
        let shared = Shared(name: group, isExclusive: isExclusive, logger: options.logger, onRevoke: onRevoke)
        let handle = try KafkaHandle(
            .consumer, properties, logger: options.logger,
            callbacks: .init(rebalance: { shared.rebalance($0, isAssignment: $1, $2) }))
        rd_kafka_poll_set_consumer(handle.pointer)
        let list = PartitionList([LogUnit.Position(topic: topic, partition: Int(RD_KAFKA_PARTITION_UA), next: 0)])
        let code = rd_kafka_subscribe(handle.pointer, list.pointer)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            handle.close()
            throw KafkaFailure(code, "joining \(group)")
        }
        self.handle = handle
        self.shared = shared
        // A group waits a few seconds for its first members, and a session's time for members that have vanished.
        patience = options.sessionTimeout + .seconds(10)
        thread = BlockingThread("kafka-group") {
            if let message = rd_kafka_consumer_poll(handle.pointer, 100) { rd_kafka_message_destroy(message) }
        }
    }

    /// The partitions that this member has now; waits until the group has assigned some, or decided that it gets none.
    func assigned() async -> Set<Int> {
        let alarm = Task { [shared, patience] in
            try? await Task.sleep(for: patience)
            if !Task.isCancelled { shared.settle() }
        }
        await withCheckedContinuation { continuation in
            let isSettled = shared.state.withLock { state in
                if !state.isSettled { state.waiters.append(continuation) }
                return state.isSettled
            }
            if isSettled { continuation.resume() }
        }
        alarm.cancel()
        return shared.state.withLock { $0.assigned }
    }

    /// Whether what this member had is still its own as far as anybody has told it.
    var mayKeep: Bool { shared.state.withLock { $0.isOutOfReach } }

    func has(_ partition: Int) -> Bool { shared.state.withLock { $0.assigned.contains(partition) } }

    /// Who this member is in which generation of the group; the caller frees it.
    func metadata() -> OpaquePointer? { rd_kafka_consumer_group_metadata(handle.pointer) }

    /// Leaves the group, so that others take the partitions at once.
    func leave() async {
        let handle = handle, shared = shared
        await withCheckedContinuation { continuation in
            thread.stop {
                rd_kafka_consumer_close(handle.pointer)
                handle.close()
                shared.settle()
                continuation.resume()
            }
        }
    }
}
