package import Domain
package import EventLog
package import Features
package import Logging
import Metrics
import Streaming
import Table

/// Runs the feature engine over one partition of a stream: reads, computes, and commits rows, state and position as one
/// unit. It resumes exactly at its stored position and replays nothing.
package actor FeatureWorker {
    package struct Plan: Sendable {
        package let stream: StreamDefinition
        package let views: CompiledViews
        package let partition: Int
        package let projectHash: ContentHash
        /// Records in one unit.
        package let batchRecords: Int

        package init(
            stream: StreamDefinition, views: CompiledViews, partition: Int, projectHash: ContentHash, batchRecords: Int
        ) {
            self.stream = stream
            self.views = views
            self.partition = partition
            self.projectHash = projectHash
            self.batchRecords = batchRecords
        }
    }

    private let plan: Plan
    private let log: any EventLog
    private let logger: Logger
    private let headers: [Record.Header]
    private let encoders: [RowEncoder]
    private let counters: FeatureCounters
    private var engine: FeatureEngine
    private var position: Int64 = 0
    /// When the newest event of the batch was ingested, by the headers; `nil` when none says so.
    private var ingestedAt: Int64?
    private var isOpen = false
    package private(set) var lease: Lease?
    /// Whether others may go on with the partition too, so that nothing is written without a lease.
    private var isShared = false

    package init(_ plan: Plan, log: any EventLog, logger: Logger) throws {
        self.plan = plan
        self.log = log
        self.logger = logger
        engine = try FeatureEngine(stream: plan.stream, views: plan.views)
        encoders = plan.views.views.map { RowEncoder(columns: $0.schema.columns.map(\.name)) }
        counters = FeatureCounters(stream: plan.stream.name, views: plan.views.views, partition: plan.partition)
        headers = [
            Record.Header(HeaderName.schemaVersion, "1"),
            Record.Header(HeaderName.projectHash, String(plan.projectHash.hex.prefix(16))),
        ]
    }

    package static func group(_ stream: StreamDefinition) -> String { "features/\(stream.topic)" }
    private var group: String { Self.group(plan.stream) }

    /// Puts the saved state back.
    /// - Throws: ``EngineState/Error`` when it does not fit the project.
    package func open() async throws {
        guard !isOpen, lease != nil || !isShared else { return }
        let lease = lease
        let saved = try await log.savedState(group: group, partition: plan.partition)
        // What was read under another lease may be old; the next drain reads it again.
        guard lease == self.lease else { return }
        engine = try FeatureEngine(stream: plan.stream, views: plan.views)
        try engine.restore(saved.entries)
        position = saved.position(topic: plan.stream.topic, partition: plan.partition)
        isOpen = true
        if position > 0 {
            logger.info(
                "features go on", metadata: ["stream": "\(plan.stream.name)", "partition": "\(plan.partition)", "from": "\(position)"])
        }
    }

    /// Takes or loses the right to the partition. What was computed under another lease is forgotten: somebody else may have
    /// gone on in between.
    package func hold(_ lease: Lease?) {
        if lease != self.lease { isOpen = false }
        self.lease = lease
        isShared = true
    }

    /// Processes what the partition holds now.
    /// - Returns: Records processed.
    package func drain() async throws -> Int {
        try await open()
        var total = 0
        let end = try await log.endOffset(topic: plan.stream.topic, partition: plan.partition)
        while position < end, !Task.isCancelled {
            // A lease that changed meanwhile asks for the state that is saved now.
            guard isOpen else { break }
            total += try await step()
        }
        return total
    }

    /// One unit.
    /// - Returns: Records processed; 0 at the end of the partition.
    package func step() async throws -> Int {
        // The lease under which the state was read fences the unit, whatever comes while this waits for records.
        let lease = lease
        let batch = try await log.read(
            topic: plan.stream.topic, partition: plan.partition, from: position, limit: plan.batchRecords)
        guard isOpen else { return 0 }
        guard !batch.isEmpty else {
            // Offsets without records, such as the marks of transactions, are done with.
            position = batch.nextOffset
            return 0
        }
        try take(batch)
        let output = engine.process()
        var unit = LogUnit(group: group, partition: plan.partition, lease: lease)
        for (index, rows) in output.rows.enumerated() where rows.count > 0 { addRows(index, rows, to: &unit) }
        for (index, held) in output.held { addHeld(index, held, to: &unit) }
        if !output.dead.isEmpty || !output.late.isEmpty { try addDiverted(output, batch, to: &unit) }
        unit.state = engine.takeChanges().map { LogUnit.StateChange(key: $0.key, value: $0.value) }
        unit.offsets = [LogUnit.Position(topic: plan.stream.topic, partition: plan.partition, next: batch.nextOffset)]
        do {
            try await log.commit(unit)
        } catch {
            // The engine is ahead of the log: what it computed did not happen.
            isOpen = false
            throw error
        }
        position = batch.nextOffset
        counters.note(output)
        return batch.count
    }

    private func take(_ batch: RecordBatch) throws {
        ingestedAt = nil
        try batch.forEach { record in
            guard record.hasHeaders else {
                return engine.addEvent(record.value, hasKey: record.key != nil, offset: record.offset, ingestedAt: nil)
            }
            if let mark = record.header("mlops-tick") {
                guard let tick = Tick(rawValue: String(decoding: mark, as: UTF8.self)),
                    let key = record.key.flatMap({ EntityKey(bytes: $0) })
                else { return engine.addEvent(record.value, hasKey: false, offset: record.offset, ingestedAt: nil) }
                return engine.addTick(tick, key: key, time: record.timestamp, offset: record.offset)
            }
            let ingested = record.header("mlops-ingested-at").flatMap(Self.decimal)
            if let ingested, ingested > ingestedAt ?? .min { ingestedAt = ingested }
            engine.addEvent(record.value, hasKey: (record.key?.count ?? 0) > 0, offset: record.offset, ingestedAt: ingested)
        }
    }

    private static func decimal(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        guard !bytes.isEmpty, bytes.count <= 18 else { return nil }
        var value: Int64 = 0
        for byte in bytes {
            guard (48...57).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 48)
        }
        return value
    }

    private func addRows(_ index: Int, _ rows: ViewRows, to unit: inout LogUnit) {
        let view = plan.views.views[index]
        let times = rows.times(view.schema.metadata.timestampColumn), ends = rows.times(view.schema.metadata.availabilityColumn)
        // A row could not be known before what it was computed from; joins by knowledge time go by it.
        let headers = headers + (ingestedAt.map { [Record.Header(HeaderName.ingestedAt, String($0))] } ?? [])
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
        unit.outputs.append(
            .init(
                topic: StreamTopics.latest(view.definition), records: latest.values.sorted().map { records[$0] },
                partition: plan.partition))
    }

    /// Rows that an outlier rule held back, as they would have been, with the reason.
    private func addHeld(_ index: Int, _ held: HeldRows, to unit: inout LogUnit) {
        let view = plan.views.views[index], rows = held.rows
        let times = rows.times(view.schema.metadata.timestampColumn)
        let records = (0..<rows.count).map { row in
            Record(
                key: engine.entity(rows.keyOfRow[row]).bytes, value: encoders[index].encode(rows.table, row: row), timestamp: times[row],
                headers: headers + [Record.Header(HeaderName.quarantineReason, held.reasons[row])])
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
    private func addDiverted(_ output: EngineOutput, _ batch: RecordBatch, to unit: inout LogUnit) throws {
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

/// What a worker counts.
private struct FeatureCounters: Sendable {
    let accepted: Counter
    let dead: Counter
    let late: Counter
    let duplicates: Counter
    let overflows: Counter
    let canonicalValues: Counter
    let canonicalUnknown: Counter
    let held: Counter
    let rows: [Counter]
    /// Per view, the column of availability and what shows the newest of it, in seconds since the epoch: how fresh the view is.
    let newest: [(column: String, gauge: Gauge)]

    init(stream: String, views: [CompiledView], partition: Int) {
        func counter(_ name: String) -> Counter { Counter(label: "mlops_features_\(name)_total", dimensions: [("stream", stream)]) }
        accepted = counter("events_accepted")
        dead = counter("events_dead")
        late = counter("events_late")
        duplicates = counter("events_duplicate")
        overflows = counter("integer_overflows")
        canonicalValues = counter("canonical_values")
        canonicalUnknown = counter("canonical_unknown")
        held = counter("rows_quarantined")
        rows = views.map { Counter(label: "mlops_features_rows_total", dimensions: [("view", $0.definition.name)]) }
        newest = views.map { view in
            let dimensions = [("view", view.definition.name), ("partition", String(partition))]
            return (view.schema.metadata.availabilityColumn, Gauge(label: "mlops_features_newest_row_seconds", dimensions: dimensions))
        }
    }

    func note(_ output: EngineOutput) {
        accepted.increment(by: output.accepted)
        dead.increment(by: output.dead.count)
        late.increment(by: output.late.count)
        duplicates.increment(by: output.duplicates)
        overflows.increment(by: output.overflows)
        canonicalValues.increment(by: output.canonicalValues)
        canonicalUnknown.increment(by: output.canonicalUnknown)
        held.increment(by: output.held.reduce(0) { $0 + $1.rows.reasons.count })
        for (counter, rows) in zip(rows, output.rows) { counter.increment(by: rows.count) }
        for ((column, gauge), rows) in zip(newest, output.rows) {
            if let time = rows.times(column).max() { gauge.record(Double(time) / 1_000) }
        }
    }
}
