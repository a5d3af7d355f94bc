package import Domain
import GRDB
package import Tracking

/// Registered models, their versions and aliases, and the audit of every alias move.
package struct RegistryStore: Sendable {
    let database: TrackingDatabase

    /// - Parameter database: Opened with ``RegistrySchema/migrations`` after those of the runs.
    package init(database: TrackingDatabase) { self.database = database }

    // MARK: Models

    package func createModel(
        name: String, description: String = "", user: String = "", tags: [KeyValue] = [], now: EventTime.Milliseconds
    ) async throws(TrackingError) -> RegisteredModel {
        try RegistryValidation.modelName(name)
        try RegistryValidation.description(description)
        for tag in tags { try RegistryValidation.tag(tag, "Registered model tag") }
        return try await database.write { db in
            let known = try String.fetchOne(db, sql: "SELECT name FROM registered_models WHERE name = ?", arguments: [name])
            guard known == nil else { throw TrackingError(.alreadyExists, "Registered Model (name=\(name)) already exists.") }
            try db.execute(
                sql: """
                    INSERT INTO registered_models (name, description, user, creation_time, last_update_time, next_version, life)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [name, description, user, now, now, try Self.nextNumber(name, db), try Self.newLife(db)])
            for tag in tags { try Self.setTag(tag, model: name, db) }
            return try Self.model(name, db)
        }
    }

    package func model(name: String) async throws(TrackingError) -> RegisteredModel {
        try RegistryValidation.modelName(name)
        return try await database.read { try Self.model(name, $0) }
    }

    package func renameModel(name: String, to new: String, now: EventTime.Milliseconds) async throws(TrackingError) -> RegisteredModel {
        try RegistryValidation.modelName(new)
        return try await database.write { db in
            _ = try Self.model(name, db)
            guard try name == new || !Self.exists(new, db) else {
                throw TrackingError(.alreadyExists, "Registered Model (name=\(new)) already exists.")
            }
            if name != new { try Self.keepNumber(name, db) }
            try db.execute(
                sql: "UPDATE registered_models SET name = ?, last_update_time = ?, next_version = max(next_version, ?) WHERE name = ?",
                arguments: [new, now, try Self.nextNumber(new, db), name])
            for table in ["registered_model_tags", "model_versions", "model_version_tags", "model_aliases"] {
                try db.execute(sql: "UPDATE \(table) SET model = ? WHERE model = ?", arguments: [new, name])
            }
            // The moves of an earlier model of the name stay its own.
            try db.execute(
                sql: "UPDATE promotions SET model = ? WHERE model = ? AND life = (SELECT life FROM registered_models WHERE name = ?)",
                arguments: [new, name, new])
            return try Self.model(new, db)
        }
    }

    package func describeModel(name: String, _ description: String, now: EventTime.Milliseconds) async throws(TrackingError)
        -> RegisteredModel
    {
        try RegistryValidation.description(description)
        return try await changeModel(name, now) { db in
            try db.execute(sql: "UPDATE registered_models SET description = ? WHERE name = ?", arguments: [description, name])
        }
    }

    /// Removes a model with its versions, tags and aliases. The audit stays, and tells of every alias that went.
    ///
    /// - Returns: The aliases that it had.
    package func deleteModel(name: String, promotion: Promotion, now: EventTime.Milliseconds) async throws(TrackingError)
        -> [PromotionRecord]
    {
        try await database.write { db in
            _ = try Self.model(name, db)
            let gone = try Self.removeAliases(of: name, number: nil, promotion, why: "the model was deleted", now, db)
            try Self.keepNumber(name, db)
            // Models that were there before lives were told apart, and imported ones, have none of their own.
            try db.execute(sql: "UPDATE promotions SET life = -1 WHERE model = ? AND life = 0", arguments: [name])
            try db.execute(sql: "DELETE FROM registered_models WHERE name = ?", arguments: [name])
            for table in ["registered_model_tags", "model_versions", "model_version_tags", "model_aliases"] {
                try db.execute(sql: "DELETE FROM \(table) WHERE model = ?", arguments: [name])
            }
            return gone
        }
    }

    package func setModelTag(name: String, _ tag: KeyValue, now: EventTime.Milliseconds) async throws(TrackingError) {
        try RegistryValidation.tag(tag, "Registered model tag")
        _ = try await changeModel(name, now) { try Self.setTag(tag, model: name, $0) }
    }

    package func deleteModelTag(name: String, key: String, now: EventTime.Milliseconds) async throws(TrackingError) {
        _ = try await changeModel(name, now) { db in
            try db.execute(sql: "DELETE FROM registered_model_tags WHERE model = ? AND key = ?", arguments: [name, key])
        }
    }

    /// Whether a model is a prompt; nothing of the name is none.
    package func isPrompt(_ name: String) async throws(TrackingError) -> Bool {
        try await database.read { db in
            let value = try String.fetchOne(
                db, sql: "SELECT value FROM registered_model_tags WHERE model = ? AND key = ?", arguments: [name, Prompts.tag])
            return value?.lowercased() == "true"
        }
    }

    /// - Parameters:
    ///   - includesPrompts: Without it prompts are found only when the filter asks for them.
    ///   - scope: Of whoever asks; other models are as if they were not there.
    package func searchModels(
        filter: String = "", order: [String] = [], includesPrompts: Bool = false, scope: AccessScope = .all, maxResults: Int = 100,
        pageToken: String? = nil
    ) async throws(TrackingError) -> Paged<RegisteredModel> {
        let reached = scope.condition("m.name")
        let reading = Prompts.reading(try SearchFilter(filter), includes: includesPrompts)
        let condition = try RegistryGrammars.models.condition(reading.filter)
        let kind = reading.leavesOut ? Prompts.none(in: "registered_model_tags", of: "m.name") : "1"
        let sort = try RegistryGrammars.models.order(SearchOrder.list(order))
        let seek = try SearchSeek(sort.columns + [SortColumn("m.name")], search: [filter] + order, token: pageToken)
        let place = seek.condition
        let sql = """
            SELECT m.name\(seek.selection) FROM registered_models m\(sort.joins)
            WHERE \(reached.sql) AND \(kind) AND \(condition.sql) AND \(place.sql) ORDER BY \(seek.order) LIMIT ?
            """
        let arguments = sort.arguments + reached.arguments + condition.arguments + place.arguments + [maxResults + 1]
        return try await database.read { db in
            let page = seek.page(try Row.fetchAll(db, sql: sql, arguments: arguments), limit: maxResults)
            return Paged(elements: try page.rows.map { try Self.model($0["name"], db) }, nextPageToken: page.next)
        }
    }

    private func changeModel(
        _ name: String, _ now: EventTime.Milliseconds, _ body: @escaping @Sendable (Database) throws -> Void
    ) async throws(TrackingError) -> RegisteredModel {
        try RegistryValidation.modelName(name)
        return try await database.write { db in
            _ = try Self.model(name, db)
            try body(db)
            try db.execute(sql: "UPDATE registered_models SET last_update_time = ? WHERE name = ?", arguments: [now, name])
            return try Self.model(name, db)
        }
    }

    // MARK: Numbers

    /// The first version of a model that gets this name now: one that no earlier model of the name has had.
    private static func nextNumber(_ name: String, _ db: Database) throws -> Int {
        try Int.fetchOne(db, sql: "SELECT next_version FROM model_names WHERE name = ?", arguments: [name]) ?? 1
    }

    /// Remembers how far the versions of a name have come, before the model leaves it.
    private static func keepNumber(_ name: String, _ db: Database) throws {
        try db.execute(
            sql: "INSERT OR REPLACE INTO model_names SELECT name, next_version FROM registered_models WHERE name = ?", arguments: [name])
    }

    private static func newLife(_ db: Database) throws -> Int64 {
        try db.execute(sql: "INSERT INTO model_lives DEFAULT VALUES")
        let life = db.lastInsertedRowID
        try db.execute(sql: "DELETE FROM model_lives")
        return life
    }

    // MARK: Rows

    static func exists(_ name: String, _ db: Database) throws -> Bool {
        try String.fetchOne(db, sql: "SELECT name FROM registered_models WHERE name = ?", arguments: [name]) != nil
    }

    static func model(_ name: String, _ db: Database) throws -> RegisteredModel {
        guard let row = try Row.fetchOne(db.cachedStatement(sql: "SELECT * FROM registered_models WHERE name = ?"), arguments: [name])
        else {
            throw TrackingError(.doesNotExist, "Registered Model with name=\(Validation.shown(name)) not found")
        }
        let tags = try Row.fetchAll(db, sql: "SELECT key, value FROM registered_model_tags WHERE model = ? ORDER BY key", arguments: [name])
        let aliases = try Row.fetchAll(db, sql: "SELECT alias, number FROM model_aliases WHERE model = ? ORDER BY alias", arguments: [name])
        let latest = try Int.fetchAll(
            db, sql: "SELECT max(number) FROM model_versions WHERE model = ? GROUP BY stage ORDER BY 1 DESC", arguments: [name])
        return RegisteredModel(
            name: name, description: row["description"], user: row["user"], creationTime: row["creation_time"],
            lastUpdateTime: row["last_update_time"], tags: tags.map { KeyValue($0["key"], $0["value"]) },
            aliases: aliases.map { ($0["alias"], $0["number"]) }, latestVersions: try latest.map { try version(name, $0, db) })
    }

    private static func setTag(_ tag: KeyValue, model: String, _ db: Database) throws {
        try db.execute(sql: "INSERT OR REPLACE INTO registered_model_tags VALUES (?, ?, ?)", arguments: [model, tag.key, tag.value])
    }
}
