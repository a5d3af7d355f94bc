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
            try await directory.database().backup(to: file)
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
            let store = TrackingStore(database: try await directory.database())
            // Opened first: rows whose files cannot be reached stay.
            let files = try await directory.artifacts()
            let garbage = try await store.collect(deletedBefore: Telemetry.wallClock() - age, isTrial: dryRun)
            for folder in garbage.artifacts where !dryRun { try await files.delete(folder) }
            let verb = dryRun ? "would remove" : "removed"
            print(
                "\(verb) \(garbage.experiments.count) experiments, \(garbage.runs.count) runs, \(garbage.loggedModels.count) logged models")
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

    @Option(help: "The folder for experiments.jsonl, runs.jsonl, metrics.jsonl, traces.jsonl, models.jsonl and promotions.jsonl.")
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
                "\(counts.experiments) experiments, \(counts.runs) runs, \(counts.metrics) observations, \(counts.versions) versions, \(counts.traces) traces"
            )
        }
    }
}

struct TrackImport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Take over the runs, models and files of an MLflow server.")

    @OptionGroup var directory: TrackDirectory

    @Option(help: "sqlite:PATH, the other server's database file (it should not run meanwhile), or its http://HOST:PORT.")
    var fromMlflow: String

    @Option(help: "The folder that the other server keeps its artifacts in (its --artifacts-destination).")
    var artifacts: String?

    func run() async throws {
        try await ExitStatus.mapped {
            let isRemote = ["http://", "https://"].contains(where: fromMlflow.hasPrefix)
            let path = isRemote ? directory.path + "/import-\(ProcessInfo.processInfo.processIdentifier).sqlite" : try local()
            defer { if isRemote { try? FileManager.default.removeItem(atPath: path) } }
            let database = try await directory.database(mustExist: false)
            try await TrackingStore(database: database).prepare(now: Telemetry.wallClock())
            if isRemote { try await MLflowDownload(http: other).run(into: path) }
            let report = try await MLflowImport(database: database).run(path: path)
            let (copied, missing) = try await isRemote ? fetch(report.artifacts) : copy(report.artifacts)
            print(
                "\(report.experiments) experiments, \(report.runs) runs, \(report.metrics) observations, \(report.models) models, \(report.versions) versions, \(report.traces) traces, \(copied) files"
            )
            for place in missing.prefix(20) { print("not found: \(place)") }
            if missing.count > 20 { print("and \(missing.count - 20) more folders not found") }
        }
    }

    private func local() throws -> String {
        guard let prefix = ["sqlite:///", "sqlite:"].first(where: fromMlflow.hasPrefix) else {
            throw Failure(.badSettings, "--from-mlflow \(fromMlflow) is neither sqlite:PATH nor http://HOST:PORT")
        }
        return String(fromMlflow.dropFirst(prefix.count))
    }

    /// The other server; it may ask for a token.
    private var other: JSONClient {
        JSONClient(baseURL: fromMlflow, bearer: ProcessInfo.processInfo.environment["MLFLOW_TRACKING_TOKEN"], timeout: .seconds(120))
    }

    private func fetch(_ folders: [MLflowImport.Artifacts]) async throws -> (copied: Int, missing: [String]) {
        let store = try await directory.artifacts(), client = TrackingClient(http: other)
        var copied = 0, missing: [String] = []
        for folder in folders {
            guard folder.source.hasPrefix("mlflow-artifacts:/") else {
                missing.append(folder.source)
                continue
            }
            var below = [""]
            while let path = below.popLast() {
                for entry in try await client.listArtifacts(uri: folder.source, path: path) {
                    if entry.isDirectory {
                        below.append(entry.path)
                        continue
                    }
                    let upload = try await store.upload(folder.path + "/" + entry.path)
                    try await upload.write(client.download(uri: folder.source, path: entry.path))
                    try await upload.finish()
                    copied += 1
                }
            }
        }
        return (copied, missing)
    }

    private func copy(_ folders: [MLflowImport.Artifacts]) async throws -> (copied: Int, missing: [String]) {
        let store = try await directory.artifacts()
        var copied = 0, missing: [String] = []
        for folder in folders {
            guard let from = source(folder.source) else {
                missing.append(folder.source)
                continue
            }
            var isFolder: ObjCBool = false
            // A run that stored nothing has no folder.
            guard FileManager.default.fileExists(atPath: from, isDirectory: &isFolder), isFolder.boolValue else { continue }
            for file in try FileManager.default.subpathsOfDirectory(atPath: from) {
                let path = from + "/" + file
                guard try FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType == .typeRegular else { continue }
                let upload = try await store.upload(folder.path + "/" + file)
                let handle = try FileHandle(forReadingFrom: URL(filePath: path))
                while let bytes = try handle.read(upToCount: 1 << 20), !bytes.isEmpty { try await upload.write(Array(bytes)) }
                try handle.close()
                try await upload.finish()
                copied += 1
            }
        }
        return (copied, missing)
    }

    /// Where the other server has a folder of files on this machine; `nil` when that is elsewhere.
    private func source(_ uri: String) -> String? {
        if uri.hasPrefix("mlflow-artifacts:/") {
            let path = uri.dropFirst(18).drop { $0 == "/" }
            return artifacts.map { $0 + "/" + path }
        }
        if uri.hasPrefix("file://") { return String(uri.dropFirst(7)) }
        return uri.contains("://") ? nil : uri
    }
}
