import ArgumentParser
import Domain
import Expressions
import Foundation
import Registry
import Telemetry
import TrackRole
import Tracking
import Web

struct TrackBackup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy the database, as it is at one moment, while the server runs.")

    @OptionGroup var directory: TrackDirectory

    @Argument(help: "The new file.")
    var file: String

    func run() async throws {
        try await ExitStatus.mapped {
            try await TrackingDatabase.backup(of: try directory.databaseFile(), to: file)
            let place = try directory.artifactPlace().url
            let rest =
                place.hasPrefix("s3:")
                ? "the files stay in \(place), which keeps them itself" : "copy \(place.dropFirst(5)) for the files"
            print("\(file) holds the database of \(directory.path); \(rest)")
        }
    }
}

struct TrackCollect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Remove deleted experiments, runs and logged models for good, with their files.")

    @OptionGroup var directory: TrackDirectory

    @Option(help: "Leaves what was deleted less than this ago.")
    var olderThan = "0s"

    @Flag(help: "Say what would go, and remove nothing.")
    var dryRun = false

    func run() async throws {
        try await ExitStatus.mapped {
            guard let age = DurationText.parse(olderThan) else {
                throw Failure(.badSettings, "--older-than \(olderThan) is not a duration such as 12h or 30d")
            }
            let store = TrackingStore(database: try await directory.database(dryRun ? .reader : .guest))
            // Opened first: rows whose files cannot be reached stay.
            let files = try await directory.artifacts()
            let garbage = try await store.collect(
                deletedBefore: Telemetry.wallClock() - age, isTrial: dryRun, referred: RegistryReferences.sql
            ) { batch in
                for folder in batch.artifacts where !dryRun { try await files.delete(folder) }
            }
            let verb = dryRun ? "would remove" : "removed"
            print(
                "\(verb) \(garbage.experiments.count) experiments, \(garbage.runs.count) runs, \(garbage.loggedModels.count) logged models")
            if !garbage.kept.isEmpty {
                print("kept \(garbage.kept.count) that were deleted, because versions of registered models refer to them")
                for name in garbage.kept.prefix(20) { print("kept: \(name)") }
                if garbage.kept.count > 20 { print("and \(garbage.kept.count - 20) more") }
            }
            try await removeLeftovers(files, verb)
        }
    }

    /// What uploads of killed servers have left; younger ones may be under way.
    private func removeLeftovers(_ files: ArtifactStore, _ verb: String) async throws {
        let found = try await files.leftovers(before: Telemetry.wallClock() - 86_400_000, removes: !dryRun)
        if !found.isEmpty { print("\(verb) \(found.count) unfinished uploads of more than a day ago") }
        for name in found.prefix(20) { print("unfinished: \(name)") }
        let younger = try await files.leftovers(before: Telemetry.wallClock(), removes: false)
        let left = dryRun ? younger.count - found.count : younger.count
        if left > 0 { print("left \(left) uploads begun within a day, which may be under way") }
    }
}

struct TrackExport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write experiments, runs with their histories, and the registry as JSON Lines.")

    @OptionGroup var directory: TrackDirectory

    @Option(help: "The folder for experiments, runs, metrics, logged_models, traces, models, versions and promotions, each a .jsonl file.")
    var out: String

    func run() async throws {
        try await ExitStatus.mapped {
            let database = try await directory.database()
            try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
            let counts = try await TrackExporter(
                store: TrackingStore(database: database), traces: TraceStore(database: database),
                registry: RegistryStore(database: database)
            ).write(to: out)
            print(
                "\(counts.experiments) experiments, \(counts.runs) runs, \(counts.metrics) observations, \(counts.loggedModels) logged models, \(counts.versions) versions, \(counts.traces) traces"
            )
        }
    }
}
