#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// An address of a host that is on the public internet, found before anything is sent.
///
/// Whoever names a URL for the server to call could name one inside its own network. The address that was looked at is the
/// one to connect to: asking for the name a second time could bring another.
package enum PublicAddress {
    package struct Refused: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// - Parameter allowsPrivate: Takes any address, for networks that are trusted.
    /// - Returns: The text of the first address.
    /// - Throws: When the name is unknown or any of its addresses is not public, and at once when the task is cancelled.
    package static func find(_ host: String, allowsPrivate: Bool = false) async throws(Refused) -> String {
        try await NameLookup().run { resolve(host, allowsPrivate) }.get()
    }

    private static func resolve(_ host: String, _ allowsPrivate: Bool) -> Result<String, Refused> {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0, let list else {
            return .failure(Refused(description: "'\(host)' has no address"))
        }
        defer { freeaddrinfo(list) }
        var first: String?
        var entry: UnsafeMutablePointer<addrinfo>? = list
        while let info = entry?.pointee {
            entry = info.ai_next
            guard let address = info.ai_addr, let bytes = bytes(of: address) else { continue }
            guard allowsPrivate || isPublic(bytes) else {
                return .failure(Refused(description: "'\(host)' leads to \(text(bytes)), which is not a public address"))
            }
            if first == nil { first = text(bytes) }
        }
        guard let first else { return .failure(Refused(description: "'\(host)' has no address")) }
        return .success(first)
    }

    private static func bytes(of address: UnsafeMutablePointer<sockaddr>) -> [UInt8]? {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { withUnsafeBytes(of: $0.pointee.sin_addr) { Array($0) } }
        case AF_INET6:
            address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { withUnsafeBytes(of: $0.pointee.sin6_addr) { Array($0) } }
        default: nil
        }
    }

    private static func text(_ bytes: [UInt8]) -> String {
        if bytes.count == 4 { return bytes.map { String($0) }.joined(separator: ".") }
        return stride(from: 0, to: bytes.count, by: 2).map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }
            .joined(separator: ":")
    }

    /// - Parameter bytes: Four or sixteen, in network order.
    ///
    /// Source: the special-purpose registries of IANA (RFC 6890 and its updates).
    package static func isPublic(_ bytes: [UInt8]) -> Bool {
        if bytes.count == 4 {
            let address = number(bytes)
            return !special.contains { prefix, bits in (address ^ number(prefix)) >> UInt32(32 - bits) == 0 }
        }
        guard bytes.count == 16 else { return false }
        // Addresses that carry one of version 4 are as public as that one.
        if bytes[..<12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] || bytes[..<12] == [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0] {
            return isPublic(Array(bytes[12...]))
        }
        if bytes[0] == 0x20, bytes[1] == 0x02 { return isPublic(Array(bytes[2..<6])) }
        // Global unicast is 2000::/3; documentation and benchmarks are inside it.
        let isReserved = bytes[0] == 0x20 && bytes[1] == 0x01 && (bytes[2] == 0x0D && bytes[3] == 0xB8 || bytes[2] < 0x02)
        return bytes[0] & 0xE0 == 0x20 && !isReserved
    }

    private static func number(_ bytes: [UInt8]) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }

    private static let special: [([UInt8], Int)] = [
        ([0, 0, 0, 0], 8), ([10, 0, 0, 0], 8), ([100, 64, 0, 0], 10), ([127, 0, 0, 0], 8), ([169, 254, 0, 0], 16), ([172, 16, 0, 0], 12),
        ([192, 0, 0, 0], 24), ([192, 0, 2, 0], 24), ([192, 88, 99, 0], 24), ([192, 168, 0, 0], 16), ([198, 18, 0, 0], 15),
        ([198, 51, 100, 0], 24), ([203, 0, 113, 0], 24), ([224, 0, 0, 0], 4), ([240, 0, 0, 0], 4),
    ]
}
