#!/usr/bin/env python3
"""Reading and decoding alone: the million trades through a view that keeps nothing; beside json.loads in Python.

Both read the log and decode every value on one processor. mlops also checks types, keeps offsets and evaluates one comparison.
"""

import re
import shutil
import sys

from bench import BINARY, HERE, PEERS, ROUNDS, Finished, Report, million_trades, pinned, processors, progress, scratch


def main():
    report = Report("json_rows", "a million JSON records to columns, one processor")
    processor, _ = processors()
    ours, peers = [], []
    with scratch() as directory:
        million_trades(directory / "log")
        for turn in range(ROUNDS):
            progress(f"round {turn + 1} of {ROUNDS}")
            shutil.rmtree(directory / "work", ignore_errors=True)
            shutil.copytree(directory / "log", directory / "work")
            ours.append(Finished(pinned(
                processor, BINARY, "features", "--once", "--project", HERE / "json_rows", "--data", directory / "work",
                "--admin-port", "0")))
            peers.append(Finished(pinned(processor, sys.executable, PEERS / "json_loads.py", directory / "log")))
    records = int(re.search(r"(\d+) records in", ours[0].text).group(1))
    report.add("mlops, whole process", [records / run.wall for run in ours], "records/s")
    report.add("json.loads, whole process", [records / run.wall for run in peers], "records/s")
    report.ratio("time of json.loads ÷ mlops", [run.wall for run in peers], [run.wall for run in ours], threshold="times_python")
    report.end()


main()
