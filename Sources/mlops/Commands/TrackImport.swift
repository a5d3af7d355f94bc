import ArgumentParser
import Foundation
import Registry
import Telemetry
import Tracking
import Web

struct TrackImport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Take over the runs, models and files of an MLflow server.",
        discussion: "The same command again adds what is new there, and fetches the files that are not here yet.")

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
            let store = try await directory.artifacts()
            let files = ArtifactImport(store: store)
            let result = try await isRemote ? fetch(report.artifacts, files) : copy(report.artifacts, files)
            print(
                "\(report.experiments) experiments, \(report.runs) runs, \(report.metrics) observations, \(report.models) models, \(report.versions) versions, \(report.traces) traces, \(result.copied) files"
            )
            Self.tell("not found", result.missing)
            Self.tell("not fetched", result.failed)
            guard result.failed.isEmpty else {
                throw Failure(.failed, "\(result.failed.count) files or folders could not be fetched; the same command again tries them")
            }
        }
    }

    private static func tell(_ what: String, _ places: [String]) {
        for place in places.prefix(20) { print("\(what): \(place)") }
        if places.count > 20 { print("and \(places.count - 20) more \(what)") }
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

    private func fetch(_ folders: [MLflowImport.Artifacts], _ files: ArtifactImport) async throws -> ArtifactImport.Result {
        var result = ArtifactImport.Result()
        let client = TrackingClient(http: other)
        for folder in folders {
            guard folder.source.hasPrefix("mlflow-artifacts:/") else {
                result.missing.append(folder.source)
                continue
            }
            do {
                try await files.fetch(folder, from: client, &result)
            } catch let error as TrackingFailure where error.isRetriable {
                throw Failure(.unreachable, "\(error); the same command again fetches the files that are not here yet")
            }
        }
        return result
    }

    private func copy(_ folders: [MLflowImport.Artifacts], _ files: ArtifactImport) async throws -> ArtifactImport.Result {
        var result = ArtifactImport.Result()
        for folder in folders {
            guard let from = source(folder.source) else {
                result.missing.append(folder.source)
                continue
            }
            try await files.copy(from, to: folder.path, &result)
        }
        return result
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

/// Brings files over. One that is here already is whole, as files appear whole or not at all, and stays as it is.
struct ArtifactImport {
    struct Result {
        var copied = 0
        /// Folders that nobody can reach from here.
        var missing: [String] = []
        /// What could not be read, and why.
        var failed: [String] = []
    }

    let store: ArtifactStore

    /// - Throws: When the other server is away, or our store cannot be written; what it refuses to give is a failure of the result.
    func fetch(_ folder: MLflowImport.Artifacts, from client: TrackingClient, _ result: inout Result) async throws {
        var below = [""]
        while let path = below.popLast() {
            let entries: [TrackingClient.ArtifactEntry]
            do throws(TrackingFailure) { entries = try await client.listArtifacts(uri: folder.source, path: path) } catch {
                guard !error.isRetriable else { throw error }
                result.failed.append("\(folder.source)/\(path): \(error)")
                continue
            }
            below += entries.filter(\.isDirectory).map(\.path)
            let files = entries.filter { !$0.isDirectory }
            guard !files.isEmpty else { continue }
            let here = try await names(in: path.isEmpty ? folder.path : folder.path + "/" + path)
            for entry in files where !here.contains((entry.path as NSString).lastPathComponent) {
                try await fetch(entry.path, of: folder, from: client, &result)
            }
        }
    }

    private func fetch(
        _ file: String, of folder: MLflowImport.Artifacts, from client: TrackingClient, _ result: inout Result
    ) async throws {
        let bytes: [UInt8]
        do throws(TrackingFailure) { bytes = try await client.download(uri: folder.source, path: file) } catch {
            guard !error.isRetriable else { throw error }
            result.failed.append("\(folder.source)/\(file): \(error)")
            return
        }
        try await put(folder.path + "/" + file) { try await $0.write(bytes) }
        result.copied += 1
    }

    /// - Parameter from: A folder of this machine; a run that stored nothing has none.
    func copy(_ from: String, to place: String, _ result: inout Result) async throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: from, isDirectory: &isFolder), isFolder.boolValue else { return }
        var here: (folder: String, names: Set<String>)?
        for file in try FileManager.default.subpathsOfDirectory(atPath: from).sorted() {
            let path = from + "/" + file, target = place + "/" + file
            let folder = (target as NSString).deletingLastPathComponent
            if here?.folder != folder { here = (folder, try await names(in: folder)) }
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            guard attributes[.type] as? FileAttributeType == .typeRegular,
                here?.names.contains((file as NSString).lastPathComponent) != true
            else { continue }
            guard let handle = FileHandle(forReadingAtPath: path) else {
                result.failed.append("\(path): it cannot be read")
                continue
            }
            defer { try? handle.close() }
            try await put(target) { upload in
                while let bytes = try handle.read(upToCount: 1 << 20), !bytes.isEmpty { try await upload.write(Array(bytes)) }
            }
            result.copied += 1
        }
    }

    private func names(in folder: String) async throws -> Set<String> {
        Set(try await store.list(folder).lazy.filter { !$0.isDirectory }.map(\.name))
    }

    private func put(_ path: String, _ body: (ArtifactUpload) async throws -> Void) async throws {
        let upload = try await store.upload(path)
        do {
            try await body(upload)
            try await upload.finish()
        } catch {
            try? await upload.abandon()
            throw error
        }
    }
}
