import ObjectStore
import Tracking
import Web

extension Route {
    static let loggedModels: [Route] = [
        Route(.post, path: "logged-models") { service, arguments in
            let model = try await service.store.createLoggedModel(
                experiment: arguments.text("experiment_id"), name: arguments.optionalText("name"),
                type: arguments.optionalText("model_type") ?? "", sourceRun: arguments.optionalText("source_run_id") ?? "",
                params: arguments.pairs("params"), tags: arguments.pairs("tags"), now: service.now())
            return .message("model") { $0.loggedModel(model) }
        },
        Route(.post, path: "logged-models/search") { service, arguments in
            guard arguments["experiment_ids"] != nil else { throw arguments.missing("experiment_ids") }
            var search = LoggedModelSearch(experiments: try arguments.texts("experiment_ids"))
            search.filter = try arguments.optionalText("filter") ?? ""
            search.datasets = try arguments.objects("datasets") { (dataset) throws(TrackingError) in
                LoggedModelSearch.Dataset(name: try dataset.text("dataset_name"), digest: try dataset.optionalText("dataset_digest"))
            }
            search.order = try arguments.objects("order_by") { (term) throws(TrackingError) in
                let name = try term.optionalText("dataset_name"), digest = try term.optionalText("dataset_digest")
                guard name != nil || digest == nil else {
                    throw TrackingError(.invalidParameter, "`dataset_name` must be given with `dataset_digest` in the `order_by` clause.")
                }
                return LoggedModelSearch.Order(
                    field: try term.text("field_name"), isAscending: term["ascending"] == nil ? true : try term.flag("ascending"),
                    dataset: name.map { .init(name: $0, digest: digest) })
            }
            let most = LoggedModelSearch.maxPage
            search.maxResults = try Validation.maxResults(
                arguments.optionalInt("max_results").map { min($0, Int64(most)) }, default: 50, limit: most)
            search.pageToken = try arguments.optionalText("page_token")
            let page = try await service.store.searchLoggedModels(search)
            return .object { writer in
                writer.list("models", page.elements) { $0.loggedModel($1) }
                writer.field("next_page_token", page.nextPageToken)
            }
        },
        Route(.get, path: "logged-models/{model_id}") { service, arguments in
            let model = try await service.store.loggedModel(id: arguments.text("model_id"))
            return .message("model") { $0.loggedModel(model) }
        },
        Route(.patch, path: "logged-models/{model_id}") { try await endLoggedModel($0, $1) },
        Route(.delete, path: "logged-models/{model_id}") { service, arguments in
            try await service.requireUnregistered(service.store.loggedModel(id: arguments.text("model_id")))
            try await service.store.deleteLoggedModel(id: arguments.text("model_id"), now: service.now())
            return .empty
        },
        Route(.post, path: "logged-models/{model_id}/params") { service, arguments in
            try await service.store.logLoggedModelParams(
                id: arguments.text("model_id"), arguments.pairs("params"), now: service.now())
            return .empty
        },
        Route(.patch, path: "logged-models/{model_id}/tags") { service, arguments in
            let model = try await service.store.setLoggedModelTags(
                id: arguments.text("model_id"), arguments.pairs("tags"), now: service.now())
            return .message("model") { $0.loggedModel(model) }
        },
        Route(.delete, path: "logged-models/{model_id}/tags/{tag_key}") { service, arguments in
            try await service.store.deleteLoggedModelTag(
                id: arguments.text("model_id"), key: arguments.text("tag_key"), now: service.now())
            return .empty
        },
        Route(.get, path: "logged-models/{model_id}/artifacts/directories") { service, arguments in
            let model = try await service.store.loggedModel(id: arguments.text("model_id"))
            return try await artifactList(service, root: model.artifactURI, path: arguments.optionalText("artifact_directory_path") ?? "")
        },
    ]

    /// How a logged model has come out.
    private static func endLoggedModel(_ service: TrackService, _ arguments: Arguments) async throws -> Reply {
        guard let value = arguments["status"] else { throw arguments.missing("status") }
        var status: LoggedModelStatus?
        if let text = value.string {
            status = LoggedModelStatus(rawValue: text)
        } else if let number = value.int64 {
            status = LoggedModelStatus(number: number)
        }
        guard let status else { throw arguments.invalid(value, "status") }
        let id = try arguments.text("model_id")
        let known = try await service.store.loggedModel(id: id)
        if known.status == .ready, status != .ready { try await service.requireUnregistered(known) }
        let model = try await service.store.finalizeLoggedModel(id: id, status: status, now: service.now())
        return .message("model") { $0.loggedModel(model) }
    }

    static let artifactLists: [Route] = [
        Route(.get, path: "artifacts/list") { service, arguments in
            let run = try await service.store.run(id: arguments.run())
            return try await artifactList(service, root: run.info.artifactURI, path: arguments.optionalText("path") ?? "")
        },
        Route(.post, path: "artifacts/presigned-upload-url") { _, _ in throw notPresigned },
        Route(.post, path: "artifacts/presigned-download-url") { _, _ in throw notPresigned },
    ]

    private static var notPresigned: TrackingError {
        TrackingError(
            .invalidParameter, "Presigned URLs are not supported: this server stores artifacts itself; send them with PUT and GET")
    }

    /// Files of one folder; their paths are relative to the root.
    private static func artifactList(_ service: TrackService, root: String, path: String) async throws -> Reply {
        let base = try ArtifactPath.place(of: root)
        try await service.requireArtifact(base)
        let prefix = path.isEmpty ? "" : try ArtifactPath.check(path).description + "/"
        let entries = try await service.artifacts.list(prefix.isEmpty ? base : base + "/" + prefix)
        return .object { writer in
            writer.field("root_uri", root)
            writer.list("files", entries) { writer, entry in
                writer.object { writer in
                    writer.field("path", prefix + entry.name)
                    writer.field("is_dir", entry.isDirectory)
                    if !entry.isDirectory { writer.field("file_size", entry.byteCount) }
                }
            }
        }
    }
}
