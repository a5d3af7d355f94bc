import CArrow
import Domain
package import Table

/// Reads CSV (RFC 4180) with any one-byte delimiter.
///
/// Types are inferred from the first four megabytes and then hold for the file: give ``ReadOptions/types`` for columns
/// where that is not enough. ISO 8601 texts become times; an unquoted empty field is null.
package final class CSVReader: BatchReader {
    package struct Format: Sendable {
        package var delimiter: UInt8
        /// The names of the columns when the first line is not a header.
        package var columnNames: [String]?
        /// Unquoted spellings of null.
        package var nullValues: [String]

        package init(delimiter: UInt8 = UInt8(ascii: ","), columnNames: [String]? = nil, nullValues: [String] = ["", "null", "NULL"]) {
            self.delimiter = delimiter
            self.columnNames = columnNames
            self.nullValues = nullValues
        }
    }

    package var file: String { batches.file }
    package var schema: [ColumnShape] { batches.schema }
    private let batches: ArrowBatches
    private static var blockBytes: Int32 { 4 << 20 }

    package convenience init(path: String, format: Format = Format(), options: ReadOptions = ReadOptions()) throws(ColumnarError) {
        try self.init(.file(path), format, options)
    }

    /// - Parameter name: What to call these bytes in errors.
    package convenience init(
        bytes: [UInt8], named name: String, format: Format = Format(), options: ReadOptions = ReadOptions()
    ) throws(ColumnarError) {
        try self.init(.bytes(bytes, name: name), format, options)
    }

    private init(_ input: ArrowInput, _ format: Format, _ options: ReadOptions) throws(ColumnarError) {
        // Times are converted here, not in the library: it wants every text to have a zone, or none.
        let typed = options.types.sorted { $0.key < $1.key }
        let formats = typed.map { Self.arrowFormat($0.value) }
        func open(_ columns: [String]?) throws(ColumnarError) -> ArrowStream {
            try ArrowStream(file: input.name) { stream, error in
                input.withInput { Self.open($0, format, columns, typed.map(\.key), formats, stream, error) }
            }
        }
        var stream = try open(nil)
        if let columns = options.columns {
            // Asked for by name only after the header was seen, so that an unknown one is reported in our words.
            _ = try stream.chosen(columns, known: stream.fields.map(\.name))
            stream = try open(columns)
        }
        batches = try ArrowBatches(stream, options)
    }

    private static func open(
        _ input: UnsafePointer<CArrowInput>, _ format: Format, _ columns: [String]?, _ typedNames: [String], _ typedFormats: [String],
        _ stream: UnsafeMutablePointer<ArrowArrayStream>, _ error: UnsafeMutablePointer<CArrowError>
    ) -> Bool {
        withCStrings(format.columnNames) { columnNames, columnNameCount in
            withCStrings(typedNames) { typedNames, typedCount in
                withCStrings(typedFormats) { typedFormats, _ in
                    withCStrings(format.nullValues) { nullValues, nullValueCount in
                        withCStrings(columns) { columns, columnCount in
                            var options = CArrowCSVOptions(
                                delimiter: CChar(bitPattern: format.delimiter), column_names: columnNames,
                                column_name_count: columnNameCount, columns: columns, column_count: columnCount,
                                typed_names: typedNames, typed_formats: typedFormats, typed_count: typedCount,
                                null_values: nullValues, null_value_count: nullValueCount, block_bytes: blockBytes)
                            return carrow_open_csv(input, &options, stream, error)
                        }
                    }
                }
            }
        }
    }

    private static func arrowFormat(_ type: ValueType) -> String {
        switch type {
        case .bool: "b"
        case .int: "l"
        case .double: "g"
        case .string, .time: "u"
        }
    }

    package func next() throws(ColumnarError) -> Table? { try batches.next().map { columns throws(ColumnarError) in try table(columns) } }
}
