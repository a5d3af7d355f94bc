import Domain
package import Table

/// Reads several files, one after the other, as if they were one.
///
/// Files of one data set differ in what they were written with: a column that is text in one month is a 32-bit integer
/// in the next, and new columns appear. The schema is the widest of all: ints widen to doubles, numbers to texts, and a
/// column that a file does not have is null there.
package final class FileSequenceReader: BatchReader {
    package let file: String
    package let schema: [ColumnShape]
    /// The file that ``next()`` last read from.
    package private(set) var currentFile: String?
    private var paths: ArraySlice<String>
    private let options: ReadOptions
    private var current: (reader: any BatchReader, rowsRead: Int64)?

    /// Opens every file once to see its columns; no rows are read yet (but of JSON Lines, which tells its columns nowhere else).
    /// - Parameter paths: Not empty.
    package init(paths: [String], options: ReadOptions = ReadOptions()) throws(ColumnarError) {
        file = paths.count == 1 ? paths[0] : "\(paths.first ?? "no file") and \(paths.count - 1) more"
        self.paths = paths[...]
        self.options = options
        var shapes: [ColumnShape] = []
        var origin: [String: String] = [:]
        for path in paths {
            let all = ReadOptions(columns: nil, types: options.types, batchRows: 1)
            for shape in try Self.shapes(path, all, wanted: options.columns) {
                guard let known = shapes.firstIndex(where: { $0.name == shape.name }) else {
                    shapes.append(shape)
                    origin[shape.name] = path
                    continue
                }
                guard let common = ColumnConversion.common(shapes[known].type, shape.type) else {
                    throw ColumnarError(
                        .unsupportedType, "open", file: path, column: shape.name,
                        "it is \(shape.type?.rawValue ?? "null") here and \(shapes[known].type?.rawValue ?? "null") in "
                            + "\(origin[shape.name] ?? "another file"); give its type")
                }
                if shapes[known].type == nil { origin[shape.name] = path }
                shapes[known] = ColumnShape(shape.name, common)
            }
        }
        if let wanted = options.columns {
            var ordered: [ColumnShape] = []
            for name in wanted {
                guard let shape = shapes.first(where: { $0.name == name }) else {
                    let hint = SpellingSuggestion.hint(for: name, among: shapes.map(\.name))
                    throw ColumnarError(.unknownColumn, "open", file: file, column: name, "there is no such column in any file\(hint)")
                }
                ordered.append(shape)
            }
            shapes = ordered
        }
        schema = shapes
    }

    package func next() throws(ColumnarError) -> Table? {
        while true {
            if current == nil {
                guard let path = paths.popFirst() else { return nil }
                current = (try open(path), 0)
                currentFile = path
            }
            guard let (reader, rowsRead) = current else { return nil }
            guard let batch = try reader.next() else {
                current = nil
                continue
            }
            current?.rowsRead += Int64(batch.rowCount)
            let conversion = ColumnConversion(file: reader.file, firstRow: rowsRead + 1)
            var columns: [Column] = []
            for shape in schema {
                let type = shape.type ?? .string
                if let column = batch[shape.name] {
                    columns.append(try conversion.convert(column, to: type))
                } else {
                    columns.append(Column(shape.name, repeating: .null, count: batch.rowCount, type: type))
                }
            }
            return try table(columns)
        }
    }

    private func open(_ path: String) throws(ColumnarError) -> any BatchReader {
        let there = try Self.shapes(path, ReadOptions(types: options.types, batchRows: 1), wanted: options.columns).map(\.name)
        let wanted = schema.map(\.name).filter(there.contains)
        return try TableFile.reader(path: path, options: ReadOptions(columns: wanted, types: options.types, batchRows: options.batchRows))
    }

    /// The columns of a file; those that are wanted when some are, so that others may have any type.
    private static func shapes(_ path: String, _ options: ReadOptions, wanted: [String]?) throws(ColumnarError) -> [ColumnShape] {
        guard let wanted else { return try TableFile.reader(path: path, options: options).schema }
        var present: [ColumnShape] = []
        for name in wanted {
            var one = options
            one.columns = [name]
            do throws(ColumnarError) {
                present += try TableFile.reader(path: path, options: one).schema
            } catch  where error.code == .unknownColumn {
                continue
            }
        }
        return present
    }
}
