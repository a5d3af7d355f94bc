package import Domain
import Expressions
package import Streaming
package import Table

/// Rows that a view produced in one batch, in order; per entity that is the order of time.
package struct ViewRows: Sendable {
    /// All columns of the view's schema, in its order.
    package let table: Table
    /// Per row, the number of its entity; all zero when rows have none.
    package let keyOfRow: [Int]
    /// Per row, what it is besides a final one and its entity's newest; `nil` when all rows are just that.
    package let marks: [RowMark]?
    /// Per row, the offset of the record that led to it, ascending; empty when nobody asks for it.
    let causes: [Int64]

    package var count: Int { keyOfRow.count }

    package init(table: Table, keyOfRow: [Int], marks: [RowMark]? = nil, causes: [Int64] = []) {
        self.causes = causes
        self.table = table
        self.keyOfRow = keyOfRow
        self.marks = marks
    }

    package func mark(_ row: Int) -> RowMark { marks?[row] ?? [] }

    /// The rows for which `keep` is true; a removed one always stays, so that whoever saw it learns of it.
    func filtered(_ keep: [Bool]?) -> ViewRows {
        guard let keep, keep.contains(false) else { return self }
        return gathered(keep.indices.filter { keep[$0] || mark($0).contains(.removed) })
    }

    package func gathered(_ rows: [Int]) -> ViewRows {
        ViewRows(
            table: table.gathered(rows), keyOfRow: rows.map { keyOfRow[$0] }, marks: marks.map { marks in rows.map { marks[$0] } },
            causes: causes.isEmpty ? [] : rows.map { causes[$0] })
    }

    /// These rows as caused by other records: those that stand in order beside their present causes.
    func causedBy(_ places: [(offset: Int64, before: Int64)]) -> ViewRows {
        var next = 0
        let mapped = causes.map { cause in
            while next < places.count, places[next].offset < cause { next += 1 }
            return next < places.count ? places[next].before : .max
        }
        return ViewRows(table: table, keyOfRow: keyOfRow, marks: marks, causes: mapped)
    }

    /// The rows without those that were taken back.
    package var present: ViewRows {
        guard let marks else { return self }
        return gathered(marks.indices.filter { !marks[$0].contains(.removed) })
    }

    /// The rows that stay what they are.
    var finalOnly: ViewRows {
        guard let marks else { return self }
        return gathered(marks.indices.filter { !marks[$0].contains(.partial) })
    }

    /// The record timestamps of the rows.
    package func times(_ column: String) -> [EventTime.Milliseconds] {
        switch table[column]?.values {
        case .int(let values), .time(let values): values
        default: [Int64](repeating: 0, count: count)
        }
    }
}

/// What one batch led to.
package struct EngineOutput: Sendable {
    /// Per compiled view, the rows it produced.
    package var rows: [ViewRows] = []
    /// Late events, with the view that found them late.
    package var late: [LateRecord] = []
    package var dead: [DeadRecord] = []
    /// What other streams' views gave meanwhile.
    var others = OtherRows()
    /// Rows that an outlier rule held back, with the position of their compiled view.
    package var held: [(view: Int, rows: HeldRows)] = []
    package var accepted = 0
    package var duplicates = 0
    var counts = EvaluationCounts()

    /// Integers that overflowed and became null.
    package var overflows: Int { counts.overflows }
    /// Texts that `canonical` looked up in a vocabulary.
    package var canonicalValues: Int { counts.looked }
    /// Of those, texts that the vocabulary does not know.
    package var canonicalUnknown: Int { counts.unknown }
}

/// An event that came after its window had closed.
package struct LateRecord: Sendable, Equatable {
    package let view: String
    package let offset: Int64
    package let windowStart: EventTime.Milliseconds
    package let lateBy: Int64
}
