package import Domain

extension RecordBatch {
    /// A batch of records that were not read from a log, or of some of those that were.
    /// - Parameter records: In the order of their offsets, which need not be consecutive.
    package init(topic: String, partition: Int, records: [(offset: Int64, record: Record)], nextOffset: Int64) {
        var chunks: [Chunk] = [], bytes: [UInt8] = [], base: Int64 = 0, end: Int64 = 0
        func close() {
            if !bytes.isEmpty { chunks.append(Chunk(base: base, first: base, end: end, bytes: bytes)) }
            bytes = []
        }
        for (offset, record) in records {
            if bytes.isEmpty || offset != end {
                close()
                base = offset
            }
            BatchCodec.append(record, to: &bytes)
            end = offset + 1
        }
        close()
        self.init(topic: topic, partition: partition, nextOffset: nextOffset, count: records.count, chunks: chunks)
    }
}
