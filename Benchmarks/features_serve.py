"""Ten features of one entity and of a hundred over HTTP: `mlops features serve` beside `feast serve`, in Feast's protocol.

Both hold the same newest rows: mlops computed them from events in its log, Feast materialised them into its SQLite store. Every
entity's answer is compared before anything is timed. wrk is the load, on the other processor.
"""

import http.client
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys

import pandas

from bench import BINARY, PEERS, ROUNDS, Finished, Report, Running, free_ports, pinned, processors, progress, scratch
from features_join import FEATURES, USERS, write

FEAST = pathlib.Path(os.environ["BENCH_FEAST_PYTHON"])
PATH, SECONDS, BODIES = "/get-online-features", 4, 400
NAMES = [f"a_f{number}" for number in range(FEATURES)]
PROJECT = f"""project: bench
sources: {{rows: {{kind: file, path: events.parquet, stream: rows, map: {{at: event_timestamp}}}}}}
streams:
  rows: {{key: user_id, time: at, fields: {{user_id: int, at: time, {", ".join(f"{name}: double" for name in NAMES)}}}}}
views:
  a: {{from: rows, columns: {{{", ".join(f"{name}: {name}" for name in NAMES)}}}}}
"""


def call(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        return text if response.status == 200 else None
    except OSError:
        return None
    finally:
        connection.close()


def request(entities):
    return json.dumps({"features": [f"a:{name}" for name in NAMES], "entities": {"user_id": entities}})


def answer(port, entities):
    """Values, statuses and times to the second (Feast keeps no finer ones) by feature."""
    found = json.loads(call(port, "POST", PATH, request(entities)))
    results = zip(found["metadata"]["feature_names"], found["results"], strict=True)
    return {
        name: (result["values"], result["statuses"], [time[:19] for time in result["event_timestamps"]]) for name, result in results}


def compare(ours, theirs):
    """Entities for which the two servers say the same."""
    same = 0
    for first in range(0, USERS, 500):
        entities = list(range(first, first + 500))
        a, b = answer(ours, entities), answer(theirs, entities)
        if a != b:
            sys.exit(f"entities {first} to {first + 499}: {str(a)[:400]}\ninstead of\n{str(b)[:400]}")
        same += len(entities)
    return same


def load(processor, port, connections, bodies, directory):
    """(requests/s, latency at 50 % and at 99 % in ms) of one run of wrk in which every request was answered with 200."""
    command = pinned(
        processor, "wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "-s", PEERS / "bodies.lua", f"http://127.0.0.1:{port}", "--", PATH,
        directory / bodies)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    requests, duration, errors, half, most = map(int, re.search(r"^figures (.*)$", done.stdout, re.M).group(1).split())
    if errors:
        sys.exit(f"{errors} of {requests} requests failed:\n{done.stdout}")
    return requests * 1e6 / duration, half / 1e3, most / 1e3


def servers(directory, processor):
    (directory / "mlops.yaml").write_text(PROJECT)
    # A stream has its events as they happened; Feast sorts what it materialises.
    pandas.read_parquet(directory / "view_a.parquet").sort_values("event_timestamp").to_parquet(directory / "events.parquet", index=False)
    options = ["--project", directory, "--data", directory / "data", "--admin-port", "0"]
    for role in (["produce", "--once", "--source", "rows", "--speed", "max"], ["features", "run", "--once"]):
        Finished([str(part) for part in (BINARY, *role, *options)])
    Finished([str(FEAST), str(PEERS / "feast_store.py"), "prepare", str(directory)])
    ours, theirs = free_ports(2)
    serve = Running(pinned(processor, BINARY, "features", "serve", "--port", ours, *options), directory / "serve.log")
    peer = Running(
        # Its worker would be replaced, and its connections cut, every thousand requests.
        pinned(processor, FEAST.parent / "feast", "-c", directory, "serve", "-h", "127.0.0.1", "-p", theirs, "--no-access-log",
               "--max-requests", 10**9, "--max-requests-jitter", 0),
        directory / "feast.log")
    serve.wait(lambda: call(ours, "POST", PATH, request([1])), "features")
    peer.wait(lambda: call(theirs, "POST", PATH, request([1])), "features of Feast", seconds=120)
    return (serve, ours), (peer, theirs)


def main():
    report = Report("features_serve", "ten features over HTTP, a processor for the server, another for the load")
    if not shutil.which("wrk"):
        report.note("wrk is missing: apt-get install wrk")
        report.end()
    processor, other = processors()
    with scratch() as directory:
        write(directory)
        progress("computing and materialising")
        (serve, ours), (peer, theirs) = servers(directory, processor)
        report.add("entities with equal answers ÷ all", [compare(ours, theirs) / USERS], "×", threshold="share_equal", judge=min)
        chosen = random.Random(7)
        for count in (1, 100):
            bodies = [request([chosen.randrange(USERS) for _ in range(count)]) for _ in range(BODIES)]
            (directory / f"bodies_{count}.txt").write_text("\n".join(bodies) + "\n")
            for connections in (1, 16):
                runs = {"mlops": [], "Feast": []}
                for turn in range(ROUNDS):
                    progress(f"{count} entities, {connections} connections, round {turn + 1} of {ROUNDS}")
                    runs["mlops"].append(load(other, ours, connections, f"bodies_{count}.txt", directory))
                    runs["Feast"].append(load(other, theirs, connections, f"bodies_{count}.txt", directory))
                show(report, count, connections, runs)
        report.add("features serve, resident", [serve.memory()], "MB", threshold="resident_mb", judge=max)
        report.add("feast serve's first process, resident", [peer.memory()], "MB")
        serve.stop()
        peer.stop(may_fail=True)
    report.end()


def show(report, count, connections, runs):
    title = f"{count} × {FEATURES}, {connections} connections"
    for name, found in runs.items():
        report.add(f"{name}, {title}", [run[0] for run in found], "requests/s")
    report.ratio(
        f"mlops ÷ Feast, {title}", [run[0] for run in runs["mlops"]], [run[0] for run in runs["Feast"]],
        # One connection waits for one answer at a time: there both servers do little but wait for the network.
        threshold=f"times_feast_{count}x{FEATURES}" if connections > 1 else None)
    for name, found in runs.items():
        report.add(f"{name}, {title}, half within", [run[1] for run in found], "ms")


if __name__ == "__main__":
    main()
