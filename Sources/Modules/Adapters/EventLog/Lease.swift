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
    let owner: String
    let epoch: Int64

    /// A new owner's name: the process, the process numbers' name space, the consumer, and a random part, because two
    /// containers that share a directory may give their processes the same number.
    package static func ownerName(_ consumer: String) -> String {
        "\(getpid()):\(processSpace):\(consumer):\(String(UInt64.random(in: .min ... .max), radix: 36))"
    }

    /// Whether the process of an owner's name is there still. One of another container cannot be asked and counts as alive:
    /// its leases end when they are not renewed.
    static func isAlive(_ owner: String) -> Bool {
        let parts = owner.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let pid = Int32(parts[0]), parts[1] == processSpace else { return true }
        return kill(pid, 0) == 0 || errno == EPERM
    }

    /// Inode of this process's name space of process numbers; 0 where there are none.
    private static let processSpace: String = {
        var found = stat()
        return stat("/proc/self/ns/pid", &found) == 0 ? String(found.st_ino) : "0"
    }()
}
