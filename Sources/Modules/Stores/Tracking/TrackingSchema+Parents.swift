extension TrackingSchema {
    /// Which run stands under which: a copy of the tag that says so, to be found from both ends.
    ///
    /// Triggers keep it, so every way to write a tag keeps it. Also an index from a dataset to the runs that read it.
    static let parents = """
        CREATE TABLE run_parents (child INTEGER PRIMARY KEY, parent TEXT NOT NULL);
        CREATE INDEX run_parents_by_parent ON run_parents (parent, child);
        INSERT OR IGNORE INTO names (name) VALUES ('mlflow.parentRunId');
        INSERT INTO run_parents SELECT run, value FROM tags WHERE key = (SELECT id FROM names WHERE name = 'mlflow.parentRunId');
        CREATE TRIGGER run_parent_set AFTER INSERT ON tags
            WHEN new.key = (SELECT id FROM names WHERE name = 'mlflow.parentRunId')
            BEGIN INSERT OR REPLACE INTO run_parents VALUES (new.run, new.value); END;
        CREATE TRIGGER run_parent_changed AFTER UPDATE OF value ON tags
            WHEN new.key = (SELECT id FROM names WHERE name = 'mlflow.parentRunId')
            BEGIN INSERT OR REPLACE INTO run_parents VALUES (new.run, new.value); END;
        CREATE TRIGGER run_parent_removed AFTER DELETE ON tags
            WHEN old.key = (SELECT id FROM names WHERE name = 'mlflow.parentRunId')
            BEGIN DELETE FROM run_parents WHERE child = old.run; END;
        CREATE INDEX run_datasets_by_dataset ON run_datasets (dataset, run);
        """
}
