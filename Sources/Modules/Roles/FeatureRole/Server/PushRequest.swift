import Domain
import Expressions
import Features
import HTTPTypes
import Table
import Web

/// The body of `/push`, turned into events of a stream.
struct PushRequest {
    let stream: StreamDefinition
    /// Ready for the stream's topic.
    let records: [Record]

    /// Rows of one request at most.
    static let maxRows = 100_000
    private static let targets = ["online", "offline", "online_and_offline"]

    /// - Parameter now: Wall time: when the events were ingested.
    /// - Throws: ``FeastFailure`` that names the first row that the stream would refuse, and why.
    init(_ body: [UInt8], streams: [StreamDefinition], now: EventTime.Milliseconds) throws(FeastFailure) {
        let document: JSONValue
        do throws(JSONReader.Error) { document = try JSONReader.read(body) } catch { throw .invalid("the body is not JSON: \(error)") }
        let target = document["to"]?.string ?? "online"
        guard Self.targets.contains(target) else {
            throw .invalid("\(target) is not a supported push format. Please specify one of these \(Self.targets).")
        }
        guard let name = document["push_source_name"]?.string else { throw .invalid("\"push_source_name\" must be text") }
        guard let stream = streams.first(where: { $0.name == name }) else { throw .noPushSource(name, known: streams.map(\.name)) }
        guard let columns = document["df"]?.members else { throw .invalid("\"df\" must be an object of lists, one a column") }
        self.stream = stream
        records = try Self.records(columns, stream, now)
    }

    /// What is said when not everything could be stored: which rows to send again, and only those.
    /// - Parameter unwritten: Some of the records, in their order; `nil` for all of them.
    func failure(unwritten: [Record]?) -> FeastFailure {
        func failure(_ message: String) -> FeastFailure { FeastFailure(status: .serviceUnavailable, type: nil, message: message) }
        guard let unwritten, unwritten.count < records.count else { return failure("no event is known to be stored; push them again") }
        var left = unwritten[...], rows: [Int] = []
        for (row, record) in records.enumerated() where record == left.first {
            left = left.dropFirst()
            rows.append(row + 1)
        }
        return failure(
            "\(rows.count) of \(records.count) rows of \"df\" are not known to be stored; push these again, and no others: "
                + Self.ranges(rows))
    }

    /// Numbers that grow, as text: `1-3, 7`.
    private static func ranges(_ rows: [Int]) -> String {
        var ranges: [ClosedRange<Int>] = []
        for row in rows {
            if let last = ranges.last, last.upperBound + 1 == row {
                ranges[ranges.count - 1] = last.lowerBound...row
            } else {
                ranges.append(row...row)
            }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ", ")
    }

    private static func records(
        _ columns: [JSONValue.Member], _ stream: StreamDefinition, _ now: EventTime.Milliseconds
    ) throws(FeastFailure) -> [Record] {
        var lists: [(name: String, values: [JSONValue])] = []
        for column in columns {
            guard let values = column.value.array else { throw .invalid("column \"\(column.key)\" of \"df\" must be a list") }
            if let first = lists.first, first.values.count != values.count {
                throw .invalid(
                    "column \"\(column.key)\" of \"df\" has \(values.count) values, \"\(first.name)\" has \(first.values.count)")
            }
            lists.append(accepted(column.key, values, stream))
        }
        guard let count = lists.first?.values.count, count > 0 else { throw .invalid("\"df\" has no rows") }
        guard count <= maxRows else { throw .invalid("\(count) rows; at most \(maxRows) in one request") }
        let intake: StreamIntake
        do throws(ExpressionError) { intake = try StreamIntake(stream) } catch { throw .invalid("the stream cannot be read: \(error)") }
        let values = (0..<count).map { row in
            JSONWriter.object { writer in
                for list in lists {
                    writer.key(list.name)
                    writer.value(list.values[row])
                }
            }
        }
        return try events(values, intake, now)
    }

    /// A column by the name that the stream knows it by; Feast's own name of event time, whose values are ISO 8601 texts, stands for
    /// the stream's.
    private static func accepted(
        _ name: String, _ values: [JSONValue], _ stream: StreamDefinition
    ) -> (name: String, values: [JSONValue]) {
        guard name == "event_timestamp", !stream.fields.contains(where: { $0.sources.contains(name) }) else { return (name, values) }
        return (stream.time, values.map { value in value.string.flatMap { EventTime.parse($0) }.map { .int($0) } ?? value })
    }

    /// What the engine would refuse is refused here, where somebody listens.
    private static func events(_ values: [[UInt8]], _ intake: StreamIntake, _ now: EventTime.Milliseconds) throws(FeastFailure) -> [Record]
    {
        var intake = intake
        for (row, value) in values.enumerated() {
            value.withUnsafeBytes { intake.addEvent($0, hasKey: true, offset: Int64(row), ingestedAt: now) }
        }
        let batch = intake.takeBatch()
        if let refused = batch.dead.first { throw .invalid("row \(refused.offset + 1) of \"df\": \(refused.reason)") }
        let fields = batch.events.columns.dropLast(), encoder = RowEncoder(columns: fields.map(\.name))
        guard case .int(let times)? = batch.events.columns.last?.values else { return [] }
        let headers = [Record.Header(HeaderName.schemaVersion, "1"), Record.Header(HeaderName.ingestedAt, String(now))]
        return batch.keyOfRow.indices.map { row in
            Record(
                key: intake.keys.entities[batch.keyOfRow[row]].bytes, value: encoder.encode(fields.map { $0[row] }),
                timestamp: times[row], headers: headers)
        }
    }
}
