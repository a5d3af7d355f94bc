/// Where a WebSocket server is: the parts of a `ws:` or `wss:` URL.
package struct WebSocketAddress: Sendable, Hashable, CustomStringConvertible {
    package let isSecure: Bool
    /// Without the brackets of an IPv6 address.
    package let host: String
    package let port: Int
    /// Path and query; begins with `/`.
    package let path: String

    /// - Returns: `nil` unless the text is `ws://` or `wss://`, a host, perhaps a port, and perhaps a path.
    package init?(_ text: String) {
        let schemes = [("wss://", true), ("ws://", false)]
        guard let scheme = schemes.first(where: { text.hasPrefix($0.0) }) else { return nil }
        isSecure = scheme.1
        let rest = text.dropFirst(scheme.0.count)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end], tail = rest[end...]
        guard tail.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let (host, port) = Self.split(authority) else { return nil }
        self.host = host
        self.port = port ?? (isSecure ? 443 : 80)
        path = tail.hasPrefix("/") ? String(tail) : "/" + tail
    }

    private static func split(_ authority: Substring) -> (host: String, port: Int?)? {
        var host = authority, port: Int?
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else { return nil }
            host = authority[authority.index(after: authority.startIndex)..<close]
            let after = authority[authority.index(after: close)...]
            guard after.isEmpty || after.hasPrefix(":") else { return nil }
            port = after.isEmpty ? nil : Self.port(after.dropFirst())
            if !after.isEmpty, port == nil { return nil }
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            port = Self.port(authority[authority.index(after: colon)...])
            if port == nil { return nil }
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "@") }) else { return nil }
        return (String(host), port)
    }

    private static func port(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let port = Int(text), (1...65_535).contains(port) else {
            return nil
        }
        return port
    }

    /// What stands in the `Host` header.
    var hostHeader: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    package var description: String { "\(isSecure ? "wss" : "ws")://\(hostHeader)\(path)" }
}
