package import Domain
package import EventLog
package import Features

/// Puts records of a stream's dead topic back into the stream, each once: what was wrong with them has been mended.
package struct DeadReplay: Sendable {
    package typealias Choice = TopicReplay.Choice
    package typealias Summary = TopicReplay.Summary

    private let stream: StreamDefinition
    private let replay: TopicReplay

    package init(stream: StreamDefinition, log: any EventLog, wall: @escaping @Sendable () -> EventTime.Milliseconds) {
        self.stream = stream
        replay = TopicReplay(
            topic: stream.topic + ".dead", target: stream.topic, group: "replay-dead/\(stream.name)", keepsPartition: false, log: log,
            wall: wall)
    }

    package func run(_ choice: Choice) async throws -> Summary {
        try await replay.run(choice) { stored in
            let reason = stored.record.header(HeaderName.deadReason).map { String(decoding: $0, as: UTF8.self) } ?? ""
            return .init(reason: reason, record: mended(stored.record))
        }
    }

    /// As the stream takes it now: key and time by its present definition, come now, and where it came from first.
    private func mended(_ dead: Record) -> Record {
        let dropped = [HeaderName.deadReason, HeaderName.ingestedAt, HeaderName.sourceFault]
        var record = dead
        record.headers.removeAll { dropped.contains($0.name) }
        record.headers.append(Record.Header(HeaderName.ingestedAt, String(replay.wall())))
        // A release is no event of the stream.
        guard let value = record.value, record.header(HeaderName.release) == nil else { return record }
        var decoder = EventDecoder(stream)
        let event = decoder.event(value, place: "")
        record.key = event.key ?? record.key
        if event.fault == nil, event.time != .min { record.timestamp = event.time }
        return record
    }
}
