package import Web

/// Why the tracking server did not do what a client asked.
package struct TrackingFailure: Error, CustomStringConvertible {
    /// The server's reason, when it gave one in the protocol's words.
    package let refusal: TrackingError?
    package let cause: HTTPFailure

    init(_ cause: HTTPFailure) {
        self.cause = cause
        refusal = Self.refusal(in: cause.body)
    }

    package var code: TrackingError.Code? { refusal?.code }
    package var isRetriable: Bool { cause.isRetriable }
    package var description: String { refusal.map { "\(cause.operation): \($0)" } ?? cause.description }

    /// Whether the server refuses what the request says, in the protocol's words: no other time, token or address helps.
    var isForGood: Bool { refusal != nil && (cause.code == .status(400) || cause.code == .status(413)) }

    /// Whether the request may be taken as it is at another time, with another token or at another address: the server is
    /// away or does not know who asks, or what answers is no tracking server.
    var mayPass: Bool {
        switch cause.code {
        case .status(401), .status(403): true
        case .status(404): refusal == nil
        default: isRetriable
        }
    }

    private static func refusal(in body: [UInt8]) -> TrackingError? {
        guard let json = try? JSONReader.read(body), let code = json["error_code"]?.string.flatMap({ TrackingError.Code(rawValue: $0) })
        else {
            return nil
        }
        return TrackingError(code, json["message"]?.string ?? "")
    }
}
