import Foundation
import GRDB

extension TrackingStore {
    package static let maxDatasets = 1_000

    /// Records which data and which logged models a run read.
    ///
    /// - Parameter scope: Of whoever logs: logged models of other experiments are refused.
    package func logInputs(
        run id: String, datasets: [DatasetInput], models: [String], scope: AccessScope = .all
    ) async throws(TrackingError) {
        guard datasets.count <= Self.maxDatasets else {
            throw TrackingError(
                .invalidParameter, "At most \(Self.maxDatasets) datasets can be logged in one request; got \(datasets.count)")
        }
        for dataset in datasets {
            try Validation.length(dataset.name, limit: 500, "Dataset name")
            try Validation.length(dataset.sourceType, limit: 255, "Dataset source type")
            try Validation.length(dataset.digest, limit: 36, "Dataset digest")
            try Validation.length(dataset.schema ?? "", limit: 1_048_575, "Dataset schema")
            try Validation.length(dataset.source, limit: 65_535, "Dataset source")
            try Validation.length(dataset.profile ?? "", limit: 16_777_215, "Dataset profile")
            for tag in dataset.tags {
                try Validation.length(tag.key, limit: 255, "Input tag key")
                try Validation.length(tag.value, limit: 500, "Input tag value")
            }
        }
        for model in models { try Validation.loggedModelID(model) }
        try await database.write { db in
            let run = try Self.activeRun(id, db)
            try Self.require(scope, models: models, db)
            for dataset in datasets {
                try db.execute(
                    sql:
                        "INSERT OR IGNORE INTO datasets (experiment, name, digest, source_type, source, schema, profile) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    arguments: [
                        run.experiment, dataset.name, dataset.digest, dataset.sourceType, dataset.source, dataset.schema, dataset.profile,
                    ])
                let tags = try JSONEncoder().encode(dataset.tags.map { [$0.key, $0.value] })
                try db.execute(
                    sql: """
                        INSERT OR IGNORE INTO run_datasets
                        SELECT ?, id, ?, ? FROM datasets WHERE experiment = ? AND name = ? AND digest = ?
                        """,
                    arguments: [
                        run.seq, String(decoding: tags, as: UTF8.self), dataset.tags.first { $0.key == "mlflow.data.context" }?.value,
                        run.experiment, dataset.name, dataset.digest,
                    ])
            }
            for model in models {
                try db.execute(sql: "INSERT OR REPLACE INTO run_models VALUES (?, 'in', ?, 0)", arguments: [run.seq, model])
            }
        }
    }

    /// Records which logged models a run made.
    ///
    /// - Parameter scope: Of whoever logs: logged models of other experiments are refused.
    package func logOutputs(run id: String, models: [ModelOutput], scope: AccessScope = .all) async throws(TrackingError) {
        for model in models { try Validation.loggedModelID(model.modelID) }
        try await database.write { db in
            let run = try Self.activeRun(id, db)
            try Self.require(scope, models: models.lazy.map(\.modelID), db)
            for model in models {
                try db.execute(
                    sql: "INSERT OR REPLACE INTO run_models VALUES (?, 'out', ?, ?)", arguments: [run.seq, model.modelID, model.step])
            }
        }
    }

    /// A dataset that runs of an experiment read, and what for.
    package struct DatasetSummary: Sendable, Equatable {
        package let experiment: String
        package let name: String
        package let digest: String
        package let context: String?
    }

    /// The most that ``datasets(experiments:)`` tells.
    package static let maxDatasetSummaries = 1_000

    package func datasets(experiments: [String]) async throws(TrackingError) -> [DatasetSummary] {
        let wanted = Self.list(experiments.compactMap { Int64($0) })
        return try await database.read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT DISTINCT d.experiment, d.name, d.digest, i.context FROM datasets d LEFT JOIN run_datasets i ON i.dataset = d.id
                    WHERE d.experiment IN (SELECT value FROM json_each(?)) ORDER BY d.experiment, d.name, d.digest, i.context LIMIT ?
                    """, arguments: [wanted, Self.maxDatasetSummaries]
            ).map {
                DatasetSummary(
                    experiment: String($0["experiment"] as Int64), name: $0["name"], digest: $0["digest"], context: $0["context"])
            }
        }
    }

    static func datasetInput(_ row: Row) throws -> DatasetInput {
        let tags = try JSONDecoder().decode([[String]].self, from: Data((row["tags"] as String).utf8))
        return DatasetInput(
            name: row["name"], digest: row["digest"], sourceType: row["source_type"], source: row["source"], schema: row["schema"],
            profile: row["profile"], tags: tags.compactMap { $0.count == 2 ? KeyValue($0[0], $0[1]) : nil })
    }
}
