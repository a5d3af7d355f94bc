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

/// A set of offsets as the ranges it is made of: `0-5,8-9`.
struct OffsetRanges: Equatable {
    /// Ascending, apart from each other.
    private var ranges: [ClosedRange<Int64>] = []

    init(_ text: String) {
        ranges = text.split(separator: ",").compactMap { part in
            let bounds = part.split(separator: "-").compactMap { Int64($0) }
            return bounds.count == 2 && bounds[0] <= bounds[1] ? bounds[0]...bounds[1] : nil
        }
    }

    var text: String { ranges.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",") }

    func contains(_ offset: Int64) -> Bool {
        let next = firstIndex(behind: offset)
        return next > 0 && ranges[next - 1].contains(offset)
    }

    mutating func insert(_ offset: Int64) {
        let next = firstIndex(behind: offset)
        if next > 0, ranges[next - 1].contains(offset) { return }
        let joinsLeft = next > 0 && ranges[next - 1].upperBound == offset - 1
        let joinsRight = next < ranges.count && ranges[next].lowerBound == offset + 1
        switch (joinsLeft, joinsRight) {
        case (true, true):
            ranges[next - 1] = ranges[next - 1].lowerBound...ranges[next].upperBound
            ranges.remove(at: next)
        case (true, false): ranges[next - 1] = ranges[next - 1].lowerBound...offset
        case (false, true): ranges[next] = offset...ranges[next].upperBound
        case (false, false): ranges.insert(offset...offset, at: next)
        }
    }

    /// The first range that begins behind an offset.
    private func firstIndex(behind offset: Int64) -> Int {
        var low = 0, high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].lowerBound <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
