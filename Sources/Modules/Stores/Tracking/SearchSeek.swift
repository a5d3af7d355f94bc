import Domain
package import GRDB
import Web

/// One column that a search is sorted by.
package struct SortColumn: Sendable, Equatable {
    /// An operand: a column, a call, or an expression in parentheses.
    package let sql: String
    package let isAscending: Bool

    package init(_ sql: String, isAscending: Bool = true) {
        self.sql = sql
        self.isAscending = isAscending
    }

    var order: String { isAscending ? sql : sql + " DESC" }
}

/// The order of a search and the place in it where a page begins.
///
/// A page begins after the row that ended the one before, found by its sort values: no row is counted off, so a late page
/// costs what the first one does, and rows that come and go between two pages are neither repeated nor skipped. The last
/// column must tell every two rows apart.
///
/// The token that a client carries holds those values and a digest of what was searched for. A token of another search is
/// refused; its values are only ever bound.
package struct SearchSeek: Sendable {
    let columns: [SortColumn]
    /// The sort values of the row that ended the page before; `nil` for the first page.
    let place: [DatabaseValue]?
    private let digest: String

    /// - Parameters:
    ///   - search: What is searched for, all of it that decides which rows there are and how they are sorted.
    ///   - token: From the page before.
    /// - Throws: `invalidParameter` for a token that is not of this search.
    package init(_ columns: [SortColumn], search: [String], token: String?) throws(TrackingError) {
        self.columns = columns
        digest = String(ContentHash(of: JSONText.array(search.map { .string($0) })).hex.prefix(16))
        guard let token, !token.isEmpty else {
            place = nil
            return
        }
        place = try PageToken.values(of: token, count: columns.count, digest: digest)
    }

    /// With other columns that sort the same way from the same place.
    init(_ columns: [SortColumn], place: [DatabaseValue]?) {
        self.columns = columns
        self.place = place
        digest = ""
    }

    /// To select besides what is searched for; `k0`, `k1`, ….
    package var selection: String { columns.enumerated().map { ", \($1.sql) AS k\($0)" }.joined() }

    package var order: String { columns.map(\.order).joined(separator: ", ") }

    /// Holds for the rows after the place.
    package var condition: (sql: String, arguments: StatementArguments) {
        guard let place else { return ("1", []) }
        var alternatives: [String] = []
        var arguments = StatementArguments()
        for index in columns.indices {
            let column = columns[index]
            let equal = columns[..<index].map { "\($0.sql) IS ?" }
            let beyond = "\(column.sql) \(column.isAscending ? ">" : "<") ?"
            alternatives.append("(" + (equal + [beyond]).joined(separator: " AND ") + ")")
            arguments += StatementArguments(Array(place[...index]))
        }
        let sql = "(" + alternatives.joined(separator: " OR ") + ")"
        // Said once more about the first column alone, which an index can be entered by.
        guard let first = columns.first, let value = place.first, !value.isNull else { return (sql, arguments) }
        return ("\(first.sql) \(first.isAscending ? ">=" : "<=") ? AND " + sql, [value] + arguments)
    }

    /// The token of the page after `row`, which was selected with ``selection``.
    package func token(after row: Row) -> String { token(after: columns.indices.map { row["k\($0)"] }) }

    func token(after values: [DatabaseValue]) -> String { PageToken.encode(values, digest: digest) }

    /// The rows of a page of at most `limit`, and the token of the next.
    package func page(_ found: [Row], limit: Int) -> (rows: ArraySlice<Row>, next: String?) {
        guard found.count > limit, limit > 0 else { return (found[...], nil) }
        return (found.prefix(limit), token(after: found[limit - 1]))
    }
}
