#!/usr/bin/env python3
"""`mlops track` beside `mlflow server`, one keep-alive connection, the same requests in turns; then 100,000 runs × 20 metrics.

What is timed is the exchange: each request is sent as one piece of bytes, each answer is read whole, and only answers that are
compared are parsed. Both servers get the same bytes from the same plain socket: a client in Python that builds JSON and reads
header fields takes about as long as the faster server, and would be measured with it.
BENCH_MLFLOW names the folder with the peer's `mlflow` program. Its own server has one worker and no job runner.
"""

import contextlib
import http.client
import json
import os
import pathlib
import socket
import sqlite3
import sys
import time

from bench import BINARY, EXAMPLE, ROUNDS, Report, Running, free_ports, pinned, processors, progress, scratch

MLFLOW = pathlib.Path(os.environ.get("BENCH_MLFLOW", "/nonexistent"))
API = "/api/2.0/mlflow/"
RUNS = 10_000
MANY = 100_000
SHARE = 0.5  # Seconds that each operation is repeated for, per round and server.


def encoded(method, path, body=None, text=None):
    """The bytes of a request with a body as JSON, or as the text of it."""
    content = (json.dumps(body) if text is None else text).encode() if body or text else b""
    kind = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n" if content else ""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n{kind}\r\n".encode() + content


