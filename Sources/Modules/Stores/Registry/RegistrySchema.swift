package import Tracking

/// The tables of registered models, in the same file as the runs they come from.
package enum RegistrySchema {
    package static let migrations = [
        TrackingDatabase.Migration("registry-1", sql: first), TrackingDatabase.Migration("registry-lives", sql: lives),
    ]

    /// A name may be given again after its model is deleted. Each time it is another life: what the alias of an earlier one
    /// stood for is nothing to go back to, and version numbers go on where they ended, so that a prediction's version says
    /// for ever which one it was. `model_names` is what is left of a deleted model. Also an index to find what is served.
    private static let lives = """
        ALTER TABLE registered_models ADD COLUMN life INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE promotions ADD COLUMN life INTEGER NOT NULL DEFAULT 0;
        UPDATE promotions SET life = -1 WHERE model NOT IN (SELECT name FROM registered_models);
        CREATE TABLE model_names (name TEXT PRIMARY KEY, next_version INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO model_names
            SELECT model, max(max(coalesce(number, 0)), max(coalesce(previous, 0))) + 1 FROM promotions WHERE life = -1 GROUP BY model;
        CREATE TABLE model_lives (id INTEGER PRIMARY KEY AUTOINCREMENT);
        CREATE INDEX model_versions_by_source ON model_versions (source);
        """

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
