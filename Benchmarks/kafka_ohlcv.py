#!/usr/bin/env python3
"""A million trades of 180 bytes and 50 keys in four partitions of Kafka → minute candles, by mlops and by quixstreams.

With `MLOPS_TEST_BROKER=host:port`, each round loads a topic of its own, lets each side compute it alone, and the ratio is judged:
events a second from the first trade to the last, so that neither starting nor joining the group counts. The topics are left there.

Without it the brokers are the C library's mock, which keeps only the latest 5 MiB of a partition: the trades come no faster than
they are computed, so there is no rate and no ratio to tell, only whether anything is lost. Either way every candle is counted
again, one trade after the other, and a process of `features` may not need more than its memory.
"""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import uuid

from bench import BINARY, PEERS, ROUNDS, Finished, Report, Running, free_ports, progress, scratch

QUIX = pathlib.Path(os.environ["BENCH_QUIX_PYTHON"])
BROKER = os.environ.get("MLOPS_TEST_BROKER")
COUNT = int(os.environ.get("BENCH_TRADES", 1_000_000))
PROJECT = """project: ohlcv
sources:
  trades: {kind: file, path: unused.jsonl, stream: trades, optional: true}
streams:
  trades:
    key: pair
    time: timestamp_ms
    fields: {pair: string, price: double, quantity: double, side: string?, trade_id: string?, timestamp_ms: int}
views:
  candles:
    from: trades
    window: {length: 60s}
    columns: {open: first(price), high: max(price), low: min(price), close: last(price), volume: sum(quantity)}
"""
# What the mock brokers must have beforehand: they create nothing on request.
TOPICS = ["trades", "trades.dead", "trades.late", "candles", "candles.latest", "candles.generations", "predictions",
          "features.trades.changelog"]


@contextlib.contextmanager
def mock(peer):
    process = subprocess.Popen([peer, "mock", *TOPICS, "registry-events/1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()


def tool(*arguments):
    return Finished([str(part) for part in (QUIX, PEERS / "kafka_trades.py", *arguments)]).text


def command(brokers, directory, *more):
    return [str(part) for part in (
        BINARY, "features", *more, "--project", directory / "project", "--data", directory / "data", "--event-log", f"kafka://{brokers}")]


def compared(brokers, topic):
    """How many candles of a topic are not those of a recount, and how many there should be."""
    found = json.loads(tool("check", brokers, topic, COUNT))
    if found["forgotten"]:
        sys.exit(f"{topic}: the brokers no longer hold the first {found['forgotten']} candles")
    return found["differ"], found["candles"]


def paced(directory, peer):
    """Lets trades in as they are computed, on mock brokers. Returns candles that differ, candles, MB."""
    with mock(peer) as brokers:
        port, = free_ports(1)
        url = f"http://127.0.0.1:{port}/metrics"
        features = Running(command(brokers, directory, "--admin-port", port), directory / "features.log")
        features.wait(lambda: "partitions assigned" in features.log.read_text(), "partitions assigned")
        tool("pace", brokers, "trades", COUNT, url)
        accepted = rf'^mlops_features_events_accepted_total\S* {COUNT}$'
        features.wait(
            lambda: re.search(accepted, Finished(["curl", "--silent", "--fail", url]).text, re.MULTILINE), "all trades computed", 3_600)
        memory = features.memory("VmHWM")
        differ, candles = compared(brokers, "candles")
        features.stop()
    return differ, candles, memory


def preloaded(directory, turn):
    """Both sides over topics of their own on a real cluster: (rate, candles that differ) of each, candles, MB."""
    prefix = f"mlops-bench-{uuid.uuid4().hex[:8]}-{turn}-"
    tool("create", BROKER, prefix + "trades", prefix + "quix-candles")
    tool("load", BROKER, prefix + "trades", COUNT)
    ours = Finished(command(BROKER, directory, "--once", "--admin-port", 0), {"MLOPS_TOPIC_PREFIX": prefix})
    records, seconds = re.search(r"^(\d+) records in ([\d.]+) s", ours.text, re.MULTILINE).groups()
    theirs = Finished([str(part) for part in (
        QUIX, PEERS / "ohlcv_quixstreams.py", BROKER, prefix + "trades", prefix + "quix-candles", COUNT, directory / "quix")])
    their_seconds, their_records = theirs.text.split()
    differ, candles = compared(BROKER, prefix + "candles")
    # quixstreams writes its last candles as it stops.
    their_differ, _ = compared(BROKER, prefix + "quix-candles")
    return (int(records) / float(seconds), differ), (int(their_records) / float(their_seconds), their_differ), candles, ours.memory


def main():
    report = Report("kafka_ohlcv", "a million trades of 50 keys to minute candles over Kafka")
    rates, differing, memory, rounds = {"mlops": [], "quixstreams": []}, [], [], ROUNDS if BROKER else 1
    with scratch() as directory:
        peer = str(directory / "kafka_produce")
        subprocess.run(["cc", "-O2", "-o", peer, PEERS / "kafka_produce.c", "-lrdkafka", "-lpthread"], check=True)
        for turn in range(rounds):
            progress(f"round {turn + 1} of {rounds}")
            work = directory / str(turn)
            (work / "project").mkdir(parents=True)
            (work / "project/mlops.yaml").write_text(PROJECT)
            if BROKER:
                ours, theirs, candles, megabytes = preloaded(work, turn)
                for name, (rate, _) in (("mlops", ours), ("quixstreams", theirs)):
                    rates[name].append(rate)
                differing.append(ours[1] + theirs[1])
            else:
                differ, candles, megabytes = paced(work, peer)
                differing.append(differ)
            memory.append(megabytes)
    report.note(f"{COUNT} trades, {candles} candles, counted again one trade after the other")
    report.add("candles that differ from the recount", differing, "", threshold="candles_that_differ", judge=max)
    report.add("mlops, peak memory", memory, "MB", threshold="peak_memory_mb", judge=max)
    if BROKER:
        for name, found in rates.items():
            report.add(f"{name}, first trade to last", found, "events/s")
        report.ratio("rate of mlops ÷ quixstreams", rates["mlops"], rates["quixstreams"], threshold="times_quixstreams")
    else:
        report.leave_out("times_quixstreams", "on mock brokers the trades are paced: MLOPS_TEST_BROKER names a real one")
    report.end()


main()
