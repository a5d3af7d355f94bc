import CRDKafka
import Domain

/// Hands records to a producer handle, one call of the library each, without allocating for what they share.
struct RecordSender {
    private enum Part: Int, CaseIterable { case topic, partition, flags, key, value, timestamp, opaque, headers }

    private let handle: OpaquePointer
    private var parts: [rd_kafka_vu_t]

    /// - Parameter partition: `nil` lets each key choose.
    init(_ handle: KafkaHandle, topic: String, partition: Int?) throws {
        self.handle = handle.pointer
        parts = [rd_kafka_vu_t](repeating: rd_kafka_vu_t(), count: Part.allCases.count)
        parts[Part.topic.rawValue].vtype = RD_KAFKA_VTYPE_RKT
        parts[Part.topic.rawValue].u.rkt = try handle.topic(topic)
        parts[Part.partition.rawValue].vtype = RD_KAFKA_VTYPE_PARTITION
        parts[Part.partition.rawValue].u.i32 = partition.map { Int32(clamping: $0) } ?? RD_KAFKA_PARTITION_UA
        parts[Part.flags.rawValue].vtype = RD_KAFKA_VTYPE_MSGFLAGS
        parts[Part.flags.rawValue].u.i = RD_KAFKA_MSG_F_COPY
        parts[Part.key.rawValue].vtype = RD_KAFKA_VTYPE_KEY
        parts[Part.value.rawValue].vtype = RD_KAFKA_VTYPE_VALUE
        parts[Part.timestamp.rawValue].vtype = RD_KAFKA_VTYPE_TIMESTAMP
        parts[Part.opaque.rawValue].vtype = RD_KAFKA_VTYPE_OPAQUE
        parts[Part.headers.rawValue].vtype = RD_KAFKA_VTYPE_HEADERS
    }

    /// - Returns: What the library refused the record with; it then reports nothing on it.
    mutating func send(_ record: Record, opaque: UnsafeMutableRawPointer?) -> KafkaFailure? {
        let headers = record.headers.isEmpty ? nil : Self.headers(record.headers)
        parts[Part.timestamp.rawValue].u.i64 = record.timestamp
        parts[Part.opaque.rawValue].u.ptr = opaque
        parts[Part.headers.rawValue].u.headers = headers
        let count = headers == nil ? parts.count - 1 : parts.count
        let error = withBytes(record.key) { key in
            withBytes(record.value) { value in
                parts[Part.key.rawValue].u.mem.ptr = UnsafeMutableRawPointer(mutating: key?.baseAddress)
                parts[Part.key.rawValue].u.mem.size = key?.count ?? 0
                parts[Part.value.rawValue].u.mem.ptr = UnsafeMutableRawPointer(mutating: value?.baseAddress)
                parts[Part.value.rawValue].u.mem.size = value?.count ?? 0
                return rd_kafka_produceva(handle, parts, count)
            }
        }
        guard let failure = KafkaFailure(consuming: error) else { return nil }
        // The library owns the headers of what it has taken, and only of that.
        if let headers { rd_kafka_headers_destroy(headers) }
        return failure
    }

    /// Calls `body` with the bytes: `nil` stays apart from empty, which needs an address.
    private func withBytes<T>(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> T) -> T {
        guard let bytes else { return body(nil) }
        if bytes.isEmpty {
            return withUnsafeBytes(of: UInt8(0)) { body(UnsafeRawBufferPointer(start: $0.baseAddress, count: 0)) }
        }
        return bytes.withUnsafeBytes { body($0) }
    }

    private static func headers(_ headers: [Record.Header]) -> OpaquePointer? {
        let made = rd_kafka_headers_new(headers.count)
        for header in headers {
            var name = header.name
            name.withUTF8 { name in
                name.withMemoryRebound(to: CChar.self) { name in
                    _ = header.value.withUnsafeBytes {
                        let value = $0.baseAddress ?? UnsafeRawPointer(name.baseAddress)
                        return rd_kafka_header_add(made, name.baseAddress, name.count, value, $0.count)
                    }
                }
            }
        }
        return made
    }
}
