/// The first rows of text in columns, read as it is: a viewer shows broken lines too.
///
/// Source: RFC 4180, with other delimiters.
enum DelimitedText {
    /// - Parameter maxRows: With the names of the columns; what follows is not read.
    /// - Returns: Rows of cells as they are written; rows may differ in length.
    static func read(_ text: String, delimiter: Character, maxRows: Int) -> [[String]] {
        var rows: [[String]] = [], row: [String] = [], cell = ""
        var isQuoted = false, wasQuoted = false
        var rest = text[...]
        func endCell() {
            row.append(cell)
            cell = ""
            wasQuoted = false
        }
        func endRow() {
            guard !row.isEmpty || !cell.isEmpty else { return }
            endCell()
            rows.append(row)
            row = []
        }
        while let character = rest.first, rows.count < maxRows {
            rest = rest.dropFirst()
            if isQuoted {
                if character != "\"" {
                    cell.append(character)
                } else if rest.first == "\"" {
                    cell.append("\"")
                    rest = rest.dropFirst()
                } else {
                    isQuoted = false
                }
            } else if character == "\"", cell.isEmpty, !wasQuoted {
                (isQuoted, wasQuoted) = (true, true)
            } else if character == delimiter {
                endCell()
            } else if character.isNewline {
                endRow()
            } else {
                cell.append(character)
            }
        }
        if rows.count < maxRows { endRow() }
        return rows
    }
}
