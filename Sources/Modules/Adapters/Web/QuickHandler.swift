import Hummingbird
import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Answers the requests of ``QuickRoute``s on their way to the task that answers the others.
///
/// A request goes on to the task, which answers it as well, when the answer could overtake another, when the peer does not read
/// what it was answered, and whenever more than the answer is to be decided: a limit, a refusal, the end of the connection.
final class QuickHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private struct Taken {
        let route: QuickRoute
        let head: HTTPRequest
        let begun: ContinuousClock.Instant
        var body: ByteBuffer?
    }

    private let responder: LimitedResponder
    private var taken: Taken?
    /// Requests that the task has and has not answered.
    private var waiting = 0
    private var date = HTTPDate()

    init(_ responder: LimitedResponder) { self.responder = responder }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            if waiting == 0, context.channel.isWritable, let route = responder.quickRoute(head) {
                taken = Taken(route: route, head: head, begun: .now)
                return
            }
            waiting += 1
        case .body(let part):
            guard taken != nil else { break }
            if taken?.body == nil { taken?.body = part } else { taken?.body?.writeImmutableBuffer(part) }
            return
        case .end:
            guard let request = taken else { break }
            taken = nil
            if answer(request, context) { return }
            waiting += 1
            context.fireChannelRead(wrapInboundOut(.head(request.head)))
            if let body = request.body { context.fireChannelRead(wrapInboundOut(.body(body))) }
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { waiting -= 1 }
        context.write(data, promise: promise)
    }

    /// - Returns: Whether the route had an answer.
    private func answer(_ request: Taken, _ context: ChannelHandlerContext) -> Bool {
        guard let answer = request.route.answer(request.head, request.body ?? ByteBuffer()) else { return false }
        var head = HTTPResponse(status: answer.status)
        head.headerFields = [
            .contentType: "application/json", .contentLength: String(answer.body.readableBytes), .date: date.now(),
            LimitedResponder.contentTypeOptions: "nosniff", LimitedResponder.frameOptions: "SAMEORIGIN",
        ]
        responder.meter.record(
            request.route.method, route: request.route.path, status: answer.status.code, duration: .now - request.begun)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(answer.body)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        return true
    }
}

extension LimitedResponder {
    /// The route that answers a request at once, if nothing else is to be decided about it.
    func quickRoute(_ request: HTTPRequest) -> QuickRoute? {
        guard let route = quick.first(where: { $0.takes(request) }) else { return nil }
        let fields = request.headerFields
        guard let length = bodyLength(request), length >= 0, length <= limits(request).maxBodyBytes,
            fields[.connection] == nil || fields[.connection]?.lowercased() == "keep-alive", !fields.contains(.expect),
            RequestOrigin.refusal(request, hosts: hosts) == nil
        else { return nil }
        return route
    }

    /// As the head says it; `nil` when it does not.
    private func bodyLength(_ request: HTTPRequest) -> Int? {
        if let text = request.headerFields[.contentLength] { return Int(text) }
        return request.method == .get && !request.headerFields.contains(.transferEncoding) ? 0 : nil
    }
}
