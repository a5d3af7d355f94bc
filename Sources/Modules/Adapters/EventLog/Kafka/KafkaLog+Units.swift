package import Domain
import Foundation
import Logging

extension KafkaLog {
    /// Whether a partition is this process's is for the group to say: `now` and `timeToLive` are not used, the session's
    /// time-out stands in for them.
    package func acquire(
        group: String, topic: String, partition: Int, owner: String, now: EventTime.Milliseconds, timeToLive: Int64
    ) async throws -> Lease? {
        try await answered("lease of \(topic)/\(partition)") {
            let partitions = try await admin.partitions(of: topic)
            guard partition < partitions else { throw EventLogError(.unknownTopic("\(topic)/\(partition)"), during: "lease") }
            let isExclusive = options.isExclusive(group)
            try await ensureChangelog(group, partitions: isExclusive ? 1 : partitions)
            // Members of an exclusive group share the one partition of its changelog: a newcomer takes nothing away.
            let shared = isExclusive ? Changelog.topic(of: group, prefix: options.topicPrefix) : topic
            return try await leases.acquire(group: group, topic: topic, partition: partition, owner: owner, sharing: shared)
        }
    }

    package func release(_ lease: Lease) async throws {
        guard let released = await leases.release(lease), let image = released.committed, let cache else { return }
        do {
            try cache.write(image, group: "\(released.group)-\(lease.topic)", partition: lease.partition)
        } catch {
            options.logger.warning("the copy of the state was not written", metadata: ["group": "\(lease.group)", "error": "\(error)"])
        }
    }

    package func savedState(group: String, partition: Int) async throws -> SavedState {
        try await answered("saved state of \(group)") {
            guard let holding = await leases.holding(group: group, partition: partition) else {
                return try await restore(group, partition).saved
            }
            return try await holding.saved { [self] in
                try await restored(holding)
            } restore: { [self] in
                try await restore(group, partition)
            }.saved
        }
    }

    package func commit(_ unit: LogUnit) async throws {
        try await told("commit of \(unit.group)") {
            if let lease = unit.lease { try await commit(unit, under: lease) } else { try await commitWithoutLease(unit) }
        }
        raise(unit.outputs.lazy.filter { !$0.records.isEmpty }.map(\.topic))
        if let lease = unit.lease { await noteLag(unit, lease) }
    }

    private func commit(_ unit: LogUnit, under lease: Lease) async throws {
        guard let holding = await leases.holding(lease) else {
            let code = EventLogError.Code.fenced(group: lease.group, topic: lease.topic, partition: lease.partition)
            throw EventLogError(code, during: "commit of \(unit.group)")
        }
        try await holding.commit(unit, patience: patience) { [self] in try await restore(unit.group, unit.partition) }
    }

    /// Without a lease there is no one to fence: outputs, then state, then positions, each at least once.
    private func commitWithoutLease(_ unit: LogUnit) async throws {
        for output in unit.outputs { try await append(output.records, to: output.topic, partition: output.partition) }
        if !unit.state.isEmpty {
            try await ensureChangelog(unit.group, partitions: unit.partition + 1)
            var changes = unit
            changes.offsets = []
            try await append(
                Changelog.records(of: changes), to: Changelog.topic(of: unit.group, prefix: options.topicPrefix), partition: unit.partition)
        }
        guard !unit.offsets.isEmpty else { return }
        try await answered("commit of \(unit.group)") { try await groups.commit(group: unit.group, unit.offsets) }
    }

    private func noteLag(_ unit: LogUnit, _ lease: Lease) async {
        for position in unit.offsets {
            guard let end = knownEnd(topic: position.topic, partition: position.partition) else { continue }
            metrics.note(lag: max(0, end - position.next), group: unit.group, topic: position.topic, partition: position.partition)
        }
    }

    private func ensureChangelog(_ group: String, partitions: Int) async throws {
        let topic = Changelog.topic(of: group, prefix: options.topicPrefix)
        if let found = try? await admin.partitions(of: topic) {
            guard found >= partitions else {
                throw EventLogError(
                    .topicMismatch(
                        topic: topic, found: "\(found) partitions", wanted: "\(partitions), as many as its input; add partitions to it"),
                    during: "open state of \(group)")
            }
            return
        }
        try await admin.createTopics([TopicPlan(name: topic, partitions: partitions, isCompacted: true)], options: options)
    }

    // MARK: - Restoring

    private var cache: StateCache? { options.cacheDirectory.map { StateCache(directory: $0, stamp: cluster) } }

    /// From the local copy when nothing was written after it, else from the changelog, with the time that takes.
    private func restored(_ holding: Holding) async throws -> ChangelogImage {
        let lease = holding.lease, name = "\(holding.group)-\(lease.topic)"
        if let cache {
            defer { cache.remove(group: name, partition: lease.partition) }
            do {
                if let copy = try cache.read(group: name, partition: lease.partition) {
                    if try await isCurrent(copy, of: holding.changelog, lease.partition) { return copy }
                    options.logger.info(
                        "the local copy of the state is old: it is read from the changelog",
                        metadata: ["group": "\(lease.group)", "partition": "\(lease.partition)"])
                }
            } catch let unusable as StateCache.Unusable {
                options.logger.warning(
                    "the local copy of the state is discarded: it is read from the changelog",
                    metadata: ["group": "\(lease.group)", "partition": "\(lease.partition)", "reason": "\(unusable)"])
            }
        }
        return try await restore(lease.group, lease.partition)
    }

    /// Whether the changelog has no record after the copy was made.
    private func isCurrent(_ copy: ChangelogImage, of topic: String, _ partition: Int) async throws -> Bool {
        let end = try await endOffset(topic: topic, partition: partition)
        guard copy.position <= end else { return false }
        if copy.position == end { return true }
        return try await read(topic: topic, partition: partition, from: copy.position, limit: 1).isEmpty
    }

    /// Reads a partition of the changelog from its beginning to its end.
    private func restore(_ group: String, _ partition: Int) async throws -> ChangelogImage {
        let topic = Changelog.topic(of: group, prefix: options.topicPrefix)
        do { _ = try await admin.partitions(of: topic) } catch let error as EventLogError {
            if case .unknownTopic = error.code { return ChangelogImage() }
            throw error
        }
        let clock = ContinuousClock(), start = clock.now
        var image = ChangelogImage(), records = 0
        let range = try await admin.offsets(topic: topic, partition: partition)
        _ = try await endOffset(topic: topic, partition: partition)
        image.position = range.lowerBound
        while image.position < range.upperBound {
            let batch = try await read(topic: topic, partition: partition, from: image.position, limit: 10_000)
            guard batch.nextOffset > image.position else { break }
            try image.apply(batch)
            records += batch.count
        }
        let time = clock.now - start
        metrics.note(restore: time, entries: image.entries.count, group: group, partition: partition)
        options.logger.info(
            "state restored from the changelog",
            metadata: [
                "group": "\(group)", "partition": "\(partition)", "entries": "\(image.entries.count)", "records": "\(records)",
                "seconds": "\(String(format: "%.3f", time.seconds))",
            ])
        return image
    }
}
