#!/usr/bin/env python3
"""A million trades in the local log → minute candles and indicators, on one processor; beside Python and pandas.

`mlops features --once` reads the log, decodes JSON, checks and de-duplicates, computes both views, writes their rows, archives
them as Parquet. The peers read the same log, decode, de-duplicate and compute the candles only; they write nothing. Their candles
must equal those of mlops.
"""

import json
import re
import shutil
import sys

from bench import BINARY, EXAMPLE, PEERS, ROUNDS, Finished, Report, million_trades, pinned, processors, progress, rows, scratch

PEER_NAMES = {"python": "plain Python", "pandas": "pandas"}


def candles_of(text):
    return {(pair, start): tuple(values) for pair, start, *values in json.loads(text)["candles"]}


def agree(ours, theirs):
    """The candles that differ; volumes are sums in another order in pandas, hence a tolerance of a few roundings."""
    if ours.keys() != theirs.keys():
        sys.exit(f"{len(ours.keys() ^ theirs.keys())} candles are on one side only")
    for key, candle in ours.items():
        other = theirs[key]
        if candle[:4] != other[:4] or candle[5] != other[5] or abs(candle[4] - other[4]) > 1e-9 * max(1.0, candle[4]):
            sys.exit(f"candle {key}: {candle} is {other} elsewhere")


def main():
    report = Report("candles", "a million trades to candles and indicators, one processor")
    processor, _ = processors()
    ours, peers = [], {name: [] for name in PEER_NAMES}
    printed = []
    with scratch() as directory:
        million_trades(directory / "log")
        for turn in range(ROUNDS):
            progress(f"round {turn + 1} of {ROUNDS}")
            shutil.rmtree(directory / "work", ignore_errors=True)
            shutil.copytree(directory / "log", directory / "work")
            run = Finished(pinned(
                processor, BINARY, "features", "--once", "--project", EXAMPLE, "--data", directory / "work", "--admin-port", "0"))
            ours.append(run)
            printed.append(re.search(r"(\d+) records in ([\d.]+) s, (\d+) records/s", run.text).groups())
            for name, runs in peers.items():
                runs.append(Finished(pinned(processor, sys.executable, PEERS / f"candles_{name}.py", directory / "log")))
        computed = {
            (row["pair"], row["window_start_ms"]): tuple(row[name] for name in ("open", "high", "low", "close", "volume", "trades"))
            for row in rows(directory / "work", "candles") if not row["synthetic"]}
        for runs in peers.values():
            agree(computed, candles_of(runs[-1].text))
    report.note(f"{len(computed)} candles equal in mlops, {' and '.join(PEER_NAMES.values())}")
    report.add("mlops, as it prints", [int(rate) for _, _, rate in printed], "events/s")
    records = int(printed[0][0])
    report.add("mlops, whole process", [records / run.wall for run in ours], "events/s", threshold="events_per_second")
    for name, runs in peers.items():
        report.add(f"{PEER_NAMES[name]}, whole process", [records / run.wall for run in runs], "events/s")
    for name, runs in peers.items():
        report.ratio(
            f"time of {PEER_NAMES[name]} ÷ mlops", [run.wall for run in runs], [run.wall for run in ours], threshold=f"times_{name}")
    report.add("mlops, processor time", [run.processor for run in ours], "s")
    report.add("mlops, peak memory", [run.memory for run in ours], "MB", threshold="peak_memory_mb", judge=max)
    for name, runs in peers.items():
        report.add(f"{PEER_NAMES[name]}, peak memory", [run.memory for run in runs], "MB")
    report.end()


main()
