package import Hummingbird
package import HTTPTypes
import NIOCore

extension Response {
    /// JSON text as the whole answer.
    package static func json(_ bytes: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        bytesAnswer(bytes, type: "application/json", status: status)
    }

    package static func text(_ text: String, status: HTTPResponse.Status = .ok, type: String = "text/plain; charset=utf-8") -> Response {
        bytesAnswer(Array(text.utf8), type: type, status: status)
    }

    /// A page of ours: it may run and load nothing from elsewhere.
    package static func page(_ page: Page, status: HTTPResponse.Status = .ok) -> Response {
        var response = text(page.render(), status: status, type: "text/html; charset=utf-8")
        response.headers[.contentSecurityPolicy] = page.securityPolicy
        response.headers[.cacheControl] = "no-store"
        return response
    }

    private static func bytesAnswer(_ bytes: [UInt8], type: String, status: HTTPResponse.Status) -> Response {
        Response(status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

extension Request {
    /// The whole body.
    /// - Throws: 413 when it is larger than `limit` bytes.
    package func bytes(upTo limit: Int) async throws -> [UInt8] { Array(try await buffer(upTo: limit).readableBytesView) }

    /// The whole body.
    /// - Throws: 413 when it is larger than `limit` bytes.
    func buffer(upTo limit: Int) async throws -> ByteBuffer {
        do { return try await body.collect(upTo: limit) } catch is NIOTooManyBytesError {
            throw RequestError.tooLarge(limit)
        }
    }

    /// The pairs of the query string, decoded, in order.
    package var query: [(name: String, value: String)] { uri.query.map { URLText.query($0) } ?? [] }
}
