import Domain
import FeatureStore
import NIOCore

/// The answer to `/get-online-features`: one result a name, one value an entity.
enum OnlineAnswer {
    /// - Parameter now: Wall time in milliseconds, which ages are measured by.
    static func json(_ request: OnlineRequest, now: EventTime.Milliseconds) -> ByteBuffer {
        let parts = request.plan.parts.map { AnswerPart($0, request, now: now) }
        // Long enough for most; what does not fit is written again into twice as much.
        var capacity = 256 + request.plan.namesText.count + request.keys.reduce(0) { $0 + $1.json.bytes.count + $1.count * 40 + 80 }
        for part in parts { capacity += part.part.columns.count * (part.times.count + request.count * 34 + 80) }
        var buffer = ByteBuffer()
        while true {
            let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: capacity) { memory in
                var text = AnswerText(memory)
                write(request, parts, &text)
                return text.isWhole ? text.count : 0
            }
            if count > 0 { return buffer }
            capacity *= 2
        }
    }

    private static func write(_ request: OnlineRequest, _ parts: [AnswerPart], _ text: inout AnswerText) {
        text.append("{\"results\":[")
        var isFirst = true
        func begin(_ text: inout AnswerText) {
            text.append(isFirst ? "{\"values\":[" : ",{\"values\":[")
            isFirst = false
        }
        for key in request.keys {
            begin(&text)
            key.json.bytes.withUnsafeBytes { bytes in
                text.list(key.count) { $1.append(UnsafeRawBufferPointer(rebasing: bytes[key.json.range($0)])) }
            }
            text.append("],\"statuses\":[")
            text.list(key.count) { $1.append(AnswerStatus.present.json) }
            text.append("],\"event_timestamps\":[")
            text.list(key.count) { $1.append(AnswerPart.epoch) }
            text.append("]}")
        }
        for part in parts {
            for column in part.part.columns {
                begin(&text)
                part.append(column, to: &text)
            }
        }
        text.append("],\"metadata\":{\"feature_names\":[")
        request.plan.namesText.withUnsafeBytes { text.append($0) }
        text.append("]}}")
    }
}

private enum AnswerStatus {
    case present, nullValue, notFound, outside

    var json: StaticString {
        switch self {
        case .present: "\"PRESENT\""
        case .nullValue: "\"NULL_VALUE\""
        case .notFound: "\"NOT_FOUND\""
        case .outside: "\"OUTSIDE_MAX_AGE\""
        }
    }
}

/// The rows of one view that an answer is made of, and what its columns have in common.
private struct AnswerPart {
    static let epoch: StaticString = "\"1970-01-01T00:00:00Z\""

    let part: OnlinePlan.Part
    private let rows: [OnlineRow?]
    private let isOld: [Bool]
    /// The statuses of a column without nulls, and every column's times.
    private let statuses: [UInt8]
    let times: [UInt8]

    init(_ part: OnlinePlan.Part, _ request: OnlineRequest, now: EventTime.Milliseconds) {
        self.part = part
        let rows = part.view.rows(for: request.entities(of: part))
        let isOld = rows.map { row in part.ttl > 0 && row.map { now - $0.availability > part.ttl } ?? false }
        (self.rows, self.isOld) = (rows, isOld)
        statuses = Self.bytes(rows.count * 20) { text in
            text.list(rows.count) { $1.append(Self.status(rows[$0], isOld[$0], isNull: false).json) }
        }
        times = Self.bytes(rows.reduce(0) { $0 + max(Self.epoch.utf8CodeUnitCount, $1?.time.count ?? 0) + 1 }) { text in
            text.list(rows.count) { place, text in if let row = rows[place] { text.append(row.time) } else { text.append(Self.epoch) } }
        }
    }

    func append(_ column: Int, to text: inout AnswerText) {
        var nulls = false
        text.list(rows.count) { place, text in
            guard let row = rows[place], !isOld[place] else { return text.append("null") }
            let cell = row.cell(column)
            nulls = nulls || Self.isNull(cell)
            text.append(cell)
        }
        text.append("],\"statuses\":[")
        if nulls {
            text.list(rows.count) { place, text in
                text.append(Self.status(rows[place], isOld[place], isNull: rows[place].map { Self.isNull($0.cell(column)) } ?? false).json)
            }
        } else {
            statuses.withUnsafeBytes { text.append($0) }
        }
        text.append("],\"event_timestamps\":[")
        times.withUnsafeBytes { text.append($0) }
        text.append("]}")
    }

    /// Of the texts of cells only null's begins with an n.
    private static func isNull(_ cell: UnsafeRawBufferPointer) -> Bool { cell.first == UInt8(ascii: "n") }

    private static func status(_ row: OnlineRow?, _ isOld: Bool, isNull: Bool) -> AnswerStatus {
        row == nil ? .notFound : isOld ? .outside : isNull ? .nullValue : .present
    }

    /// - Parameter most: Bytes that the text has at most.
    private static func bytes(_ most: Int, _ write: (inout AnswerText) -> Void) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: most) { memory, count in
            var text = AnswerText(UnsafeMutableRawBufferPointer(memory))
            write(&text)
            count = text.count
        }
    }
}

/// Text written into memory of a fixed size; what does not fit is left out and remembered.
private struct AnswerText {
    private let memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0
    private(set) var isWhole = true

    init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    @inline(__always)
    mutating func append(_ text: UnsafeRawBufferPointer) {
        guard let source = text.baseAddress, let target = memory.baseAddress else { return }
        guard memory.count - count >= text.count else { return isWhole = false }
        (target + count).copyMemory(from: source, byteCount: text.count)
        count += text.count
    }

    @inline(__always)
    mutating func append(_ text: StaticString) { append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)) }

    /// `item,item,…`
    @inline(__always)
    mutating func list(_ items: Int, _ add: (Int, inout AnswerText) -> Void) {
        for place in 0..<items {
            if place > 0 { append(",") }
            add(place, &self)
        }
    }
}
