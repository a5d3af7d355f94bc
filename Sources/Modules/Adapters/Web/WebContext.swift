package import Hummingbird
package import NIOCore

/// What a handler knows about the request besides its text.
package struct WebContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    /// The peer as the socket names it; `nil` in tests without one.
    package let remoteAddress: SocketAddress?

    package init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        remoteAddress = source.channel.remoteAddress
    }
}

/// What one request may cost.
package struct HTTPLimits: Sendable, Hashable {
    package var maxBodyBytes: Int
    /// Until the handler has answered; `nil` for as long as it takes.
    package var timeout: Duration?

    package init(maxBodyBytes: Int = 2 << 20, timeout: Duration? = .seconds(30)) {
        self.maxBodyBytes = maxBodyBytes
        self.timeout = timeout
    }
}
