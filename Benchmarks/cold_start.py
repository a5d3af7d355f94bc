#!/usr/bin/env python3
"""`mlops all --quick` in an empty directory → the first answered prediction; then its memory. And `mlops track` → /health.

Two days of trades of three pairs are generated, made into features, learnt from in four trials and served before that answer.
The peer of the second part is a FastAPI service that only answers /health: what a service costs to start in Python.
"""

import http.client
import json
import math
import sys

from bench import BINARY, EXAMPLE, MODEL, PEERS, ROUNDS, Report, Running, free_ports, progress, scratch

MORE = 500
BODY = json.dumps({"instances": [{"pair": "BTC/USD"}]})


def answer(port, method, path, body=None):
    """The body of a 200, else nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        return text if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def prediction(port):
    text = answer(port, "POST", f"/v1/models/{MODEL}:predict", BODY)
    if text is None:
        return None
    (value,) = json.loads(text)["predictions"]
    if not math.isfinite(value):
        sys.exit(f"not a prediction: {text}")
    return text


def whole_loop(directory):
    """Seconds to the first prediction; MB then, after 500 more, and at most."""
    admin, serve, track, monitor = free_ports(4)
    running = Running(
        [str(BINARY), "all", "--quick", "--project", str(EXAMPLE), "--data", str(directory / "data"), "--admin-port", str(admin),
         "--serve-port", str(serve), "--track-port", str(track), "--monitor-port", str(monitor)], directory / "all.log")
    _, seconds = running.wait(lambda: prediction(serve), "prediction")
    first = running.memory()
    for _ in range(MORE):
        if prediction(serve) is None:
            sys.exit(f"a later prediction failed:\n{running.log.read_text()}")
    memory = first, running.memory(), running.memory("VmHWM")
    running.stop()
    return seconds, *memory


def track_start(directory):
    port, admin = free_ports(2)
    running = Running(
        [str(BINARY), "track", "--project", str(EXAMPLE), "--data", str(directory / "data"), "--port", str(port), "--admin-port",
         str(admin)], directory / "track.log")
    _, seconds = running.wait(lambda: answer(port, "GET", "/health"), "/health")
    memory = running.memory()
    running.stop()
    return seconds, memory


def peer_start(directory):
    (port,) = free_ports(1)
    running = Running([sys.executable, str(PEERS / "health.py"), str(port)], directory / "peer.log")
    _, seconds = running.wait(lambda: answer(port, "GET", "/health"), "/health")
    memory = running.memory()
    running.stop(may_fail=True)
    return seconds, memory


def main():
    report = Report("cold_start", "an empty directory to the first prediction")
    loops, tracks, peers = [], [], []
    for turn in range(ROUNDS):
        progress(f"round {turn + 1} of {ROUNDS}")
        for measured, measure in ((loops, whole_loop), (tracks, track_start), (peers, peer_start)):
            with scratch() as directory:
                measured.append(measure(directory))
    seconds, first, later, peak = zip(*loops)
    report.add("all --quick to the first prediction", seconds, "s", threshold="first_prediction_s")
    report.add("resident then", first, "MB", threshold="resident_mb", judge=max)
    report.add(f"resident after {MORE} more predictions", later, "MB", threshold="resident_later_mb", judge=max)
    report.add("resident at most so far", peak, "MB", threshold="resident_peak_mb", judge=max)
    report.add("track to /health", [seconds for seconds, _ in tracks], "s")
    report.add("FastAPI to /health", [seconds for seconds, _ in peers], "s")
    report.ratio(
        "start of FastAPI ÷ track", [seconds for seconds, _ in peers], [seconds for seconds, _ in tracks], threshold="times_fastapi")
    report.add("track, resident then", [memory for _, memory in tracks], "MB")
    report.add("FastAPI, resident then", [memory for _, memory in peers], "MB")
    report.end()


main()
