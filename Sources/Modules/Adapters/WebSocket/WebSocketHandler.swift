import NIOCore
import NIOWebSocket

/// Frames of a connection to messages and back: answers pings, asks when the server is silent, closes with a handshake.
///
/// It runs on the connection's event loop, so a slow reader of messages delays no answer to a ping that has been read.
final class WebSocketHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = WebSocketEvent
    typealias OutboundIn = [UInt8]
    typealias OutboundOut = WebSocketFrame

    private let address: WebSocketAddress
    private let closePatience: TimeAmount
    private let ahead: BytesAhead
    private var assembly: MessageAssembly
    private var liveness: Liveness
    private var timer: Scheduled<Void>?
    private var closeTimer: Scheduled<Void>?
    private var hasSentClose = false
    private var hasHeardClose = false
    private var closing: EventLoopPromise<Void>?
    private var isEnded = false

    init(_ address: WebSocketAddress, limits: WebSocketLimits, ahead: BytesAhead) {
        self.address = address
        self.ahead = ahead
        closePatience = .nanoseconds(limits.closePatience.inNanoseconds)
        assembly = MessageAssembly(limit: limits.messageBytes)
        liveness = Liveness(patience: limits.silence.inNanoseconds, now: Self.now)
    }

    private static var now: Int64 { Int64(clamping: NIODeadline.now().uptimeNanoseconds) }

    func handlerAdded(context: ChannelHandlerContext) { watch(context) }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        closeTimer?.cancel()
        closing?.succeed()
        closing = nil
    }

    func read(context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop), handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        guard ahead.hasRoom(orElse: { eventLoop.execute { handler.value.read(context: bound.value) } }) else { return }
        liveness.listen(true, now: Self.now)
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        liveness.hear(now: Self.now)
        guard let kind = MessageAssembly.Kind(frame.opcode) else { return fail(context, .violation("an unknown kind of frame")) }
        do throws(MessageAssembly.Violation) {
            switch try assembly.take(kind, isFinal: frame.fin, Array(frame.unmaskedData.readableBytesView)) {
            case .message(let bytes):
                ahead.add(bytes.count)
                context.fireChannelRead(wrapInboundOut(.message(bytes)))
            case .answer(let bytes): send(.pong, bytes, context, nil)
            case .closed(let code, let reason): heardClose(context, code, reason)
            case .none: break
            }
        } catch {
            switch error {
            case .tooLong: fail(context, .tooLong(limit: assembly.limit))
            case .broken(let reason): fail(context, .violation(reason))
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Until somebody asks for more, silence is ours.
        liveness.listen(false, now: Self.now)
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !hasHeardClose, !isEnded {
            isEnded = true
            context.fireErrorCaught(WebSocketError(.cut, address))
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let known as WebSocketError: context.fireErrorCaught(known)
        case NIOWebSocketError.invalidFrameLength: fail(context, .tooLong(limit: assembly.limit))
        case let error as NIOWebSocketError: fail(context, .violation("\(error)"))
        default:
            isEnded = true
            context.fireErrorCaught(WebSocketError(.cut, address, cause: error))
            context.close(promise: nil)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        send(.text, unwrapOutboundIn(data), context, promise)
    }

    /// Closing waits for the server's half of the handshake, within limits.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .all, !hasSentClose, !isEnded, context.channel.isActive else { return context.close(mode: mode, promise: promise) }
        sendClose(1_000, context)
        if hasHeardClose { return context.close(mode: mode, promise: promise) }
        closing = promise
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop), handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        closeTimer = context.eventLoop.scheduleTask(in: closePatience) { handler.value.finishClosing(bound.value) }
        context.read()
    }

    private func finishClosing(_ context: ChannelHandlerContext) {
        isEnded = true
        let promise = closing
        closing = nil
        context.close(promise: promise)
    }

    private func heardClose(_ context: ChannelHandlerContext, _ code: UInt16, _ reason: String) {
        hasHeardClose = true
        context.fireChannelRead(wrapInboundOut(.closed(code: code, reason: reason)))
        if hasSentClose { return finishClosing(context) }
        sendClose(code == 1_005 ? 1_000 : code, context)
        finishClosing(context)
    }

    /// Ends the connection at once, for a reason that is the server's.
    private func fail(_ context: ChannelHandlerContext, _ code: WebSocketError.Code) {
        guard !isEnded else { return }
        isEnded = true
        switch code {
        case .tooLong: sendClose(1_009, context)
        case .violation: sendClose(1_002, context)
        default: break
        }
        context.fireErrorCaught(WebSocketError(code, address))
        context.close(promise: nil)
    }

    private func sendClose(_ code: UInt16, _ context: ChannelHandlerContext) {
        guard !hasSentClose else { return }
        hasSentClose = true
        send(.connectionClose, [UInt8(code >> 8), UInt8(code & 0xFF)], context, nil)
    }

    private func send(_ opcode: WebSocketOpcode, _ bytes: [UInt8], _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: ByteBuffer(bytes: bytes))
        context.writeAndFlush(wrapOutboundOut(frame), promise: promise)
    }

    private func watch(_ context: ChannelHandlerContext) {
        let next: Int64
        switch liveness.check(now: Self.now) {
        case .dead: return fail(context, .silent)
        case .ask(let at):
            send(.ping, [], context, nil)
            next = at
        case .wait(let until): next = until
        }
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop), bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: .nanoseconds(max(1_000_000, next - Self.now))) { handler.value.watch(bound.value) }
    }
}

extension MessageAssembly.Kind {
    /// - Returns: `nil` for one that the protocol reserves.
    fileprivate init?(_ opcode: WebSocketOpcode) {
        switch opcode {
        case .text: self = .text
        case .binary: self = .binary
        case .continuation: self = .continuation
        case .ping: self = .ping
        case .pong: self = .pong
        case .connectionClose: self = .close
        default: return nil
        }
    }
}
