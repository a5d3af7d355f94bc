import Domain
import Streaming
import Table

/// Widens the input of a view by what its lookups and joins say of each row.
///
/// A join takes the newest final row of the other view, of the same entity, that is known at the row's time. Only rows that had
/// been computed when the row came count: those that its own record, or one before it, led to. So the answer is the same live,
/// replayed, and however records are cut into batches.
struct RowWidening: Sendable {
    fileprivate struct Joined: Sendable {
        let definition: ViewDefinition.Join
        /// The other view's place among the compiled ones.
        let position: Int
        let schema: ViewSchema
        var table: AsOfTable
        var dirty: Set<Int> = []
    }

    private let lookups: [ViewDefinition.Lookup]
    private var joins: [Joined]

    init(_ view: CompiledView, joined: [(position: Int, schema: ViewSchema)]) {
        lookups = view.definition.lookups
        joins = zip(view.definition.joins, joined).map { join, other in
            Joined(definition: join, position: other.position, schema: other.schema, table: AsOfTable(within: join.within))
        }
    }

    var isIdle: Bool { lookups.isEmpty && joins.isEmpty }

    /// - Parameters:
    ///   - causes: Per row, the offset of the record that led to it; ascending.
    ///   - times: Per row, the time it is about.
    ///   - computed: The rows that the views before this one gave in the batch.
    mutating func widen(
        _ table: Table, keyOfRow: [Int], causes: [Int64], times: [EventTime.Milliseconds], computed: [ViewRows], keys: Int
    ) -> Table {
        var columns = table.columns
        for lookup in lookups {
            columns += lookup.table.columns(on: lookup.on.compactMap { table[$0] }, count: table.rowCount)
        }
        for index in joins.indices {
            columns += joins[index].columns(computed[joins[index].position].finalOnly, keyOfRow, causes, times, keys)
        }
        // As many cells as rows, under names that the project has checked.
        return (try? Table(columns)) ?? table
    }

    // MARK: State

    mutating func takeChanges(_ add: (_ view: String, _ key: Int, _ bytes: [UInt8]) -> Void) {
        for index in joins.indices {
            for key in joins[index].dirty {
                var writer = BinaryWriter()
                joins[index].table.encodeKey(key, into: &writer)
                add(joins[index].definition.view, key, writer.bytes)
            }
            joins[index].dirty.removeAll(keepingCapacity: true)
        }
    }

    mutating func restore(view: String, key: Int, bytes: [UInt8]) throws(BinaryReader.Damaged) {
        guard let index = joins.firstIndex(where: { $0.definition.view == view }) else { throw .init(offset: 0) }
        var reader = BinaryReader(bytes)
        try joins[index].table.decodeKey(key, width: joins[index].schema.declared.count, from: &reader)
    }
}

extension RowWidening.Joined {
    fileprivate mutating func columns(
        _ others: ViewRows, _ keyOfRow: [Int], _ causes: [Int64], _ times: [EventTime.Milliseconds], _ keys: Int
    ) -> [Column] {
        table.growKeys(to: max(1, keys))
        let cells = schema.declared.compactMap { others.table[$0.name] }
        let availability = others.times(schema.metadata.availabilityColumn)
        let prefix = LookupTable.prefix(definition.view)
        var builders = schema.declared.map { ColumnBuilder(prefix + $0.name, $0.type) }
        var next = 0
        func take(upTo cause: Int64) {
            while next < others.count, others.causes[next] <= cause {
                table.add(key: others.keyOfRow[next], availability: availability[next], values: cells.map { $0[next] })
                dirty.insert(others.keyOfRow[next])
                next += 1
            }
        }
        for row in keyOfRow.indices {
            take(upTo: causes[row])
            let values = table.newest(key: keyOfRow[row], at: times[row])
            for index in builders.indices { builders[index].append(values?[index] ?? .null) }
        }
        take(upTo: .max)
        return builders.indices.map { builders[$0].finish() }
    }
}
