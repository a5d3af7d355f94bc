/// What went wrong with a WebSocket connection, and whether another attempt can help.
package struct WebSocketError: Error, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// The certificates to trust cannot be read.
        case badTrust(String)
        /// No connection: refused, no such host, no trust.
        case unreachable
        /// The server answered the handshake otherwise than with a switch to WebSocket.
        case notSwitched
        /// Nothing came for longer than the limit.
        case silent
        /// The handshake took longer than the limit.
        case slow
        /// A message is longer than the limit, in bytes.
        case tooLong(limit: Int)
        /// The server broke the protocol.
        case violation(String)
        /// The connection ended without a closing handshake.
        case cut
    }

    package let code: Code
    package let address: WebSocketAddress
    package let cause: (any Error)?

    package init(_ code: Code, _ address: WebSocketAddress, cause: (any Error)? = nil) {
        self.code = code
        self.address = address
        self.cause = cause
    }

    package var isRetriable: Bool {
        if case .badTrust = code { return false }
        return true
    }

    package var description: String {
        let what =
            switch code {
            case .badTrust(let path): "the certificates of \(path) cannot be read"
            case .unreachable: "no connection"
            case .notSwitched: "the server did not switch to WebSocket"
            case .silent: "the server fell silent"
            case .slow: "the server took too long to answer the handshake"
            case .tooLong(let limit): "a message is longer than \(limit) bytes"
            case .violation(let reason): "the server broke the protocol: \(reason)"
            case .cut: "the connection was cut"
            }
        return "\(address): \(what)" + (cause.map { " (\($0))" } ?? "")
    }
}
