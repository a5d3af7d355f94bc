import Tracking
import Web

extension Route {
    static let maxBatchBytes = 1_000_000

    static let runs: [Route] = [
        .operation(.post, path: "runs/create") { service, arguments in
            try service.store.creatingRun(
                experiment: arguments.optionalText("experiment_id") ?? "0", user: arguments.optionalText("user_id") ?? "",
                name: arguments.optionalText("run_name"), startTime: arguments.optionalInt("start_time"), tags: arguments.pairs("tags"),
                now: service.now()
            ).map { run in .message("run") { $0.run(run) } }
        },
        .operation(.get, path: "runs/get") { service, arguments in
            try service.store.readingRun(id: arguments.run()).map { run in .message("run") { $0.run(run) } }
        },
        .operation(.post, path: "runs/update") { service, arguments in
            try service.store.updatingRun(
                id: arguments.run(), status: runStatus(arguments), endTime: arguments.optionalInt("end_time"),
                name: arguments.optionalText("run_name")
            ).map { info in .message("run_info") { $0.runInfo(info) } }
        },
        Route(.post, path: "runs/delete") { service, arguments in
            try await service.store.setRunStage(id: arguments.text("run_id"), .deleted, now: service.now())
            return .empty
        },
        Route(.post, path: "runs/restore") { service, arguments in
            try await service.store.setRunStage(id: arguments.text("run_id"), .active, now: service.now())
            return .empty
        },
        .operation(.post, path: "runs/search") { service, arguments in
            var search = TrackingStore.RunSearch(experiments: try arguments.texts("experiment_ids"))
            search.filter = try arguments.optionalText("filter") ?? ""
            search.view = try arguments.view("run_view_type")
            search.order = try arguments.texts("order_by")
            search.maxResults = try Validation.maxResults(arguments.optionalInt("max_results"), default: 1_000, limit: 50_000)
            search.pageToken = try arguments.optionalText("page_token")
            return try service.store.searchingRuns(search).map { page in
                .object { writer in
                    writer.list("runs", page.elements) { $0.run($1) }
                    writer.field("next_page_token", page.nextPageToken)
                }
            }
        },
        .operation(.post, path: "runs/log-metric") { service, arguments in
            try service.store.loggingMetric(run: arguments.run(), arguments.metric(), scope: Caller.current.experiments).map { .empty }
        },
        .operation(.post, path: "runs/log-parameter") { service, arguments in
            let param = KeyValue(try arguments.optionalText("key") ?? "", try arguments.optionalText("value") ?? "")
            return try service.store.loggingParam(run: arguments.run(), param).map { .empty }
        },
        .operation(.post, path: "runs/log-batch") { service, arguments in
            guard arguments.bodySize <= maxBatchBytes else {
                throw TrackingError(
                    .invalidParameter,
                    "Batched logging API requests must be at most \(maxBatchBytes) bytes, got a request of size \(arguments.bodySize).")
            }
            let metrics = try arguments.objects("metrics") { (metric) throws(TrackingError) in try metric.metric() }
            return try service.store.loggingBatch(
                run: arguments.text("run_id"), metrics: metrics, params: arguments.pairs("params"), tags: arguments.pairs("tags"),
                scope: Caller.current.experiments
            ).map { .empty }
        },
        .operation(.post, path: "runs/set-tag") { service, arguments in
            try service.store.settingTag(run: arguments.run(), arguments.tag()).map { .empty }
        },
        Route(.post, path: "runs/delete-tag") { service, arguments in
            try await service.store.deleteTag(run: arguments.text("run_id"), key: arguments.text("key"))
            return .empty
        },
        // What clients before 3.0 send after writing a model's files; the files themselves say everything.
        Route(.post, path: "runs/log-model") { service, arguments in
            _ = try await service.store.run(id: arguments.text("run_id"))
            return .empty
        },
    ]

    private static func runStatus(_ arguments: Arguments) throws(TrackingError) -> RunStatus? {
        guard let value = arguments["status"] else { return nil }
        guard let status = value.string.flatMap({ RunStatus(rawValue: $0) }) ?? value.int64.flatMap({ RunStatus(number: $0) }) else {
            throw arguments.invalid(value, "status")
        }
        return status
    }

