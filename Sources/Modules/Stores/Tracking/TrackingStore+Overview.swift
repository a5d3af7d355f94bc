package import Domain
import GRDB

/// What a person who looks around wants to know without reading every run: counts, names, families, sizes.
extension TrackingStore {
    /// The values of a run that a table shows.
    package struct RunColumns: Sendable, Hashable {
        package var metrics: [String]
        package var params: [String]
        package var tags: [String]

        package init(metrics: [String] = [], params: [String] = [], tags: [String] = []) {
            self.metrics = metrics
            self.params = params
            self.tags = tags
        }
    }

    /// Names of metrics, parameters and tags, each list sorted.
    package typealias RunNames = RunColumns

    // MARK: Experiments

    package struct ExperimentActivity: Sendable, Equatable {
        /// Active runs.
        package let runCount: Int
        /// Start of the run that started last; `nil` without runs.
        package let lastStart: EventTime.Milliseconds?
    }

    /// By experiment id. - Complexity: O(runs), in the index.
    package func activity(ofExperiments ids: [String]) async throws(TrackingError) -> [String: ExperimentActivity] {
        let numbers = ids.compactMap { Int64($0) }
        return try await database.read { db in
            let statement = try db.cachedStatement(
                sql: "SELECT count(*) AS runs, max(start_time) AS start FROM runs WHERE experiment = ? AND deleted = 0")
            var found: [String: ExperimentActivity] = [:]
            for number in numbers {
                guard let row = try Row.fetchOne(statement, arguments: [number]) else { continue }
                found[String(number)] = ExperimentActivity(runCount: row["runs"], lastStart: row["start"])
            }
            return found
        }
    }

    // MARK: Runs of a table

    /// Names a table of these runs can show: metrics of the whole experiment, parameters and tags of the runs given.
    ///
    /// - Parameter limit: Most names of a kind. Also bounds the work, so that no run is too big to ask about.
    package func names(ofExperiment id: String, runs: [String], limit: Int) async throws(TrackingError) -> RunNames {
        let number = try Validation.experimentID(id)
        return try await database.read { db in
            // Steps through the index from one key to the next, whatever lies between them.
            let metrics = try String.fetchAll(
                db.cachedStatement(
                    sql: """
                        WITH RECURSIVE keys(key, n) AS (
                            SELECT (SELECT min(key) FROM latest_metrics WHERE experiment = ?1), 1
                            UNION ALL SELECT (SELECT min(key) FROM latest_metrics WHERE experiment = ?1 AND key > keys.key), n + 1
                            FROM keys WHERE keys.key IS NOT NULL AND n < ?2)
                        SELECT name FROM keys JOIN names ON names.id = keys.key ORDER BY name
                        """), arguments: [number, limit])
            func keys(_ table: String) throws -> [String] {
                try String.fetchAll(
                    db.cachedStatement(
                        sql: """
                            SELECT name FROM names WHERE id IN (SELECT DISTINCT key FROM (
                                SELECT v.key FROM json_each(?) j CROSS JOIN runs r ON r.id = j.value CROSS JOIN \(table) v ON v.run = r.seq LIMIT ?))
                            ORDER BY name LIMIT ?
                            """), arguments: [Self.textList(runs), limit * 100, limit])
            }
            return RunNames(metrics: metrics, params: try keys("params"), tags: try keys("tags"))
        }
    }

    /// Runs with only some of their values, in the order asked for; ids that no run has are left out.
    package func runs(ids: [String], showing columns: RunColumns) async throws(TrackingError) -> [Run] {
        try await database.read { db in
            let seqs = try Int64.fetchAll(
                db.cachedStatement(sql: "SELECT r.seq FROM json_each(?) j CROSS JOIN runs r ON r.id = j.value ORDER BY j.key"),
                arguments: [Self.textList(ids)])
            return try Self.runs(seqs, showing: columns, db)
        }
    }

    static func runs(_ seqs: [Int64], showing columns: RunColumns, _ db: Database) throws -> [Run] {
        let infos = try infos(seqs, db)
        var runs = Dictionary(infos.map { ($0.seq, Run(info: $0.info)) }) { first, _ in first }
        func each(_ table: String, _ names: [String], _ body: (inout Run, Row) -> Void) throws {
            guard !names.isEmpty else { return }
            let statement = try db.cachedStatement(
                sql: """
                    SELECT n.name, v.* FROM json_each(?) k CROSS JOIN names n ON n.name = k.value
                    CROSS JOIN json_each(?) r CROSS JOIN \(table) v ON v.run = r.value AND v.key = n.id
                    """)
            let rows = try Row.fetchCursor(statement, arguments: [Self.textList(names), Self.list(seqs)])
            while let row = try rows.next() {
                guard let index = runs.index(forKey: row["run"] as Int64) else { continue }
                body(&runs.values[index], row)
            }
        }
        try each("latest_metrics", columns.metrics) { $0.metrics.append(metric($1)) }
        try each("params", columns.params) { $0.params.append(KeyValue($1["name"], $1["value"])) }
        try each("tags", columns.tags) { $0.tags.append(KeyValue($1["name"], $1["value"])) }
        return infos.compactMap { seq, _ in runs[seq] }
    }

