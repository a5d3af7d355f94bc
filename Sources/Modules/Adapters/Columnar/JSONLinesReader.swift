import Domain
package import Table

/// Reads JSON Lines: one flat object a line, blank lines skipped.
///
/// Columns and types come from ``ReadOptions/types`` or, for columns not named there, from a first pass over the whole
/// file: ints and doubles make doubles, numbers and texts make texts, nothing but nulls makes null text. Times stay
/// texts unless asked for. A field that a line does not have is null. Nested values are errors in columns that are read.
package final class JSONLinesReader: BatchReader {
    package var file: String { lines.file }
    package let schema: [ColumnShape]
    private let lines: LineReader
    private var decoder: RowDecoder
    private let batchRows: Int

    package init(path: String, options: ReadOptions = ReadOptions()) throws(ColumnarError) {
        var found = JSONLinesInference()
        if options.columns.map({ $0.contains { options.types[$0] == nil } }) ?? true {
            let lines = try LineReader(path: path)
            while let line = try lines.next() { try found.add(line, file: path, line: lines.line) }
        } else {
            for column in options.columns ?? [] { found.names.append(column) }
        }
        var schema: [ColumnShape] = []
        for name in options.columns ?? found.names {
            guard options.columns == nil || found.names.contains(name) else {
                let hint = SpellingSuggestion.hint(for: name, among: found.names)
                throw ColumnarError(.unknownColumn, "open", file: path, column: name, "there is no such field\(hint)")
            }
            if let type = options.types[name] {
                schema.append(ColumnShape(name, type))
            } else {
                schema.append(ColumnShape(name, try found.type(of: name, file: path)))
            }
        }
        self.schema = schema
        lines = try LineReader(path: path)
        decoder = RowDecoder(fields: schema.map { RowDecoder.Field($0.name, $0.type ?? .string, isOptional: true) })
        batchRows = options.batchRows
    }

    package func next() throws(ColumnarError) -> Table? {
        var rows = 0
        while rows < batchRows, let line = try lines.next() {
            if JSONLinesInference.isBlank(line) { continue }
            rows += 1
            do throws(RowDecoder.Rejection) {
                try line.withUnsafeBufferPointer { bytes throws(RowDecoder.Rejection) in try decoder.append(UnsafeRawBufferPointer(bytes)) }
            } catch {
                throw ColumnarError(.malformed, "read", file: file, row: lines.line, error.description)
            }
        }
        return rows == 0 ? nil : try table(decoder.finish())
    }
}

extension JSONLinesReader {
    /// The names of the fields of a file's first lines, in order of appearance; lines that are not objects have none.
    package static func names(path: String, lines count: Int) throws(ColumnarError) -> [String] {
        let lines = try LineReader(path: path)
        var found = JSONLinesInference()
        while lines.line < count, let line = try lines.next() {
            do throws(ColumnarError) { try found.add(line, file: path, line: lines.line) } catch { continue }
        }
        return found.names
    }
}

/// The columns of a JSON Lines file and the narrowest types that hold all their values.
struct JSONLinesInference {
    private enum Kind { case null, bool, int, double, string, nested }

    /// In order of first appearance.
    var names: [String] = []
    private var kinds: [String: Kind] = [:]
    private var firstConflict: [String: Int64] = [:]

    static func isBlank(_ line: ArraySlice<UInt8>) -> Bool { line.allSatisfy { $0 == 0x20 || $0 == 0x09 } }

    /// - Throws: ``ColumnarError`` unless `line` is blank or one JSON object.
    mutating func add(_ line: ArraySlice<UInt8>, file: String, line number: Int64) throws(ColumnarError) {
        if Self.isBlank(line) { return }
        let fields: [(name: String, value: [UInt8])]?
        do throws(JSONScanner.Error) {
            fields = try line.withUnsafeBufferPointer { bytes throws(JSONScanner.Error) in try Self.fields(UnsafeRawBufferPointer(bytes)) }
        } catch {
            throw ColumnarError(.malformed, "read", file: file, row: number, error.description)
        }
        guard let fields else { throw ColumnarError(.malformed, "read", file: file, row: number, "expected a JSON object") }
        for (name, value) in fields {
            let kind = Self.kind(value)
            guard let known = kinds[name] else {
                names.append(name)
                kinds[name] = kind
                continue
            }
            if known == kind { continue }
            if let common = Self.common(known, kind) {
                kinds[name] = common
            } else if firstConflict[name] == nil {
                firstConflict[name] = number
            }
        }
    }

    /// - Throws: ``ColumnarError`` when no type holds the column's values.
    func type(of name: String, file: String) throws(ColumnarError) -> ValueType? {
        if let line = firstConflict[name] {
            throw ColumnarError(
                .unsupportedType, "open", file: file, column: name, row: line, "its values have types that no column can hold together")
        }
        switch kinds[name] {
        case .null, nil: return nil
        case .bool: return .bool
        case .int: return .int
        case .double: return .double
        case .string: return .string
        case .nested:
            throw ColumnarError(
                .unsupportedType, "open", file: file, column: name,
                "it holds objects or arrays, which have no place in a table; name the columns to read to leave it out")
        }
    }

    /// The names and raw values of one object; `nil` for other JSON.
    private static func fields(_ bytes: UnsafeRawBufferPointer) throws(JSONScanner.Error) -> [(name: String, value: [UInt8])]? {
        // The whole line is checked first, so below only well-formed JSON is walked.
        var whole = JSONScanner(bytes)
        let object = try whole.skipValue()
        try whole.finish()
        guard object.first == UInt8(ascii: "{") else { return nil }
        var fields: [(name: String, value: [UInt8])] = []
        var rest = UnsafeRawBufferPointer(object)[...].dropFirst()
        func skip(_ separators: Set<UInt8>) { rest = rest.drop { $0 <= 0x20 || separators.contains($0) } }
        skip([])
        while let first = rest.first, first != UInt8(ascii: "}") {
            var scanner = JSONScanner(UnsafeRawBufferPointer(rebasing: rest))
            let name = try scanner.string()
            rest = rest.dropFirst(scanner.offset)
            skip([UInt8(ascii: ":")])
            scanner = JSONScanner(UnsafeRawBufferPointer(rebasing: rest))
            fields.append((name, Array(try scanner.skipValue())))
            rest = rest.dropFirst(scanner.offset)
            skip([UInt8(ascii: ",")])
        }
        return fields
    }

    private static func kind(_ value: [UInt8]) -> Kind {
        switch value.first {
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "{"), UInt8(ascii: "["): return .nested
        default: return Int64(String(decoding: value, as: UTF8.self)) == nil ? .double : .int
        }
    }

    private static func common(_ a: Kind, _ b: Kind) -> Kind? {
        switch (a, b) {
        case (.null, let other), (let other, .null): return other
        case (.int, .double), (.double, .int): return .double
        case (.string, .int), (.string, .double), (.int, .string), (.double, .string): return .string
        default: return nil
        }
    }
}
