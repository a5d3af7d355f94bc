package import Domain
package import EventLog
package import Features

/// Puts records of a stream's dead topic back into the stream, each once: what was wrong with them has been mended.
package struct DeadReplay: Sendable {
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
    }

    /// Another process puts the records back.
    package struct Held: Error, CustomStringConvertible {
        package let topic: String
        package var description: String { "another process replays the topic \"\(topic)\"" }
    }

    private let stream: StreamDefinition
    private let log: any EventLog
    private let wall: @Sendable () -> EventTime.Milliseconds

    private static let batchRecords = 5_000
    private static let leaseTime: Int64 = 30_000
    private static let replayedKey = "replayed"

    package init(stream: StreamDefinition, log: any EventLog, wall: @escaping @Sendable () -> EventTime.Milliseconds) {
        self.stream = stream
        self.log = log
        self.wall = wall
    }

    private var topic: String { stream.topic + ".dead" }
    private var group: String { "replay-dead/\(stream.name)" }

    /// Records that come while it runs are left for another run: what fails again is not put back for ever.
    package func run(_ choice: Choice) async throws -> Summary {
        var summary = Summary()
        let owner = Lease.ownerName(group)
        for (partition, end) in try await log.endOffsets(topic: topic).enumerated() {
            let lease = try await log.acquire(
                group: group, topic: topic, partition: partition, owner: owner, now: wall(), timeToLive: Self.leaseTime)
            guard let lease else { throw Held(topic: topic) }
            try await replay(partition, until: end, owner, lease, choice, &summary)
            try await log.release(lease)
        }
        return summary
    }

    private func replay(
        _ partition: Int, until end: Int64, _ owner: String, _ lease: Lease, _ choice: Choice, _ summary: inout Summary
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
                let reason = stored.record.header(HeaderName.deadReason).map { String(decoding: $0, as: UTF8.self) } ?? ""
                if let wanted = choice.reason, !reason.contains(wanted) { continue }
                summary.records += 1
                summary.reasons[reason, default: 0] += 1
                replayed.insert(stored.offset)
                records.append(mended(stored.record))
            }
            guard !choice.isDry, !records.isEmpty else { continue }
            let state = LogUnit.StateChange(key: Array(Self.replayedKey.utf8), value: Array(replayed.text.utf8))
            try await log.commit(
                LogUnit(
                    group: group, partition: partition, outputs: [.init(topic: stream.topic, records: records)], state: [state], lease: held
                ))
            held =
                try await log.acquire(
                    group: group, topic: topic, partition: partition, owner: owner, now: wall(), timeToLive: Self.leaseTime) ?? held
        }
    }

    /// As the stream takes it now: key and time by its present definition, come now, and where it came from first.
    private func mended(_ dead: Record) -> Record {
        let dropped = [HeaderName.deadReason, HeaderName.ingestedAt, HeaderName.sourceFault]
        var record = dead
        record.headers.removeAll { dropped.contains($0.name) }
        record.headers.append(Record.Header(HeaderName.ingestedAt, String(wall())))
        guard let value = record.value else { return record }
        var decoder = EventDecoder(stream)
        let event = decoder.event(value, place: "")
        record.key = event.key ?? record.key
        if event.fault == nil, event.time != .min { record.timestamp = event.time }
        return record
    }
}