    // MARK: Families

    /// The tag by which a client says which run it runs under.
    package static let parentTag = "mlflow.parentRunId"

    /// A condition on the runs `r`: those that stand under no active run of their experiment.
    static let topLevel = """
        NOT EXISTS (SELECT 1 FROM run_parents f JOIN runs p ON p.id = f.parent WHERE f.child = r.seq AND p.deleted = 0 \
        AND p.experiment = r.experiment AND p.seq != r.seq)
        """

    /// How many active runs stand directly under each run; runs without any are left out.
    package func childCounts(ofRuns ids: [String]) async throws(TrackingError) -> [String: Int] {
        try await database.read { db in
            let rows = try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT f.parent, count(*) AS children FROM run_parents f JOIN runs c ON c.seq = f.child
                        WHERE f.parent IN (SELECT value FROM json_each(?)) AND c.deleted = 0 AND c.id != f.parent GROUP BY f.parent
                        """), arguments: [Self.textList(ids)])
            return Dictionary(rows.map { ($0["parent"], $0["children"]) }) { first, _ in first }
        }
    }

    /// The active runs directly under a run, oldest first.
    package func children(ofRun id: String, showing columns: RunColumns, limit: Int) async throws(TrackingError) -> [Run] {
        try await database.read { db in
            let seqs = try Int64.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT c.seq FROM run_parents f JOIN runs c ON c.seq = f.child
                        WHERE f.parent = ? AND c.deleted = 0 AND c.id != f.parent ORDER BY c.start_time, c.id LIMIT ?
                        """), arguments: [id, limit])
            return try Self.runs(seqs, showing: columns, db)
        }
    }

    // MARK: Datasets

    package struct DatasetUse: Sendable, Equatable {
        package let dataset: DatasetInput
        package let experimentID: String
        package let experimentName: String
        package let runCount: Int
        /// Start of the run that read it last.
        package let lastUse: EventTime.Milliseconds?
    }

    /// Datasets that runs have read, the newest first.
    ///
    /// - Parameters:
    ///   - text: Part of the name; empty for all.
    ///   - before: Of the dataset that the page begins after; `nil` for the first page.
    /// - Returns: The datasets and where the next page begins.
    package func datasets(containing text: String, before: Int64?, limit: Int) async throws(TrackingError) -> (
        uses: [DatasetUse], next: Int64?
    ) {
        try await database.read { db in
            // A schema or profile may have megabytes; a table shows their beginning.
            let rows = try Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT d.id, d.name, d.digest, d.source_type, substr(d.source, 1, 2000) AS source, substr(d.schema, 1, 20000) AS schema,
                            substr(d.profile, 1, 2000) AS profile, '[]' AS tags, d.experiment, e.name AS experiment_name,
                            (SELECT count(*) FROM run_datasets i WHERE i.dataset = d.id) AS runs,
                            (SELECT max(r.start_time) FROM run_datasets i JOIN runs r ON r.seq = i.run WHERE i.dataset = d.id) AS last_use
                        FROM datasets d JOIN experiments e ON e.id = d.experiment
                        WHERE d.id < ? AND instr(lower(d.name), lower(?)) > 0 ORDER BY d.id DESC LIMIT ?
                        """), arguments: [before ?? .max, text, limit + 1])
            let uses = try rows.prefix(limit).map { row in
                DatasetUse(
                    dataset: try Self.datasetInput(row), experimentID: String(row["experiment"] as Int64),
                    experimentName: row["experiment_name"],
                    runCount: row["runs"], lastUse: row["last_use"])
            }
            return (uses, rows.count > limit ? rows[limit - 1]["id"] : nil)
        }
    }

    // MARK: The whole store

    package struct Totals: Sendable, Equatable {
        package let experiments: Int
        package let activeRuns: Int
        package let deletedRuns: Int
        package let loggedModels: Int
        package let datasets: Int
        /// Bytes of the database file, and how many of them hold nothing.
        package let fileBytes: Int64
        package let freeBytes: Int64
    }

    package func totals() async throws(TrackingError) -> Totals {
        try await database.read { db in
            func count(_ table: String) throws -> Int { try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table)") ?? 0 }
            func pragma(_ name: String) throws -> Int64 { try Int64.fetchOne(db, sql: "PRAGMA \(name)") ?? 0 }
            let pageBytes = try pragma("page_size")
            return Totals(
                experiments: try count("experiments WHERE deleted = 0"), activeRuns: try count("runs WHERE deleted = 0"),
                deletedRuns: try count("runs WHERE deleted = 1"), loggedModels: try count("logged_models WHERE deleted = 0"),
                datasets: try count("datasets"), fileBytes: try pragma("page_count") * pageBytes,
                freeBytes: try pragma("freelist_count") * pageBytes)
        }
    }

    /// Texts as a JSON array, to bind a list of any length as one value.
    static func textList(_ texts: [String]) -> String {
        String(decoding: JSONText.array(texts.map { .string($0) }), as: UTF8.self)
    }
}
