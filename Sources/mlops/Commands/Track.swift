import ArgumentParser
import Settings

/// Runs, models and their pages.
struct Track: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve experiments, runs and the model registry (MLflow's REST API and pages).")

    @OptionGroup var options: RunOptions

    @Option(help: "The port to listen on; 0 lets the system choose.")
    var port: String?

    func run() async throws {
        try await ExitStatus.mapped {
            let flags = port.map { [SettingsFlag("track.port", name: "--port", $0)] } ?? []
            let (session, settings) = try await Session.open(.track, options, flags: flags) { reader, _ in try TrackSettings(reader: reader)
            }
            try await RoleRunner(session).run(session.trackRole(port: settings.port.number))
        }
    }
}
