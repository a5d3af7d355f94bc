import Foundation
import GRDB

/// Batches of observations that are not in the history yet.
///
/// A history is sorted by metric, so each observation of a batch belongs to a page of its own, and a commit would write a
/// hundred pages for a hundred numbers. A batch is therefore kept as it came, in one row, and many batches are put into the
/// history together: by whoever reads a history, or by the batch that finds too many. Nothing of it can be seen from outside.
enum MetricBatches {
    /// Fewer observations go into the history at once.
    private static let smallest = 16
    /// As many observations as may wait.
    static let limit: Int64 = 20_000

    /// The number of a row is the number of observations up to and with it.
    static let schema = "CREATE TABLE metric_batches (id INTEGER PRIMARY KEY, run INTEGER NOT NULL, points BLOB NOT NULL);"

    private static func count(_ db: Database) throws -> Int64 {
        try Int64.fetchOne(db.cachedStatement(sql: "SELECT max(id) FROM metric_batches")) ?? 0
    }

    /// Whether a batch more may wait.
    static func isRoomy(_ db: Database) throws -> Bool { try count(db) < limit }

    static func isEmpty(_ db: Database) throws -> Bool { try count(db) == 0 }

    /// - Parameter points: All of one run.
    static func add(_ points: [MetricPoint], run: Int64, _ db: Database) throws {
        guard points.count >= smallest else {
            var rows = try HistoryRows(db)
            for point in points { try rows.write(point) }
            return
        }
        if try !isRoomy(db) { try settle(db) }
        let id = try count(db) + Int64(points.count)
        try db.cachedStatement(sql: "INSERT INTO metric_batches VALUES (?, ?, ?)").execute(arguments: [id, run, packed(points)])
    }

    /// Puts all that waits into the history.
    static func settle(_ db: Database) throws {
        var points: [MetricPoint] = []
        let batches = try Row.fetchCursor(db, sql: "SELECT run, points FROM metric_batches ORDER BY id")
        while let batch = try batches.next() {
            let run: Int64 = batch[0]
            try batch.withUnsafeData(atIndex: 1) { data in if let data { points += unpacked(data, run: run) } }
        }
        // In the order of the history, whose pages are then each written once.
        points.sort { ($0.run, $0.key, $0.timestamp, $0.step) < ($1.run, $1.key, $1.timestamp, $1.step) }
        var rows = try HistoryRows(db)
        for point in points { try rows.write(point) }
        try db.execute(sql: "DELETE FROM metric_batches")
    }

    /// Key, timestamp, step and bits of the value of each observation, eight bytes each, the lowest first.
    private static func packed(_ points: [MetricPoint]) -> Data {
        var words: [UInt64] = []
        words.reserveCapacity(4 * points.count)
        for point in points {
            words.append(UInt64(bitPattern: point.key).littleEndian)
            words.append(UInt64(bitPattern: point.timestamp).littleEndian)
            words.append(UInt64(bitPattern: point.step).littleEndian)
            words.append(point.value.bitPattern.littleEndian)
        }
        return words.withUnsafeBytes { Data($0) }
    }

    private static func unpacked(_ data: Data, run: Int64) -> [MetricPoint] {
        data.withUnsafeBytes { bytes in
            func word(_ index: Int) -> UInt64 { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self)) }
            return (0..<bytes.count / 32).map { index in
                MetricPoint(
                    run: run, key: Int64(bitPattern: word(4 * index)), timestamp: Int64(bitPattern: word(4 * index + 1)),
                    step: Int64(bitPattern: word(4 * index + 2)), value: Double(bitPattern: word(4 * index + 3)))
            }
        }
    }
}

extension TrackingStore {
    /// A read of histories, with all in them that was logged before it.
    func readHistory<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(TrackingError) -> Value {
        let found: Value? = try await database.read { db in try MetricBatches.isEmpty(db) ? body(db) : nil }
        if let found { return found }
        try await database.write { try MetricBatches.settle($0) }
        return try await database.read(body)
    }
}
