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

        package init(_ kind: Kind, _ sql: String, within wrapper: String? = nil) {
            self.kind = kind
            self.sql = sql
            self.wrapper = wrapper
        }
    }

    /// Keyed values that belong to the thing searched: its metrics, parameters or tags.
    package struct Collection: Sendable {
        let kind: Kind
        /// `FROM …` and `WHERE …` that find the value of the key bound to `?`, with `@` for the alias.
        let table: String
        let condition: String
        /// A column that sorts a number before a NaN, if the values have one.
        let isNaN: String?
        /// Keys for which a missing value counts as unequal; for any other key `!=` asks for a value that differs.
        let optionalKeys: Set<String>

        package init(_ kind: Kind, table: String, condition: String, isNaN: String? = nil, optionalKeys: Set<String> = []) {
            self.kind = kind
            self.table = table
            self.condition = condition
            self.isNaN = isNaN
            self.optionalKeys = optionalKeys
        }
    }

    /// For messages: `run`, `experiment`.
    let subject: String
    let attributes: [String: Attribute]
    /// By every spelling of the entity: `metric`, `metrics`.
    let collections: [String: Collection]
    /// Spellings of the entity whose keys are attributes.
    let attributeEntities: Set<String>

    package init(subject: String, attributes: [String: Attribute], collections: [String: Collection], attributeEntities: Set<String> = []) {
        self.subject = subject
        self.attributes = attributes
        self.collections = collections
        self.attributeEntities = attributeEntities.union(["attribute", "attributes", "attr"])
    }

    private func attribute(_ entity: String?, _ key: String) -> Attribute? {
        guard entity.map({ attributeEntities.contains($0) }) ?? true else { return attributes[(entity ?? "") + "." + key] }
        return attributes[key]
    }

    private func unknown(_ entity: String?, _ key: String) -> TrackingError {
        let known = attributes.keys.sorted().joined(separator: ", ")
        let text = entity.map { $0 + "." + key } ?? key
        return TrackingError(
            .invalidParameter, "Invalid attribute key '\(Validation.shown(text))' in a search for a \(subject). Valid keys: \(known)")
    }

    // MARK: Conditions

    /// The filter as one SQL condition.
    package func condition(_ filter: SearchFilter) throws(TrackingError) -> (sql: String, arguments: StatementArguments) {
        var parts: [String] = []
        var arguments = StatementArguments()
        for comparison in filter.comparisons {
            let (sql, values) = try condition(comparison)
            parts.append(sql)
            arguments += values
        }
        return (parts.isEmpty ? "1" : parts.joined(separator: " AND "), arguments)
    }

    private func condition(_ comparison: SearchFilter.Comparison) throws(TrackingError) -> (String, StatementArguments) {
        if let entity = comparison.entity, let collection = collections[entity] {
            let rows = "SELECT 1 FROM \(collection.table.aliased("x")) WHERE \(collection.condition.aliased("x"))"
            switch comparison.op {
            case .isNull: return ("NOT EXISTS (\(rows))", [comparison.key])
            case .isNotNull: return ("EXISTS (\(rows))", [comparison.key])
            case .notEqual where collection.optionalKeys.contains(comparison.key):
                let (test, values) = try test("x.value", collection.kind, comparison.with(.equal))
                return ("NOT EXISTS (\(rows) AND \(test))", [comparison.key] + values)
            default:
                let (test, values) = try test("x.value", collection.kind, comparison)
                let isNumber = collection.isNaN.map { " AND NOT x.\($0)" } ?? ""
                return ("EXISTS (\(rows)\(isNumber) AND \(test))", [comparison.key] + values)
            }
        }
        guard let attribute = attribute(comparison.entity, comparison.key) else { throw unknown(comparison.entity, comparison.key) }
        let (test, values) = try test(attribute.sql, attribute.kind, comparison)
        return (attribute.wrapper?.replacing("@", with: test) ?? test, values)
    }

    private func test(_ sql: String, _ kind: Kind, _ comparison: SearchFilter.Comparison) throws(TrackingError) -> (
        String, StatementArguments
    ) {
        switch (comparison.op, comparison.literal, kind) {
        case (.isNull, _, _): return ("\(sql) IS NULL", [])
        case (.isNotNull, _, _): return ("\(sql) IS NOT NULL", [])
        case (.equal, .number(let number), .number), (.notEqual, .number(let number), .number), (.less, .number(let number), .number),
            (.lessOrEqual, .number(let number), .number), (.greater, .number(let number), .number),
            (.greaterOrEqual, .number(let number), .number):
            return ("\(sql) \(comparison.op.rawValue) ?", [number])
        case (.equal, .text(let text), .text), (.notEqual, .text(let text), .text): return ("\(sql) \(comparison.op.rawValue) ?", [text])
        case (.like, .text(let text), .text): return ("\(sql) GLOB ?", [Self.glob(text)])
        case (.ilike, .text(let text), .text): return ("\(sql) LIKE ?", [text])
        case (.isIn, .list(let list), .text), (.isNotIn, .list(let list), .text):
            return ("\(sql) \(comparison.op.rawValue) (\(list.map { _ in "?" }.joined(separator: ",")))", StatementArguments(list))
        case (_, .number, .text), (_, .text, .number):
            let wanted = kind == .number ? "a number" : "a quoted text"
            throw TrackingError(.invalidParameter, "Invalid filter: '\(comparison.key)' is compared with \(wanted)")
        default:
            throw TrackingError(.invalidParameter, "Invalid filter: \(comparison.op.rawValue) is not defined for '\(comparison.key)'")
        }
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

    /// Joins and sort terms of an order; what has no value comes last in both directions.
    package func order(_ terms: [SearchOrder]) throws(TrackingError) -> (joins: String, terms: [String], arguments: StatementArguments) {
        var joins = "", sql: [String] = []
        var arguments = StatementArguments()
        for (index, term) in terms.enumerated() {
            let direction = term.isAscending ? "ASC" : "DESC"
            if let entity = term.entity, let collection = collections[entity] {
                let alias = "o\(index)"
                joins += " LEFT JOIN \(collection.table.aliased(alias)) ON \(collection.condition.aliased(alias))"
                arguments += [term.key]
                sql.append("\(alias).value IS NULL")
                if let isNaN = collection.isNaN { sql.append("\(alias).\(isNaN)") }
                sql.append("\(alias).value \(direction)")
            } else if let attribute = attribute(term.entity, term.key), attribute.wrapper == nil {
                sql.append("\(attribute.sql) IS NULL")
                sql.append("\(attribute.sql) \(direction)")
            } else {
                throw unknown(term.entity, term.key)
            }
        }
        return (joins, sql, arguments)
    }
}

extension String {
    fileprivate func aliased(_ alias: String) -> String { replacing("@", with: alias) }
}
