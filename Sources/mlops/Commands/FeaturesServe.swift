import ArgumentParser
import FeatureRole
import Project
import Settings
import Telemetry

/// Features over HTTP, for clients of Feast.
struct FeaturesServe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Look features up over HTTP in Feast's protocol, and take events with /push.",
        discussion: "Rows are computed by `mlops features` or `mlops all`; this process only serves them.")

    @OptionGroup var options: RunOptions

    @Option(help: "The port to listen on; 0 lets the system choose.")
    var port: String?

    func run() async throws {
        try await ExitStatus.mapped {
            let flags = port.map { [SettingsFlag("features.port", name: "--port", $0)] } ?? []
            let (session, settings) = try await Session.open(.features, options, flags: flags) { reader, _ in
                try FeaturesSettings(reader: reader)
            }
            guard !session.views.isEmpty else {
                throw Failure(.badSettings, "no view of the project reads a stream: there is nothing to serve")
            }
            var configuration = FeatureServer.Configuration()
            configuration.host = session.settings.host
            configuration.port = settings.port.number
            let server = FeatureServer(
                configuration, project: session.project.name, compiled: session.project.compiled, store: session.project.featureStore,
                log: session.log, metrics: Telemetry.metrics, readiness: session.readiness, logger: session.logger(.features),
                wall: session.wall)
            try await RoleRunner(session).run(server)
        }
    }
}
