import Tracking
import Web

/// What a route asks of its caller. A route that is not in the table is for nobody.
struct Need: Sendable {
    /// What a request is about, so that a token's scope can be held against it.
    enum Subject: Sendable {
        /// An experiment by the id in the argument of this name.
        case experiment(String)
        /// An experiment by name: a new one or one that is looked up.
        case experimentName(String)
        /// Experiments by the ids in `experiment_ids`.
        case experiments
        /// `run_id`
        case run
        /// `run_ids` or `run_id`, several.
        case runs
        /// A registered model by the name in `name`, and in `new_name` when it is given.
        case model
        /// `model_id`
        case loggedModel
        /// The trace by the id in the argument of this name.
        case trace(String)
        /// `trace_ids`, and `run_id` when it is given.
        case traces
        /// A trace as its client hands it over: where it lies, and where it lay.
        case newTrace
        /// A search in `locations`, or in `experiment_ids` as old clients say.
        case locations
        /// The answer holds only what the caller reaches.
        case filtered
        /// Nothing that belongs to somebody.
        case nothing
        /// Only callers whose token reaches everything.
        case everything
    }

    /// For GET, and for the other methods.
    let read: AccessRole
    let write: AccessRole
    let subject: Subject

    private init(_ read: AccessRole, _ write: AccessRole, _ subject: Subject) {
        self.read = read
        self.write = write
        self.subject = subject
    }

    static func reads(_ subject: Subject) -> Need { Need(.reader, .reader, subject) }
    static func writes(_ role: AccessRole, _ subject: Subject) -> Need { Need(.reader, role, subject) }
    static func always(_ role: AccessRole, _ subject: Subject) -> Need { Need(role, role, subject) }

    func role(_ method: Route.Method) -> AccessRole { method == .get ? read : write }

    /// By the path of the route.
    static let table: [String: Need] = [
        "experiments/create": .writes(.trainer, .experimentName("name")), "experiments/get": .reads(.experiment("experiment_id")),
        "experiments/get-by-name": .reads(.experimentName("experiment_name")), "experiments/search": .reads(.filtered),
        "experiments/update": .writes(.trainer, .experiment("experiment_id")),
        "experiments/delete": .writes(.admin, .experiment("experiment_id")),
        "experiments/restore": .writes(.admin, .experiment("experiment_id")),
        "experiments/set-experiment-tag": .writes(.trainer, .experiment("experiment_id")),
        "experiments/delete-experiment-tag": .writes(.trainer, .experiment("experiment_id")),
        "experiments/search-datasets": .reads(.experiments),

        "runs/create": .writes(.trainer, .experiment("experiment_id")), "runs/get": .reads(.run), "runs/search": .reads(.experiments),
        "runs/update": .writes(.trainer, .run), "runs/delete": .writes(.trainer, .run), "runs/restore": .writes(.trainer, .run),
        "runs/log-metric": .writes(.trainer, .run), "runs/log-parameter": .writes(.trainer, .run),
        "runs/log-batch": .writes(.trainer, .run), "runs/set-tag": .writes(.trainer, .run), "runs/delete-tag": .writes(.trainer, .run),
        "runs/log-model": .writes(.trainer, .run), "runs/log-inputs": .writes(.trainer, .run), "runs/outputs": .writes(.trainer, .run),
        "metrics/get-history": .reads(.run), "metrics/get-history-bulk": .reads(.runs),
        "metrics/get-history-bulk-interval": .reads(.runs), "artifacts/list": .reads(.run),
        "artifacts/presigned-upload-url": .reads(.nothing), "artifacts/presigned-download-url": .reads(.nothing),

        "logged-models": .writes(.trainer, .experiment("experiment_id")), "logged-models/search": .reads(.experiments),
        "logged-models/{model_id}": .writes(.trainer, .loggedModel), "logged-models/{model_id}/params": .writes(.trainer, .loggedModel),
        "logged-models/{model_id}/tags": .writes(.trainer, .loggedModel),
        "logged-models/{model_id}/tags/{tag_key}": .writes(.trainer, .loggedModel),
        "logged-models/{model_id}/artifacts/directories": .reads(.loggedModel),

        "registered-models/create": .writes(.trainer, .model), "registered-models/get": .reads(.model),
        "registered-models/rename": .writes(.promoter, .model), "registered-models/update": .writes(.trainer, .model),
        "registered-models/delete": .writes(.promoter, .model), "registered-models/search": .reads(.filtered),
        "registered-models/get-latest-versions": .reads(.model), "registered-models/set-tag": .writes(.trainer, .model),
        "registered-models/delete-tag": .writes(.trainer, .model), "registered-models/alias": .writes(.promoter, .model),
        "registered-models/promotions": .reads(.model), "registered-models/rollback": .writes(.promoter, .model),
        "model-versions/create": .writes(.trainer, .model), "model-versions/get": .reads(.model),
        "model-versions/update": .writes(.trainer, .model), "model-versions/transition-stage": .writes(.promoter, .model),
        "model-versions/delete": .writes(.promoter, .model), "model-versions/search": .reads(.filtered),
        "model-versions/get-download-uri": .reads(.model), "model-versions/set-tag": .writes(.trainer, .model),
        "model-versions/delete-tag": .writes(.trainer, .model), "model-versions/lineage": .reads(.model),

        // By both names of a trace's id: the number of the release tells which is meant.
        "traces": .writes(.trainer, .newTrace), "traces/get": .reads(.trace("trace_id")), "traces/batchGet": .reads(.traces),
        "traces/batchGetInfos": .reads(.traces), "traces/search": .reads(.locations), "traces/{trace_id}": .reads(.trace("trace_id")),
        "traces/{trace_id}/tags": .writes(.trainer, .trace("trace_id")),
        "traces/delete-traces": .writes(.trainer, .experiment("experiment_id")),
        "traces/calculate-filter-correlation": .reads(.experiments), "traces/metrics": .reads(.experiments),
        "traces/{request_id}": .writes(.trainer, .trace("request_id")),
        "traces/{request_id}/info": .reads(.trace("request_id")), "traces/{request_id}/tags": .writes(.trainer, .trace("request_id")),
        "traces/link-to-run": .writes(.trainer, .traces), "traces/link-prompts": .writes(.trainer, .trace("trace_id")),
        "get-online-trace-details": .reads(.nothing), "traces/{trace_id}/assessments": .writes(.trainer, .trace("trace_id")),
        "traces/{trace_id}/assessments/{assessment_id}": .writes(.trainer, .trace("trace_id")),

        "webhooks": .always(.admin, .everything), "webhooks/{webhook_id}": .always(.admin, .everything),
        "webhooks/{webhook_id}/test": .always(.admin, .everything), "server-info": .reads(.nothing),
    ]

