import Domain
import EventLog
import FeatureStore
import Features
import Logging

/// Another stream that views of a worker's stream join views of: the partition of the same number, read as far as rows ask for it.
struct OtherInput: Sendable {
    let stream: StreamDefinition
    /// What a rebuild reads from.
    let history: EventHistory
    /// The next record to take.
    var position: Int64
    /// Where to read on.
    var next: Int64
    /// What has been read and not been taken.
    var ahead: ArraySlice<StoredRecord> = []
    /// Whether any partition of the stream is known to hold something.
    var speaks = false
}

/// The joined streams have different numbers of partitions: rows of one entity would be in partitions of different numbers.
package struct PartitionsDiffer: Error, Equatable, CustomStringConvertible {
    package let stream: String
    package let partitions: Int
    package let other: String
    package let otherPartitions: Int

    package var description: String {
        "views of \"\(stream)\" join views of \"\(other)\", but the topics have \(partitions) and \(otherPartitions) partitions: "
            + "give both as many"
    }

    /// - Throws: ``PartitionsDiffer``.
    static func check(_ stream: StreamDefinition, _ views: CompiledViews, _ log: any EventLog) async throws {
        for other in views.others.map(\.stream) {
            let own = try await log.partitions(of: stream.topic), found = try await log.partitions(of: other.topic)
            guard own == found else {
                throw PartitionsDiffer(stream: stream.name, partitions: own, other: other.name, otherPartitions: found)
            }
        }
    }
}

/// Taking records of several streams in the one order that follows from what they say: see ``StreamMerge``.
extension FeatureWorker {
    /// - Parameter saved: Where to go on; `nil` for the beginning.
    func openOthers(_ saved: SavedState?) {
        others = plan.views.others.map { other in
            let position = saved?.position(topic: other.stream.topic, partition: plan.partition) ?? 0
            return OtherInput(
                stream: other.stream,
                history: EventHistory(
                    stream: other.stream, partition: plan.partition, log: log, archive: archive?.of(other.stream)),
                position: position, next: position)
        }
    }

    var otherPositions: [LogUnit.Position] {
        others.map { LogUnit.Position(topic: $0.stream.topic, partition: plan.partition, next: $0.position) }
    }

    /// Takes of the other streams what comes before each record, as far as they have it.
    /// - Returns: The records of the batch that may be taken, and how many of the others have been.
    func ordered(_ batch: RecordBatch) async throws -> (batch: RecordBatch, joined: Int) {
        let records = try batch.records()
        var taken: [[(record: StoredRecord, before: Int64)]] = Array(repeating: [], count: others.count)
        var count = 0, joined = 0
        merging: for stored in records {
            if let moment = StreamMerge.Moment(stored.record) {
                for other in others.indices {
                    while let next = try await earlier(of: other, than: moment) {
                        guard joined < plan.batchRecords else { break merging }
                        if let said = StreamMerge.Moment(next.record) { engine.merge.noteOther(other, said) }
                        others[other].ahead.removeFirst()
                        others[other].position = next.offset + 1
                        taken[other].append((next, stored.offset))
                        joined += 1
                    }
                    if try await hasToWait(for: other, before: moment) {
                        tellWaiting(for: others[other].stream, at: stored.offset)
                        break merging
                    }
                }
                engine.merge.noteOwn(moment)
            }
            count += 1
        }
        for other in others.indices where !taken[other].isEmpty {
            let part = RecordBatch(
                topic: others[other].stream.topic, partition: plan.partition,
                records: taken[other].map { (offset: $0.record.offset, record: $0.record.record) }, nextOffset: others[other].position)
            try engine.withOther(other, places: taken[other].map { (offset: $0.record.offset, before: $0.before) }) { engine in
                var ingested: Int64?
                try Self.take(part, into: &engine, &ingested)
            }
        }
        guard count < records.count else { return (batch, joined) }
        let part = RecordBatch(
            topic: batch.topic, partition: batch.partition,
            records: records[..<count].map { (offset: $0.offset, record: $0.record) }, nextOffset: records[count].offset)
        return (part, joined)
    }

    /// The next record of another stream that comes before a moment; `nil` when there is none, or none yet.
    private func earlier(of other: Int, than moment: StreamMerge.Moment) async throws -> StoredRecord? {
        let limit: EventTime.Milliseconds
        switch engine.merge.answer(other, for: moment) {
        case .ready: return nil
        case .ended(let time), .silent(let time): limit = time
        case .waiting: limit = .max
        }
        if others[other].ahead.isEmpty { try await readAhead(other) }
        guard let next = others[other].ahead.first, next.record.timestamp <= limit else { return nil }
        return next
    }

    private func hasToWait(for other: Int, before moment: StreamMerge.Moment) async throws -> Bool {
        switch engine.merge.answer(other, for: moment) {
        case .ready, .ended: return false
        case .waiting: return true
        case .silent:
            if !others[other].speaks {
                let speaks = try await log.endOffsets(topic: others[other].stream.topic).contains { $0 > 0 }
                others[other].speaks = speaks
            }
            return !others[other].speaks
        }
    }

    private func readAhead(_ other: Int) async throws {
        let input = others[other], topic = input.stream.topic
        let batch: RecordBatch
        if rebuild != nil {
            let end = try await log.endOffset(topic: topic, partition: plan.partition)
            batch = try await input.history.next(from: input.next, end: end, limit: plan.batchRecords)
        } else {
            batch = try await log.read(topic: topic, partition: plan.partition, from: input.next, limit: plan.batchRecords)
        }
        // Another lease may have been taken meanwhile: then nothing of this counts.
        guard others.indices.contains(other), others[other].next == input.next else { return }
        others[other].ahead = try batch.records()[...]
        others[other].next = batch.nextOffset
    }

    private func tellWaiting(for stream: StreamDefinition, at offset: Int64) {
        logger.debug(
            "rows wait for another stream",
            metadata: [
                "stream": "\(plan.stream.name)", "partition": "\(plan.partition)", "offset": "\(offset)", "for": "\(stream.name)",
            ])
    }
}
