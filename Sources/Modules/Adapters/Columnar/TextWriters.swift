import Domain
package import Table

/// Writes CSV (RFC 4180) with a header line. Doubles are written in their shortest exact form, times as ISO 8601 in UTC,
/// null as an empty field, empty text as `""`. The file appears under its name at ``close()``; without it, nothing stays.
package final class CSVWriter {
    private let output: TextOutput

    package init(path: String, columns: [String]) throws(ColumnarError) {
        output = try TextOutput(path: path)
        try output.append(Self.line(columns.map { Self.field($0) }))
    }

    /// - Parameter table: Has the writer's columns in their order.
    package func write(_ table: Table) throws(ColumnarError) {
        for row in 0..<table.rowCount {
            try output.append(Self.line(table.columns.map { $0.isNull(row) ? "" : Self.field(ColumnConversion.text($0[row])) }))
        }
    }

    package func close() throws(ColumnarError) { try output.commit() }

    private static func line(_ fields: [String]) -> [UInt8] { Array((fields.joined(separator: ",") + "\n").utf8) }

    private static func field(_ text: String) -> String {
        let needsQuotes = text.isEmpty || text == "null" || text == "NULL" || text.utf8.contains { "\",\n\r".utf8.contains($0) }
        return needsQuotes ? "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\"" : text
    }
}

/// Writes JSON Lines, each as ``RowEncoder`` says. The file appears under its name at ``close()``; without it, nothing stays.
package final class JSONLinesWriter {
    private let output: TextOutput
    private let encoder: RowEncoder

    package init(path: String, columns: [String]) throws(ColumnarError) {
        output = try TextOutput(path: path)
        encoder = RowEncoder(columns: columns)
    }

    /// - Parameter table: Has the writer's columns in their order.
    package func write(_ table: Table) throws(ColumnarError) {
        for row in 0..<table.rowCount { try output.append(encoder.encode(table, row: row) + [UInt8(ascii: "\n")]) }
    }

    package func close() throws(ColumnarError) { try output.commit() }
}
