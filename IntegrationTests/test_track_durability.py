"""What was acknowledged is there: many writers, kills, backups taken meanwhile, and what is removed for good."""

import concurrent.futures
import json
import os
import resource
import sqlite3
import struct
import threading
import time

import pytest
import requests

from conftest import CRYPTO, wait_for
from tracking import API, Writer, start

WRITERS, SECONDS = 8, float(os.environ.get("MLOPS_WRITER_SECONDS", "6"))


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
    """It holds every batch that was acknowledged before, no half of any, and no table that is ahead of another."""
    process, url = start(mlops)
    writer = Writer(url, 1)
    stop = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        working = pool.submit(writer.work, stop)
        wait_for(lambda: writer.step > 30, "some steps", process=process)
        acknowledged = set(writer.metrics)
        mlops.run("track", "backup", tmp_path / "copy.sqlite")
        after = writer.step
        wait_for(lambda: writer.step > after + 2, "steps after the backup", process=process)
        stop.set()
        working.result()
    copy = sqlite3.connect(tmp_path / "copy.sqlite")
    assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert copy.execute("PRAGMA journal_mode").fetchall() == [("delete",)], "no log beside it"
    found = copy.execute("SELECT n.name, m.step, m.value FROM metrics m JOIN names n ON n.id = m.key").fetchall()
    # What has not found its place in the histories yet: key, time, step and value of each observation.
    names = dict(copy.execute("SELECT id, name FROM names"))
    for points, in copy.execute("SELECT points FROM metric_batches"):
        found += [(names[key], step, value) for key, _, step, value in struct.iter_unpack("<qqqd", points)]
    assert acknowledged <= set(found) < writer.metrics, "a moment between the first step and the last"
    last = max(step for _, step, _ in found)
    assert sorted(found) == sorted(point for point in writer.metrics if point[1] <= last), "all of a batch or nothing"
    latest = copy.execute("SELECT n.name, m.step FROM latest_metrics m JOIN names n ON n.id = m.key").fetchall()
    assert dict(latest) == {name: max(step for key, step, _ in found if key == name) for name, _, _ in found}
    params = {key for key, in copy.execute("SELECT n.name FROM params p JOIN names n ON n.id = p.key")}
    assert params == {f"p{step}" for step in range(5, last + 1, 5)}
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


def test_gc_keeps_what_a_registered_version_refers_to(mlops):
    process, url = start(mlops)
    served, gone = [Writer(url, number) for number in (1, 2)]
    for writer in (served, gone):
        path = f"{url}/api/2.0/mlflow-artifacts/artifacts/0/{writer.run}/artifacts/model/MLmodel"
        assert requests.put(path, data=b"x", timeout=10).status_code == 200
    served.post("registered-models/create", {"name": "m"})
    served.post("model-versions/create", {"name": "m", "source": f"runs:/{served.run}/model", "run_id": served.run})
    for writer in (served, gone):
        writer.post("runs/delete", {"run_id": writer.run})
    said = mlops.run("track", "gc").stdout
    assert "removed 0 experiments, 1 runs" in said and "kept 1 that were deleted" in said and f"kept: {served.run}" in said
    folders = mlops.data / "artifacts/0"
    assert (folders / served.run / "artifacts/model/MLmodel").exists() and not list((folders / gone.run).rglob("MLmodel"))
    lineage = requests.get(url + API + "model-versions/lineage", params={"name": "m", "version": 1}, timeout=10).json()
    assert lineage["run"]["info"]["run_id"] == served.run


def test_commands_beside_a_server_of_another_version_change_nothing(mlops, tmp_path):
    """As an upgrade leaves it for a while: the server of one version, the commands of another."""
    process, _ = start(mlops)
    assert mlops.terminate(process) == 0
    with sqlite3.connect(mlops.data / "tracking.sqlite") as database:
        database.execute("DELETE FROM migrations WHERE name = 'webhooks-1'")
        database.execute("DROP TABLE webhooks")
    for command in (["gc"], ["gc", "--dry-run"], ["export", "--out", tmp_path / "out"], ["token", "create", "--name", "a", "--role", "admin"],
                    ["token", "list"], ["token", "revoke", "a"], ["import", "--from-mlflow", f"sqlite:{mlops.data}/tracking.sqlite"]):
        refused = mlops.run("track", *command, status=None)
        assert refused.returncode == 78 and "webhooks-1" in refused.stderr and "older" in refused.stderr, command
    assert not (tmp_path / "out").exists()
    mlops.run("track", "backup", tmp_path / "copy.sqlite")
    for file in (mlops.data / "tracking.sqlite", tmp_path / "copy.sqlite"):
        assert ("webhooks-1",) not in sqlite3.connect(file).execute("SELECT name FROM migrations").fetchall(), "nobody has migrated it"
    start(mlops)
    assert "0 experiments" in mlops.run("track", "gc").stdout


def test_an_export_holds_every_observation(mlops, tmp_path):
    process, url = start(mlops)
    writer = Writer(url, 1)
    writer.work(time.monotonic() + 0.5)
    mlops.run("track", "export", "--out", tmp_path / "out")
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


def test_a_full_disk_is_told_and_leaves_nothing_half_written(mlops):
    """Full for every file at 6 MB: for a process that may write no more it is the same."""
    process, url = start(mlops)
    run = requests.post(url + API + "runs/create", json={}, timeout=10).json()["run"]["info"]["run_id"]
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (6 << 20, hard))
    upload = f"{url}/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/big"
    refused = requests.put(upload, data=b"x" * (20 << 20), timeout=60)
    assert refused.status_code == 503 and "large" in refused.json()["message"]
    assert not [name for name in (mlops.data / "artifacts").rglob("*") if name.is_file()]
    kept = 0
    for batch in range(400):
        points = [{"key": f"{batch}-{n}", "value": n, "timestamp": 1, "step": 0} for n in range(1000)]
        answer = requests.post(url + API + "runs/log-batch", json={"run_id": run, "metrics": points}, timeout=60)
        if answer.status_code != 200:
            break
        kept += 1
    assert answer.status_code == 503 and answer.json()["error_code"] == "TEMPORARILY_UNAVAILABLE"

    def stored():
        return len(requests.get(url + API + "runs/get", params={"run_id": run}, timeout=60).json()["run"]["data"]["metrics"])

    assert 0 < stored() == kept * 1000
    # As soon as there is room again, everything goes on.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    assert requests.post(url + API + "runs/log-batch", json={"run_id": run, "metrics": points}, timeout=60).status_code == 200
    assert requests.put(upload, data=b"x" * (20 << 20), timeout=60).status_code == 200
    assert stored() == kept * 1000 + 1000
    assert mlops.terminate(process) == 0
