package import Domain

/// A record with its place in a topic.
package struct StoredRecord: Sendable, Equatable {
    package let partition: Int
    package let offset: Int64
    package let record: Record

    package init(partition: Int, offset: Int64, record: Record) {
        self.partition = partition
        self.offset = offset
        self.record = record
    }
}

/// A record that still lies in the bytes of its batch; valid only inside the closure that receives it.
package struct RecordView {
    package let offset: Int64
    package let timestamp: EventTime.Milliseconds
    package let key: UnsafeRawBufferPointer?
    package let value: UnsafeRawBufferPointer?
    let headerBytes: UnsafeRawBufferPointer

    /// Whether there are headers at all: the cheap question before ``headers``.
    package var hasHeaders: Bool { headerBytes.count > 0 }
    package var headers: [Record.Header] { BatchCodec.headers(headerBytes) ?? [] }

    package var record: Record {
        Record(key: key.map(Array.init), value: value.map(Array.init), timestamp: timestamp, headers: headers)
    }
}

/// What one read of a partition returned: consecutive records, oldest first, still encoded.
package struct RecordBatch: Sendable {
    package let topic: String
    package let partition: Int
    /// Where the next read starts; equals the offset asked for when nothing was there.
    package let nextOffset: Int64
    /// Records in all chunks.
    package let count: Int
    let chunks: [Chunk]

    struct Chunk: Sendable {
        let base: Int64
        /// Records before this one in the chunk are not part of the batch.
        let first: Int64
        /// One past the last offset of the batch in this chunk.
        let end: Int64
        let bytes: [UInt8]
    }

    package var isEmpty: Bool { count == 0 }

    /// Calls `body` for each record in offset order.
    /// - Throws: ``EventLogError`` with `corrupt` for damaged bytes, or what `body` throws.
    package func forEach(_ body: (RecordView) throws -> Void) throws {
        for chunk in chunks { try chunk.bytes.withUnsafeBytes { try visit($0, chunk, body) } }
    }

    package func records() throws -> [StoredRecord] {
        var records: [StoredRecord] = []
        records.reserveCapacity(count)
        try forEach { records.append(StoredRecord(partition: partition, offset: $0.offset, record: $0.record)) }
        return records
    }

    private func visit(_ bytes: UnsafeRawBufferPointer, _ chunk: Chunk, _ body: (RecordView) throws -> Void) throws {
        var at = 0
        var offset = chunk.base
        while offset < chunk.end {
            let start = at
            guard bytes.count - at >= BatchCodec.fixedSize else { throw damaged(offset) }
            let timestamp = Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: Int64.self))
            let keyLength = Int(Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 8, as: Int32.self)))
            let valueLength = Int(Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 12, as: Int32.self)))
            let headerLength = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 16, as: UInt32.self)))
            at += BatchCodec.fixedSize
            guard let key = BatchCodec.take(max(0, keyLength), bytes, &at), let value = BatchCodec.take(max(0, valueLength), bytes, &at),
                let headers = BatchCodec.take(headerLength, bytes, &at)
            else { throw damaged(offset) }
            if offset >= chunk.first {
                try body(
                    RecordView(
                        offset: offset, timestamp: timestamp, key: keyLength < 0 ? nil : key, value: valueLength < 0 ? nil : value,
                        headerBytes: headers))
            }
            offset += 1
        }
    }

    private func damaged(_ offset: Int64) -> EventLogError {
        EventLogError(.corrupt(topic: topic, partition: partition, offset: offset), during: "read")
    }
}

extension RecordView {
    /// The value of one header without decoding the others; `nil` when it is absent.
    package func header(_ name: StaticString) -> UnsafeRawBufferPointer? {
        var at = 0
        while at < headerBytes.count {
            guard let nameLength = BatchCodec.read(UInt16.self, headerBytes, &at),
                let found = BatchCodec.take(Int(nameLength), headerBytes, &at),
                let valueLength = BatchCodec.read(UInt32.self, headerBytes, &at),
                let value = BatchCodec.take(Int(valueLength), headerBytes, &at)
            else { return nil }
            if found.count == name.utf8CodeUnitCount,
                found.elementsEqual(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
            {
                return value
            }
        }
        return nil
    }
}
