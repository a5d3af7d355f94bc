package import Domain
package import EventLog
package import Features
import Synchronization
import Table

/// The latest row of every entity of a view as JSON text, cell by cell: answers are put together by copying.
package actor OnlineCells {
    package nonisolated let view: CompiledView
    package nonisolated let columns: [String]
    private nonisolated let state = Mutex(State())
    private let log: any EventLog
    private let topic: String
    private let availabilityIndex: Int
    private var positions: [Int64] = []
    private var reader: ViewRowReader

    private struct State {
        var rows = RowTable()
        var isReady = false
    }

    package init(view: CompiledView, log: any EventLog) {
        self.view = view
        self.log = log
        columns = view.schema.columns.map(\.name)
        topic = view.definition.topic + ".latest"
        availabilityIndex = columns.firstIndex(of: view.schema.metadata.availabilityColumn) ?? 0
        reader = ViewRowReader(view)
    }

    /// The rows of entities by the bytes of their keys, each `nil` where there is none, as of one moment.
    package nonisolated func rows(for keys: TextList) -> [OnlineRow?] {
        keys.bytes.withUnsafeBytes { bytes in
            state.withLock { state in (0..<keys.count).map { state.rows[UnsafeRawBufferPointer(rebasing: bytes[keys.range($0)])] } }
        }
    }

    package nonisolated var count: Int { state.withLock { $0.rows.count } }

    /// Whether the rows have reached the ends that the topic had when it was first read.
    package nonisolated var isReady: Bool { state.withLock { $0.isReady } }

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
        state.withLock { $0.isReady = true }
    }

    private func take(_ batch: RecordBatch) throws {
        var entities: [(key: EntityKey, isDeleted: Bool)] = []
        try batch.forEach { record in
            guard let key = record.key.flatMap({ EntityKey(bytes: $0) }) else { return }
            // What cannot be read is no answer, nor is the row before it.
            let isRow = record.value.map { reader.append($0, header: record.header("mlops-columns")) } ?? false
            entities.append((key, !isRow))
        }
        let columns = reader.finish().columns
        var changed: [(EntityKey, OnlineRow?)] = [], next = 0
        for entity in entities {
            guard !entity.isDeleted else {
                changed.append((entity.key, nil))
                continue
            }
            let values = columns.map { $0[next] }
            next += 1
            changed.append((entity.key, OnlineRow(values, availability: Self.time(values[availabilityIndex]))))
        }
        state.withLock { state in
            for (key, row) in changed { if let row { state.rows.set(key.bytes, to: row) } else { state.rows.remove(key.bytes) } }
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
