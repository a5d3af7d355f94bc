import ArgumentParser
import Domain
import Expressions
import ProduceRole
import Settings

/// Events into the log.
struct Produce: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send events of the project's sources to their streams.",
        subcommands: [ProduceRun.self, ProduceBackfill.self, ProduceReplayDead.self, ProduceRelease.self],
        defaultSubcommand: ProduceRun.self)
}

struct ProduceRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "run", abstract: "Send events as they come, or to the end (the default).")

    @OptionGroup var options: RunOptions
    @OptionGroup var source: SourceOptions

    @Flag(help: "End with the input; endless sources are left out.")
    var once = false

    @Option(help: "How fast event time passes: max, 1x, 60x.")
    var speed: String?

    @Option(help: "Write what comes over the network from an exchange to this JSON Lines file.")
    var record: String?

    @Option(help: "Read what came over the network from a file that --record wrote, and end with it.")
    var replay: String?

    func validate() throws {
        if record != nil, replay != nil { throw ValidationError("--record and --replay do not go together") }
        if record != nil || replay != nil, source.source.count != 1 {
            throw ValidationError("a capture belongs to one source; name it with --source")
        }
    }

    private var capture: MarketSender.Capture { replay.map { .replay($0) } ?? record.map { .record($0) } ?? .none }

    func run() async throws {
        try await ExitStatus.mapped {
            let flags = [
                once ? SettingsFlag("produce.once", name: "--once", "true") : nil,
                speed.map { SettingsFlag("produce.speed", name: "--speed", $0) },
                source.source.isEmpty ? nil : SettingsFlag("produce.sources", name: "--source", source.source.joined(separator: ",")),
            ].compactMap { $0 }
            let (session, settings) = try await Session.open(.produce, options, flags: flags) { reader, project in
                try ProduceSettings(reader: reader, project: project)
            }
            let senders = try await Sources(session, source, capture: capture).senders(settings)
            try await RoleRunner(session).run(
                ProduceRole(senders: senders, logger: session.logger(.produce)), isService: !settings.once)
        }
    }
}

/// Which sources, and how much of them.
struct SourceOptions: ParsableArguments {
    @Option(help: "Run this source only; may be repeated.")
    var source: [String] = []

    @Option(help: "Read this file, pattern or folder instead of the one the project names: SOURCE=PATH; may be repeated.")
    var file: [String] = []

    @Option(help: "Event time that a synthetic source generates, such as 2d; endless without it.")
    var duration: String?

    @Option(help: "When a synthetic source begins, ISO 8601; by default so that it ends now.")
    var start: String?

    @Option(help: "Trades per second of event time of a synthetic source, instead of the project's rate.")
    var rate: Double?

    @Option(help: "Write what a synthetic source plants, and where, to this JSON Lines file.")
    var truth: String?

    func validate() throws {
        if let duration, DurationText.parse(duration) == nil {
            throw ValidationError("--duration \(duration): write 500ms, 60s, 10m, 1h or 2d")
        }
        if let start, EventTime.parse(start) == nil { throw ValidationError("--start \(start) is not an ISO 8601 time") }
        if let rate, !(rate > 0 && rate <= 10_000_000) {
            throw ValidationError("--rate \(rate) must be above 0 and at most 10,000,000 a second")
        }
        for entry in file where !entry.contains("=") { throw ValidationError("--file \(entry): write SOURCE=PATH") }
    }

    /// Paths by source name.
    var paths: [String: String] {
        Dictionary(
            file.map { entry in
                let parts = entry.split(separator: "=", maxSplits: 1).map(String.init)
                return (parts[0], parts.count > 1 ? parts[1] : "")
            }, uniquingKeysWith: { $1 })
    }
}
