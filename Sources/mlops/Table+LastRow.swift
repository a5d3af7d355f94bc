import Domain
import Table

extension Table {
    /// The value of a column in the last row; `nil` without rows.
    func lastRow(of column: String) -> Value? { rowCount > 0 ? self[column]?[rowCount - 1] : nil }
}
