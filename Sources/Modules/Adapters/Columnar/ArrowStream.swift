import CArrow
import Domain
import Table

/// A stream of record batches in Arrow's C data interface; frees what the library gave it.
final class ArrowStream {
    struct Field {
        let name: String
        let type: ArrowType?
        let format: String
    }

    let file: String
    private(set) var fields: [Field] = []
    private let stream: UnsafeMutablePointer<ArrowArrayStream>
    private var rowsRead: Int64 = 0

    /// - Parameter open: Fills the stream, or the error and returns false.
    init(
        file: String, open: (UnsafeMutablePointer<ArrowArrayStream>, UnsafeMutablePointer<CArrowError>) -> Bool
    ) throws(ColumnarError) {
        self.file = file
        stream = .allocate(capacity: 1)
        stream.initialize(to: ArrowArrayStream())
        var error = CArrowError()
        guard open(stream, &error) else { throw ColumnarError(error, "open", file: file) }
        var schema = ArrowSchema()
        guard stream.pointee.get_schema?(stream, &schema) == 0 else { throw failure("open") }
        defer { schema.release?(&schema) }
        for index in 0..<Int(schema.n_children) {
            guard let child = schema.children[index] else { continue }
            fields.append(Self.field(child.pointee))
        }
    }

    deinit {
        stream.pointee.release?(stream)
        stream.deallocate()
    }

    private static func field(_ schema: ArrowSchema) -> Field {
        let format = String(cString: schema.format)
        var type = ArrowType(format: format)
        if let dictionary = schema.dictionary {
            let values = field(dictionary.pointee)
            type = type.flatMap { index in values.type.map { .dictionary(index: index, values: $0) } }
        }
        return Field(name: schema.name.map { String(cString: $0) } ?? "", type: type, format: format)
    }

    /// The fields that `columns` asks for, in its order; all of them for `nil`.
    /// - Throws: ``ColumnarError`` for a name that is not there, naming the nearest, or a type no table column can hold.
    func chosen(_ columns: [String]?, known: [String]) throws(ColumnarError) -> [Int] {
        var chosen: [Int] = []
        for name in columns ?? fields.map(\.name) {
            guard let index = columns == nil ? chosen.count : fields.firstIndex(where: { $0.name == name }) else {
                let hint = SpellingSuggestion.hint(for: name, among: known)
                throw ColumnarError(.unknownColumn, "open", file: file, column: name, "there is no such column\(hint)")
            }
            guard fields[index].type != nil else {
                let type = ArrowType.name(ofUnsupported: fields[index].format)
                throw ColumnarError(
                    .unsupportedType, "open", file: file, column: name,
                    "its type, \(type), has no place in a table; name the columns to read to leave it out")
            }
            chosen.append(index)
        }
        return chosen
    }

    /// The columns at `indices` of the next batch, or `nil` at the end.
    func next(_ indices: [Int]) throws(ColumnarError) -> [Column]? {
        var batch = ArrowArray()
        guard stream.pointee.get_next?(stream, &batch) == 0 else { throw failure("read") }
        guard batch.release != nil else { return nil }
        defer { batch.release?(&batch) }
        var columns: [Column] = []
        for index in indices {
            guard let type = fields[index].type, let child = batch.children[index] else { continue }
            let decoder = ArrowDecoder(file: file, column: fields[index].name, firstRow: rowsRead + 1)
            let start = Int(batch.offset + child.pointee.offset)
            columns.append(try decoder.decode(child.pointee, as: type, rows: start..<(start + Int(batch.length))))
        }
        rowsRead += batch.length
        return columns
    }

    private func failure(_ operation: String) -> ColumnarError {
        let message = stream.pointee.get_last_error?(stream).map { String(cString: $0) } ?? "unknown error"
        return ColumnarError(.malformed, operation, file: file, message)
    }
}

/// Calls `body` with C strings of `texts` that live as long as the call; with `nil` for `nil`.
func withCStrings<Result>(_ texts: [String]?, _ body: (UnsafePointer<UnsafePointer<CChar>?>?, Int) -> Result) -> Result {
    guard let texts else { return body(nil, 0) }
    // One buffer for all, so that nothing moves while C holds pointers into it.
    let bytes = texts.map { Array($0.utf8CString) }
    let starts = bytes.reduce(into: [0]) { starts, text in starts.append(starts[starts.count - 1] + text.count) }
    let joined: [CChar] = bytes.flatMap(\.self) + [0]
    return joined.withUnsafeBufferPointer { buffer in
        let pointers = starts.map { start in buffer.baseAddress.map { $0 + start } }
        return pointers.withUnsafeBufferPointer { body($0.baseAddress, texts.count) }
    }
}
