package import Domain
package import EventLog
import Features
import Foundation
import Hummingbird
package import Logging
import ServiceLifecycle
package import Table
package import Telemetry
package import Web

/// The `monitor` role: live errors, drift and data quality of one model, as gauges and as a page.
package struct MonitorRole: Service {
    package struct Configuration: Sendable {
        package var host = "127.0.0.1"
        /// 0 lets the system choose; `nil` serves no page.
        package var port: Int? = 9_090
        /// Where the page is written; `nil` for nowhere.
        package var reportPath: String?

        package init() {}
    }

    private static let reportInterval = Duration.seconds(10)

    package let worker: MonitorWorker
    private let configuration: Configuration
    private let host: HTTPHost?
    private let readiness: Readiness
    private let logger: Logger

    /// Where the page is, known once it is; `nil` when none is served.
    package var address: ListeningAddress? { host?.address }

    /// - Parameters:
    ///   - plan: Which topics to follow; they exist.
    ///   - reference: The training sample of a version; `nil` when it has none.
    ///   - wall: Milliseconds since the epoch; only leases go by it.
    package init(
        _ configuration: Configuration, settings: MonitorEngine.Settings, plan: MonitorWorker.Plan, log: any EventLog,
        reference: @escaping @Sendable (ModelVersion) async throws -> Table?, metrics: MetricsRegistry, readiness: Readiness,
        logger: Logger, wall: @escaping @Sendable () -> EventTime.Milliseconds
    ) {
        self.configuration = configuration
        self.readiness = readiness
        self.logger = logger
        let worker = MonitorWorker(settings, plan: plan, log: log, reference: reference, logger: logger, wall: wall)
        self.worker = worker
        readiness.expect("monitor")
        host = configuration.port.map { port in
            let router = Router(context: WebContext.self, options: .autoGenerateHeadEndpoints)
            router.get("/") { _, _ in Self.page(MonitorReport(await worker.snapshot).html()) }
            router.get("/summary") { _, _ in Response.text(MonitorReport(await worker.snapshot).summary + "\n") }
            AdminServer.addRoutes(to: router, metrics: metrics, readiness: readiness)
            return HTTPHost(role: "monitor", host: configuration.host, port: port, responder: router.buildResponder(), logger: logger)
        }
    }

    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do { try await cancelWhenGracefulShutdown { try await follow() } } catch is CancellationError {}
                try await worker.release()
            }
            if let host { group.addTask { try await host.run() } }
            do {
                // Whichever fails takes the other with it; when both end in peace, so does the role.
                while try await group.next() != nil {}
            } catch {
                group.cancelAll()
                throw error
            }
        }
        if configuration.reportPath != nil { try await writeReport() }
    }

    /// Takes everything that the topics hold now, for a replay that must end.
    /// - Returns: Records taken.
    @discardableResult
    package func drain() async throws -> Int { try await worker.drain() }

    /// What the monitor knows, in a few lines.
    package func summary() async -> String { MonitorReport(await worker.snapshot).summary }

    /// Writes the page to ``Configuration/reportPath``; nothing without one. Readers see the old page or the new one.
    package func writeReport() async throws {
        guard let path = configuration.reportPath else { return }
        let page = MonitorReport(await worker.snapshot).html()
        let url = URL(fileURLWithPath: path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(page.utf8).write(to: url, options: .atomic)
    }

    private func follow() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await worker.run() }
            group.addTask { try await writeReportNowAndThen() }
            readiness.set("monitor", true)
            while try await group.next() != nil {}
        }
    }

    private func writeReportNowAndThen() async throws {
        var written = 0
        while !Task.isCancelled {
            do { try await Task.sleep(for: Self.reportInterval) } catch { return }
            let revision = await worker.revision
            guard configuration.reportPath != nil, revision > written else { continue }
            written = revision
            do {
                try await writeReport()
            } catch {
                logger.warning(
                    "the report cannot be written", metadata: ["path": "\(configuration.reportPath ?? "")", "error": "\(error)"])
            }
        }
    }

    private static func page(_ html: String) -> Response {
        var response = Response.text(html, type: "text/html; charset=utf-8")
        response.headers[.contentSecurityPolicy] = Page.contentSecurityPolicy
        response.headers[.cacheControl] = "no-store"
        return response
    }
}
