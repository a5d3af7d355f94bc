package import Domain
package import Table

/// Name and type of a column of a file.
package struct ColumnShape: Sendable, Hashable {
    package let name: String
    /// `nil` where the file says that the column holds nothing but nulls; its cells then read as null text.
    package let type: ValueType?

    package init(_ name: String, _ type: ValueType?) {
        self.name = name
        self.type = type
    }
}

/// What to read of a file, and as what.
package struct ReadOptions: Sendable {
    /// Columns in the order wanted; `nil` for all, in file order.
    package var columns: [String]?
    /// Types that columns are converted to; a value that does not fit is an error. Columns that are not read are ignored.
    package var types: [String: ValueType]
    /// Most rows of a batch of a format that stores rows in groups; text formats cut by bytes.
    package var batchRows: Int
    /// Most bytes that decoding may take at once, in a format that compresses; `nil` for as many as it needs.
    package var maxDecodedBytes: Int64?

    package init(columns: [String]? = nil, types: [String: ValueType] = [:], batchRows: Int = 65_536) {
        self.columns = columns
        self.types = types
        self.batchRows = max(1, batchRows)
    }
}

/// A file of rows, read from front to back a batch at a time, so memory holds one batch and not the file.
///
/// Calls block on the disk. Where batches are cut carries no meaning.
package protocol BatchReader: AnyObject {
    /// Path of the file, or the name given to bytes.
    var file: String { get }
    /// The columns of every batch.
    var schema: [ColumnShape] { get }
    /// The next rows, or `nil` at the end.
    func next() throws(ColumnarError) -> Table?
}

extension BatchReader {
    /// All rows that are left, in memory.
    package func readAll() throws(ColumnarError) -> Table {
        var tables: [Table] = []
        while let table = try next() { tables.append(table) }
        do throws(Table.Error) {
            if tables.isEmpty { return try Table(empty: schema.map { ($0.name, $0.type ?? .string) }) }
            return try Table.concatenated(tables)
        } catch {
            throw ColumnarError(.malformed, "read", file: file, "\(error)")
        }
    }

    /// `columns` as a table; two of one name are the file's fault.
    func table(_ columns: [Column]) throws(ColumnarError) -> Table {
        do throws(Table.Error) {
            return try Table(columns)
        } catch .duplicateColumn(let name) {
            throw ColumnarError(.malformed, "read", file: file, column: name, "there are two columns of this name")
        } catch {
            throw ColumnarError(.malformed, "read", file: file, "\(error)")
        }
    }
}
