"""What an MLflow server has comes over, from its database file or over HTTP: whole, once, and again what is missing."""

import http.server
import sqlite3
import threading
import time

import pytest
import requests

from conftest import Mlops
from tracking import API, Writer, start

THEIRS = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT, artifact_location TEXT, lifecycle_stage TEXT, creation_time INT, last_update_time INT);
CREATE TABLE experiment_tags (key TEXT, value TEXT, experiment_id INT);
CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, user_id TEXT, status TEXT, start_time INT, end_time INT, lifecycle_stage TEXT,
    artifact_uri TEXT, experiment_id INT, deleted_time INT);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE metrics (key TEXT, value FLOAT, timestamp INT, run_uuid TEXT, step INT, is_nan BOOLEAN);
CREATE TABLE latest_metrics (key TEXT, value FLOAT, timestamp INT, step INT, is_nan BOOLEAN, run_uuid TEXT);
CREATE TABLE registered_models (name TEXT, creation_time INT, last_updated_time INT, description TEXT);
CREATE TABLE registered_model_tags (key TEXT, value TEXT, name TEXT);
CREATE TABLE registered_model_aliases (alias TEXT, version INT, name TEXT);
CREATE TABLE model_versions (name TEXT, version INT, creation_time INT, last_updated_time INT, description TEXT, user_id TEXT,
    current_stage TEXT, source TEXT, run_id TEXT, run_link TEXT);
CREATE TABLE model_version_tags (key TEXT, value TEXT, name TEXT, version INT);
INSERT INTO experiments VALUES (0, 'Default', 'mlflow-artifacts:/0', 'active', 1, 1), (7, 'taxi', 'mlflow-artifacts:/7', 'active', 2, 3);
INSERT INTO experiment_tags VALUES ('team', 'a', 7);
INSERT INTO runs VALUES ('abc', 'first', 'ann', 'FINISHED', 10, 20, 'active', 'mlflow-artifacts:/7/abc/artifacts', 7, NULL),
    ('def', 'second', 'ann', 'RUNNING', 11, NULL, 'deleted', 'mlflow-artifacts:/0/def/artifacts', 0, 12);
