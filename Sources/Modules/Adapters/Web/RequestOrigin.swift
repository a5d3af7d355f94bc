import Foundation
import HTTPTypes

/// Tells requests of this server's users from those that a foreign web page makes their browser send.
///
/// A page of another site may post to a loopback address, or reach it under a name of its own (DNS rebinding); browsers
/// then send that site as `Origin` or `Host`. Programs send no `Origin`, and the address as `Host`.
package enum RequestOrigin {
    /// Whether only this machine reaches what listens on a host.
    package static func isLoopback(_ host: String) -> Bool { loopbackNames.contains(host.lowercased()) }

    static func isTrusted(_ request: HTTPRequest, isLoopback: Bool) -> Bool {
        let host = name(request.authority ?? "")
        if isLoopback, let host, !loopbackNames.contains(host) { return false }
        guard let origin = request.headerFields[.origin] else { return true }
        guard let scheme = origin.range(of: "://") else { return false }
        return name(String(origin[scheme.upperBound...])) == host
    }

    static let loopbackNames: Set<String> = ["localhost", "127.0.0.1", "::1"]

    /// The host name of `name:port` or `[address]:port`, in lower case; `nil` for none.
    private static func name(_ authority: String) -> String? {
        guard !authority.isEmpty else { return nil }
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            return authority[authority.index(after: authority.startIndex)..<end].lowercased()
        }
        return authority.prefix { $0 != ":" }.lowercased()
    }
}
