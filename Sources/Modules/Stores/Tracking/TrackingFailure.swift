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

    private static func refusal(in body: [UInt8]) -> TrackingError? {
        guard let json = try? JSONReader.read(body), let code = json["error_code"]?.string.flatMap({ TrackingError.Code(rawValue: $0) })
        else {
            return nil
        }
        return TrackingError(code, json["message"]?.string ?? "")
    }
}
