package import Domain
package import Table

/// The rows a model may learn from: labelled, past warm-up, in the order they became available.
package struct TrainingRows: Sendable {
    /// Where the rows of the view's history went.
    package struct Counts: Sendable, Equatable, Codable {
        package var read = 0
        /// The target lies beyond the history, or its moment has no row.
        package var unlabelled = 0
        /// Before a sequence operator of a feature had its first value for the key.
        package var warmUp = 0
        /// Of ``usable``, rows with a missing feature; they are filled.
        package var incomplete = 0
        package var usable = 0
    }

    package enum Error: Swift.Error, Equatable, CustomStringConvertible {
        case noRows(Counts)
        /// The share of incomplete rows is above the definition's limit; `column` misses most.
        case tooManyMissing(share: Double, limit: Double, column: String)
        case noColumn(String)
        case notANumber(target: String)

        package var description: String {
            switch self {
            case .noRows(let counts):
                "no row can train: of \(counts.read) rows, \(counts.unlabelled) have no label and \(counts.warmUp) lie in warm-up"
            case .tooManyMissing(let share, let limit, let column):
                "\(share) of the rows miss a feature (\"\(column)\" most often), more than the \(limit) allowed"
            case .noColumn(let name): "the view has no column \"\(name)\""
            case .notANumber(let target): "the target \"\(target)\" is not a number"
            }
        }
    }

    /// All columns of the view, one row a usable row, ascending by availability, then key.
    package let table: Table
    /// The truth of each row.
    package let targets: [Double]
    /// When each row became available.
    package let availability: [EventTime.Milliseconds]
    package let counts: Counts

    /// - Parameters:
    ///   - table: The view's history, in any order.
    ///   - target: The label of each row, null where there is none.
    ///   - availability: When each row became available.
    ///   - keys: The entity of each row; all equal text when rows have none.
    ///   - warmUp: Per feature, how many rows of an entity come before its first value because operators look back; 0 where it is not
    ///     named. Only such a feature warms up: elsewhere a null is a missing value.
    package init(
        table: Table, target: Column, availability: [EventTime.Milliseconds], keys: [String], features: [String],
        warmUp: [String: Int], missing: TrainingDefinition.Missing
    ) throws(Error) {
        guard target.type != .string else { throw .notANumber(target: target.name) }
        var columns: [Column] = []
        for name in features {
            guard let column = table[name] else { throw .noColumn(name) }
            columns.append(column)
        }
        let order = (0..<table.rowCount).sorted { (availability[$0], keys[$0], $0) < (availability[$1], keys[$1], $1) }
        let warmedUp = Self.isWarm(columns.map { ($0, warmUp[$0.name] ?? 0) }, order, keys)
        var counts = Counts()
        counts.read = table.rowCount
        var usable: [Int] = []
        for row in order {
            if target.isNull(row) {
                counts.unlabelled += 1
            } else if !warmedUp[row] {
                counts.warmUp += 1
            } else {
                usable.append(row)
                if columns.contains(where: { $0.isNull(row) }) { counts.incomplete += 1 }
            }
        }
        counts.usable = usable.count
        guard !usable.isEmpty else { throw .noRows(counts) }
        let share = Double(counts.incomplete) / Double(usable.count)
        guard share <= missing.rejectRowsAbove else {
            let worst = columns.max { a, b in usable.count { a.isNull($0) } < usable.count { b.isNull($0) } }
            throw .tooManyMissing(share: share, limit: missing.rejectRowsAbove, column: worst?.name ?? "")
        }
        self.counts = counts
        self.table = table.gathered(usable)
        targets = target.gathered(usable).numbers()
        self.availability = usable.map { availability[$0] }
    }

    /// Whether each row lies at or after its key's first value of every feature that warms up. Of a feature without any value for a key,
    /// as many rows as it needs lie before that value; later ones miss it.
    private static func isWarm(_ columns: [(column: Column, warmUp: Int)], _ order: [Int], _ keys: [String]) -> [Bool] {
        var isWarm = [Bool](repeating: true, count: order.count)
        for (column, warmUp) in columns where warmUp > 0 && column.nulls != nil {
            var hasValue: Set<String> = []
            for row in order where !column.isNull(row) { hasValue.insert(keys[row]) }
            var started: Set<String> = [], waited: [String: Int] = [:]
            for row in order {
                if !column.isNull(row) {
                    started.insert(keys[row])
                } else if !started.contains(keys[row]) {
                    waited[keys[row], default: 0] += 1
                    if hasValue.contains(keys[row]) || waited[keys[row], default: 0] <= warmUp { isWarm[row] = false }
                }
            }
        }
        return isWarm
    }
}
