import Domain
import EventLog
import Features
import Logging
import Table

/// What a worker says of itself.
extension FeatureWorker {
    /// Rows at the end of a topic that tell how fresh it is. Rows need not come in the order of time.
    private static let freshnessRows = 2_000

    /// After a restart: how fresh the views are, by the rows that are stored.
    func restoreFreshness() async throws {
        for (index, view) in plan.views.views.enumerated() where counters.newest(of: index) == nil {
            let topic = view.definition.topic, name = view.schema.metadata.availabilityColumn
            let end = try await log.endOffset(topic: topic, partition: plan.partition)
            let first = try await log.firstOffset(topic: topic, partition: plan.partition)
            var position = max(first, end - Int64(Self.freshnessRows))
            var reader = ViewRowReader(view, fields: [.init(name, .int, isOptional: true)])
            while position < end {
                let batch = try await log.read(topic: topic, partition: plan.partition, from: position, limit: Self.freshnessRows)
                guard batch.nextOffset > position else { break }
                position = batch.nextOffset
                try batch.forEach { record in
                    if let value = record.value { _ = reader.append(value, header: record.header("mlops-columns")) }
                }
            }
            let times = reader.finish().columns[0]
            let newest = (0..<times.count).compactMap { row in if case .int(let time) = times[row] { time } else { nil } }.max()
            if let newest { counters.note(newest: newest, of: index) }
        }
    }

    /// Tells of records that went to `.late`.
    func tellLate(_ late: [LateRecord]) {
        guard lateness.add(late.count), let first = late.first else { return }
        logger.warning(
            "events came too late for their windows; a file must be in the order of time, or the grace of the view longer",
            metadata: [
                "stream": "\(plan.stream.name)", "partition": "\(plan.partition)", "count": "\(lateness.count)",
                "example": "\(plan.partition)/\(first.offset)", "late_by_ms": "\(first.lateBy)", "view": "\(first.view)",
                "topic": "\(StreamTopics.late(plan.stream))",
            ])
    }

    /// Records that this process sent to `.late`.
    package var lateCount: Int { lateness.count }
}
