import Columnar
import Domain
package import EventLog
package import Features
package import ObjectStore
import Table

/// The accepted events of a stream as Parquet files in the object store, one folder a day of event time: what features are
/// computed from again when the log no longer has it.
///
/// A file is named `events/<topic>/day=<YYYY-MM-DD>/<partition>-<first>-<last>.parquet` by the offsets it covers. Its rows are
/// records as they were: key, value, time, and what their headers say about time; ticks are among them, and releases of rows that were
/// held back. Records that the stream refuses are left out: they change nothing. Those that the log had removed before they could be
/// archived are noted, so that nobody takes the archive for whole.
package struct EventArchive: Sendable {
    package let stream: StreamDefinition
    private let log: any EventLog
    private let store: ObjectStore
    private let missed: @Sendable (_ partition: Int, _ offsets: Range<Int64>) -> Void

    /// - Parameter missed: Called with records that the log had removed before they were archived.
    package init(
        stream: StreamDefinition, log: any EventLog, store: ObjectStore,
        missed: @escaping @Sendable (_ partition: Int, _ offsets: Range<Int64>) -> Void = { _, _ in }
    ) {
        self.stream = stream
        self.log = log
        self.store = store
        self.missed = missed
    }

    /// The archive of another stream, in the same places.
    package func of(_ other: StreamDefinition) -> EventArchive { EventArchive(stream: other, log: log, store: store) }

    private static var group: String { "archive-events" }
    package var folder: String { "events/\(stream.topic)" }

    /// Records of one file at most.
    private static let fileRecords = 100_000

    /// Writes what one partition holds beyond the archive, if it is at least `minRecords`.
    /// - Returns: Records archived.
    package func archive(partition: Int, minRecords: Int) async throws -> Int {
        var total = 0
        while true {
            let from = try await log.committed(group: Self.group, topic: stream.topic, partition: partition)
            let end = try await log.endOffset(topic: stream.topic, partition: partition)
            guard end > from, end - from >= Int64(max(1, total > 0 ? 1 : minRecords)) else { return total }
            let batch = try await log.read(topic: stream.topic, partition: partition, from: from, limit: Self.fileRecords)
            guard batch.nextOffset > from else { return total }
            try await write(try accepted(batch), partition: partition)
            let gap = try await removed(before: batch, from: from)
            try await log.commit(
                LogUnit(
                    group: Self.group, state: gap.map { [note($0, partition)] } ?? [],
                    offsets: [.init(topic: stream.topic, partition: partition, next: batch.nextOffset)]))
            if let gap { missed(partition, gap) }
            total += batch.count
        }
    }

    // MARK: Gaps

    /// The records behind `from` that the log no longer had when the batch was read.
    private func removed(before batch: RecordBatch, from: Int64) async throws -> Range<Int64>? {
        var first = batch.nextOffset
        try batch.forEach { first = min(first, $0.offset) }
        guard first > from else { return nil }
        // What else the log passes over are marks of transactions.
        let removed = min(first, try await log.firstOffset(topic: stream.topic, partition: batch.partition))
        return removed > from ? from..<removed : nil
    }

    /// One entry a gap, in one namespace for all partitions.
    private func note(_ gap: Range<Int64>, _ partition: Int) -> LogUnit.StateChange {
        let key = JSONText.array([.string("gap"), .string(stream.topic), .int(Int64(partition)), .int(gap.lowerBound)])
        return .init(key: key, value: Array(String(gap.upperBound).utf8))
    }

    /// What is missing in the archive of a partition, because the log had removed it first; ascending.
    package func gaps(partition: Int) async throws -> [Range<Int64>] {
        let saved = try await log.savedState(group: Self.group, partition: 0)
        let lead = JSONText.array([.string("gap"), .string(stream.topic), .int(Int64(partition))]).dropLast() + [UInt8(ascii: ",")]
        return saved.entries.compactMap { key, value in
            guard key.starts(with: lead), let first = Int64(String(decoding: key.dropFirst(lead.count).dropLast(), as: UTF8.self)),
                let end = Int64(String(decoding: value, as: UTF8.self)), first < end
            else { return nil }
            return first..<end
        }.sorted { $0.lowerBound < $1.lowerBound }
    }

    package func archive(minRecords: Int) async throws -> Int {
        var total = 0
        for partition in 0..<(try await log.partitions(of: stream.topic)) {
            total += try await archive(partition: partition, minRecords: minRecords)
        }
        return total
    }

    private func accepted(_ batch: RecordBatch) throws -> [StoredRecord] {
        var intake = try StreamIntake(stream)
        let records = try batch.records()
        for stored in records
        where stored.record.header(HeaderName.tick) == nil && stored.record.header(HeaderName.release) == nil {
            let ingested = stored.record.header(HeaderName.ingestedAt).flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
            let hasKey = stored.record.key?.isEmpty == false
            guard let value = stored.record.value else {
                intake.addEvent(nil, hasKey: hasKey, offset: stored.offset, ingestedAt: ingested)
                continue
            }
            value.withUnsafeBytes { intake.addEvent($0, hasKey: hasKey, offset: stored.offset, ingestedAt: ingested) }
        }
        let refused = Set(intake.takeBatch().dead.map(\.offset))
        return records.filter { !refused.contains($0.offset) }
    }

    private func write(_ records: [StoredRecord], partition: Int) async throws {
        var days: [Int64: [StoredRecord]] = [:]
        for stored in records { days[stored.record.timestamp.flooredQuotient(by: 86_400_000), default: []].append(stored) }
        for (day, records) in days.sorted(by: { $0.key < $1.key }) {
            let (first, last) = (records[0].offset, records[records.count - 1].offset)
            let name = "\(folder)/day=\(EventTime.format(day * 86_400_000).prefix(10))/\(partition)-\(first)-\(last).parquet"
            try await store.put(try ParquetWriter.bytes(of: try ArchivedEvents.table(records), named: name), at: try ObjectPath(name))
        }
    }

    /// Up to where a partition is archived.
    package func position(partition: Int) async throws -> Int64 {
        try await log.committed(group: Self.group, topic: stream.topic, partition: partition)
    }

    /// The files of each partition.
    package func files() async throws -> [Int: [ArchiveFile]] {
        Dictionary(grouping: try await ArchiveFile.list(folder, in: store), by: \.partition)
    }

    /// The records of one file.
    /// - Throws: ``ColumnarError`` that names the file when it is damaged.
    package func records(of file: ArchiveFile) async throws -> [StoredRecord] {
        let name = file.path.description
        return try ArchivedEvents.records(
            try ParquetReader(bytes: try await store.get(file.path), named: name).readAll(), partition: file.partition, file: name)
    }
}

