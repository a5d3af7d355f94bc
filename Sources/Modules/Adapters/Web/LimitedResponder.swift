import Hummingbird
import HTTPTypes
import Logging
import NIOCore

/// Puts a role's routes behind the limits, the clock and the error answers that every request shares.
struct LimitedResponder: HTTPResponder {
    typealias Context = WebContext

    let inner: any HTTPResponder<WebContext>
    let limits: @Sendable (HTTPRequest) -> HTTPLimits
    let failure: @Sendable (any Error, Request) -> Response?
    let meter: RequestMeter
    /// The names it may be asked under.
    let hosts: HostNames
    /// What is answered without waiting, whichever way a request comes.
    let quick: [QuickRoute]
    private let deadlines = Deadlines()

    init(
        inner: any HTTPResponder<WebContext>, limits: @escaping @Sendable (HTTPRequest) -> HTTPLimits,
        failure: @escaping @Sendable (any Error, Request) -> Response?, meter: RequestMeter, hosts: HostNames, quick: [QuickRoute]
    ) {
        self.inner = inner
        self.limits = limits
        self.failure = failure
        self.meter = meter
        self.hosts = hosts
        self.quick = quick
    }

    func respond(to request: Request, context: WebContext) async throws -> Response {
        let start = ContinuousClock.now
        var response: Response
        do {
            response = try await answer(request, context)
            // No route took the request: the role says what that looks like.
            let isUnrouted = context.endpointPath.map { $0 == Self.unrouted } ?? true
            if response.status == .notFound, isUnrouted, let own = failure(RequestError(.notFound), request) {
                response = own
            }
        } catch {
            response = errorAnswer(error, request, context)
        }
        response.headers[Self.contentTypeOptions] = "nosniff"
        response.headers[Self.frameOptions] = "SAMEORIGIN"
        // A HEAD asks for the head alone, whoever answered.
        if request.method == .head { response = response.createHeadResponse() }
        meter.record(
            request.method, route: quick.first { $0.takes(request.head) }?.path ?? context.endpointPath, status: response.status.code,
            duration: ContinuousClock.now - start)
        return response
    }

    /// The path that the router notes for a request that no route takes.
    private static let unrouted = "NotFound"

    static let contentTypeOptions = HTTPField.Name("X-Content-Type-Options") ?? .contentType
    static let frameOptions = HTTPField.Name("X-Frame-Options") ?? .contentType

    private func answer(_ request: Request, _ context: WebContext) async throws -> Response {
        if let refusal = RequestOrigin.refusal(request.head, hosts: hosts) {
            return Response.text(refusal.rawValue, status: .forbidden)
        }
        let limits = limits(request.head)
        var request = request
        if let text = request.headers[.contentLength] {
            guard let length = Int(text), length >= 0 else { throw RequestError(.badRequest, "bad Content-Length") }
            guard length <= limits.maxBodyBytes else { throw RequestError.tooLarge(limits.maxBodyBytes) }
        } else if request.headers.contains(.transferEncoding) {
            let body = request.body
            request.body = RequestBody(asyncSequence: CountedBody(base: body, limit: limits.maxBodyBytes))
        }
        guard let timeout = limits.timeout else { return try await route(request, context, limits) }
        let answer = try await deadlines.run(within: timeout) { [request] in try await route(request, context, limits) }
        guard let answer else { throw RequestError(.serviceUnavailable, "the request took longer than \(timeout)") }
        return answer
    }

    private func route(_ request: Request, _ context: WebContext, _ limits: HTTPLimits) async throws -> Response {
        guard let route = quick.first(where: { $0.takes(request.head) }) else {
            return try await inner.respond(to: request, context: context)
        }
        let body = try await request.buffer(upTo: limits.maxBodyBytes)
        guard let answer = route.answer(request.head, body) else {
            var request = request
            request.body = RequestBody(buffer: body)
            return try await inner.respond(to: request, context: context)
        }
        return Response(
            status: answer.status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: answer.body))
    }

    private func errorAnswer(_ error: any Error, _ request: Request, _ context: WebContext) -> Response {
        if let response = failure(error, request) { return response }
        var status = HTTPResponse.Status.internalServerError
        var message = "internal error; the server's log has the details"
        if let known = error as? RequestError {
            status = known.status
            message = known.message
        } else if let known = error as? any HTTPResponseError {
            status = known.status
            message = known.status.reasonPhrase
        } else {
            context.logger.error(
                "request failed",
                metadata: ["method": "\(request.method.rawValue)", "path": "\(request.uri.path)", "error": "\(String(reflecting: error))"])
        }
        return .json(JSONWriter.object { $0.field("error", message) }, status: status)
    }
}

/// A body of unknown length that stops being read when it grows beyond a limit.
private struct CountedBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer
    let base: RequestBody
    let limit: Int

    struct AsyncIterator: AsyncIteratorProtocol {
        var base: RequestBody.AsyncIterator
        var left: Int
        let limit: Int

        mutating func next() async throws -> ByteBuffer? {
            guard let buffer = try await base.next() else { return nil }
            left -= buffer.readableBytes
            guard left >= 0 else { throw RequestError.tooLarge(limit) }
            return buffer
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: base.makeAsyncIterator(), left: limit, limit: limit) }
}
