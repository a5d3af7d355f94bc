import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

/// What a connection may take. Times are measured by the monotonic clock.
package struct WebSocketLimits: Sendable, Hashable {
    /// Until the connection is made and the server has switched.
    package var handshake = Duration.seconds(10)
    /// A server of which nothing was heard for so long is gone; it is asked after half of the time.
    package var silence = Duration.seconds(30)
    /// Until a connection that closes is cut.
    package var closePatience = Duration.seconds(2)
    /// Bytes of one message.
    package var messageBytes = 4 << 20
    /// Messages that are read ahead of who takes them; then the server has to wait.
    package var messagesAhead = 256
    /// Bytes of messages that are read ahead; one message more may be.
    package var bytesAhead = 16 << 20

    package init() {}
}

/// What came from the server.
package enum WebSocketEvent: Sendable, Equatable {
    case message([UInt8])
    /// The server has closed; the last event.
    case closed(code: UInt16, reason: String)
}

/// A connection that is open.
package struct WebSocketSession {
    private var events: NIOAsyncChannelInboundStream<WebSocketEvent>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<[UInt8]>
    private let ahead: BytesAhead
    private let address: WebSocketAddress

    fileprivate init(
        _ inbound: NIOAsyncChannelInboundStream<WebSocketEvent>, _ outbound: NIOAsyncChannelOutboundWriter<[UInt8]>, _ ahead: BytesAhead,
        _ address: WebSocketAddress
    ) {
        self.ahead = ahead
        events = inbound.makeAsyncIterator()
        self.outbound = outbound
        self.address = address
    }

    /// The next event; `nil` once the connection has ended.
    /// - Throws: ``WebSocketError`` when it ended otherwise than by a closing handshake.
    package mutating func next() async throws -> WebSocketEvent? {
        let event = try await events.next()
        if case .message(let bytes)? = event { ahead.take(bytes.count) }
        return event
    }

    /// Sends a text message.
    package func send(_ text: String) async throws {
        do {
            try await outbound.write(Array(text.utf8))
        } catch let error where !(error is CancellationError) {
            throw WebSocketError(.cut, address, cause: error)
        }
    }
}

/// Connects to WebSocket servers.
package struct WebSocketClient: Sendable {
    private let address: WebSocketAddress
    private let limits: WebSocketLimits
    private let tls: NIOSSLContext?

    /// - Parameter trust: A PEM file of certificates to trust; `nil` for those of the system.
    /// - Throws: ``WebSocketError`` with `badTrust`.
    package init(_ address: WebSocketAddress, trust: String? = nil, limits: WebSocketLimits = WebSocketLimits()) async throws {
        self.address = address
        self.limits = limits
        guard address.isSecure else {
            tls = nil
            return
        }
        do {
            // Reading certificates blocks.
            tls = try await NIOThreadPool.singleton.runIfActive {
                var configuration = TLSConfiguration.makeClientConfiguration()
                if let trust {
                    configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(trust))
                }
                configuration.applicationProtocols = ["http/1.1"]
                return try NIOSSLContext(configuration: configuration)
            }
        } catch {
            throw WebSocketError(.badTrust(trust ?? "the system"), address, cause: error)
        }
    }

    private enum Upgrade: Sendable { case switched(NIOAsyncChannel<WebSocketEvent, [UInt8]>, BytesAhead), refused(any Channel) }

    /// Opens a connection, hands it over, and closes it.
    /// - Throws: ``WebSocketError``, or what `body` throws.
    package func run<Result: Sendable>(_ body: @Sendable (inout WebSocketSession) async throws -> Result) async throws -> Result {
        let (channel, ahead) = try await connect()
        return try await channel.executeThenClose { inbound, outbound in
            var session = WebSocketSession(inbound, outbound, ahead, address)
            return try await body(&session)
        }
    }

    private func connect() async throws -> (NIOAsyncChannel<WebSocketEvent, [UInt8]>, BytesAhead) {
        let upgrade: Upgrade
        do {
            let patience = TimeAmount.nanoseconds(limits.handshake.inNanoseconds)
            let negotiation = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(patience)
                .connect(host: address.host, port: address.port) { [self] channel in
                    channel.eventLoop.makeCompletedFuture { try prepare(channel, patience) }
                }
            upgrade = try await negotiation.get()
        } catch let error as WebSocketError {
            throw error
        } catch let error as CancellationError {
            throw error
        } catch {
            throw WebSocketError(.unreachable, address, cause: error)
        }
        switch upgrade {
        case .switched(let channel, let ahead): return (channel, ahead)
        case .refused(let channel):
            channel.close(promise: nil)
            throw WebSocketError(.notSwitched, address)
        }
    }

    private func prepare(_ channel: any Channel, _ patience: TimeAmount) throws -> EventLoopFuture<Upgrade> {
        if let tls {
            let isAddress = (try? SocketAddress(ipAddress: address.host, port: 0)) != nil
            try channel.pipeline.syncOperations.addHandler(
                NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : address.host))
        }
        let (address, limits) = (address, limits)
        let upgrader = NIOTypedWebSocketClientUpgrader<Upgrade>(maxFrameSize: limits.messageBytes, enableAutomaticErrorHandling: false) {
            channel, _ in
            channel.eventLoop.makeCompletedFuture {
                let ahead = BytesAhead(limit: limits.bytesAhead)
                try channel.pipeline.syncOperations.addHandler(WebSocketHandler(address, limits: limits, ahead: ahead))
                let configuration = NIOAsyncChannel<WebSocketEvent, [UInt8]>.Configuration(
                    backPressureStrategy: .init(lowWatermark: limits.messagesAhead / 2, highWatermark: limits.messagesAhead))
                return .switched(try NIOAsyncChannel(wrappingChannelSynchronously: channel, configuration: configuration), ahead)
            }
        }
        var headers = HTTPHeaders()
        headers.add(name: "Host", value: address.hostHeader)
        headers.add(name: "User-Agent", value: "mlops")
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: address.path, headers: headers)
        let future = try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
            configuration: .init(
                upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration(
                    upgradeRequestHead: head, upgraders: [upgrader],
                    notUpgradingCompletionHandler: { channel in channel.eventLoop.makeSucceededFuture(.refused(channel)) })))
        // A server that accepts and then says nothing would hold us for ever.
        let timer = channel.eventLoop.scheduleTask(in: patience) {
            channel.pipeline.fireErrorCaught(WebSocketError(.slow, address))
            channel.close(promise: nil)
        }
        future.whenComplete { _ in timer.cancel() }
        return future
    }
}

extension Duration {
    /// At most 292 years.
    var inNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return min(seconds, 9_000_000_000) * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
