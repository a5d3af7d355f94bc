package import Domain
package import EventLog
import Features
package import Logging
import Metrics

/// Clocks of a producer.
package struct Clocks: Sendable {
    /// Milliseconds since the epoch: stamps `ingested_at`, nothing else.
    package let wall: @Sendable () -> EventTime.Milliseconds
    /// Paces events and measures silence.
    package let monotonic: @Sendable () -> Duration

    package init(wall: @escaping @Sendable () -> EventTime.Milliseconds, monotonic: @escaping @Sendable () -> Duration) {
        self.wall = wall
        self.monotonic = monotonic
    }
}

/// Puts what one source sends into the topic of its stream, together with how far the source has come: one unit, under the
/// source's lease, so that a killed producer goes on exactly where it stopped and two never send the same.
package actor SourceWriter {
    package struct Target: Sendable {
        package let source: String
        package let topic: String
        /// Tells this input from another of the source's name: a path, a seed, an address.
        package let input: String
        package let projectHash: ContentHash

        package init(source: String, topic: String, input: String, projectHash: ContentHash) {
            self.source = source
            self.topic = topic
            self.input = input
            self.projectHash = projectHash
        }
    }

    /// Another process sends the source.
    package struct Held: Error, CustomStringConvertible {
        package let source: String
        package var description: String { "another process sends the source \"\(source)\" to this log" }
    }

    private let target: Target
    private let log: any EventLog
    private let clocks: Clocks
    private let logger: Logger
    private let owner: String
    private let headers: [Record.Header]
    private let produced: Counter
    private let faulty: Counter
    private var lease: Lease?
    private var leasedAt = Duration.zero
    private var keyTimes: KeyTimes
    /// Whether key times are written with what is sent: for inputs whose sent part nobody reads again.
    private let remembersKeys: Bool
    private var retention = Retention(topic: "", kept: nil)
    /// State that belongs to another input and goes with the first write.
    private var stale: [LogUnit.StateChange] = []

    /// Milliseconds until the source of a process that has stopped answering is free.
    private static let leaseTime: Int64 = 10_000
    private static let leaseRenewal = Duration.seconds(3)
    private static let inputKey = "input"

    package init(_ target: Target, log: any EventLog, clocks: Clocks, logger: Logger, remembersKeys: Bool = false) {
        self.remembersKeys = remembersKeys
        keyTimes = KeyTimes(remembers: remembersKeys)
        self.target = target
        self.log = log
        self.clocks = clocks
        self.logger = logger
        owner = Lease.ownerName("produce/\(target.source)")
        headers = [
            Record.Header(HeaderName.schemaVersion, "1"),
            Record.Header(HeaderName.projectHash, String(target.projectHash.hex.prefix(16))),
        ]
        let dimensions = [("source", target.source), ("topic", target.topic)]
        produced = Counter(label: "mlops_produce_records_total", dimensions: dimensions)
        faulty = Counter(label: "mlops_produce_faulty_records_total", dimensions: dimensions)
    }

    private var group: String { "produce/\(target.source)" }

    /// Takes the source for this process.
    /// - Returns: What an earlier run of the same input has remembered. Another input under the source's name begins at its
    ///   beginning.
    package func open() async throws -> [String: [UInt8]] {
        try await takeLease()
        retention = Retention(topic: target.topic, kept: try await log.retention(of: target.topic))
        let saved = try await log.savedState(group: group, partition: 0)
        guard let input = saved[Self.inputKey] else { return [:] }
        let before = String(decoding: input, as: UTF8.self)
        guard before == target.input else {
            logger.warning(
                "source begins anew: its input is another one than before",
                metadata: ["source": "\(target.source)", "before": "\(before)", "now": "\(target.input)"])
            stale = saved.entries.map { LogUnit.StateChange(key: $0.key, value: nil) }
            return [:]
        }
        let entries = saved.entries.map { (String(decoding: $0.key, as: UTF8.self), $0.value) }
        let known = Dictionary(entries, uniquingKeysWith: { $1 })
        if remembersKeys { keyTimes.merge(KeyTimes(saved: known, now: clocks.monotonic())) }
        return known
    }

    /// Remembers events that an earlier run has sent, so that their keys end and fall silent like the others.
    package func adopt(_ times: KeyTimes) { keyTimes.merge(times) }

    /// The latest event time that the stream can accept now.
    package nonisolated var plausible: EventTime.Milliseconds { clocks.wall() + StreamIntake.maxFuture }

    /// Writes events and what is to be remembered with them.
    package func send(_ events: [SourceEvent], remembering state: [LogUnit.StateChange]) async throws {
        let now = clocks.monotonic(), latest = plausible
        try await renewLease()
        let headers = headers + [Record.Header(HeaderName.ingestedAt, String(clocks.wall()))]
        try retention.check(events.lazy.filter { $0.key != nil }.map(\.time), now: clocks.wall())
        var records: [Record] = []
        records.reserveCapacity(events.count)
        var faults = 0
        for event in events {
            let own = event.fault == nil ? headers : headers + event.headers
            records.append(Record(key: event.key, value: event.value, timestamp: event.time, headers: own))
            keyTimes.note(event.key, event.time, now: now, latest: latest)
            if let fault = event.fault {
                if faults == 0 {
                    logger.warning(
                        "an event of the source is faulty; its stream will refuse it",
                        metadata: ["source": "\(target.source)", "at": "\(fault.place)", "reason": "\(fault.reason)"])
                }
                faults += 1
            }
        }
        try await commit(records, state)
        produced.increment(by: records.count)
        faulty.increment(by: faults)
    }

    /// Writes records that another topic held as they are; those that do not say when they came are stamped now.
    package func forward(_ records: [Record], remembering state: [LogUnit.StateChange]) async throws {
        let now = clocks.monotonic(), latest = plausible
        try await renewLease()
        try retention.check(records.lazy.filter { $0.key != nil }.map(\.timestamp), now: clocks.wall())
        let stamp = Record.Header(HeaderName.ingestedAt, String(clocks.wall()))
        var stamped = records
        for index in stamped.indices where stamped[index].header(HeaderName.tick) == nil {
            if stamped[index].header(HeaderName.ingestedAt) == nil { stamped[index].headers.append(stamp) }
            keyTimes.note(stamped[index].key, stamped[index].timestamp, now: now, latest: latest)
        }
        try await commit(stamped, state)
        produced.increment(by: records.count)
    }

    /// Writes one tick per key: the finite input has ended.
    /// - Returns: How many keys there were.
    package func end(remembering state: [LogUnit.StateChange]) async throws -> Int {
        let ticks = keyTimes.endTicks()
        try await commit(ticks, state)
        return ticks.count
    }

    /// Tells the log of keys that have been silent for `patience`.
    package func tellSilence(patience: Duration) async throws {
        try await renewLease()
        let ticks = keyTimes.idleTicks(now: clocks.monotonic(), patience: patience)
        guard !ticks.isEmpty else { return }
        try await commit(ticks, [])
    }

    /// Counts silence anew: nothing could be heard up to now.
    package func restartSilence() { keyTimes.restart(now: clocks.monotonic()) }

    package func renewLease() async throws {
        if clocks.monotonic() - leasedAt > Self.leaseRenewal { try await takeLease() }
    }

    /// Lets another process go on with the source at once.
    package func release() async throws {
        if let lease { try await log.release(lease) }
        lease = nil
    }

    private func commit(_ records: [Record], _ state: [LogUnit.StateChange]) async throws {
        // Another task of this source may just have learnt that it is somebody else's.
        guard let lease else { throw Held(source: target.source) }
        let input = LogUnit.StateChange(key: Array(Self.inputKey.utf8), value: Array(target.input.utf8))
        let forgotten = stale
        // Told once, also when another write comes before this one has ended.
        stale = []
        let keys = remembersKeys ? keyTimes.takeChanges() : []
        try await log.commit(
            LogUnit(
                group: group, outputs: [.init(topic: target.topic, records: records)], state: forgotten + [input] + keys + state,
                lease: lease))
    }

    /// One process at a time sends a source: two would send everything twice.
    private func takeLease() async throws {
        lease = try await log.acquire(
            group: group, topic: target.topic, partition: 0, owner: owner, now: clocks.wall(), timeToLive: Self.leaseTime)
        guard lease != nil else { throw Held(source: target.source) }
        leasedAt = clocks.monotonic()
    }
}
