import Domain
import EventLog

/// The rows that a partition of a view's topic has, taken entity by entity in order, whatever stands between them.
struct StoredRows {
    private let log: any EventLog
    private let topic: String
    private let partition: Int
    private let end: Int64
    private var at: Int64
    private var waiting: [[UInt8]: [StoredRecord]] = [:]
    private(set) var taken = 0

    /// - Parameters:
    ///   - first: Rows before this offset have been superseded.
    ///   - end: Rows from this offset on do not exist yet for the reader.
    init(log: any EventLog, topic: String, partition: Int, first: Int64, end: Int64) {
        at = first
        self.log = log
        self.topic = topic
        self.partition = partition
        self.end = end
    }

    /// The next row of an entity; `nil` when there is no further one.
    mutating func next(of key: [UInt8]) async throws -> StoredRecord? {
        while waiting[key] == nil, at < end { try await readOn() }
        guard var rows = waiting[key] else { return nil }
        // In the order of the log; few wait for one entity at a time.
        let row = rows.removeFirst()
        waiting[key] = rows.isEmpty ? nil : rows
        taken += 1
        return row
    }

    /// A row that nobody took, the first in the log.
    mutating func rest() async throws -> StoredRecord? {
        while waiting.isEmpty, at < end { try await readOn() }
        return waiting.values.compactMap(\.first).min { $0.offset < $1.offset }
    }

    private mutating func readOn() async throws {
        let batch = try await log.read(topic: topic, partition: partition, from: at, limit: 10_000)
        guard batch.nextOffset > at else {
            at = end
            return
        }
        for stored in try batch.records() where stored.offset < end { waiting[stored.record.key ?? [], default: []].append(stored) }
        at = batch.nextOffset
    }
}
