import Domain
import Logging
import Synchronization

/// The groups that this process is a member of, and the partitions it holds in them.
actor LeaseBook {
    private struct MemberKey: Hashable {
        let group: String
        let topic: String
        let owner: String
    }

    private struct Membership {
        let member: GroupMember
        let open: OpenHoldings
        let since = ContinuousClock.now
        /// Whether it is settled that there is work for this process.
        var isNeeded = false
    }

    private struct Key: Hashable {
        let member: MemberKey
        let partition: Int
    }

    private let options: KafkaOptions
    private let admin: KafkaAdmin
    private let metrics: KafkaMetrics
    private var members: [MemberKey: Membership] = [:]
    private var holdings: [Key: Holding] = [:]
    private var opening: [Key: Task<Holding, any Error>] = [:]
    private var epoch: Int64 = 0

    init(_ options: KafkaOptions, admin: KafkaAdmin, metrics: KafkaMetrics) {
        self.options = options
        self.admin = admin
        self.metrics = metrics
    }

    /// See ``EventLog/acquire(group:topic:partition:owner:now:timeToLive:)``. The group decides; the first question waits for
    /// its answer.
    /// - Parameter shared: The topic whose partitions the group shares out.
    func acquire(group: String, topic: String, partition: Int, owner: String, sharing shared: String) async throws -> Lease? {
        let memberKey = MemberKey(group: group, topic: topic, owner: owner)
        let membership = try membership(memberKey, shared), key = Key(member: memberKey, partition: partition)
        let member = membership.member
        let assigned = await member.assigned()
        guard assigned.contains(partition) else {
            if member.mayKeep, let holding = holdings[key], !holding.isLost, holding.member === member { return holding.lease }
            drop(key)
            if assigned.isEmpty, !options.isExclusive(group) { try await checkNeed(memberKey, partitionsOf: shared) }
            return nil
        }
        members[memberKey]?.isNeeded = true
        if let holding = holdings[key], !holding.isLost, holding.member === member { return holding.lease }
        drop(key)
        let task: Task<Holding, any Error>
        if let known = opening[key] {
            task = known
        } else {
            epoch += 1
            let lease = Lease(group: group, topic: topic, partition: partition, owner: owner, epoch: epoch)
            task = Task { [options, metrics] in
                let holding = try Holding(
                    lease, member: member, group: Changelog.identifier(of: group, prefix: options.topicPrefix), options: options,
                    metrics: metrics)
                do { try await holding.begin() } catch {
                    holding.close()
                    throw error
                }
                return holding
            }
            opening[key] = task
        }
        defer { opening[key] = nil }
        // Whoever else waits for it asks again.
        let holding = try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
        membership.open.add(holding)
        holdings[key] = holding
        // It may have gone while the earlier owner was being fenced.
        guard member.has(partition), members[memberKey]?.member === member else {
            drop(key)
            return nil
        }
        return holding.lease
    }

    /// Refuses to be one process more than there are partitions: it would never have anything to do.
    ///
    /// Processes that were killed count as members until their session ends, so the answer is not taken before.
    private func checkNeed(_ key: MemberKey, partitionsOf topic: String) async throws {
        guard let membership = members[key], !membership.isNeeded, ContinuousClock.now - membership.since > options.sessionTimeout * 2
        else { return }
        members[key]?.isNeeded = true
        let partitions = try await admin.partitions(of: topic)
        guard let count = await admin.members(of: Changelog.identifier(of: key.group, prefix: options.topicPrefix)), count > partitions
        else { return }
        throw EventLogError(
            .tooManyProcesses(group: key.group, topic: topic, processes: count, partitions: partitions), during: "join \(key.group)")
    }

    /// - Returns: `nil` when the lease is no longer held.
    func holding(_ lease: Lease) -> Holding? {
        let key = Key(member: MemberKey(group: lease.group, topic: lease.topic, owner: lease.owner), partition: lease.partition)
        return holdings[key].flatMap { $0.lease == lease && !$0.isLost ? $0 : nil }
    }

    /// The partition that a group works on in this process.
    func holding(group: String, partition: Int) -> Holding? {
        holdings.values.first { $0.lease.group == group && $0.lease.partition == partition && !$0.isLost }
    }

    /// - Returns: What was released, to be put away; with the last partition this process leaves the group.
    func release(_ lease: Lease) async -> Holding? {
        let memberKey = MemberKey(group: lease.group, topic: lease.topic, owner: lease.owner)
        let released = holdings.removeValue(forKey: Key(member: memberKey, partition: lease.partition))
        released?.close()
        if !holdings.keys.contains(where: { $0.member == memberKey }), let member = members.removeValue(forKey: memberKey) {
            await member.member.leave()
        }
        return released.flatMap { $0.lease == lease ? $0 : nil }
    }

    func close() async {
        for holding in holdings.values { holding.close() }
        holdings = [:]
        for membership in members.values { await membership.member.leave() }
        members = [:]
    }

    private func membership(_ key: MemberKey, _ shared: String) throws -> Membership {
        if let known = members[key] { return known }
        let open = OpenHoldings()
        let member = try GroupMember(
            options, group: Changelog.identifier(of: key.group, prefix: options.topicPrefix), topic: shared,
            isExclusive: options.isExclusive(key.group), onRevoke: { open.lose($0) })
        let membership = Membership(member: member, open: open)
        members[key] = membership
        return membership
    }

    private func drop(_ key: Key) {
        guard let holding = holdings.removeValue(forKey: key) else { return }
        members[key.member]?.open.remove(holding)
        holding.close()
    }
}

/// What a member holds, as its own thread must know it to give partitions up.
private final class OpenHoldings: Sendable {
    private let holdings = Mutex<[Int: Holding]>([:])

    func add(_ holding: Holding) { holdings.withLock { $0[holding.lease.partition] = holding } }

    func remove(_ holding: Holding) {
        holdings.withLock { if $0[holding.lease.partition] === holding { $0[holding.lease.partition] = nil } }
    }

    /// Holds the calling thread until what is being committed is over.
    func lose(_ partitions: Set<Int>) {
        let lost = holdings.withLock { holdings in partitions.compactMap { holdings.removeValue(forKey: $0) } }
        for holding in lost { holding.lose() }
    }
}
