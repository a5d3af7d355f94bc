package import Domain
package import Expressions
package import Table

/// A stream of events as declared under `streams:`.
package struct StreamDefinition: Sendable {
    package let name: String
    /// The topic the events travel on, prefix included.
    package let topic: String
    /// The fields that together identify the entity; never empty.
    package let key: [String]
    /// The field that holds event time; of type `int` (milliseconds) or `time`.
    package let time: String
    /// In declaration order.
    package let fields: [RowDecoder.Field]
    package let dedupe: Dedupe?
    /// Conditions a record must meet, in declaration order; a null `?` field is exempt.
    package let require: [Requirement]

    package struct Dedupe: Sendable, Hashable {
        package let field: String
        /// How many latest ids are remembered per key.
        package let keep: Int

        package init(field: String, keep: Int) {
            self.field = field
            self.keep = keep
        }
    }

    package struct Requirement: Sendable {
        package let field: String
        /// As written, for messages: `> 0`.
        package let text: String
        /// Boolean over the stream's fields: `price > 0`.
        package let condition: Expression

        package init(field: String, text: String, condition: Expression) {
            self.field = field
            self.text = text
            self.condition = condition
        }
    }

    package init(
        name: String, topic: String, key: [String], time: String, fields: [RowDecoder.Field], dedupe: Dedupe?, require: [Requirement]
    ) {
        self.name = name
        self.topic = topic
        self.key = key
        self.time = time
        self.fields = fields
        self.dedupe = dedupe
        self.require = require
    }
}

/// Files read as one table, as declared under `tables:`.
package struct TableDefinition: Sendable {
    package let name: String
    /// Relative to the project file's folder; may hold `*`.
    package let path: String
    /// The column of event time.
    package let time: String
    /// Key columns; empty when rows have no entity.
    package let key: [String]

    package init(name: String, path: String, time: String, key: [String]) {
        self.name = name
        self.path = path
        self.time = time
        self.key = key
    }
}

/// A feature view as declared under `views:`: the one definition that live, batch and recovery share.
package struct ViewDefinition: Sendable {
    package enum Input: Sendable, Hashable {
        case stream(String)
        case view(String)
        case table(String)
    }

    /// When rows of a window come.
    package enum Emit: String, Sendable, CaseIterable {
        /// Once, when the window has closed.
        case final
        /// With every accepted event too, `is_final` being false until the window has closed.
        case current
    }

    /// Facts about each row from a table, by key.
    package struct Lookup: Sendable {
        package let table: LookupTable
        /// Columns of the input, in the order of the table's key.
        package let on: [String]

        package init(table: LookupTable, on: [String]) {
            self.table = table
            self.on = on
        }
    }

    /// The newest row of another view of the same entity.
    package struct Join: Sendable, Hashable {
        package let view: String
        /// A row older than this counts as missing, milliseconds.
        package let within: EventTime.Milliseconds

        package init(view: String, within: EventTime.Milliseconds) {
            self.view = view
            self.within = within
        }
    }

    package struct NamedExpression: Sendable {
        package let name: String
        package let expression: Expression

        package init(name: String, expression: Expression) {
            self.name = name
            self.expression = expression
        }
    }

    package let name: String
    /// Topic of every row; `<topic>.latest` is the compacted one.
    package let topic: String
    package let from: Input
    /// `nil` for a view of one row per input row.
    package let window: Window?
    package let columns: [NamedExpression]
    package let filter: Expression?
    package let emit: Emit
    package let outliers: Outliers?
    package let lookups: [Lookup]
    package let joins: [Join]

    package init(
        name: String, topic: String, from: Input, window: Window?, columns: [NamedExpression], filter: Expression?, emit: Emit = .final,
        outliers: Outliers? = nil, lookups: [Lookup] = [], joins: [Join] = []
    ) {
        self.lookups = lookups
        self.joins = joins
        self.emit = emit
        self.outliers = outliers
        self.name = name
        self.topic = topic
        self.from = from
        self.window = window
        self.columns = columns
        self.filter = filter
    }
}
