package import Domain

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Decodes JSON objects, one record each, into columns.
///
/// Fields that are not declared are skipped. Numbers that arrive as text (`"0.001"`, as exchanges send them), ids that
/// arrive as numbers, and times as ISO 8601 text are accepted; anything else of the wrong type is a rejection that
/// leaves the columns as they were, so the caller can divert the record and go on.
package struct RowDecoder: Sendable {
    /// One declared field of a stream.
    package struct Field: Sendable, Hashable {
        package let name: String
        package let type: ValueType
        /// Whether a missing or null field is a null cell; otherwise it rejects the record.
        package let isOptional: Bool
        /// Names under which the field may arrive, the first present one wins; never empty.
        package let sources: [String]

        package init(_ name: String, _ type: ValueType, isOptional: Bool = false, sources: [String]? = nil) {
            self.name = name
            self.type = type
            self.isOptional = isOptional
            self.sources = sources ?? [name]
        }
    }

    /// Why a record was not accepted, in words for the person who sent it.
    package struct Rejection: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    package let fields: [Field]
    /// Accepted source names with the field each one fills, in field order.
    private let sources: [(name: [UInt8], field: Int, rank: Int)]
    private var builders: [ColumnBuilder]
    /// Per field, the rank of the source that filled it in the current record, or -1.
    private var filled: [Int]

    package init(fields: [Field]) {
        self.fields = fields
        sources = fields.enumerated().flatMap { index, field in
            field.sources.enumerated().map { (Array($1.utf8), index, $0) }
        }
        builders = fields.map { ColumnBuilder($0.name, $0.type) }
        filled = [Int](repeating: -1, count: fields.count)
    }

    package var rowCount: Int { builders.first?.count ?? 0 }

    /// Decodes one record.
    /// - Throws: ``Rejection``; no row was then added.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) throws(Rejection) {
        let before = rowCount
        do throws(JSONScanner.Error) {
            for index in filled.indices { filled[index] = -1 }
            try decode(bytes)
            try fillGaps()
        } catch {
            for index in builders.indices where builders[index].count > before { builders[index].removeLast() }
            throw Rejection(description: error.message + (error.offset >= 0 ? " at byte \(error.offset)" : ""))
        }
    }

    /// The rows decoded since the last call.
    package mutating func finish() -> [Column] {
        var columns: [Column] = []
        columns.reserveCapacity(builders.count)
        for index in builders.indices { columns.append(builders[index].finish()) }
        return columns
    }

    private mutating func decode(_ bytes: UnsafeRawBufferPointer) throws(JSONScanner.Error) {
        var scanner = JSONScanner(bytes)
        guard scanner.take(UInt8(ascii: "{")) else { throw scanner.error("expected a JSON object") }
        if !scanner.take(UInt8(ascii: "}")) {
            var guess = 0
            repeat {
                let (key, hasEscapes) = try scanner.rawString()
                guard scanner.take(UInt8(ascii: ":")) else { throw scanner.error("expected ':'") }
                if let source = hasEscapes ? try source(named: scanner.text(key, hasEscapes: true)) : source(named: key, near: guess) {
                    guess = source + 1
                    try read(sources[source].field, rank: sources[source].rank, from: &scanner)
                } else {
                    _ = try scanner.skipValue()
                }
            } while scanner.take(UInt8(ascii: ","))
            guard scanner.take(UInt8(ascii: "}")) else { throw scanner.error("expected ',' or '}'") }
        }
        try scanner.finish()
    }

    /// Records of one producer keep their order, so the source after the last one found is tried first.
    private func source(named key: UnsafeBufferPointer<UInt8>, near guess: Int) -> Int? {
        if guess < sources.count, matches(sources[guess].name, key) { return guess }
        for index in sources.indices where matches(sources[index].name, key) { return index }
        return nil
    }

    private func source(named key: String) -> Int? {
        let bytes = Array(key.utf8)
        return sources.firstIndex { $0.name == bytes }
    }

    @inline(__always)
    private func matches(_ name: [UInt8], _ key: UnsafeBufferPointer<UInt8>) -> Bool {
        name.count == key.count && name.withUnsafeBytes { memcmp($0.baseAddress!, key.baseAddress!, key.count) == 0 }
    }

    private mutating func read(_ field: Int, rank: Int, from scanner: inout JSONScanner) throws(JSONScanner.Error) {
        if scanner.peek() == UInt8(ascii: "n") {
            guard scanner.takeLiteral("null") else { throw scanner.error("expected a value") }
            return
        }
        if filled[field] >= 0 {
            // The field came before, under another of its names or as a duplicate: the better rank, then the later, wins.
            guard rank <= filled[field] else {
                _ = try scanner.skipValue()
                return
            }
            builders[field].removeLast()
        }
        filled[field] = rank
        switch builders[field].type {
        case .double: try readDouble(field, &scanner)
        case .int: try readInt(field, &scanner)
        case .time: try readTime(field, &scanner)
        case .string: try readString(field, &scanner)
        case .bool: try readBool(field, &scanner)
        }
    }

    private mutating func readDouble(_ field: Int, _ scanner: inout JSONScanner) throws(JSONScanner.Error) {
        if scanner.peek() == UInt8(ascii: "\"") {
            let (raw, _) = try scanner.rawString()
            builders[field].append(try Self.textNumber(raw, field: fields[field].name).double)
        } else {
            builders[field].append(try wrongType(field, "a number", &scanner) { s throws(JSONScanner.Error) in try s.number() }.double)
        }
    }

    private mutating func readInt(_ field: Int, _ scanner: inout JSONScanner) throws(JSONScanner.Error) {
        let number: JSONNumber
        if scanner.peek() == UInt8(ascii: "\"") {
            let (raw, _) = try scanner.rawString()
            number = try Self.textNumber(raw, field: fields[field].name)
        } else {
            number = try wrongType(field, "an integer", &scanner) { s throws(JSONScanner.Error) in try s.number() }
        }
        guard let value = number.int ?? Int64(exactly: number.double) else {
            throw reject(field, "is not an integer of 64 bits")
        }
        builders[field].append(value)
    }

    private mutating func readTime(_ field: Int, _ scanner: inout JSONScanner) throws(JSONScanner.Error) {
        if scanner.peek() == UInt8(ascii: "\"") {
            let text = try scanner.string()
            guard let time = EventTime.parse(text) ?? Int64(text) else {
                throw reject(field, "is not an ISO 8601 time: \"\(text.prefix(40))\"")
            }
            builders[field].append(time)
        } else {
            try readInt(field, &scanner)
        }
    }

    private mutating func readString(_ field: Int, _ scanner: inout JSONScanner) throws(JSONScanner.Error) {
        if scanner.peek() == UInt8(ascii: "\"") {
            let (raw, hasEscapes) = try scanner.rawString()
            builders[field].append(try scanner.text(raw, hasEscapes: hasEscapes))
        } else {
            let first = scanner.peek()
            guard first == UInt8(ascii: "-") || (48...57).contains(first) else { throw reject(field, "is not text") }
            builders[field].append(String(decoding: try scanner.skipValue(), as: UTF8.self))
        }
    }

    private mutating func readBool(_ field: Int, _ scanner: inout JSONScanner) throws(JSONScanner.Error) {
        _ = scanner.peek()
        if scanner.takeLiteral("true") {
            builders[field].append(true)
        } else if scanner.takeLiteral("false") {
            builders[field].append(false)
        } else {
            throw reject(field, "is not true or false")
        }
    }

    private mutating func fillGaps() throws(JSONScanner.Error) {
        for index in fields.indices where filled[index] < 0 {
            guard fields[index].isOptional else {
                throw JSONScanner.Error(message: "required field \"\(fields[index].name)\" is missing", offset: -1)
            }
            builders[index].appendNull()
        }
    }

    private func wrongType(
        _ field: Int, _ expected: String, _ scanner: inout JSONScanner,
        _ read: (inout JSONScanner) throws(JSONScanner.Error) -> JSONNumber
    ) throws(JSONScanner.Error) -> JSONNumber {
        let first = scanner.peek()
        guard first == UInt8(ascii: "-") || (48...57).contains(first) else { throw reject(field, "is not \(expected)") }
        return try read(&scanner)
    }

    private func reject(_ field: Int, _ reason: String) -> JSONScanner.Error {
        JSONScanner.Error(message: "field \"\(fields[field].name)\" \(reason)", offset: -1)
    }

    private static func textNumber(_ raw: UnsafeBufferPointer<UInt8>, field: String) throws(JSONScanner.Error) -> JSONNumber {
        var inner = JSONScanner(UnsafeRawBufferPointer(raw))
        do throws(JSONScanner.Error) {
            let number = try inner.number()
            guard inner.at == inner.end else { throw inner.error("trailing text") }
            return number
        } catch {
            throw JSONScanner.Error(message: "field \"\(field)\" is not a number", offset: -1)
        }
    }
}
