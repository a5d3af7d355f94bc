package import Domain
import GRDB
package import Tracking

extension RegistryStore {
    /// What a new version is made from.
    package struct NewVersion: Sendable {
        package var model: String
        package var source: String
        package var run = ""
        package var loggedModel = ""
        package var runLink = ""
        package var user = ""
        package var description = ""
        package var tags: [KeyValue] = []

        package init(model: String, source: String) {
            self.model = model
            self.source = source
        }
    }

    /// Adds the next version; numbers are never used twice.
    package func createVersion(_ new: NewVersion, now: EventTime.Milliseconds) async throws(TrackingError) -> RegisteredVersion {
        try RegistryValidation.modelName(new.model)
        if Prompts.isPrompt(new.tags) {
            try Prompts.checkSource(new.source)
        } else {
            try RegistryValidation.source(new.source, run: new.run)
        }
        try RegistryValidation.description(new.description)
        try Validation.length(new.runLink, limit: 2_048, "Run link")
        if !new.run.isEmpty { try Validation.runID(new.run) }
        if !new.loggedModel.isEmpty { try Validation.loggedModelID(new.loggedModel) }
        for tag in new.tags { try RegistryValidation.tag(tag, "Model version tag") }
        return try await database.write { db in
            _ = try Self.model(new.model, db)
            let number = try Int.fetchOne(
                db,
                sql:
                    "UPDATE registered_models SET next_version = next_version + 1, last_update_time = ? WHERE name = ? RETURNING next_version - 1",
                arguments: [now, new.model])
            guard let number else { throw TrackingError(.doesNotExist, "Registered Model with name=\(new.model) not found") }
            try db.execute(
                sql: "INSERT INTO model_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'None', ?, ?)",
                arguments: [
                    new.model, number, new.source, new.run, new.loggedModel, new.runLink, new.user, new.description, now, now,
                ])
            for tag in new.tags { try Self.setTag(tag, new.model, number, db) }
            return try Self.version(new.model, number, db)
        }
    }

    package func version(model: String, number: Int) async throws(TrackingError) -> RegisteredVersion {
        try await database.read { try Self.version(model, number, $0) }
    }

    package func describeVersion(
        model: String, number: Int, _ description: String, now: EventTime.Milliseconds
    ) async throws(TrackingError) -> RegisteredVersion {
        try RegistryValidation.description(description)
        return try await changeVersion(model, number, now) { db in
            try db.execute(
                sql: "UPDATE model_versions SET description = ? WHERE model = ? AND number = ?", arguments: [description, model, number])
        }
    }

    /// - Parameter archivesOthers: Moves the versions that are in the stage now to `Archived`.
    package func setStage(
        model: String, number: Int, _ stage: String, archivesOthers: Bool, now: EventTime.Milliseconds
    ) async throws(TrackingError) -> RegisteredVersion {
        let stage = try RegistryValidation.stage(stage)
        return try await changeVersion(model, number, now) { db in
            if archivesOthers {
                guard ["Staging", "Production"].contains(stage) else {
                    throw TrackingError(
                        .invalidParameter,
                        "Model version transition cannot archive existing model versions because '\(stage)' is not an Active stage.")
                }
                try db.execute(
                    sql: "UPDATE model_versions SET stage = 'Archived', last_update_time = ? WHERE model = ? AND stage = ? AND number != ?",
                    arguments: [now, model, stage, number])
            }
            try db.execute(sql: "UPDATE model_versions SET stage = ? WHERE model = ? AND number = ?", arguments: [stage, model, number])
        }
    }

    /// Removes a version with its tags and aliases. The audit tells of every alias that went.
    ///
    /// - Returns: The aliases that it had.
    package func deleteVersion(
        model: String, number: Int, promotion: Promotion, now: EventTime.Milliseconds
    ) async throws(TrackingError) -> [PromotionRecord] {
        try await database.write { db in
            _ = try Self.version(model, number, db)
            let gone = try Self.removeAliases(of: model, number: number, promotion, why: "the version was deleted", now, db)
            for table in ["model_versions", "model_version_tags", "model_aliases"] {
                try db.execute(sql: "DELETE FROM \(table) WHERE model = ? AND number = ?", arguments: [model, number])
            }
            try db.execute(sql: "UPDATE registered_models SET last_update_time = ? WHERE name = ?", arguments: [now, model])
            return gone
        }
    }

    package func setVersionTag(model: String, number: Int, _ tag: KeyValue, now: EventTime.Milliseconds) async throws(TrackingError) {
        try RegistryValidation.tag(tag, "Model version tag")
        _ = try await changeVersion(model, number, now) { try Self.setTag(tag, model, number, $0) }
    }

