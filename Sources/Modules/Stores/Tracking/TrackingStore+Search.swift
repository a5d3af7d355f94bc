import GRDB

extension TrackingStore {
    package struct RunSearch: Sendable {
        package var experiments: [String]
        package var filter = ""
        package var view = ViewType.activeOnly
        package var order: [String] = []
        package var maxResults = 1_000
        package var pageToken: String?

        package init(experiments: [String]) { self.experiments = experiments }
    }

    /// Runs of some experiments in the order asked for, then by start (newest first), then by id.
    package func searchRuns(_ search: RunSearch) async throws(TrackingError) -> Paged<Run> {
        var experiments: [Int64] = []
        for id in search.experiments {
            // An experiment that cannot exist has no runs.
            if let number = Int64(id) { experiments.append(number) }
        }
        let filter = try Self.runGrammar.condition(SearchFilter(search.filter))
        var terms: [SearchOrder] = []
        for text in search.order { terms.append(try SearchOrder(text)) }
        let sort = try Self.runGrammar.order(terms)
        let offset = try PageToken.offset(of: search.pageToken)
        let limit = search.maxResults
        let rows =
            "r.experiment IN (\(experiments.map(String.init).joined(separator: ","))) AND \(search.view.condition("r")) AND \(filter.sql)"
        let general = """
            SELECT r.seq FROM runs r\(sort.joins) WHERE \(rows)
            ORDER BY \((sort.terms + ["r.start_time DESC", "r.id"]).joined(separator: ", ")) LIMIT ? OFFSET ?
            """
        let metric = Self.singleMetric(terms)
        let byMetric = """
            SELECT r.seq FROM latest_metrics o INDEXED BY latest_metrics_by_value JOIN runs r ON r.seq = o.run
            WHERE o.experiment = ? AND o.key = (SELECT id FROM names WHERE name = ?) AND o.is_nan = 0 AND \(rows)
            ORDER BY o.value \(metric?.isAscending ?? true ? "ASC" : "DESC"), r.start_time DESC, r.id LIMIT ? OFFSET ?
            """
        return try await database.read { [experiments] db in
            // With one experiment and one metric the index holds the order: read as far as the page reaches. Runs whose
            // metric is NaN or missing come after all of these, so a full page needs nothing else.
            if let metric, experiments.count == 1 {
                let arguments: StatementArguments = [experiments[0], metric.key]
                let seqs = try Int64.fetchAll(db, sql: byMetric, arguments: arguments + filter.arguments + [limit + 1, offset])
                if seqs.count == limit + 1 { return try Self.page(seqs, offset, limit, db) }
            }
            let seqs = try Int64.fetchAll(db, sql: general, arguments: sort.arguments + filter.arguments + [limit + 1, offset])
            return try Self.page(seqs, offset, limit, db)
        }
    }

    private static func page(_ seqs: [Int64], _ offset: Int, _ limit: Int, _ db: Database) throws -> Paged<Run> {
        let page = PageToken.page(seqs, offset: offset, limit: limit)
        return Paged(elements: try runs(page.elements, db), nextPageToken: page.nextPageToken)
    }

    private static func singleMetric(_ terms: [SearchOrder]) -> SearchOrder? {
        guard terms.count == 1, ["metric", "metrics"].contains(terms[0].entity) else { return nil }
        return terms[0]
    }

    static let runGrammar: SearchGrammar = {
        let key = "@.run = r.seq AND @.key = (SELECT id FROM names WHERE name = ?)"
        let metrics = SearchGrammar.Collection(.number, table: "latest_metrics @", condition: key, isNaN: "is_nan")
        let params = SearchGrammar.Collection(.text, table: "params @", condition: key)
        let tags = SearchGrammar.Collection(.text, table: "tags @", condition: key)
        let data = "EXISTS (SELECT 1 FROM run_datasets i JOIN datasets d ON d.id = i.dataset WHERE i.run = r.seq AND @)"
        var attributes: [String: SearchGrammar.Attribute] = [
            "run_id": .init(.text, "r.id"), "run_name": .init(.text, "r.name"), "user_id": .init(.text, "r.user"),
            "status": .init(.text, "r.status"), "artifact_uri": .init(.text, "r.artifact_uri"),
            "start_time": .init(.number, "r.start_time"), "end_time": .init(.number, "r.end_time"),
        ]
        for (alias, name) in [
            ("run name", "run_name"), ("Run name", "run_name"), ("Run Name", "run_name"), ("run_uuid", "run_id"), ("run id", "run_id"),
            ("Run ID", "run_id"), ("created", "start_time"), ("Created", "start_time"),
        ] { attributes[alias] = attributes[name] }
        for entity in ["dataset", "datasets"] {
            attributes[entity + ".name"] = .init(.text, "d.name", within: data)
            attributes[entity + ".digest"] = .init(.text, "d.digest", within: data)
            attributes[entity + ".context"] = .init(.text, "i.context", within: data)
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
