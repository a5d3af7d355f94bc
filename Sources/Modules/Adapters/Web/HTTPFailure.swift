import AsyncHTTPClient
import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Why a request to another server brought no answer to use.
package struct HTTPFailure: Error, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// The server answered with this status.
        case status(Int)
        case timedOut
        /// No connection: refused, reset, unknown host.
        case unreachable
        /// The answer was larger than allowed.
        case tooLarge
        /// The answer is not what the protocol says.
        case badAnswer
        /// The request itself cannot be sent.
        case badRequest
    }

    package let code: Code
    /// `POST http://host/path`.
    package let operation: String
    /// The beginning of the body that came with an error status.
    package let body: [UInt8]
    package let cause: (any Error)?

    package init(_ code: Code, during operation: String, body: [UInt8] = [], cause: (any Error)? = nil) {
        self.code = code
        self.operation = operation
        self.body = body
        self.cause = cause
    }

    /// Whether the same request may succeed later.
    package var isRetriable: Bool {
        switch code {
        case .status(let status): status == 408 || status == 429 || (status >= 500 && status != 501)
        case .timedOut, .unreachable: true
        case .tooLarge, .badAnswer, .badRequest: false
        }
    }

    /// Whether the server surely did nothing: it refused the connection or who asks, or said that it has no capacity.
    package var wasNotAccepted: Bool {
        switch code {
        case .status(401), .status(403), .status(429), .status(503): true
        // A name that leads to nobody who answers, or an address that does not.
        case .unreachable: cause is NIOConnectionError || (cause as? IOError)?.errnoCode == ECONNREFUSED
        default: false
        }
    }

    package var description: String {
        let what =
            switch code {
            case .status(let status): "status \(status) \(String(decoding: body.prefix(300), as: UTF8.self))"
            case .timedOut: "no answer in time"
            case .unreachable: "no connection" + (cause.map { ": \($0)" } ?? "")
            case .tooLarge: "the answer is too large"
            case .badAnswer: "the answer is not understood" + (cause.map { ": \($0)" } ?? "")
            case .badRequest: "the request cannot be sent" + (cause.map { ": \($0)" } ?? "")
            }
        return "\(operation): \(what)"
    }

    /// Sorts what the client library threw.
    init(_ error: any Error, during operation: String) {
        if let known = error as? HTTPFailure {
            self = known
            return
        }
        let code: Code =
            switch error {
            case let error as HTTPClientError:
                switch error {
                case .deadlineExceeded, .readTimeout, .writeTimeout, .connectTimeout, .getConnectionFromPoolTimeout: .timedOut
                case .invalidURL, .emptyHost, .emptyScheme: .badRequest
                default: .unreachable
                }
            case is NIOTooManyBytesError: .tooLarge
            default: .unreachable
            }
        self.init(code, during: operation, cause: error)
    }
}
