import CRDKafka

/// Turns messages of the library into the chunks of a ``RecordBatch``: runs of offsets without a gap, none much longer than
/// ``chunkBytes``.
///
/// Offsets have gaps where compaction, aborted transactions or control records were.
struct MessageRun {
    private(set) var chunks: [RecordBatch.Chunk] = []
    private(set) var count = 0
    private var base: Int64 = 0
    private var next: Int64 = -1
    private var bytes: [UInt8] = []

    /// A chunk that is closed here fits into a block that the allocator uses again; larger ones it would take from the system and
    /// give back each time, page by page (see ``AllocatorArenas``).
    private static let chunkBytes = 96 * 1_024

    mutating func append(_ message: UnsafeMutablePointer<rd_kafka_message_t>) {
        let offset = message.pointee.offset
        if offset != next || bytes.count >= Self.chunkBytes {
            let isLong = bytes.count >= Self.chunkBytes
            close()
            base = offset
            // One that follows a full one will be full too, as a rule.
            if isLong { bytes.reserveCapacity(Self.chunkBytes + Self.chunkBytes / 4) }
        }
        next = offset + 1
        count += 1
        let key = UnsafeRawBufferPointer(start: message.pointee.key, count: message.pointee.key_len)
        let value = UnsafeRawBufferPointer(start: message.pointee.payload, count: message.pointee.len)
        var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        BatchCodec.append(
            timestamp: rd_kafka_message_timestamp(message, &kind), key: message.pointee.key == nil ? nil : key,
            value: message.pointee.payload == nil ? nil : value, to: &bytes
        ) { Self.appendHeaders(of: message, to: &$0) }
    }

    mutating func close() {
        guard !bytes.isEmpty else { return }
        chunks.append(RecordBatch.Chunk(base: base, first: base, end: next, bytes: bytes))
        bytes = []
    }

    private static func appendHeaders(of message: UnsafeMutablePointer<rd_kafka_message_t>, to bytes: inout [UInt8]) {
        var headers: OpaquePointer?
        guard rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR, let headers else { return }
        var index = 0
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while rd_kafka_header_get_all(headers, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
            if let name {
                let length = CStringLength.of(name)
                name.withMemoryRebound(to: UInt8.self, capacity: length) {
                    BatchCodec.appendHeader(
                        UnsafeRawBufferPointer(start: $0, count: length), UnsafeRawBufferPointer(start: value, count: size), to: &bytes)
                }
            }
            index += 1
        }
    }
}

private enum CStringLength {
    static func of(_ text: UnsafePointer<CChar>) -> Int {
        var length = 0
        while text[length] != 0, length < Int(UInt16.max) { length += 1 }
        return length
    }
}