class Server:
    def __init__(self, running, port):
        self.running, self.port = running, port
        self.connection = None

    def ask(self, request):
        """The body of the answer to the bytes of a request."""
        if self.connection is None:
            self.connection = socket.create_connection(("127.0.0.1", self.port), timeout=120)
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.sendall(request)
        answer = self.connection.recv(1 << 18)
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self.more(answer)
        length = answer.lower().find(b"\r\ncontent-length:", 0, end)
        if not answer.startswith(b"HTTP/1.1 200") or length < 0:
            sys.exit(f"{request[:200]}: {answer[:600]}")
        missing = end + 4 + int(answer[length + 17:answer.find(b"\r\n", length + 2)]) - len(answer)
        parts = [answer[end + 4:]]
        while missing > 0:
            parts.append(self.more(answer))
            missing -= len(parts[-1])
        return b"".join(parts)

    def more(self, answer):
        part = self.connection.recv(1 << 18)
        if not part:
            sys.exit(f"the connection ended within {answer[:300]}")
        return part

    def call(self, method, path, body=None):
        return json.loads(self.ask(encoded(method, path, body)))

    def post(self, route, body):
        return self.call("POST", API + route, body)

    def is_up(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    def prepare(self):
        """An experiment to search; a run with fifty parameters and metrics to get, one to log to."""
        self.experiment = self.post("experiments/create", {"name": "bench"})["experiment_id"]
        self.logs = self.post("experiments/create", {"name": "logs"})["experiment_id"]
        self.wide = self.post("experiments/create", {"name": "wide"})["experiment_id"]
        self.run = self.post("runs/create", {"experiment_id": self.logs})["run"]["info"]["run_id"]
        self.post("runs/log-batch", {
            "run_id": self.run, "params": [{"key": f"p{n}", "value": str(n)} for n in range(50)],
            "metrics": [{"key": f"m{n}", "value": n, "timestamp": 1, "step": 0} for n in range(50)]})
        self.target = self.post("runs/create", {"experiment_id": self.logs})["run"]["info"]["run_id"]
        self.step = 0
        self.prepare_requests()

    def prepare_requests(self):
        """The bytes that are sent again and again; `STEP` in a text stands for a number that grows."""
        def post(route, body):
            return encoded("POST", API + route, body)

        def search(**more):
            return post("runs/search", {"experiment_ids": [self.experiment], "max_results": 100, **more})

        conditions = "metrics.rmse > 0.5 AND params.lr = '3'"
        point = {"timestamp": "STEP", "step": "STEP"}
        self.metric = json.dumps({"run_id": self.target, "key": "loss", "value": 0.5, **point}).replace('"STEP"', "STEP")
        self.batch = json.dumps({"run_id": self.target, "metrics": [
            {"key": f"k{n}", "value": n / 7, **point} for n in range(100)]}).replace('"STEP"', "STEP")
        self.creation = post("runs/create", {"experiment_id": self.logs, "start_time": 1})
        self.reading = encoded("GET", f"{API}runs/get?run_id={self.run}")
        self.ordering, self.filtering = search(order_by=["metrics.rmse ASC"]), search(filter=conditions)
        self.wide_filtering = search(experiment_ids=[self.wide], filter=conditions)

    def log(self, route, text):
        self.step += 1
        self.ask(encoded("POST", API + route, text=text.replace("STEP", str(self.step))))

    def log_metric(self):
        self.log("runs/log-metric", self.metric)

    def log_batch(self):
        self.log("runs/log-batch", self.batch)

    def create_run(self):
        self.ask(self.creation)

    def get_run(self):
        self.ask(self.reading)

    def by_metric(self):
        return self.ask(self.ordering)

    def filtered(self):
        return self.ask(self.filtering)

    def search_wide(self):
        return self.ask(self.wide_filtering)


def found(text):
    """What a search answered: the metric of each run, in order."""
    return [next(metric["value"] for metric in run["data"]["metrics"] if metric["key"] == "rmse") for run in json.loads(text)["runs"]]


def content(server):
    """What getting a run answered: its values."""
    data = json.loads(server.ask(server.reading))["run"]["data"]
    return {kind: {pair["key"]: pair["value"] for pair in data[kind]} for kind in ("metrics", "params")}


def has_all(server):
    """Whether what was answered last is there, with all that was logged beside it."""
    metrics = server.call("GET", f"{API}runs/get?run_id={server.target}")["run"]["data"]["metrics"]
    history = server.call("GET", f"{API}metrics/get-history?run_id={server.target}&metric_key=k0")["metrics"]
    logged = {metric["key"]: metric["step"] for metric in metrics}
    return logged["k0"] == server.step and len(logged) == 101 and len(history) == server.step - logged["loss"]


OPERATIONS = [
    ("log_metric", Server.log_metric, "times_log_metric"), ("log_batch of 100", Server.log_batch, "times_log_batch"),
    ("create_run", Server.create_run, "times_create_run"), ("get_run, 50 + 50", Server.get_run, "times_get_run"),
    ("10,000 runs by a metric", Server.by_metric, "times_search_metric"), ("10,000 runs filtered", Server.filtered, "times_search_filter"),
]
WIDE_OPERATIONS = [("10,000 runs of 20 + 10 filtered", Server.search_wide, "times_search_wide")]


def rate(operation, server):
    """Operations per second, over at least SHARE seconds and one of them."""
    begun, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - begun < SHARE:
        operation(server)
        count += 1
    return count / (time.perf_counter() - begun)


def compare(report, operations, own, peer):
    for name, operation, threshold in operations:
        rates = {own: [], peer: []}
        for turn in range(ROUNDS):
            progress(f"{name}, round {turn + 1} of {ROUNDS}")
            for server, samples in rates.items():
                samples.append(rate(operation, server))
        report.add(f"{name}: mlops track", rates[own], "ops/s")
        report.add(f"{name}: mlflow server", rates[peer], "ops/s")
        report.ratio(f"{name}: mlops ÷ mlflow", rates[own], rates[peer], threshold=threshold)


def start_own(directory, processor, data):
    port, admin = free_ports(2)
    running = Running(
        pinned(processor, BINARY, "track", "--project", EXAMPLE, "--data", data, "--port", port, "--admin-port", admin),
        directory / f"track-{port}.log")
    server = Server(running, port)
    _, server.started = running.wait(server.is_up, "/health")
    return server


def start_peer(directory, processor):
    (port,) = free_ports(1)
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    running = Running(
        pinned(processor, MLFLOW / "mlflow", "server", "--backend-store-uri", f"sqlite:///{directory}/mlflow.db", "--artifacts-destination",
               directory / "mlartifacts", "--port", port, "--workers", "1"), directory / "mlflow.log")
    server = Server(running, port)
    _, server.started = running.wait(server.is_up, "/health of mlflow", seconds=180)
    return server


def value(number):
    return (number * 7919 % 10007) / 10007


NARROW = 0, ["rmse", "mae"], ["lr"]
WIDE = RUNS, ["rmse", "mae", *(f"metric{n}" for n in range(18))], ["lr", *(f"param{n}" for n in range(9))]


def fill_own(path, experiment, first, metrics, params):
    """10,000 runs with these values, straight into the database: over HTTP the peer takes minutes. `first` numbers their ids."""
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.executemany("INSERT OR IGNORE INTO names (name) VALUES (?)", ((name,) for name in metrics + params))
        name = dict(database.execute("SELECT name, id FROM names"))
        seq = database.execute("SELECT max(seq) FROM runs").fetchone()[0] + 1
        columns = "(seq, id, experiment, name, user, status, start_time, artifact_uri)"
        database.executemany(f"INSERT INTO runs {columns} VALUES (?, ?, ?, 'r', '', 'FINISHED', ?, '')", (
            (seq + n, f"{first + n:032x}", experiment, 1_700_000_000_000 + n) for n in range(RUNS)))
        database.executemany("INSERT INTO params VALUES (?, ?, ?)", (
            (seq + n, name[key], str(n % 10)) for n in range(RUNS) for key in params))
        database.executemany("INSERT INTO metrics (run, key, timestamp, step, value, is_nan) VALUES (?, ?, 1, 0, ?, 0)", (
            (seq + n, name[key], value(n)) for n in range(RUNS) for key in metrics))
        columns = "(run, key, experiment, timestamp, step, value, is_nan)"
        database.executemany(f"INSERT INTO latest_metrics {columns} VALUES (?, ?, ?, 1, 0, ?, 0)", (
            (seq + n, name[key], experiment, value(n)) for n in range(RUNS) for key in metrics))


def fill_peer(path, experiment, first, metrics, params):
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        columns = "(run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, lifecycle_stage, artifact_uri, experiment_id)"
        database.executemany(f"INSERT INTO runs {columns} VALUES (?, 'r', 'UNKNOWN', '', '', '', 'FINISHED', ?, 'active', '', ?)", (
            (f"{first + n:032x}", 1_700_000_000_000 + n, experiment) for n in range(RUNS)))
        database.executemany("INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)", (
            (key, str(n % 10), f"{first + n:032x}") for n in range(RUNS) for key in params))
        for table in ("metrics", "latest_metrics"):
            columns = "(key, value, timestamp, step, is_nan, run_uuid)"
            database.executemany(f"INSERT INTO {table} {columns} VALUES (?, ?, 1, 0, 0, ?)", (
                (key, value(n), f"{first + n:032x}") for n in range(RUNS) for key in metrics))


def restarted(server, fill, path, begin, runs=NARROW):
    """The same server over a database with the runs in it."""
    server.running.stop(may_fail=True)
    fill(path, server.experiment if runs is NARROW else server.wide, *runs)
    fresh = begin()
    for name in ("experiment", "logs", "wide", "run", "target", "step"):
        setattr(fresh, name, getattr(server, name))
    fresh.prepare_requests()
    return fresh


def many_runs(path):
    """100,000 runs × 20 metrics, straight into the database of a server that is not running."""
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO names (name) VALUES " + ",".join(f"('metric{n}')" for n in range(20)))
        keys = [key for (key,) in database.execute("SELECT id FROM names WHERE name LIKE 'metric%' ORDER BY id")]
        first = (database.execute("SELECT max(seq) FROM runs").fetchone()[0] or 0) + 1
        columns = "(seq, id, experiment, name, user, status, start_time, artifact_uri)"
        database.executemany(f"INSERT INTO runs {columns} VALUES (?, ?, 0, ?, '', 'FINISHED', ?, '')", (
            (first + n, f"{n:032x}", f"r{n}", 1_600_000_000_000 + n) for n in range(MANY)))
        points = ((first + n, key, 0, 1, 0, (n * 7919 + key * 31) % 100_003 / 7, 0) for n in range(MANY) for key in keys)
        database.executemany("INSERT INTO latest_metrics (run, key, experiment, timestamp, step, value, is_nan) VALUES (?,?,?,?,?,?,?)", points)


def page(server, **more):
    """Milliseconds of one page of 100 runs at the server, the answer's reading left out."""
    request = encoded("POST", API + "runs/search", {"experiment_ids": ["0"], "max_results": 100, **more})
    begun = time.perf_counter()
    text = server.ask(request)
    seconds = time.perf_counter() - begun
    if len(json.loads(text)["runs"]) != 100:
        sys.exit(f"not a page: {text[:200]}")
    return seconds * 1e3


def large(report, directory, processor):
    data = directory / "large"
    server = start_own(directory, processor, data)
    server.running.stop()
    many_runs(data / "tracking.sqlite")
    server = start_own(directory, processor, data)
    server.call("GET", API + "experiments/get?experiment_id=0")
    kinds = [("first page", {}, "page_ms"), ("by a metric", {"order_by": ["metrics.metric3 DESC"]}, "metric_page_ms"),
             ("by a metric, filtered", {"order_by": ["metrics.metric3"], "filter": "metrics.metric5 > 100"}, "filtered_page_ms")]
    for name, more, threshold in kinds:
        report.add(f"100,000 runs × 20: {name}", [page(server, **more) for _ in range(20)], "ms", threshold=threshold)
    report.add("private memory with 100,000 runs", [server.running.memory("RssAnon")], "MB")
    server.running.stop()


def main():
    report = Report("tracking", "one connection, a processor for each server")
    processor, other = processors()
    os.sched_setaffinity(0, {other})
    with scratch() as directory:
        starts = []
        for turn in range(ROUNDS):
            server = start_own(directory, processor, directory / f"start-{turn}")
            starts.append(server.started * 1e3)
            server.running.stop()
        report.add("start to /health", starts, "ms", threshold="start_ms")
        own, peer = start_own(directory, processor, directory / "data"), start_peer(directory, processor)
        progress("filling both databases")
        for server in (own, peer):
            server.prepare()
        def both(own, peer, runs):
            return (
                restarted(own, fill_own, directory / "data/tracking.sqlite", lambda: start_own(directory, processor, directory / "data"), runs),
                restarted(peer, fill_peer, directory / "mlflow.db", lambda: start_peer(directory, processor), runs))

        own, peer = both(own, peer, NARROW)
        same = all(found(search(own)) == found(search(peer)) for search in (Server.by_metric, Server.filtered))
        compare(report, OPERATIONS, own, peer)
        same = same and content(own) == content(peer) and has_all(own) and has_all(peer)
        memory = [(kind, field, own.running.memory(field), peer.running.memory(field)) for kind, field in (
            ("private memory", "RssAnon"), ("resident, with the program's own files", "VmRSS"))]
        own, peer = both(own, peer, WIDE)
        same = same and found(own.search_wide()) == found(peer.search_wide())
        report.add("answers that are the same", [1.0 if same else 0.0], "×", threshold="share_equal", judge=min)
        compare(report, WIDE_OPERATIONS, own, peer)
        for kind, field, mine, theirs in memory:
            report.add(f"mlops track, {kind}", [mine], "MB", threshold="resident_mb" if field == "VmRSS" else None)
            report.add(f"mlflow server's first process, {kind}", [theirs], "MB")
        own.running.stop()
        peer.running.stop(may_fail=True)
        large(report, directory, processor)
    report.end()


if __name__ == "__main__":
    main()
