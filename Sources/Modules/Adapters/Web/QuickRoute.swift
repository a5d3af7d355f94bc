package import HTTPTypes
package import NIOCore

/// A path whose answers mostly need nothing but the request and what is at hand.
///
/// Its requests are answered on the event loop of their connection, without a task and the changes of thread that come with
/// one: for a small answer these cost more than the answer.
package struct QuickRoute: Sendable {
    /// JSON text and its status.
    package struct Answer: Sendable {
        package let status: HTTPResponse.Status
        package let body: ByteBuffer

        package init(_ body: ByteBuffer, status: HTTPResponse.Status = .ok) {
            self.status = status
            self.body = body
        }
    }

    package let method: HTTPRequest.Method
    package let path: String
    package let answer: @Sendable (HTTPRequest, ByteBuffer) -> Answer?

    /// - Parameter answer: Must not wait for anything: meanwhile the loop's other connections stand still. When it would have
    ///   to, it gives `nil` and leaves nothing behind, and the responder answers.
    package init(_ method: HTTPRequest.Method, _ path: String, answer: @escaping @Sendable (HTTPRequest, ByteBuffer) -> Answer?) {
        self.method = method
        self.path = path
        self.answer = answer
    }

    func takes(_ request: HTTPRequest) -> Bool {
        guard request.method == method, let asked = request.path else { return false }
        return asked == path || (asked.hasPrefix(path) && asked.utf8.dropFirst(path.utf8.count).first == UInt8(ascii: "?"))
    }
}
