import GRDB

/// A search for logged models.
package struct LoggedModelSearch: Sendable {
    /// A dataset that metrics were measured on; every digest of the name when none is given.
    package struct Dataset: Sendable, Hashable {
        package let name: String
        package let digest: String?

        package init(name: String, digest: String?) {
            self.name = name
            self.digest = digest
        }

        fileprivate var condition: String { digest == nil ? "@.dataset_name = ?" : "@.dataset_name = ? AND @.dataset_digest = ?" }
        fileprivate var arguments: [DatabaseValue] { [name.databaseValue] + (digest.map { [$0.databaseValue] } ?? []) }
    }

    /// A column of the model or `metrics.KEY`, on one dataset when one is named.
    package struct Order: Sendable, Hashable {
        package let field: String
        package let isAscending: Bool
        package let dataset: Dataset?

        package init(field: String, isAscending: Bool = true, dataset: Dataset? = nil) {
            self.field = field
            self.isAscending = isAscending
            self.dataset = dataset
        }
    }

    package static let maxDatasets = 100
    /// Whoever asks for more is given so many and the token of the next page.
    package static let maxPage = 10_000

    package var experiments: [String]
    package var filter = ""
    /// When there are any, conditions on metrics look at these datasets alone.
    package var datasets: [Dataset] = []
    package var order: [Order] = []
    package var maxResults = 50
    package var pageToken: String?

    package init(experiments: [String]) { self.experiments = experiments }

    /// Everything that decides which rows there are and how they are sorted.
    fileprivate var identity: [String] {
        [filter] + experiments + [""] + datasets.flatMap { [$0.name, $0.digest ?? "*"] } + [""]
            + order.flatMap { [$0.field, "\($0.isAscending)", $0.dataset?.name ?? "", $0.dataset?.digest ?? "*"] }
    }
}

extension TrackingStore {
    /// Logged models of some experiments in the order asked for, then the newest first.
    package func searchLoggedModels(_ search: LoggedModelSearch) async throws(TrackingError) -> Paged<LoggedModel> {
        guard search.datasets.count <= LoggedModelSearch.maxDatasets else {
            throw TrackingError(.invalidParameter, "At most \(LoggedModelSearch.maxDatasets) datasets can be named in a search")
        }
        let filter = try SearchFilter(search.filter).withTextsAsWritten
        let condition = try Self.loggedModelGrammar(metricsOn: search.datasets).condition(filter)
        // Who names datasets and no metric asks for models that were measured on them.
        let measured = filter.comparisons.contains(where: \.isOfMetric) ? ("1", []) : Self.measured(on: search.datasets)
        let sort = try Self.order(search.order)
        let standard = [SortColumn("l.creation_time", isAscending: false), SortColumn("l.id")]
        let seek = try SearchSeek(sort.columns + standard, search: search.identity, token: search.pageToken)
        let place = seek.condition
        let sql = """
            SELECT l.id\(seek.selection) FROM logged_models l\(sort.joins) WHERE l.deleted = 0
            AND l.experiment IN (SELECT value FROM json_each(?)) AND \(condition.sql)
            AND \(measured.0) AND \(place.sql) ORDER BY \(seek.order) LIMIT ?
            """
        let experiments: StatementArguments = [Self.list(try Validation.searchedExperiments(search.experiments))]
        let arguments = sort.arguments + experiments + condition.arguments + measured.1 + place.arguments + [search.maxResults + 1]
        return try await database.read { db in
            let page = seek.page(try Row.fetchAll(db, sql: sql, arguments: arguments), limit: search.maxResults)
            return Paged(elements: try page.rows.map { try Self.loggedModel($0["id"], db) }, nextPageToken: page.next)
        }
    }

    private static func measured(on datasets: [LoggedModelSearch.Dataset]) -> (String, StatementArguments) {
        guard !datasets.isEmpty else { return ("1", []) }
        let tests = datasets.map { "(" + $0.condition.replacing("@", with: "x") + ")" }.joined(separator: " OR ")
        return (
            "EXISTS (SELECT 1 FROM logged_model_metrics x WHERE x.model = l.seq AND (\(tests)))",
            StatementArguments(datasets.flatMap(\.arguments))
        )
    }

