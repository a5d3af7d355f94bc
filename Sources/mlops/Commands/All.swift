import ArgumentParser
import Domain
import Expressions
import Project
import ServiceLifecycle
import Settings

/// Every role in one process on embedded storage.
struct All: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run every role in one process.",
        discussion: """
            Without options: all sources at their own pace, features, tracking, serving, monitoring, and training when there is \
            enough history and every three hours. --quick generates two days of history first. --once shows the whole loop on a \
            finite input and ends: train on the first part, predict and monitor the rest.
            """)

    @OptionGroup var options: RunOptions
    @OptionGroup var source: SourceOptions

    @Flag(help: "Two generated days of history, four trials.")
    var quick = false

    @Flag(help: "Run the loop once over a finite input and end.")
    var once = false

    @Option(help: "The file source to run the loop over, and the file to read: SOURCE or SOURCE=PATH.")
    var replay: String?

    @Option(help: "With --once: train on events before this time (ISO 8601); by default on the first 80 % of the time span.")
    var trainUntil: String?

    @Option(help: "Port of predictions; 0 lets the system choose.")
    var servePort: String?

    @Option(help: "Port of tracking; 0 lets the system choose.")
    var trackPort: String?

    @Option(help: "Port of the monitor's page; 0 lets the system choose.")
    var monitorPort: String?

    func validate() throws {
        if let trainUntil, EventTime.parse(trainUntil) == nil {
            throw ValidationError("--train-until \(trainUntil) is not an ISO 8601 time")
        }
        if once, !quick, replay == nil, source.duration == nil {
            throw ValidationError("--once needs a finite input: --replay SOURCE[=PATH], --quick, or --duration for a synthetic source")
        }
    }

    func run() async throws {
        try await ExitStatus.mapped {
            let (session, settings) = try await Session.open(.all, options, flags: flags) { reader, project in
                try AllSettings(reader: reader, project: project)
            }
            let input = try loopInput(session)
            let tracker = Tracker(session, settings.track)
            let before = tracker.services
            if once {
                try await LoopOnce(session, settings, input, tracker).run(before: before)
            } else {
                try await LoopLive(session, settings, input, tracker).run(before: before)
            }
        }
    }

    private var flags: [SettingsFlag] {
        // A single finite pass has no reason to hold well-known ports.
        let fallback = once ? "0" : nil
        let given: [(String, String, String?)] = [
            ("serve.port", "--serve-port", servePort ?? fallback), ("track.port", "--track-port", trackPort ?? fallback),
            ("monitor.port", "--monitor-port", monitorPort ?? fallback),
            ("all.admin_port", "--admin-port", options.adminPort ?? fallback),
            ("train.trials", "--quick", quick ? "4" : nil),
            ("produce.sources", "--source", source.source.isEmpty ? nil : source.source.joined(separator: ",")),
        ]
        return given.compactMap { key, name, value in value.map { SettingsFlag(key, name: name, $0) } }
    }

    private func loopInput(_ session: Session) throws -> LoopInput {
        var options = source
        if let replay {
            let parts = replay.split(separator: "=", maxSplits: 1).map(String.init)
            options.source = [parts[0]]
            if parts.count > 1 { options.file.append(replay) }
        } else if quick {
            options.duration = source.duration ?? "2d"
            options.rate = source.rate ?? 2
            if options.source.isEmpty { options.source = try [generator(of: session)] }
        }
        let chosen = try Sources(session, options).chosen(options.source)
        guard options.source.allSatisfy({ name in chosen.contains { $0.name == name } }), !chosen.isEmpty else {
            let names = session.project.sources.map(\.name), asked = options.source.first ?? ""
            throw Failure(.badSettings, "there is no source \"\(asked)\"" + SpellingSuggestion.hint(for: asked, among: names))
        }
        return LoopInput(
            sources: chosen, options: options, hasHistory: quick, trainUntil: trainUntil.flatMap { EventTime.parse($0) })
    }

    private func generator(of session: Session) throws -> String {
        for source in session.project.sources {
            if case .synthetic = source.kind { return source.name }
        }
        throw Failure(.badSettings, "--quick needs a source of kind synthetic, and the project has none")
    }
}
