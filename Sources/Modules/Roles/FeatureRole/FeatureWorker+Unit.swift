import Domain
import EventLog
import Features
import Logging
import Streaming
import Table

/// What a unit holds.
extension FeatureWorker {
    func addRows(_ index: Int, _ rows: ViewRows, to unit: inout LogUnit) {
        let view = plan.views.views[index]
        let times = rows.times(view.schema.metadata.timestampColumn), ends = rows.times(view.schema.metadata.availabilityColumn)
        // A row could not be known before what it was computed from; joins by knowledge time go by it.
        let headers = rowHeaders(of: index) + (ingestedAt.map { [Record.Header(HeaderName.ingestedAt, String($0))] } ?? [])
        var records: [Record] = [], latest: [Int: Int] = [:]
        for row in 0..<rows.count {
            let mark = rows.mark(row), isRemoved = mark.contains(.removed)
            var record = Record(
                key: engine.entity(rows.keyOfRow[row]).bytes, value: isRemoved ? nil : encoders[index].encode(rows.table, row: row),
                timestamp: times[row], headers: headers)
            if isRemoved { record.headers += Self.window(times[row], ends[row]) }
            records.append(record)
            if mark.isDisjoint(with: [.removed, .outrun]) { latest[rows.keyOfRow[row]] = row }
        }
        unit.outputs.append(.init(topic: view.definition.topic, records: records, partition: plan.partition))
        let newest = latest.values.sorted().map { records[$0] }
        if rebuild == nil {
            unit.outputs.append(.init(topic: StreamTopics.latest(view.definition), records: newest, partition: plan.partition))
        } else {
            unit.state += newest.map { StagedRow.change(view.definition.name, $0) }
        }
    }

    /// Rows that an outlier rule held back, as they would have been, with the reason.
    func addHeld(_ index: Int, _ held: HeldRows, to unit: inout LogUnit) {
        let view = plan.views.views[index], rows = held.rows
        let times = rows.times(view.schema.metadata.timestampColumn)
        let records = (0..<rows.count).map { row in
            Record(
                key: engine.entity(rows.keyOfRow[row]).bytes, value: encoders[index].encode(rows.table, row: row), timestamp: times[row],
                headers: rowHeaders(of: index) + [Record.Header(HeaderName.quarantineReason, held.reasons[row])])
        }
        unit.outputs.append(.init(topic: StreamTopics.quarantine(view.definition), records: records, partition: plan.partition))
        logger.warning(
            "rows held back as outliers",
            metadata: [
                "view": "\(view.definition.name)", "count": "\(records.count)", "reason": "\(held.reasons.first ?? "")",
                "topic": "\(StreamTopics.quarantine(view.definition))",
            ])
    }

    /// Names a window where the value does not.
    private static func window(_ start: EventTime.Milliseconds, _ end: EventTime.Milliseconds?) -> [Record.Header] {
        [Record.Header(HeaderName.windowStart, String(start))] + (end.map { [Record.Header(HeaderName.windowEnd, String($0))] } ?? [])
    }

    /// Sends refused and late records on with their original bytes.
    func addDiverted(_ output: EngineOutput, _ batch: RecordBatch, to unit: inout LogUnit) throws {
        var wanted: [Int64: Record] = [:]
        let offsets = Set(output.dead.map(\.offset) + output.late.map(\.offset))
        try batch.forEach { if offsets.contains($0.offset) { wanted[$0.offset] = $0.record } }
        func diverted(_ offset: Int64, _ extra: [Record.Header]) -> Record? {
            wanted[offset].map { record in
                var record = record
                let origin = "\(plan.stream.topic)/\(plan.partition)/\(offset)"
                record.headers += extra + [Record.Header(HeaderName.origin, origin)]
                return record
            }
        }
        let dead = output.dead.compactMap { diverted($0.offset, [Record.Header(HeaderName.deadReason, $0.reason)]) }
        let late = output.late.compactMap { late in
            diverted(
                late.offset,
                [Record.Header(HeaderName.lateBy, String(late.lateBy)), Record.Header(HeaderName.view, late.view)]
                    + Self.window(late.windowStart, nil))
        }
        unit.outputs.append(.init(topic: StreamTopics.dead(plan.stream), records: dead, partition: plan.partition))
        unit.outputs.append(.init(topic: StreamTopics.late(plan.stream), records: late, partition: plan.partition))
        if let first = output.dead.first {
            logger.warning(
                "records refused",
                metadata: [
                    "stream": "\(plan.stream.name)", "count": "\(dead.count)", "first": "\(plan.partition)/\(first.offset)",
                    "reason": "\(first.reason)", "topic": "\(StreamTopics.dead(plan.stream))",
                ])
        }
    }
}
