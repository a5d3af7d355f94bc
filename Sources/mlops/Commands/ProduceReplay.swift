import ArgumentParser
import Domain
import Features
import ProduceRole
import Project
import Settings

struct ProduceReplayDead: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay-dead", abstract: "Put refused records back into their stream, each once, after what was wrong is mended.")

    @OptionGroup var options: RunOptions

    @Option(help: "Only records of this stream; by default of every stream.")
    var stream: String?

    @OptionGroup var choice: ReplayOptions

    func run() async throws {
        try await ExitStatus.mapped {
            let (session, _) = try await Session.open(.produce, options) { reader, project in
                try ProduceSettings(reader: reader, project: project)
            }
            let streams = session.project.streams.filter { stream == nil || $0.name == stream }
            if let stream, streams.isEmpty {
                let hint = SpellingSuggestion.hint(for: stream, among: session.project.streams.map(\.name))
                throw Failure(.badSettings, "there is no stream \"\(stream)\"" + hint)
            }
            for stream in streams {
                let summary = try await DeadReplay(stream: stream, log: session.log, wall: session.wall).run(
                    choice.choice)
                let verb = choice.dryRun ? "would be put back" : "put back"
                print("\(stream.topic).dead: \(summary.records) records \(verb), \(summary.before) had been before")
                ReplayOptions.printReasons(summary)
            }
        }
    }
}

struct ProduceRelease: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release", abstract: "Accept rows after all that an outlier rule held back, each once.",
        discussion: """
            A released row goes to its view, and to the views that read it, behind the rows that came meanwhile. The release is a \
            record of the stream: computing everything again gives the same rows.
            """)

    @OptionGroup var options: RunOptions

    @Option(help: "Only rows of this view; by default of every view that holds rows back.")
    var view: String?

    @OptionGroup var choice: ReplayOptions

    func run() async throws {
        try await ExitStatus.mapped {
            let (session, _) = try await Session.open(.produce, options) { reader, project in
                try ProduceSettings(reader: reader, project: project)
            }
            let holding = session.project.compiled.flatMap { stream, views in
                views.views.filter { $0.definition.outliers?.action == .quarantine }.map { (stream, $0) }
            }
            let chosen = holding.filter { view == nil || $0.1.definition.name == view }
            guard !chosen.isEmpty else {
                guard let view else { throw Failure(.badSettings, "no view holds rows back; say outliers: {…, action: quarantine} in one") }
                let hint = SpellingSuggestion.hint(for: view, among: holding.map { $0.1.definition.name })
                throw Failure(.badSettings, "no view \"\(view)\" holds rows back" + hint)
            }
            for (stream, view) in chosen {
                let release = QuarantineRelease(view: view, stream: stream, log: session.log, wall: session.wall)
                let summary = try await release.run(choice.choice)
                let verb = choice.dryRun ? "would be released" : "released"
                let left = summary.left > 0 ? ", \(summary.left) cannot be: not final, or of other definitions" : ""
                print("\(view.definition.topic).quarantine: \(summary.records) rows \(verb), \(summary.before) had been before\(left)")
                ReplayOptions.printReasons(summary)
            }
        }
    }
}

/// Which of the records that were put aside.
struct ReplayOptions: ParsableArguments {
    @Option(help: "Only records whose reason contains this text.")
    var reason: String?

    @Option(help: "At most so many records of each topic.")
    var limit: Int?

    @Flag(help: "Only say which they are, and why they were put aside.")
    var dryRun = false

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit \(limit) must be at least 1") }
    }

    var choice: TopicReplay.Choice { .init(reason: reason, limit: limit, isDry: dryRun) }

    static func printReasons(_ summary: TopicReplay.Summary) {
        for (reason, count) in summary.reasons.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }).prefix(20) {
            print("  \(count)  \(reason)")
        }
    }
}
