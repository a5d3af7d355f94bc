import Domain
import Registry
import Tracking

/// What pages are made of: the server's stores as the caller of the request reaches them.
///
/// Pages have nothing else to read from, so no page can show what its reader's token does not reach. What one asks for by name
/// is refused; what lies in a list is left out.
struct ScopedService: Sendable {
    let store: ScopedStore
    let registry: ScopedRegistry
    let artifacts: ScopedArtifacts
    let traces: ScopedTraces
    private let service: TrackService

    init(_ service: TrackService) {
        self.service = service
        store = ScopedStore(service: service)
        registry = ScopedRegistry(service: service)
        artifacts = ScopedArtifacts(service: service)
        traces = ScopedTraces(service: service)
    }

    func now() -> EventTime.Milliseconds { service.now() }

    func spans(of trace: TraceInfo) async throws -> [TraceSpan] {
        try await service.requireExperiment(trace.experimentID)
        return try await service.spans(of: trace)
    }

    /// Where a version's files are. - Throws: `permissionDenied` when that is in an experiment out of reach.
    func place(of source: String) async throws(TrackingError) -> String {
        try await service.requireSource(source)
        return try await service.place(of: source)
    }
}

/// Experiments, runs, logged models and datasets within reach.
struct ScopedStore: Sendable {
    fileprivate let service: TrackService

    private var store: TrackingStore { service.store }
    private var reachesAll: Bool { Caller.current.experiments.isAll }

    /// Where the database is, for those who reach everything.
    var path: String { reachesAll ? store.database.path : "" }

    private func reaches(_ experiment: String) async -> Bool {
        do throws(TrackingError) {
            try await service.requireExperiment(experiment)
            return true
        } catch {
            return false
        }
    }

    private func reached(_ runs: [Run]) async -> [Run] {
        guard !reachesAll else { return runs }
        var known: [String: Bool] = [:], reached: [Run] = []
        for run in runs {
            let id = run.info.experimentID
            if known[id] == nil { known[id] = await reaches(id) }
            if known[id] == true { reached.append(run) }
        }
        return reached
    }

    func experiment(id: String) async throws(TrackingError) -> Experiment {
        try await service.requireExperiment(id)
        return try await store.experiment(id: id)
    }

    func searchExperiments(
        filter: String = "", order: [String] = [], view: ViewType = .activeOnly, maxResults: Int = 1_000, pageToken: String? = nil
    ) async throws(TrackingError) -> Paged<Experiment> {
        let scope = Caller.current.experiments
        let page = try await store.searchExperiments(filter: filter, order: order, view: view, maxResults: maxResults, pageToken: pageToken)
        guard !scope.isAll else { return page }
        return Paged(elements: page.elements.filter { scope.contains($0.id) || scope.contains($0.name) }, nextPageToken: page.nextPageToken)
    }

    func activity(ofExperiments ids: [String]) async throws(TrackingError) -> [String: TrackingStore.ExperimentActivity] {
        try await store.activity(ofExperiments: ids)
    }

    func names(ofExperiment id: String, runs: [String], limit: Int) async throws(TrackingError) -> TrackingStore.RunNames {
        try await service.requireExperiment(id)
        return try await store.names(ofExperiment: id, runs: runs, limit: limit)
    }

    func run(id: String) async throws(TrackingError) -> Run {
        try await service.requireRun(id)
        return try await store.run(id: id)
    }

    func runs(ids: [String], showing columns: TrackingStore.RunColumns) async throws(TrackingError) -> [Run] {
        await reached(try await store.runs(ids: ids, showing: columns))
    }

    func searchRuns(_ search: TrackingStore.RunSearch) async throws(TrackingError) -> Paged<Run> {
        for experiment in search.experiments { try await service.requireExperiment(experiment) }
        return try await store.searchRuns(search)
    }

    /// How many children runs have that the caller reaches already; a number tells nothing of them.
    func childCounts(ofRuns ids: [String]) async throws(TrackingError) -> [String: Int] { try await store.childCounts(ofRuns: ids) }

    func children(ofRun id: String, showing columns: TrackingStore.RunColumns, limit: Int) async throws(TrackingError) -> [Run] {
        await reached(try await store.children(ofRun: id, showing: columns, limit: limit))
    }

    func sampledHistory(
        run id: String, key: String, steps: ClosedRange<Int64> = .min ... .max, maxPoints: Int
    ) async throws(TrackingError) -> [Metric] {
        try await service.requireRun(id)
        return try await store.sampledHistory(run: id, key: key, steps: steps, maxPoints: maxPoints)
    }