    private static func order(_ terms: [LoggedModelSearch.Order]) throws(TrackingError) -> (
        joins: String, columns: [SortColumn], arguments: StatementArguments
    ) {
        var collections: [String: SearchGrammar.Collection] = [:]
        var orders: [SearchOrder] = []
        for (index, term) in terms.enumerated() {
            let parsed = try SearchOrder(term.field)
            guard let entity = parsed.entity else {
                orders.append(SearchOrder(entity: nil, key: parsed.key, isAscending: term.isAscending))
                continue
            }
            guard ["metric", "metrics"].contains(entity) else {
                throw TrackingError(
                    .invalidParameter, "Invalid order by field name: \(Validation.shown(term.field)). Only metrics are supported.")
            }
            // Each metric looks at its own dataset, so each is a collection of its own.
            collections["\(index)"] = metricOrder(on: term.dataset)
            orders.append(SearchOrder(entity: "\(index)", key: parsed.key, isAscending: term.isAscending))
        }
        return try SearchGrammar(subject: "logged model", attributes: loggedModelAttributes, collections: collections).order(orders)
    }

    /// The latest value of a metric, whatever it was measured on unless a dataset is named.
    private static func metricOrder(on dataset: LoggedModelSearch.Dataset?) -> SearchGrammar.Collection {
        let condition = dataset.map { " AND " + $0.condition.replacing("@.", with: "") } ?? ""
        let row = "model, key, timestamp, step, run, dataset_name, dataset_digest, value, is_nan"
        let columns = row.split(separator: ", ").map { "@." + $0 }.joined(separator: ", ")
        return SearchGrammar.Collection(
            .number, table: "", condition: "", arguments: dataset?.arguments ?? [],
            orderJoin: """
                LEFT JOIN logged_model_metrics @ ON (\(columns)) = (SELECT \(row) FROM logged_model_metrics
                WHERE model = l.seq AND key = ?\(condition) ORDER BY timestamp DESC, step DESC, run LIMIT 1)
                """,
            isNaN: "is_nan")
    }

    private static let loggedModelAttributes: [String: SearchGrammar.Attribute] = [
        "experiment_id": .init(.text, "CAST(l.experiment AS TEXT)", isListed: true),
        "artifact_location": .init(.text, "l.artifact_uri", isListed: true), "lifecycle_stage": .init(.text, "'active'", isListed: true),
        "name": .init(.text, "l.name", isListed: true), "model_id": .init(.text, "l.id", isListed: true),
        "model_type": .init(.text, "l.type", isListed: true), "source_run_id": .init(.text, "l.source_run", isListed: true),
        "status": .init(.text, "l.status", prefix: "LOGGED_MODEL_"), "creation_timestamp": .init(.number, "l.creation_time"),
        "creation_timestamp_ms": .init(.number, "l.creation_time"), "creation_time": .init(.number, "l.creation_time"),
        "last_updated_timestamp": .init(.number, "l.last_update_time"), "last_updated_timestamp_ms": .init(.number, "l.last_update_time"),
        "last_updated_time": .init(.number, "l.last_update_time"),
    ]

    private static func loggedModelGrammar(metricsOn datasets: [LoggedModelSearch.Dataset]) -> SearchGrammar {
        let own = "@.model = l.seq AND @.key = ?"
        let params = SearchGrammar.Collection(.text, table: "logged_model_params @", condition: own, isListed: true)
        let tags = SearchGrammar.Collection(.text, table: "logged_model_tags @", condition: own, isListed: true)
        let measured = datasets.isEmpty ? "" : " AND (" + datasets.map { "(\($0.condition))" }.joined(separator: " OR ") + ")"
        let metrics = SearchGrammar.Collection(
            .number, table: "logged_model_metrics @", condition: own + measured, arguments: datasets.flatMap(\.arguments), isNaN: "is_nan")
        return SearchGrammar(
            subject: "logged model", attributes: loggedModelAttributes,
            collections: ["param": params, "params": params, "tag": tags, "tags": tags, "metric": metrics, "metrics": metrics],
            attributeEntities: ["model"])
    }
}

extension SearchFilter {
    /// As MLflow's server reads filters of logged models: what is compared with a text need not be quoted, `params.depth = 8`.
    fileprivate var withTextsAsWritten: SearchFilter {
        SearchFilter(
            comparisons: comparisons.map { comparison in
                guard comparison.isOfText, let written = comparison.written else { return comparison }
                return comparison.with(.text(written))
            })
    }
}

extension SearchFilter.Comparison {
    fileprivate var isOfMetric: Bool { ["metric", "metrics"].contains(entity) }

    fileprivate var isOfText: Bool {
        if ["param", "params", "tag", "tags"].contains(entity) { return true }
        return !isOfMetric && !["creation_", "last_updated_"].contains { key.hasPrefix($0) }
    }
}
