import Columnar
package import Domain
package import Features
import Table

/// The lines of a JSON Lines file whose fields have other names than the stream's, or lack some that are constant.
///
/// A line that does not become an event of the stream is sent on as it stands in the file, without a key: the stream's dead
/// topic will hold it with its place and the reason.
package final class MappedLinesSource: EventSource {
    private let path: String
    private let stream: StreamDefinition
    private let constants: [String: Value]
    private let lines: LineReader
    private var decoder: RowDecoder
    private let encoder: RowEncoder
    private let keyFields: [Int]
    private let timeField: Int

    private enum Line { case row([UInt8], Int64), faulty(SourceEvent) }

    /// Lines in which every required field must appear at least once; a file without is another file than was meant.
    private static let sample = 1_000

    /// - Parameters:
    ///   - constants: Fields set by the project file.
    ///   - map: Stream field ← name in the file.
    package init(
        path: String, stream: StreamDefinition, constants: [(field: String, value: Value)], map: [(field: String, column: String)]
    ) throws {
        self.path = path
        self.stream = stream
        self.constants = Dictionary(constants.map { ($0.field, $0.value) }, uniquingKeysWith: { $1 })
        let present = try JSONLinesReader.names(path: path, lines: Self.sample)
        var fields: [RowDecoder.Field] = []
        for field in stream.fields where self.constants[field.name] == nil {
            let tried = map.filter { $0.field == field.name }.map(\.column) + field.sources
            guard field.isOptional || present.isEmpty || tried.contains(where: present.contains) else {
                throw FileSource.Error.missingColumn(file: path, field: field.name, tried: tried, columns: present)
            }
            fields.append(RowDecoder.Field(field.name, field.type, isOptional: field.isOptional, sources: tried))
        }
        lines = try LineReader(path: path)
        decoder = RowDecoder(fields: fields)
        encoder = RowEncoder(columns: stream.fields.map { $0.sources[0] })
        keyFields = stream.key.compactMap { name in stream.fields.firstIndex { $0.name == name } }
        timeField = stream.fields.firstIndex { $0.name == stream.time } ?? 0
    }

    package func next(_ limit: Int) throws -> [SourceEvent] { try read(lines, limit) }

    package func span(notAfter latest: EventTime.Milliseconds) throws -> ClosedRange<EventTime.Milliseconds>? {
        let all = try LineReader(path: path)
        var span: ClosedRange<EventTime.Milliseconds>?
        while case let events = try read(all, 10_000), !events.isEmpty {
            for event in events { event.stretch(&span, notAfter: latest) }
        }
        return span
    }

    private func read(_ lines: LineReader, _ limit: Int) throws -> [SourceEvent] {
        var found: [Line] = []
        while found.count < limit, let line = try lines.next() {
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { continue }
            do throws(RowDecoder.Rejection) {
                try line.withUnsafeBufferPointer { bytes throws(RowDecoder.Rejection) in
                    try decoder.append(UnsafeRawBufferPointer(bytes))
                }
                found.append(.row(Array(line), lines.line))
            } catch {
                found.append(.faulty(faulty(Array(line), lines.line, error.description)))
            }
        }
        let rows = decoder.finish()
        // Per stream field, the column that was decoded, or none where a constant stands.
        let columns = stream.fields.map { field in rows.first { $0.name == field.name } }
        var row = 0
        return found.map { line in
            switch line {
            case .faulty(let event): return event
            case .row(let bytes, let number):
                defer { row += 1 }
                let values = zip(stream.fields, columns).map { field, column in
                    column.map { $0[row] } ?? constants[field.name] ?? .null
                }
                return event(values, bytes, number)
            }
        }
    }

    private func event(_ values: [Value], _ line: [UInt8], _ number: Int64) -> SourceEvent {
        let time: EventTime.Milliseconds =
            switch values[timeField] {
            case .int(let time), .time(let time): time
            default: 0
            }
        guard let key = (try? EntityKey(keyFields.map { values[$0] }))?.bytes else { return faulty(line, number, "the key is missing") }
        return SourceEvent(time: time, key: key, value: encoder.encode(values))
    }

    private func faulty(_ bytes: [UInt8], _ number: Int64, _ reason: String) -> SourceEvent {
        SourceEvent(time: 0, key: nil, value: bytes, fault: .init(place: "\(path):\(number)", reason: reason))
    }
}