    /// What a route asks, when the caller has the role for it.
    @discardableResult
    static func checkRole(_ route: Route, _ method: Route.Method) throws(TrackingError) -> Need {
        guard let need = table[route.path] else { throw Caller.outOfScope("this route") }
        try Caller.current.require(need.role(method))
        return need
    }

    /// Holds a request against what the caller may do.
    static func check(_ route: Route, _ method: Route.Method, _ arguments: Arguments, _ service: TrackService) async throws(TrackingError) {
        let need = try checkRole(route, method), caller = Caller.current
        if caller != .nobody, !caller.isScoped { return }
        switch need.subject {
        case .nothing, .filtered: return
        case .everything: throw Caller.outOfScope("what belongs to everybody")
        case .experiment(let name):
            let id = try arguments.optionalText(name) ?? "0"
            try await service.requireExperiment(id)
            if let new = try arguments.optionalText("new_name") { try caller.requireExperiment(id, new) }
        case .experimentName(let name): try caller.requireExperiment(arguments.optionalText(name) ?? "")
        case .experiments: for id in try arguments.texts("experiment_ids") { try await service.requireExperiment(id) }
        case .run:
            try await service.requireRun(arguments.run())
            // What a run reports may name logged models, which the observations are then also written to.
            var models = [try arguments.optionalText("model_id")]
            for name in ["metrics", "models"] {
                models += (arguments[name]?.array ?? []).map { $0["model_id"]?.string }
            }
            for case let model? in Set(models) where !model.isEmpty { try await service.requireLoggedModel(model) }
        case .runs: for run in try arguments.texts("run_ids") + arguments.texts("run_id") { try await service.requireRun(run) }
        case .trace(let name): try await service.requireTraces([arguments.text(name)])
        case .traces:
            try await service.requireTraces(arguments.texts("trace_ids"))
            if let run = try arguments.optionalText("run_id"), !run.isEmpty { try await service.requireRun(run) }
        case .newTrace where method == .get: for id in try arguments.texts("experiment_ids") { try await service.requireExperiment(id) }
        case .newTrace:
            guard arguments["trace"] != nil else {
                return try await service.requireExperiment(arguments.optionalText("experiment_id") ?? "0")
            }
            let info = try arguments.object("trace").optionalObject("trace_info")
            try await service.requireExperiment(info.traceExperiment())
            try await service.requireTraces([info.text("trace_id")], mayBeMissing: true)
        case .locations: for id in try arguments.locations() { try await service.requireExperiment(id) }
        case .loggedModel: try await service.requireLoggedModel(arguments.text("model_id"))
        case .model:
            try caller.requireModel(arguments.optionalText("name") ?? "")
            if let new = try arguments.optionalText("new_name") { try caller.requireModel(new) }
            // A version made from a run would otherwise read the files of an experiment out of reach.
            if let run = try arguments.optionalText("run_id"), !run.isEmpty { try await service.requireRun(run) }
            if let source = try arguments.optionalText("source") { try await service.requireSource(source) }
            // The run of the logged model becomes the version's when none is named.
            if let id = try arguments.optionalText("model_id"), !id.isEmpty, let model = try await service.requireLoggedModel(id),
                !model.sourceRun.isEmpty
            {
                try await service.requireRun(model.sourceRun)
            }
        }
        // A logged model names the run that made it, and its versions lead to that run.
        if let run = try arguments.optionalText("source_run_id"), !run.isEmpty { try await service.requireRun(run) }
    }
}

