import Domain
package import EventLog
package import Features
package import Logging

/// Sends the records of another topic, of this log or of another, to the topic of a stream: partition by partition, each
/// record once.
package actor TopicSender: Sending {
    package struct Plan: Sendable {
        package let target: SourceWriter.Target
        /// The topic to read.
        package let topic: String
        package let stream: StreamDefinition
        /// Silence of a key after which a tick is written, unless the topic brings ticks of its own; `nil` for never.
        package let idlePatience: Duration?
        /// Whether to end with what the topic holds at the start.
        package let once: Bool

        package init(target: SourceWriter.Target, topic: String, stream: StreamDefinition, idlePatience: Duration?, once: Bool) {
            self.target = target
            self.topic = topic
            self.stream = stream
            self.idlePatience = idlePatience
            self.once = once
        }
    }

    private let plan: Plan
    private let input: any EventLog
    private let writer: SourceWriter
    private let logger: Logger
    private var decoder: EventDecoder
    private var positions: [Int64] = []
    /// The topic brings ticks of its own.
    private var hasTicks = false
    /// The log says that the topic has ended, as far as it has been read.
    private var isEnded = false

    private static let batchRecords = 10_000
    private static let offsetKey = "offset/", ticksKey = "ticks", endedKey = "ended"

    package init(_ plan: Plan, from input: any EventLog, to log: any EventLog, clocks: Clocks, logger: Logger) {
        self.plan = plan
        self.input = input
        self.logger = logger
        writer = SourceWriter(
            plan.target, log: log, clocks: clocks, logger: logger, remembersKeys: plan.once || plan.idlePatience != nil)
        decoder = EventDecoder(plan.stream)
    }

    package func run() async throws {
        let saved = try await writer.open()
        let partitions = try await input.partitions(of: plan.topic)
        positions = (0..<partitions).map { partition in
            saved[Self.offsetKey + String(partition)].flatMap { Int64(String(decoding: $0, as: UTF8.self)) } ?? 0
        }
        hasTicks = saved[Self.ticksKey] != nil
        isEnded = saved[Self.endedKey] != nil
        let ends = plan.once ? try await input.endOffsets(topic: plan.topic) : nil
        while !Task.isCancelled {
            let version = input.version(of: [plan.topic])
            var moved = false
            for partition in 0..<partitions {
                if try await forward(partition, until: ends?[partition]) { moved = true }
            }
            if moved { continue }
            if ends != nil { break }
            await input.waitForAppend(to: [plan.topic], after: version, timeout: .milliseconds(250))
            if let patience = plan.idlePatience, !hasTicks {
                try await writer.tellSilence(patience: patience)
            } else {
                try await writer.renewLease()
            }
        }
        if plan.once, !Task.isCancelled, !hasTicks, !isEnded { _ = try await writer.end(remembering: [Self.mark(Self.endedKey, true)]) }
        try await writer.release()
        logger.info(
            "topic read", metadata: ["source": "\(plan.target.source)", "topic": "\(plan.topic)", "records": "\(positions.reduce(0, +))"])
    }

    /// - Returns: Whether there was something.
    private func forward(_ partition: Int, until end: Int64?) async throws -> Bool {
        let from = positions[partition]
        let limit = min(Int64(Self.batchRecords), (end ?? .max) - from)
        guard limit > 0 else { return false }
        let batch = try await input.read(topic: plan.topic, partition: partition, from: from, limit: Int(limit))
        guard batch.nextOffset > from else { return false }
        var records: [Record] = []
        let hadTicks = hasTicks
        for stored in try batch.records() { records.append(record(stored)) }
        positions[partition] = batch.nextOffset
        var state = [
            LogUnit.StateChange(key: Array((Self.offsetKey + String(partition)).utf8), value: Array(String(batch.nextOffset).utf8))
        ]
        if hasTicks, !hadTicks { state.append(Self.mark(Self.ticksKey, true)) }
        // What comes behind the end has an end of its own.
        if isEnded, !records.isEmpty {
            isEnded = false
            state.append(Self.mark(Self.endedKey, false))
        }
        try await writer.forward(records, remembering: state)
        return true
    }

    private static func mark(_ key: String, _ isSet: Bool) -> LogUnit.StateChange {
        LogUnit.StateChange(key: Array(key.utf8), value: isSet ? Array("true".utf8) : nil)
    }

    /// The same record under the stream's key and time; what the stream cannot read keeps its own, and is refused there.
    private func record(_ stored: StoredRecord) -> Record {
        var record = stored.record
        if record.header(HeaderName.tick) != nil {
            hasTicks = true
            return record
        }
        if record.header(HeaderName.release) != nil { return record }
        if record.header(HeaderName.origin) == nil {
            record.headers.append(Record.Header(HeaderName.origin, "\(plan.topic)/\(stored.partition)/\(stored.offset)"))
        }
        guard let value = record.value else { return record }
        let event = decoder.event(value, place: "\(plan.topic)/\(stored.partition)/\(stored.offset)")
        record.key = event.key ?? record.key
        if event.fault == nil, event.time != .min { record.timestamp = event.time }
        return record
    }
}
