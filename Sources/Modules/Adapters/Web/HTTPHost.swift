package import Hummingbird
import Foundation
import HummingbirdCore
import HummingbirdTLS
package import HTTPTypes
package import Logging
import NIOCore
import ServiceLifecycle

/// An HTTP/1.1 server as a service: it listens, answers through a role's router, and drains when asked to stop.
///
/// Every request meets a limit on its body and on its time; whatever a handler throws becomes an answer. Binds loopback
/// unless told otherwise.
package struct HTTPHost: Service {
    /// Host names what could not be bound.
    package struct CannotListen: Error, CustomStringConvertible {
        package let place: ListeningAddress.Place
        package let cause: any Error
        package var description: String { "cannot listen on \(place): \(reason)" }

        private var reason: String {
            switch (cause as? IOError)?.errnoCode {
            case EADDRINUSE: "another process does already; give another port, or 0 for any that is free"
            case EACCES: "this user may not listen on that port; those below 1024 are for root"
            case EADDRNOTAVAIL: "this machine has no such address"
            default: "\(cause)"
            }
        }
    }

    /// A connection that is silent this long is closed.
    package static var idleTimeout: Duration { .seconds(75) }

    /// Becomes known when the host listens.
    package let address: ListeningAddress
    private let role: String
    private let place: ListeningAddress.Place
    private let tls: TLSFiles?
    private let responder: LimitedResponder
    private let logger: Logger
    private let onListening: @Sendable (ListeningAddress.Place) async -> Void

    /// - Parameters:
    ///   - role: What it serves: label of the request metrics, fact of the log.
    ///   - port: 0 lets the system choose; see ``address``.
    ///   - tls: Speaks HTTPS with this certificate; `nil` for HTTP.
    ///   - hosts: The names it may be asked under; `nil` for those of the loopback when it listens there, else any.
    ///   - responder: Usually a router's.
    ///   - quick: What is answered without waiting; asked before the responder.
    ///   - limits: What a request may cost, decided from its head.
    ///   - failure: The answer to an error that a handler threw.
    ///   - address: One that somebody waits on already, when there is.
    ///   - onListening: Called once, before the first request is accepted.
    package init(
        role: String, host: String = "127.0.0.1", port: Int, tls: TLSFiles? = nil, hosts: HostNames? = nil,
        responder: some HTTPResponder<WebContext>, quick: [QuickRoute] = [],
        limits: @escaping @Sendable (HTTPRequest) -> HTTPLimits = { _ in HTTPLimits() },
        failure: @escaping @Sendable (any Error, Request) -> Response? = { _, _ in nil },
        logger: Logger, address: ListeningAddress = ListeningAddress(),
        onListening: @escaping @Sendable (ListeningAddress.Place) async -> Void = { _ in }
    ) {
        self.role = role
        place = ListeningAddress.Place(host: host, port: port, isSecure: tls != nil)
        self.tls = tls
        self.responder = LimitedResponder(
            inner: responder, limits: limits, failure: failure, meter: RequestMeter(role: role),
            hosts: hosts ?? (RequestOrigin.isLoopback(host) ? .loopback(and: []) : .any), quick: quick)
        self.logger = logger
        self.address = address
        self.onListening = onListening
    }

    package func run() async throws {
        let application = Application(
            responder: responder,
            server: try server(),
            configuration: ApplicationConfiguration(address: .hostname(place.host, port: place.port)),
            onServerRunning: { channel in
                let bound = ListeningAddress.Place(
                    host: place.host, port: channel.localAddress?.port ?? place.port, isSecure: place.isSecure)
                logger.info("listening", metadata: ["address": "\(bound)", "server": "\(role)"])
                await onListening(bound)
                address.resolve(.success(bound))
            },
            logger: quiet)
        do {
            try await application.run()
            address.resolve(.failure(CancellationError()))
        } catch {
            address.resolve(.failure(error))
            if address.current == nil { throw CannotListen(place: place, cause: error) }
            throw error
        }
    }

    private func server() throws -> HTTPServerBuilder {
        let plain = HTTPServerBuilder { [responder] answer in
            LoopChannel(
                http: HTTP1Channel(responder: answer, configuration: .init(idleTimeout: .nanoseconds(75_000_000_000))), responder: responder
            )
        }
        guard let tls else { return plain }
        return try .tls(plain, tlsConfiguration: tls.configuration())
    }

    /// The framework speaks of every start and stop; only its warnings are facts for a reader.
    private var quiet: Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }
}
