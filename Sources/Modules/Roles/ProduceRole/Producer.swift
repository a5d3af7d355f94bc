package import Domain
package import EventLog
import Features
package import Logging
import Metrics
package import Settings

/// Sends the events of one source to the topic of its stream, in order, and remembers how far it has come.
///
/// Events and position are written in one unit, so a killed producer goes on exactly where it stopped.
package actor Producer {
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

    package struct Plan: Sendable {
        package let source: String
        package let topic: String
        /// Tells this input from another of the source's name: a path, a seed.
        package let input: String
        package let speed: Speed
        /// Silence of a key after which a tick is written; `nil` for never.
        package let idlePatience: Duration?
        package let projectHash: ContentHash

        package init(source: String, topic: String, input: String, speed: Speed, idlePatience: Duration?, projectHash: ContentHash) {
            self.source = source
            self.topic = topic
            self.input = input
            self.speed = speed
            self.idlePatience = idlePatience
            self.projectHash = projectHash
        }
    }

    /// Another process sends the source.
    package struct Held: Error, CustomStringConvertible {
        package let source: String
        package var description: String { "another process sends the source \"\(source)\" to this log" }
    }

    private let plan: Plan
    private let owner: String
    private var lease: Lease?
    private var leasedAt = Duration.zero
    private let makeSource: @Sendable () throws -> any EventSource
    private let log: any EventLog
    private let clocks: Clocks
    private let logger: Logger
    private let headers: [Record.Header]
    private let produced: Counter
    private var source: (any EventSource)?
    private var keyTimes = KeyTimes()
    /// Events of the source that the log holds.
    package private(set) var position: Int64 = 0
    private var begun: (event: EventTime.Milliseconds, at: Duration)?
    private var held: ArraySlice<SourceEvent> = []
    private var isExhausted = false
    /// The log already says that the input has ended.
    private var isFinished = false

    /// Records of one write to the log.
    private static let batchRecords = 10_000
    /// Milliseconds until the source of a process that has stopped answering is free.
    private static let leaseTime: Int64 = 10_000
    private static let leaseRenewal = Duration.seconds(3)
    /// How long a paced producer sleeps at most before it looks for silent keys again.
    private static let longestNap = Duration.milliseconds(250)

    /// - Parameter makeSource: Opens the source at its beginning; called once.
    package init(
        _ plan: Plan, log: any EventLog, clocks: Clocks, logger: Logger, makeSource: @escaping @Sendable () throws -> any EventSource
    ) {
        self.plan = plan
        owner = Lease.ownerName("produce/\(plan.source)")
        self.log = log
        self.clocks = clocks
        self.logger = logger
        self.makeSource = makeSource
        headers = [
            Record.Header(HeaderName.schemaVersion, "1"),
            Record.Header(HeaderName.projectHash, String(plan.projectHash.hex.prefix(16))),
        ]
        produced = Counter(label: "mlops_produce_records_total", dimensions: [("source", plan.source), ("topic", plan.topic)])
    }

    /// First and last event time of a finite source.
    package func span() throws -> ClosedRange<EventTime.Milliseconds>? { try makeSource().span(notAfter: plausible) }

    /// Sends events up to, and not including, the first one at or after `limit`.
    /// - Returns: Whether the source has come to its end. The task's cancellation also ends the call.
    @discardableResult
    package func feed(until limit: EventTime.Milliseconds? = nil) async throws -> Bool {
        try await open()
        while !Task.isCancelled {
            if held.isEmpty {
                if isExhausted { return true }
                held = try nextEvents()
                continue
            }
            let ready = readyCount(until: limit)
            if ready > 0 {
                try await send(held.prefix(ready))
                held = held.dropFirst(ready)
            } else if let limit, let first = held.first, first.time >= limit {
                return false
            } else {
                try await nap()
            }
        }
        return isExhausted && held.isEmpty
    }

    /// Writes one tick per key: the finite input has ended. Nothing when an earlier run has said so.
    package func finish() async throws {
        guard !isFinished else { return }
        let ticks = keyTimes.endTicks()
        try await log.commit(
            LogUnit(
                group: group, outputs: [.init(topic: plan.topic, records: ticks)], state: [positionChange("done")],
                lease: lease))
        isFinished = true
        try await release()
        logger.info("source ended", metadata: ["source": "\(plan.source)", "events": "\(position)", "keys": "\(ticks.count)"])
    }

    /// Lets another process go on with the source at once.
    package func release() async throws {
        if let lease { try await log.release(lease) }
        lease = nil
    }

    /// The latest event time that the stream can accept now.
    private var plausible: EventTime.Milliseconds { clocks.wall() + StreamIntake.maxFuture }

    private var group: String { "produce/\(plan.source)" }

    private func positionChange(_ mark: String = "") -> LogUnit.StateChange {
        LogUnit.StateChange(key: Array("position".utf8), value: Array("\(position) \(mark) \(plan.input)".utf8))
    }

    private func open() async throws {
        guard source == nil else { return }
        try await takeLease()
        let source = try makeSource()
        self.source = source
        let saved = try await savedPosition()
        let sent = saved?.position ?? 0
        while position < sent {
            let events = try source.next(Int(min(sent - position, 10_000)))
            if events.isEmpty { break }
            for event in events { keyTimes.note(event, now: clocks.monotonic(), latest: plausible) }
            position += Int64(events.count)
        }
        if position > 0 { logger.info("source goes on", metadata: ["source": "\(plan.source)", "from": "\(position)"]) }
        if saved?.isDone == true {
            isExhausted = true
            isFinished = true
        }
    }

    /// How far an earlier run of the same input has come. Another file under the source's name is another input and
    /// begins at its beginning.
    private func savedPosition() async throws -> (position: Int64, isDone: Bool)? {
        guard let bytes = try await log.savedState(group: group, partition: 0)["position"] else { return nil }
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let position = Int64(parts[0]) else { return nil }
        guard parts[2] == plan.input else {
            logger.warning(
                "source begins anew: its input is another one than before",
                metadata: ["source": "\(plan.source)", "before": "\(parts[2])", "now": "\(plan.input)"])
            return nil
        }
        return (position, parts[1] == "done")
    }

    /// One process at a time sends a source: two would send everything twice.
    private func takeLease() async throws {
        lease = try await log.acquire(
            group: group, topic: plan.topic, partition: 0, owner: owner, now: clocks.wall(), timeToLive: Self.leaseTime)
        leasedAt = clocks.monotonic()
        guard lease != nil else { throw Held(source: plan.source) }
    }

    private func nextEvents() throws -> ArraySlice<SourceEvent> {
        let limit = plan.speed == .unlimited ? Self.batchRecords : 200
        let events = try source?.next(limit) ?? []
        if events.isEmpty { isExhausted = true }
        return events[...]
    }

    /// How many of the held events may leave now.
    private func readyCount(until limit: EventTime.Milliseconds?) -> Int {
        let now = clocks.monotonic(), plausible = plausible
        if begun == nil, let first = held.first(where: { Self.hasTime($0, notAfter: plausible) }) { begun = (first.time, now) }
        return held.prefix { event in
            // An event without a possible time is for the stream to refuse; nobody waits for it.
            guard Self.hasTime(event, notAfter: plausible), let begun else { return true }
            if let limit, event.time >= limit { return false }
            return plan.speed.delay(event: event.time - begun.event, elapsed: now - begun.at) == .zero
        }.count
    }

    /// Whether an event says when it happened, and that can be so.
    private static func hasTime(_ event: SourceEvent, notAfter latest: EventTime.Milliseconds) -> Bool {
        event.key != nil && event.time <= latest && EventTime.range.contains(event.time)
    }

    private func send(_ events: ArraySlice<SourceEvent>) async throws {
        let now = clocks.monotonic()
        if now - leasedAt > Self.leaseRenewal { try await takeLease() }
        let headers = headers + [Record.Header(HeaderName.ingestedAt, String(clocks.wall()))]
        var records: [Record] = []
        records.reserveCapacity(events.count)
        for event in events {
            records.append(Record(key: event.key, value: event.value, timestamp: event.time, headers: headers))
            keyTimes.note(event, now: now, latest: plausible)
        }
        position += Int64(records.count)
        try await log.commit(
            LogUnit(
                group: group, outputs: [.init(topic: plan.topic, records: records)], state: [positionChange()],
                lease: lease))
        produced.increment(by: records.count)
    }

    /// Sleeps until the next event is due, and tells the log of keys that have fallen silent.
    private func nap() async throws {
        guard let first = held.first, let begun else { return }
        if clocks.monotonic() - leasedAt > Self.leaseRenewal { try await takeLease() }
        let due = plan.speed.delay(event: first.time - begun.event, elapsed: clocks.monotonic() - begun.at)
        do { try await Task.sleep(for: min(due, Self.longestNap)) } catch { return }
        guard let idlePatience = plan.idlePatience else { return }
        let ticks = keyTimes.idleTicks(now: clocks.monotonic(), patience: idlePatience)
        guard !ticks.isEmpty else { return }
        try await log.append(ticks, to: plan.topic)
    }
}
