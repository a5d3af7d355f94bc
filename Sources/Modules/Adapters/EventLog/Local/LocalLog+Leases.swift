package import Domain
import GRDB

extension LocalLog {
    /// A lease is free when it has expired, when its owner, a process of this host, is gone, or when its owner gives it up
    /// because it has more than its share of the topic (see ``FairShare``).
    package func acquire(
        group: String, topic: String, partition: Int, owner: String, now: EventTime.Milliseconds, timeToLive: Int64
    ) async throws -> Lease? {
        try await write("lease of \(topic)/\(partition)") { db in
            let row = try TopicRow.find(topic, db)
            try Self.register(owner, group: group, topic: row.id, until: now + timeToLive, now: now, db)
            let held = try Row.fetchAll(
                db, sql: "SELECT partition, owner, epoch, expires FROM leases WHERE consumer = ? AND topic = ?", arguments: [group, row.id])
            let members = try Int.fetchOne(
                db, sql: "SELECT count(*) FROM members WHERE consumer = ? AND topic = ?", arguments: [group, row.id])
            var counts: [String: Int] = [:]
            for lease in held where (lease["expires"] as Int64) > now && (lease["partition"] as Int) != partition {
                counts[lease["owner"], default: 0] += 1
            }
            let own = counts.removeValue(forKey: owner) ?? 0
            let share = FairShare(partitions: row.partitions, members: members ?? 1, others: Array(counts.values))
            var epoch: Int64 = 1
            if let lease = held.first(where: { ($0["partition"] as Int) == partition }) {
                let holder: String = lease["owner"], expires: Int64 = lease["expires"]
                if holder == owner, expires > now {
                    epoch = lease["epoch"]
                    if !share.allows(oneMoreThan: own) {
                        try Self.free(group, row.id, partition, owner, epoch, db)
                        return nil
                    }
                } else {
                    guard expires <= now || !Lease.isAlive(holder) else { return nil }
                    epoch = (lease["epoch"] as Int64) + (holder == owner ? 0 : 1)
                    guard share.allows(oneMoreThan: own) else { return nil }
                }
            } else {
                guard share.allows(oneMoreThan: own) else { return nil }
            }
            try db.execute(
                sql: "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [group, row.id, partition, owner, epoch, now + timeToLive])
            return Lease(group: group, topic: topic, partition: partition, owner: owner, epoch: epoch)
        }
    }

    package func release(_ lease: Lease) async throws {
        try await write("release of \(lease.topic)/\(lease.partition)") { db in
            let topic = try TopicRow.find(lease.topic, db).id
            try Self.free(lease.group, topic, lease.partition, lease.owner, lease.epoch, db)
            try db.execute(
                sql: """
                    DELETE FROM members WHERE consumer = ? AND topic = ? AND owner = ? AND NOT EXISTS (
                        SELECT 1 FROM leases WHERE consumer = ? AND topic = ? AND owner = ? AND expires > 0)
                    """,
                arguments: [lease.group, topic, lease.owner, lease.group, topic, lease.owner])
        }
    }

    /// Notes that a process works in a group, and forgets those that have gone.
    private static func register(
        _ owner: String, group: String, topic: Int64, until expires: Int64, now: Int64, _ db: Database
    ) throws {
        try db.execute(sql: "INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?)", arguments: [group, topic, owner, expires])
        let others = try Row.fetchAll(
            db, sql: "SELECT owner, expires FROM members WHERE consumer = ? AND topic = ? AND owner <> ?", arguments: [group, topic, owner])
        for other in others where (other["expires"] as Int64) <= now || !Lease.isAlive(other["owner"]) {
            try db.execute(
                sql: "DELETE FROM members WHERE consumer = ? AND topic = ? AND owner = ?",
                arguments: [group, topic, other["owner"] as String])
        }
    }

    private static func free(_ group: String, _ topic: Int64, _ partition: Int, _ owner: String, _ epoch: Int64, _ db: Database) throws {
        try db.execute(
            sql: "UPDATE leases SET expires = 0 WHERE consumer = ? AND topic = ? AND partition = ? AND owner = ? AND epoch = ?",
            arguments: [group, topic, partition, owner, epoch])
    }
}

/// How the members of a group share the partitions of a topic: evenly, up to one.
struct FairShare {
    private let least: Int
    private let mayHaveMore: Bool

    /// - Parameters:
    ///   - members: At least 1.
    ///   - others: How many partitions each of the other members has.
    init(partitions: Int, members: Int, others: [Int]) {
        let members = max(1, members), least = partitions / members
        self.least = least
        mayHaveMore = others.count { $0 > least } < partitions % members
    }

    /// Whether a member may take a partition, or keep it, beside the `own` ones that it has.
    func allows(oneMoreThan own: Int) -> Bool { own < least || (own == least && mayHaveMore) }
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
