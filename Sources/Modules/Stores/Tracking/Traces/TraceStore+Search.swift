import GRDB

/// A search for traces.
package struct TraceSearch: Sendable {
    package var experiments: [String]
    package var filter = ""
    package var order: [String] = []
    package var maxResults = 100
    package var pageToken: String?

    package static let maxPage = 500

    package init(experiments: [String]) { self.experiments = experiments }
}

extension TraceStore {
    /// Traces of some experiments in the order asked for, then the newest first, then by id.
    package func search(_ search: TraceSearch) async throws(TrackingError) -> Paged<TraceInfo> {
        let (seek, sql, arguments) = try Self.statement(search)
        return try await database.read { db in
            let page = seek.page(try Row.fetchAll(db, sql: sql, arguments: arguments), limit: search.maxResults)
            return Paged(elements: try Self.traces(page.rows.map { $0["seq"] }, db), nextPageToken: page.next)
        }
    }

    /// How the database goes about a search, for who looks after its indexes.
    func plan(of search: TraceSearch) async throws(TrackingError) -> [String] {
        let (_, sql, arguments) = try Self.statement(search)
        return try await database.read { db in
            try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + sql, arguments: arguments).map { $0["detail"] }
        }
    }

    private static func statement(_ search: TraceSearch) throws(TrackingError) -> (SearchSeek, String, StatementArguments) {
        let conditions = try TraceConditions(SearchFilter(search.filter))
        let terms = try SearchOrder.list(search.order)
        let sort = try TraceGrammar.grammar.order(terms)
        let standard = [SortColumn("t.request_time", isAscending: false), SortColumn("t.id")]
            .filter { column in !sort.columns.contains { $0.sql == column.sql } }
        let seek = try SearchSeek(
            sort.columns + standard, search: [search.filter] + search.order + [""] + search.experiments, token: search.pageToken)
        let place = seek.condition
        let wanted = search.experiments.compactMap { Int64($0) }.map(String.init).joined(separator: ",")
        let sql = """
            SELECT t.seq\(seek.selection) FROM traces t\(sort.joins) WHERE t.experiment IN (\(wanted))
            AND \(conditions.parts.joined(separator: " AND ")) AND \(place.sql) ORDER BY \(seek.order) LIMIT ?
            """
        return (seek, sql, sort.arguments + conditions.arguments + place.arguments + [search.maxResults + 1])
    }

    /// How many traces of some experiments match each of several filters.
    func counts(experiments: [String], filters: [String]) async throws(TrackingError) -> [Int] {
        var conditions: [TraceConditions] = []
        for filter in filters { conditions.append(try TraceConditions(SearchFilter(filter))) }
        let wanted = experiments.compactMap { Int64($0) }.map(String.init).joined(separator: ",")
        return try await database.read { [conditions] db in
            try conditions.map { condition in
                try Int.fetchOne(
                    db,
                    sql: """
                        SELECT count(*) FROM traces t WHERE t.experiment IN (\(wanted)) AND \(condition.parts.joined(separator: " AND "))
                        """, arguments: condition.arguments) ?? 0
            }
        }
    }
}
