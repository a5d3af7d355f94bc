import GRDB

/// A search for runs as statements: which rows, in which order, from where on.
struct RunQuery: Sendable {
    private let experiments: [Int64]
    private let search: TrackingStore.RunSearch
    private let filter: (sql: String, arguments: StatementArguments)
    private let sort: (joins: String, columns: [SortColumn], arguments: StatementArguments)
    private let seek: SearchSeek
    /// The metric that is the whole order asked for, when there is one.
    private let metric: SearchOrder?

    /// What breaks every tie: the newest run first, then the lower id.
    private static let standard = [SortColumn("r.start_time", isAscending: false), SortColumn("r.id")]

    init(_ search: TrackingStore.RunSearch) throws(TrackingError) {
        self.search = search
        // An experiment that cannot exist has no runs.
        experiments = search.experiments.compactMap { Int64($0) }
        let condition = try TrackingStore.runGrammar.condition(SearchFilter(search.filter))
        filter = (condition.sql + (search.onlyTopLevel ? " AND " + TrackingStore.topLevel : ""), condition.arguments)
        let terms = try SearchOrder.list(search.order)
        sort = try TrackingStore.runGrammar.order(terms)
        metric = terms.count == 1 && ["metric", "metrics"].contains(terms[0].entity) ? terms[0] : nil
        seek = try SearchSeek(
            sort.columns + Self.standard, search: [search.filter, search.view.rawValue] + search.order + [""] + search.experiments,
            token: search.pageToken)
    }

    /// The rows of the page, `seq` first, and the token of the next.
    func page(_ db: Database) throws -> (seqs: [Int64], next: String?) {
        let found: [Row]
        if let metric, experiments.count == 1 {
            found = try byMetric(metric, experiments[0], db)
        } else {
            found = try anyOrder(db)
        }
        let page = seek.page(found, limit: search.maxResults)
        return (page.rows.map { $0["seq"] }, page.next)
    }

    private func anyOrder(_ db: Database) throws -> [Row] {
        let place = seek.condition
        let wanted = experiments.map(String.init).joined(separator: ",")
        let sql = """
            SELECT r.seq\(seek.selection) FROM runs r\(sort.joins)
            WHERE r.experiment IN (\(wanted)) AND \(search.view.condition("r")) AND \(filter.sql) AND \(place.sql)
            ORDER BY \(seek.order) LIMIT ?
            """
        return try Row.fetchAll(
            db, sql: sql, arguments: sort.arguments + filter.arguments + place.arguments + [search.maxResults + 1])
    }

    /// In three stretches that indexes hold in order, read only as far as the page reaches: the numbers, the NaNs, the runs
    /// without the metric.
    private func byMetric(_ metric: SearchOrder, _ experiment: Int64, _ db: Database) throws -> [Row] {
        let key = try Int64.fetchOne(db, sql: "SELECT id FROM names WHERE name = ?", arguments: [metric.key]) ?? -1
        let runs = "\(search.view.condition("r")) AND \(filter.sql)"
        let values = "latest_metrics o INDEXED BY latest_metrics_by_value JOIN runs r ON r.seq = o.run"
        let stretches: [Stretch] = [
            Stretch(
                flags: [0, 0], value: "o.value", from: values, condition: "o.experiment = ? AND o.key = ? AND o.is_nan = 0",
                columns: [SortColumn("o.value", isAscending: metric.isAscending)] + Self.standard),
            Stretch(
                flags: [0, 1], value: "o.value", from: values, condition: "o.experiment = ? AND o.key = ? AND o.is_nan = 1",
                columns: Self.standard),
            Stretch(
                flags: [1, 0], value: "NULL", from: "runs r",
                condition: "r.experiment = ? AND NOT EXISTS (SELECT 1 FROM latest_metrics o WHERE o.run = r.seq AND o.key = ?)",
                columns: Self.standard),
        ]
        let flags = seek.place.map { $0.prefix(2).map { Int.fromDatabaseValue($0) ?? 0 } }
        let first = flags.map { wanted in stretches.firstIndex { $0.flags == wanted } ?? 0 } ?? 0
        var found: [Row] = []
        for (index, stretch) in stretches.enumerated().dropFirst(first) where found.count <= search.maxResults {
            let place = index == first ? seek.place.map { Array($0.suffix(stretch.columns.count)) } : nil
            let after = SearchSeek(stretch.columns, place: place).condition
            let sql = """
                SELECT r.seq, \(stretch.flags[0]) AS k0, \(stretch.flags[1]) AS k1, \(stretch.value) AS k2, r.start_time AS k3, r.id AS k4
                FROM \(stretch.from) WHERE \(stretch.condition) AND \(runs) AND \(after.sql)
                ORDER BY \(stretch.columns.map(\.order).joined(separator: ", ")) LIMIT ?
                """
            let start: StatementArguments = [experiment, key]
            found += try Row.fetchAll(
                db, sql: sql, arguments: start + filter.arguments + after.arguments + [search.maxResults + 1 - found.count])
        }
        return found
    }

    private struct Stretch {
        /// Whether the value is missing, whether it is NaN: the first two sort values of its rows.
        let flags: [Int]
        let value: String
        let from: String
        let condition: String
        let columns: [SortColumn]
    }
}
