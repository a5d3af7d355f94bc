package import Domain
import Logging
import Synchronization

/// The log on a Kafka cluster, for roles in processes and machines of their own.
///
/// Readers see committed records only and read by offset. The right to a partition is membership in a consumer group. A
/// unit is one transaction over its outputs and the group's compacted changelog, where state and input positions lie; the
/// positions that the group keeps at its coordinator are for tools that show lag.
package final class KafkaLog: EventLog {
    private struct Place: Hashable {
        let topic: String
        let partition: Int
    }

    let options: KafkaOptions
    let admin: KafkaAdmin
    let leases: LeaseBook
    let groups: GroupOffsets
    let metrics: KafkaMetrics
    private let producer: KafkaProducer
    private let readers: ReaderPool
    private let signal: AppendSignal
    /// The end offsets that somebody has been told: who then reads up to them must find them.
    private let ends = Mutex<[Place: Int64]>([:])
    /// Names the cluster in copies of states.
    let cluster: String
    private let isService = Atomic(false)
    /// When the cluster last gave an answer that only it can give.
    private let heard = Mutex(ContinuousClock.now)

    private init(_ options: KafkaOptions, admin: KafkaAdmin, cluster: String) throws {
        let metrics = KafkaMetrics(), signal = AppendSignal()
        let statistics: @Sendable (String) -> Void = { metrics.note(statistics: $0) }
        self.options = options
        self.admin = admin
        self.cluster = cluster
        self.metrics = metrics
        self.signal = signal
        leases = LeaseBook(options, admin: admin, metrics: metrics)
        groups = GroupOffsets(options)
        producer = try KafkaProducer(options, statistics: statistics)
        readers = ReaderPool(options, statistics: statistics) { signal.raise([$0]) }
    }

    /// Connects to a cluster.
    /// - Throws: `unreachable` when no broker answers within the patience of the options; `badKafkaSetting`.
    package static func open(_ options: KafkaOptions) async throws -> KafkaLog {
        let areLimited = AllocatorArenas.areLimited
        options.logger.debug("allocator set up", metadata: ["few_arenas": "\(areLimited)"])
        let admin = try KafkaAdmin(options)
        do {
            try await admin.waitForBroker(options.patience)
            let cluster = try await admin.clusterID()
            options.logger.info("cluster reached", metadata: ["brokers": "\(options.brokers)", "cluster": "\(cluster)"])
            return try KafkaLog(options, admin: admin, cluster: cluster)
        } catch {
            admin.close()
            throw error
        }
    }

    /// Leaves all groups and ends all connections.
    package func close() async {
        await leases.close()
        await readers.close()
        producer.close()
        groups.close()
        admin.close()
    }

    package func createTopics(_ plans: [TopicPlan]) async throws { try await admin.createTopics(plans, options: options) }

    /// The cluster's topics; which of them are compacted is not asked.
    package func topics() async throws -> [TopicPlan] {
        try await answered("list topics") {
            try await admin.partitions().map { TopicPlan(name: $0, partitions: $1) }.sorted { $0.name < $1.name }
        }
    }

    package func retention(of topic: String) async throws -> Int64? { try await admin.retention(of: topic) }

    package func partitions(of topic: String) async throws -> Int {
        try await answered("find topic") { try await admin.partitions(of: topic) }
    }

    package func firstOffset(topic: String, partition: Int) async throws -> Int64 {
        try await told("first offset of \(topic)") { try await admin.offsets(topic: topic, partition: partition).lowerBound }
    }

    package func endOffset(topic: String, partition: Int) async throws -> Int64 {
        let end = try await answered("end offset of \(topic)") { try await admin.offsets(topic: topic, partition: partition).upperBound }
        ends.withLock { $0[Place(topic: topic, partition: partition)] = end }
        return end
    }

    package func endOffsets(topic: String) async throws -> [Int64] {
        var ends: [Int64] = []
        for partition in 0..<(try await partitions(of: topic)) { ends.append(try await endOffset(topic: topic, partition: partition)) }
        return ends
    }

    package func committed(group: String, topic: String, partition: Int) async throws -> Int64 {
        try await answered("committed offset of \(group)") {
            try await groups.committed(group: group, topic: topic, partition: partition)
        }
    }

    package func append(_ records: [Record], to topic: String) async throws { try await append(records, to: topic, partition: nil) }

    func append(_ records: [Record], to topic: String, partition: Int?) async throws {
        guard !records.isEmpty else { return }
        try await told("append to \(topic)") { try await producer.append(records, to: topic, partition: partition) }
        signal.raise([topic])
    }

    /// Up to `limit` records from an offset on; fewer only when the partition has no more that are committed.
    ///
    /// The next offset may lie beyond the last record, where control records or compacted ones were.
    package func read(topic: String, partition: Int, from: Int64, limit: Int) async throws -> RecordBatch {
        let place = Place(topic: topic, partition: partition)
        let knownEnd = ends.withLock { $0[place] ?? 0 }
        return try await answered("read \(topic)/\(partition)") {
            do {
                let batch = try await readers.read(topic: topic, partition: partition, from: from, limit: limit, knownEnd: knownEnd)
                if batch.isEmpty { try await findOutWhetherItIsThere(topic) } else { note(answer: .now) }
                return batch
            } catch is PartitionCursor.OutOfRange {
                let range = try await admin.offsets(topic: topic, partition: partition)
                ends.withLock { $0[place] = range.upperBound }
                guard from <= range.upperBound else {
                    throw EventLogError(
                        .positionBeyondEnd(topic: topic, partition: partition, position: from, end: range.upperBound),
                        during: "read \(topic)/\(partition)")
                }
                if from < range.lowerBound { tell(removed: from..<range.lowerBound, of: place) }
                return try await readers.read(
                    topic: topic, partition: partition, from: max(from, range.lowerBound), limit: limit, knownEnd: range.upperBound)
            }
        }
    }

    /// A partition from which nothing comes looks the same when its brokers have gone: now and then they are asked.
    private func findOutWhetherItIsThere(_ topic: String) async throws {
        guard ContinuousClock.now - heard.withLock({ $0 }) > options.silence else { return }
        _ = try await admin.partitions(of: [topic])
        note(answer: .now)
    }

    private func note(answer time: ContinuousClock.Instant) { heard.withLock { $0 = time } }

    /// A reader that begins has lost nothing that was its own, but its results may need what it cannot see.
    private func tell(removed offsets: Range<Int64>, of place: Place) {
        let metadata: Logger.Metadata = ["topic": "\(place.topic)", "partition": "\(place.partition)", "offsets": "\(offsets)"]
        guard offsets.lowerBound > 0 else {
            return options.logger.notice("the topic no longer has its beginning: it is read from what is left", metadata: metadata)
        }
        metrics.note(removed: Int64(offsets.count), topic: place.topic, partition: place.partition)
        options.logger.error("records were removed before they were read: raise the topic's retention", metadata: metadata)
    }

    package func version(of topics: [String]) -> UInt64 { signal.version(of: topics) }

    package func waitForAppend(to topics: [String], after version: UInt64, timeout: Duration) async {
        await signal.wait(for: topics, after: version, timeout: timeout)
    }

    /// The end offset that was last asked for.
    func knownEnd(topic: String, partition: Int) -> Int64? { ends.withLock { $0[Place(topic: topic, partition: partition)] } }

    func raise(_ topics: some Sequence<String>) { signal.raise(topics) }

    package func keepTrying() { isService.store(true, ordering: .releasing) }

    /// How long a commit may take; `nil` for as long as it takes.
    var patience: Duration? { isService.load(ordering: .acquiring) ? nil : options.patience }

    /// Gives the library's failures the operation they happened in, and tells the metrics whether the cluster answers.
    func told<T>(_ operation: String, _ body: () async throws -> T) async throws -> T {
        do {
            let value = try await body()
            metrics.note(isReachable: true)
            return value
        } catch let failure as KafkaFailure {
            metrics.note(isReachable: !failure.isRetriable)
            throw EventLogError(failure, during: operation)
        } catch let error as EventLogError {
            if error.isOutage { metrics.note(isReachable: false) }
            throw error
        }
    }

    /// The same for what may be asked again: a service asks until the cluster answers or the task is cancelled.
    func answered<T>(_ operation: String, _ body: () async throws -> T) async throws -> T {
        let clock = ContinuousClock(), start = clock.now
        var delay = Duration.milliseconds(100), failures = 0
        while true {
            do {
                let value = try await told(operation, body)
                if failures > 0 { tell("the cluster answers again", .notice, operation, clock.now - start, nil) }
                return value
            } catch let error as EventLogError {
                guard error.isOutage, isService.load(ordering: .acquiring) else { throw error }
                tell("the cluster does not answer: trying again", failures == 0 ? .warning : .debug, operation, clock.now - start, error)
                failures += 1
            }
            try await Task.sleep(for: delay)
            delay = min(delay * 2, .seconds(2))
        }
    }

    private func tell(_ text: Logger.Message, _ level: Logger.Level, _ operation: String, _ time: Duration, _ error: EventLogError?) {
        var metadata: Logger.Metadata = ["operation": "\(operation)", "seconds": "\(Int(time.seconds))"]
        if let error { metadata["error"] = "\(error)" }
        options.logger.log(level: level, text, metadata: metadata)
    }
}
