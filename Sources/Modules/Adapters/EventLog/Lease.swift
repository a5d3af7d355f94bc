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

    /// A new owner's name: the process, the consumer, and a random part, because two containers that share a directory may
    /// give their processes the same number.
    package static func ownerName(_ consumer: String) -> String {
        "\(getpid()):\(consumer):\(String(UInt64.random(in: .min ... .max), radix: 36))"
    }

    /// Whether the process of an owner's name is there still, as far as this host can tell.
    static func isAlive(_ owner: String) -> Bool {
        guard let digits = owner.split(separator: ":").first, let pid = Int32(digits) else { return true }
        return kill(pid, 0) == 0 || errno == EPERM
    }
}
