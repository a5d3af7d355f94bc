/// Reads UBJSON, the binary form of JSON in which XGBoost stores models: one marker byte a value, big-endian
/// numbers, and arrays that may state their type and count once.
///
/// Every count is checked against the bytes that are left before anything is reserved, so a hostile file costs
/// no more than a small multiple of its own size.
///
/// Source: Universal Binary JSON Specification, draft 12, <https://ubjson.org>.
struct UBJSONReader {
    typealias Error = ModelDocument.Error

    private let bytes: UnsafeRawBufferPointer
    private var at = 0

    static func document(_ bytes: [UInt8]) throws(Error) -> ModelDocument {
        try bytes.withUnsafeBufferPointer { buffer throws(Error) in
            var reader = UBJSONReader(bytes: UnsafeRawBufferPointer(buffer))
            let marker = try reader.marker()
            let document = try reader.value(marker, keeping: true, depth: 0)
            guard reader.at == buffer.count else { throw reader.error("unexpected bytes after the document") }
            return document
        }
    }

    private init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private func error(_ message: String) -> Error { Error(message: message, offset: at) }

    private func require(_ count: Int) throws(Error) {
        guard count <= bytes.count - at else { throw error("the file ends inside a value") }
    }

    private mutating func byte() throws(Error) -> UInt8 {
        try require(1)
        defer { at += 1 }
        return bytes[at]
    }

    /// The next marker; `N` is padding.
    private mutating func marker() throws(Error) -> UInt8 {
        while true {
            let marker = try byte()
            if marker != UInt8(ascii: "N") { return marker }
        }
    }

    private mutating func value(_ marker: UInt8, keeping: Bool, depth: Int) throws(Error) -> ModelDocument {
        guard depth < ModelDocument.maxDepth else { throw error("nested deeper than \(ModelDocument.maxDepth)") }
        switch marker {
        case UInt8(ascii: "Z"): return .null
        case UInt8(ascii: "T"): return .bool(true)
        case UInt8(ascii: "F"): return .bool(false)
        case UInt8(ascii: "S"): return .string(try text())
        case UInt8(ascii: "C"): return .string(String(UnicodeScalar(try byte())))
        case UInt8(ascii: "["): return try array(keeping: keeping, depth: depth)
        case UInt8(ascii: "{"): return try object(keeping: keeping, depth: depth)
        default:
            guard let width = Self.width(marker) else {
                at -= 1
                throw error("unknown marker \(marker)")
            }
            try require(width)
            defer { at += width }
            return .number(number(marker, at))
        }
    }

    /// Bytes of a number; `nil` for a marker that is none.
    private static func width(_ marker: UInt8) -> Int? {
        switch marker {
        case UInt8(ascii: "i"), UInt8(ascii: "U"): 1
        case UInt8(ascii: "I"): 2
        case UInt8(ascii: "l"), UInt8(ascii: "d"): 4
        case UInt8(ascii: "L"), UInt8(ascii: "D"): 8
        default: nil
        }
    }

    /// The number of a marker that has a ``width(_:)``; its bytes have been checked.
    @inline(__always)
    private func number(_ marker: UInt8, _ offset: Int) -> Double {
        switch marker {
        case UInt8(ascii: "i"): Double(Int8(bitPattern: bytes[offset]))
        case UInt8(ascii: "U"): Double(bytes[offset])
        case UInt8(ascii: "I"): Double(Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int16.self)))
        case UInt8(ascii: "l"): Double(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
        case UInt8(ascii: "L"): Double(Int64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int64.self)))
        case UInt8(ascii: "d"):
            Double(Float(bitPattern: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))))
        default: Double(bitPattern: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
        }
    }

    private mutating func count() throws(Error) -> Int {
        let marker = try marker()
        guard let width = Self.width(marker) else { throw error("a length must be an integer") }
        try require(width)
        let value = number(marker, at)
        guard let count = Int(exactly: value), count >= 0, count <= bytes.count else { throw error("impossible length \(value)") }
        at += width
        return count
    }

    /// A length and that many bytes of UTF-8.
    private mutating func text() throws(Error) -> String {
        let count = try count()
        try require(count)
        guard let text = String(validating: bytes[at..<at + count], as: UTF8.self) else { throw error("text is not UTF-8") }
        at += count
        return text
    }

    /// `$type` and `#count` of a container; a count may stand alone, a type may not.
    private mutating func shape() throws(Error) -> (type: UInt8?, count: Int?) {
        var type: UInt8?
        if at < bytes.count, bytes[at] == UInt8(ascii: "$") {
            at += 1
            type = try byte()
        }
        guard at < bytes.count, bytes[at] == UInt8(ascii: "#") else {
            guard type == nil else { throw error("a typed container must state its count") }
            return (nil, nil)
        }
        at += 1
        return (type, try count())
    }

    private mutating func array(keeping: Bool, depth: Int) throws(Error) -> ModelDocument {
        let (type, count) = try shape()
        if let type, let count {
            if let width = Self.width(type) { return try numbers(type, width, count, keeping: keeping) }
            guard type == UInt8(ascii: "S") || type == UInt8(ascii: "[") || type == UInt8(ascii: "{") else {
                throw error("an array of type \(type) is not supported")
            }
        }
        if let count { try require(count) }
        var items: [ModelDocument] = []
        while items.count < count ?? .max {
            let marker = if let type { type } else { try marker() }
            if count == nil, marker == UInt8(ascii: "]") { break }
            items.append(try value(marker, keeping: keeping, depth: depth + 1))
        }
        return Self.compact(items)
    }

    private mutating func numbers(_ type: UInt8, _ width: Int, _ count: Int, keeping: Bool) throws(Error) -> ModelDocument {
        // `count` is at most the file's size, so the product cannot overflow.
        try require(count * width)
        let first = at
        at += count * width
        guard keeping else { return .numbers([]) }
        return .numbers(
            [Double](unsafeUninitializedCapacity: count) { buffer, filled in
                for index in 0..<count { buffer.initializeElement(at: index, to: number(type, first + index * width)) }
                filled = count
            })
    }

    private mutating func object(keeping: Bool, depth: Int) throws(Error) -> ModelDocument {
        let (type, count) = try shape()
        if let count { try require(count) }
        var fields: [String: ModelDocument] = [:]
        var read = 0
        while read < count ?? .max {
            if count == nil, at < bytes.count, bytes[at] == UInt8(ascii: "}") {
                at += 1
                break
            }
            let key = try text()
            let marker = if let type { type } else { try marker() }
            let kept = keeping && !ModelDocument.unusedArrays.contains(key)
            fields[key] = try value(marker, keeping: kept, depth: depth + 1)
            read += 1
        }
        return .object(fields)
    }

    static func compact(_ items: [ModelDocument]) -> ModelDocument {
        var values: [Double] = []
        values.reserveCapacity(items.count)
        for item in items {
            guard case .number(let value) = item else { return .array(items) }
            values.append(value)
        }
        return .numbers(values)
    }
}
