package import Domain
import GRDB
package import Tracking

extension RegistryStore {
    /// Points an alias at a version and keeps, in the same transaction, who did it and why.
    ///
    /// A request that comes again because its answer was lost is the same move: the audit has it once.
    package func setAlias(
        model: String, alias: String, number: Int, promotion: Promotion, now: EventTime.Milliseconds
    ) async throws(TrackingError) {
        try RegistryValidation.modelName(model)
        try RegistryValidation.alias(alias)
        try await database.write { db in
            _ = try Self.version(model, number, db)
            let previous = try Self.aliased(model, alias, db)
            let record = PromotionRecord(
                model: model, alias: alias, previous: previous, number: number, promotion: promotion, time: now)
            if previous == number, try Self.isNewest(record, db) { return }
            try db.execute(sql: "INSERT OR REPLACE INTO model_aliases VALUES (?, ?, ?)", arguments: [model, alias, number])
            try db.execute(sql: "UPDATE registered_models SET last_update_time = ? WHERE name = ?", arguments: [now, model])
            try Self.keep(record, db)
        }
    }

    /// Whether the alias' last move was made by the same actor, for the same reason, onto the same version.
    private static func isNewest(_ record: PromotionRecord, _ db: Database) throws -> Bool {
        let newest = try Row.fetchOne(
            db,
            sql: """
                SELECT number, actor, reason, verdict FROM promotions WHERE model = ? AND alias = ? AND life = \(life)
                ORDER BY id DESC LIMIT 1
                """, arguments: [record.model, record.alias, record.model])
        guard let newest else { return false }
        let promotion = Promotion(actor: newest["actor"], reason: newest["reason"], verdict: newest["verdict"])
        return newest["number"] == record.number && promotion == record.promotion
    }

    /// - Returns: Whether there was such an alias.
    package func deleteAlias(
        model: String, alias: String, promotion: Promotion, now: EventTime.Milliseconds
    ) async throws(TrackingError) -> Bool {
        try RegistryValidation.alias(alias)
        return try await database.write { db in
            _ = try Self.model(model, db)
            guard let previous = try Self.aliased(model, alias, db) else { return false }
            try db.execute(sql: "DELETE FROM model_aliases WHERE model = ? AND alias = ?", arguments: [model, alias])
            try db.execute(sql: "UPDATE registered_models SET last_update_time = ? WHERE name = ?", arguments: [now, model])
            try Self.keep(
                PromotionRecord(
                    model: model, alias: alias, previous: previous, number: nil, promotion: promotion, time: now), db)
            return true
        }
    }

    /// - Throws: `doesNotExist` without the model, `invalidParameter` without the alias, as MLflow's server answers.
    package func version(model: String, alias: String) async throws(TrackingError) -> RegisteredVersion {
        try RegistryValidation.modelName(model)
        return try await database.read { db in
            guard try Self.exists(model, db) else {
                throw TrackingError(.doesNotExist, "Registered Model with name=\(model) not found")
            }
            // Clients ask for the newest version by this name, which no alias may have.
            let newest = "SELECT max(number) FROM model_versions WHERE model = ?"
            let isNewest = alias.lowercased() == "latest"
            guard let number = try isNewest ? Int.fetchOne(db, sql: newest, arguments: [model]) : Self.aliased(model, alias, db) else {
                throw TrackingError(.invalidParameter, "Registered model alias \(Validation.shown(alias)) not found.")
            }
            return try Self.version(model, number, db)
        }
    }

