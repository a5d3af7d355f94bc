extension TrackingSchema {
    /// Metrics of logged models keep every observation, as those of runs do; before, they kept the newest one of each dataset.
    ///
    /// What comes after `run` in the key keeps apart what two evaluations report of the same moment.
    static let modelMetrics = """
        CREATE TABLE all_model_metrics (
            model INTEGER NOT NULL, key TEXT NOT NULL, timestamp INTEGER NOT NULL, step INTEGER NOT NULL, run TEXT NOT NULL,
            dataset_name TEXT NOT NULL, dataset_digest TEXT NOT NULL, value REAL NOT NULL, is_nan INTEGER NOT NULL,
            PRIMARY KEY (model, key, timestamp, step, run, dataset_name, dataset_digest, value, is_nan)
        ) WITHOUT ROWID;
        INSERT INTO all_model_metrics SELECT model, key, timestamp, step, run, dataset_name, dataset_digest, value, is_nan
            FROM logged_model_metrics;
        DROP TABLE logged_model_metrics;
        ALTER TABLE all_model_metrics RENAME TO logged_model_metrics;
        """
}
