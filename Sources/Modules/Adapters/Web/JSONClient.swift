package import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// Sends requests to one server: bounded time, bounded answers, bounded retries.
package struct JSONClient: Sendable {
    package enum Method: String, Sendable { case get = "GET", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE" }

    package struct Answer: Sendable {
        package let status: Int
        package let body: [UInt8]
        package let etag: String?

        /// - Throws: `badAnswer` unless the body is JSON.
        package func json(during operation: String) throws(HTTPFailure) -> JSONValue {
            do throws(JSONReader.Error) {
                return try JSONReader.read(body)
            } catch {
                throw HTTPFailure(.badAnswer, during: operation, body: Array(body.prefix(300)), cause: error)
            }
        }
    }

    package struct Call: Sendable {
        package var method: Method
        /// Begins with `/`; already percent-encoded.
        package var path: String
        package var query: [(name: String, value: String)] = []
        package var body: [UInt8]?
        package var contentType = "application/json"
        package var headers: [(name: String, value: String)] = []
        /// Whether sending it twice does what sending it once does: only then is it sent again after an answer was lost.
        package var isIdempotent: Bool

        package init(_ method: Method, _ path: String, isIdempotent: Bool? = nil) {
            self.method = method
            self.path = path
            self.isIdempotent = isIdempotent ?? (method != .post)
        }
    }

    /// The process's connections. A refused connection is told at once: whether to try again is decided here, not there.
    package static let shared: HTTPClient = {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow, timeout: .init(connect: .seconds(5)))
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// Without a trailing slash.
    package let baseURL: String
    private let client: HTTPClient
    private let timeout: Duration
    private let retry: RetryPolicy
    private let maxAnswerBytes: Int
    /// Shown to the server with every request; in no error and no log.
    private let bearer: String?

    /// - Parameters:
    ///   - client: The process's shared one unless a test has its own.
    ///   - bearer: A token that the server asks for.
    ///   - timeout: For one try, the whole answer included.
    package init(
        baseURL: String, client: HTTPClient = JSONClient.shared, bearer: String? = nil, timeout: Duration = .seconds(30),
        retry: RetryPolicy = RetryPolicy(),
        maxAnswerBytes: Int = 256 << 20
    ) {
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        self.client = client
        self.bearer = bearer
        self.timeout = timeout
        self.retry = retry
        self.maxAnswerBytes = maxAnswerBytes
    }

    /// Sends a call until it is answered or the policy gives up.
    /// - Throws: The last failure; a status of 400 or more is one.
    package func send(_ call: Call) async throws(HTTPFailure) -> Answer {
        var failures = 0
        while true {
            do throws(HTTPFailure) {
                return try await attempt(call)
            } catch {
                failures += 1
                guard error.isRetriable, call.isIdempotent || error.wasNotAccepted, !Task.isCancelled,
                    let delay = retry.delay(afterFailures: failures, jitter: Double.random(in: 0..<1))
                else { throw error }
                do { try await Task.sleep(for: delay) } catch let cancellation { throw HTTPFailure(cancellation, during: describe(call)) }
            }
        }
    }

    /// Reads JSON from a call's answer.
    package func json(_ call: Call) async throws(HTTPFailure) -> JSONValue {
        try await send(call).json(during: describe(call))
    }

    /// Whether it asks at the same address and shows the same token.
    package func asksAlike(_ other: JSONClient) -> Bool { baseURL == other.baseURL && bearer == other.bearer }

    private func describe(_ call: Call) -> String { "\(call.method.rawValue) \(baseURL)\(call.path)" }

    private func attempt(_ call: Call) async throws(HTTPFailure) -> Answer {
        var url = baseURL + call.path
        if !call.query.isEmpty {
            url += "?" + call.query.map { URLText.encode($0.name) + "=" + URLText.encode($0.value) }.joined(separator: "&")
        }
        var request = HTTPClientRequest(url: url)
        request.method = .RAW(value: call.method.rawValue)
        if let bearer { request.headers.add(name: "authorization", value: "Bearer " + bearer) }
        for header in call.headers { request.headers.add(name: header.name, value: header.value) }
        if let body = call.body {
            request.headers.add(name: "content-type", value: call.contentType)
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        do {
            // The library's deadline ends with the head of the answer, ours with its last byte.
            let answer = try await Deadlines.outgoing.run(within: timeout) { [request, client, timeout, maxAnswerBytes] in
                let response = try await client.execute(request, deadline: .now() + .nanoseconds(Self.nanoseconds(timeout)))
                let buffer = try await response.body.collect(upTo: maxAnswerBytes)
                // A body that is no longer read may look as if it ended.
                try Task.checkCancellation()
                return Answer(
                    status: Int(response.status.code), body: Array(buffer.readableBytesView), etag: response.headers.first(name: "etag"))
            }
            guard let answer else { throw HTTPFailure(.timedOut, during: describe(call)) }
            guard answer.status < 400 else {
                throw HTTPFailure(.status(answer.status), during: describe(call), body: Array(answer.body.prefix(64 << 10)))
            }
            return answer
        } catch {
            throw HTTPFailure(error, during: describe(call))
        }
    }

    static func nanoseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return min(seconds, 1_000_000) * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
