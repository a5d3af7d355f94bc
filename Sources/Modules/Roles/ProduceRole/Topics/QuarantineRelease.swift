package import Domain
package import EventLog
import FeatureStore
package import Features
import Table

/// Releases rows that a view's outlier rule held back, each once: they are accepted after all.
///
/// The release goes to the stream, where the row takes its place among the events: so views downstream see it, and computing
/// everything again gives the same rows.
package struct QuarantineRelease: Sendable {
    private let view: CompiledView
    private let replay: TopicReplay

    /// - Parameter stream: From which the view descends.
    package init(
        view: CompiledView, stream: StreamDefinition, log: any EventLog, wall: @escaping @Sendable () -> EventTime.Milliseconds
    ) {
        self.view = view
        replay = TopicReplay(
            topic: view.definition.topic + ".quarantine", target: stream.topic, group: "release/\(view.definition.topic)",
            keepsPartition: true, log: log, wall: wall)
    }

    /// - Returns: `left` counts the rows of definitions that are gone, and those of windows that were still open.
    package func run(_ choice: TopicReplay.Choice) async throws -> TopicReplay.Summary {
        let mark = view.mark
        var current: [Int: Generation] = [:], generations = Generations(of: view.definition, topic: replay.topic, log: replay.log)
        for partition in 0..<(try await replay.log.partitions(of: replay.topic)) {
            current[partition] = try await generations.current(partition)
        }
        return try await replay.run(choice) { [current] stored in
            guard current[stored.partition]?.counts(stored.offset) ?? true, let value = stored.record.value,
                stored.record.header(HeaderName.columns).map({ $0.withUnsafeBytes { mark.isPresent($0) } }) ?? true, isFinal(value)
            else { return nil }
            return .init(reason: Self.text(stored.record, HeaderName.quarantineReason), record: release(stored))
        }
    }

    private func isFinal(_ value: [UInt8]) -> Bool {
        var decoder = RowDecoder(fields: [.init("is_final", .bool, isOptional: true)])
        guard (try? value.withUnsafeBytes({ try decoder.append($0) })) != nil else { return false }
        return decoder.finish()[0][0] != .bool(false)
    }

    private func release(_ stored: StoredRecord) -> Record {
        var record = stored.record
        let kept = [HeaderName.columns, HeaderName.quarantineReason]
        record.headers.removeAll { !kept.contains($0.name) }
        record.headers += [
            Record.Header(HeaderName.release, view.definition.name), Record.Header(HeaderName.ingestedAt, String(replay.wall())),
            Record.Header(HeaderName.origin, "\(replay.topic)/\(stored.partition)/\(stored.offset)"),
        ]
        return record
    }

    private static func text(_ record: Record, _ header: String) -> String {
        record.header(header).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
