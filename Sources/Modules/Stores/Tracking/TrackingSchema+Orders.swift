extension TrackingSchema {
    /// Characters of a parameter's text that its index holds.
    static let paramIndexLength = 100

    /// The orders that people sort runs by most, and the filter they use most: by name, by a parameter, with a parameter.
    ///
    /// `param_values` is to parameters what `latest_metrics_by_value` is to metrics; with one text it holds the newest run
    /// first, as searches without an order want it. Triggers keep it, so every way to write a parameter keeps it. A run's
    /// experiment and start never change.
    static let orders = """
        CREATE INDEX runs_by_name ON runs (experiment, deleted, name, start_time DESC, id);
        CREATE TABLE param_values (
            experiment INTEGER NOT NULL, key INTEGER NOT NULL, value TEXT NOT NULL, start_time INTEGER NOT NULL, run INTEGER NOT NULL,
            PRIMARY KEY (experiment, key, value, start_time DESC, run)
        ) WITHOUT ROWID;
        INSERT INTO param_values SELECT r.experiment, p.key, substr(p.value, 1, \(paramIndexLength)), r.start_time, p.run
            FROM params p JOIN runs r ON r.seq = p.run ORDER BY 1, 2, 3, 4 DESC, 5;
        CREATE TRIGGER param_value_added AFTER INSERT ON params
            BEGIN INSERT INTO param_values
                SELECT experiment, new.key, substr(new.value, 1, \(paramIndexLength)), start_time, seq FROM runs WHERE seq = new.run; END;
        CREATE TRIGGER param_value_removed AFTER DELETE ON params
            BEGIN DELETE FROM param_values WHERE (experiment, key, value, start_time, run) =
                (SELECT experiment, old.key, substr(old.value, 1, \(paramIndexLength)), start_time, seq FROM runs WHERE seq = old.run); END;
        """
}
