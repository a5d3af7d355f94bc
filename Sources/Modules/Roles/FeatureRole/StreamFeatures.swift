package import Domain
package import EventLog
package import FeatureStore
package import Features
import Foundation
package import Logging

/// Runs all partitions of all streams that this process can lease.
package actor StreamFeatures {
    private struct Slot {
        let stream: StreamDefinition
        let partition: Int
        let worker: FeatureWorker
    }

    private let log: any EventLog
    private let logger: Logger
    private let wall: @Sendable () -> EventTime.Milliseconds
    private let owner: String
    private let topics: [String]
    private var slots: [Slot] = []

    /// Milliseconds until the partitions of a process that has stopped answering are free.
    private static let leaseTime: Int64 = 10_000
    private static let renewal = Duration.seconds(3)

    /// - Parameters:
    ///   - compiled: The views of each stream.
    ///   - rebuilds: Whether rows of other definitions are computed again.
    ///   - archive: Where they find the events that the log no longer has.
    ///   - wall: Milliseconds since the epoch; leases of processes go by it, nothing that is computed does.
    package init(
        compiled: [(stream: StreamDefinition, views: CompiledViews)], projectHash: ContentHash, batchRecords: Int, rebuilds: Bool = false,
        log: any EventLog, archive: (StreamDefinition) -> EventArchive?, logger: Logger,
        wall: @escaping @Sendable () -> EventTime.Milliseconds, instance: String
    ) throws {
        self.log = log
        self.logger = logger
        self.wall = wall
        owner = Lease.ownerName(instance)
        topics = compiled.map(\.stream.topic)
        for (stream, views) in compiled {
            for partition in 0..<StreamTopics.partitions {
                let plan = FeatureWorker.Plan(
                    stream: stream, views: views, partition: partition, projectHash: projectHash, batchRecords: batchRecords,
                    rebuilds: rebuilds)
                let worker = try FeatureWorker(plan, log: log, archive: archive(stream), logger: logger)
                slots.append(Slot(stream: stream, partition: partition, worker: worker))
            }
        }
    }

    /// Takes what partitions are free, and renews what this process has.
    /// - Returns: How many it holds now.
    @discardableResult
    package func lease() async throws -> Int {
        var held = 0
        for slot in slots {
            let lease = try await log.acquire(
                group: FeatureWorker.group(slot.stream), topic: slot.stream.topic, partition: slot.partition, owner: owner, now: wall(),
                timeToLive: Self.leaseTime)
            await slot.worker.hold(lease)
            if lease != nil { held += 1 }
        }
        return held
    }

    package func release() async throws {
        for slot in slots {
            if let lease = await slot.worker.lease { try await log.release(lease) }
        }
    }

    /// Processes everything that the streams hold now, some partitions side by side: more would only hold more batches in memory.
    /// - Returns: Records processed.
    @discardableResult
    package func drain() async throws -> Int {
        var held: [FeatureWorker] = []
        for slot in slots where await slot.worker.lease != nil { held.append(slot.worker) }
        // All of them first: a partition whose definitions do not fit, or whose events are missing, is told before others have gone on
        // or given anything up, and a rebuild has begun everywhere before it goes on anywhere, so that whoever continues it need not be
        // asked to.
        for begins in [false, true] {
            _ = try await Self.each(held) { worker in
                try await worker.open(begins: begins)
                return 0
            }
        }
        return try await Self.each(held) { try await $0.drain() }
    }

    private static func each(
        _ workers: [FeatureWorker], _ body: @escaping @Sendable (FeatureWorker) async throws -> Int
    ) async throws -> Int {
        try await withThrowingTaskGroup(of: Int.self) { group in
            var total = 0
            for (index, worker) in workers.enumerated() {
                if index >= width { total += try await group.next() ?? 0 }
                group.addTask { try await body(worker) }
            }
            for try await count in group { total += count }
            return total
        }
    }

    /// One more than there are processors, so that all of them compute while a commit is waited for; each more costs 10 MB on a cluster.
    private static let width = 1 + max(2, ProcessInfo.processInfo.activeProcessorCount)

    /// A line for each stream whose events came too late since the process started.
    package func lateNotes() async -> [String] {
        var counts: [String: Int] = [:]
        for slot in slots { counts[StreamTopics.late(slot.stream), default: 0] += await slot.worker.lateCount }
        return counts.filter { $0.value > 0 }.sorted { $0.key < $1.key }.map { topic, count in
            """
            late: \(count) \(count == 1 ? "record is" : "records are") in \(topic), one for each event and view, and in no window: \
            a file must be in the order of time, or the grace of the view longer
            """
        }
    }

    /// Processes until the task is cancelled; what is in flight is committed first.
    package func run() async throws {
        try await lease()
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await self.renew() }
                group.addTask { try await self.follow() }
                while try await group.next() != nil {}
            }
        } catch is CancellationError {
            // It was told to stop while it waited for records; what it holds is given back all the same.
        }
        // Also when the task has been cancelled: what is given back need not be waited for.
        try await Task { try await self.release() }.value
    }

    /// Renews the leases while a long backlog is worked off, and takes partitions that have become free.
    private func renew() async throws {
        while !Task.isCancelled {
            do { try await Task.sleep(for: Self.renewal) } catch { return }
            _ = try await retrying { try await self.lease() }
        }
    }

    private func follow() async throws {
        while !Task.isCancelled {
            let version = log.version(of: topics)
            let processed = try await retrying { try await self.drain() }
            if processed == 0 { await log.waitForAppend(to: topics, after: version, timeout: .milliseconds(100)) }
        }
    }

    /// What passes by itself does not end the role: a partition that another process has taken over is left to it, and a
    /// busy or full disk is tried again.
    private func retrying(_ body: () async throws -> Int) async throws -> Int {
        do {
            return try await body()
        } catch let error as EventLogError {
            var isFenced = false
            if case .fenced = error.code { isFenced = true }
            guard isFenced || error.isRetriable else { throw error }
            logger.warning("features go on", metadata: ["after": "\(error)"])
            do { try await Task.sleep(for: .milliseconds(500)) } catch { return 0 }
            return isFenced ? try await retrying { try await lease() } : 0
        }
    }
}
