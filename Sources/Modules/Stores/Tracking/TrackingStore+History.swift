import GRDB

extension TrackingStore {
    /// The longest page of a history.
    package static let maxHistory = 25_000

    /// The observations of one metric of a run by (timestamp, step, value), a page at a time.
    package func history(
        run id: String, key: String, maxResults: Int = TrackingStore.maxHistory, pageToken: String? = nil
    ) async throws(TrackingError) -> Paged<Metric> {
        let columns = ["timestamp", "step", "value", "is_nan"].map { SortColumn($0) }
        let seek = try SearchSeek(columns, search: [id, key], token: pageToken)
        let after = seek.place == nil ? "1" : "(timestamp, step, value, is_nan) > (?, ?, ?, ?)"
        return try await readHistory { db in
            let row = try Self.runRow(id, db)
            let found = try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT ? AS name, value, is_nan, timestamp, step FROM metrics
                        WHERE run = ? AND key = (SELECT id FROM names WHERE name = ?) AND \(after)
                        ORDER BY timestamp, step, value, is_nan LIMIT ?
                        """),
                arguments: [key, row.seq, key] + StatementArguments(seek.place ?? []) + [maxResults + 1])
            guard found.count > maxResults, maxResults > 0 else {
                return Paged(elements: found.map { Self.metric($0) }, nextPageToken: nil)
            }
            let last = found[maxResults - 1]
            return Paged(
                elements: found.prefix(maxResults).map { Self.metric($0) },
                nextPageToken: seek.token(after: ["timestamp", "step", "value", "is_nan"].map { last[$0] }))
        }
    }

    /// At most `maxPoints` observations of a metric over a range of steps, evenly thinned, the first and the last step among
    /// them. Reads the history twice but never holds it.
    ///
    /// - Parameter maxPoints: Taken as at least 2.
    /// - Returns: By (step, timestamp).
    package func sampledHistory(
        run id: String, key: String, steps: ClosedRange<Int64> = .min ... .max, maxPoints: Int
    ) async throws(TrackingError) -> [Metric] {
        try await readHistory { db in
            let run = try Self.runRow(id, db).seq
            guard let name = try Int64.fetchOne(db, sql: "SELECT id FROM names WHERE name = ?", arguments: [key]) else { return [] }
            let rows = "FROM metrics WHERE run = ? AND key = ? AND step BETWEEN ? AND ?"
            let arguments: StatementArguments = [run, name, steps.lowerBound, steps.upperBound]
            guard
                let extent = try Row.fetchOne(
                    db.cachedStatement(sql: "SELECT count(*) AS count, min(step) AS low, max(step) AS high \(rows)"), arguments: arguments),
                var thinning = Thinning(extent, limit: max(2, maxPoints))
            else { return [] }
            let cursor = try Row.fetchCursor(
                db.cachedStatement(sql: "SELECT ? AS name, value, is_nan, timestamp, step \(rows) ORDER BY timestamp, step, value"),
                arguments: [key] + arguments)
            var kept: [Metric] = []
            while let row = try cursor.next() { if thinning.keeps(step: row["step"]) { kept.append(Self.metric(row)) } }
            return kept.sorted { ($0.step, $0.timestamp) < ($1.step, $1.timestamp) }
        }
    }
}

/// Which of the rows of a history stay when at most so many may.
struct Thinning {
    private let count: Int
    private let low: Int64
    private let high: Int64
    /// How many rows are spread evenly over the whole, its ends included.
    private let spread: Int
    private var index = 0
    private var next = 0
    private var missesLow: Bool
    private var missesHigh: Bool

    /// - Parameter extent: `count` of the rows, `low` and `high` of their steps.
    /// - Returns: `nil` when there is no row.
    init?(_ extent: Row, limit: Int) {
        guard let low = extent["low"] as Int64?, let high = extent["high"] as Int64? else { return nil }
        self.init(count: extent["count"], low: low, high: high, limit: limit)
    }

    init(count: Int, low: Int64, high: Int64, limit: Int) {
        self.count = count
        self.low = low
        self.high = high
        // Two are kept back for the first and the last step, which need not be at the ends when steps go back in time.
        let isWhole = count <= limit
        spread = isWhole ? count : limit < 4 ? limit : limit - 2
        missesLow = !isWhole && limit >= 4
        missesHigh = missesLow
    }

    /// Asked once for each row in order.
    mutating func keeps(step: Int64) -> Bool {
        defer { index += 1 }
        var keeps = false
        if next < spread, index == (spread == 1 ? 0 : next * (count - 1) / (spread - 1)) {
            next += 1
            keeps = true
        }
        if missesLow, step == low {
            missesLow = false
            keeps = true
        }
        if missesHigh, step == high {
            missesHigh = false
            keeps = true
        }
        return keeps
    }
}
