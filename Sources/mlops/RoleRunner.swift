import EventLog
import Logging
import ServiceLifecycle
import Settings
import Telemetry
import UnixSignals
import Web

/// Runs a role's services as one group: health first, so that it answers while the role starts and drains.
struct RoleRunner {
    private let session: Session

    init(_ session: Session) { self.session = session }

    /// The end of the role's service is the end of the process.
    /// - Parameter isService: Whether it goes on until it is told to stop, and so waits for a log that has gone away.
    /// - Throws: What the first service that failed threw, once the others have drained.
    func run(_ service: any Service, before: [any Service] = [], isService: Bool = true) async throws {
        if isService { session.log.keepTrying() }
        let admin = AdminServer(
            host: session.settings.host, port: session.settings.adminPort.number, metrics: Telemetry.metrics, readiness: session.readiness,
            logger: session.logger(session.role))
        var services = ([admin] as [any Service] + before).map {
            // Servers are asked to stop and never cancelled: cut short, they may be in the middle of taking a connection.
            ServiceGroupConfiguration.ServiceConfiguration(
                service: Draining(service: $0), failureTerminationBehavior: .gracefullyShutdownGroup)
        }
        services.append(
            .init(
                service: Draining(service: service), successTerminationBehavior: .gracefullyShutdownGroup,
                failureTerminationBehavior: .gracefullyShutdownGroup))
        let group = ServiceGroup(
            configuration: .init(
                services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: session.logger(session.role)))
        try await group.run()
    }
}

/// A service whose being cut short by a shutdown is no failure.
private struct Draining: Service {
    let service: any Service

    func run() async throws {
        do {
            try await service.run()
        } catch is CancellationError where Task.isShuttingDownGracefully {
            return
        }
    }
}
