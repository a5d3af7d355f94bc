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
    private let statistics: @Sendable (String) -> Void
    private let producer: Mutex<TransactionalProducer>
    private let lost = Atomic(false)
    /// The state as it was last committed; `nil` until somebody has asked for it.
    private let image = Mutex<ChangelogImage?>(nil)

    var identifier: String { "\(group)-\(lease.topic)-\(lease.partition)" }
    var changelog: String { group + ".changelog" }

    init(
        _ lease: Lease, member: GroupMember, group: String, options: KafkaOptions, statistics: @escaping @Sendable (String) -> Void
    ) throws {
        self.lease = lease
        self.member = member
        self.group = group
        self.options = options
        self.statistics = statistics
        producer = Mutex(
            try TransactionalProducer(options, identifier: "\(group)-\(lease.topic)-\(lease.partition)", statistics: statistics))
    }

    /// Fences earlier owners and ends what they left open.
    func begin() async throws { try await current.begin() }

    var isLost: Bool { lost.load(ordering: .acquiring) }
    private var current: TransactionalProducer { producer.withLock { $0 } }

    /// What was last committed, as far as it has been read.
    var committed: ChangelogImage? { image.withLock { $0 } }
    func remember(_ read: ChangelogImage) { image.withLock { $0 = read } }

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
    /// What passes by itself is waited for; after a fatal error a new producer goes on, once it is known from the changelog
    /// whether the unit has been written.
    /// - Parameter restore: Reads the changelog.
    func commit(_ unit: LogUnit, patience: Duration, restore: @Sendable () async throws -> ChangelogImage) async throws {
        let changes = Changelog.records(of: unit)
        let parts =
            unit.outputs.filter { !$0.records.isEmpty }
            .map { TransactionalProducer.Part(topic: $0.topic, partition: $0.partition, records: $0.records) }
            + [TransactionalProducer.Part(topic: changelog, partition: unit.partition, records: changes)]
        let clock = ContinuousClock(), start = clock.now
        while true {
            guard !isLost else { throw fenced() }
            do {
                let last = try await current.commit(parts, offsets: unit.offsets) { [member] in member.metadata() }
                image.withLock { image in
                    image?.apply(changes)
                    image?.position = last + 1
                }
                return
            } catch let failure as KafkaFailure {
                if failure.isFenced {
                    lost.store(true, ordering: .sequentiallyConsistent)
                    throw fenced(failure)
                }
                guard failure.isRetriable || failure.isFatal || failure.requiresAbort, clock.now - start < patience else {
                    throw EventLogError(failure, during: "commit of \(unit.group)")
                }
                options.logger.warning(
                    "a unit is written again",
                    metadata: ["group": "\(unit.group)", "partition": "\(unit.partition)", "after": "\(failure)"])
                if failure.isFatal {
                    try await replaceProducer()
                    // The transaction that failed may have been committed all the same.
                    let now = try await restore()
                    image.withLock { if $0 != nil { $0 = now } }
                    if !changes.isEmpty, now.holds(changes) { return }
                } else {
                    try await Task.sleep(for: .milliseconds(200))
                }
            }
        }
    }

    private func replaceProducer() async throws {
        let next = try TransactionalProducer(options, identifier: identifier, statistics: statistics)
        let ended = producer.withLock { current in
            defer { current = next }
            return current
        }
        ended.close()
        do { try await next.begin() } catch let failure as KafkaFailure {
            throw EventLogError(failure, during: "begin anew as \(identifier)")
        }
    }

    private func fenced(_ cause: KafkaFailure? = nil) -> EventLogError {
        EventLogError(
            .fenced(group: lease.group, topic: lease.topic, partition: lease.partition), during: "commit of \(lease.group)", cause: cause)
    }
}
