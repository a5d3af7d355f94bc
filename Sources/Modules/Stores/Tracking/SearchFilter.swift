/// A search text as MLflow's clients write it: comparisons joined by `AND`.
///
///     metrics.rmse < 0.5 AND params."batch size" = '32' AND tags.team IS NOT NULL
package struct SearchFilter: Sendable, Equatable {
    package enum Operator: String, Sendable, CaseIterable {
        case equal = "=", notEqual = "!=", less = "<", lessOrEqual = "<=", greater = ">", greaterOrEqual = ">="
        case like = "LIKE", ilike = "ILIKE", rlike = "RLIKE", isIn = "IN", isNotIn = "NOT IN", isNull = "IS NULL", isNotNull = "IS NOT NULL"
    }

    package enum Literal: Sendable, Equatable {
        case number(Double)
        case text(String)
        case list([String])
        /// What `IS NULL` compares with.
        case nothing
    }

    package struct Comparison: Sendable, Equatable {
        /// `metrics` in `metrics.rmse`; `nil` for a bare name.
        package let entity: String?
        package let key: String
        package let op: Operator
        package let literal: Literal
        /// A number as the filter writes it: `8`, `1e-3`.
        let written: String?

        package init(entity: String?, key: String, op: Operator, literal: Literal, written: String? = nil) {
            self.entity = entity
            self.key = key
            self.op = op
            self.literal = literal
            self.written = written
        }

        /// However their numbers are written.
        package static func == (a: Comparison, b: Comparison) -> Bool {
            a.entity == b.entity && a.key == b.key && a.op == b.op && a.literal == b.literal
        }

        var isEqualText: Bool { if case (.equal, .text) = (op, literal) { true } else { false } }

        func with(_ op: Operator) -> Comparison { Comparison(entity: entity, key: key, op: op, literal: literal) }
        func with(_ literal: Literal) -> Comparison { Comparison(entity: entity, key: key, op: op, literal: literal) }
    }

    package let comparisons: [Comparison]

    package init(comparisons: [Comparison]) { self.comparisons = comparisons }

    /// - Throws: `invalidParameter` naming what could not be read. Empty text matches everything.
    package init(_ text: String) throws(TrackingError) {
        var parser = try SearchParser(text)
        comparisons = try parser.filter()
    }
}

/// One term of an `order_by`.
package struct SearchOrder: Sendable, Equatable {
    package let entity: String?
    package let key: String
    package let isAscending: Bool

    package init(entity: String?, key: String, isAscending: Bool) {
        self.entity = entity
        self.key = key
        self.isAscending = isAscending
    }

    /// `metrics.rmse DESC`
    package init(_ text: String) throws(TrackingError) {
        var parser = try SearchParser(text)
        self = try parser.order()
    }

    package static func list(_ texts: [String]) throws(TrackingError) -> [SearchOrder] {
        var terms: [SearchOrder] = []
        for text in texts { terms.append(try SearchOrder(text)) }
        return terms
    }
}
