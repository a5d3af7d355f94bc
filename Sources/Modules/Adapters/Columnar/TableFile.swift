import Domain

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Files of rows by their names.
package enum TableFile {
    package enum Format: String, Sendable, CaseIterable {
        case parquet, csv, tsv, jsonl

        /// The format that the end of a file's name stands for.
        package init?(path: String) {
            let ends: [(String, Format)] = [
                (".parquet", .parquet), (".pq", .parquet), (".csv", .csv), (".tsv", .tsv), (".jsonl", .jsonl), (".ndjson", .jsonl),
                (".json", .jsonl),
            ]
            let lowered = path.lowercased()
            guard let format = ends.first(where: { lowered.hasSuffix($0.0) })?.1 else { return nil }
            self = format
        }
    }

    /// Opens the file as what its name says it is.
    package static func reader(path: String, options: ReadOptions = ReadOptions()) throws(ColumnarError) -> any BatchReader {
        switch Format(path: path) {
        case .parquet: return try ParquetReader(path: path, options: options)
        case .csv: return try CSVReader(path: path, options: options)
        case .tsv: return try CSVReader(path: path, format: .init(delimiter: UInt8(ascii: "\t")), options: options)
        case .jsonl: return try JSONLinesReader(path: path, options: options)
        case nil:
            throw ColumnarError(.malformed, "open", file: path, "the name ends in none of .parquet .pq .csv .tsv .jsonl .ndjson .json")
        }
    }

    /// The files that a pattern with `*`, `?` and `[…]` names, sorted by name; a name without them stands for itself.
    /// - Throws: ``ColumnarError`` when there is no such file.
    package static func matching(_ pattern: String) throws(ColumnarError) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        let status = glob(pattern, GLOB_ERR, nil, &found)
        switch status {
        case 0: break
        case GLOB_NOMATCH: throw ColumnarError(.io, "open", file: pattern, "there is no such file")
        default: throw ColumnarError(.io, "open", file: pattern, "a folder on the way cannot be read")
        }
        return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }.sorted()
    }
}
