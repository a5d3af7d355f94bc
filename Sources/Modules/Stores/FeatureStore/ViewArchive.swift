import Columnar
import Domain
package import EventLog
package import Features
package import ObjectStore
import Table

/// The history of a view as Parquet files in the object store, one folder a day of row time.
///
/// A file is named `<view>/day=<YYYY-MM-DD>/<partition>-<first>-<last>.parquet` by the offsets it covers and carries each
/// row's offset in `_offset`, in `_ingested_at_ms` when what it was computed from had been ingested, and in `_columns` by which
/// definitions; a row that two files hold, because the archiver was killed between writing and committing, is dropped by readers.
package struct ViewArchive: Sendable {
    package let view: CompiledView
    private let log: any EventLog
    private let store: ObjectStore
    private let unreadable: @Sendable (_ place: String, _ reason: String) -> Void

    /// - Parameter unreadable: Called with each record that is no row and is left out, and why.
    package init(
        view: CompiledView, log: any EventLog, store: ObjectStore,
        unreadable: @escaping @Sendable (_ place: String, _ reason: String) -> Void = { _, _ in }
    ) {
        self.view = view
        self.unreadable = unreadable
        self.log = log
        self.store = store
    }

    private static var group: String { "archive" }
    static var offsetColumn: String { "_offset" }
    static var ingestedColumn: String { "_ingested_at_ms" }
    /// What the row's columns mean; see ``ColumnMark``.
    static var markColumn: String { "_columns" }
    private var topic: String { view.definition.topic }
    var folder: String { "features/\(topic)" }

    /// Rows of one file at most.
    private static let fileRows = 12_500

    /// Writes what one partition holds beyond the archive, if it is at least `minRows`.
    /// - Returns: Rows archived.
    package func archive(partition: Int, minRows: Int) async throws -> Int {
        var total = 0
        while true {
            let from = try await log.committed(group: Self.group, topic: topic, partition: partition)
            let end = try await log.endOffset(topic: topic, partition: partition)
            guard end > from, end - from >= Int64(max(1, total > 0 ? 1 : minRows)) else { return total }
            let batch = try await log.read(topic: topic, partition: partition, from: from, limit: Self.fileRows)
            guard !batch.isEmpty else { return total }
            try await write(try rows(of: batch), partition: partition)
            try await log.commit(
                LogUnit(group: Self.group, offsets: [.init(topic: topic, partition: partition, next: batch.nextOffset)]))
            total += batch.count
        }
    }

    /// Archives every partition of the view.
    package func archive(minRows: Int) async throws -> Int {
        var total = 0
        for partition in 0..<(try await log.partitions(of: topic)) { total += try await archive(partition: partition, minRows: minRows) }
        return total
    }

    private func write(_ table: Table, partition: Int) async throws {
        guard case .int(let times) = table[view.schema.metadata.timestampColumn]?.values,
            case .int(let offsets) = table[Self.offsetColumn]?.values
        else { return }
        var days: [Int64: [Int]] = [:]
        for row in times.indices { days[times[row].flooredQuotient(by: 86_400_000), default: []].append(row) }
        for (day, rows) in days.sorted(by: { $0.key < $1.key }) {
            let (first, last) = (offsets[rows[0]], offsets[rows[rows.count - 1]])
            let name = "\(folder)/day=\(EventTime.format(day * 86_400_000).prefix(10))/\(partition)-\(first)-\(last).parquet"
            let bytes = try ParquetWriter.bytes(of: table.gathered(rows), named: name)
            try await store.put(bytes, at: try ObjectPath(name))
        }
    }

    /// The rows of a batch with their offsets.
    func rows(of batch: RecordBatch) throws -> Table {
        var reader = ViewRowReader(view)
        var offsets: [Int64] = [], ingested: [Int64?] = [], marks: [String?] = []
        try batch.forEach { record in
            guard let value = record.value else { return }
            let mark = record.header("mlops-columns")
            guard reader.append(value, header: mark) else {
                return unreadable("\(batch.topic)/\(batch.partition)/\(record.offset)", reader.refusal)
            }
            offsets.append(record.offset)
            ingested.append(record.header("mlops-ingested-at").flatMap { Int64(String(decoding: $0, as: UTF8.self)) })
            marks.append(mark.map { String(decoding: $0, as: UTF8.self) })
        }
        return try Table(
            reader.finish().columns + [
                Column(Self.offsetColumn, .int(offsets)), Column(Self.ingestedColumn, ints: ingested),
                Column(Self.markColumn, strings: marks),
            ])
    }
}
