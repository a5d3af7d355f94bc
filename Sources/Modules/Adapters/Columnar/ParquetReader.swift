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
        let stream = try Self.open(input, options.columns, options.batchRows, options.maxDecodedBytes, &rows)
        let names = stream.fields.map(\.name)
        if let columns = options.columns, !Set(columns).isSubset(of: names) {
            // The stream holds only what was found of the columns asked for; the message wants all there are.
            let known = try Self.open(input, nil, 1, options.maxDecodedBytes, &rows).fields.map(\.name)
            _ = try stream.chosen(columns, known: known)
        }
        rowCount = rows
        batches = try ArrowBatches(stream, options)
    }

    private static func open(
        _ input: ArrowInput, _ columns: [String]?, _ batchRows: Int, _ maxBytes: Int64?, _ rows: inout Int64
    ) throws(ColumnarError) -> ArrowStream {
        var count: Int64 = 0
        defer { rows = count }
        return try ArrowStream(file: input.name) { stream, error in
            input.withInput { input in
                withCStrings(columns) { names, nameCount in
                    carrow_open_parquet(input, names, nameCount, Int64(batchRows), maxBytes ?? 0, stream, &count, error)
                }
            }
        }
    }

    package func next() throws(ColumnarError) -> Table? { try batches.next().map { columns throws(ColumnarError) in try table(columns) } }
}
