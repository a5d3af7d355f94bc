import CArrow
import Domain
import Table

/// Where bytes to read come from.
enum ArrowInput {
    case file(String)
    case bytes([UInt8], name: String)

    var name: String {
        switch self {
        case .file(let path): path
        case .bytes(_, let name): name
        }
    }

    func withInput<Result>(_ body: (UnsafePointer<CArrowInput>) -> Result) -> Result {
        switch self {
        case .file(let path):
            path.withCString { path in
                var input = CArrowInput(path: path, bytes: nil, count: 0)
                return body(&input)
            }
        case .bytes(let bytes, _):
            bytes.withUnsafeBufferPointer { bytes in
                var input = CArrowInput(path: nil, bytes: bytes.baseAddress, count: bytes.count)
                return body(&input)
            }
        }
    }
}

/// The batches of an Arrow stream with the columns and types that ``ReadOptions`` ask for.
final class ArrowBatches {
    let file: String
    let schema: [ColumnShape]
    private let stream: ArrowStream
    private let chosen: [Int]
    private let types: [ValueType?]
    private var rowsRead: Int64 = 0

    init(_ stream: ArrowStream, _ options: ReadOptions) throws(ColumnarError) {
        file = stream.file
        self.stream = stream
        let fields = stream.fields
        chosen = try stream.chosen(options.columns, known: fields.map(\.name))
        types = chosen.map { options.types[fields[$0].name] ?? fields[$0].type?.valueType }
        schema = zip(chosen, types).map { ColumnShape(fields[$0].name, $1) }
    }

    /// The columns of the next batch that has rows.
    func next() throws(ColumnarError) -> [Column]? {
        while let columns = try stream.next(chosen) {
            let conversion = ColumnConversion(file: file, firstRow: rowsRead + 1)
            let count = columns.first?.count ?? 0
            if count == 0, !columns.isEmpty { continue }
            var converted: [Column] = []
            for (column, type) in zip(columns, types) { converted.append(try conversion.convert(column, to: type ?? .string)) }
            rowsRead += Int64(count)
            return converted
        }
        return nil
    }
}
