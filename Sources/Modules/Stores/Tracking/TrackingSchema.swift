/// The tables of experiments, runs and logged models.
///
/// Names of metrics, parameters and tags are stored once and referred to by number. `latest_metrics` carries the
/// experiment so that one index serves "the runs of this experiment by this metric" without a sort.
package enum TrackingSchema {
    package static let migrations = [
        TrackingDatabase.Migration("tracking-1", sql: first), TrackingDatabase.Migration("tracking-parents", sql: parents),
        TrackingDatabase.Migration("tracking-orders", sql: orders), TrackingDatabase.Migration("tracking-traces", sql: traces),
        TrackingDatabase.Migration("tracking-batches", sql: MetricBatches.schema),
        TrackingDatabase.Migration("tracking-model-metrics", sql: modelMetrics),
    ]

    private static let first = """
        CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
        CREATE TABLE experiments (
            id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, artifact_location TEXT NOT NULL,
            deleted INTEGER NOT NULL DEFAULT 0, creation_time INTEGER NOT NULL, last_update_time INTEGER NOT NULL
        );
        CREATE TABLE experiment_tags (
            experiment INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (experiment, key)
        ) WITHOUT ROWID;

        CREATE TABLE runs (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, experiment INTEGER NOT NULL, name TEXT NOT NULL, user TEXT NOT NULL,
            status TEXT NOT NULL, start_time INTEGER NOT NULL, end_time INTEGER, artifact_uri TEXT NOT NULL,
            deleted INTEGER NOT NULL DEFAULT 0, deleted_time INTEGER
        );
        CREATE INDEX runs_by_start ON runs (experiment, deleted, start_time DESC, id);
        CREATE TABLE params (run INTEGER NOT NULL, key INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key)) WITHOUT ROWID;
        CREATE TABLE tags (run INTEGER NOT NULL, key INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key)) WITHOUT ROWID;
        CREATE TABLE metrics (
            run INTEGER NOT NULL, key INTEGER NOT NULL, timestamp INTEGER NOT NULL, step INTEGER NOT NULL, value REAL NOT NULL,
            is_nan INTEGER NOT NULL, PRIMARY KEY (run, key, timestamp, step, value, is_nan)
        ) WITHOUT ROWID;
        CREATE TABLE latest_metrics (
            run INTEGER NOT NULL, key INTEGER NOT NULL, experiment INTEGER NOT NULL, timestamp INTEGER NOT NULL, step INTEGER NOT NULL,
            value REAL NOT NULL, is_nan INTEGER NOT NULL, PRIMARY KEY (run, key)
        ) WITHOUT ROWID;
        CREATE INDEX latest_metrics_by_value ON latest_metrics (experiment, key, is_nan, value);

        CREATE TABLE datasets (
            id INTEGER PRIMARY KEY, experiment INTEGER NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, source_type TEXT NOT NULL,
            source TEXT NOT NULL, schema TEXT, profile TEXT, UNIQUE (experiment, name, digest)
        );
        CREATE TABLE run_datasets (
            run INTEGER NOT NULL, dataset INTEGER NOT NULL, tags TEXT NOT NULL, context TEXT, PRIMARY KEY (run, dataset)
        ) WITHOUT ROWID;
        CREATE TABLE run_models (
            run INTEGER NOT NULL, direction TEXT NOT NULL, model TEXT NOT NULL, step INTEGER NOT NULL, PRIMARY KEY (run, direction, model)
        ) WITHOUT ROWID;

        CREATE TABLE logged_models (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, experiment INTEGER NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
            source_run TEXT NOT NULL, status TEXT NOT NULL, artifact_uri TEXT NOT NULL, creation_time INTEGER NOT NULL,
            last_update_time INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0
        );
        CREATE INDEX logged_models_by_time ON logged_models (experiment, deleted, creation_time DESC);
        CREATE TABLE logged_model_params (model INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (model, key)) WITHOUT ROWID;
        CREATE TABLE logged_model_tags (model INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (model, key)) WITHOUT ROWID;
        CREATE TABLE logged_model_metrics (
            model INTEGER NOT NULL, key TEXT NOT NULL, dataset_name TEXT NOT NULL, dataset_digest TEXT NOT NULL, run TEXT NOT NULL,
            timestamp INTEGER NOT NULL, step INTEGER NOT NULL, value REAL NOT NULL, is_nan INTEGER NOT NULL,
            PRIMARY KEY (model, key, dataset_name, dataset_digest)
        ) WITHOUT ROWID;
        """
}
