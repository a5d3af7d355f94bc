#!/usr/bin/env python3
"""A million records of 200 bytes into a topic of four partitions; beside the C library's own loop with the same settings.

A run takes a second or two, so what else the machine does weighs much: a round is four runs, ours, C, C, ours, and its figures are
those of both runs of a side together. The processor time of a side is what other processes disturb least.

The brokers are the C library's mock, in a process of its own, new for each run; it keeps only the latest 5 MiB of a partition, which
costs both sides the same. `MLOPS_TEST_BROKER=host:port` measures on a real cluster instead, whose topic `mlops-bench` must exist.
Needs `cc`, and `swift build -c release --product kafka-produce`; KAFKA_PRODUCE names another place of that program.
"""

import contextlib
import os
import subprocess
import sys

from bench import PEERS, ROOT, ROUNDS, Finished, Report, progress, scratch

COUNT, BYTES, TOPIC = 1_000_000, 200, "mlops-bench"
OURS = os.environ.get("KAFKA_PRODUCE", str(ROOT / ".build/release/kafka-produce"))


@contextlib.contextmanager
def brokers(peer):
    given = os.environ.get("MLOPS_TEST_BROKER")
    if given:
        yield given
        return
    process = subprocess.Popen([peer, "mock", TOPIC], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()


def measured(peer, program):
    """Seconds that a new set of brokers has been sent records for, and the process."""
    with brokers(peer) as address:
        process = Finished([program, address, TOPIC, str(COUNT), str(BYTES)])
    return float(process.text), process


def main():
    if not os.path.exists(OURS):
        sys.exit(f"{OURS} is not built: swift build -c release --product kafka-produce")
    report = Report("kafka_produce", "a million records into Kafka")
    rates, processor, memory = {"mlops": [], "C": []}, {"mlops": [], "C": []}, []
    with scratch() as directory:
        peer = str(directory / "kafka_produce")
        subprocess.run(["cc", "-O2", "-o", peer, PEERS / "kafka_produce.c", "-lrdkafka", "-lpthread"], check=True)
        for turn in range(ROUNDS):
            progress(f"round {turn + 1} of {ROUNDS}")
            runs = {"mlops": [], "C": []}
            for name in ("mlops", "C", "C", "mlops"):
                runs[name].append(measured(peer, OURS if name == "mlops" else peer))
            for name, found in runs.items():
                rates[name].append(len(found) * COUNT / sum(seconds for seconds, _ in found))
                processor[name].append(sum(process.processor for _, process in found) / len(found))
            memory += [process.memory for _, process in runs["mlops"]]
    report.add("mlops", rates["mlops"], "records/s")
    report.add("C library, its own loop", rates["C"], "records/s")
    report.ratio("rate of mlops ÷ C library", rates["mlops"], rates["C"], threshold="times_library")
    report.add("mlops, processor time", processor["mlops"], "s")
    report.add("C library, processor time", processor["C"], "s")
    report.ratio("processor time of C library ÷ mlops", processor["C"], processor["mlops"])
    report.add("mlops, peak memory", memory, "MB")
    report.end()


main()
