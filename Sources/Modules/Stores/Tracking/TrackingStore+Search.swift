import GRDB

extension TrackingStore {
    package struct RunSearch: Sendable, Hashable {
        package var experiments: [String]
        package var filter = ""
        package var view = ViewType.activeOnly
        package var order: [String] = []
        package var maxResults = 1_000
        package var pageToken: String?
        /// Leaves out runs that stand under another run.
        package var onlyTopLevel = false
        /// The values to bring along; `nil` for all of them.
        package var columns: RunColumns?

        package init(experiments: [String]) { self.experiments = experiments }
    }

    /// Runs of some experiments in the order asked for, then by start (newest first), then by id.
    package func searchRuns(_ search: RunSearch) async throws(TrackingError) -> Paged<Run> {
        try await database.run(searchingRuns(search))
    }

    package func searchingRuns(_ search: RunSearch) throws(TrackingError) -> TrackingOperation<Paged<Run>> {
        let query = try RunQuery.known(search)
        return .read(isBrief: { _ in search.maxResults <= Self.maxBriefPage }) { [self] db in
            let page = try query.page(db)
            let runs = try search.columns.map { try Self.runs(page.seqs, showing: $0, db) } ?? runs(page.seqs, db)
            return Paged(elements: runs, nextPageToken: page.next)
        }
    }

    /// Runs of a page that is read at once.
    private static let maxBriefPage = 200

    static let runGrammar: SearchGrammar = {
        let key = "@.run = r.seq AND @.key = (SELECT id FROM names WHERE name = ?)"
        let metrics = SearchGrammar.Collection(.number, table: "latest_metrics @", condition: key, isNaN: "is_nan")
        let params = SearchGrammar.Collection(.text, table: "params @", condition: key)
        let tags = SearchGrammar.Collection(.text, table: "tags @", condition: key)
        let data = "EXISTS (SELECT 1 FROM run_datasets i JOIN datasets d ON d.id = i.dataset WHERE i.run = r.seq AND @)"
        var attributes: [String: SearchGrammar.Attribute] = [
            "run_id": .init(.text, "r.id", isListed: true, isAlwaysThere: true), "run_name": .init(.text, "r.name", isAlwaysThere: true),
            "user_id": .init(.text, "r.user", isAlwaysThere: true), "status": .init(.text, "r.status", isAlwaysThere: true),
            "artifact_uri": .init(.text, "r.artifact_uri", isAlwaysThere: true),
            "start_time": .init(.number, "r.start_time", isAlwaysThere: true), "end_time": .init(.number, "r.end_time"),
        ]
        for (alias, name) in [
            ("run name", "run_name"), ("Run name", "run_name"), ("Run Name", "run_name"), ("run_uuid", "run_id"), ("run id", "run_id"),
            ("Run ID", "run_id"), ("created", "start_time"), ("Created", "start_time"),
        ] { attributes[alias] = attributes[name] }
        for entity in ["dataset", "datasets"] {
            attributes[entity + ".name"] = .init(.text, "d.name", within: data, isListed: true)
            attributes[entity + ".digest"] = .init(.text, "d.digest", within: data, isListed: true)
            attributes[entity + ".context"] = .init(.text, "i.context", within: data, isListed: true)
        }
        return SearchGrammar(
            subject: "run", attributes: attributes,
            collections: [
                "metric": metrics, "metrics": metrics, "param": params, "params": params, "parameter": params, "parameters": params,
                "tag": tags, "tags": tags,
            ],
            attributeEntities: ["run"])
    }()
}
