#!/usr/bin/env python3
"""Indicators alone: twenty-five columns of nineteen functions for each of a million trades, on one processor; beside TA-Lib.

mlops runs twice over the same log, with the indicators and without; the difference in processor time is theirs. It computes row by
row with the memory of every pair. TA-Lib computes each indicator over the whole array of a pair; only its calls are timed.
"""

import json
import re
import shutil
import sys

from bench import BINARY, HERE, PEERS, ROUNDS, Finished, Report, million_trades, pinned, processors, progress, rows, scratch

VALUES = 25


def trade(row):
    return f"{row['pair']} {row['trade_id']}"


def largest_difference(ours, theirs):
    """Relative, or absolute below 1; empty cells must be the same."""
    worst = 0.0
    if {trade(row) for row in ours} != theirs["rows"].keys():
        sys.exit("other rows were written")
    for row in ours:
        for name, value in zip(theirs["columns"], theirs["rows"][trade(row)], strict=True):
            found = row[name]
            if (found is None) != (value is None):
                sys.exit(f"{name} of {trade(row)} is {found}, elsewhere {value}")
            if value is not None:
                worst = max(worst, abs(found - value) / max(1.0, abs(value)))
    return worst


def main():
    report = Report("indicators", "a million trades through nineteen indicators, one processor")
    processor, _ = processors()
    runs, peers = {"with": [], "without": []}, []
    with scratch() as directory:
        million_trades(directory / "log")
        for turn in range(ROUNDS):
            progress(f"round {turn + 1} of {ROUNDS}")
            for name, finished in runs.items():
                shutil.rmtree(directory / name, ignore_errors=True)
                shutil.copytree(directory / "log", directory / name)
                finished.append(Finished(pinned(
                    processor, BINARY, "features", "--once", "--project", HERE / f"indicators/{name}.yaml", "--data", directory / name,
                    "--admin-port", "0")))
            peers.append(json.loads(Finished(pinned(processor, sys.executable, PEERS / "indicators_talib.py", directory / "log")).text))
        computed = rows(directory / "with", "indicators")
    report.note(f"{len(computed)} rows compared with TA-Lib's")
    report.add("largest difference", [largest_difference(computed, peers[-1])], threshold="largest_difference")
    records = int(re.search(r"(\d+) records in", runs["with"][0].text).group(1))
    spent = [a.processor - b.processor for a, b in zip(runs["with"], runs["without"], strict=True)]
    report.add("mlops, all indicators", [records / run.wall for run in runs["with"]], "trades/s")
    report.add("mlops, a value", [seconds / records / VALUES * 1e9 for seconds in spent], "ns")
    report.add("TA-Lib, a value", [peer["seconds"] / records / VALUES * 1e9 for peer in peers], "ns")
    report.ratio("time of mlops ÷ TA-Lib", spent, [peer["seconds"] for peer in peers], threshold="times_talib")
    report.add("mlops, peak memory", [run.memory for run in runs["with"]], "MB", threshold="peak_memory_mb", judge=max)
    report.end()


main()
