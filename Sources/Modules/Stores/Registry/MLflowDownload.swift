import Foundation
import GRDB
import Tracking
package import Web

/// Reads an MLflow server over HTTP into a file with the tables that ``MLflowImport`` takes over.
///
/// Every experiment, run and version is fetched in pages and every metric with its whole history; nothing is held but a page.
package struct MLflowDownload: Sendable {
    private static let api = "/api/2.0/mlflow/"

    let http: JSONClient

    package init(http: JSONClient) { self.http = http }

    /// - Parameter path: A new SQLite file.
    package func run(into path: String) async throws {
        let database = try DatabaseQueue(path: path)
        try await database.write { try $0.execute(sql: Self.tables + Self.traceTables) }
        var experiments: [String] = []
        try await pages("experiments/search", ["view_type": .string("ALL")], "experiments") { page in
            experiments += page.compactMap { $0["experiment_id"]?.string }
            try await database.write { db in for experiment in page { try Self.insert(experiment: experiment, db) } }
        }
        for experiment in experiments {
            let query: [String: JSONValue] = ["experiment_ids": .array([.string(experiment)]), "run_view_type": .string("ALL")]
            try await pages("runs/search", query, "runs") { page in
                try await database.write { db in for run in page { try Self.insert(run: run, db) } }
                for run in page { try await histories(of: run, database) }
            }
            try await traces(of: experiment, database)
        }
        try await registry(database)
        try database.close()
    }

    private func histories(of run: JSONValue, _ database: DatabaseQueue) async throws {
        guard let id = run["info"]?["run_id"]?.string else { return }
        for key in (run["data"]?["metrics"]?.array ?? []).compactMap({ $0["key"]?.string }) {
            var token: String?
            repeat {
                var call = JSONClient.Call(.get, Self.api + "metrics/get-history")
                call.query = [("run_id", id), ("metric_key", key), ("max_results", "5000")] + (token.map { [("page_token", $0)] } ?? [])
                let answer = try await http.json(call)
                token = answer["next_page_token"]?.string.flatMap { $0.isEmpty ? nil : $0 }
                let points = answer["metrics"]?.array ?? []
                try await database.write { db in for point in points { try Self.insert(metric: point, run: id, into: "metrics", db) } }
            } while token != nil
        }
    }

    private func registry(_ database: DatabaseQueue) async throws {
        // Searches leave prompts out unless they are asked for.
        for filter in [nil, "tags.`\(Prompts.tag)` = 'true'"] {
            try await queried("registered-models/search", "registered_models", filter) { page in
                try await database.write { db in for model in page { try Self.insert(model: model, db) } }
            }
            try await queried("model-versions/search", "model_versions", filter) { page in
                try await database.write { db in for version in page { try Self.insert(version: version, db) } }
            }
        }
    }

    // MARK: Pages

    /// Searches that are asked with a body.
    private func pages(
        _ route: String, _ query: [String: JSONValue], _ name: String, _ take: ([JSONValue]) async throws -> Void
    ) async throws {
        var token: String?
        repeat {
            var call = JSONClient.Call(.post, Self.api + route, isIdempotent: true)
            call.body = JSONWriter.object { writer in
                for (name, value) in query {
                    writer.key(name)
                    writer.value(value)
                }
                writer.field("max_results", Int64(200))
                writer.field("page_token", token)
            }
            let answer = try await http.json(call)
            try await take(answer[name]?.array ?? [])
            token = answer["next_page_token"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        } while token != nil
    }

    /// Searches that are asked with a query.
    private func queried(
        _ route: String, _ name: String, _ filter: String?, _ take: ([JSONValue]) async throws -> Void
    ) async throws {
        var token: String?
        repeat {
            var call = JSONClient.Call(.get, Self.api + route)
            call.query = [("max_results", "200")] + (filter.map { [("filter", $0)] } ?? []) + (token.map { [("page_token", $0)] } ?? [])
            let answer = try await http.json(call)
            try await take(answer[name]?.array ?? [])
            token = answer["next_page_token"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        } while token != nil
    }

    // MARK: Rows

    private static func insert(experiment: JSONValue, _ db: Database) throws {
        let id = experiment["experiment_id"]?.int64
        try db.execute(
            sql: "INSERT INTO experiments VALUES (?, ?, ?, ?, ?, ?)",
            arguments: [
                id, experiment["name"]?.string, experiment["artifact_location"]?.string, experiment["lifecycle_stage"]?.string,
                experiment["creation_time"]?.int64, experiment["last_update_time"]?.int64,
            ])
        for tag in experiment["tags"]?.array ?? [] {
            try db.execute(
                sql: "INSERT INTO experiment_tags VALUES (?, ?, ?)", arguments: [tag["key"]?.string, tag["value"]?.string, id])
        }
    }

    private static func insert(run: JSONValue, _ db: Database) throws {
        guard let info = run["info"], let id = info["run_id"]?.string else { return }
        try db.execute(
            sql: "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            arguments: [
                id, info["run_name"]?.string, info["user_id"]?.string, info["status"]?.string, info["start_time"]?.int64,
                info["end_time"]?.int64, info["lifecycle_stage"]?.string, info["artifact_uri"]?.string, info["experiment_id"]?.int64,
            ])
        for table in ["params", "tags"] {
            for pair in run["data"]?[table]?.array ?? [] {
                try db.execute(sql: "INSERT INTO \(table) VALUES (?, ?, ?)", arguments: [pair["key"]?.string, pair["value"]?.string, id])
            }
        }
        for metric in run["data"]?["metrics"]?.array ?? [] { try insert(metric: metric, run: id, into: "latest_metrics", db) }
        for input in run["inputs"]?["dataset_inputs"]?.array ?? [] { try insert(input: input, run: id, info["experiment_id"]?.int64, db) }
    }

    private static func insert(metric: JSONValue, run: String, into table: String, _ db: Database) throws {
        guard let number = metric["value"]?.number else { return }
        try db.execute(
            sql: "INSERT INTO \(table) (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, ?, ?, ?)",
            arguments: [
                metric["key"]?.string, number.isNaN ? 0 : number, metric["timestamp"]?.int64 ?? 0, metric["step"]?.int64 ?? 0,
                number.isNaN, run,
            ])
    }

    private static func insert(input: JSONValue, run: String, _ experiment: Int64?, _ db: Database) throws {
        guard let dataset = input["dataset"], let name = dataset["name"]?.string, let digest = dataset["digest"]?.string else { return }
        let place = "\(experiment ?? 0)/\(name)/\(digest)", edge = "\(run)/\(place)"
        try db.execute(
            sql: "INSERT OR IGNORE INTO datasets VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                place, experiment, name, digest, dataset["source_type"]?.string ?? "", dataset["source"]?.string ?? "",
                dataset["schema"]?.string, dataset["profile"]?.string,
            ])
        try db.execute(sql: "INSERT INTO inputs VALUES (?, 'DATASET', ?, 'RUN', ?, 0)", arguments: [edge, place, run])
        for tag in input["tags"]?.array ?? [] {
            try db.execute(sql: "INSERT INTO input_tags VALUES (?, ?, ?)", arguments: [edge, tag["key"]?.string, tag["value"]?.string])
        }
    }

    private static func insert(model: JSONValue, _ db: Database) throws {
        let name = model["name"]?.string
        try db.execute(
            sql: "INSERT INTO registered_models VALUES (?, ?, ?, ?)",
            arguments: [name, model["creation_timestamp"]?.int64, model["last_updated_timestamp"]?.int64, model["description"]?.string])
        for tag in model["tags"]?.array ?? [] {
            try db.execute(
                sql: "INSERT INTO registered_model_tags VALUES (?, ?, ?)", arguments: [tag["key"]?.string, tag["value"]?.string, name])
        }
        for alias in model["aliases"]?.array ?? [] {
            try db.execute(
                sql: "INSERT INTO registered_model_aliases VALUES (?, ?, ?)",
                arguments: [alias["alias"]?.string, alias["version"]?.int64, name])
        }
    }

    private static func insert(version: JSONValue, _ db: Database) throws {
        let name = version["name"]?.string, number = version["version"]?.int64
        try db.execute(
            sql: "INSERT INTO model_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            arguments: [
                name, number, version["creation_timestamp"]?.int64, version["last_updated_timestamp"]?.int64,
                version["description"]?.string, version["user_id"]?.string, version["current_stage"]?.string ?? "None",
                version["source"]?.string, version["run_id"]?.string, version["run_link"]?.string,
            ])
        for tag in version["tags"]?.array ?? [] {
            try db.execute(
                sql: "INSERT INTO model_version_tags VALUES (?, ?, ?, ?)",
                arguments: [tag["key"]?.string, tag["value"]?.string, name, number])
        }
    }

    private static let tables = """
        CREATE TABLE experiments (
            experiment_id INT, name TEXT, artifact_location TEXT, lifecycle_stage TEXT, creation_time INT, last_update_time INT
        );
        CREATE TABLE experiment_tags (key TEXT, value TEXT, experiment_id INT);
        CREATE TABLE runs (
            run_uuid TEXT PRIMARY KEY, name TEXT, user_id TEXT, status TEXT, start_time INT, end_time INT, lifecycle_stage TEXT,
            artifact_uri TEXT, experiment_id INT, deleted_time INT
        );
        CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
        CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
        CREATE INDEX params_by_run ON params (run_uuid);
        CREATE INDEX tags_by_run ON tags (run_uuid);
        CREATE TABLE metrics (key TEXT, value FLOAT, timestamp INT, run_uuid TEXT, step INT, is_nan INT);
        CREATE INDEX metrics_by_run ON metrics (run_uuid);
        CREATE TABLE latest_metrics (key TEXT, value FLOAT, timestamp INT, step INT, is_nan INT, run_uuid TEXT);
        CREATE INDEX latest_metrics_by_run ON latest_metrics (run_uuid);
        CREATE TABLE datasets (
            dataset_uuid TEXT PRIMARY KEY, experiment_id INT, name TEXT, digest TEXT, dataset_source_type TEXT, dataset_source TEXT,
            dataset_schema TEXT, dataset_profile TEXT
        );
        CREATE TABLE inputs (
            input_uuid TEXT, source_type TEXT, source_id TEXT, destination_type TEXT, destination_id TEXT, step INT
        );
        CREATE TABLE input_tags (input_uuid TEXT, name TEXT, value TEXT);
        CREATE TABLE registered_models (name TEXT, creation_time INT, last_updated_time INT, description TEXT);
        CREATE TABLE registered_model_tags (key TEXT, value TEXT, name TEXT);
        CREATE TABLE registered_model_aliases (alias TEXT, version INT, name TEXT);
        CREATE TABLE model_versions (
            name TEXT, version INT, creation_time INT, last_updated_time INT, description TEXT, user_id TEXT, current_stage TEXT,
            source TEXT, run_id TEXT, run_link TEXT
        );
        CREATE TABLE model_version_tags (key TEXT, value TEXT, name TEXT, version INT);
        """
}
