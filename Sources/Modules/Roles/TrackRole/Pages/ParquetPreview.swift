import Columnar
import Dispatch
import Domain
import Table
import Web

/// The first rows of a Parquet file as text.
struct ParquetPreview: Sendable {
    /// The names of the columns first.
    let lines: [[String]]
    let rowCount: Int

    private static let queue = DispatchQueue(label: "parquet-preview")

    /// What the rows shown may take when they are decoded. A file's own size says nothing about it: a gigabyte of zeros is
    /// stored in kilobytes.
    private static let maxDecodedBytes: Int64 = 128 << 20

    /// Decoding blocks, so it is done beside the cooperative pool, one file at a time.
    static func read(_ bytes: [UInt8], name: String, maxRows: Int) async -> Result<ParquetPreview, ColumnarError> {
        await withCheckedContinuation { continuation in
            queue.async {
                do throws(ColumnarError) {
                    continuation.resume(returning: .success(try decode(bytes, name, maxRows)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
    }

    private static func decode(_ bytes: [UInt8], _ name: String, _ maxRows: Int) throws(ColumnarError) -> ParquetPreview {
        var options = ReadOptions(batchRows: maxRows)
        options.maxDecodedBytes = maxDecodedBytes
        let reader = try ParquetReader(bytes: bytes, named: name, options: options)
        var lines = [reader.schema.map(\.name)]
        while lines.count <= maxRows, let table = try reader.next() {
            for row in 0..<min(table.rowCount, maxRows + 1 - lines.count) { lines.append(table.row(row).map(text)) }
        }
        return ParquetPreview(lines: lines, rowCount: Int(reader.rowCount))
    }

    private static func text(_ value: Value) -> String {
        switch value {
        case .null: ""
        case .bool(let flag): flag ? "true" : "false"
        case .int(let number): String(number)
        case .double(let number): NumberText.short(number, digits: 9)
        case .string(let text): text
        case .time(let time): EventTime.range.contains(time) ? EventTime.format(time) : String(time)
        }
    }
}