    /// Points an alias back at what it stood for before the version it stands for now.
    ///
    /// The audit is the memory: rolling back again goes one further back, not forth to what was just left.
    /// - Throws: `invalidParameter` when there is nothing to go back to.
    package func rollback(
        model: String, alias: String, promotion: Promotion, now: EventTime.Milliseconds
    ) async throws(TrackingError) -> PromotionRecord {
        try await database.write { db in
            _ = try Self.model(model, db)
            guard let current = try Self.aliased(model, alias, db) else {
                throw TrackingError(.invalidParameter, "Registered model alias \(Validation.shown(alias)) not found.")
            }
            let moves = try Row.fetchAll(
                db, sql: "SELECT number, reason FROM promotions WHERE model = ? AND alias = ? AND life = \(Self.life) ORDER BY id",
                arguments: [model, alias, model])
            var stack: [Int] = []
            for move in moves {
                guard let number = move["number"] as Int? else { continue }
                if (move["reason"] as String).hasPrefix(Self.rollbackMark), let place = stack.lastIndex(of: number) {
                    stack.removeSubrange((place + 1)...)
                } else if stack.last != number {
                    stack.append(number)
                }
            }
            let exists = try Set(Int.fetchAll(db, sql: "SELECT number FROM model_versions WHERE model = ?", arguments: [model]))
            guard let previous = stack.dropLast().last(where: { $0 != current && exists.contains($0) }) else {
                throw TrackingError(.invalidParameter, "'\(alias)' of \(model) has stood for no other version that still exists")
            }
            try db.execute(sql: "INSERT OR REPLACE INTO model_aliases VALUES (?, ?, ?)", arguments: [model, alias, previous])
            try db.execute(sql: "UPDATE registered_models SET last_update_time = ? WHERE name = ?", arguments: [now, model])
            var marked = promotion
            marked.reason = Self.rollbackMark + promotion.reason
            let record = PromotionRecord(
                model: model, alias: alias, previous: current, number: previous, promotion: marked, time: now)
            try Self.keep(record, db)
            return record
        }
    }

    static let rollbackMark = "rollback: "

    /// The life of the model that has a name now.
    private static let life = "(SELECT life FROM registered_models WHERE name = ?)"

    /// Alias moves of a name, newest first; those of deleted models of the same name among them.
    ///
    /// - Parameter number: Only the moves of the present model onto this version.
    package func promotions(model: String, onto number: Int? = nil, limit: Int = 100) async throws(TrackingError) -> [PromotionRecord] {
        let onto = number == nil ? "" : " AND number = ? AND life = \(Self.life)"
        let arguments: StatementArguments = number.map { number -> StatementArguments in [model, number, model, limit] } ?? [model, limit]
        return try await database.read { db in
            try Row.fetchAll(
                db, sql: "SELECT * FROM promotions WHERE model = ?\(onto) ORDER BY id DESC LIMIT ?", arguments: arguments
            ).map { row in
                PromotionRecord(
                    model: row["model"], alias: row["alias"], previous: row["previous"], number: row["number"],
                    promotion: Promotion(actor: row["actor"], reason: row["reason"], verdict: row["verdict"]), time: row["time"])
            }
        }
    }

    private static func aliased(_ model: String, _ alias: String, _ db: Database) throws -> Int? {
        try Int.fetchOne(
            db.cachedStatement(sql: "SELECT number FROM model_aliases WHERE model = ? AND alias = ?"), arguments: [model, alias])
    }

    /// Takes the aliases off what is about to be deleted, each with a line in the audit.
    ///
    /// - Parameters:
    ///   - number: `nil` for all versions.
    ///   - why: The reason when nobody gave one.
    static func removeAliases(
        of model: String, number: Int?, _ promotion: Promotion, why: String, _ now: EventTime.Milliseconds, _ db: Database
    ) throws -> [PromotionRecord] {
        var promotion = promotion
        if promotion.reason.isEmpty { promotion.reason = why }
        let records = try Row.fetchAll(
            db, sql: "SELECT alias, number FROM model_aliases WHERE model = ?1 AND (?2 IS NULL OR number = ?2) ORDER BY alias",
            arguments: [model, number]
        ).map { PromotionRecord(model: model, alias: $0["alias"], previous: $0["number"], number: nil, promotion: promotion, time: now) }
        for record in records {
            try db.execute(sql: "DELETE FROM model_aliases WHERE model = ? AND alias = ?", arguments: [model, record.alias])
            try keep(record, db)
        }
        return records
    }

    private static func keep(_ record: PromotionRecord, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO promotions (model, alias, previous, number, actor, reason, verdict, time, life)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, coalesce(\(life), 0))
                """,
            arguments: [
                record.model, record.alias, record.previous, record.number, record.promotion.actor, record.promotion.reason,
                record.promotion.verdict, record.time, record.model,
            ])
    }
}
