#!/usr/bin/env python3
"""Pages of `track` over 100,000 runs with 20 metrics each, and of a run with 12,000 metrics: milliseconds at the server.

The database is filled directly; what is measured is the answer to a GET on one connection that stays open, the whole page read.
There is no peer: MLflow's pages are drawn in the browser, and its search over as many runs is in `tracking`.
"""

import contextlib
import http.client
import sqlite3
import statistics
import sys
import time
import urllib.parse

from bench import BINARY, EXAMPLE, ROUNDS, Report, Running, free_ports, progress, scratch

RUNS, METRICS, PARAMS, WIDE, STEPS = 100_000, 20, 10, 12_000, 10_000
BEGIN = 1_700_000_000_000


def fill(path):
    """Experiment 1 with the many runs, experiment 2 with the wide run and a long curve."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA synchronous = OFF")
        for number, name in ((1, "many"), (2, "wide")):
            db.execute("INSERT INTO experiments (id, name, artifact_location, creation_time, last_update_time) VALUES (?, ?, ?, ?, ?)",
                       (number, name, f"mlflow-artifacts:/{number}", BEGIN, BEGIN))
        names = [f"metric_{index:05}" for index in range(WIDE)] + [f"param_{index}" for index in range(PARAMS)] + ["curve"]
        db.executemany("INSERT INTO names (name) VALUES (?)", [(name,) for name in names])
        ids = dict(db.execute("SELECT name, id FROM names"))
        metric = [ids[name] for name in names[:WIDE]]
        db.executemany(
            "INSERT INTO runs (seq, id, experiment, name, user, status, start_time, end_time, artifact_uri) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((seq, f"{seq:032x}", 1 if seq <= RUNS else 2, f"run-{seq}", "ada", "FINISHED", BEGIN + seq * 1_000, BEGIN + seq * 1_000 + 900,
              f"mlflow-artifacts:/1/{seq:032x}/artifacts") for seq in range(1, RUNS + 2)))
        values = ((seq, key, (seq * 7_919 + index * 104_729) % 1_000_003 / 1e6)
                  for seq in range(1, RUNS + 1) for index, key in enumerate(metric[:METRICS]))
        db.executemany("INSERT INTO latest_metrics VALUES (?, ?, 1, ?, 0, ?, 0)", ((seq, key, BEGIN, value) for seq, key, value in values))
        db.executemany("INSERT INTO params VALUES (?, ?, ?)", (
            (seq, ids[f"param_{index}"], str((seq * 31 + index) % 17)) for seq in range(1, RUNS + 1) for index in range(PARAMS)))
        db.executemany("INSERT INTO latest_metrics VALUES (?, ?, 2, ?, 0, ?, 0)", (
            (RUNS + 1, key, BEGIN, index / 7) for index, key in enumerate(metric)))
        db.executemany("INSERT INTO metrics VALUES (?, ?, ?, 0, ?, 0)", ((RUNS + 1, key, BEGIN, index / 7) for index, key in enumerate(metric)))
        db.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)", (
            (RUNS + 1, ids["curve"], BEGIN + step, step, 1 / (step + 1)) for step in range(STEPS)))
        db.execute("INSERT INTO latest_metrics VALUES (?, ?, 2, ?, ?, ?, 0)", (RUNS + 1, ids["curve"], BEGIN + STEPS, STEPS - 1, 1 / STEPS))


def started(directory, port, admin):
    running = Running([str(BINARY), "track", "--project", str(EXAMPLE), "--data", str(directory / "data"), "--port", str(port),
                       "--admin-port", str(admin)], directory / "track.log")

    def healthy():
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
    running.wait(healthy, "answer")
    return running


def milliseconds(connection, path):
    begun = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        sys.exit(f"{path}: {answer.status}\n{body.decode()[:2000]}")
    return (time.perf_counter() - begun) * 1_000, len(body)


def main():
    wide = f"{RUNS + 1:032x}"
    three = "&".join(f"run={seq:032x}" for seq in range(1, 101))
    filtered = urllib.parse.quote("metrics.metric_00003 < 0.5 AND params.param_2 = '4'")
    pages = [
        ("runs, first page", "/experiments/1", "runs_ms"), ("runs by a metric", "/experiments/1?order=metrics.metric_00003%20DESC", "sorted_ms"),
        ("runs by a parameter", "/experiments/1?order=params.param_2", "param_ms"),
        ("runs by name", "/experiments/1?order=attributes.run_name%20DESC", "name_ms"),
        ("runs, filtered", f"/experiments/1?filter={filtered}", "filtered_ms"), ("experiments", "/", "experiments_ms"),
        ("a run of 12,000 metrics", f"/runs/{wide}", "wide_ms"), ("its charts", f"/runs/{wide}/charts", "charts_ms"),
        ("a curve of 10,000 steps", f"/runs/{wide}/charts?q=curve", "curve_ms"), ("runs, the wide one", "/experiments/2", "wide_table_ms"),
        ("100 runs compared", f"/compare?{three}", "compare_ms"), ("scatter of 100 runs", f"/compare?{three}&view=scatter", "scatter_ms"),
        ("system", "/system", "system_ms"),
    ]
    report = Report("pages", "100,000 runs × 20 metrics; a run of 12,000 metrics")
    with scratch() as directory:
        port, admin = free_ports(2)
        progress("filling the database")
        started(directory, port, admin).stop()
        fill(directory / "data/tracking.sqlite")
        running = started(directory, port, admin)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for name, path, threshold in pages:
            milliseconds(connection, path)
            found = [milliseconds(connection, path) for _ in range(ROUNDS * 4)]
            report.add(name, [one for one, _ in found], "ms", threshold=threshold, judge=statistics.median)
            report.note(f"{'':4}{found[0][1] / 1_000:.0f} KB")
        report.add("resident at the end", [running.memory()], "MB", threshold="resident_mb", judge=max)
        running.stop()
    report.end()


main()
