extension TrackingSchema {
    /// Traces, their spans as JSON text, and what people and judges said about them.
    ///
    /// `name` and `session` are copies of a tag and of metadata, kept by triggers, so that indexes reach them. Triggers also
    /// remove what belongs to a trace, the traces of an experiment and the links of a run that go for good.
    static let traces = """
        CREATE TABLE traces (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, experiment INTEGER NOT NULL, request_time INTEGER NOT NULL, duration INTEGER,
            state TEXT NOT NULL, client_request_id TEXT, request_preview TEXT, response_preview TEXT, name TEXT, session TEXT
        );
        CREATE INDEX traces_by_time ON traces (experiment, request_time DESC, id);
        CREATE INDEX traces_by_duration ON traces (experiment, (duration IS NULL), duration, request_time DESC, id);
        CREATE INDEX traces_by_longest ON traces (experiment, (duration IS NULL), duration DESC, request_time DESC, id);
        CREATE INDEX traces_by_session ON traces (experiment, session) WHERE session IS NOT NULL;
        CREATE TABLE trace_tags (trace INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (trace, key)) WITHOUT ROWID;
        CREATE TABLE trace_metadata (trace INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (trace, key)) WITHOUT ROWID;
        CREATE INDEX trace_metadata_by_run ON trace_metadata (value, trace) WHERE key = 'mlflow.sourceRun';
        CREATE TABLE spans (
            trace INTEGER NOT NULL, id TEXT NOT NULL, parent TEXT, name TEXT NOT NULL, type TEXT, status TEXT NOT NULL,
            start_ns INTEGER NOT NULL, end_ns INTEGER, usage TEXT, cost TEXT, model TEXT, provider TEXT, content TEXT NOT NULL,
            PRIMARY KEY (trace, id)
        );
        CREATE TABLE assessments (
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, trace INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
            number REAL, error TEXT, source_type TEXT NOT NULL, source_id TEXT, create_time INTEGER NOT NULL, last_update_time INTEGER NOT NULL,
            span TEXT, rationale TEXT, metadata TEXT, overrides TEXT, run TEXT, valid INTEGER NOT NULL DEFAULT 1
        );
        CREATE INDEX assessments_by_trace ON assessments (trace, kind, name);
        CREATE INDEX assessments_by_name ON assessments (kind, name, trace);
        CREATE TABLE trace_links (
            trace INTEGER NOT NULL, kind TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (trace, kind, target)
        ) WITHOUT ROWID;
        CREATE INDEX trace_links_by_target ON trace_links (kind, target, trace);

        CREATE TRIGGER trace_named AFTER INSERT ON trace_tags WHEN new.key = 'mlflow.traceName'
            BEGIN UPDATE traces SET name = new.value WHERE seq = new.trace; END;
        CREATE TRIGGER trace_renamed AFTER UPDATE OF value ON trace_tags WHEN new.key = 'mlflow.traceName'
            BEGIN UPDATE traces SET name = new.value WHERE seq = new.trace; END;
        CREATE TRIGGER trace_unnamed AFTER DELETE ON trace_tags WHEN old.key = 'mlflow.traceName'
            BEGIN UPDATE traces SET name = NULL WHERE seq = old.trace; END;
        CREATE TRIGGER trace_session_set AFTER INSERT ON trace_metadata WHEN new.key = 'mlflow.trace.session'
            BEGIN UPDATE traces SET session = new.value WHERE seq = new.trace; END;
        CREATE TRIGGER trace_session_changed AFTER UPDATE OF value ON trace_metadata WHEN new.key = 'mlflow.trace.session'
            BEGIN UPDATE traces SET session = new.value WHERE seq = new.trace; END;
        CREATE TRIGGER trace_gone AFTER DELETE ON traces BEGIN
            DELETE FROM trace_tags WHERE trace = old.seq;
            DELETE FROM trace_metadata WHERE trace = old.seq;
            DELETE FROM spans WHERE trace = old.seq;
            DELETE FROM assessments WHERE trace = old.seq;
            DELETE FROM trace_links WHERE trace = old.seq;
        END;
        CREATE TRIGGER experiment_traces_gone AFTER DELETE ON experiments
            BEGIN DELETE FROM traces WHERE experiment = old.id; END;
        CREATE TRIGGER run_traces_unlinked AFTER DELETE ON runs
            BEGIN DELETE FROM trace_links WHERE kind = 'run' AND target = old.id; END;
        """
}
