import Columnar
import Table

/// A table as a file of the format that its name ends in.
enum TableExport {
    /// Refuses a name that stands for no format, before any work is done for it.
    static func check(_ path: String) throws {
        switch TableFile.Format(path: path) {
        case .parquet, .csv, .jsonl: return
        case .tsv, nil: throw Failure(.badSettings, "--output \(path): the name must end in .parquet, .csv or .jsonl")
        }
    }

    static func write(_ table: Table, to path: String) throws {
        try check(path)
        switch TableFile.Format(path: path) {
        case .parquet:
            // The library holds every column of a row group at once: smaller groups, a fraction of the memory.
            let writer = try ParquetWriter(
                path: path, columns: table.columns.map { ($0.name, $0.type) }, rowGroupRows: 16_384, isParallel: true)
            try writer.write(table)
            try writer.close()
        case .csv:
            let writer = try CSVWriter(path: path, columns: table.names)
            try writer.write(table)
            try writer.close()
        default:
            let writer = try JSONLinesWriter(path: path, columns: table.names)
            try writer.write(table)
            try writer.close()
        }
    }
}
