#!/usr/bin/env python3
"""Predictions of one XGBoost model (100 trees of depth 6), features in the request: `mlops serve` beside a FastAPI service.

Both have one processor; wrk has the other. mlops also checks the request, gives every prediction an identity and writes it to the
`predictions` topic; the peer does none of that. First every row is predicted by both and compared with XGBoost itself. The time
of one prediction without HTTP is what `train` measures of its own evaluator, beside XGBoost's C function and its Python method.
"""

import http.client
import json
import re
import shutil
import subprocess
import sys

from bench import (
    BINARY, EXAMPLE, MODEL, PEERS, ROUNDS, Finished, Report, Running, batches, decoded, free_ports, pinned, processors, progress,
    scratch)

PATH = f"/v1/models/{MODEL}:predict"
CONNECTIONS = [1, 16]
SECONDS = 3
# Longer than a request may take, so that whatever is kept for each has been let go at the end.
SUSTAINED = 40


def project(directory):
    """The example with XGBoost as its only candidate."""
    text = (EXAMPLE / "mlops.yaml").read_text()
    changed = re.sub(r"\n    - \{kind: ridge.*", "", text)
    if changed == text:
        sys.exit("the example has no ridge candidate to leave out")
    directory.mkdir()
    (directory / "mlops.yaml").write_text(changed)
    return directory


