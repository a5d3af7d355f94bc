import ArgumentParser
import Domain
import Features
import ProduceRole
import Project
import Settings

struct ProduceBackfill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backfill", abstract: "Send an exchange's trades of a stretch of the past, and end.",
        discussion: """
            A backfill that was stopped goes on where it stopped when it is started again with the same times. The live source \
            goes on behind it when it has not run before.
            """)

    @OptionGroup var options: RunOptions

    @Option(help: "The source whose exchange is asked.")
    var source: String

    @Option(help: "The first event time, ISO 8601.")
    var from: String

    @Option(help: "The end of the event times, ISO 8601; by default now.")
    var to: String?

    func validate() throws {
        guard let first = EventTime.parse(from) else { throw ValidationError("--from \(from) is not an ISO 8601 time") }
        guard let to else { return }
        guard let last = EventTime.parse(to) else { throw ValidationError("--to \(to) is not an ISO 8601 time") }
        if last <= first { throw ValidationError("--to \(to) is not behind --from \(from)") }
    }

    func run() async throws {
        try await ExitStatus.mapped {
            let flags = [SettingsFlag("produce.sources", name: "--source", source)]
            let (session, _) = try await Session.open(.produce, options, flags: flags) { reader, project in
                try ProduceSettings(reader: reader, project: project)
            }
            let first = EventTime.parse(from) ?? 0, last = to.flatMap { EventTime.parse($0) } ?? session.wall()
            guard last > first else { throw Failure(.badSettings, "--from \(from) is not in the past") }
            let backfill = try Sources(session, try SourceOptions.parse([])).backfill(source, first..<last, to: to)
            try await RoleRunner(session).run(
                ProduceRole(senders: [backfill], logger: session.logger(.produce)), isService: false)
        }
    }
}
