package import Domain
import GRDB

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The right of one process to consume a partition for a group; every commit under it is fenced by its epoch.
package struct Lease: Sendable, Hashable {
    package let group: String
    package let topic: String
    package let partition: Int
    let topicID: Int64
    let owner: String
    let epoch: Int64

    /// - Throws: `fenced` when the partition has another owner by now.
    func check(_ db: Database) throws {
        let held = try Int64.fetchOne(
            db, sql: "SELECT epoch FROM leases WHERE consumer = ? AND topic = ? AND partition = ? AND owner = ?",
            arguments: [group, topicID, partition, owner])
        guard held == epoch else {
            throw EventLogError(.fenced(group: group, topic: topic, partition: partition), during: "commit of \(group)")
        }
    }
}

extension EventLog {
    /// Takes a partition for a group, or renews it when this process already has it.
    ///
    /// A lease is free when it has expired or when its owner, a process of this host, is gone.
    /// - Parameters:
    ///   - now: Wall time in milliseconds: the only clock that processes share.
    ///   - timeToLive: Milliseconds until an unrenewed lease expires.
    /// - Returns: `nil` while another process holds it.
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
                guard holder == owner || expires <= now || !Self.isAlive(holder) else { return nil }
                epoch = (row["epoch"] as Int64) + (holder == owner ? 0 : 1)
            }
            try db.execute(
                sql: "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [group, id, partition, owner, epoch, now + timeToLive])
            return Lease(group: group, topic: topic, partition: partition, topicID: id, owner: owner, epoch: epoch)
        }
    }

    /// Gives a partition back, so that the next process need not wait.
    package func release(_ lease: Lease) async throws {
        try await write("release of \(lease.topic)/\(lease.partition)") { db in
            try db.execute(
                sql: "UPDATE leases SET expires = 0 WHERE consumer = ? AND topic = ? AND partition = ? AND owner = ? AND epoch = ?",
                arguments: [lease.group, lease.topicID, lease.partition, lease.owner, lease.epoch])
        }
    }

    /// A new owner's name: the process, the consumer, and a random part, because two containers that share a directory may
    /// give their processes the same number.
    package static func ownerName(_ consumer: String) -> String {
        "\(getpid()):\(consumer):\(String(UInt64.random(in: .min ... .max), radix: 36))"
    }

    private static func isAlive(_ owner: String) -> Bool {
        guard let digits = owner.split(separator: ":").first, let pid = Int32(digits) else { return true }
        return kill(pid, 0) == 0 || errno == EPERM
    }
}
