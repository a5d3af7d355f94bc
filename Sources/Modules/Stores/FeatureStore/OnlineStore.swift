package import Domain
package import EventLog
package import Features
import Table

/// The latest row of every entity of a view, held in memory and fed by the view's compacted topic.
package actor OnlineStore {
    package struct Row: Sendable {
        /// The view's columns in schema order.
        package let values: [Value]
        /// From when on the row could have been known, milliseconds since the epoch.
        package let availability: EventTime.Milliseconds
        package let partition: Int
        package let offset: Int64
        /// Columns that the row does not have in their present meaning; null in ``values``.
        package let foreign: Set<String>
    }

    package nonisolated let view: CompiledView
    package nonisolated let columns: [String]
    private let log: any EventLog
    private let topic: String
    private let availabilityIndex: Int
    private var rows: [EntityKey: Row] = [:]
    private var positions: [Int64] = []
    private var reader: ViewRowReader
    /// Whether the store has reached the ends that the topic had when it was first read.
    package private(set) var isReady = false

    package init(view: CompiledView, log: any EventLog) {
        self.view = view
        self.log = log
        columns = view.schema.columns.map(\.name)
        topic = view.definition.topic + ".latest"
        availabilityIndex = columns.firstIndex(of: view.schema.metadata.availabilityColumn) ?? 0
        reader = ViewRowReader(view)
    }

    package func row(for entity: EntityKey) -> Row? { rows[entity] }
    package var count: Int { rows.count }
    /// All entities, sorted.
    package var entities: [EntityKey] { rows.keys.sorted() }

    /// Reads what the topic holds now.
    package func refresh() async throws {
        if positions.isEmpty { positions = [Int64](repeating: 0, count: try await log.partitions(of: topic)) }
        for partition in positions.indices {
            while true {
                let batch = try await log.read(topic: topic, partition: partition, from: positions[partition], limit: 10_000)
                if !batch.isEmpty { try take(batch) }
                positions[partition] = batch.nextOffset
                if batch.count < 10_000 { break }
            }
        }
        isReady = true
    }

    private func take(_ batch: RecordBatch) throws {
        var entities: [(key: EntityKey, offset: Int64, isDeleted: Bool)] = []
        try batch.forEach { record in
            guard let key = record.key.flatMap({ EntityKey(bytes: $0) }) else { return }
            // What cannot be read is no answer, nor is the row before it.
            let isRow = record.value.map { reader.append($0, header: record.header("mlops-columns")) } ?? false
            entities.append((key, record.offset, !isRow))
        }
        let decoded = reader.finish()
        var next = 0
        for entity in entities {
            guard !entity.isDeleted else {
                rows[entity.key] = nil
                continue
            }
            let values = decoded.columns.map { $0[next] }
            rows[entity.key] = Row(
                values: values, availability: Self.time(values[availabilityIndex]), partition: batch.partition, offset: entity.offset,
                foreign: decoded.foreign.isEmpty ? [] : decoded.foreign[next])
            next += 1
        }
    }

    private static func time(_ value: Value) -> EventTime.Milliseconds {
        switch value {
        case .int(let time), .time(let time): time
        default: 0
        }
    }

    /// Follows the topic until the task is cancelled. What passes by itself is told and tried again; the rows stay as they were.
    package func run(trouble: @Sendable (EventLogError) -> Void) async throws {
        try await log.follow(topic, trouble: trouble) { try await self.refresh() }
    }
}
