import Domain
import EventLog

/// Puts records that were put aside in a topic back into a stream, each once, whatever is chosen how often.
package struct TopicReplay: Sendable {
    package struct Choice: Sendable {
        /// Only records whose reason contains this.
        package let reason: String?
        package let limit: Int?
        /// Only says what there is.
        package let isDry: Bool

        package init(reason: String?, limit: Int?, isDry: Bool) {
            self.reason = reason
            self.limit = limit
            self.isDry = isDry
        }
    }

    package struct Summary: Sendable, Equatable {
        /// Records chosen; put back unless the run was dry.
        package var records = 0
        /// How many of them for which reason.
        package var reasons: [String: Int] = [:]
        /// Records that an earlier run had put back.
        package var before = 0
        /// Records that cannot be put back: rows of definitions that are gone, or that were not final.
        package var left = 0
    }

    /// Another process puts the records back.
    package struct Held: Error, CustomStringConvertible {
        package let topic: String
        package var description: String { "another process replays the topic \"\(topic)\"" }
    }

    /// A record that is put aside, as somebody chooses it.
    struct Candidate {
        let reason: String
        /// What is sent to the stream.
        let record: Record
    }

    /// Where the records are.
    let topic: String
    /// The topic they go to.
    let target: String
    /// Under which what was put back is remembered.
    let group: String
    /// Whether a record goes to the partition it was put aside from, or to that of its key.
    let keepsPartition: Bool
    let log: any EventLog
    let wall: @Sendable () -> EventTime.Milliseconds

    private static let batchRecords = 5_000
    private static let leaseTime: Int64 = 30_000
    private static let replayedKey = "replayed"

    /// Records that come while it runs are left for another run: what fails again is not put back for ever.
    ///
    /// - Parameter candidate: `nil` for a record that cannot be put back.
    func run(_ choice: Choice, _ candidate: (StoredRecord) async throws -> Candidate?) async throws -> Summary {
        var summary = Summary()
        let owner = Lease.ownerName(group)
        for (partition, end) in try await log.endOffsets(topic: topic).enumerated() {
            let lease = try await log.acquire(
                group: group, topic: topic, partition: partition, owner: owner, now: wall(), timeToLive: Self.leaseTime)
            guard let lease else { throw Held(topic: topic) }
            try await replay(partition, until: end, owner, lease, choice, candidate, &summary)
            try await log.release(lease)
        }
        return summary
    }

    private func replay(
        _ partition: Int, until end: Int64, _ owner: String, _ lease: Lease, _ choice: Choice,
        _ candidate: (StoredRecord) async throws -> Candidate?, _ summary: inout Summary
    ) async throws {
        let saved = try await log.savedState(group: group, partition: partition)[Self.replayedKey]
        var replayed = OffsetRanges(saved.map { String(decoding: $0, as: UTF8.self) } ?? "")
        var at: Int64 = 0, held = lease
        while at < end, summary.records < choice.limit ?? .max {
            let batch = try await log.read(topic: topic, partition: partition, from: at, limit: Self.batchRecords)
            guard batch.nextOffset > at else { return }
            at = batch.nextOffset
            var records: [Record] = []
            for stored in try batch.records() where stored.offset < end && summary.records < choice.limit ?? .max {
                if replayed.contains(stored.offset) {
                    summary.before += 1
                    continue
                }
                guard let found = try await candidate(stored) else {
                    summary.left += 1
                    continue
                }
                if let wanted = choice.reason, !found.reason.contains(wanted) { continue }
                summary.records += 1
                summary.reasons[found.reason, default: 0] += 1
                replayed.insert(stored.offset)
                records.append(found.record)
            }
            guard !choice.isDry, !records.isEmpty else { continue }
            let state = LogUnit.StateChange(key: Array(Self.replayedKey.utf8), value: Array(replayed.text.utf8))
            let output = LogUnit.Output(topic: target, records: records, partition: keepsPartition ? partition : nil)
            try await log.commit(LogUnit(group: group, partition: partition, outputs: [output], state: [state], lease: held))
            held =
                try await log.acquire(
                    group: group, topic: topic, partition: partition, owner: owner, now: wall(), timeToLive: Self.leaseTime) ?? held
        }
    }
}
