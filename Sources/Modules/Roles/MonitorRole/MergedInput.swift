import Domain
import EventLog
import FeatureStore
import Features
import Table

/// One thing that the monitor takes in.
enum MonitorItem: Sendable {
    case prediction(MonitoredPrediction)
    case label(Double?, EntityKey, EventTime.Milliseconds)
    /// A row of the view that the features come from, in the order of ``MergedInput/featureNames``.
    case row([Value], EventTime.Milliseconds)
    case unreadable(String)
}

/// Reads predictions, label rows and feature rows as one sequence in the order of event time.
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

    private enum Kind { case prediction, label, row }

    private struct Cursor {
        let topic: String
        let partition: Int
        let kind: Kind
        /// Which rows of a view count; `nil` for predictions.
        var generations: Generations?
        /// Where the next read starts.
        var position: Int64
        /// One past the last record that was taken.
        var taken: Int64
        var queue: [Queued] = []
        var head = 0

        var front: Queued? { head < queue.count ? queue[head] : nil }
    }

    private static let batchRecords = 2_000

    private let log: any EventLog
    private let labels: Labels?
    private let features: CompiledView?
    private var cursors: [Cursor] = []

    /// - Parameters:
    ///   - features: The view that the features come from; `nil` judges drift on what predictions recorded alone.
    ///   - saved: Holds the positions to go on from.
    init(log: any EventLog, predictionsTopic: String, labels: Labels?, features: CompiledView?, saved: SavedState) async throws {
        self.log = log
        self.labels = labels
        self.features = features
        // Predictions first: of one time, the question comes before the answer.
        var topics: [(String, Kind, ViewDefinition?)] = [(predictionsTopic, .prediction, nil)]
        if let view = labels?.view.definition { topics.append((view.topic, .label, view)) }
        // One view can be both; then its rows are read as labels alone.
        if let features, features.definition.topic != labels?.view.definition.topic {
            topics.append((features.definition.topic, .row, features.definition))
        }
        for (topic, kind, view) in topics {
            for partition in 0..<(try await log.partitions(of: topic)) {
                let position = saved.position(topic: topic, partition: partition)
                cursors.append(
                    Cursor(
                        topic: topic, partition: partition, kind: kind, generations: view.map { Generations(of: $0, log: log) },
                        position: position, taken: position))
            }
        }
    }

    /// The columns of a ``MonitorItem/row(_:_:)``.
    var featureNames: [String] { features?.schema.declared.map(\.name) ?? [] }

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
                // Rows that a rebuild has not finished wait.
                guard let (batch, next) = try await counting(index) else { break }
                cursors[index].queue =
                    switch cursors[index].kind {
                    case .prediction: try Self.predictionItems(batch)
                    case .label: try labelItems(batch, before: next)
                    case .row: try rowItems(batch, before: next)
                    }
                cursors[index].head = 0
                cursors[index].position = next
                for queued in cursors[index].queue {
                    guard case .prediction(let prediction) = queued.item, let number = Int(prediction.version) else { continue }
                    versions.insert(ModelVersion(model: prediction.model, number: number))
                }
                // Rows that say nothing are done with.
                if cursors[index].queue.isEmpty { cursors[index].taken = next }
            }
        }
        return versions
    }

    /// The next records of a cursor that count, and up to where.
    /// - Returns: `nil` when there are none yet.
    private mutating func counting(_ index: Int) async throws -> (batch: RecordBatch, next: Int64)? {
        let cursor = cursors[index], topic = cursor.topic, position = cursor.position
        let batch = try await log.read(topic: topic, partition: cursor.partition, from: position, limit: Self.batchRecords)
        guard batch.nextOffset > position else { return nil }
        let generation = try await generation(index), start = generation.position(after: position)
        if start == position {
            let next = min(batch.nextOffset, generation.until ?? .max)
            return next > position ? (batch, next) : nil
        }
        // Taken at once: from a position where a history begins nobody could tell later that none of it has been seen.
        let later = try await log.read(topic: topic, partition: cursor.partition, from: start, limit: Self.batchRecords)
        let next = min(later.nextOffset, generation.until ?? .max)
        // With nothing there the place may be kept, unless it is such a beginning.
        let isPlace = start > generation.first || generation.until == nil
        guard next > start || isPlace, try await self.generation(index) == generation else { return nil }
        return (later, next)
    }

    private mutating func generation(_ index: Int) async throws -> Generation {
        var generations = cursors[index].generations
        let generation = try await generations?.current(cursors[index].partition) ?? Generation()
        cursors[index].generations = generations
        return generation
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
                        item: .unreadable("\(batch.topic)/\(batch.partition)/\(record.offset): \(error)"), time: record.timestamp,
                        next: next))
            }
        }
        return items
    }

    private func labelItems(_ batch: RecordBatch, before end: Int64) throws -> [Queued] {
        guard let labels else { return [] }
        return try Self.finalRows(batch, before: end, labels.view, [labels.column]).map { row in
            Queued(item: .label(row.values[0].number, row.entity, row.time), time: row.time, next: row.offset + 1)
        }
    }

    private func rowItems(_ batch: RecordBatch, before end: Int64) throws -> [Queued] {
        guard let features else { return [] }
        return try Self.finalRows(batch, before: end, features, featureNames).map { row in
            Queued(item: .row(row.values, row.time), time: row.time, next: row.offset + 1)
        }
    }

    private struct FinalRow {
        let entity: EntityKey
        let offset: Int64
        let time: EventTime.Milliseconds
        let values: [Value]
    }

    /// The named columns of the final rows of a batch. One that meant something else when the row was computed is null; what is no
    /// row at all is passed over.
    private static func finalRows(
        _ batch: RecordBatch, before end: Int64, _ view: CompiledView, _ names: [String]
    ) throws -> [FinalRow] {
        let fields = (names + [view.schema.metadata.availabilityColumn, "is_final"]).map { name in
            RowDecoder.Field(name, view.schema.columns.first { $0.name == name }?.type ?? .bool, isOptional: true)
        }
        var reader = ViewRowReader(view, fields: fields), entities: [(key: EntityKey, offset: Int64)] = []
        try batch.forEach { record in
            guard record.offset < end, let value = record.value, let key = record.key.flatMap({ EntityKey(bytes: $0) }),
                reader.append(value, header: record.header("mlops-columns"))
            else { return }
            entities.append((key, record.offset))
        }
        let columns = reader.finish().columns
        var rows: [FinalRow] = []
        for (row, entity) in entities.enumerated() {
            guard columns[names.count + 1][row] != .bool(false), case .int(let time) = columns[names.count][row] else { continue }
            rows.append(FinalRow(entity: entity.key, offset: entity.offset, time: time, values: names.indices.map { columns[$0][row] }))
        }
        return rows
    }
}