    static let metrics: [Route] = [
        Route(.get, path: "metrics/get-history") { service, arguments in
            let most = TrackingStore.maxHistory
            let page = try await service.store.history(
                run: arguments.run(), key: arguments.text("metric_key"),
                maxResults: Validation.maxResults(arguments.optionalInt("max_results"), default: most, limit: most),
                pageToken: arguments.optionalText("page_token"))
            return .object { writer in
                writer.list("metrics", page.elements) { $0.metric($1) }
                writer.field("next_page_token", page.nextPageToken)
            }
        },
        Route(.get, path: "metrics/get-history-bulk") { service, arguments in
            let runs = try bulkRuns(arguments)
            guard let key = try arguments.optionalText("metric_key"), !key.isEmpty else {
                throw TrackingError(.invalidParameter, "GetMetricHistoryBulk request must specify a metric_key.")
            }
            let limit = try Validation.maxResults(arguments.optionalInt("max_results"), default: 25_000, limit: 25_000)
            var found: [(run: String, metric: Metric)] = []
            for run in runs.sorted() where found.count < limit {
                let page = try await service.store.history(run: run, key: key, maxResults: limit - found.count)
                found += page.elements.map { (run, $0) }
            }
            return .object { $0.list("metrics", found) { $0.metric($1.metric, run: $1.run) } }
        },
        Route(.get, path: "metrics/get-history-bulk-interval") { service, arguments in
            let runs = try arguments.requiredTexts("run_ids")
            guard runs.count <= maxRuns else {
                throw TrackingError(
                    .invalidParameter,
                    "GetMetricHistoryBulkInterval request must specify at most \(maxRuns) run_ids. Received \(runs.count) run_ids. \(Validation.seeDocs)"
                )
            }
            let key = try arguments.text("metric_key"), points = try arguments.optionalInt("max_results") ?? maxPoints
            guard (1...maxPoints).contains(points) else {
                throw TrackingError(.invalidParameter, "max_results must be between 1 and \(maxPoints). \(Validation.seeDocs)")
            }
            let steps = try stepRange(arguments)
            var found: [(run: String, metric: Metric)] = []
            for run in runs {
                let history = try await service.store.bucketedHistory(run: run, key: key, steps: steps, maxPoints: Int(points))
                found += history.map { (run, $0) }
            }
            return .object { $0.list("metrics", found) { $0.metric($1.metric, run: $1.run) } }
        },
    ]

    private static func stepRange(_ arguments: Arguments) throws(TrackingError) -> ClosedRange<Int64> {
        switch (try arguments.optionalInt("start_step"), try arguments.optionalInt("end_step")) {
        case (nil, nil): return .min ... .max
        case (let start?, let end?):
            guard start <= end else {
                throw TrackingError(
                    .invalidParameter, "end_step must be greater than start_step. Found start_step=\(start) and end_step=\(end).")
            }
            return start...end
        default:
            throw TrackingError(.invalidParameter, "If either start step or end step are specified, both must be specified.")
        }
    }

    private static let maxRuns = 100, maxPoints: Int64 = 2_500

    private static func bulkRuns(_ arguments: Arguments) throws(TrackingError) -> [String] {
        let runs = try arguments.texts("run_ids") + arguments.texts("run_id")
        guard !runs.isEmpty else {
            throw TrackingError(.invalidParameter, "GetMetricHistoryBulk request must specify at least one run_id.")
        }
        guard runs.count <= maxRuns else {
            throw TrackingError(
                .invalidParameter,
                "GetMetricHistoryBulk request cannot specify more than \(maxRuns) run_ids. Received \(runs.count) run_ids.")
        }
        return runs
    }

    static let inputs: [Route] = [
        Route(.post, path: "runs/log-inputs") { service, arguments in
            let datasets = try arguments.objects("datasets") { (input) throws(TrackingError) in
                let dataset = try input.object("dataset")
                return DatasetInput(
                    name: try dataset.text("name"), digest: try dataset.text("digest"),
                    sourceType: try dataset.optionalText("source_type") ?? "",
                    source: try dataset.optionalText("source") ?? "", schema: try dataset.optionalText("schema"),
                    profile: try dataset.optionalText("profile"), tags: try input.pairs("tags"))
            }
            let models = try arguments.objects("models") { (model) throws(TrackingError) in try model.text("model_id") }
            try await service.store.logInputs(
                run: arguments.text("run_id"), datasets: datasets, models: models, scope: Caller.current.experiments)
            return .empty
        },
        Route(.post, path: "runs/outputs") { service, arguments in
            let models = try arguments.objects("models") { (model) throws(TrackingError) in
                ModelOutput(modelID: try model.text("model_id"), step: try model.optionalInt("step") ?? 0)
            }
            try await service.store.logOutputs(run: arguments.text("run_id"), models: models, scope: Caller.current.experiments)
            return .empty
        },
    ]
}
