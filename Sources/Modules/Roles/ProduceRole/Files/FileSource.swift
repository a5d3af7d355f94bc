import Columnar
package import Domain
package import Features
import Table

/// The rows of a Parquet or CSV file as events of a stream, in file order.
package final class FileSource: EventSource {
    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        /// No column of the file fills a required field of the stream.
        case missingColumn(file: String, field: String, tried: [String], columns: [String])

        package var description: String {
            switch self {
            case .missingColumn(let file, let field, let tried, let columns):
                "\(file): no column for the field \"\(field)\" (looked for \(tried.joined(separator: ", "))); "
                    + "the file has \(columns.joined(separator: ", ")). Name it under the source's map:"
            }
        }
    }

    private let path: String
    private let stream: StreamDefinition
    /// Per stream field, the file's column or a constant.
    private let columns: [Origin]
    private let encoder: RowEncoder
    private let keyFields: [Int]
    private let timeField: Int
    private let reader: any BatchReader
    private var table = Table.empty
    private var row = 0

    private enum Origin { case column(String), constant(Value) }

    /// - Parameters:
    ///   - constants: Fields set by the project file.
    ///   - map: Stream field ← file column.
    package init(
        path: String, stream: StreamDefinition, constants: [(field: String, value: Value)], map: [(field: String, column: String)]
    ) throws {
        self.path = path
        self.stream = stream
        reader = try TableFile.reader(path: path)
        let present = reader.schema.map(\.name)
        columns = try stream.fields.map { field in
            if let constant = constants.first(where: { $0.field == field.name }) { return .constant(constant.value) }
            let tried = map.filter { $0.field == field.name }.map(\.column) + field.sources
            if let column = tried.first(where: present.contains) { return .column(column) }
            guard field.isOptional else {
                throw Error.missingColumn(file: path, field: field.name, tried: tried, columns: present)
            }
            return .constant(.null)
        }
        encoder = RowEncoder(columns: stream.fields.map { $0.sources[0] })
        keyFields = stream.key.compactMap { name in stream.fields.firstIndex { $0.name == name } }
        timeField = stream.fields.firstIndex { $0.name == stream.time } ?? 0
    }

    package func next(_ limit: Int) throws -> [SourceEvent] {
        var events: [SourceEvent] = []
        while events.count < limit {
            if row == table.rowCount {
                guard let following = try reader.next() else { break }
                table = following
                row = 0
                continue
            }
            events.append(event(row))
            row += 1
        }
        return events
    }

    package func span(notAfter latest: EventTime.Milliseconds) throws -> ClosedRange<EventTime.Milliseconds>? {
        guard case .column(let name) = columns[timeField] else { return nil }
        var span: ClosedRange<EventTime.Milliseconds>?
        let times = try TableFile.reader(path: path, options: ReadOptions(columns: [name]))
        while let batch = try times.next() {
            guard let column = batch[name] else { continue }
            for row in 0..<batch.rowCount {
                guard let time = Self.time(column[row]), time <= latest, EventTime.range.contains(time) else { continue }
                span = min(span?.lowerBound ?? time, time)...max(span?.upperBound ?? time, time)
            }
        }
        return span
    }

    private func event(_ row: Int) -> SourceEvent {
        let values = columns.enumerated().map { index, origin in
            switch origin {
            case .column(let name): Self.fitted(table[name].map { $0[row] } ?? .null, to: stream.fields[index].type)
            case .constant(let value): value
            }
        }
        return SourceEvent(
            time: Self.time(values[timeField]) ?? 0, key: (try? EntityKey(keyFields.map { values[$0] }))?.bytes,
            value: encoder.encode(values))
    }

    /// The same value in the type of its field, where that loses nothing: files number ids and round prices to integers.
    private static func fitted(_ value: Value, to type: ValueType) -> Value {
        switch (type, value) {
        case (.double, .int(let number)): .double(Double(number))
        case (.string, .int(let number)): .string(String(number))
        case (.int, .double(let number)): Int64(exactly: number).map(Value.int) ?? value
        default: value
        }
    }

    private static func time(_ value: Value) -> EventTime.Milliseconds? {
        switch value {
        case .int(let time), .time(let time): time
        case .double(let time): Int64(exactly: time.rounded(.towardZero))
        case .string(let text): EventTime.parse(text) ?? Int64(text)
        case .null, .bool: nil
        }
    }
}
