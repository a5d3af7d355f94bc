package import GRDB

/// What one kind of search may name, and the SQL behind each name. Values are always bound, never spliced.
package struct SearchGrammar: Sendable {
    package enum Kind: Sendable { case text, number }

    /// A fixed property of the thing searched.
    package struct Attribute: Sendable {
        let kind: Kind
        /// The column, or the column inside ``wrapper``.
        let sql: String
        /// Text around a condition on ``sql``, with `@` where the condition stands.
        let wrapper: String?
        /// Whether `IN` and `NOT IN` are defined.
        let isListed: Bool
        /// Put in front of a compared text that lacks it: short spellings of an enumeration.
        let prefix: String
        /// Whether everything searched has it; an index can then serve an order by it.
        let isAlwaysThere: Bool
        /// Whether `IS NULL` and `IS NOT NULL` are defined.
        let isNullable: Bool

        package init(
            _ kind: Kind, _ sql: String, within wrapper: String? = nil, isListed: Bool = false, prefix: String = "",
            isAlwaysThere: Bool = false, isNullable: Bool = false
        ) {
            self.isNullable = isNullable
            self.kind = kind
            self.sql = sql
            self.wrapper = wrapper
            self.isListed = isListed
            self.prefix = prefix
            self.isAlwaysThere = isAlwaysThere
        }
    }

    /// Keyed values that belong to the thing searched: its metrics, parameters or tags.
    package struct Collection: Sendable {
        let kind: Kind
        /// `FROM …` and `WHERE …` that find the value of the key bound to the first `?`, with `@` for the alias.
        let table: String
        let condition: String
        /// What the further `?` of ``condition`` stand for.
        let arguments: [DatabaseValue]
        /// The join that an order needs, one row at most; `nil` for the same rows as a condition looks at.
        let orderJoin: String?
        /// A column that sorts a number before a NaN, if the values have one.
        let isNaN: String?
        /// Whether `IN` and `NOT IN` are defined.
        let isListed: Bool

        package init(
            _ kind: Kind, table: String, condition: String, arguments: [DatabaseValue] = [], orderJoin: String? = nil, isNaN: String? = nil,
            isListed: Bool = false
        ) {
            self.kind = kind
            self.table = table
            self.condition = condition
            self.arguments = arguments
            self.orderJoin = orderJoin
            self.isNaN = isNaN
            self.isListed = isListed
        }

        var join: String { orderJoin ?? "LEFT JOIN \(table) ON \(condition)" }
    }

    /// For messages: `run`, `experiment`.
    let subject: String
    let attributes: [String: Attribute]
    /// By every spelling of the entity: `metric`, `metrics`.
    let collections: [String: Collection]
    /// Spellings of the entity whose keys are attributes.
    let attributeEntities: Set<String>
    /// Whether `RLIKE` is defined.
    let hasPatterns: Bool

    package init(
        subject: String, attributes: [String: Attribute], collections: [String: Collection], attributeEntities: Set<String> = [],
        hasPatterns: Bool = false
    ) {
        self.subject = subject
        self.hasPatterns = hasPatterns
        self.attributes = attributes
        self.collections = collections
        self.attributeEntities = attributeEntities.union(["attribute", "attributes", "attr"])
    }

    /// Bounds on what one request may ask the database to do.
    static let maxComparisons = 100, maxOrderTerms = 20, maxPatternBytes = 8_000

    private func attribute(_ entity: String?, _ key: String) -> Attribute? {
        guard entity.map({ attributeEntities.contains($0) }) ?? true else { return attributes[(entity ?? "") + "." + key] }
        return attributes[key]
    }

    func unknown(_ entity: String?, _ key: String) -> TrackingError {
        let known = attributes.keys.sorted().joined(separator: ", ")
        let text = entity.map { $0 + "." + key } ?? key
        return TrackingError(
            .invalidParameter, "Invalid attribute key '\(Validation.shown(text))' in a search for a \(subject). Valid keys: \(known)")
    }

    // MARK: Conditions

    /// The filter as one SQL condition.
    package func condition(_ filter: SearchFilter) throws(TrackingError) -> (sql: String, arguments: StatementArguments) {
        guard filter.comparisons.count <= Self.maxComparisons else {
            throw TrackingError(
                .invalidParameter, "Invalid filter: \(filter.comparisons.count) comparisons; at most \(Self.maxComparisons) are allowed")
        }
        var parts: [(comparison: SearchFilter.Comparison, sql: String, values: StatementArguments)] = []
        for comparison in filter.comparisons {
            let (sql, values) = try condition(comparison)
            parts.append((comparison, sql, values))
        }
        // The database looks at them in this order and stops at the first that fails: few rows have exactly the text asked for.
        parts = parts.filter(\.comparison.isEqualText) + parts.filter { !$0.comparison.isEqualText }
        return (
            parts.isEmpty ? "1" : parts.map(\.sql).joined(separator: " AND "), parts.reduce(into: StatementArguments()) { $0 += $1.values }
        )
    }

    private func condition(_ comparison: SearchFilter.Comparison) throws(TrackingError) -> (String, StatementArguments) {
        if let entity = comparison.entity, let collection = collections[entity] { return try condition(comparison, in: collection) }
        guard let attribute = attribute(comparison.entity, comparison.key) else { throw unknown(comparison.entity, comparison.key) }
        var comparison = comparison
        switch (comparison.op, comparison.literal) {
        case (.isNull, _), (.isNotNull, _):
            guard attribute.isNullable else { throw undefined(comparison) }
            return ("\(attribute.sql) \(comparison.op.rawValue)", [])
        case (.isIn, _), (.isNotIn, _): guard attribute.isListed else { throw undefined(comparison) }
        case (_, .text(let text)) where !attribute.prefix.isEmpty && !text.hasPrefix(attribute.prefix):
            comparison = comparison.with(.text(attribute.prefix + text))
        default: break
        }
        let (test, values) = try test(attribute.sql, attribute.kind, comparison)
        return (attribute.wrapper?.replacing("@", with: test) ?? test, values)
    }

    private func condition(
        _ comparison: SearchFilter.Comparison, in collection: Collection
    ) throws(TrackingError) -> (String, StatementArguments) {
        guard !comparison.key.isEmpty else { throw unknown(comparison.entity, comparison.key) }
        let rows = "SELECT 1 FROM \(collection.table.aliased("x")) WHERE \(collection.condition.aliased("x"))"
        let key = StatementArguments([comparison.key.databaseValue] + collection.arguments)
        switch comparison.op {
        case .isNull where collection.kind == .text: return ("NOT EXISTS (\(rows))", key)
        case .isNotNull where collection.kind == .text: return ("EXISTS (\(rows))", key)
        case .isNull, .isNotNull: throw undefined(comparison)
        case .isIn where !collection.isListed, .isNotIn where !collection.isListed: throw undefined(comparison)
        default:
            let (test, values) = try test("x.value", collection.kind, comparison)
            let isNumber = collection.isNaN.map { " AND NOT x.\($0)" } ?? ""
            return ("EXISTS (\(rows)\(isNumber) AND \(test))", key + values)
        }
    }

    /// A condition on one value, which is `sql`.
    func test(_ sql: String, _ kind: Kind, _ comparison: SearchFilter.Comparison) throws(TrackingError) -> (
        String, StatementArguments
    ) {
        switch (comparison.op, comparison.literal, kind) {
        case (.equal, .number(let number), .number), (.notEqual, .number(let number), .number), (.less, .number(let number), .number),
            (.lessOrEqual, .number(let number), .number), (.greater, .number(let number), .number),
            (.greaterOrEqual, .number(let number), .number):
            return ("\(sql) \(comparison.op.rawValue) ?", [number])
        case (.equal, .text(let text), .text), (.notEqual, .text(let text), .text): return ("\(sql) \(comparison.op.rawValue) ?", [text])
        case (.like, .text(let text), .text): return ("\(sql) GLOB ?", [Self.glob(try Self.pattern(text))])
        case (.ilike, .text(let text), .text): return ("\(sql) LIKE ?", [try Self.pattern(text)])
        case (.rlike, .text(let text), .text) where hasPatterns: return ("\(sql) REGEXP ?", [try SearchPattern.check(text)])
        case (.isIn, .list(let list), .text), (.isNotIn, .list(let list), .text):
            return ("\(sql) \(comparison.op.rawValue) (\(list.map { _ in "?" }.joined(separator: ",")))", StatementArguments(list))
        case (.less, _, .text), (.lessOrEqual, _, .text), (.greater, _, .text), (.greaterOrEqual, _, .text), (.like, _, .number),
            (.ilike, _, .number), (.isIn, _, .number), (.isNotIn, _, .number), (.rlike, _, .number):
            throw undefined(comparison)
        default:
            let wanted = kind == .number ? "a number" : "a quoted text"
            throw TrackingError(.invalidParameter, "Invalid filter: '\(Validation.shown(comparison.key))' is compared with \(wanted)")
        }
    }

    func undefined(_ comparison: SearchFilter.Comparison) -> TrackingError {
        TrackingError(
            .invalidParameter,
            "Invalid comparator '\(comparison.op.rawValue)': it is not defined for '\(Validation.shown(comparison.key))' of a \(subject)")
    }

    private static func pattern(_ text: String) throws(TrackingError) -> String {
        guard text.utf8.count <= maxPatternBytes else {
            throw TrackingError(.invalidParameter, "Invalid filter: a pattern is longer than \(maxPatternBytes) bytes")
        }
        return text
    }

    /// A `LIKE` pattern as a `GLOB` pattern, which tells upper from lower case.
    static func glob(_ pattern: String) -> String {
        var result = ""
        for character in pattern {
            switch character {
            case "%": result += "*"
            case "_": result += "?"
            case "*", "?", "[": result += "[\(character)]"
            default: result.append(character)
            }
        }
        return result
    }

    // MARK: Order

    /// Joins and sort columns of an order; what has no value comes last in both directions.
    package func order(
        _ terms: [SearchOrder]
    ) throws(TrackingError) -> (joins: String, columns: [SortColumn], arguments: StatementArguments) {
        guard terms.count <= Self.maxOrderTerms else {
            throw TrackingError(.invalidParameter, "Invalid order_by: \(terms.count) terms; at most \(Self.maxOrderTerms) are allowed")
        }
        var joins = "", columns: [SortColumn] = []
        var arguments = StatementArguments()
        for (index, term) in terms.enumerated() {
            if let entity = term.entity, let collection = collections[entity] {
                let alias = "o\(index)"
                joins += " " + collection.join.aliased(alias)
                arguments += StatementArguments([term.key.databaseValue] + collection.arguments)
                columns.append(SortColumn("(\(alias).value IS NULL)"))
                if let isNaN = collection.isNaN { columns.append(SortColumn("coalesce(\(alias).\(isNaN), 0)")) }
                columns.append(SortColumn("\(alias).value", isAscending: term.isAscending))
            } else if let attribute = attribute(term.entity, term.key), attribute.wrapper == nil {
                if !attribute.isAlwaysThere { columns.append(SortColumn("(\(attribute.sql) IS NULL)")) }
                columns.append(SortColumn(attribute.sql, isAscending: term.isAscending))
            } else {
                throw unknown(term.entity, term.key)
            }
        }
        return (joins, columns, arguments)
    }
}

extension String {
    fileprivate func aliased(_ alias: String) -> String { replacing("@", with: alias) }
}
