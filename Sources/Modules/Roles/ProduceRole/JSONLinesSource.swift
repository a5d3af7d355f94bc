import Columnar
package import Domain
package import Features
import Table

/// The lines of a JSON Lines file as events, byte for byte.
///
/// A line that is not an event of the stream is sent on as it is, without a key: the stream's dead topic will hold it with
/// the reason, and nothing of the file is lost.
package final class JSONLinesSource: EventSource {
    private let path: String
    private let keyFields: [String]
    private let timeField: String
    private var lines: LineReader
    private var decoder: RowDecoder

    package init(path: String, stream: StreamDefinition) throws {
        self.path = path
        keyFields = stream.key
        timeField = stream.time
        lines = try LineReader(path: path)
        decoder = Self.decoder(stream)
    }

    private static func decoder(_ stream: StreamDefinition) -> RowDecoder {
        RowDecoder(
            fields: stream.fields.filter { stream.key.contains($0.name) || $0.name == stream.time }.map {
                RowDecoder.Field($0.name, $0.type, isOptional: true, sources: $0.sources)
            })
    }

    package func next(_ limit: Int) throws -> [SourceEvent] {
        var events: [SourceEvent] = []
        while events.count < limit, let line = try lines.next() {
            if !line.isEmpty { events.append(event(Array(line))) }
        }
        return events
    }

    package func span(notAfter latest: EventTime.Milliseconds) throws -> ClosedRange<EventTime.Milliseconds>? {
        let all = try LineReader(path: path)
        var span: ClosedRange<EventTime.Milliseconds>?
        while let line = try all.next() {
            let event = event(Array(line))
            guard event.key != nil, event.time <= latest, EventTime.range.contains(event.time) else { continue }
            span = min(span?.lowerBound ?? event.time, event.time)...max(span?.upperBound ?? event.time, event.time)
        }
        return span
    }

    private func event(_ line: [UInt8]) -> SourceEvent {
        do {
            try line.withUnsafeBytes { try decoder.append($0) }
        } catch {
            return SourceEvent(time: 0, key: nil, value: line)
        }
        let columns = Dictionary(uniqueKeysWithValues: decoder.finish().map { ($0.name, $0[0]) })
        let key = (try? EntityKey(keyFields.map { columns[$0] ?? .null }))?.bytes
        switch columns[timeField] {
        case .int(let time)?, .time(let time)?: return SourceEvent(time: time, key: key, value: line)
        // The stream will say what is missing.
        default: return SourceEvent(time: .min, key: key, value: line)
        }
    }
}
