import GRDB
import GRDBSQLite
import Synchronization

/// A search for runs as statements: which rows, in which order, from where on.
struct RunQuery: Sendable {
    private let experiments: [Int64]
    private let search: TrackingStore.RunSearch
    private let filter: (sql: String, arguments: StatementArguments)
    private let sort: (joins: String, columns: [SortColumn], arguments: StatementArguments)
    private let seek: SearchSeek
    /// The metric or parameter that is the whole order asked for, when there is one.
    private let term: SearchOrder?
    /// A parameter and the one text it must have, when no order is asked for; the filter need not say a short text again.
    private let param: (name: String, text: String)?

    /// What breaks every tie: the newest run first, then the lower id.
    private static let standard = [SortColumn("r.start_time", isAscending: false), SortColumn("r.id")]
    private static let metrics: Set<String> = ["metric", "metrics"], params: Set<String> = ["param", "params", "parameter", "parameters"]

    /// What was made of the searches that were asked last: pages that renew themselves ask the same again and again.
    private static let known = Mutex<[TrackingStore.RunSearch: RunQuery]>([:])
    private static let maxKnown = 64, maxKnownText = 2_000

    /// The same as ``init(_:)``.
    static func known(_ search: TrackingStore.RunSearch) throws(TrackingError) -> RunQuery {
        if let query = known.withLock({ $0[search] }) { return query }
        let query = try RunQuery(search)
        let length = ([search.filter, search.pageToken ?? ""] + search.order + search.experiments).reduce(0) { $0 + $1.utf8.count }
        guard length <= maxKnownText else { return query }
        known.withLock { known in
            if known.count >= maxKnown { known = [:] }
            known[search] = query
        }
        return query
    }

    init(_ search: TrackingStore.RunSearch) throws(TrackingError) {
        self.search = search
        experiments = try Validation.searchedExperiments(search.experiments)
        var comparisons = try SearchFilter(search.filter)
        let terms = try SearchOrder.list(search.order)
        sort = try TrackingStore.runGrammar.order(terms)
        term = terms.count == 1 && Self.metrics.union(Self.params).contains(terms[0].entity ?? "") ? terms[0] : nil
        let indexed = terms.isEmpty && experiments.count == 1 ? Self.param(in: comparisons) : nil
        param = indexed
        // The index holds a short text whole: which runs have it need not be looked at again.
        if let indexed, indexed.text.unicodeScalars.count < TrackingSchema.paramIndexLength {
            comparisons = SearchFilter(comparisons: comparisons.comparisons.filter { Self.param($0).map { $0 != indexed } ?? true })
        }
        filter = try TrackingStore.runGrammar.condition(comparisons)
        seek = try SearchSeek(
            sort.columns + Self.standard, search: [search.filter, search.view.rawValue] + search.order + [""] + search.experiments,
            token: search.pageToken)
    }

    private static func param(in filter: SearchFilter) -> (name: String, text: String)? {
        filter.comparisons.lazy.compactMap(param).first
    }

    private static func param(_ comparison: SearchFilter.Comparison) -> (name: String, text: String)? {
        guard params.contains(comparison.entity ?? ""), !comparison.key.isEmpty,
            case (.equal, .text(let text)) = (comparison.op, comparison.literal)
        else { return nil }
        return (comparison.key, text)
    }

