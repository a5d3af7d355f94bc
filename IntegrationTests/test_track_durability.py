"""What was acknowledged is there: many writers, kills, backups taken meanwhile, and what is removed for good."""

import concurrent.futures
import os
import random
import sqlite3
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
