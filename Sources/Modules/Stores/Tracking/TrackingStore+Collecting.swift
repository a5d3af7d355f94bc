package import Domain
import GRDB

extension TrackingStore {
    /// What ``collect(deletedBefore:isTrial:referred:each:)`` removes for good, or keeps though it was deleted.
    package struct Garbage: Sendable, Equatable {
        package var experiments: [String] = []
        package var runs: [String] = []
        package var loggedModels: [String] = []
        /// Folders below the artefact root.
        package var artifacts: [String] = []
        /// Experiments, runs and logged models that somebody refers to.
        package var kept: [String] = []

        package init() {}
    }

    /// Which rows to look at: what was deleted before `time`, or with its experiment.
    private struct Scope: Sendable {
        let time: EventTime.Milliseconds
        /// Experiments that are to go, as a JSON array.
        let dead: String
        let isTrial: Bool
        let referred: @Sendable (_ id: String, _ place: String) -> String
    }

    /// Removed in one transaction; more would keep others from writing.
    private static let maxBatch = 50

    /// Removes what was deleted long enough ago: experiments, runs, logged models and all that belongs to them.
    ///
    /// Few at a time, and others write in between. The rows of a batch go before its files: what a crash leaves behind is a
    /// folder that nothing refers to, never a run without its files.
    /// - Parameters:
    ///   - time: Runs deleted at or after it stay.
    ///   - isTrial: Tells what would go, and removes and locks nothing.
    ///   - referred: SQL that is true for a run or logged model, by the columns of its id and its artefact URI, that is
    ///     needed all the same. It stays deleted, and its experiment with it.
    ///   - each: Gets every batch once its rows are gone; removes its files.
    /// - Returns: All of it.
    package func collect(
        deletedBefore time: EventTime.Milliseconds, isTrial: Bool = false,
        referred: @escaping @Sendable (_ id: String, _ place: String) -> String,
        each: (Garbage) async throws -> Void = { _ in }
    ) async throws -> Garbage {
        let dead = try await database.read { db in
            try Int64.fetchAll(
                db, sql: "SELECT id FROM experiments WHERE deleted = 1 AND id != 0 AND last_update_time < ?", arguments: [time])
        }
        let scope = Scope(time: time, dead: Self.list(dead), isTrial: isTrial, referred: referred)
        var all = Garbage()
        for table in [Self.runsTable, Self.modelsTable] {
            var last: Int64? = 0
            while let after = last {
                let (batch, next) = try await turn(isTrial) { try Self.collect(table, after: after, scope, $0) }
                last = next
                all.add(batch)
                try await each(batch)
            }
        }
        for experiment in dead { try await collect(experiment: experiment, scope, &all, each) }
        return all
    }

    /// A kind of rows that are removed for good, and the tables of what belongs to them.
    private struct Table: Sendable {
        let name: String
        /// When a row was deleted.
        let time: String
        let parts: [String]
        /// The parts' column.
        let owner: String
        let add: @Sendable (inout Garbage, String) -> Void
    }

    private static let runsTable = Table(
        name: "runs", time: "coalesce(deleted_time, 0)",
        parts: ["params", "tags", "metrics", "metric_batches", "latest_metrics", "run_datasets", "run_models"], owner: "run"
    ) { $0.runs.append($1) }
    private static let modelsTable = Table(
        name: "logged_models", time: "last_update_time", parts: ["logged_model_params", "logged_model_tags", "logged_model_metrics"],
        owner: "model"
    ) { $0.loggedModels.append($1) }

    /// - Returns: What goes and what stays of the next rows, and the last of them; `nil` when there are no more.
    private static func collect(_ table: Table, after: Int64, _ scope: Scope, _ db: Database) throws -> (Garbage, Int64?) {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT seq, id, artifact_uri, \(scope.referred("t.id", "t.artifact_uri")) AS is_referred FROM \(table.name) t
                WHERE seq > ? AND (deleted = 1 AND \(table.time) < ? OR experiment IN (SELECT value FROM json_each(?)
                    WHERE value IN (SELECT id FROM experiments WHERE deleted = 1))) ORDER BY seq LIMIT \(maxBatch)
                """, arguments: [after, scope.time, scope.dead])
        var garbage = Garbage(), gone: [Int64] = []
        for row in rows {
            guard !(row["is_referred"] as Bool) else {
                garbage.kept.append(row["id"])
                continue
            }
            gone.append(row["seq"])
            table.add(&garbage, row["id"])
            // Only what lies on this server; a place elsewhere is somebody else's to clean.
            if let place = try? ArtifactPath.place(of: row["artifact_uri"]) { garbage.artifacts.append(place) }
        }
        if !scope.isTrial {
            for part in table.parts {
                try db.execute(
                    sql: "DELETE FROM \(part) WHERE \(table.owner) IN (SELECT value FROM json_each(?))", arguments: [list(gone)])
            }
            try db.execute(sql: "DELETE FROM \(table.name) WHERE seq IN (SELECT value FROM json_each(?))", arguments: [list(gone)])
        }
        return (garbage, rows.last?["seq"])
    }

    /// Removes an experiment with its traces, unless it still has a run or logged model that somebody refers to.
    private func collect(experiment: Int64, _ scope: Scope, _ all: inout Garbage, _ each: (Garbage) async throws -> Void) async throws {
        let isKept = try await database.read { db in
            // Nothing is left of it but what is referred to, unless nothing was removed.
            let condition = scope.isTrial ? scope.referred("t.id", "t.artifact_uri") : "TRUE"
            return try ["runs", "logged_models"].contains { table in
                try Int.fetchOne(
                    db, sql: "SELECT 1 FROM \(table) t WHERE experiment = ? AND \(condition) LIMIT 1", arguments: [experiment]) != nil
            }
        }
        var garbage = Garbage()
        if isKept {
            garbage.kept = [String(experiment)]
            return all.add(garbage)
        }
        var hasTraces = !scope.isTrial
        while hasTraces {
            hasTraces = try await turn(false) { db in
                try db.execute(
                    sql: "DELETE FROM traces WHERE seq IN (SELECT seq FROM traces WHERE experiment = ? LIMIT \(Self.maxBatch))",
                    arguments: [experiment])
                return db.changesCount > 0
            }
        }
        let place = try await turn(scope.isTrial) { db in
            let place = try String.fetchOne(db, sql: "SELECT artifact_location FROM experiments WHERE id = ?", arguments: [experiment])
            guard !scope.isTrial else { return place }
            for (table, column) in [("datasets", "experiment"), ("experiment_tags", "experiment"), ("experiments", "id")] {
                try db.execute(sql: "DELETE FROM \(table) WHERE \(column) = ?", arguments: [experiment])
            }
            return place
        }
        garbage.experiments = [String(experiment)]
        if let place = try? place.map(ArtifactPath.place) { garbage.artifacts = [place + "/traces"] }
        all.add(garbage)
        try await each(garbage)
    }

    /// A step that reads for a trial and writes otherwise.
    private func turn<Value: Sendable>(_ isTrial: Bool, _ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        isTrial ? try await database.read(body) : try await database.writeInTurn(body)
    }
}

extension TrackingStore.Garbage {
    fileprivate mutating func add(_ other: Self) {
        experiments += other.experiments
        runs += other.runs
        loggedModels += other.loggedModels
        artifacts += other.artifacts
        kept += other.kept
    }
}