    package func deleteVersionTag(model: String, number: Int, key: String, now: EventTime.Milliseconds) async throws(TrackingError) {
        _ = try await changeVersion(model, number, now) { db in
            try db.execute(
                sql: "DELETE FROM model_version_tags WHERE model = ? AND number = ? AND key = ?", arguments: [model, number, key])
        }
    }

    /// The newest version of each stage asked for; of every stage when none is named.
    package func latestVersions(model: String, stages: [String]) async throws(TrackingError) -> [RegisteredVersion] {
        var wanted: Set<String> = []
        for stage in stages { wanted.insert(try RegistryValidation.stage(stage)) }
        let latest = try await self.model(name: model).latestVersions
        return wanted.isEmpty ? latest : latest.filter { wanted.contains($0.stage) }
    }

    /// - Parameters:
    ///   - includesPrompts: Without it versions of prompts are found only when the filter asks for them.
    ///   - scope: Of whoever asks; versions of other models are as if they were not there.
    package func searchVersions(
        filter: String = "", order: [String] = [], includesPrompts: Bool = false, scope: AccessScope = .all, maxResults: Int = 10_000,
        pageToken: String? = nil
    ) async throws(TrackingError) -> Paged<RegisteredVersion> {
        let reached = scope.condition("v.model")
        let reading = Prompts.reading(try SearchFilter(filter), includes: includesPrompts)
        let condition = try RegistryGrammars.versions.condition(reading.filter)
        let kind = reading.leavesOut ? Prompts.none(in: "model_version_tags", of: "v.model") : "1"
        let sort = try RegistryGrammars.versions.order(SearchOrder.list(order))
        let standard =
            (order.isEmpty ? [SortColumn("v.last_update_time", isAscending: false)] : [])
            + [SortColumn("v.model"), SortColumn("v.number", isAscending: false)]
        let seek = try SearchSeek(sort.columns + standard, search: [filter] + order, token: pageToken)
        let place = seek.condition
        let sql = """
            SELECT v.model, v.number\(seek.selection) FROM model_versions v\(sort.joins)
            WHERE \(reached.sql) AND \(kind) AND \(condition.sql) AND \(place.sql) ORDER BY \(seek.order) LIMIT ?
            """
        let arguments = sort.arguments + reached.arguments + condition.arguments + place.arguments + [maxResults + 1]
        return try await database.read { db in
            let page = seek.page(try Row.fetchAll(db, sql: sql, arguments: arguments), limit: maxResults)
            return Paged(elements: try page.rows.map { try Self.version($0["model"], $0["number"], db) }, nextPageToken: page.next)
        }
    }

    // MARK: Rows

    private func changeVersion(
        _ model: String, _ number: Int, _ now: EventTime.Milliseconds, _ body: @escaping @Sendable (Database) throws -> Void
    ) async throws(TrackingError) -> RegisteredVersion {
        try await database.write { db in
            _ = try Self.version(model, number, db)
            try body(db)
            try db.execute(
                sql: "UPDATE model_versions SET last_update_time = ? WHERE model = ? AND number = ?", arguments: [now, model, number])
            return try Self.version(model, number, db)
        }
    }

    static func version(_ model: String, _ number: Int, _ db: Database) throws -> RegisteredVersion {
        let statement = try db.cachedStatement(sql: "SELECT * FROM model_versions WHERE model = ? AND number = ?")
        guard let row = try Row.fetchOne(statement, arguments: [model, number]) else {
            throw TrackingError(.doesNotExist, "Model Version (name=\(Validation.shown(model)), version=\(number)) not found")
        }
        let tags = try Row.fetchAll(
            db.cachedStatement(sql: "SELECT key, value FROM model_version_tags WHERE model = ? AND number = ? ORDER BY key"),
            arguments: [model, number])
        let aliases = try String.fetchAll(
            db.cachedStatement(sql: "SELECT alias FROM model_aliases WHERE model = ? AND number = ? ORDER BY alias"),
            arguments: [model, number])
        return RegisteredVersion(
            model: model, number: number, source: row["source"], runID: row["run"], modelID: row["logged_model"], runLink: row["run_link"],
            user: row["user"], description: row["description"], stage: row["stage"], creationTime: row["creation_time"],
            lastUpdateTime: row["last_update_time"], tags: tags.map { KeyValue($0["key"], $0["value"]) }, aliases: aliases)
    }

    private static func setTag(_ tag: KeyValue, _ model: String, _ number: Int, _ db: Database) throws {
        try db.execute(
            sql: "INSERT OR REPLACE INTO model_version_tags VALUES (?, ?, ?, ?)", arguments: [model, number, tag.key, tag.value])
    }
}
