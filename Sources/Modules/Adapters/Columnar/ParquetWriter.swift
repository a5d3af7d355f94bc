import CArrow
package import Domain
package import Table

/// Writes Parquet: bools, 64-bit ints, doubles, UTF-8 and millisecond timestamps in UTC, all nullable.
///
/// The file appears under its name at ``close()``; without it, nothing stays. Equal tables, written in equal pieces,
/// give equal bytes.
package final class ParquetWriter {
    package enum Compression: Int32, Sendable { case none = 0, snappy = 1, zstd = 2 }

    package let file: String
    private let columns: [(name: String, type: ValueType)]
    private let output: OutputFile?
    private let writer: OpaquePointer
    private var hasBegun = false

    /// - Parameters:
    ///   - rowGroupRows: Most rows that are compressed together, and held in memory.
    ///   - isParallel: Encodes columns side by side, for whoever waits for nothing else.
    package convenience init(
        path: String, columns: [(name: String, type: ValueType)], compression: Compression = .zstd, rowGroupRows: Int = 131_072,
        isParallel: Bool = false
    ) throws(ColumnarError) {
        try self.init(OutputFile(path: path), named: path, columns, compression, rowGroupRows, isParallel)
    }

    private init(
        _ output: OutputFile?, named name: String, _ columns: [(name: String, type: ValueType)], _ compression: Compression,
        _ rowGroupRows: Int, _ isParallel: Bool
    ) throws(ColumnarError) {
        var schema = ArrowExport.schema(columns)
        var error = CArrowError()
        let made =
            output.map {
                $0.temporaryPath.withCString {
                    carrow_parquet_writer($0, &schema, compression.rawValue, Int64(rowGroupRows), isParallel, &error)
                }
            }
            ?? carrow_parquet_writer(nil, &schema, compression.rawValue, Int64(rowGroupRows), isParallel, &error)
        guard let made else { throw ColumnarError(error, "write", file: name) }
        writer = made
        file = name
        self.columns = columns
        self.output = output
    }

    deinit { carrow_parquet_free(writer) }

    /// A whole file in memory. - Parameter name: What to call it in errors.
    package static func bytes(of table: Table, named name: String, compression: Compression = .zstd) throws(ColumnarError) -> [UInt8] {
        let writer = try ParquetWriter(nil, named: name, table.columns.map { ($0.name, $0.type) }, compression, 131_072, false)
        try writer.write(table)
        return try writer.finish()
    }

    /// - Parameter table: Has the writer's columns in their order.
    package func write(_ table: Table) throws(ColumnarError) {
        guard table.columns.count == columns.count,
            zip(table.columns, columns).allSatisfy({ $0.name == $1.name && $0.type == $1.type })
        else {
            let found = table.columns.map { "\($0.name): \($0.type.rawValue)" }.joined(separator: ", ")
            let expected = columns.map { "\($0.name): \($0.type.rawValue)" }.joined(separator: ", ")
            throw ColumnarError(.invalidValue, "write", file: file, "the rows have columns (\(found)), the file has (\(expected))")
        }
        if table.rowCount == 0 { return }
        var error = CArrowError()
        if !hasBegun {
            hasBegun = true
            // A dictionary of values that are all different is work for nothing, and memory for a row group of them.
            for column in table.columns where column.hardlyRepeats {
                guard column.name.withCString({ carrow_parquet_plain(writer, $0, &error) }) else {
                    throw ColumnarError(error, "write", file: file)
                }
            }
        }
        var batch = ArrowExport.batch(table)
        guard carrow_parquet_write(writer, &batch, &error) else { throw ColumnarError(error, "write", file: file) }
    }

    package func close() throws(ColumnarError) {
        _ = try finish()
        try output?.commit()
    }

    private func finish() throws(ColumnarError) -> [UInt8] {
        var bytes: UnsafePointer<UInt8>?
        var count = 0
        var error = CArrowError()
        guard carrow_parquet_close(writer, &bytes, &count, &error) else { throw ColumnarError(error, "write", file: file) }
        return Array(UnsafeBufferPointer(start: bytes, count: count))
    }
}

extension Column {
    /// Whether of some numbers or times taken all over the column more than half are different ones.
    fileprivate var hardlyRepeats: Bool {
        func isVaried(_ bits: (Int) -> UInt64) -> Bool {
            let step = max(1, count / 512)
            var seen: Set<UInt64> = [], looked = 0
            for row in stride(from: 0, to: count, by: step) where !isNull(row) {
                seen.insert(bits(row))
                looked += 1
            }
            return looked >= 64 && seen.count * 2 > looked
        }
        return switch values {
        case .int(let values), .time(let values): isVaried { UInt64(bitPattern: values[$0]) }
        case .double(let values): isVaried { values[$0].bitPattern }
        case .bool, .string: false
        }
    }
}