    /// The rows of the page, `seq` first, and the token of the next.
    func page(_ db: Database) throws -> (seqs: [Int64], next: String?) {
        var condition = "\(search.view.condition("r")) AND \(filter.sql)"
        // Where no run stands under another, every run is at the top.
        if search.onlyTopLevel, try Bool.fetchOne(db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM run_parents)")) ?? true {
            condition += " AND " + TrackingStore.topLevel
        }
        var found = Found(limit: search.maxResults)
        if let term, experiments.count == 1 {
            try inStretches(Self.stretches(term), term.key, experiments[0], condition, db, &found)
        } else if let param {
            try withParam(param, experiments[0], condition, db, &found)
        } else {
            try anyOrder(condition, db, &found)
        }
        return (found.seqs, found.place.map { seek.token(after: $0) })
    }

    /// The rows of a page: their numbers, and the sort values of the last one when more follow.
    private struct Found {
        let limit: Int
        private(set) var seqs: [Int64] = []
        private var last: [DatabaseValue] = []
        private var hasMore = false

        init(limit: Int) { self.limit = limit }

        var place: [DatabaseValue]? { hasMore ? last : nil }
        /// How many rows to ask for: one more than there is room for.
        var wanted: Int { hasMore ? 0 : limit + 1 - seqs.count }

        /// - Parameter row: The number of a run, then its sort values.
        mutating func add(_ row: SQLiteStatement) {
            guard seqs.count < limit else {
                hasMore = true
                return
            }
            seqs.append(sqlite3_column_int64(row, 0))
            if seqs.count == limit { last = (1..<sqlite3_column_count(row)).map { DatabaseValue(sqliteStatement: row, index: $0) } }
        }
    }

    private func anyOrder(_ condition: String, _ db: Database, _ found: inout Found) throws {
        let place = seek.condition
        let wanted = experiments.count == 1 ? "= ?" : "IN (SELECT value FROM json_each(?))"
        let list: StatementArguments = experiments.count == 1 ? [experiments[0]] : [TrackingStore.list(experiments)]
        let sql = """
            SELECT r.seq\(seek.selection) FROM runs r\(sort.joins)
            WHERE r.experiment \(wanted) AND \(condition) AND \(place.sql)
            ORDER BY \(seek.order) LIMIT ?
            """
        let arguments = sort.arguments + list + filter.arguments + place.arguments + [found.wanted]
        try TrackingStore.eachRow(Self.statement(sql, db), arguments) { found.add($0) }
    }

    /// Through the index of the parameter, which holds the runs in the order of a search that asks for none.
    private func withParam(
        _ param: (name: String, text: String), _ experiment: Int64, _ condition: String, _ db: Database, _ found: inout Found
    ) throws {
        let columns = [SortColumn("v.start_time", isAscending: false), SortColumn("r.id")]
        let place = SearchSeek(columns, place: seek.place).condition
        // The index holds the beginning of a text; the filter looks at the whole.
        let sql = """
            SELECT r.seq, r.start_time AS k0, r.id AS k1 FROM param_values v CROSS JOIN runs r ON r.seq = v.run
            WHERE v.experiment = ? AND v.key = (SELECT id FROM names WHERE name = ?)
            AND v.value = substr(?, 1, \(TrackingSchema.paramIndexLength)) AND \(condition) AND \(place.sql)
            ORDER BY \(columns.map(\.order).joined(separator: ", ")) LIMIT ?
            """
        let start: StatementArguments = [experiment, param.name, param.text]
        let arguments = start + filter.arguments + place.arguments + [found.wanted]
        try TrackingStore.eachRow(Self.statement(sql, db), arguments) { found.add($0) }
    }

    /// Texts of statements that stay prepared. They follow what clients ask for, so there is a limit to them.
    private static let kept = Mutex<Set<String>>([])
    private static let maxKept = 64

    private static func statement(_ sql: String, _ db: Database) throws -> Statement {
        let isKept = kept.withLock { kept in
            if kept.count < maxKept { kept.insert(sql) }
            return kept.contains(sql)
        }
        return isKept ? try db.cachedStatement(sql: sql) : try db.makeStatement(sql: sql)
    }

    // MARK: By one value

    /// Rows that an index holds in order, read only as far as the page reaches.
    private struct Stretch {
        /// The first sort values of its rows: whether the value is missing, and for metrics whether it is NaN.
        let flags: [Int]
        let value: String
        let from: String
        /// With `?` for the experiment and for the key.
        let condition: String
        /// A condition on the index besides the one on the place, with `?` for the value there.
        var entry: String?
        /// What the rows are sorted by before ``columns``, in the order of the index.
        var first: [SortColumn] = []
        let columns: [SortColumn]
    }

    /// The numbers, the NaNs, the runs without the metric; the texts, the runs without the parameter.
    private static func stretches(_ term: SearchOrder) -> [Stretch] {
        func missing(_ table: String, _ flags: [Int]) -> Stretch {
            Stretch(
                flags: flags, value: "NULL", from: "runs r",
                condition: "r.experiment = ? AND NOT EXISTS (SELECT 1 FROM \(table) o WHERE o.run = r.seq AND o.key = ?)",
                columns: standard)
        }
        guard !params.contains(term.entity ?? "") else {
            // The index holds the beginning of each text; what begins alike is sorted by the whole.
            return [
                Stretch(
                    flags: [0], value: "p.value",
                    from: """
                        param_values o CROSS JOIN params p ON p.run = o.run AND p.key = o.key CROSS JOIN runs r ON r.seq = o.run
                        """,
                    condition: "o.experiment = ? AND o.key = ?",
                    entry: "o.value \(term.isAscending ? ">=" : "<=") substr(?, 1, \(TrackingSchema.paramIndexLength))",
                    first: [SortColumn("o.value", isAscending: term.isAscending)],
                    columns: [SortColumn("p.value", isAscending: term.isAscending)] + standard),
                missing("params", [1]),
            ]
        }
        let values = "latest_metrics o INDEXED BY latest_metrics_by_value JOIN runs r ON r.seq = o.run"
        return [
            Stretch(
                flags: [0, 0], value: "o.value", from: values, condition: "o.experiment = ? AND o.key = ? AND o.is_nan = 0",
                columns: [SortColumn("o.value", isAscending: term.isAscending)] + standard),
            Stretch(
                flags: [0, 1], value: "o.value", from: values, condition: "o.experiment = ? AND o.key = ? AND o.is_nan = 1",
                columns: standard),
            missing("latest_metrics", [1, 0]),
        ]
    }

    private func inStretches(
        _ stretches: [Stretch], _ name: String, _ experiment: Int64, _ runs: String, _ db: Database, _ found: inout Found
    ) throws {
        let find = try db.cachedStatement(sql: "SELECT id FROM names WHERE name = ?")
        let key = try Int64.fetchOne(find, arguments: [name]) ?? -1
        let flagCount = stretches[0].flags.count
        let flags = seek.place.map { $0.prefix(flagCount).map { Int.fromDatabaseValue($0) ?? 0 } }
        let first = flags.map { wanted in stretches.firstIndex { $0.flags == wanted } ?? 0 } ?? 0
        for (index, stretch) in stretches.enumerated().dropFirst(first) where found.wanted > 0 {
            let place = index == first ? seek.place.map { Array($0.suffix(stretch.columns.count)) } : nil
            var after = SearchSeek(stretch.columns, place: place).condition
            if let place, let entry = stretch.entry { after = ("\(entry) AND \(after.sql)", [place[0]] + after.arguments) }
            let values = stretch.flags.map { "\($0)" } + [stretch.value, "r.start_time", "r.id"]
            let sql = """
                SELECT r.seq, \(values.enumerated().map { "\($1) AS k\($0)" }.joined(separator: ", "))
                FROM \(stretch.from) WHERE \(stretch.condition) AND \(runs) AND \(after.sql)
                ORDER BY \((stretch.first + stretch.columns).map(\.order).joined(separator: ", ")) LIMIT ?
                """
            let start: StatementArguments = [experiment, key]
            let arguments = start + filter.arguments + after.arguments + [found.wanted]
            try TrackingStore.eachRow(Self.statement(sql, db), arguments) { found.add($0) }
        }
    }
}
