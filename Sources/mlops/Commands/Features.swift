import ArgumentParser
import Domain
import FeatureRole
import FeatureStore
import Features
import Foundation
import ProduceRole
import Project
import Settings
import Table

/// Streams into feature rows.
struct Features: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compute feature views.", subcommands: [FeaturesRun.self, FeaturesBackfill.self, FeaturesExport.self, FeaturesJoin.self],
        defaultSubcommand: FeaturesRun.self)
}

struct FeaturesRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Compute the views of every stream as events come (the default).")

    @OptionGroup var options: RunOptions

    @Flag(help: "Process what the streams hold now, archive it, and end.")
    var once = false

    func run() async throws {
        try await ExitStatus.mapped {
            let (session, settings) = try await Session.open(.features, options) { reader, _ in try FeaturesSettings(reader: reader) }
            let role = try session.featureRole(settings)
            guard once else { return try await RoleRunner(session).run(role) }
            let held = try await role.features.lease()
            guard held > 0 else { throw Failure(.unreachable, "another process computes the features of this log") }
            let begun = ContinuousClock.now
            let records = try await role.features.drain()
            let seconds = (ContinuousClock.now - begun).inSeconds
            try await role.archiveAll()
            try await role.features.release()
            print("\(records) records in \(String(format: "%.3f", seconds)) s, \(Int(Double(records) / max(seconds, 1e-9))) records/s")
        }
    }
}

struct FeaturesBackfill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backfill", abstract: "Compute the views straight from a source's file, without the log, as JSON Lines.")

    @OptionGroup var options: RunOptions
    @OptionGroup var source: SourceOptions

    @Option(help: "The directory for <view>.jsonl.")
    var out: String

    func run() async throws {
        try await ExitStatus.mapped {
            let (session, _) = try await Session.open(.features, options) { reader, _ in try FeaturesSettings(reader: reader) }
            guard let name = source.source.first, source.source.count == 1 else {
                throw Failure(.badSettings, "name the source to read: --source NAME")
            }
            let (stream, events) = try Sources(session, source).open(name)
            guard let views = session.project.compiled.first(where: { $0.stream.name == stream.name })?.views else {
                throw Failure(.badSettings, "no view reads the stream \"\(stream.name)\"")
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
}

struct FeaturesExport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write a view's whole history to a Parquet, CSV or JSON Lines file.")

    @OptionGroup var options: RunOptions

    @Option(help: "The view.")
    var view: String

    @Option(help: "The file; its ending chooses the format: .parquet, .csv or .jsonl.")
    var output: String

    func run() async throws {
        try await ExitStatus.mapped {
            try TableExport.check(output)
            let (session, _) = try await Session.open(.features, options) { reader, _ in try FeaturesSettings(reader: reader) }
            let (table, ranges) = try await session.offlineStore.read(view: view)
            try TableExport.write(table, to: output)
            print("\(table.rowCount) rows of \(ranges.map(\.description).joined(separator: ", ")) to \(output)")
        }
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
