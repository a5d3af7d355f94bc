package import Domain

/// Writes table rows as compact JSON objects: columns in order, bytes as ``JSONText`` says.
package struct RowEncoder: Sendable {
    /// `{"a":`, `,"b":`, …: what stands before each cell, made once.
    private let lead: [[UInt8]]

    package init(columns: [String]) {
        lead = columns.enumerated().map { index, name in
            var bytes = [UInt8(ascii: index == 0 ? "{" : ",")]
            JSONText.append(name, to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            return bytes
        }
    }

    package init(_ table: Table) { self.init(columns: table.names) }

    /// The JSON object of one row of a table that has the encoder's columns in its order.
    package func encode(_ table: Table, row: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(24 * lead.count)
        if lead.isEmpty { bytes.append(UInt8(ascii: "{")) }
        for (column, lead) in zip(table.columns, lead) {
            bytes += lead
            JSONText.append(column[row], to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// The JSON object of values in the encoder's column order.
    package func encode(_ values: [Value]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(24 * lead.count)
        if lead.isEmpty { bytes.append(UInt8(ascii: "{")) }
        for (value, lead) in zip(values, lead) {
            bytes += lead
            JSONText.append(value, to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }
}
