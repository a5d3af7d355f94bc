import Columnar
package import Domain
package import Features
import Table

/// The lines of a JSON Lines file as events, byte for byte.
///
/// A line that is not an event of the stream is sent on as it is, without a key: the stream's dead topic will hold it with
/// the reason and its place, and nothing of the file is lost.
package final class JSONLinesSource: EventSource {
    private let path: String
    private let lines: LineReader
    private var decoder: EventDecoder

    package init(path: String, stream: StreamDefinition) throws {
        self.path = path
        lines = try LineReader(path: path)
        decoder = EventDecoder(stream)
    }

    package func next(_ limit: Int) throws -> [SourceEvent] {
        var events: [SourceEvent] = []
        while events.count < limit, let line = try lines.next() {
            if !line.isEmpty { events.append(decoder.event(Array(line), place: "\(path):\(lines.line)")) }
        }
        return events
    }

    package func span(notAfter latest: EventTime.Milliseconds) throws -> ClosedRange<EventTime.Milliseconds>? {
        let all = try LineReader(path: path)
        var span: ClosedRange<EventTime.Milliseconds>?
        while let line = try all.next() {
            decoder.event(Array(line), place: "\(path):\(all.line)").stretch(&span, notAfter: latest)
        }
        return span
    }
}

/// Reads key and time out of JSON objects that travel on byte for byte.
struct EventDecoder {
    private let keyFields: [String]
    private let timeField: String
    private var decoder: RowDecoder

    init(_ stream: StreamDefinition) {
        keyFields = stream.key
        timeField = stream.time
        decoder = RowDecoder(
            fields: stream.fields.filter { stream.key.contains($0.name) || $0.name == stream.time }.map {
                RowDecoder.Field($0.name, $0.type, isOptional: true, sources: $0.sources)
            })
    }

    /// - Parameter place: Where the bytes stand, for those who look for what is wrong with them.
    mutating func event(_ bytes: [UInt8], place: @autoclosure () -> String) -> SourceEvent {
        do throws(RowDecoder.Rejection) {
            try bytes.withUnsafeBufferPointer { buffer throws(RowDecoder.Rejection) in
                try decoder.append(UnsafeRawBufferPointer(buffer))
            }
        } catch {
            return SourceEvent(time: 0, key: nil, value: bytes, fault: .init(place: place(), reason: error.description))
        }
        let columns = Dictionary(uniqueKeysWithValues: decoder.finish().map { ($0.name, $0[0]) })
        let key = (try? EntityKey(keyFields.map { columns[$0] ?? .null }))?.bytes
        let fault = key == nil ? SourceEvent.Fault(place: place(), reason: "the key is missing") : nil
        switch columns[timeField] {
        case .int(let time)?, .time(let time)?: return SourceEvent(time: time, key: key, value: bytes, fault: fault)
        // The stream will say what is missing.
        default: return SourceEvent(time: .min, key: key, value: bytes, fault: fault)
        }
    }
}

extension SourceEvent {
    /// Makes `span` hold the event's time, unless that cannot be.
    func stretch(_ span: inout ClosedRange<EventTime.Milliseconds>?, notAfter latest: EventTime.Milliseconds) {
        guard key != nil, time <= latest, EventTime.range.contains(time) else { return }
        span = min(span?.lowerBound ?? time, time)...max(span?.upperBound ?? time, time)
    }
}
