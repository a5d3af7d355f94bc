import Domain
import Logging
import Synchronization

/// A partition that this process may work on for a group, with the producer that alone can write its units.
final class Holding: Sendable {
    let lease: Lease
    let member: GroupMember
    /// Of the changelog and, with the partition, of the transactional identifier.
    let group: String
    private let options: KafkaOptions
    private let metrics: KafkaMetrics
    private let producer: Mutex<TransactionalProducer>
    private let lost = Atomic(false)
    /// The state as it was last committed; `nil` until somebody has asked for it, and while a unit is in doubt.
    private let image = Mutex<ChangelogImage?>(nil)
    /// Whether a unit may have been written although its commit has failed.
    private let isInDoubt = Atomic(false)
    /// Ends when the steps that were begun so far have ended.
    private let previous = Mutex<Task<Void, Never>?>(nil)

    var identifier: String { "\(group)-\(lease.topic)-\(lease.partition)" }
    var changelog: String { group + ".changelog" }

    init(
        _ lease: Lease, member: GroupMember, group: String, options: KafkaOptions, metrics: KafkaMetrics
    ) throws {
        self.lease = lease
        self.member = member
        self.group = group
        self.options = options
        self.metrics = metrics
        producer = Mutex(
            try TransactionalProducer(options, identifier: "\(group)-\(lease.topic)-\(lease.partition)") { metrics.note(statistics: $0) })
    }

    /// Fences earlier owners and ends what they left open.
    func begin() async throws { try await current.begin() }

    var isLost: Bool { lost.load(ordering: .acquiring) }
    private var current: TransactionalProducer { producer.withLock { $0 } }

    /// What was last committed, as far as it has been read.
    var committed: ChangelogImage? { image.withLock { $0 } }

    /// What was last committed; what a commit has left in doubt is settled first.
    /// - Parameters:
    ///   - read: From wherever it lies, unless it is known.
    ///   - restore: Reads the changelog.
    func saved(
        _ read: @escaping @Sendable () async throws -> ChangelogImage, restore: @escaping @Sendable () async throws -> ChangelogImage
    ) async throws -> ChangelogImage {
        try await inTurn { [self] in
            if let settled = try await settle(restore) { return settled }
            if let known = committed { return known }
            let found = try await read()
            image.withLock { $0 = found }
            return found
        }
    }

    /// Nothing more can be committed; returns, holding the calling thread, when what is being committed is over.
    func lose() {
        lost.store(true, ordering: .sequentiallyConsistent)
        current.waitUntilIdle()
    }

    func close() {
        lost.store(true, ordering: .sequentiallyConsistent)
        current.close()
    }

    /// Writes a unit in one transaction: outputs, changelog, and the group's offsets for lag tools.
    ///
    /// What passes by itself is waited for. When the producer cannot go on, another fences it, and the changelog says whether the unit
    /// has been written: each unit leaves a mark there. After an error that may be unknown; the next call finds it out first, and
    /// whoever goes on goes by ``saved(_:restore:)``.
    /// - Parameters:
    ///   - patience: How long that may take; `nil` for as long as it takes.
    ///   - restore: Reads the changelog.
    func commit(
        _ unit: LogUnit, patience: Duration?, restore: @escaping @Sendable () async throws -> ChangelogImage
    ) async throws {
        try await inTurn { [self] in
            do { try await write(unit, patience, restore) } catch let failure as KafkaFailure {
                guard failure.isFenced else { throw EventLogError(failure, during: "commit of \(unit.group)") }
                lost.store(true, ordering: .sequentiallyConsistent)
                throw fenced(failure)
            }
        }
    }

    private func write(_ unit: LogUnit, _ patience: Duration?, _ restore: () async throws -> ChangelogImage) async throws {
        let mark = Changelog.newMark(of: lease), changes = Changelog.records(of: unit) + [mark]
        let parts =
            unit.outputs.filter { !$0.records.isEmpty }
            .map { TransactionalProducer.Part(topic: $0.topic, partition: $0.partition, records: $0.records) }
            + [TransactionalProducer.Part(topic: changelog, partition: unit.partition, records: changes)]
        let clock = ContinuousClock(), start = clock.now
        var hasSettled = false
        while true {
            guard !isLost else { throw fenced() }
            do {
                if let now = try await settle(restore) {
                    hasSettled = true
                    if now.holds([mark]) { return }
                }
            } catch let failure as KafkaFailure {
                // A service waits until the cluster answers.
                guard patience == nil, failure.isRetriable, !failure.isFenced else { throw failure }
                metrics.note(isReachable: false)
                try await Task.sleep(for: .milliseconds(200))
                continue
            }
            do {
                let last = try await current.commit(parts, offsets: unit.offsets) { [member] in member.metadata() }
                image.withLock { image in
                    image?.apply(changes)
                    image?.position = last + 1
                }
                return
            } catch let failure as KafkaFailure {
                if failure.isRetriable { metrics.note(isReachable: false) }
                if current.isSpent { isInDoubt.store(true, ordering: .sequentiallyConsistent) }
                let isWorthIt = failure.isRetriable || failure.isFatal || failure.requiresAbort
                // A step that has used up the patience leaves time for its outcome to be found out.
                let hasTime = patience.map { clock.now - start < $0 } ?? true || (current.isSpent && !hasSettled)
                guard isWorthIt, !failure.isFenced, hasTime else { throw failure }
                options.logger.warning(
                    "a unit is written again unless it is there",
                    metadata: ["group": "\(unit.group)", "partition": "\(unit.partition)", "after": "\(failure)"])
                // Whether the unit is there, the next owner finds out if this one has to go.
                if current.isSpent { try Task.checkCancellation() } else { try await Task.sleep(for: .milliseconds(200)) }
            }
        }
    }

    /// Finds out from the changelog what has become of a unit whose commit did not end.
    /// - Returns: What is committed now; `nil` when nothing was in doubt.
    private func settle(_ restore: () async throws -> ChangelogImage) async throws -> ChangelogImage? {
        guard isInDoubt.load(ordering: .sequentiallyConsistent) || current.isSpent else { return nil }
        isInDoubt.store(true, ordering: .sequentiallyConsistent)
        image.withLock { $0 = nil }
        // The changelog tells only after the producer's transaction has been ended, one way or the other.
        if current.isSpent { try await replaceProducer() }
        let now = try await restore()
        image.withLock { $0 = now }
        isInDoubt.store(false, ordering: .sequentiallyConsistent)
        return now
    }

    /// One step after another: each finds settled what the one before has left in doubt.
    private func inTurn<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
        let step = previous.withLock { previous in
            let before = previous
            let step = Task {
                _ = await before?.result
                return try await body()
            }
            previous = Task { _ = await step.result }
            return step
        }
        return try await withTaskCancellationHandler {
            try await step.value
        } onCancel: {
            step.cancel()
        }
    }

    private func replaceProducer() async throws {
        let next = try TransactionalProducer(options, identifier: identifier) { [metrics] in metrics.note(statistics: $0) }
        let ended = producer.withLock { current in
            defer { current = next }
            return current
        }
        ended.close()
        // The holding may have been given up meanwhile.
        guard !isLost else {
            next.close()
            throw fenced()
        }
        try await next.begin()
    }

    private func fenced(_ cause: KafkaFailure? = nil) -> EventLogError {
        EventLogError(
            .fenced(group: lease.group, topic: lease.topic, partition: lease.partition), during: "commit of \(lease.group)", cause: cause)
    }
}
