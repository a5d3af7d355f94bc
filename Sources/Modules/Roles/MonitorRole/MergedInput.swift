import Domain
import EventLog
import Features
import Table

/// One thing that the monitor takes in.
enum MonitorItem: Sendable {
    case prediction(MonitoredPrediction)
    case label(Double?, EntityKey, EventTime.Milliseconds)
    case unreadable(String)
}

/// Reads predictions and label rows as one sequence in the order of event time.
///
/// That order, not the order in which partitions happen to be read, is what the join sees; so the outcome of a finite
/// input is the same however it was cut into reads. What is read ahead is not committed until it has been taken.
struct MergedInput {
    struct Labels: Sendable {
        let view: CompiledView
        /// The column that holds the truth.
        let column: String
    }

    private struct Queued {
        let item: MonitorItem
        let time: EventTime.Milliseconds
        let next: Int64
    }

    private struct Cursor {
        let topic: String
        let partition: Int
        let isLabel: Bool
        /// Where the next read starts.
        var position: Int64
        /// One past the last record that was taken.
        var taken: Int64
        var queue: [Queued] = []
        var head = 0

        var front: Queued? { head < queue.count ? queue[head] : nil }
    }

    private static let batchRecords = 2_000

    private let log: EventLog
    private let labels: Labels?
    private var cursors: [Cursor] = []

    /// - Parameter group: Whose positions to go on from.
    init(log: EventLog, predictionsTopic: String, labels: Labels?, group: String) async throws {
        self.log = log
        self.labels = labels
        // Predictions first: of one time, the question comes before the answer.
        for (topic, isLabel) in [(predictionsTopic, false)] + (labels.map { [($0.view.definition.topic, true)] } ?? []) {
            for partition in 0..<(try await log.partitions(of: topic)) {
                let position = try await log.committed(group: group, topic: topic, partition: partition)
                cursors.append(Cursor(topic: topic, partition: partition, isLabel: isLabel, position: position, taken: position))
            }
        }
    }

    /// Where the next process goes on.
    var positions: [LogUnit.Position] { cursors.map { LogUnit.Position(topic: $0.topic, partition: $0.partition, next: $0.taken) } }

    /// The end offsets of all partitions now.
    func ends() async throws -> [Int64] {
        var ends: [Int64] = []
        for cursor in cursors { ends.append(try await log.endOffset(topic: cursor.topic, partition: cursor.partition)) }
        return ends
    }

    /// Records that lie between what was taken and `ends`.
    func lag(_ ends: [Int64]) -> Int64 { zip(cursors, ends).reduce(0) { $0 + max(0, $1.1 - $1.0.taken) } }

    /// Reads until every partition that has records before `ends` shows its first.
    /// - Returns: Versions of the predictions that were read.
    mutating func fill(upTo ends: [Int64]) async throws -> Set<ModelVersion> {
        var versions: Set<ModelVersion> = []
        for index in cursors.indices {
            while cursors[index].front == nil, cursors[index].position < ends[index] {
                let batch = try await log.read(
                    topic: cursors[index].topic, partition: cursors[index].partition, from: cursors[index].position,
                    limit: Self.batchRecords)
                guard batch.nextOffset > cursors[index].position else { break }
                cursors[index].queue = try cursors[index].isLabel ? labelItems(batch) : Self.predictionItems(batch)
                cursors[index].head = 0
                cursors[index].position = batch.nextOffset
                for queued in cursors[index].queue {
                    guard case .prediction(let prediction) = queued.item, let number = Int(prediction.version) else { continue }
                    versions.insert(ModelVersion(model: prediction.model, number: number))
                }
                // Rows that say nothing are done with.
                if cursors[index].queue.isEmpty { cursors[index].taken = batch.nextOffset }
            }
        }
        return versions
    }

    /// The earliest of what lies ready, or `nil` when a partition must be read first or all is taken.
    mutating func next(upTo ends: [Int64]) -> MonitorItem? {
        var best: Int?
        for index in cursors.indices {
            guard let front = cursors[index].front else {
                if cursors[index].position < ends[index] { return nil }
                continue
            }
            if let known = best, let other = cursors[known].front, other.time <= front.time { continue }
            best = index
        }
        guard let index = best, let front = cursors[index].front else { return nil }
        cursors[index].head += 1
        cursors[index].taken = cursors[index].front == nil ? cursors[index].position : front.next
        return front.item
    }

    private static func predictionItems(_ batch: RecordBatch) throws -> [Queued] {
        var items: [Queued] = []
        try batch.forEach { record in
            guard let value = record.value else { return }
            let next = record.offset + 1
            do throws(MonitoredPrediction.Unreadable) {
                let prediction = try MonitoredPrediction(key: record.key.map(Array.init), value: value)
                items.append(Queued(item: .prediction(prediction), time: prediction.featureTime, next: next))
            } catch {
                items.append(
                    Queued(
                        item: .unreadable("\(batch.topic)/\(batch.partition)/\(record.offset): \(error)"), time: record.timestamp, next: next))
            }
        }
        return items
    }

    private func labelItems(_ batch: RecordBatch) throws -> [Queued] {
        guard let labels else { return [] }
        let schema = labels.view.schema
        let names = [labels.column, schema.metadata.availabilityColumn, "is_final"]
        let columns = names.map { name in schema.columns.first { $0.name == name } }
        var decoder = RowDecoder(
            fields: zip(names, columns).map { RowDecoder.Field($0, $1?.type ?? .bool, isOptional: true) })
        var entities: [(key: EntityKey, offset: Int64)] = []
        try batch.forEach { record in
            guard let value = record.value, let key = record.key.flatMap({ EntityKey(bytes: $0) }) else { return }
            try decoder.append(value)
            entities.append((key, record.offset))
        }
        let decoded = decoder.finish()
        var items: [Queued] = []
        for (row, entity) in entities.enumerated() {
            guard decoded[2][row] != .bool(false), case .int(let time) = decoded[1][row] else { continue }
            items.append(Queued(item: .label(decoded[0][row].number, entity.key, time), time: time, next: entity.offset + 1))
        }
        return items
    }
}
