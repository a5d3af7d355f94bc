import Tracking
import Web

extension Route {
    static let experiments: [Route] = [
        Route(.post, path: "experiments/create") { service, arguments in
            let location = try location(arguments.optionalText("artifact_location"))
            if let location { try await service.requireFreePlace(location) }
            let id = try await service.store.createExperiment(
                name: arguments.text("name"), artifactLocation: location,
                tags: arguments.pairs("tags"), now: service.now())
            return .object { $0.field("experiment_id", id) }
        },
        Route(.get, path: "experiments/get") { service, arguments in
            let experiment = try await service.store.experiment(id: arguments.text("experiment_id"))
            return .message("experiment") { $0.experiment(experiment) }
        },
        Route(.get, path: "experiments/get-by-name") { service, arguments in
            let experiment = try await service.store.experiment(named: arguments.text("experiment_name"))
            return .message("experiment") { $0.experiment(experiment) }
        },
        Route(.get, .post, path: "experiments/search") { service, arguments in
            let page = try await service.store.searchExperiments(
                filter: arguments.optionalText("filter") ?? "", order: arguments.texts("order_by"), view: arguments.view("view_type"),
                scope: Caller.current.experiments,
                maxResults: Validation.maxResults(arguments.optionalInt("max_results"), default: 1_000, limit: 50_000),
                pageToken: arguments.optionalText("page_token"))
            return .object { writer in
                writer.list("experiments", page.elements) { $0.experiment($1) }
                writer.field("next_page_token", page.nextPageToken)
            }
        },
        Route(.post, path: "experiments/update") { service, arguments in
            let id = try arguments.text("experiment_id")
            try await service.store.renameExperiment(id: id, to: arguments.text("new_name"), now: service.now())
            return .empty
        },
        Route(.post, path: "experiments/delete") { service, arguments in
            try await service.store.setExperimentStage(id: arguments.text("experiment_id"), .deleted, now: service.now())
            return .empty
        },
        Route(.post, path: "experiments/restore") { service, arguments in
            try await service.store.setExperimentStage(id: arguments.text("experiment_id"), .active, now: service.now())
            return .empty
        },
        Route(.post, path: "experiments/set-experiment-tag") { service, arguments in
            try await service.store.setExperimentTag(id: arguments.text("experiment_id"), arguments.tag())
            return .empty
        },
        Route(.post, path: "experiments/delete-experiment-tag") { service, arguments in
            try await service.store.deleteExperimentTag(id: arguments.text("experiment_id"), key: arguments.text("key"))
            return .empty
        },
    ]

    static let datasets: [Route] = [
        Route(.post, path: "experiments/search-datasets") { service, arguments in
            let experiments = try arguments.texts("experiment_ids")
            guard !experiments.isEmpty else {
                throw TrackingError(.invalidParameter, "SearchDatasets request must specify at least one experiment_id.")
            }
            guard experiments.count <= 20 else {
                throw TrackingError(
                    .invalidParameter,
                    "SearchDatasets request cannot specify more than 20 experiment_ids. Received \(experiments.count) experiment_ids.")
            }
            let found = try await service.store.datasets(experiments: experiments)
            return .object { writer in
                writer.list("dataset_summaries", found) { writer, dataset in
                    writer.object { writer in
                        writer.field("experiment_id", dataset.experiment)
                        writer.field("name", dataset.name)
                        writer.field("digest", dataset.digest)
                        writer.field("context", dataset.context)
                    }
                }
            }
        }
    ]

    /// The server writes artefacts nowhere but below its own root, so an experiment may name a place there or a place
    /// that clients reach without the server, never a path of the server's machine.
    private static func location(_ text: String?) throws(TrackingError) -> String? {
        guard let text, !text.isEmpty else { return nil }
        if text.hasPrefix(TrackingStore.artifactScheme) {
            _ = try ArtifactPath.check(ArtifactPath.place(of: text))
            return text
        }
        guard let colon = text.firstIndex(of: ":"), text[..<colon].utf8.count > 1, !text.hasPrefix("file:"), !text.contains(".."),
            !text.utf8.contains(where: { $0 < 0x21 || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") })
        else {
            throw TrackingError(
                .invalidParameter,
                "Invalid artifact_location '\(Validation.shown(text))': leave it out for the server's own place, or name a remote store")
        }
        return text
    }
}
