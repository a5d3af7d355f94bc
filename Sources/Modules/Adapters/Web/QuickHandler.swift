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
                taken = Taken(route: route, begun: .now)
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
            answer(request, context)
            return
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { waiting -= 1 }
        context.write(data, promise: promise)
    }

    private func answer(_ request: Taken, _ context: ChannelHandlerContext) {
        let answer = request.route.answer(request.body ?? ByteBuffer())
        var head = HTTPResponse(status: answer.status)
        head.headerFields = [
            .contentType: "application/json", .contentLength: String(answer.body.readableBytes), .date: date.now(),
            LimitedResponder.contentTypeOptions: "nosniff",
        ]
        responder.meter.record(
            request.route.method, route: request.route.path, status: answer.status.code, duration: .now - request.begun)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(answer.body)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}

extension LimitedResponder {
    /// The route that answers a request at once, if nothing else is to be decided about it.
    func quickRoute(_ request: HTTPRequest) -> QuickRoute? {
        guard let route = quick.first(where: { $0.takes(request) }) else { return nil }
        let fields = request.headerFields
        guard let length = fields[.contentLength].flatMap({ Int($0) }), length >= 0, length <= limits(request).maxBodyBytes,
            fields[.connection] == nil || fields[.connection]?.lowercased() == "keep-alive", !fields.contains(.expect),
            RequestOrigin.refusal(request, hosts: hosts) == nil
        else { return nil }
        return route
    }
}
