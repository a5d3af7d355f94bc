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

/// The whole history of a view: the archive, and what its topic holds beyond it.
package struct OfflineStore: Sendable {
    private let log: any EventLog
    private let store: ObjectStore
    private let views: [CompiledView]
    private let latest: EventTime.Milliseconds?

    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        case unknownView(String, known: [String])

        package var description: String {
            switch self {
            case .unknownView(let name, let known): "there is no view \"\(name)\"" + SpellingSuggestion.hint(for: name, among: known)
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

    /// All rows of a view, ordered by availability, then entity, then offset.
    ///
    /// Columns are those of the view's schema.
    package func read(view name: String) async throws -> (table: Table, ranges: [SnapshotRange]) {
        guard let view = views.first(where: { $0.definition.name == name }) else {
            throw Error.unknownView(name, known: views.map(\.definition.name))
        }
        let archive = ViewArchive(view: view, log: log, store: store)
        var tables: [Table] = [], seen: [Int: Set<Int64>] = [:], ranges: [SnapshotRange] = []
        for entry in try await store.list(prefix: archive.folder + "/") {
            let path = entry.path.description
            guard let partition = Self.partition(of: path) else { continue }
            let file = try ParquetReader(bytes: try await store.get(entry.path), named: path)
            tables.append(Self.unseen(try file.readAll(), partition, &seen))
        }
        for partition in 0..<(try await log.partitions(of: view.definition.topic)) {
            let end = try await log.endOffset(topic: view.definition.topic, partition: partition)
            var from = try await log.committed(group: "archive", topic: view.definition.topic, partition: partition)
            while from < end {
                let batch = try await log.read(topic: view.definition.topic, partition: partition, from: from, limit: 50_000)
                if batch.isEmpty { break }
                tables.append(Self.unseen(try archive.rows(of: batch), partition, &seen))
                from = batch.nextOffset
            }
            let first = seen[partition]?.min() ?? end
            ranges.append(SnapshotRange(topic: view.definition.topic, partition: partition, first: first, next: end))
        }
        let table = try Self.ordered(tables, view)
        guard let latest else { return (table, ranges) }
        let times = try table.column(view.schema.metadata.availabilityColumn).numbers()
        return (table.filtered(times.map { $0 <= Double(latest) }), ranges)
    }

    /// `features/<topic>/day=…/<partition>-<first>-<last>.parquet`.
    private static func partition(of path: String) -> Int? {
        path.split(separator: "/").last?.split(separator: "-").first.flatMap { Int($0) }
    }

    private static func unseen(_ table: Table, _ partition: Int, _ seen: inout [Int: Set<Int64>]) -> Table {
        guard case .int(let offsets) = table[ViewArchive.offsetColumn]?.values else { return table }
        var known = seen[partition] ?? []
        let isNew = offsets.map { known.insert($0).inserted }
        seen[partition] = known
        return table.filtered(isNew)
    }

    private static func ordered(_ tables: [Table], _ view: CompiledView) throws -> Table {
        let columns = view.schema.columns
        let shaped = try tables.map { table in
            try Table(
                columns.map { table[$0.name] ?? Column($0.name, repeating: .null, count: table.rowCount, type: $0.type) }
                    + [table[ViewArchive.offsetColumn]].compactMap { $0 })
        }
        guard !shaped.isEmpty else { return try Table(empty: columns) }
        let all = try Table.concatenated(shaped)
        let time = try all.column(view.schema.metadata.availabilityColumn).numbers()
        let keys = try view.schema.key.map { try all.column($0.name) }
        let names = (0..<all.rowCount).map { row in keys.map { "\($0[row])" }.joined(separator: "\u{1F}") }
        let offsets = all[ViewArchive.offsetColumn]?.numbers() ?? [Double](repeating: 0, count: all.rowCount)
        let order = (0..<all.rowCount).sorted { (time[$0], names[$0], offsets[$0]) < (time[$1], names[$1], offsets[$1]) }
        return try all.gathered(order).selecting(columns.map(\.name))
    }
}