/// The form of events in files.
enum ArchivedEvents {
    static func table(_ records: [StoredRecord]) throws -> Table {
        func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }
        return try Table([
            Column("_offset", ints: records.map(\.offset)), Column("key", strings: records.map { text($0.record.key) }),
            Column("value", strings: records.map { text($0.record.value) }), Column("time_ms", ints: records.map(\.record.timestamp)),
            Column("tick", strings: records.map { text($0.record.header(HeaderName.tick)) }),
            Column("ingested_at_ms", ints: records.map { $0.record.header(HeaderName.ingestedAt).flatMap { Int64(text($0) ?? "") } }),
            Column("release", strings: records.map { text($0.record.header(HeaderName.release)) }),
            Column("columns", strings: records.map { text($0.record.header(HeaderName.columns)) }),
        ])
    }

    static func records(_ table: Table, partition: Int, file: String) throws -> [StoredRecord] {
        func column(_ name: String) throws -> Column {
            guard let column = table[name] else {
                throw ColumnarError(.unknownColumn, "read", file: file, column: name, "an archive of events has this column")
            }
            return column
        }
        func text(_ column: Column, _ row: Int) -> [UInt8]? { if case .string(let text) = column[row] { Array(text.utf8) } else { nil } }
        func number(_ column: Column, _ row: Int) -> Int64? { if case .int(let number) = column[row] { number } else { nil } }
        let offsets = try column("_offset"), keys = try column("key"), values = try column("value"), times = try column("time_ms")
        let ticks = try column("tick"), ingested = try column("ingested_at_ms")
        let releases = try column("release"), marks = try column("columns")
        return (0..<table.rowCount).map { row in
            var headers: [Record.Header] = []
            if let tick = text(ticks, row) { headers.append(Record.Header(HeaderName.tick, tick)) }
            if let at = number(ingested, row) { headers.append(Record.Header(HeaderName.ingestedAt, String(at))) }
            if let view = text(releases, row) { headers.append(Record.Header(HeaderName.release, view)) }
            if let mark = text(marks, row) { headers.append(Record.Header(HeaderName.columns, mark)) }
            let record = Record(key: text(keys, row), value: text(values, row), timestamp: number(times, row) ?? 0, headers: headers)
            return StoredRecord(partition: partition, offset: number(offsets, row) ?? 0, record: record)
        }
    }
}