    func loggedModel(id: String) async throws(TrackingError) -> LoggedModel {
        let model = try await store.loggedModel(id: id)
        try await service.requireExperiment(model.experimentID)
        return model
    }

    func datasets(
        containing text: String, before: Int64?, limit: Int
    ) async throws(TrackingError) -> (uses: [TrackingStore.DatasetUse], next: Int64?) {
        let scope = Caller.current.experiments
        let page = try await store.datasets(containing: text, before: before, limit: limit)
        guard !scope.isAll else { return page }
        return (page.uses.filter { scope.contains($0.experimentID) || scope.contains($0.experimentName) }, page.next)
    }

    func totals() async throws(TrackingError) -> TrackingStore.Totals {
        try Caller.current.requireAll()
        return try await store.totals()
    }
}

/// Registered models within reach.
struct ScopedRegistry: Sendable {
    fileprivate let service: TrackService

    private var registry: RegistryStore { service.registry }

    func model(name: String) async throws(TrackingError) -> RegisteredModel {
        try Caller.current.requireModel(name)
        return try await registry.model(name: name)
    }

    func version(model: String, number: Int) async throws(TrackingError) -> RegisteredVersion {
        try Caller.current.requireModel(model)
        return try await registry.version(model: model, number: number)
    }

    func promotions(model: String, limit: Int = 100) async throws(TrackingError) -> [PromotionRecord] {
        try Caller.current.requireModel(model)
        return try await registry.promotions(model: model, limit: limit)
    }

    func searchModels(
        filter: String = "", order: [String] = [], maxResults: Int = 100, pageToken: String? = nil
    ) async throws(TrackingError) -> Paged<RegisteredModel> {
        let scope = Caller.current.models
        let page = try await registry.searchModels(filter: filter, order: order, maxResults: maxResults, pageToken: pageToken)
        return Paged(elements: page.elements.filter { scope.contains($0.name) }, nextPageToken: page.nextPageToken)
    }

    func searchVersions(
        filter: String = "", order: [String] = [], includesPrompts: Bool = false, maxResults: Int = 10_000, pageToken: String? = nil
    ) async throws(TrackingError) -> Paged<RegisteredVersion> {
        let scope = Caller.current.models
        let page = try await registry.searchVersions(
            filter: filter, order: order, includesPrompts: includesPrompts, maxResults: maxResults, pageToken: pageToken)
        return Paged(elements: page.elements.filter { scope.contains($0.model) }, nextPageToken: page.nextPageToken)
    }

    func totals() async throws(TrackingError) -> (models: Int, versions: Int) {
        try Caller.current.requireAll()
        return try await registry.totals()
    }
}

/// Files within reach: the first part of a path is its experiment.
struct ScopedArtifacts: Sendable {
    fileprivate let service: TrackService

    func list(_ folder: String) async throws(TrackingError) -> [ArtifactStore.Entry] {
        try await service.requireArtifact(folder)
        return try await service.artifacts.list(folder)
    }

    func file(_ path: String) async throws(TrackingError) -> ArtifactStore.File {
        try await service.requireArtifact(path)
        return try await service.artifacts.file(path)
    }

    func bytes(of file: ArtifactStore.File, _ range: Range<Int64>) async throws(TrackingError) -> [UInt8] {
        try await service.artifacts.bytes(of: file, range)
    }

    func read(_ file: ArtifactStore.File, _ range: Range<Int64>, _ take: ([UInt8]) async throws -> Void) async throws {
        try await service.artifacts.read(file, range, take)
    }

    func usage() async throws(TrackingError) -> (fileCount: Int, byteCount: Int64) {
        try Caller.current.requireAll()
        return try await service.artifacts.usage()
    }
}

/// Traces within reach.
struct ScopedTraces: Sendable {
    fileprivate let service: TrackService

    func search(_ search: TraceSearch) async throws(TrackingError) -> Paged<TraceInfo> {
        for experiment in search.experiments { try await service.requireExperiment(experiment) }
        return try await service.traces.search(search)
    }

    func trace(id: String) async throws(TrackingError) -> TraceInfo {
        try await service.requireTraces([id])
        return try await service.traces.trace(id: id)
    }

    func runs(ofTrace id: String) async throws(TrackingError) -> [String] {
        try await service.requireTraces([id])
        var reached: [String] = []
        for run in try await service.traces.runs(ofTrace: id) where await service.reachedRun(run) != nil { reached.append(run) }
        return reached
    }

    func count(ofRun run: String, limit: Int) async throws(TrackingError) -> Int {
        try await service.requireRun(run)
        return try await service.traces.count(ofRun: run, limit: limit)
    }
}
