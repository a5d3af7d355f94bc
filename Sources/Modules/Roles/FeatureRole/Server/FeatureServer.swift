package import Domain
package import EventLog
package import Features
import FeatureStore
package import Logging
import ServiceLifecycle
package import Telemetry
package import Web

/// Looks features up over HTTP, in Feast's protocol: the newest row of each entity, as the view's compacted topic has it.
package struct FeatureServer: Service {
    package struct Configuration: Sendable {
        package var host = "127.0.0.1"
        /// 0 lets the system choose; see ``FeatureServer/address``.
        package var port = 6_566
        package var maxBodyBytes = 8 << 20

        package init() {}
    }

    private let views: [OnlineCells]
    private let host: HTTPHost
    private let readiness: Readiness
    private let logger: Logger

    package var address: ListeningAddress { host.address }

    /// - Parameters:
    ///   - compiled: The views that can be asked for; their topics exist.
    ///   - store: Services and limits of age.
    ///   - wall: Milliseconds since the epoch: ages and times of ingestion go by it.
    package init(
        _ configuration: Configuration, project: String, compiled: [(stream: StreamDefinition, views: CompiledViews)],
        store: FeatureStoreDefinition, log: any EventLog, metrics: MetricsRegistry, readiness: Readiness, logger: Logger,
        wall: @escaping @Sendable () -> EventTime.Milliseconds
    ) {
        views = compiled.flatMap(\.views.views).map { OnlineCells(view: $0, log: log) }
        self.readiness = readiness
        self.logger = logger
        readiness.expect("features")
        let routes = FeatureRoutes(
            catalogue: OnlineCatalogue(project: project, views: views, store: store), streams: compiled.map(\.stream), log: log,
            metrics: metrics, readiness: readiness, maxBodyBytes: configuration.maxBodyBytes, logger: logger, wall: wall)
        let limits = HTTPLimits(maxBodyBytes: configuration.maxBodyBytes)
        host = HTTPHost(
            role: "features", host: configuration.host, port: configuration.port, responder: routes.others, quick: [routes.online],
            limits: { _ in limits }, logger: logger)
    }

    package func run() async throws {
        enum Part { case host, rows }
        try await withThrowingTaskGroup(of: Part.self) { group in
            group.addTask {
                do { try await cancelWhenGracefulShutdown { try await follow() } } catch is CancellationError {}
                return .rows
            }
            group.addTask {
                try await host.run()
                return .host
            }
            do {
                while try await group.next() != nil {}
            } catch {
                group.cancelAll()
                throw error
            }
        }
    }

    private func follow() async throws {
        for view in views { try await view.refresh() }
        readiness.set("features", true)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for view in views {
                group.addTask {
                    try await view.run {
                        logger.warning("rows wait for the log", metadata: ["view": "\(view.view.definition.name)", "error": "\($0)"])
                    }
                }
            }
            while try await group.next() != nil {}
        }
    }
}
