package import Domain

/// The rows of a view by key and by the time from which on each is known: what was the newest at a time?
///
/// Rows are kept as far back as twice the greatest age asked for, behind the newest: so the answer is exact for a question
/// that comes late by no more than that age. Where rows may come long before they are asked for, because they are another
/// stream's, they are kept as far back behind the newest time asked about. At most 10,000 rows of a key are kept.
package struct AsOfTable: Sendable {
    private struct Row: Sendable {
        let availability: EventTime.Milliseconds
        let values: [Value]
    }

    /// The greatest age of an answer, milliseconds; exactly as old still counts.
    package let within: EventTime.Milliseconds
    /// Per key by ascending availability; of equal ones the latest added is last.
    private var keys: [[Row]] = []
    /// Whether rows are kept until they have been asked for.
    private let keepsAhead: Bool
    /// Per key, the newest time asked about.
    private var asked: [EventTime.Milliseconds?] = []

    private static var maxRows: Int { 10_000 }

    package init(within: EventTime.Milliseconds, keepsAhead: Bool = false) {
        self.within = within
        self.keepsAhead = keepsAhead
    }

    package mutating func growKeys(to count: Int) {
        while keys.count < count {
            keys.append([])
            asked.append(nil)
        }
    }

    package mutating func add(key: Int, availability: EventTime.Milliseconds, values: [Value]) {
        let position = (keys[key].lastIndex { $0.availability <= availability }).map { $0 + 1 } ?? 0
        keys[key].insert(Row(availability: availability, values: values), at: position)
        prune(key)
    }

    private mutating func prune(_ key: Int) {
        guard let newest = keys[key].last?.availability else { return }
        let tooMany = keys[key].count - Self.maxRows
        var old = 0
        if let reference = keepsAhead ? asked[key].map({ min($0, newest) }) : newest {
            old = keys[key].firstIndex { $0.availability >= reference - 2 * within } ?? 0
        }
        keys[key].removeFirst(max(0, old, tooMany))
    }

    /// Notes that a key was asked about, which decides how long its rows are kept.
    package mutating func noteAsked(key: Int, at time: EventTime.Milliseconds) {
        guard keepsAhead, time > asked[key] ?? .min else { return }
        asked[key] = time
        prune(key)
    }

    /// The newest row known at `time`, and no older than ``within``.
    package func newest(key: Int, at time: EventTime.Milliseconds) -> [Value]? {
        guard let row = keys[key].last(where: { $0.availability <= time }), time - row.availability <= within else { return nil }
        return row.values
    }

    package func encodeKey(_ key: Int, into writer: inout BinaryWriter) {
        if keepsAhead { writer.write(time: asked[key]) }
        writer.write(count: keys[key].count)
        for row in keys[key] {
            writer.write(row.availability)
            for value in row.values { writer.write(value) }
        }
    }

    /// - Parameter width: Values of a row.
    package mutating func decodeKey(_ key: Int, width: Int, from reader: inout BinaryReader) throws(BinaryReader.Damaged) {
        growKeys(to: key + 1)
        if keepsAhead { asked[key] = try reader.readTime() }
        var rows: [Row] = []
        for _ in 0..<(try reader.readCount()) {
            let availability = try reader.readInt()
            var values: [Value] = []
            for _ in 0..<width { values.append(try reader.readValue()) }
            rows.append(Row(availability: availability, values: values))
        }
        keys[key] = rows
    }
}
