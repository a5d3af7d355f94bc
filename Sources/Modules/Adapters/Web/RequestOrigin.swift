import Foundation
import HTTPTypes

/// Tells requests of this server's users from those that a foreign web page makes their browser send.
///
/// A page of another site may post to a loopback address, or reach it under a name of its own (DNS rebinding); browsers
/// then send that site as `Origin` or `Host`. Programs send no `Origin`, and the address as `Host`.
package enum RequestOrigin {
    /// Whether only this machine reaches what listens on a host.
    package static func isLoopback(_ host: String) -> Bool { loopbackNames.contains(host.lowercased()) }

    /// Why a request is refused, in the words of MLflow's server.
    enum Refusal: String {
        case host = "Invalid Host header - possible DNS rebinding attack detected"
        case origin = "Cross-origin request blocked"
    }

    /// What load balancers ask by whatever name they have; it tells nothing and changes nothing.
    private static let openPaths: Set<String> = ["/health", "/version"]

    /// `nil` for a request to answer.
    static func refusal(_ request: HTTPRequest, hosts: HostNames) -> Refusal? {
        if openPaths.contains(String((request.path ?? "").prefix { $0 != "?" })) { return nil }
        let host = name(request.authority ?? "")
        if let host, !hosts.contains(host) { return .host }
        // A browser does not show an answer to a page of another site; what a request changes is changed all the same.
        guard ![.get, .head, .options].contains(request.method), let origin = request.headerFields[.origin] else { return nil }
        guard let scheme = origin.range(of: "://"), name(String(origin[scheme.upperBound...])) == host else { return .origin }
        return nil
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