def call(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        return json.loads(text) if response.status == 200 else None
    except OSError:
        return None
    finally:
        connection.close()


class Trained:
    """A data directory with two days of features, and a model that is trained as often as one asks."""

    def __init__(self, directory):
        self.options = ["--project", project(directory / "project"), "--data", directory / "data", "--admin-port", "0"]
        self.data = directory / "data"
        self.run("produce", "--once", "--source", "synthetic", "--duration", "2d", "--start", "2026-01-01T00:00:00Z", "--speed", "max")
        self.run("features", "--once")

    def run(self, role, *arguments, environment=None):
        return Finished([str(part) for part in (BINARY, role, *arguments, *self.options)], environment)

    def train(self):
        """Microseconds of one prediction, as the gate measured them; promoted or not does not matter here."""
        known = set(self.data.glob("artifacts/*/*/artifacts/gate.json"))
        self.run("train", environment={"MLOPS_TRAIN_TRIALS": "1", "MLOPS_TRAIN_REFUSAL": "ok"})
        (verdict,) = set(self.data.glob("artifacts/*/*/artifacts/gate.json")) - known
        self.model = verdict.parent / "model"
        return json.loads(verdict.read_text())["latency_us"]


def serving(trained, directory, processor):
    """mlops with the newest version as champion, and the peer with the same file; both ready. Each with its port."""
    track, ours, theirs = free_ports(3)
    tracking = Running([str(part) for part in (BINARY, "track", "--port", track, *trained.options)], directory / "track.log")
    registry = "/api/2.0/mlflow"
    tracking.wait(lambda: call(track, "GET", f"{registry}/experiments/get?experiment_id=0"), "tracking")
    found = call(track, "GET", f"{registry}/model-versions/search?filter=name%3D%27{MODEL}%27")["model_versions"]
    run = trained.model.parent.parent.name
    version = max((int(one["version"]) for one in found if one["run_id"] == run and one["source"].rstrip("/").endswith("model")))
    body = json.dumps({"name": MODEL, "alias": "champion", "version": str(version)})
    if call(track, "POST", f"{registry}/registered-models/alias", body) is None:
        sys.exit(f"no alias for version {version}")
    serve = Running(pinned(processor, BINARY, "serve", "--port", ours, *trained.options), directory / "serve.log")
    peer = Running(pinned(processor, sys.executable, PEERS / "predict.py", trained.model / "model.ubj", theirs), directory / "peer.log")
    first = (directory / "bodies.txt").read_text().splitlines()[0]
    answer, _ = serve.wait(lambda: call(ours, "POST", PATH, first), "prediction")
    if answer["model_version"] != str(version):
        sys.exit(f"version {answer['model_version']} is served instead of {version}")
    peer.wait(lambda: call(theirs, "POST", PATH, first), "prediction")
    return tracking, (serve, ours), (peer, theirs)


def largest_difference(port, bodies, expected):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    worst = 0.0
    for body, value in zip(bodies, expected, strict=True):
        connection.request("POST", PATH, body, {"Content-Type": "application/json"})
        (predicted,) = json.loads(connection.getresponse().read())["predictions"]
        worst = max(worst, abs(predicted - value) / max(abs(value), 1e-30))
    connection.close()
    return worst


def load(processor, port, connections, directory, seconds=SECONDS):
    """(requests/s, latency at 50 %, at 99 % in ms, requests) of one run of wrk in which every request was answered with 200."""
    command = pinned(
        processor, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", PEERS / "bodies.lua", f"http://127.0.0.1:{port}", "--", PATH,
        directory / "bodies.txt")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    requests, duration, errors, half, most = map(int, re.search(r"^figures (.*)$", done.stdout, re.M).group(1).split())
    if errors:
        sys.exit(f"{errors} of {requests} requests failed:\n{done.stdout}")
    return requests * 1e6 / duration, half / 1e3, most / 1e3, requests


def main():
    report = Report("predictions", "one XGBoost model over HTTP, a processor for the service, another for the load")
    if not shutil.which("wrk"):
        report.note("wrk is missing: make bench-deps")
        report.end()
    processor, other = processors()
    with scratch() as directory:
        trained = Trained(directory)
        evaluator, methods, functions = [], [], []
        for turn in range(ROUNDS):
            progress(f"training {turn + 1} of {ROUNDS}")
            evaluator.append(trained.train())
            timed = Finished(pinned(processor, sys.executable, PEERS / "rows.py", trained.model, directory)).text.split()
            methods.append(float(timed[0]))
            functions.append(float(timed[1]))
        report.add("mlops, one row", evaluator, "µs")
        report.add("XGBoost's C function, one row", functions, "µs")
        report.add("XGBoost's inplace_predict, one row", methods, "µs")
        report.ratio("time of the C function ÷ mlops", functions, evaluator, threshold="times_c_function")
        over_http(report, trained, directory, processor, other)
    report.end()


def over_http(report, trained, directory, processor, other):
    bodies = (directory / "bodies.txt").read_text().splitlines()
    expected = json.loads((directory / "expected.json").read_text())
    tracking, ours, theirs = serving(trained, directory, processor)
    report.add(
        f"largest relative difference, {len(bodies)} rows", [largest_difference(ours[1], bodies, expected)],
        threshold="largest_relative_difference", judge=max)
    if largest_difference(theirs[1], bodies, expected) > 1e-6:
        sys.exit("the peer does not predict what XGBoost predicts")
    answered = len(bodies)
    for connections in CONNECTIONS:
        runs = {"mlops": [], "FastAPI": []}
        for turn in range(ROUNDS):
            progress(f"{connections} connections, round {turn + 1} of {ROUNDS}")
            runs["mlops"].append(load(other, ours[1], connections, directory))
            runs["FastAPI"].append(load(other, theirs[1], connections, directory))
        answered += sum(run[3] for run in runs["mlops"])
        show(report, connections, runs)
    progress(f"{SUSTAINED} s of load on each")
    for name, (running, port), threshold in (("serve", ours, "resident_mb"), ("FastAPI", theirs, None)):
        requests = load(other, port, CONNECTIONS[-1], directory, SUSTAINED)[3]
        answered += requests if name == "serve" else 0
        report.add(f"{name}, resident after {SUSTAINED} s of load", [running.memory()], "MB", threshold=threshold, judge=max)
    for running in (ours[0], tracking):
        running.stop()
    theirs[0].stop(may_fail=True)
    # Those of the stream have a key; these have none.
    written = sum(key is None for data in batches(trained.data, "predictions") for key, _, _ in decoded(data))
    report.add("predictions in the log ÷ answered", [written / answered], "×", threshold="share_written", judge=min)


def show(report, connections, runs):
    for name, found in runs.items():
        report.add(f"{name}, {connections} connections", [run[0] for run in found], "requests/s")
    report.ratio(
        f"mlops ÷ FastAPI, {connections} connections", [run[0] for run in runs["mlops"]], [run[0] for run in runs["FastAPI"]],
        threshold=f"times_fastapi_{connections}")
    for name, found in runs.items():
        report.add(f"{name}, {connections} connections, half within", [run[1] for run in found], "ms")
        report.add(f"{name}, {connections} connections, 99 % within", [run[2] for run in found], "ms")


main()
