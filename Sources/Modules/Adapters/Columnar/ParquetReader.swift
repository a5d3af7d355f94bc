import CArrow
import Domain
package import Table

/// Reads Parquet. Types widen as told by the file: see ``ArrowType``.
package final class ParquetReader: BatchReader {
    package var file: String { batches.file }
    package var schema: [ColumnShape] { batches.schema }
    /// Rows of the whole file, as its footer says.
    package let rowCount: Int64
    private let batches: ArrowBatches

    package convenience init(path: String, options: ReadOptions = ReadOptions()) throws(ColumnarError) {
        try self.init(.file(path), options)
    }

    /// - Parameter name: What to call these bytes in errors.
    package convenience init(bytes: [UInt8], named name: String, options: ReadOptions = ReadOptions()) throws(ColumnarError) {
        try self.init(.bytes(bytes, name: name), options)
    }

    private init(_ input: ArrowInput, _ options: ReadOptions) throws(ColumnarError) {
        var rows: Int64 = 0
        let stream = try ArrowStream(file: input.name) { stream, error in
            input.withInput { input in
                withCStrings(options.columns) { names, count in
                    carrow_open_parquet(input, names, count, Int64(options.batchRows), stream, &rows, error)
                }
            }
        }
        rowCount = rows
        batches = try ArrowBatches(stream, options)
    }

    package func next() throws(ColumnarError) -> Table? { try batches.next().map { columns throws(ColumnarError) in try table(columns) } }
}
