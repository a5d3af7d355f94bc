package import Domain
package import Table

/// One view as a point-in-time join sees it: rows of entities, each known from a moment on.
package struct PointInTimeView: Sendable {
    /// Comes first in the names of the columns that it adds: `name__feature`.
    package let name: String
    package let rows: Table
    /// The columns that name the entity, of the same names in the spine; none when all rows are about one thing.
    package let key: [String]
    /// The column from which on a row could have been known.
    package let time: String
    /// The column that says when a row was ingested: breaks ties of time, and is what `knowledgeTime` goes by.
    package let created: String?
    /// The columns to add, in order.
    package let features: [String]
    /// A row that is older than this, in milliseconds, counts as missing; exactly as old still counts. 0 is no limit.
    package let ttl: EventTime.Milliseconds

    package init(
        name: String, rows: Table, key: [String], time: String, created: String? = nil, features: [String], ttl: EventTime.Milliseconds = 0
    ) {
        self.name = name
        self.rows = rows
        self.key = key
        self.time = time
        self.created = created
        self.features = features
        self.ttl = ttl
    }
}
