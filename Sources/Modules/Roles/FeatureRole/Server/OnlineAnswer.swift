import Domain
import FeatureStore
import Table

/// The answer to `/get-online-features`: one result a name, one value an entity.
enum OnlineAnswer {
    /// - Parameter now: Wall time in milliseconds, which ages are measured by.
    static func json(_ request: OnlineRequest, now: EventTime.Milliseconds) -> [UInt8] {
        var text = Array("{\"results\":[".utf8)
        text.reserveCapacity(request.names.count * (request.parts.first?.entities.count ?? 1) * 72 + 256)
        var isFirst = true
        for key in request.keys {
            begin(&text, &isFirst)
            list(key.values, &text) { JSONText.append($0, to: &$1) }
            text += Self.statuses
            list(key.values, &text) { _, text in text += Self.present }
            text += Self.times
            list(key.values, &text) { _, text in text += Self.epoch }
            text += Self.end
        }
        for part in request.parts {
            let rows = part.view.rows(for: part.entities)
            let isOld = rows.map { row in part.ttl > 0 && row.map { now - $0.availability > part.ttl } ?? false }
            for column in part.columns {
                begin(&text, &isFirst)
                add(column, of: rows, isOld, &text)
            }
        }
        text += "],\"metadata\":{\"feature_names\":[".utf8
        list(request.names, &text) { JSONText.append($0, to: &$1) }
        text += "]}}".utf8
        return text
    }

    private static func add(_ column: Int, of rows: [OnlineCells.Row?], _ isOld: [Bool], _ text: inout [UInt8]) {
        list(rows.indices, &text) { place, text in
            guard let row = rows[place], !isOld[place] else { return text += Self.null }
            row.append(column, to: &text)
        }
        text += Self.statuses
        list(rows.indices, &text) { place, text in
            guard let row = rows[place] else { return text += Self.notFound }
            text += isOld[place] ? Self.outside : row.isNull(column) ? Self.nullValue : Self.present
        }
        text += Self.times
        list(rows, &text) { row, text in
            guard let row else { return text += Self.epoch }
            row.appendTime(to: &text)
        }
        text += Self.end
    }

    private static func begin(_ text: inout [UInt8], _ isFirst: inout Bool) {
        if !isFirst { text.append(UInt8(ascii: ",")) }
        isFirst = false
        text += Self.values
    }

    @inline(__always)
    private static func list<Items: Collection>(_ items: Items, _ text: inout [UInt8], _ add: (Items.Element, inout [UInt8]) -> Void) {
        var isFirst = true
        for item in items {
            if !isFirst { text.append(UInt8(ascii: ",")) }
            isFirst = false
            add(item, &text)
        }
    }

    private static let values = Array("{\"values\":[".utf8)
    private static let statuses = Array("],\"statuses\":[".utf8)
    private static let times = Array("],\"event_timestamps\":[".utf8)
    private static let end = Array("]}".utf8)
    private static let null = Array("null".utf8)
    private static let present = Array("\"PRESENT\"".utf8)
    private static let nullValue = Array("\"NULL_VALUE\"".utf8)
    private static let notFound = Array("\"NOT_FOUND\"".utf8)
    private static let outside = Array("\"OUTSIDE_MAX_AGE\"".utf8)
    private static let epoch = Array("\"1970-01-01T00:00:00Z\"".utf8)
}
