"""What was acknowledged is there: many writers, kills, backups taken meanwhile, and what is removed for good."""

import concurrent.futures
import os
import random
import sqlite3
import subprocess
import time

import pytest
import requests

from conftest import CRYPTO, is_up

API = "/api/2.0/mlflow/"
WRITERS, SECONDS = 8, float(os.environ.get("MLOPS_WRITER_SECONDS", "6"))


def start(mlops, port="0"):
    process = mlops.start("track", "--project", CRYPTO, "--port", port, "--admin-port", "0")
    url = mlops.endpoint()
    is_up(url + "/health", process)
    return process, url


class Writer:
    """Logs to a run of its own and remembers what the server acknowledged."""

    def __init__(self, url, number):
        self.url, self.number, self.session = url, number, requests.Session()
        self.random = random.Random(number)
        self.run = self.post("runs/create", {"run_name": f"w{number}"}).json()["run"]["info"]["run_id"]
        self.metrics, self.params, self.step = set(), {}, 0

    def post(self, route, body):
        answer = self.session.post(self.url + API + route, json=body, timeout=10)
        answer.raise_for_status()
        return answer

    def work(self, until):
        while time.monotonic() < until:
            self.step += 1
            points = [(f"m{self.random.randrange(4)}", self.step, self.random.random()) for _ in range(self.random.choice([1, 1, 20, 100]))]
            params = {f"p{self.step}": str(self.step)} if self.step % 5 == 0 else {}
            body = {"run_id": self.run, "metrics": [{"key": k, "value": v, "timestamp": self.step, "step": s} for k, s, v in points],
                    "params": [{"key": k, "value": v} for k, v in params.items()]}
            try:
                self.post("runs/log-batch", body)
            except requests.RequestException:
                time.sleep(0.05)
                continue
            self.metrics.update(points)
            self.params.update(params)


def test_eight_writers_and_a_kill_in_the_middle_lose_nothing_that_was_acknowledged(mlops):
    process, url = start(mlops)
    port = url.rsplit(":", 1)[1]
    writers = [Writer(url, number) for number in range(WRITERS)]
    until = time.monotonic() + SECONDS
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        working = [pool.submit(writer.work, until) for writer in writers]
        for _ in range(2):
            time.sleep(SECONDS / 3)
            mlops.kill(process)
            (mlops.data / "endpoints.json").unlink(missing_ok=True)
            process, _ = start(mlops, port)
        for each in working:
            each.result()
    assert all(len(writer.metrics) > 50 for writer in writers), "the writers got through"
    for writer in writers:
        found = requests.get(url + API + "runs/get", params={"run_id": writer.run}, timeout=10).json()["run"]["data"]
        assert writer.params.items() <= {p["key"]: p["value"] for p in found.get("params", [])}.items()
        stored = set()
        for key in {key for key, _, _ in writer.metrics}:
            token = None
            while True:
                query = {"run_id": writer.run, "metric_key": key, "max_results": 1000, "page_token": token}
                page = requests.get(url + API + "metrics/get-history", params=query, timeout=10).json()
                stored |= {(m["key"], m["step"], m["value"]) for m in page.get("metrics", [])}
                token = page.get("next_page_token")
                if token is None:
                    break
        assert writer.metrics <= stored
    assert mlops.terminate(process) == 0
    check = sqlite3.connect(mlops.data / "tracking.sqlite").execute("PRAGMA integrity_check").fetchall()
    assert check == [("ok",)]


def test_a_backup_is_whole_while_writers_write(mlops, tmp_path):
    process, url = start(mlops)
    writer = Writer(url, 1)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        working = pool.submit(writer.work, time.monotonic() + 2)
        time.sleep(1)
        mlops.run("track", "backup", tmp_path / "copy.sqlite")
        working.result()
    copy = sqlite3.connect(tmp_path / "copy.sqlite")
    assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    # All of a batch or nothing: each step of the run has a whole number of batches.
    assert copy.execute("SELECT count(*) FROM metrics").fetchone()[0] > 0
    assert mlops.run("track", "backup", tmp_path / "copy.sqlite", status=None).returncode != 0, "a backup replaces nothing"


def test_a_database_of_a_newer_version_is_refused(mlops):
    process, _ = start(mlops)
    assert mlops.terminate(process) == 0
    with sqlite3.connect(mlops.data / "tracking.sqlite") as database:
        database.execute("INSERT INTO migrations VALUES ('tracking-99')")
    refused = mlops.run("track", "--project", CRYPTO, "--port", "0", "--admin-port", "0", status=78)
    assert "tracking-99" in refused.stderr and "newer" in refused.stderr