INSERT INTO params VALUES ('lr', '0.1', 'abc');
INSERT INTO tags VALUES ('mlflow.runName', 'first', 'abc');
INSERT INTO metrics VALUES ('m', 0.1, 1, 'abc', 0, 0), ('m', 0.30000000000000004, 2, 'abc', 1, 0), ('n', 0, 2, 'abc', 1, 1);
INSERT INTO latest_metrics VALUES ('m', 0.30000000000000004, 2, 1, 0, 'abc'), ('n', 0, 2, 1, 1, 'abc');
INSERT INTO registered_models VALUES ('taxi-model', 5, 6, 'd');
INSERT INTO registered_model_aliases VALUES ('champion', 2, 'taxi-model');
INSERT INTO model_versions VALUES ('taxi-model', 2, 5, 6, 'v', 'ann', 'Production', 'mlflow-artifacts:/7/abc/artifacts/model', 'abc', '');
INSERT INTO model_version_tags VALUES ('k', 'v', 'taxi-model', 2);
"""


def test_an_import_takes_over_runs_histories_the_registry_and_files(mlops, tmp_path):
    """The tables are those of an MLflow server, as far as they are read."""
    with sqlite3.connect(tmp_path / "mlflow.db") as theirs:
        theirs.executescript(THEIRS)
    files = tmp_path / "mlartifacts/7/abc/artifacts/model"
    files.mkdir(parents=True)
    (files / "MLmodel").write_text("x: 1")
    command = ["track", "import", "--from-mlflow", f"sqlite:{tmp_path / 'mlflow.db'}", "--artifacts", tmp_path / "mlartifacts"]
    assert "1 experiments, 2 runs, 3 observations, 1 models, 1 versions, 0 traces, 1 files" in mlops.run(*command).stdout
    assert "0 experiments, 0 runs, 0 observations, 0 models, 0 versions, 0 traces, 0 files" in mlops.run(*command).stdout
    process, url = start(mlops)

    def get(route, **query):
        return requests.get(url + API + route, params=query, timeout=10).json()

    taxi = get("experiments/get-by-name", experiment_name="taxi")["experiment"]
    assert taxi["tags"] == [{"key": "team", "value": "a"}] and taxi["creation_time"] == 2
    run = get("runs/get", run_id="abc")["run"]
    assert run["info"]["experiment_id"] == taxi["experiment_id"] and run["info"]["run_name"] == "first" and run["info"]["end_time"] == 20
    assert run["data"]["params"] == [{"key": "lr", "value": "0.1"}]
    values = {metric["key"]: metric["value"] for metric in run["data"]["metrics"]}
    assert values == {"m": 0.30000000000000004, "n": "NaN"}
    assert [point["value"] for point in get("metrics/get-history", run_id="abc", metric_key="m")["metrics"]] == [0.1, 0.30000000000000004]
    assert get("runs/get", run_id="def")["run"]["info"]["lifecycle_stage"] == "deleted"
    version = get("registered-models/alias", name="taxi-model", alias="champion")["model_version"]
    assert version["version"] == "2" and version["current_stage"] == "Production"
    assert version["source"] == run["info"]["artifact_uri"] + "/model"
    path = run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    assert requests.get(f"{url}/api/2.0/mlflow-artifacts/artifacts/{path}/model/MLmodel", timeout=10).text == "x: 1"
    assert "is not the database" in mlops.run("track", "import", "--from-mlflow", f"sqlite:{mlops.data}/tracking.lock", status=None).stderr


def test_an_import_over_http_asks_the_other_server_itself(mlops, tmp_path):
    """Ours speaks the same protocol, so it can be the other server."""
    process, url = start(mlops)
    writers = [Writer(url, number) for number in (1, 2)]
    for writer in writers:
        writer.work(time.monotonic() + 0.3)
    run = writers[0].run
    requests.put(f"{url}/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/d/f.bin", data=b"\0\1", timeout=10)
    dataset = {"name": "d", "digest": "1", "source_type": "local", "source": "x"}
    writers[0].post("runs/log-inputs", {"run_id": run, "datasets": [{"dataset": dataset, "tags": [{"key": "mlflow.data.context", "value": "t"}]}]})
    writers[0].post("registered-models/create", {"name": "m", "tags": [{"key": "a", "value": "b"}]})
    writers[0].post("model-versions/create", {"name": "m", "source": f"runs:/{run}/d", "run_id": run})
    writers[0].post("registered-models/alias", {"name": "m", "alias": "champion", "version": "1"})
    (tmp_path / "other").mkdir()
    ours = Mlops(tmp_path / "other")
    said = ours.run("track", "import", "--from-mlflow", url).stdout
    points = sum(len(writer.metrics) for writer in writers)
    assert f"0 experiments, 2 runs, {points} observations, 1 models, 1 versions, 0 traces, 1 files" in said
    try:
        _, copy = start(ours)
        for writer in writers:
            there, here = (requests.get(base + API + "runs/get", params={"run_id": writer.run}, timeout=10).json() for base in (url, copy))
            assert there == here
        alias = requests.get(copy + API + "registered-models/alias", params={"name": "m", "alias": "champion"}, timeout=10).json()
        assert alias["model_version"]["run_id"] == run
        assert (ours.data / f"artifacts/0/{run}/artifacts/d/f.bin").read_bytes() == b"\0\1"
        assert not list(ours.data.glob("import-*"))
    finally:
        ours.stop_all()


@pytest.fixture
def door():
    """A way to another server that refuses the paths it is told to, once each."""

    class Door(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            refused = next((path for path in self.server.refuses if path in self.path), None)
            if refused:
                self.server.refuses.remove(refused)
                return self.answer(403, b'{"error_code": "PERMISSION_DENIED", "message": "not now"}')
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.server.asked.append(self.path)
            there = requests.request(self.command, self.server.to + self.path, data=body, headers={"content-type": "application/json"}, timeout=60)
            return self.answer(there.status_code, there.content)

        do_POST = do_GET

        def answer(self, status, body):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    made.refuses, made.asked, made.to = [], [], ""
    made.url = f"http://127.0.0.1:{made.server_port}"
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()


def test_files_that_could_not_be_fetched_come_over_the_next_time(mlops, tmp_path, door):
    _, door.to = start(mlops)
    run = requests.post(door.to + API + "runs/create", json={}, timeout=10).json()["run"]["info"]["run_id"]
    files = {f"{folder}/f{number}.bin": f"{folder}{number}".encode() for folder in ("a", "a/b", "c") for number in range(2)}
    for path, content in files.items():
        requests.put(f"{door.to}/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/{path}", data=content, timeout=10)
    (tmp_path / "other").mkdir()
    ours = Mlops(tmp_path / "other")
    command = ["track", "import", "--from-mlflow", door.url]
    # A file and the whole of another folder.
    door.refuses = [f"artifacts/0/{run}/artifacts/a/f1.bin", f"path=0%2F{run}%2Fartifacts%2Fc"]
    first = ours.run(*command, status=1)
    assert "1 runs" in first.stdout and "3 files" in first.stdout and first.stdout.count("not fetched: ") == 2
    assert "2 files or folders" in first.stderr
    root = ours.data / f"artifacts/0/{run}/artifacts"
    (root / "a/f0.bin").write_bytes(b"ours by now")
    assert door.refuses == []
    door.asked.clear()
    second = ours.run(*command)
    assert "0 runs" in second.stdout and "3 files" in second.stdout and "not fetched" not in second.stdout
    assert len([path for path in door.asked if path.endswith(".bin")]) == 3, "what is here is not fetched again"
    assert {path: (root / path).read_bytes() for path in files} == {**files, "a/f0.bin": b"ours by now"}
    assert "0 files" in ours.run(*command).stdout


def test_files_that_nobody_could_reach_come_over_once_their_folder_is_named(mlops, tmp_path):
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.executescript(THEIRS)
    (tmp_path / "mlartifacts/7/abc/artifacts").mkdir(parents=True)
    (tmp_path / "mlartifacts/7/abc/artifacts/x.txt").write_text("x")
    command = ["track", "import", "--from-mlflow", f"sqlite:{tmp_path / 'mlflow.db'}"]
    first = mlops.run(*command).stdout
    assert "2 runs" in first and "0 files" in first and "not found: mlflow-artifacts:/7/abc/artifacts" in first
    second = mlops.run(*command, "--artifacts", tmp_path / "mlartifacts").stdout
    assert "0 runs" in second and "1 files" in second


def test_a_server_goes_on_answering_while_an_import_runs(mlops, tmp_path):
    """More than one transaction's worth comes over beside a server that writes."""
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.executescript(THEIRS)
        for number in range(1000):
            database.execute("INSERT INTO runs VALUES (?, 'n', 'ann', 'FINISHED', ?, 20, 'active', '', 7, NULL)", (f"r{number}", number))
            database.executemany("INSERT INTO metrics VALUES ('m', ?, ?, ?, ?, 0)", [(i / 7, i, f"r{number}", i) for i in range(20)])
            database.execute("INSERT INTO latest_metrics VALUES ('m', ?, 19, 19, 0, ?)", (19 / 7, f"r{number}"))
    process, url = start(mlops)
    writer = Writer(url, 1)
    stop = threading.Event()
    thread = threading.Thread(target=writer.work, args=(stop,))
    thread.start()
    try:
        said = mlops.run("track", "import", "--from-mlflow", f"sqlite:{tmp_path / 'mlflow.db'}").stdout
    finally:
        stop.set()
        thread.join()
    assert "1002 runs, 20003 observations" in said
    assert writer.refused == 0 and writer.step > 0
    taxi = requests.get(url + API + "experiments/get-by-name", params={"experiment_name": "taxi"}, timeout=10).json()["experiment"]["experiment_id"]
    found = requests.post(url + API + "runs/search", json={"experiment_ids": [taxi], "max_results": 2000}, timeout=60).json()["runs"]
    assert len(found) == 1001 and sum(len(run["data"].get("metrics", [])) for run in found) == 1002
