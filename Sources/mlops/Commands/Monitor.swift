import ArgumentParser
import MonitorRole
import ServiceLifecycle
import Settings

/// Live errors, drift and data quality.
struct Monitor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Join predictions with the truth; watch errors, drift and data quality.")

    @OptionGroup var options: RunOptions

    @Option(help: "The port of the report; 0 lets the system choose.")
    var port: String?

    @Flag(help: "Take what the log holds now, write the report, print a summary, and end.")
    var once = false

    func run() async throws {
        try await ExitStatus.mapped {
            let flags = port.map { [SettingsFlag("monitor.port", name: "--port", $0)] } ?? []
            let (session, settings) = try await Session.open(.monitor, options, flags: flags) { reader, _ in
                try MonitorSettings(reader: reader)
            }
            let tracker = try await Tracker.find(session)
            let before = tracker.services
            guard once else {
                let service = Deferred(session, .monitor) {
                    try session.monitorRole(port: settings.port.number, client: try await tracker.client())
                }
                return try await RoleRunner(session).run(service, before: before)
            }
            let task = OneShot {
                let monitor = try session.monitorRole(port: nil, client: try await tracker.client())
                try await monitor.drain()
                try await monitor.writeReport()
                print(await monitor.summary())
                print("report: \(session.reportPath)")
            }
            try await RoleRunner(session).run(task, before: before, isService: false)
        }
    }
}

/// A service that does one thing and ends.
struct OneShot: Service {
    let body: @Sendable () async throws -> Void

    func run() async throws { try await cancelWhenGracefulShutdown { try await body() } }
}
