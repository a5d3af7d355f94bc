package import Domain
import GRDB

extension TrackingStore {
    /// What ``collect(deletedBefore:isTrial:)`` removes for good.
    package struct Garbage: Sendable, Equatable {
        package var experiments: [String] = []
        package var runs: [String] = []
        package var loggedModels: [String] = []
        /// Folders below the artefact root.
        package var artifacts: [String] = []

        package init() {}

        package var isEmpty: Bool { experiments.isEmpty && runs.isEmpty && loggedModels.isEmpty }
    }

    /// Removes what was deleted long enough ago: experiments, runs, logged models and all that belongs to them.
    ///
    /// The rows go first: what a crash leaves behind then is a folder that nothing refers to, never a run without its files.
    /// - Parameters:
    ///   - time: Runs deleted at or after it stay.
    ///   - isTrial: Tells what would go, and removes nothing.
    package func collect(deletedBefore time: EventTime.Milliseconds, isTrial: Bool = false) async throws(TrackingError) -> Garbage {
        try await database.write { db in
            var garbage = Garbage()
            let experiments = try Int64.fetchAll(
                db, sql: "SELECT id FROM experiments WHERE deleted = 1 AND id != 0 AND last_update_time < ?", arguments: [time])
            let dead = Self.list(experiments)
            let runs = try Row.fetchAll(
                db,
                sql: """
                    SELECT seq, id, artifact_uri FROM runs WHERE deleted = 1 AND coalesce(deleted_time, 0) < ?
                    OR experiment IN (SELECT value FROM json_each(?))
                    """, arguments: [time, dead])
            let models = try Row.fetchAll(
                db,
                sql: """
                    SELECT seq, id, artifact_uri FROM logged_models WHERE deleted = 1 AND last_update_time < ?
                    OR experiment IN (SELECT value FROM json_each(?))
                    """, arguments: [time, dead])
            garbage.experiments = experiments.map { String($0) }
            garbage.runs = runs.map { $0["id"] }
            garbage.loggedModels = models.map { $0["id"] }
            // Only what lies on this server; a place elsewhere is somebody else's to clean.
            garbage.artifacts = (runs + models).compactMap { try? ArtifactPath.place(of: $0["artifact_uri"]) }
            let places = try String.fetchAll(
                db, sql: "SELECT artifact_location FROM experiments WHERE id IN (SELECT value FROM json_each(?))", arguments: [dead])
            garbage.artifacts += places.compactMap { try? ArtifactPath.place(of: $0) + "/traces" }
            guard !isTrial else { return garbage }
            let gone = Self.list(runs.map { $0["seq"] })
            for table in ["params", "tags", "metrics", "metric_batches", "latest_metrics", "run_datasets", "run_models"] {
                try db.execute(sql: "DELETE FROM \(table) WHERE run IN (SELECT value FROM json_each(?))", arguments: [gone])
            }
            try db.execute(sql: "DELETE FROM runs WHERE seq IN (SELECT value FROM json_each(?))", arguments: [gone])
            let goneModels = Self.list(models.map { $0["seq"] })
            for table in ["logged_model_params", "logged_model_tags", "logged_model_metrics"] {
                try db.execute(sql: "DELETE FROM \(table) WHERE model IN (SELECT value FROM json_each(?))", arguments: [goneModels])
            }
            try db.execute(sql: "DELETE FROM logged_models WHERE seq IN (SELECT value FROM json_each(?))", arguments: [goneModels])
            for (table, column) in [("datasets", "experiment"), ("experiment_tags", "experiment"), ("experiments", "id")] {
                try db.execute(sql: "DELETE FROM \(table) WHERE \(column) IN (SELECT value FROM json_each(?))", arguments: [dead])
            }
            return garbage
        }
    }
}
