package import Domain
package import EventLog
package import Features
package import ObjectStore
package import Table
import Columnar

/// What part of a view's history was read: names the data that a model was trained on.
package struct SnapshotRange: Sendable, Hashable {
    package let topic: String
    package let partition: Int
    /// Offsets `first ..< next`.
    package let first: Int64
    package let next: Int64

    package var description: String { "\(topic)/\(partition)[\(first)..<\(next)]" }
}

/// The rows of a view that were ever written, and what is known of them beside their values.
package struct ViewHistory: Sendable {
    package let view: CompiledView
    /// The columns of the view's schema, then ``ingestedColumn`` when any row says it.
    package let table: Table
    package let ranges: [SnapshotRange]

    /// When what a row was computed from had all been ingested, milliseconds since the epoch; `nil` when no row says so.
    package var ingestedColumn: String? { table[ViewArchive.ingestedColumn] == nil ? nil : ViewArchive.ingestedColumn }
}

/// The whole history of a view: the archive, and what its topic holds beyond it.
package struct OfflineStore: Sendable {
    private let log: any EventLog
    private let store: ObjectStore
    private let views: [CompiledView]
    private let latest: EventTime.Milliseconds?

    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        case unknownView(String, known: [String])
        /// A file among the archive's that is none of its own.
        case foreignFile(String)

        package var description: String {
            switch self {
            case .unknownView(let name, let known): "there is no view \"\(name)\"" + SpellingSuggestion.hint(for: name, among: known)
            case .foreignFile(let path):
                "\(path) is not named as the archive names its files, PARTITION-FIRST-LAST.parquet: move it elsewhere"
            }
        }
    }

    /// - Parameter latest: Rows that became available later do not exist for this reader; `nil` for all there are.
    package init(log: any EventLog, store: ObjectStore, views: [CompiledView], notAfter latest: EventTime.Milliseconds? = nil) {
        self.latest = latest
        self.log = log
        self.store = store
        self.views = views
    }

    /// All final rows of a view, ordered by availability, then entity, then offset.
    ///
    /// Columns are those of the view's schema.
    package func read(view name: String) async throws -> (table: Table, ranges: [SnapshotRange]) {
        let history = try await history(of: name)
        return (try history.table.selecting(history.view.schema.columns.map(\.name)), history.ranges)
    }

    /// All final rows of a view, ordered by availability, then entity, then offset, with what is known of them.
    package func history(of name: String) async throws -> ViewHistory {
        guard let view = views.first(where: { $0.definition.name == name }) else {
            throw Error.unknownView(name, known: views.map(\.definition.name))
        }
        let archive = ViewArchive(view: view, log: log, store: store)
        var generations = Generations(of: view.definition, log: log), current: [Int: Generation] = [:]
        for partition in 0..<(try await log.partitions(of: view.definition.topic)) {
            current[partition] = try await generations.current(partition)
        }
        var tables: [Table] = [], seen: [Int: Set<Int64>] = [:], ranges: [SnapshotRange] = []
        // Positions first: what is archived between the two is then read twice and kept once, never missed.
        var archived: [Int64] = []
        for partition in 0..<(try await log.partitions(of: view.definition.topic)) {
            archived.append(try await log.committed(group: "archive", topic: view.definition.topic, partition: partition))
        }
        for file in try await ArchiveFile.list(archive.folder, in: store) {
            let reader = try ParquetReader(bytes: try await store.get(file.path), named: file.path.description)
            let generation = current[file.partition] ?? Generation()
            guard file.last >= generation.first else { continue }
            tables.append(Self.unseen(try Self.understood(try reader.readAll(), view), file.partition, generation, &seen))
        }
        for (partition, position) in archived.enumerated() {
            let end = try await log.endOffset(topic: view.definition.topic, partition: partition)
            var from = position
            while from < end {
                let batch = try await log.read(topic: view.definition.topic, partition: partition, from: from, limit: 50_000)
                guard batch.nextOffset > from else { break }
                tables.append(Self.unseen(try archive.rows(of: batch), partition, current[partition] ?? Generation(), &seen))
                from = batch.nextOffset
            }
            let first = seen[partition]?.min() ?? end
            ranges.append(SnapshotRange(topic: view.definition.topic, partition: partition, first: first, next: end))
        }
        // A rebuild that began or ended meanwhile: what counts is another thing now.
        for (partition, generation) in current where try await generations.current(partition) != generation {
            return try await history(of: name)
        }
        var table = Self.finalRows(try Self.ordered(tables, view))
        if let latest {
            let times = try table.column(view.schema.metadata.availabilityColumn).numbers()
            table = table.filtered(times.map { $0 <= Double(latest) })
        }
        return ViewHistory(view: view, table: table, ranges: ranges)
    }

    /// What a window said before it had closed is no history.
    private static func finalRows(_ table: Table) -> Table {
        guard case .bool(let isFinal) = table["is_final"]?.values else { return table }
        return table.filtered(isFinal)
    }

    /// The cells of columns that meant something else when a row was computed are null.
    private static func understood(_ table: Table, _ view: CompiledView) throws -> Table {
        guard let written = table[ViewArchive.markColumn], case .string(let marks) = written.values else { return table }
        let own = view.mark
        var foreign: [String: Set<String>] = [:]
        for mark in Set(marks) {
            guard mark.utf8.withContiguousStorageIfAvailable({ !own.isPresent(UnsafeRawBufferPointer($0)) }) ?? true else { continue }
            foreign[mark] = own.foreign(in: mark.utf8)
        }
        guard !foreign.isEmpty else { return table }
        return try Table(
            table.columns.map { column in
                let isForeign = marks.indices.map { !written.isNull($0) && foreign[marks[$0]]?.contains(column.name) ?? false }
                guard isForeign.contains(true) else { return column }
                let type = view.schema.columns.first { $0.name == column.name }?.type ?? column.type
                guard type == column.type else { return Column(column.name, repeating: .null, count: column.count, type: type) }
                return Column(column.name, column.values, nulls: isForeign.indices.map { isForeign[$0] || column.isNull($0) })
            })
    }

    /// - Parameter generation: Which of the rows count.
    private static func unseen(
        _ table: Table, _ partition: Int, _ generation: Generation, _ seen: inout [Int: Set<Int64>]
    ) -> Table {
        guard case .int(let offsets) = table[ViewArchive.offsetColumn]?.values else { return table }
        var known = seen[partition] ?? []
        let isNew = offsets.map { generation.counts($0) && known.insert($0).inserted }
        seen[partition] = known
        return table.filtered(isNew)
    }

    private static func ordered(_ tables: [Table], _ view: CompiledView) throws -> Table {
        let columns = view.schema.columns
        guard !tables.isEmpty else { return try Table(empty: columns) }
        let extra: [(name: String, type: ValueType)] = [(ViewArchive.offsetColumn, .int), (ViewArchive.ingestedColumn, .int)]
        let all = try Table.concatenated(
            try tables.map { table in
                try Table(
                    (columns + extra).map { table[$0.name] ?? Column($0.name, repeating: .null, count: table.rowCount, type: $0.type) })
            })
        let time = try all.column(view.schema.metadata.availabilityColumn).numbers()
        let keys = try view.schema.key.map { try all.column($0.name) }
        let names = (0..<all.rowCount).map { row in keys.map { "\($0[row])" }.joined(separator: "\u{1F}") }
        let offsets = try all.column(ViewArchive.offsetColumn).numbers()
        let order = (0..<all.rowCount).sorted { (time[$0], names[$0], offsets[$0]) < (time[$1], names[$1], offsets[$1]) }
        let saysIngested = try all.column(ViewArchive.ingestedColumn).nullCount < all.rowCount
        return try all.gathered(order).selecting(columns.map(\.name) + (saysIngested ? [ViewArchive.ingestedColumn] : []))
    }
}
