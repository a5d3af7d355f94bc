package import Hummingbird
package import Logging
import ServiceLifecycle
package import Telemetry

/// `/healthz`, `/readyz` and `/metrics` of the process on a port of their own.
package struct AdminServer: Service {
    private let host: HTTPHost

    package var address: ListeningAddress { host.address }

    /// - Parameter port: 0 lets the system choose; see ``address``.
    package init(host: String = "127.0.0.1", port: Int, metrics: MetricsRegistry, readiness: Readiness, logger: Logger) {
        let router = Router(context: WebContext.self, options: .autoGenerateHeadEndpoints)
        Self.addRoutes(to: router, metrics: metrics, readiness: readiness)
        self.host = HTTPHost(role: "admin", host: host, port: port, responder: router.buildResponder(), logger: logger)
    }

    package func run() async throws { try await host.run() }

    /// For a role that answers them on its own port too.
    package static func addRoutes(to router: Router<WebContext>, metrics: MetricsRegistry, readiness: Readiness) {
        router.get("/healthz") { _, _ in Response.text("ok\n") }
        router.get("/readyz") { _, _ in
            let (isReady, checks) = readiness.state
            let body = JSONWriter.object { writer in
                writer.field("ready", isReady)
                writer.key("checks")
                writer.object { writer in for check in checks { writer.field(check.name, check.isReady) } }
            }
            return Response.json(body, status: isReady ? .ok : .serviceUnavailable)
        }
        router.get("/metrics") { _, _ in Response.text(metrics.render(), type: PrometheusText.contentType) }
    }
}
