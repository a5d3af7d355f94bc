import Foundation
import GRDB
package import Tracking

/// Takes over the database of an MLflow server: experiments, runs with their whole histories, datasets, logged models, the
/// registry. Ids, times and names stay; what is here already stays as it is, so a second import adds what is new.
package struct MLflowImport: Sendable {
    package struct Report: Sendable, Equatable {
        package var experiments = 0
        package var runs = 0
        package var metrics = 0
        package var models = 0
        package var versions = 0
        package var traces = 0
        /// Folders of files to copy: where the other server has them, as its URI, and where they belong below our root.
        package var artifacts: [Artifacts] = []

        package init() {}
    }

    package struct Artifacts: Sendable, Equatable {
        package let source: String
        package let path: String
    }

    private let database: TrackingDatabase

    package init(database: TrackingDatabase) { self.database = database }

    /// - Parameter path: The SQLite file of the other server, which should not run meanwhile. It is only read.
    /// - Throws: `invalidParameter` for a file that is no such database.
    ///
    /// A run, logged model or trace comes over whole, few of them in one transaction, and others write in between: a server
    /// that runs on the directory goes on answering. What an import that ended early has not taken over, the next one does.
    package func run(path: String) async throws -> Report {
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw TrackingError(.doesNotExist, "\(path) cannot be read")
        }
        let source = "file:" + (path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? path) + "?mode=ro"
        try await database.withoutTransaction { try $0.execute(sql: "ATTACH DATABASE ? AS src", arguments: [source]) }
        do {
            let report = try await take(from: path)
            try await database.withoutTransaction { try $0.execute(sql: "DETACH DATABASE src") }
            return report
        } catch {
            try? await database.withoutTransaction { try $0.execute(sql: "DETACH DATABASE src") }
            throw error
        }
    }

    private func take(from path: String) async throws -> Report {
        let tables = try await database.withoutTransaction { db in
            try Set(String.fetchAll(db, sql: "SELECT name FROM src.sqlite_master WHERE type = 'table'"))
        }
        guard ["experiments", "runs", "metrics", "latest_metrics", "params", "tags"].allSatisfy({ tables.contains($0) }) else {
            throw TrackingError(.invalidParameter, "\(path) is not the database of an MLflow server")
        }
        var report = Report()
        report += try await step { try Self.experiments($0, &$1) }
        try await names()
        let hasInputs = tables.contains("inputs")
        if hasInputs { report += try await step { db, _ in try Self.datasets(db) } }
        report += try await batches(of: "fresh", Self.freshRuns) { db, report in
            try Self.runs(db, &report)
            if hasInputs { try Self.inputs(db) }
        }
        if tables.contains("logged_models") {
            report += try await batches(of: "fresh_models", Self.freshModels) { db, _ in try Self.loggedModels(db) }
        }
        if tables.contains("trace_info") {
            report += try await batches(of: "fresh_traces", Self.freshTraces) { try Self.traces($0, tables, &$1) }
        }
        if tables.contains("registered_models") {
            let hasAliases = tables.contains("registered_model_aliases")
            report += try await step { try Self.registry($0, aliases: hasAliases, &$1) }
        }
        report.artifacts = try await database.withoutTransaction { try Self.files($0, tables) }
        return report
    }

    private func step(_ body: @escaping @Sendable (Database, inout Report) throws -> Void) async throws -> Report {
        try await database.writeInTurn { db in
            var report = Report()
            try body(db, &report)
            return report
        }
    }

    /// Taken over in one transaction.
    private static let maxBatch: Int64 = 100

    /// Runs a body for few rows at a time, which it finds in a temporary table.
    private func batches(
        of name: String, _ rows: String, _ body: @escaping @Sendable (Database, inout Report) throws -> Void
    ) async throws -> Report {
        let count = try await database.withoutTransaction { db in
            try db.execute(sql: "DROP TABLE IF EXISTS temp.all_\(name); CREATE TEMP TABLE all_\(name) AS \(rows)")
            return try Int64.fetchOne(db, sql: "SELECT count(*) FROM temp.all_\(name)") ?? 0
        }
        var report = Report()
        for start in stride(from: 0, to: count, by: Int(Self.maxBatch)) {
            report += try await step { db, report in
                try db.execute(
                    sql: """
                        DROP TABLE IF EXISTS temp.\(name);
                        CREATE TEMP TABLE \(name) AS SELECT * FROM temp.all_\(name) WHERE rowid > \(start) AND rowid <= \(start + Self.maxBatch)
                        """)
                try body(db, &report)
            }
        }
        return report
    }

    /// Names are found first: while the other file is read through, nobody waits.
    private func names() async throws {
        try await database.withoutTransaction { db in
            try db.execute(
                sql: """
                    DROP TABLE IF EXISTS temp.fresh_names;
                    CREATE TEMP TABLE fresh_names AS
                    SELECT key FROM src.params UNION SELECT key FROM src.tags UNION SELECT key FROM src.metrics
                    """)
        }
        _ = try await step { db, _ in try db.execute(sql: "INSERT OR IGNORE INTO names (name) SELECT key FROM temp.fresh_names") }
    }

    private static func experiments(_ db: Database, _ report: inout Report) throws {
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO experiments (name, artifact_location, deleted, creation_time, last_update_time)
                SELECT name, '', lifecycle_stage = 'deleted', coalesce(creation_time, 0), coalesce(last_update_time, creation_time, 0)
                FROM src.experiments WHERE name IS NOT NULL ORDER BY experiment_id
                """)
        report.experiments = db.changesCount
        try db.execute(
            sql: """
                UPDATE experiments SET artifact_location = ? || id WHERE artifact_location = '';
                """, arguments: [TrackingStore.artifactScheme])
        try db.execute(
            sql: """
                DROP TABLE IF EXISTS temp.place;
                CREATE TEMP TABLE place AS SELECT s.experiment_id AS theirs, e.id AS ours FROM src.experiments s JOIN experiments e USING (name);
                INSERT OR IGNORE INTO experiment_tags
                SELECT p.ours, t.key, coalesce(t.value, '') FROM src.experiment_tags t JOIN temp.place p ON p.theirs = t.experiment_id;
                """)
    }

    private static let freshRuns = """
        SELECT s.run_uuid AS id, p.ours AS experiment FROM src.runs s JOIN temp.place p ON p.theirs = s.experiment_id
        WHERE s.run_uuid NOT IN (SELECT id FROM runs) ORDER BY s.start_time
        """

    private static func runs(_ db: Database, _ report: inout Report) throws {
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO runs (id, experiment, name, user, status, start_time, end_time, artifact_uri, deleted, deleted_time)
                SELECT f.id, f.experiment, coalesce(s.name, ''), coalesce(s.user_id, ''), s.status, coalesce(s.start_time, 0), s.end_time,
                    'mlflow-artifacts:/' || f.experiment || '/' || f.id || '/artifacts', s.lifecycle_stage = 'deleted', s.deleted_time
                FROM temp.fresh f JOIN src.runs s ON s.run_uuid = f.id ORDER BY s.start_time
                """)
        report.runs = db.changesCount
        for table in ["params", "tags"] {
            try db.execute(
                sql: """
                    INSERT OR IGNORE INTO \(table) SELECT r.seq, n.id, coalesce(s.value, '')
                    FROM temp.fresh f JOIN runs r USING (id) JOIN src.\(table) s ON s.run_uuid = f.id JOIN names n ON n.name = s.key
                    """)
        }
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO metrics SELECT r.seq, n.id, s.timestamp, s.step, s.value, s.is_nan
                FROM temp.fresh f JOIN runs r USING (id) JOIN src.metrics s ON s.run_uuid = f.id JOIN names n ON n.name = s.key
                """)
        report.metrics = db.changesCount
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO latest_metrics SELECT r.seq, n.id, r.experiment, s.timestamp, s.step, s.value, s.is_nan
                FROM temp.fresh f JOIN runs r USING (id) JOIN src.latest_metrics s ON s.run_uuid = f.id JOIN names n ON n.name = s.key
                """)
    }

    private static func datasets(_ db: Database) throws {
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO datasets (experiment, name, digest, source_type, source, schema, profile)
                SELECT p.ours, d.name, d.digest, d.dataset_source_type, d.dataset_source, d.dataset_schema, d.dataset_profile
                FROM src.datasets d JOIN temp.place p ON p.theirs = d.experiment_id
                """)
    }

    private static func inputs(_ db: Database) throws {
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO run_datasets
                SELECT r.seq, o.id,
                    (SELECT coalesce(json_group_array(json_array(t.name, t.value)), '[]') FROM src.input_tags t WHERE t.input_uuid = i.input_uuid),
                    (SELECT t.value FROM src.input_tags t WHERE t.input_uuid = i.input_uuid AND t.name = 'mlflow.data.context')
                FROM src.inputs i JOIN temp.fresh f ON f.id = i.destination_id JOIN runs r ON r.id = f.id
                JOIN src.datasets d ON d.dataset_uuid = i.source_id
                JOIN datasets o ON o.experiment = r.experiment AND o.name = d.name AND o.digest = d.digest
                WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN';
                INSERT OR IGNORE INTO run_models
                SELECT r.seq, CASE i.source_type WHEN 'RUN_OUTPUT' THEN 'out' ELSE 'in' END, i.destination_id, coalesce(i.step, 0)
                FROM src.inputs i JOIN temp.fresh f ON f.id = i.source_id JOIN runs r ON r.id = f.id
                WHERE i.source_type IN ('RUN_OUTPUT', 'RUN_INPUT');
                """)
    }

    private static let freshModels = """
        SELECT s.model_id AS id, p.ours AS experiment FROM src.logged_models s JOIN temp.place p ON p.theirs = s.experiment_id
        WHERE s.model_id NOT IN (SELECT id FROM logged_models)
        """

    private static func loggedModels(_ db: Database) throws {
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO logged_models (id, experiment, name, type, source_run, status, artifact_uri, creation_time, last_update_time, deleted)
                SELECT f.id, f.experiment, s.name, coalesce(s.model_type, ''), coalesce(s.source_run_id, ''),
                    CASE s.status WHEN 2 THEN 'LOGGED_MODEL_READY' WHEN 3 THEN 'LOGGED_MODEL_UPLOAD_FAILED' ELSE 'LOGGED_MODEL_PENDING' END,
                    'mlflow-artifacts:/' || f.experiment || '/models/' || f.id || '/artifacts', s.creation_timestamp_ms,
                    s.last_updated_timestamp_ms, s.lifecycle_stage = 'deleted'
                FROM temp.fresh_models f JOIN src.logged_models s ON s.model_id = f.id;
                INSERT OR IGNORE INTO logged_model_params SELECT l.seq, s.param_key, coalesce(s.param_value, '')
                FROM temp.fresh_models f JOIN logged_models l USING (id) JOIN src.logged_model_params s ON s.model_id = f.id;
                INSERT OR IGNORE INTO logged_model_tags SELECT l.seq, s.tag_key, coalesce(s.tag_value, '')
                FROM temp.fresh_models f JOIN logged_models l USING (id) JOIN src.logged_model_tags s ON s.model_id = f.id;
                INSERT OR IGNORE INTO logged_model_metrics
                (model, key, dataset_name, dataset_digest, run, timestamp, step, value, is_nan)
                SELECT l.seq, s.metric_name, coalesce(s.dataset_name, ''), coalesce(s.dataset_digest, ''), s.run_id, s.metric_timestamp_ms,
                    s.metric_step, coalesce(s.metric_value, 0), s.metric_value IS NULL
                FROM temp.fresh_models f JOIN logged_models l USING (id) JOIN src.logged_model_metrics s ON s.model_id = f.id;
                """)
    }

    private static func registry(_ db: Database, aliases: Bool, _ report: inout Report) throws {
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO registered_models (name, description, user, creation_time, last_update_time, next_version)
                SELECT m.name, coalesce(m.description, ''), '', coalesce(m.creation_time, 0), coalesce(m.last_updated_time, 0),
                    1 + coalesce((SELECT max(version) FROM src.model_versions v WHERE v.name = m.name), 0)
                FROM src.registered_models m
                """)
        report.models = db.changesCount
        // A source that lay on the other server lies in its run here, when the run came over.
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO model_versions
                SELECT v.name, v.version,
                    CASE WHEN r.id IS NOT NULL AND instr(coalesce(v.source, ''), r.id || '/artifacts') > 0
                        THEN r.artifact_uri || substr(v.source, instr(v.source, r.id || '/artifacts') + length(r.id || '/artifacts'))
                        ELSE coalesce(v.source, '') END,
                    coalesce(v.run_id, ''), CASE WHEN v.source LIKE 'models:/m-%' THEN substr(v.source, 9) ELSE '' END,
                    coalesce(v.run_link, ''), coalesce(v.user_id, ''), coalesce(v.description, ''), coalesce(v.current_stage, 'None'),
                    coalesce(v.creation_time, 0), coalesce(v.last_updated_time, 0)
                FROM src.model_versions v LEFT JOIN runs r ON r.id = v.run_id WHERE v.current_stage != 'Deleted_Internal'
                """)
        report.versions = db.changesCount
        try db.execute(
            sql: """
                UPDATE registered_models SET next_version = max(next_version,
                    1 + coalesce((SELECT max(number) FROM model_versions v WHERE v.model = registered_models.name), 0));
                INSERT OR IGNORE INTO registered_model_tags SELECT name, key, coalesce(value, '') FROM src.registered_model_tags;
                INSERT OR IGNORE INTO model_version_tags SELECT name, version, key, coalesce(value, '') FROM src.model_version_tags;
                """)
        if aliases {
            try db.execute(sql: "INSERT OR IGNORE INTO model_aliases SELECT name, alias, version FROM src.registered_model_aliases")
        }
    }
}

extension MLflowImport {
    /// Where the files of everything are that both sides have: also of what came over before, when its files did not.
    fileprivate static func files(_ db: Database, _ tables: Set<String>) throws -> [Artifacts] {
        var queries = ["SELECT s.artifact_uri AS source, r.artifact_uri AS place FROM src.runs s JOIN runs r ON r.id = s.run_uuid"]
        if tables.contains("logged_models") {
            queries.append(
                "SELECT s.artifact_location AS source, l.artifact_uri AS place FROM src.logged_models s JOIN logged_models l ON l.id = s.model_id"
            )
        }
        if tables.contains("trace_info") { queries.append(traceFiles) }
        return try queries.flatMap { query in
            try Row.fetchAll(db, sql: query).compactMap { row -> Artifacts? in
                guard let source = row["source"] as String?, let path = try? ArtifactPath.place(of: row["place"]) else { return nil }
                return Artifacts(source: source, path: path)
            }
        }
    }
}

extension MLflowImport.Report {
    /// Adds up the counts.
    fileprivate static func += (sum: inout Self, part: Self) {
        sum.experiments += part.experiments
        sum.runs += part.runs
        sum.metrics += part.metrics
        sum.models += part.models
        sum.versions += part.versions
        sum.traces += part.traces
    }
}
