package import Domain
package import EventLog
package import FeatureStore
package import Features
package import Logging
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
        /// Whether state that other definitions made is given up, and every row computed again.
        package let rebuilds: Bool

        package init(
            stream: StreamDefinition, views: CompiledViews, partition: Int, projectHash: ContentHash, batchRecords: Int,
            rebuilds: Bool = false
        ) {
            self.rebuilds = rebuilds
            self.stream = stream
            self.views = views
            self.partition = partition
            self.projectHash = projectHash
            self.batchRecords = batchRecords
        }
    }

    let plan: Plan
    let log: any EventLog
    let logger: Logger
    let encoders: [RowEncoder]
    let archive: EventArchive?
    private let headers: [Record.Header]
    private let marks: [Record.Header]
    var counters: FeatureCounters
    var lateness = Lateness()
    var engine: FeatureEngine
    var position: Int64 = 0
    /// The rebuild under way.
    var rebuild: Rebuild?
    var history: EventHistory?
    /// Per other stream that is joined, what has been read of it.
    var others: [OtherInput] = []
    /// Whether the last step found that another stream has to say more first.
    var isWaiting = false
    /// When the newest event of the batch was ingested, by the headers; `nil` when none says so.
    var ingestedAt: Int64?
    var isOpen = false
    package private(set) var lease: Lease?
    /// Whether others may go on with the partition too, so that nothing is written without a lease.
    private var isShared = false

    /// - Parameter archive: Where a rebuild finds the events that the log no longer has.
    package init(_ plan: Plan, log: any EventLog, archive: EventArchive? = nil, logger: Logger) throws {
        self.plan = plan
        self.log = log
        self.archive = archive
        self.logger = logger
        marks = plan.views.views.map { Record.Header(HeaderName.columns, $0.mark.bytes) }
        engine = try FeatureEngine(stream: plan.stream, views: plan.views)
        encoders = plan.views.views.map { RowEncoder(columns: $0.schema.columns.map(\.name)) }
        counters = FeatureCounters(stream: plan.stream.name, views: plan.views.views, partition: plan.partition)
        headers = [
            Record.Header(HeaderName.schemaVersion, "1"),
            Record.Header(HeaderName.projectHash, String(plan.projectHash.hex.prefix(16))),
        ]
    }

    package static func group(_ stream: StreamDefinition) -> String { "features/\(stream.topic)" }
    var group: String { Self.group(plan.stream) }

    /// What every row of a view says of itself.
    func rowHeaders(of view: Int) -> [Record.Header] { headers + [marks[view]] }

    /// Puts the saved state back.
    ///
    /// - Parameter begins: Whether a rebuild that is due begins. Without, it is found out whether it could: so nothing is given up
    ///   in one partition before the others have been looked at.
    /// - Throws: ``EngineState/Error`` when it does not fit the project, and rows are not to be computed again;
    ///   ``EventHistory/Error`` when they are, and events are missing.
    package func open(begins: Bool = true) async throws {
        guard !isOpen, lease != nil || !isShared else { return }
        let lease = lease
        try await PartitionsDiffer.check(plan.stream, plan.views, log)
        let saved = try await log.savedState(group: group, partition: plan.partition)
        // What was read under another lease may be old; the next drain reads it again.
        guard lease == self.lease else { return }
        engine = try FeatureEngine(stream: plan.stream, views: plan.views)
        openOthers(saved)
        do {
            try engine.restore(saved.entries)
            position = saved.position(topic: plan.stream.topic, partition: plan.partition)
            rebuild = try Rebuild(saved)
        } catch let error as EngineState.Error {
            guard plan.rebuilds else { throw error }
            let rebuild = Rebuild(over: saved, of: plan)
            try await checkHistory(rebuild)
            guard begins else { return }
            try await begin(rebuild, giving: saved, because: error, lease)
            guard lease == self.lease else { return }
        }
        history = rebuild == nil ? nil : EventHistory(stream: plan.stream, partition: plan.partition, log: log, archive: archive)
        isOpen = true
        if position > 0 {
            logger.info(
                "features go on", metadata: ["stream": "\(plan.stream.name)", "partition": "\(plan.partition)", "from": "\(position)"])
        }
        try await restoreFreshness()
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
        while position < end || rebuild != nil, !Task.isCancelled {
            // A lease that changed meanwhile asks for the state that is saved now.
            guard isOpen else { break }
            total += try await step()
            if isWaiting { break }
        }
        return total
    }

    /// One unit.
    /// - Returns: Records processed; 0 at the end of the partition, and where another stream has to say more first.
    package func step() async throws -> Int {
        // The lease under which the state was read fences the unit, whatever comes while this waits for records.
        let lease = lease
        if let rebuild, position >= rebuild.until {
            // Whether it has been written is not known after an error, so the state is read again.
            do { try await finish(rebuild, lease) } catch {
                isOpen = false
                throw error
            }
            return 0
        }
        isWaiting = false
        var batch = try await read(), joined = 0
        guard isOpen else { return 0 }
        guard !batch.isEmpty else {
            // Offsets without records, such as the marks of transactions, are done with.
            position = batch.nextOffset
            return 0
        }
        ingestedAt = nil
        if !others.isEmpty {
            (batch, joined) = try await ordered(batch)
            guard isOpen else { return 0 }
            isWaiting = batch.isEmpty && joined == 0
            if isWaiting { return 0 }
        }
        try Self.take(batch, into: &engine, &ingestedAt)
        let output = engine.process()
        var unit = LogUnit(group: group, partition: plan.partition, lease: lease)
        for (index, rows) in output.rows.enumerated() where rows.count > 0 { addRows(index, rows, to: &unit) }
        for (index, held) in output.held { addHeld(index, held, to: &unit) }
        // What was refused or late was told when it first came.
        if rebuild == nil, !output.dead.isEmpty || !output.late.isEmpty { try addDiverted(output, batch, to: &unit) }
        unit.state += engine.takeChanges().map { LogUnit.StateChange(key: $0.key, value: $0.value) }
        unit.offsets = [LogUnit.Position(topic: plan.stream.topic, partition: plan.partition, next: batch.nextOffset)]
        unit.offsets += otherPositions
        do {
            try await log.commit(unit)
        } catch {
            // The engine is ahead of the log: what it computed did not happen.
            isOpen = false
            throw error
        }
        position = batch.nextOffset
        counters.note(output)
        if rebuild == nil { tellLate(output.late) }
        return batch.count + joined
    }

    private func read() async throws -> RecordBatch {
        if let rebuild, let history {
            return try await history.next(from: position, end: rebuild.until, limit: plan.batchRecords)
        }
        return try await log.read(topic: plan.stream.topic, partition: plan.partition, from: position, limit: plan.batchRecords)
    }

    /// - Parameter newest: Raised to when the newest event was ingested.
    static func take(_ batch: RecordBatch, into engine: inout FeatureEngine, _ newest: inout Int64?) throws {
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
            let ingested = record.header("mlops-ingested-at").flatMap(decimal)
            if let ingested, ingested > newest ?? .min { newest = ingested }
            if let view = record.header("mlops-release") {
                return engine.addRelease(
                    record.value, of: String(decoding: view, as: UTF8.self), key: record.key.flatMap { EntityKey(bytes: $0) },
                    header: record.header("mlops-columns"), offset: record.offset)
            }
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
}
