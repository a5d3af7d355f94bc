import Columnar
import Table

/// A table as a file of the format that its name ends in.
enum TableExport {
    static func write(_ table: Table, to path: String) throws {
        switch TableFile.Format(path: path) {
        case .parquet:
            let writer = try ParquetWriter(path: path, columns: table.columns.map { ($0.name, $0.type) })
            try writer.write(table)
            try writer.close()
        case .csv:
            let writer = try CSVWriter(path: path, columns: table.names)
            try writer.write(table)
            try writer.close()
        case .jsonl:
            let writer = try JSONLinesWriter(path: path, columns: table.names)
            try writer.write(table)
            try writer.close()
        case .tsv, nil: throw Failure(.badSettings, "--out \(path): the name must end in .parquet, .csv or .jsonl")
        }
    }
}
