import ArgumentParser
import Domain
import FeatureRole
import FeatureStore
import Features
import ProduceRole
import Project
import Settings

/// Rows computed again, into files.
struct FeaturesBackfill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backfill", abstract: "Compute rows again into files: from the stored events, or from a source's file.",
        discussion: """
            Without --source the events of the log, and of the archive where the log no longer has them, give Parquet files \
            DIRECTORY/VIEW/PARTITION-SHARD.parquet. Pieces that were computed from the same events, range and definitions are kept: a run \
            that was ended goes on when it is given again. \
            Several processes share the work by --shard 0/4, --shard 1/4 and so on.

            With --source a source's file is read straight, without the log, into DIRECTORY/VIEW.jsonl.
            """)

    @OptionGroup var options: RunOptions
    @OptionGroup var source: SourceOptions
    @OptionGroup var range: TimeRange

    @Option(help: "Only this view, from the stored events; may be given again.")
    var view: [String] = []

    @Option(help: ArgumentHelp("The part of the entities to compute, from the stored events.", valueName: "I/N"))
    var shard: String?

    @Option(help: "The directory for the files.")
    var out: String

    func run() async throws {
        try await ExitStatus.mapped {
            let (session, _) = try await Session.open(.features, options) { reader, _ in try FeaturesSettings(reader: reader) }
            if source.source.isEmpty { try await fromEvents(session) } else { try fromFile(session) }
        }
    }

    private func fromEvents(_ session: Session) async throws {
        let range = try range.milliseconds(), shard = try part()
        let known = session.views.map(\.definition.name), wanted = view.isEmpty ? known : view
        for name in wanted where !known.contains(name) { throw OfflineStore.Error.unknownView(name, known: known) }
        for (stream, views) in session.project.compiled where views.views.contains(where: { wanted.contains($0.definition.name) }) {
            let archive = EventArchive(stream: stream, log: session.log, store: session.store)
            let backfill = Backfill(stream: stream, views: views, log: session.log, archive: archive, logger: session.logger(.features))
            let summary = try await backfill.run(wanted, in: range, shard: shard, directory: out)
            print("\(stream.name): \(summary.pieces.done) pieces computed, \(summary.pieces.kept) were there")
            for (name, count) in summary.rows.sorted(by: { $0.key < $1.key }) { print("\(out)/\(name): \(count) rows") }
        }
    }

    private func part() throws -> EventHistory.Shard {
        guard let shard else { return .all }
        let numbers = shard.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 2, let index = numbers[0], let count = numbers[1], count <= 10_000,
            let part = EventHistory.Shard(index: index, count: count)
        else { throw Failure(.badSettings, "--shard \(shard): give I/N with 0 ≤ I < N, such as 0/4") }
        return part
    }

    private func fromFile(_ session: Session) throws {
        guard let name = source.source.first, source.source.count == 1 else {
            throw Failure(.badSettings, "name one source to read: --source NAME")
        }
        guard view.isEmpty, shard == nil, range.from == nil, range.to == nil else {
            throw Failure(.badSettings, "--view, --shard, --from and --to choose among the stored events; --source reads a whole file")
        }
        let (stream, events) = try Sources(session, source).open(name)
        guard let views = session.project.compiled.first(where: { $0.stream.name == stream.name })?.views else {
            throw Failure(.badSettings, "no view reads the stream \"\(stream.name)\"")
        }
        if let other = views.others.first {
            throw Failure(
                .badSettings,
                "views of \"\(stream.name)\" join views of \"\(other.stream.name)\", which one file does not have: produce both, and compute from the stored events, without --source"
            )
        }
        var batch = try BatchFeatures(stream: stream, views: views, directory: out, now: session.wall())
        while case let part = try events.next(10_000), !part.isEmpty {
            for event in part { try batch.add(key: event.key, value: event.value) }
        }
        try batch.finish()
        let summary = batch.summary
        print("\(summary.accepted) events, \(summary.duplicates) repeats, \(summary.late) late, \(summary.dead) refused")
        if let reason = summary.firstReason { print("first refusal: \(reason)") }
        for (view, count) in summary.rows { print("\(out)/\(view).jsonl: \(count) rows") }
    }
}