extension TrackService {
    func requireExperiment(_ id: String) async throws(TrackingError) {
        guard !Caller.current.experiments.isAll else { return }
        let name = try await store.experiment(id: id).name
        try Caller.current.requireExperiment(id, name)
    }

    func requireRun(_ id: String) async throws(TrackingError) {
        guard !Caller.current.experiments.isAll else { return }
        let run = try await store.run(id: id)
        try await requireExperiment(run.info.experimentID)
    }

    /// - Returns: The model; `nil` for a caller who reaches all of them, unread.
    @discardableResult
    func requireLoggedModel(_ id: String) async throws(TrackingError) -> LoggedModel? {
        guard !Caller.current.experiments.isAll else { return nil }
        let model = try await store.loggedModel(id: id)
        try await requireExperiment(model.experimentID)
        return model
    }

    /// A run that others name; `nil` when it is gone or out of the caller's reach.
    func reachedRun(_ id: String) async -> Run? {
        guard !id.isEmpty, (try? await requireRun(id)) != nil else { return nil }
        return try? await store.run(id: id)
    }

    func requireSource(_ source: String) async throws(TrackingError) {
        guard !Caller.current.experiments.isAll else { return }
        let place = try await place(of: source)
        guard place.hasPrefix(TrackingStore.artifactScheme) else { return }
        try await requireArtifact(ArtifactPath.place(of: place))
    }

    /// The experiments whose place a path lies in.
    func requireArtifact(_ path: String) async throws(TrackingError) {
        let caller = Caller.current
        guard !caller.experiments.isAll else { return }
        guard !path.isEmpty else { throw Caller.outOfScope("all artifacts") }
        let owners = try await store.experiments(owning: path)
        guard !owners.isEmpty else { throw Caller.outOfScope("this path, which belongs to no experiment") }
        for owner in owners { try caller.requireExperiment(owner.id, owner.name) }
    }

    /// The place of a new experiment: by it, who reaches the experiment reaches the files there, so it is nobody else's, nor
    /// one that an experiment to come will have by its number.
    func requireFreePlace(_ location: String) async throws(TrackingError) {
        guard !Caller.current.experiments.isAll, location.hasPrefix(TrackingStore.artifactScheme) else { return }
        let place = try ArtifactPath.place(of: location)
        let isNumber = place.split(separator: "/").first?.utf8.allSatisfy { (48...57).contains($0) } ?? true
        let isTaken = try await store.overlapsExperiment(place)
        guard !isNumber, !isTaken else {
            throw Caller.outOfScope("the artifact_location '\(Validation.shown(location))'; leave it out for a place of its own")
        }
    }
}
