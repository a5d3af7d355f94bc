#!/usr/bin/env python3
"""A million trades of 50 keys in the local log → minute candles, on one processor: events a second and peak memory.

The stream processor that this stands beside needs a Kafka broker; without one there is no ratio to give.
"""

import shutil

from bench import BINARY, ROUNDS, Finished, Report, pinned, processors, progress, rows, scratch

KEYS = [f"C{number:02d}/USD" for number in range(50)]
PROJECT = f"""project: ohlcv
sources:
  trades: {{kind: synthetic, stream: trades, pairs: [{", ".join(KEYS)}], rate: 20/s, seed: 7}}
streams:
  trades:
    key: pair
    time: timestamp_ms
    fields: {{pair: string, price: double, quantity: double, side: string?, trade_id: string?, timestamp_ms: int}}
views:
  candles:
    from: trades
    window: {{length: 60s}}
    columns: {{open: first(price), high: max(price), low: min(price), close: last(price), volume: sum(quantity)}}
"""


def recounted(directory):
    """The candles that the trades of the log make, one trade after the other."""
    candles = {}
    for trade in rows(directory, "trades"):
        start = trade["timestamp_ms"] // 60_000 * 60_000
        price, quantity = trade["price"], trade["quantity"]
        candle = candles.setdefault((trade["pair"], start), [price, price, price, price, 0.0])
        candle[1], candle[2], candle[3] = max(candle[1], price), min(candle[2], price), price
        candle[4] += quantity
    return candles


def main():
    report = Report("ohlcv", "a million trades of 50 keys to minute candles, local log, one processor")
    processor, _ = processors()
    runs = []
    with scratch() as directory:
        project = directory / "project"
        project.mkdir()
        (project / "mlops.yaml").write_text(PROJECT)
        log = directory / "log"
        Finished([str(part) for part in [
            BINARY, "produce", "--once", "--duration", "50000s", "--start", "2026-01-01T00:00:00Z", "--speed", "max",
            "--project", project, "--data", log, "--admin-port", "0"]])
        for turn in range(ROUNDS):
            progress(f"round {turn + 1} of {ROUNDS}")
            shutil.rmtree(directory / "work", ignore_errors=True)
            shutil.copytree(log, directory / "work")
            runs.append(Finished(pinned(
                processor, BINARY, "features", "--once", "--project", project, "--data", directory / "work", "--admin-port", "0")))
        # After the runs: a child's peak memory is at least that of the process that started it.
        expected, trades = recounted(log), len(rows(log, "trades"))
        computed = {
            (row["pair"], row["window_start_ms"]): [row[name] for name in ("open", "high", "low", "close", "volume")]
            for row in rows(directory / "work", "candles")}
    wrong = sum(computed.get(key) != candle for key, candle in expected.items()) + len(computed.keys() - expected.keys())
    report.note(f"{trades} trades, {len(expected)} candles, counted again one trade after the other")
    report.add("candles that differ from the recount", [wrong], "", threshold="candles_that_differ")
    report.add("mlops, whole process", [trades / run.wall for run in runs], "events/s", threshold="events_per_second")
    report.add("mlops, processor time", [run.processor for run in runs], "s")
    report.add("mlops, peak memory", [run.memory for run in runs], "MB", threshold="peak_memory_mb", judge=max)
    report.end()


main()
