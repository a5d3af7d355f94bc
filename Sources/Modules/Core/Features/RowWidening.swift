import Domain
import Streaming
import Table

/// Widens the input of a view by what its lookups and joins say of each row.
///
/// A join takes the newest final row of the other view, of the same entity, that is known at the row's time. Only rows that had
/// been computed when the row came count: those that its own record, or one before it, led to. So the answer is the same live,
/// replayed, and however records are cut into batches. Of another stream's view those count whose record comes before the row's
/// own in the order that ``StreamMerge`` gives.
struct RowWidening: Sendable {
    fileprivate struct Joined: Sendable {
        let definition: ViewDefinition.Join
        let place: JoinedView
        let schema: ViewSchema
        var table: AsOfTable
        var dirty: Set<Int> = []
    }

    private let lookups: [ViewDefinition.Lookup]
    private var joins: [Joined]

    init(_ view: CompiledView, joined: [(place: JoinedView, schema: ViewSchema)]) {
        lookups = view.definition.lookups
        joins = zip(view.definition.joins, joined).map { join, other in
            var isOther = false
            if case .other = other.place { isOther = true }
            return Joined(
                definition: join, place: other.place, schema: other.schema, table: AsOfTable(within: join.within, keepsAhead: isOther))
        }
    }

    var isIdle: Bool { lookups.isEmpty && joins.isEmpty }

    /// - Parameters:
    ///   - causes: Per row, the offset of the record that led to it; ascending.
    ///   - times: Per row, the time it is about.
    ///   - computed: The rows that the views before this one gave in the batch.
    ///   - others: The rows that other streams' views gave.
    mutating func widen(
        _ table: Table, keyOfRow: [Int], causes: [Int64], times: [EventTime.Milliseconds], computed: [ViewRows], others: OtherRows,
        keys: KeyIndex
    ) -> Table {
        var columns = table.columns
        for lookup in lookups {
            columns += lookup.table.columns(on: lookup.on.compactMap { table[$0] }, count: table.rowCount)
        }
        for index in joins.indices {
            switch joins[index].place {
            case .own(let view): columns += joins[index].columns(computed[view].finalOnly, keyOfRow, causes, times, keys.count)
            case .other(let stream, let view):
                let known = others.keys[stream]
                let numbers = keyOfRow.map { known.known(keys.entities[$0]) ?? -1 }
                columns += joins[index].columns(others.rows[stream][view].finalOnly, numbers, causes, times, known.count)
            }
        }
        // As many cells as rows, under names that the project has checked.
        return (try? Table(columns)) ?? table
    }

    // MARK: State

    /// Where a joined view is computed, whose entities the keys of its state are.
    func place(of view: String) -> JoinedView? { joins.first { $0.definition.view == view }?.place }

    mutating func takeChanges(_ add: (_ view: String, _ place: JoinedView, _ key: Int, _ bytes: [UInt8]) -> Void) {
        for index in joins.indices {
            for key in joins[index].dirty {
                var writer = BinaryWriter()
                joins[index].table.encodeKey(key, into: &writer)
                add(joins[index].definition.view, joins[index].place, key, writer.bytes)
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

/// What the views of other streams gave in a batch, for those that join them.
struct OtherRows: Sendable {
    /// Per stream and view; the causes are offsets of the stream whose views join them.
    var rows: [[ViewRows]] = []
    /// The entities of each stream.
    var keys: [KeyIndex] = []
}

extension RowWidening.Joined {
    /// - Parameter keyOfRow: The entity's number where the joined view is computed; -1 for one that is not known there.
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
            let key = keyOfRow[row]
            let values = key < 0 ? nil : table.newest(key: key, at: times[row])
            if key >= 0, case .other = place {
                table.noteAsked(key: key, at: times[row])
                dirty.insert(key)
            }
            for index in builders.indices { builders[index].append(values?[index] ?? .null) }
        }
        take(upTo: .max)
        return builders.indices.map { builders[$0].finish() }
    }
}
