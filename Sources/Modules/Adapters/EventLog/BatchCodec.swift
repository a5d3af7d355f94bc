import Domain

/// The bytes of a run of records in one partition.
///
/// Per record, little-endian: `timestamp i64 · keyLength i32 (−1: none) · valueLength i32 (−1: none) · headersLength u32 ·
/// key · value · headers`; headers are `nameLength u16 · name · valueLength u32 · value`, repeated.
enum BatchCodec {
    static let fixedSize = 20

    static func append(_ record: Record, to bytes: inout [UInt8]) {
        append(record.timestamp, to: &bytes)
        append(record.key.map { Int32($0.count) } ?? -1, to: &bytes)
        append(record.value.map { Int32($0.count) } ?? -1, to: &bytes)
        append(headerLength(record.headers), to: &bytes)
        if let key = record.key { bytes += key }
        if let value = record.value { bytes += value }
        append(record.headers, to: &bytes)
    }

    static func append(_ headers: [Record.Header], to bytes: inout [UInt8]) {
        for header in headers {
            let name = name(header)
            append(UInt16(name.utf8.count), to: &bytes)
            bytes += name.utf8
            append(UInt32(header.value.count), to: &bytes)
            bytes += header.value
        }
    }

    private static func headerLength(_ headers: [Record.Header]) -> UInt32 {
        headers.reduce(0) { $0 + 6 + UInt32(name($1).utf8.count) + UInt32($1.value.count) }
    }

    /// A name that is longer than its length can say ends at the last whole character before; no client reads longer ones.
    private static func name(_ header: Record.Header) -> Substring {
        let name = header.name
        guard name.utf8.count > nameLimit else { return name[...] }
        var end = name.utf8.index(name.startIndex, offsetBy: nameLimit)
        while end.samePosition(in: name.unicodeScalars) == nil { end = name.utf8.index(before: end) }
        return name[..<end]
    }

    /// Bytes of the name of a header.
    static let nameLimit = Int(UInt16.max)

    /// The same bytes from memory that is not a ``Record``; `headers` appends any number of ``appendHeader(_:_:to:)``.
    static func append(
        timestamp: Int64, key: UnsafeRawBufferPointer?, value: UnsafeRawBufferPointer?, to bytes: inout [UInt8],
        headers: (inout [UInt8]) -> Void
    ) {
        append(timestamp, to: &bytes)
        append(key.map { Int32($0.count) } ?? -1, to: &bytes)
        append(value.map { Int32($0.count) } ?? -1, to: &bytes)
        let lengthAt = bytes.count
        append(UInt32(0), to: &bytes)
        if let key { bytes += key }
        if let value { bytes += value }
        let start = bytes.count
        headers(&bytes)
        let length = UInt32(bytes.count - start)
        if length > 0 { withUnsafeBytes(of: length.littleEndian) { bytes.replaceSubrange(lengthAt..<lengthAt + 4, with: $0) } }
    }

    static func appendHeader(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
        let name = name.prefix(nameLimit)
        append(UInt16(name.count), to: &bytes)
        bytes += name
        append(UInt32(value.count), to: &bytes)
        bytes += value
    }

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// - Returns: `nil` when the bytes are damaged.
    static func headers(_ bytes: UnsafeRawBufferPointer) -> [Record.Header]? {
        var headers: [Record.Header] = []
        var at = 0
        while at < bytes.count {
            guard let nameLength = read(UInt16.self, bytes, &at), let name = take(Int(nameLength), bytes, &at),
                let valueLength = read(UInt32.self, bytes, &at), let value = take(Int(valueLength), bytes, &at)
            else { return nil }
            headers.append(Record.Header(String(decoding: name, as: UTF8.self), Array(value)))
        }
        return headers
    }

    static func read<T: FixedWidthInteger>(_ type: T.Type, _ bytes: UnsafeRawBufferPointer, _ at: inout Int) -> T? {
        guard at + MemoryLayout<T>.size <= bytes.count else { return nil }
        defer { at += MemoryLayout<T>.size }
        return T(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: T.self))
    }

    static func take(_ count: Int, _ bytes: UnsafeRawBufferPointer, _ at: inout Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, at + count <= bytes.count else { return nil }
        defer { at += count }
        return UnsafeRawBufferPointer(rebasing: bytes[at..<at + count])
    }
}
