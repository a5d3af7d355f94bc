package import Tracking

/// The tables of registered models, in the same file as the runs they come from.
package enum RegistrySchema {
    package static let migrations = [TrackingDatabase.Migration("registry-1", sql: first)]

    private static let first = """
        CREATE TABLE registered_models (
            name TEXT PRIMARY KEY, description TEXT NOT NULL DEFAULT '', user TEXT NOT NULL DEFAULT '',
            creation_time INTEGER NOT NULL, last_update_time INTEGER NOT NULL, next_version INTEGER NOT NULL DEFAULT 1
        ) WITHOUT ROWID;
        CREATE TABLE registered_model_tags (
            model TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (model, key)
        ) WITHOUT ROWID;
        CREATE TABLE model_versions (
            model TEXT NOT NULL, number INTEGER NOT NULL, source TEXT NOT NULL, run TEXT NOT NULL, logged_model TEXT NOT NULL,
            run_link TEXT NOT NULL, user TEXT NOT NULL, description TEXT NOT NULL, stage TEXT NOT NULL,
            creation_time INTEGER NOT NULL, last_update_time INTEGER NOT NULL, PRIMARY KEY (model, number)
        ) WITHOUT ROWID;
        CREATE INDEX model_versions_by_run ON model_versions (run);
        CREATE INDEX model_versions_by_time ON model_versions (last_update_time DESC, model, number DESC);
        CREATE TABLE model_version_tags (
            model TEXT NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (model, number, key)
        ) WITHOUT ROWID;
        CREATE TABLE model_aliases (
            model TEXT NOT NULL, alias TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (model, alias)
        ) WITHOUT ROWID;
        CREATE TABLE promotions (
            id INTEGER PRIMARY KEY, model TEXT NOT NULL, alias TEXT NOT NULL, previous INTEGER, number INTEGER, actor TEXT NOT NULL,
            reason TEXT NOT NULL, verdict TEXT, time INTEGER NOT NULL
        );
        CREATE INDEX promotions_by_model ON promotions (model, id DESC);
        """
}
