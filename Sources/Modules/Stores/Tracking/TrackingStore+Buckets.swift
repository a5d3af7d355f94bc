import GRDB

extension TrackingStore {
    /// A history in as many buckets of equal size as asked for, each by its first point, the last bucket by the very last.
    ///
    /// Points are sorted by step, then time; many of one step are thinned like any others.
    package func bucketedHistory(
        run id: String, key: String, steps: ClosedRange<Int64> = .min ... .max, maxPoints: Int
    ) async throws(TrackingError) -> [Metric] {
        try await readHistory { db in
            let run = try Self.runRow(id, db).seq
            guard let name = try Int64.fetchOne(db, sql: "SELECT id FROM names WHERE name = ?", arguments: [key]) else { return [] }
            let rows = "FROM metrics WHERE run = ? AND key = ? AND step BETWEEN ? AND ?"
            let arguments: StatementArguments = [run, name, steps.lowerBound, steps.upperBound]
            let count = try Int.fetchOne(db.cachedStatement(sql: "SELECT count(*) \(rows)"), arguments: arguments) ?? 0
            let wanted = Buckets.starts(count: count, limit: maxPoints)
            let cursor = try Row.fetchCursor(
                db.cachedStatement(
                    sql: "SELECT ? AS name, value, is_nan, timestamp, step \(rows) ORDER BY step, timestamp, value, is_nan"),
                arguments: [key] + arguments)
            var kept: [Metric] = [], index = 0
            while kept.count < wanted.count, let row = try cursor.next() {
                if wanted[kept.count] == index { kept.append(Self.metric(row)) }
                index += 1
            }
            return kept
        }
    }
}

/// Equal shares of a sorted list.
enum Buckets {
    /// Where the buckets begin, the last replaced by the end of the list; all places when there are no more than `limit`.
    static func starts(count: Int, limit: Int) -> [Int] {
        guard count > limit, limit > 0 else { return Array(0..<max(0, count)) }
        let size = count / limit, larger = count % limit
        return (0..<limit - 1).map { $0 * size + min($0, larger) } + [count - 1]
    }
}
