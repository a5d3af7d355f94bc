package import HTTPTypes

/// A request that is refused, with the status and the words of the answer.
///
/// The router answers its own kind of error before a role sees it; this one reaches the role's ``HTTPHost`` hook.
package struct RequestError: Error, Equatable {
    package let status: HTTPResponse.Status
    package let message: String

    /// - Parameter message: `nil` for the status's own phrase.
    package init(_ status: HTTPResponse.Status, _ message: String? = nil) {
        self.status = status
        self.message = message ?? status.reasonPhrase
    }

    static func tooLarge(_ limit: Int) -> RequestError { RequestError(.contentTooLarge, "the body is larger than \(limit) bytes") }
}
