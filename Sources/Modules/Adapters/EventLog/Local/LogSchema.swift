import Domain
import GRDB

/// The tables of `log.sqlite`.
enum LogSchema {
    static let version = 2

    /// Creates the tables of a new file; refuses a file that another version of the program wrote.
    static func prepare(_ db: Database) throws {
        let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard found == 0 || found == version else { throw EventLogError(.otherSchema(found: found, known: version), during: "open") }
        guard found == 0 else { return }
        try db.execute(
            sql: """
                CREATE TABLE topics (
                    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL, compacted INTEGER NOT NULL
                );
                CREATE TABLE ends (
                    topic INTEGER NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL, PRIMARY KEY (topic, partition)
                ) WITHOUT ROWID;
                CREATE TABLE batches (
                    topic INTEGER NOT NULL, partition INTEGER NOT NULL, base INTEGER NOT NULL, next INTEGER NOT NULL,
                    min_time INTEGER NOT NULL, max_time INTEGER NOT NULL, data BLOB NOT NULL
                );
                CREATE UNIQUE INDEX batches_place ON batches (topic, partition, base, next);
                CREATE TABLE latest (
                    topic INTEGER NOT NULL, partition INTEGER NOT NULL, key BLOB NOT NULL, offset INTEGER NOT NULL, data BLOB NOT NULL,
                    PRIMARY KEY (topic, partition, key)
                ) WITHOUT ROWID;
                CREATE UNIQUE INDEX latest_place ON latest (topic, partition, offset);
                CREATE TABLE offsets (
                    consumer TEXT NOT NULL, topic INTEGER NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
                    PRIMARY KEY (consumer, topic, partition)
                ) WITHOUT ROWID;
                CREATE TABLE state (
                    consumer TEXT NOT NULL, partition INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
                    PRIMARY KEY (consumer, partition, key)
                ) WITHOUT ROWID;
                CREATE TABLE leases (
                    consumer TEXT NOT NULL, topic INTEGER NOT NULL, partition INTEGER NOT NULL, owner TEXT NOT NULL,
                    epoch INTEGER NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (consumer, topic, partition)
                ) WITHOUT ROWID;
                CREATE TABLE members (
                    consumer TEXT NOT NULL, topic INTEGER NOT NULL, owner TEXT NOT NULL, expires INTEGER NOT NULL,
                    PRIMARY KEY (consumer, topic, owner)
                ) WITHOUT ROWID;
                PRAGMA user_version = \(version);
                """)
    }
}

struct TopicRow {
    let id: Int64
    let name: String
    let partitions: Int
    let isCompacted: Bool

    static func find(_ name: String, _ db: Database) throws -> TopicRow {
        let request = SQLRequest<Row>(
            sql: "SELECT id, partitions, compacted FROM topics WHERE name = ?", arguments: [name], cached: true)
        guard let row = try Row.fetchOne(db, request) else { throw EventLogError(.unknownTopic(name), during: "find topic") }
        return TopicRow(id: row["id"], name: name, partitions: row["partitions"], isCompacted: row["compacted"])
    }
}
