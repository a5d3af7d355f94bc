package import Domain
import EventLog
import FeatureStore
import Features
import Inference
import Logging
import Table

/// Predicts every new final row of a view, exactly once: predictions and positions are committed as one unit, so a crash
/// neither loses nor repeats one.
package actor StreamPredictor {
    /// Where to begin when this model has never predicted the stream before.
    package enum Start: Sendable { case latest, beginning }

    package enum Error: Swift.Error, CustomStringConvertible {
        case noModel(String)
        case otherDefinitions(ModelVersion, columns: [String])
        /// Another process predicts some of the stream.
        case held(String)

        package var description: String {
            switch self {
            case .noModel(let name): "model \"\(name)\" is not loaded"
            case .held(let name): "another process predicts the stream for model \"\(name)\""
            case .otherDefinitions(let version, let columns):
                "\(version) was trained on other definitions of: \(columns.joined(separator: ", "))"
            }
        }
    }

    private static let batchRecords = 2_000
    /// Milliseconds until the partitions of a process that has stopped answering are free; a dead one's are at once.
    private static let leaseTime: Int64 = 10_000
    private static let renewal = Duration.seconds(3)

    private let slot: ModelSlot
    private let view: CompiledView
    private let log: any EventLog
    private let predictionsTopic: String
    private let metrics: ServeMetrics
    private let logger: Logger
    private let wall: @Sendable () -> EventTime.Milliseconds
    private let owner: String
    private var leases: [Int: Lease] = [:]
    private var positions: [Int: Int64] = [:]
    private var generations: Generations
    private var partitions = 0
    private let clock: @Sendable () -> ContinuousClock.Instant
    private var renewed: ContinuousClock.Instant
    private var start = Start.latest
    private var isFollowing = false
    private var isOpening = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var pausedFor: ModelVersion?

    /// - Parameters:
    ///   - wall: Milliseconds since the epoch, for leases and for when a prediction was asked for.
    ///   - clock: When to renew them.
    init(
        slot: ModelSlot, view: CompiledView, log: any EventLog, predictionsTopic: String, metrics: ServeMetrics, logger: Logger,
        wall: @escaping @Sendable () -> EventTime.Milliseconds, clock: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        instance: String
    ) {
        self.slot = slot
        self.view = view
        self.log = log
        self.predictionsTopic = predictionsTopic
        self.metrics = metrics
        self.logger = logger
        self.wall = wall
        self.clock = clock
        renewed = clock()
        owner = Lease.ownerName(instance)
        generations = Generations(of: view.definition, log: log)
    }

    private var topic: String { view.definition.topic }
    private var group: String { "serve-stream/\(slot.name)" }

    /// Takes what partitions are free and finds where to go on in each; on the very first time, where to begin.
    ///
    /// - Parameter start: Counts only for partitions that this model has never read. ``Start/latest`` is where the stream stood
    ///   when the first version was there; rows before are never predicted.
    package func open(from start: Start) async throws {
        // One at a time: the second would note a later beginning over the first one's.
        while isOpening { await withCheckedContinuation { waiting.append($0) } }
        isOpening = true
        defer {
            isOpening = false
            for continuation in waiting { continuation.resume() }
            waiting = []
        }
        self.start = start
        renewed = clock()
        partitions = try await log.partitions(of: topic)
        for partition in 0..<partitions {
            let lease = try await log.acquire(
                group: group, topic: topic, partition: partition, owner: owner, now: wall(), timeToLive: Self.leaseTime)
            if lease == nil || lease != leases[partition] { positions[partition] = nil }
            leases[partition] = lease
            guard let lease, positions[partition] == nil else { continue }
            let saved = try await log.savedState(group: group, partition: partition)
            if saved["start"] != nil {
                positions[partition] = saved.position(topic: topic, partition: partition)
            } else {
                // What came before there was a model is not for it to predict: it may have learnt from it.
                guard slot.current != nil || start == .beginning else { continue }
                let first = start == .latest ? try await log.endOffset(topic: topic, partition: partition) : 0
                try await log.commit(
                    LogUnit(
                        group: group, partition: partition,
                        state: [.init(key: Array("start".utf8), value: Array(String(first).utf8))],
                        offsets: [.init(topic: topic, partition: partition, next: first)], lease: lease))
                positions[partition] = first
            }
        }
    }

    /// Notes where the stream stands now that there is a model, so that every row from here on is predicted.
    func modelArrived() async {
        guard isFollowing else { return }
        do {
            try await open(from: start)
        } catch {
            // The loop that follows the stream meets the same trouble and deals with it.
            logger.debug("the start of the stream is noted later", metadata: ["model": "\(slot.name)", "error": "\(error)"])
        }
    }

    /// Whether this process has every partition.
    var hasAll: Bool { positions.count == partitions }
    nonisolated var model: String { slot.name }

    /// Gives the partitions back, so that the next process need not wait for them.
    package func release() async throws {
        for lease in leases.values { try await log.release(lease) }
        leases = [:]
        positions = [:]
    }

    /// Predicts everything that the view's topic holds now.
    /// - Returns: Predictions made.
    /// - Throws: ``Error`` when there is no model, or one that must not be fed with these rows.
    @discardableResult
    package func drain() async throws -> Int {
        var total = 0
        for partition in positions.keys.sorted() {
            let end = try await log.endOffset(topic: topic, partition: partition)
            while !Task.isCancelled {
                // First the lease, then where to go on: renewing may find that another process has the partition.
                if clock() - renewed > Self.renewal { try await open(from: start) }
                guard let lease = leases[partition], let position = positions[partition], position < end else { break }
                total += try await step(partition, from: position, lease)
                // Rows that a rebuild has not finished wait.
                guard positions[partition] != position else { break }
            }
        }
        return total
    }

    /// Follows the view until the task is cancelled; while there is no usable model it waits and the rows wait too.
    func run(from start: Start) async throws {
        isFollowing = true
        defer { isFollowing = false }
        self.start = start
        var isOpen = false
        while !Task.isCancelled {
            let version = log.version(of: [topic])
            do {
                let isDue = !isOpen || clock() - renewed > Self.renewal || (positions.count < leases.count && slot.current != nil)
                if isDue { try await open(from: start) }
                isOpen = true
                if try await drain() > 0 { continue }
            } catch let error as Error {
                pause(error)
            } catch let error as EventLogError {
                if case .fenced(_, _, let partition) = error.code {
                    // Another process has gone on from here; what it left is read again when the partition comes back.
                    leases[partition] = nil
                    positions[partition] = nil
                } else {
                    guard error.isRetriable else { throw error }
                    logger.warning("stream prediction waits for the log", metadata: ["error": "\(error)"])
                }
            }
            await log.waitForAppend(to: [topic], after: version, timeout: .milliseconds(100))
        }
    }

    private func pause(_ error: Error) {
        let version = slot.current?.version
        guard version != nil, version != pausedFor else { return }
        pausedFor = version
        logger.warning("stream prediction waits", metadata: ["model": "\(slot.name)", "reason": "\(error)"])
    }

    private func step(_ partition: Int, from position: Int64, _ lease: Lease) async throws -> Int {
        guard let served = slot.current else { throw Error.noModel(slot.name) }
        guard served.binding.mismatched.isEmpty else {
            throw Error.otherDefinitions(served.version, columns: served.binding.mismatched)
        }
        guard let (batch, next) = try await counting(partition, from: position) else { return 0 }
        let (records, skipped) = try predictions(of: batch, before: next, served)
        var unit = LogUnit(
            group: group, partition: partition, outputs: [.init(topic: predictionsTopic, records: records)], lease: lease)
        unit.offsets = [.init(topic: topic, partition: partition, next: next)]
        try await log.commit(unit)
        // While this waited, the partition may have been given away, and even come back with what another process left.
        if leases[partition] == lease { positions[partition] = next }
        metrics.predicted(version: served.number, count: records.count, path: "stream")
        if skipped > 0 { metrics.skipped(skipped) }
        metrics.streamLag(try await log.endOffset(topic: topic, partition: partition) - next)
        return records.count
    }

    /// The next rows that count, and up to where.
    /// - Returns: `nil` when there are none yet.
    private func counting(_ partition: Int, from position: Int64) async throws -> (batch: RecordBatch, next: Int64)? {
        let batch = try await log.read(topic: topic, partition: partition, from: position, limit: Self.batchRecords)
        guard batch.nextOffset > position else { return nil }
        let generation = try await generation(of: partition), start = generation.position(after: position)
        if start == position {
            let next = min(batch.nextOffset, generation.until ?? .max)
            return next > position ? (batch, next) : nil
        }
        // Taken at once: from a position where a history begins nobody could tell later that none of it has been seen.
        let later = try await log.read(topic: topic, partition: partition, from: start, limit: Self.batchRecords)
        let next = min(later.nextOffset, generation.until ?? .max)
        // With nothing there the place may be kept, unless it is such a beginning.
        let isPlace = start > generation.first || generation.until == nil
        guard next > start || isPlace, try await self.generation(of: partition) == generation else { return nil }
        return (later, next)
    }

    private func generation(of partition: Int) async throws -> Generation {
        // Other tasks may ask while this one waits: each works with a copy of its own.
        var generations = generations
        let generation = try await generations.current(partition)
        self.generations = generations
        return generation
    }

    /// One record a final row; a row that cannot be read, that lacks an input of the model, or for which the model has no number is
    /// counted instead.
    private func predictions(
        of batch: RecordBatch, before end: Int64, _ served: ServedModel
    ) throws -> (records: [Record], skipped: Int) {
        let columns = view.schema.columns
        var reader = ViewRowReader(view), entities: [EntityKey] = [], skipped = 0
        try batch.forEach { record in
            guard record.offset < end, let value = record.value, let key = record.key.flatMap({ EntityKey(bytes: $0) }) else { return }
            if reader.append(value, header: record.header("mlops-columns")) { entities.append(key) } else { skipped += 1 }
        }
        let rows = reader.finish(), names = served.model.inputs.map(\.name)
        let availability = columns.firstIndex { $0.name == view.schema.metadata.availabilityColumn } ?? 0
        let finality = columns.firstIndex { $0.name == "is_final" }
        let requestedAt = wall()
        var records: [Record] = []
        records.reserveCapacity(entities.count)
        for (row, entity) in entities.enumerated() {
            if let finality, rows.columns[finality][row] == .bool(false) { continue }
            guard !rows.isForeign(row, names), case .int(let time) = rows.columns[availability][row] else {
                skipped += 1
                continue
            }
            let inputs = served.binding.positions.map { rows.columns[$0][row] }
            let output = try served.model.predict(inputs)
            guard output.isFinite else {
                skipped += 1
                continue
            }
            records.append(
                PredictionRecord(served, inputs: inputs, output: output, entity: entity, featureTime: time, requestedAt: requestedAt).record
            )
        }
        return (records, skipped)
    }
}
