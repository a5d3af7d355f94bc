import Domain
package import EventLog
package import FeatureStore
package import Features

/// The events of one partition of a stream from its first: from the archive what the log no longer has, the rest from the log.
package actor EventHistory {
    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        /// Neither the archive nor the log has the events from one offset up to another.
        case incomplete(topic: String, partition: Int, from: Int64, to: Int64)

        package var description: String {
            switch self {
            case .incomplete(let topic, let partition, let from, let to):
                "events \(from) to \(to - 1) of \(topic)/\(partition) are neither in the archive nor in the log: a feature depends on its "
                    + "entity's first event; set features.archive_events before the log drops events"
            }
        }
    }

    /// A part of the entities: those whose key falls on `index` of `count`.
    package struct Shard: Sendable, Hashable, CustomStringConvertible {
        package let index: Int
        package let count: Int

        package init?(index: Int, count: Int) {
            guard count >= 1, (0..<count).contains(index) else { return nil }
            self.index = index
            self.count = count
        }

        package static let all = Shard(whole: ())
        private init(whole: Void) { (index, count) = (0, 1) }

        package var description: String { "\(index)of\(count)" }

        /// Independent of the partition that the same hash chooses.
        func contains(_ key: [UInt8]?, partitions: Int) -> Bool {
            count == 1 || Murmur2.partition(of: key ?? [], among: partitions * count) / partitions == index
        }
    }

    private let stream: StreamDefinition
    private let partition: Int
    private let shard: Shard
    private let log: any EventLog
    private let archive: EventArchive?
    private var files: [ArchiveFile] = []
    /// Up to where the log has removed its records.
    private var removedUntil: Int64 = 0
    /// Up to where ``files`` are known to hold all that the archive has taken.
    private var archivedUntil: Int64 = 0
    /// What the log had removed before the archive could take it.
    private var gaps: [Range<Int64>] = []

    package init(stream: StreamDefinition, partition: Int, shard: Shard = .all, log: any EventLog, archive: EventArchive?) {
        self.stream = stream
        self.partition = partition
        self.shard = shard
        self.log = log
        self.archive = archive
    }

    /// Finds out whether all events before `end` are there.
    /// - Throws: ``Error/incomplete(topic:partition:from:to:)`` with the first that are not.
    func check(until end: Int64) async throws {
        let removed = min(try await log.firstOffset(topic: stream.topic, partition: partition), end)
        guard removed > 0 else { return }
        let archived = min(try await archive?.position(partition: partition) ?? 0, removed)
        let gap = try await archive?.gaps(partition: partition).first { $0.lowerBound < removed } ?? archived..<removed
        if !gap.isEmpty { throw Error.incomplete(topic: stream.topic, partition: partition, from: gap.lowerBound, to: gap.upperBound) }
    }

    /// The next records from `from` on and before `end`, about `limit` of them; none when there is none left.
    package func next(from: Int64, end: Int64, limit: Int) async throws -> RecordBatch {
        var at = from
        while at < end {
            let batch = try await read(from: at, end: end, limit: limit)
            if !batch.isEmpty { return batch }
            // Nothing of this part concerns the reader.
            guard batch.nextOffset > at else { break }
            at = batch.nextOffset
        }
        return RecordBatch(topic: stream.topic, partition: partition, records: [], nextOffset: max(from, end))
    }

    /// The records from `from` on and before `end`, about `limit` of them.
    ///
    /// Offsets of events that the archive left out, or that fall on other shards, are passed over.
    func read(from: Int64, end: Int64, limit: Int) async throws -> RecordBatch {
        if from < removedUntil { return try await archivedRecords(from: from, end: end) }
        let batch = try await log.read(topic: stream.topic, partition: partition, from: from, limit: limit)
        var first = batch.nextOffset
        try batch.forEach { first = min(first, $0.offset) }
        guard first > from else { return try cut(batch, end) }
        // What the log passes over are marks of transactions, unless it has removed records: that happens while it is read, too.
        removedUntil = try await log.firstOffset(topic: stream.topic, partition: partition)
        if removedUntil > from { return try await archivedRecords(from: from, end: end) }
        return try cut(batch, end)
    }

    /// The rest of the first archived file that reaches beyond `from`; empty where no event was accepted up to the next offset.
    /// - Throws: ``Error/incomplete(topic:partition:from:to:)`` when the archive has not come so far.
    private func archivedRecords(from: Int64, end: Int64) async throws -> RecordBatch {
        let missing = Error.incomplete(topic: stream.topic, partition: partition, from: from, to: min(removedUntil, end))
        guard let archive else { throw missing }
        if from >= archivedUntil {
            // In this order: of what lies before the position all files are there, of what lies behind it perhaps some.
            archivedUntil = try await archive.position(partition: partition)
            files = (try await archive.files()[partition] ?? []).sorted { ($0.first, $0.last) < ($1.first, $1.last) }
            gaps = try await archive.gaps(partition: partition)
        }
        guard from < archivedUntil else { throw missing }
        let end = min(end, archivedUntil)
        let overlapping = files.filter { $0.last >= from && $0.first < end }
        guard let next = overlapping.first else {
            try checkGaps(from..<end)
            return RecordBatch(topic: stream.topic, partition: partition, records: [], nextOffset: end)
        }
        // A batch that spans days became a file a day, whose offsets interleave: they are read together, and what two files have
        // counts once.
        var reach = next.last, group: [ArchiveFile] = []
        for file in overlapping where file.first <= reach {
            group.append(file)
            reach = max(reach, file.last)
        }
        try checkGaps(from..<min(end, reach + 1))
        var records: [Int64: Record] = [:]
        for file in group {
            for stored in try await archive.records(of: file) where stored.offset >= from && stored.offset < end {
                records[stored.offset] = stored.record
            }
        }
        let kept = records.sorted { $0.key < $1.key }.filter { shard.contains($0.value.key, partitions: StreamTopics.partitions) }
        return RecordBatch(
            topic: stream.topic, partition: partition, records: kept.map { (offset: $0.key, record: $0.value) },
            nextOffset: min(end, reach + 1))
    }

    private func checkGaps(_ offsets: Range<Int64>) throws {
        guard let gap = gaps.first(where: { $0.overlaps(offsets) }) else { return }
        throw Error.incomplete(topic: stream.topic, partition: partition, from: gap.lowerBound, to: gap.upperBound)
    }

    private func cut(_ batch: RecordBatch, _ end: Int64) throws -> RecordBatch {
        if batch.nextOffset <= end, shard.count == 1 { return batch }
        let kept = try batch.records().filter {
            $0.offset < end && shard.contains($0.record.key, partitions: StreamTopics.partitions)
        }
        return RecordBatch(
            topic: stream.topic, partition: partition, records: kept.map { (offset: $0.offset, record: $0.record) },
            nextOffset: min(batch.nextOffset, end))
    }
}
