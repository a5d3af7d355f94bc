package import Domain
package import Table

/// Rows that a view produced in one batch, in order; per entity that is the order of time.
package struct ViewRows: Sendable {
    /// All columns of the view's schema, in its order.
    package let table: Table
    /// Per row, the number of its entity; all zero when rows have none.
    package let keyOfRow: [Int]

    package var count: Int { keyOfRow.count }

    package init(table: Table, keyOfRow: [Int]) {
        self.table = table
        self.keyOfRow = keyOfRow
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
    package var accepted = 0
    package var duplicates = 0
    /// Integer sums that overflowed and became null.
    package var overflows = 0
}

/// An event that came after its window had closed.
package struct LateRecord: Sendable, Equatable {
    package let view: String
    package let offset: Int64
    package let windowStart: EventTime.Milliseconds
    package let lateBy: Int64
}
