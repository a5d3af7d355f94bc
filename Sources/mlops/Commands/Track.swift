import ArgumentParser
import Settings
import TrackRole
import Web

/// Runs, models and their pages.
struct Track: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve experiments, runs and the model registry (MLflow's REST API and pages).",
        subcommands: [
            TrackServe.self, TrackToken.self, TrackPromote.self, TrackRollback.self, TrackWhy.self, TrackBackup.self, TrackCollect.self,
            TrackExport.self, TrackImport.self,
        ], defaultSubcommand: TrackServe.self)
}

struct TrackServe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve", abstract: "Run the server (the default).")

    @OptionGroup var options: RunOptions

    @Option(help: "The port to listen on; 0 lets the system choose.")
    var port: String?

    @Flag(help: "Ask nobody for a token, also on an address that other machines reach.")
    var insecure = false

    @Flag(help: "Ask for tokens on a loopback address too.")
    var tokens = false

    @Option(help: "The certificate of an HTTPS server, a PEM file; needs --tls-key.")
    var tlsCertificate: String?

    @Option(help: "The key of the certificate, a PEM file.")
    var tlsKey: String?

    func validate() throws {
        guard !insecure || !tokens else { throw ValidationError("--insecure and --tokens exclude each other") }
    }

    func run() async throws {
        try await ExitStatus.mapped {
            var flags = port.map { [SettingsFlag("track.port", name: "--port", $0)] } ?? []
            if insecure { flags.append(SettingsFlag("track.access", name: "--insecure", "open")) }
            if tokens { flags.append(SettingsFlag("track.access", name: "--tokens", "tokens")) }
            flags += tlsCertificate.map { [SettingsFlag("track.tls_certificate", name: "--tls-certificate", $0)] } ?? []
            flags += tlsKey.map { [SettingsFlag("track.tls_key", name: "--tls-key", $0)] } ?? []
            let (session, settings) = try await Session.open(.track, options, flags: flags) { reader, _ in
                try TrackSettings(reader: reader)
            }
            let role = session.trackRole(settings)
            try await RoleRunner(session).run(role, before: [Settling(address: role.address)])
        }
    }
}
