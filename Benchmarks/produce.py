#!/usr/bin/env python3
"""A million synthetic trades into the local log; beside a bare append of the same bytes to SQLite from Python.

`mlops produce` draws the trades, writes each as JSON with key and headers, and appends them with its own position. The peer only
inserts the finished bytes, 10,000 records a blob, one transaction a blob, with the same journal settings: the floor below which
nothing that keeps records in SQLite can go.
"""

import shutil
import sys

from bench import PEERS, ROUNDS, Finished, Report, million_trades, progress, scratch


def main():
    report = Report("produce", "a million synthetic trades into the log")
    ours, peers = [], []
    with scratch() as directory:
        for turn in range(ROUNDS):
            progress(f"round {turn + 1} of {ROUNDS}")
            shutil.rmtree(directory / "log", ignore_errors=True)
            ours.append(million_trades(directory / "log"))
            peers.append(append(directory))
    (records,) = {count for count, _ in peers}
    seconds = [time for _, time in peers]
    report.note(f"{records} records with their ticks")
    report.add("mlops, whole process", [records / run.wall for run in ours], "records/s")
    report.add("bare append, the inserts alone", [records / time for time in seconds], "records/s")
    report.ratio("time of mlops ÷ bare append", [run.wall for run in ours], seconds, threshold="times_append")
    report.add("mlops, processor time", [run.processor for run in ours], "s")
    report.add("mlops, peak memory", [run.memory for run in ours], "MB", threshold="peak_memory_mb", judge=max)
    report.end()


def append(directory):
    """Records and seconds, as the peer prints them."""
    target = directory / "append.sqlite"
    for name in directory.glob("append.sqlite*"):
        name.unlink()
    count, seconds = Finished([sys.executable, str(PEERS / "append.py"), str(directory / "log"), str(target)]).text.split()
    return int(count), float(seconds)


main()
