package import Domain
import GRDB

extension LocalLog {
    /// A lease is free when it has expired or when its owner, a process of this host, is gone.
    package func acquire(
        group: String, topic: String, partition: Int, owner: String, now: EventTime.Milliseconds, timeToLive: Int64
    ) async throws -> Lease? {
        try await write("lease of \(topic)/\(partition)") { db in
            let id = try TopicRow.find(topic, db).id
            let row = try Row.fetchOne(
                db, sql: "SELECT owner, epoch, expires FROM leases WHERE consumer = ? AND topic = ? AND partition = ?",
                arguments: [group, id, partition])
            var epoch: Int64 = 1
            if let row {
                let holder: String = row["owner"], expires: Int64 = row["expires"]
                guard holder == owner || expires <= now || !Lease.isAlive(holder) else { return nil }
                epoch = (row["epoch"] as Int64) + (holder == owner ? 0 : 1)
            }
            try db.execute(
                sql: "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [group, id, partition, owner, epoch, now + timeToLive])
            return Lease(group: group, topic: topic, partition: partition, owner: owner, epoch: epoch)
        }
    }

    package func release(_ lease: Lease) async throws {
        try await write("release of \(lease.topic)/\(lease.partition)") { db in
            try db.execute(
                sql: "UPDATE leases SET expires = 0 WHERE consumer = ? AND topic = ? AND partition = ? AND owner = ? AND epoch = ?",
                arguments: [lease.group, try TopicRow.find(lease.topic, db).id, lease.partition, lease.owner, lease.epoch])
        }
    }
}

extension Lease {
    /// - Throws: `fenced` when the partition has another owner by now.
    func check(_ db: Database) throws {
        let held = try Int64.fetchOne(
            db,
            SQLRequest(
                sql: "SELECT epoch FROM leases WHERE consumer = ? AND topic = ? AND partition = ? AND owner = ?",
                arguments: [group, try TopicRow.find(topic, db).id, partition, owner], cached: true))
        guard held == epoch else {
            throw EventLogError(.fenced(group: group, topic: topic, partition: partition), during: "commit of \(group)")
        }
    }
}
