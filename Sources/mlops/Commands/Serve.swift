import ArgumentParser
import ServiceLifecycle
import Settings

/// Predictions over HTTP and for every new row.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serve the project's models: predictions over HTTP and for every new row.")

    @OptionGroup var options: RunOptions

    @Option(help: "The port to listen on; 0 lets the system choose.")
    var port: String?

    func run() async throws {
        try await ExitStatus.mapped {
            let flags = port.map { [SettingsFlag("serve.port", name: "--port", $0)] } ?? []
            let (session, settings) = try await Session.open(.serve, options, flags: flags) { reader, _ in try ServeSettings(reader: reader)
            }
            let tracker = try await Tracker.find(session)
            let service = Deferred(session, .serve) { try session.serveRole(settings, client: try await tracker.client()) }
            try await RoleRunner(session).run(service, before: tracker.services)
        }
    }
}
