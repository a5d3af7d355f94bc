package import Domain
package import Expressions
package import Table

/// A table of facts about things that seldom change, one row for each key, that rows are widened by.
///
/// It is part of the definition: other content means other values, and other definition hashes.
package struct LookupTable: Sendable {
    package enum Format: Sendable { case csv, jsonLines }

    /// What is wrong with the file, with its line.
    package struct Error: Swift.Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// Rows that a table may have.
    package static var maxRows: Int { 1_000_000 }

    package let name: String
    /// The columns that identify a row.
    package let key: Schema
    /// The others, under the names that widened rows have them by: `<table>_<column>`.
    package let columns: Schema
    /// Of names, types and content.
    package let hash: ContentHash
    private let rows: [EntityKey: Int]
    /// The cells of ``columns``, with a last row of nulls for keys that the table does not have.
    private let cells: [Column]

    /// - Parameters:
    ///   - key: Names of fields, of type string or int.
    ///   - text: The file's content.
    package init(name: String, key: [String], fields: [RowDecoder.Field], text: String, format: Format) throws(Error) {
        let columns = try Self.columns(fields, text, format)
        var rows: [EntityKey: Int] = [:]
        let keyColumns = key.compactMap { name in columns.first { $0.name == name } }
        for row in 0..<(columns.first?.count ?? 0) {
            guard let entity = try? EntityKey(keyColumns.map { $0[row] }) else {
                throw Error(description: "row \(row + 1): the key is null or empty")
            }
            guard rows.updateValue(row, forKey: entity) == nil else { throw Error(description: "the key \(entity) is there twice") }
        }
        let prefix = Self.prefix(name), others = columns.filter { !key.contains($0.name) }
        self.name = name
        self.key = keyColumns.map { ($0.name, $0.type) }
        self.columns = others.map { (prefix + $0.name, $0.type) }
        self.rows = rows
        cells = others.map { column in
            var builder = ColumnBuilder(prefix + column.name, column.type)
            builder.append(contentsOf: column)
            builder.appendNull()
            return builder.finish()
        }
        let declared = fields.map { "\($0.name) \($0.type.rawValue) \($0.isOptional)" }
        hash = ContentHash(of: ([name, key.joined(separator: ",")] + declared + [text]).joined(separator: "\n"))
    }

    /// What stands before the names of another table's or view's columns.
    package static func prefix(_ name: String) -> String {
        String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }) + "_"
    }

    /// The columns for rows whose key is in `on`, in the order of ``key``; null where the table has no such row.
    func columns(on: [Column], count: Int) -> [Column] {
        let missing = (cells.first?.count ?? 1) - 1
        let chosen = (0..<count).map { row in (try? EntityKey(on.map { $0[row] })).flatMap { rows[$0] } ?? missing }
        return cells.map { $0.gathered(chosen) }
    }

    // MARK: Reading

    private static func columns(_ fields: [RowDecoder.Field], _ text: String, _ format: Format) throws(Error) -> [Column] {
        var decoder = RowDecoder(fields: fields)
        for (line, bytes) in try records(fields, text, format) {
            guard decoder.rowCount < maxRows else { throw Error(description: "more than \(maxRows) rows") }
            var failure: RowDecoder.Rejection?
            bytes.withUnsafeBytes { bytes in
                do throws(RowDecoder.Rejection) { try decoder.append(bytes) } catch { failure = error }
            }
            if let failure { throw Error(description: "line \(line): \(failure)") }
        }
        return decoder.finish()
    }

    /// Each line as a JSON object.
    private static func records(
        _ fields: [RowDecoder.Field], _ text: String, _ format: Format
    ) throws(Error) -> [(line: Int, bytes: [UInt8])] {
        if format == .jsonLines {
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            return lines.compactMap { line, text in
                text.allSatisfy(\.isWhitespace) ? nil : (line + 1, Array(text.utf8))
            }
        }
        let rows: [(line: Int, cells: [String])]
        do throws(DelimitedText.Error) { rows = try DelimitedText.rows(text) } catch { throw Error(description: error.description) }
        guard let header = rows.first?.cells else { throw Error(description: "there is no line of column names") }
        for field in fields where !header.contains(field.name) {
            throw Error(
                description: "there is no column \"\(field.name)\"" + SpellingSuggestion.hint(for: field.name, among: header))
        }
        var records: [(line: Int, bytes: [UInt8])] = []
        for (line, cells) in rows.dropFirst() {
            guard cells.count == header.count else {
                throw Error(description: "line \(line): \(cells.count) cells under \(header.count) column names")
            }
            let values = fields.map { field -> (name: String, value: Value) in
                let cell = header.firstIndex(of: field.name).map { cells[$0] } ?? ""
                if cell.isEmpty { return (field.name, .null) }
                if field.type == .bool, cell == "true" || cell == "false" { return (field.name, .bool(cell == "true")) }
                return (field.name, .string(cell))
            }
            records.append((line, JSONText.object(values)))
        }
        return records
    }
}
