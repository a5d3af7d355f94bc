import Foundation
package import Registry
package import Tracking
import Web

/// Everything a server knows as JSON Lines in the protocol's own messages, one file per kind.
package struct TrackExporter: Sendable {
    package struct Counts: Sendable, Equatable {
        package var experiments = 0
        package var runs = 0
        package var loggedModels = 0
        package var metrics = 0
        package var versions = 0
        package var traces = 0
    }

    private let store: TrackingStore
    private let traces: TraceStore
    private let registry: RegistryStore

    package init(store: TrackingStore, traces: TraceStore, registry: RegistryStore) {
        self.store = store
        self.traces = traces
        self.registry = registry
    }

    /// - Parameter folder: Exists; files of the same names are replaced.
    package func write(to folder: String) async throws -> Counts {
        var counts = Counts()
        let experiments = try LineFile(folder + "/experiments.jsonl"), runs = try LineFile(folder + "/runs.jsonl")
        let metrics = try LineFile(folder + "/metrics.jsonl"), traces = try LineFile(folder + "/traces.jsonl")
        let loggedModels = try LineFile(folder + "/logged_models.jsonl")
        var token: String?
        repeat {
            let page = try await store.searchExperiments(view: .all, maxResults: 100, pageToken: token)
            for experiment in page.elements {
                counts.experiments += 1
                try experiments.write { $0.experiment(experiment) }
                try await write(experiment, runs, metrics, &counts)
                try await write(modelsOf: experiment.id, loggedModels, &counts)
                try await write(tracesOf: experiment.id, traces, &counts)
            }
            token = page.nextPageToken
        } while token != nil
        try await writeRegistry(to: folder, &counts)
        for file in [experiments, runs, metrics, loggedModels, traces] { try file.close() }
        return counts
    }

    private func write(_ experiment: Experiment, _ runs: LineFile, _ metrics: LineFile, _ counts: inout Counts) async throws {
        var search = TrackingStore.RunSearch(experiments: [experiment.id])
        search.view = .all
        search.maxResults = 100
        repeat {
            let page = try await store.searchRuns(search)
            for run in page.elements {
                counts.runs += 1
                try runs.write { $0.run(run) }
                for metric in run.metrics { try await write(metric.key, of: run.info.id, metrics, &counts) }
            }
            search.pageToken = page.nextPageToken
        } while search.pageToken != nil
    }

    private func write(_ key: String, of run: String, _ metrics: LineFile, _ counts: inout Counts) async throws {
        var token: String?
        repeat {
            let page = try await store.history(run: run, key: key, maxResults: 1_000, pageToken: token)
            for metric in page.elements {
                counts.metrics += 1
                try metrics.write { $0.metric(metric, run: run) }
            }
            token = page.nextPageToken
        } while token != nil
    }

    /// With their parameters, tags and every value of their metrics.
    private func write(modelsOf experiment: String, _ file: LineFile, _ counts: inout Counts) async throws {
        var search = LoggedModelSearch(experiments: [experiment])
        repeat {
            let page = try await store.searchLoggedModels(search)
            for model in page.elements {
                counts.loggedModels += 1
                try file.write { $0.loggedModel(model) }
            }
            search.pageToken = page.nextPageToken
        } while search.pageToken != nil
    }

    private func write(tracesOf experiment: String, _ file: LineFile, _ counts: inout Counts) async throws {
        var search = TraceSearch(experiments: [experiment])
        repeat {
            let page = try await traces.search(search)
            for trace in page.elements {
                counts.traces += 1
                let spans = try await traces.spans(ofTrace: trace.id)
                try file.write { $0.trace(trace, spans) }
            }
            search.pageToken = page.nextPageToken
        } while search.pageToken != nil
    }

    private func writeRegistry(to folder: String, _ counts: inout Counts) async throws {
        let models = try LineFile(folder + "/models.jsonl"), promotions = try LineFile(folder + "/promotions.jsonl")
        let versions = try LineFile(folder + "/versions.jsonl")
        var token: String?
        repeat {
            let page = try await registry.searchModels(includesPrompts: true, maxResults: 100, pageToken: token)
            for model in page.elements {
                try models.write { $0.model(model) }
                for record in try await registry.promotions(model: model.name, limit: 100_000) {
                    try promotions.write { $0.promotion(record) }
                }
            }
            token = page.nextPageToken
        } while token != nil
        repeat {
            let page = try await registry.searchVersions(includesPrompts: true, maxResults: 1_000, pageToken: token)
            counts.versions += page.elements.count
            for version in page.elements { try versions.write { $0.version(version) } }
            token = page.nextPageToken
        } while token != nil
        for file in [models, promotions, versions] { try file.close() }
    }
}

/// A file of JSON Lines that is written piece by piece and takes its name when it is whole.
private final class LineFile {
    private let path: String
    private let handle: FileHandle
    private var pending: [UInt8] = []

    init(_ path: String) throws {
        self.path = path
        guard FileManager.default.createFile(atPath: path + ".part", contents: nil) else {
            throw TrackingError(.internalError, "cannot write \(path)")
        }
        handle = try FileHandle(forWritingTo: URL(filePath: path + ".part"))
    }

    func write(_ body: (inout JSONWriter) -> Void) throws {
        var writer = JSONWriter()
        body(&writer)
        pending += writer.bytes
        pending.append(UInt8(ascii: "\n"))
        if pending.count > 1 << 20 { try flush() }
    }

    private func flush() throws {
        try handle.write(contentsOf: Data(pending))
        pending.removeAll(keepingCapacity: true)
    }

    func close() throws {
        try flush()
        try handle.close()
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.moveItem(atPath: path + ".part", toPath: path)
    }
}