def test_gc_removes_deleted_runs_with_their_files(mlops):
    process, url = start(mlops)
    kept, gone = [Writer(url, number) for number in (1, 2)]
    for writer in (kept, gone):
        writer.work(time.monotonic() + 0.2)
        path = f"{url}/api/2.0/mlflow-artifacts/artifacts/0/{writer.run}/artifacts/a/b.txt"
        assert requests.put(path, data=b"x", timeout=10).status_code == 200
    gone.post("runs/delete", {"run_id": gone.run})
    assert "would remove 0 experiments, 1 runs" in mlops.run("track", "gc", "--dry-run").stdout
    assert "0 runs" in mlops.run("track", "gc", "--older-than", "1h").stdout
    assert "removed 0 experiments, 1 runs" in mlops.run("track", "gc").stdout
    assert requests.get(url + API + "runs/get", params={"run_id": gone.run}, timeout=10).status_code == 404
    assert requests.get(url + API + "runs/get", params={"run_id": kept.run}, timeout=10).status_code == 200
    folders = mlops.data / "artifacts/0"
    assert (folders / kept.run / "artifacts/a/b.txt").exists() and not list((folders / gone.run).rglob("*.txt"))


def test_an_export_holds_every_observation(mlops, tmp_path):
    process, url = start(mlops)
    writer = Writer(url, 1)
    writer.work(time.monotonic() + 0.5)
    mlops.run("track", "export", "--out", tmp_path / "out")
    import json
    points = {(p["key"], p["step"], p["value"]) for p in map(json.loads, (tmp_path / "out/metrics.jsonl").read_text().splitlines())}
    assert points == writer.metrics


@pytest.mark.parametrize("path", ["..", "../tracking.sqlite", "%2e%2e/tracking.sqlite", "..%2ftracking.sqlite", "%252e%252e%252ftracking.sqlite",
                                  "/etc/passwd", "%2fetc%2fpasswd", "a\\..\\..\\tracking.sqlite", "a%00b", "~root", "file:///etc/passwd"])
def test_no_artifact_path_reads_writes_or_deletes_outside(mlops, path):
    process, url = start(mlops)
    base = url + "/api/2.0/mlflow-artifacts/artifacts"
    before = sorted(os.listdir(mlops.data))
    with requests.Session() as session:
        for method in ("GET", "PUT", "DELETE"):
            request = session.prepare_request(requests.Request(method, base + "/x", data=b"x" if method == "PUT" else None))
            request.url = base + "/" + path
            answer = session.send(request, timeout=10)
            assert b"SQLite format" not in answer.content and b"root:" not in answer.content
            assert answer.status_code < 500
        answer = session.get(base, params={"path": path}, timeout=10)
        assert answer.status_code in (200, 400) and "tracking.sqlite" not in answer.text
    assert sorted(os.listdir(mlops.data)) == before


def test_a_link_out_of_the_artifacts_is_not_followed(mlops):
    process, url = start(mlops)
    folder = mlops.data / "artifacts/0/run"
    folder.mkdir(parents=True)
    (folder / "link").symlink_to("/etc")
    (folder / "file").symlink_to("/etc/passwd")
    base = url + "/api/2.0/mlflow-artifacts/artifacts/0/run/"
    for path in ("link/passwd", "file"):
        assert b"root:" not in requests.get(base + path, timeout=10).content
        assert requests.put(base + "link/mlops-was-here", data=b"x", timeout=10).status_code >= 400
    assert not os.path.exists("/etc/mlops-was-here")


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
    ours = type(mlops)(tmp_path / "other")
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


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk is mounted")
def test_a_full_disk_is_told_and_leaves_nothing_half_written(mlops):
    mlops.data.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", mlops.data], capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        process, url = start(mlops)
        run = requests.post(url + API + "runs/create", json={}, timeout=10).json()["run"]["info"]["run_id"]
        upload = requests.put(f"{url}/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/big", data=b"x" * (20 << 20), timeout=30)
        assert upload.status_code == 503 and "disk" in upload.json()["message"]
        assert not [name for name in (mlops.data / "artifacts").rglob("*") if name.is_file()]
        kept = 0
        for batch in range(400):
            points = [{"key": f"{batch}-{n}", "value": n, "timestamp": 1, "step": 0} for n in range(1000)]
            answer = requests.post(url + API + "runs/log-batch", json={"run_id": run, "metrics": points}, timeout=30)
            if answer.status_code != 200:
                break
            kept += 1
        assert answer.status_code == 503 and answer.json()["error_code"] == "TEMPORARILY_UNAVAILABLE"
        found = requests.get(url + API + "runs/get", params={"run_id": run}, timeout=30).json()["run"]["data"]["metrics"]
        assert len(found) == kept * 1000
        assert mlops.terminate(process) in (0, 1, 74)
    finally:
        mlops.stop_all()
        subprocess.run(["umount", "-l", mlops.data], check=False)
