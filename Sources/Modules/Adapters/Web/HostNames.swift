/// Under which names a server may be asked, so that a page on the internet cannot point a name of its own at it and ask it
/// from inside a browser that reaches it (DNS rebinding).
///
/// Only a server that asks nobody for a token needs them: a browser sends no other server's token along.
package enum HostNames: Sendable, Equatable {
    /// Those of this machine's loopback; and these, where `*.example.com` stands for all names below and `*` for any.
    case loopback(and: [String])
    /// Those that nobody on the internet can own: addresses, single words, the endings of private networks; and these.
    case local(and: [String])
    case any

    /// What no public registry gives away (RFC 2606, RFC 6762, RFC 8375, ICANN's reserved `internal`) and what Kubernetes uses.
    private static let privateEndings = [".localhost", ".local", ".internal", ".home.arpa", ".svc", ".cluster.local", ".test"]

    /// - Parameter name: In lower case, without port and brackets.
    func contains(_ name: String) -> Bool {
        switch self {
        case .any: return true
        case .loopback(let own): return RequestOrigin.loopbackNames.contains(name) || Self.isOne(name, of: own)
        case .local(let own):
            if name.contains(":") || Self.isAddress(name) || !name.contains(".") { return true }
            if Self.privateEndings.contains(where: { name.hasSuffix($0) }) { return true }
            return Self.isOne(name, of: own)
        }
    }

    private static func isOne(_ name: String, of own: [String]) -> Bool {
        own.contains { own in
            own == "*" || (own.hasPrefix("*.") ? name.hasSuffix(own.dropFirst().lowercased()) : name == own.lowercased())
        }
    }

    /// Four numbers between dots. A browser that was led here by an address alone was not misled by a name.
    private static func isAddress(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { $0.utf8.allSatisfy { (48...57).contains($0) } && UInt8($0) != nil }
    }
}
