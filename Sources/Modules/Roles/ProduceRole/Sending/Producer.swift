package import Domain
package import EventLog
package import Logging
package import Settings

/// Sends the events of one source to the topic of its stream, in order and at a pace, and remembers how far it has come.
package actor Producer: Sending {
    package struct Plan: Sendable {
        package let target: SourceWriter.Target
        package let speed: Speed
        /// Silence of a key after which a tick is written; `nil` for never.
        package let idlePatience: Duration?

        package init(_ target: SourceWriter.Target, speed: Speed, idlePatience: Duration?) {
            self.target = target
            self.speed = speed
            self.idlePatience = idlePatience
        }
    }

    private let plan: Plan
    private let writer: SourceWriter
    private let makeSource: @Sendable () throws -> PartedSource
    private let clocks: Clocks
    private let logger: Logger
    private var source: PartedSource?
    /// How far each part has been sent, and what of that the log does not say yet.
    private var progress: [String: PartProgress] = [:]
    private var changed: Set<String> = []
    private var begun: (event: EventTime.Milliseconds, at: Duration)?
    private var held: ArraySlice<SourceEvent> = []
    private var heldPart = ""
    private var isExhausted = false
    /// The log already says that the input has ended.
    private var isFinished = false

    /// Records of one write to the log.
    private static let batchRecords = 10_000
    /// How long a paced producer sleeps at most before it looks for silent keys again.
    private static let longestNap = Duration.milliseconds(250)
    private static let endedKey = "ended", partKey = "part/"

    /// - Parameter makeSource: Opens the source at its beginning; called once.
    package init(
        _ plan: Plan, log: any EventLog, clocks: Clocks, logger: Logger, makeSource: @escaping @Sendable () throws -> PartedSource
    ) {
        self.plan = plan
        writer = SourceWriter(plan.target, log: log, clocks: clocks, logger: logger)
        self.clocks = clocks
        self.logger = logger
        self.makeSource = makeSource
    }

    /// First and last event time of a finite source.
    package func span() throws -> ClosedRange<EventTime.Milliseconds>? { try makeSource().span(notAfter: writer.plausible) }

    /// Events of the source that the log holds.
    package var position: Int64 { progress.values.reduce(0) { $0 + $1.events } }

    package func run() async throws {
        if try await feed() { try await finish() }
        // Also when the task has been cancelled: the next process need not wait.
        try await Task { try await release() }.value
    }

    /// Sends events up to, and not including, the first one at or after `limit`.
    /// - Returns: Whether the source has come to its end. The task's cancellation also ends the call.
    @discardableResult
    package func feed(until limit: EventTime.Milliseconds? = nil) async throws -> Bool {
        try await open()
        while !Task.isCancelled {
            if held.isEmpty {
                if isExhausted { return true }
                try await readOn()
                continue
            }
            let ready = readyCount(until: limit)
            if ready > 0 {
                try await send(ready)
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
        for part in progress.keys { markDone(part) }
        let ended = LogUnit.StateChange(key: Array(Self.endedKey.utf8), value: Array("true".utf8))
        let keys = try await writer.end(remembering: takeChanges() + [ended])
        isFinished = true
        try await release()
        logger.info("source ended", metadata: ["source": "\(plan.target.source)", "events": "\(position)", "keys": "\(keys)"])
    }

    /// Lets another process go on with the source at once.
    package func release() async throws { try await writer.release() }

    private func open() async throws {
        guard source == nil else { return }
        let saved = try await writer.open()
        let source = try makeSource()
        self.source = source
        for (key, value) in saved where key.hasPrefix(Self.partKey) {
            let words = String(decoding: value, as: UTF8.self).split(separator: " ")
            guard let first = words.first, let events = Int64(first) else { continue }
            progress[String(key.dropFirst(Self.partKey.count))] = PartProgress(events: events, isDone: words.last == "done")
        }
        isFinished = saved[Self.endedKey] != nil
        for finding in source.resume(after: progress) { tell(finding) }
        if position > 0 { logger.info("source goes on", metadata: ["source": "\(plan.target.source)", "from": "\(position)"]) }
    }

    private func readOn() async throws {
        guard let source else { return }
        var skipped = KeyTimes(), findings: [PartedSource.Finding] = []
        let now = clocks.monotonic(), latest = writer.plausible
        let batch = try source.nextBatch(plan.speed == .unlimited ? Self.batchRecords : 200) { events in
            for event in events { skipped.note(event.key, event.time, now: now, latest: latest) }
        } found: {
            findings.append($0)
        }
        await writer.adopt(skipped)
        for finding in findings { tell(finding) }
        guard let batch else {
            isExhausted = true
            return
        }
        if batch.part != heldPart, progress[heldPart] != nil { markDone(heldPart) }
        heldPart = batch.part
        held = batch.events[...]
    }

    private func tell(_ finding: PartedSource.Finding) {
        let name = plan.target.source
        switch finding {
        case .grown(let part, let at):
            logger.notice(
                "a source that had ended is longer now; it goes on behind what was read",
                metadata: ["source": "\(name)", "part": "\(part)", "from": "\(at)"])
        case .shrunk(let part, let read, let now):
            logger.warning(
                "a source holds fewer events than were read of it; nothing of it is sent again",
                metadata: ["source": "\(name)", "part": "\(part)", "read": "\(read)", "now": "\(now)"])
        case .gone(let part):
            logger.notice("a part that was read is no longer there", metadata: ["source": "\(name)", "part": "\(part)"])
        }
    }

    private func markDone(_ part: String) {
        guard let known = progress[part], !known.isDone else { return }
        progress[part]?.isDone = true
        changed.insert(part)
    }

    private func takeChanges() -> [LogUnit.StateChange] {
        defer { changed = [] }
        return changed.sorted().compactMap { part in
            progress[part].map {
                LogUnit.StateChange(key: Array((Self.partKey + part).utf8), value: Array("\($0.events)\($0.isDone ? " done" : "")".utf8))
            }
        }
    }

    /// How many of the held events may leave now.
    private func readyCount(until limit: EventTime.Milliseconds?) -> Int {
        let now = clocks.monotonic(), plausible = writer.plausible
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

    private func send(_ count: Int) async throws {
        let events = Array(held.prefix(count))
        progress[heldPart, default: PartProgress(events: 0, isDone: false)].events += Int64(count)
        progress[heldPart]?.isDone = false
        changed.insert(heldPart)
        var state = takeChanges()
        if isFinished {
            isFinished = false
            state.append(LogUnit.StateChange(key: Array(Self.endedKey.utf8), value: nil))
        }
        try await writer.send(events, remembering: state)
        held = held.dropFirst(count)
    }

    /// Sleeps until the next event is due, and tells the log of keys that have fallen silent.
    private func nap() async throws {
        guard let first = held.first, let begun else { return }
        try await writer.renewLease()
        let due = plan.speed.delay(event: first.time - begun.event, elapsed: clocks.monotonic() - begun.at)
        do { try await Task.sleep(for: min(due, Self.longestNap)) } catch { return }
        if let idlePatience = plan.idlePatience { try await writer.tellSilence(patience: idlePatience) }
    }
}
