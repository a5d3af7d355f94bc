import Domain
import Foundation
import GRDB

/// The statements of the log, run inside a transaction that the caller owns.
enum LogTables {
    static func end(_ db: Database, topic: Int64, partition: Int) throws -> Int64 {
        let request = SQLRequest<Int64>(
            sql: "SELECT next FROM ends WHERE topic = ? AND partition = ?", arguments: [topic, partition], cached: true)
        return try Int64.fetchOne(db, request) ?? 0
    }

    static func write(_ unit: LogUnit, _ db: Database) throws {
        try unit.lease?.check(db)
        for output in unit.outputs where !output.records.isEmpty {
            let topic = try TopicRow.find(output.topic, db)
            for (partition, records) in grouped(output, topic.partitions) {
                try append(records, topic, partition, db)
            }
        }
        for change in unit.state {
            if let value = change.value {
                try db.cachedStatement(sql: "INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)")
                    .execute(arguments: [unit.group, unit.partition, Data(change.key), Data(value)])
            } else {
                try db.cachedStatement(sql: "DELETE FROM state WHERE consumer = ? AND partition = ? AND key = ?")
                    .execute(arguments: [unit.group, unit.partition, Data(change.key)])
            }
        }
        for position in unit.offsets {
            let topic = try TopicRow.find(position.topic, db)
            try db.cachedStatement(sql: "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?, ?)")
                .execute(arguments: [unit.group, topic.id, position.partition, position.next])
        }
    }

    private static func grouped(_ output: LogUnit.Output, _ partitions: Int) -> [(Int, [Domain.Record])] {
        if let partition = output.partition { return [(partition, output.records)] }
        if partitions == 1 { return [(0, output.records)] }
        var groups = [[Domain.Record]](repeating: [], count: partitions)
        for record in output.records { groups[Murmur2.partition(of: record.key, among: partitions)].append(record) }
        return groups.enumerated().filter { !$1.isEmpty }.map { ($0, $1) }
    }

    private static func append(_ records: [Domain.Record], _ topic: TopicRow, _ partition: Int, _ db: Database) throws {
        let base = try end(db, topic: topic.id, partition: partition)
        if topic.isCompacted {
            for (index, record) in records.enumerated() { try replace(record, topic, partition, base + Int64(index), db) }
        } else {
            try insert(records, topic, partition, base, db)
        }
        try db.cachedStatement(sql: "UPDATE ends SET next = ? WHERE topic = ? AND partition = ?")
            .execute(arguments: [base + Int64(records.count), topic.id, partition])
    }

    /// Batches larger than this are cut, so that a reader never has to hold more to get one record.
    private static let maxBatchBytes = 1 << 20

    private static func insert(_ records: [Domain.Record], _ topic: TopicRow, _ partition: Int, _ base: Int64, _ db: Database) throws {
        var bytes: [UInt8] = []
        var first = 0
        for (index, record) in records.enumerated() {
            BatchCodec.append(record, to: &bytes)
            guard bytes.count >= maxBatchBytes || index == records.count - 1 else { continue }
            let times = records[first...index].map(\.timestamp)
            try db.cachedStatement(sql: "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?)").execute(arguments: [
                topic.id, partition, base + Int64(first), base + Int64(index) + 1, times.min() ?? 0, times.max() ?? 0, Data(bytes),
            ])
            bytes.removeAll(keepingCapacity: true)
            first = index + 1
        }
    }

    private static func replace(_ record: Domain.Record, _ topic: TopicRow, _ partition: Int, _ offset: Int64, _ db: Database) throws {
        var bytes: [UInt8] = []
        BatchCodec.append(record, to: &bytes)
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?, ?)")
            .execute(arguments: [topic.id, partition, Data(record.key ?? []), offset, Data(bytes)])
    }

    static func readBatches(_ db: Database, _ topic: TopicRow, partition: Int, from: Int64, limit: Int) throws -> RecordBatch {
        let end = try end(db, topic: topic.id, partition: partition)
        guard from < end else { return RecordBatch(topic: topic.name, partition: partition, nextOffset: from, count: 0, chunks: []) }
        // The batch that holds `from` is the last one whose base is not beyond it.
        let start = try Int64.fetchOne(
            db,
            SQLRequest(
                sql: "SELECT max(base) FROM batches WHERE topic = ? AND partition = ? AND base <= ?",
                arguments: [topic.id, partition, from], cached: true))
        let statement = try db.cachedStatement(
            sql: "SELECT base, next, data FROM batches WHERE topic = ? AND partition = ? AND base >= ? ORDER BY base")
        let rows = try Row.fetchCursor(statement, arguments: [topic.id, partition, start ?? from])
        var chunks: [RecordBatch.Chunk] = []
        var next = from, count = 0
        while count < limit, let row = try rows.next() {
            let base: Int64 = row["base"], batchEnd: Int64 = row["next"]
            guard batchEnd > from else { continue }
            let first = max(base, from), last = min(batchEnd, first + Int64(limit - count))
            let bytes = try row.withUnsafeData(named: "data") { Array($0 ?? Data()) }
            chunks.append(RecordBatch.Chunk(base: base, first: first, end: last, bytes: bytes))
            count += Int(last - first)
            next = last
        }
        return RecordBatch(topic: topic.name, partition: partition, nextOffset: next, count: count, chunks: chunks)
    }

    static func readLatest(_ db: Database, _ topic: TopicRow, partition: Int, from: Int64, limit: Int) throws -> RecordBatch {
        let rows = try Row.fetchAll(
            db, sql: "SELECT offset, data FROM latest WHERE topic = ? AND partition = ? AND offset >= ? ORDER BY offset LIMIT ?",
            arguments: [topic.id, partition, from, limit])
        let chunks = rows.map { row in
            let offset: Int64 = row["offset"]
            return RecordBatch.Chunk(base: offset, first: offset, end: offset + 1, bytes: Array(row["data"] as Data))
        }
        // Offsets that compaction has emptied are skipped: the end is the next place to read once nothing else is left.
        let end = try end(db, topic: topic.id, partition: partition)
        let next = chunks.count < limit ? max(from, end) : chunks.last.map { $0.end } ?? from
        return RecordBatch(topic: topic.name, partition: partition, nextOffset: next, count: chunks.count, chunks: chunks)
    }
}
