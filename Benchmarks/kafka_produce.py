#!/usr/bin/env python3
"""A million records of 200 bytes into a topic of four partitions; beside the C library's own loop with the same settings.

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


def main():
    if not os.path.exists(OURS):
        sys.exit(f"{OURS} is not built: swift build -c release --product kafka-produce")
    report = Report("kafka_produce", "a million records into Kafka")
    rates = {"mlops": [], "C": []}
    with scratch() as directory:
        peer = str(directory / "kafka_produce")
        subprocess.run(["cc", "-O2", "-o", peer, PEERS / "kafka_produce.c", "-lrdkafka", "-lpthread"], check=True)
        for turn in range(ROUNDS):
            progress(f"round {turn + 1} of {ROUNDS}")
            for name, program in (("mlops", OURS), ("C", peer)):
                with brokers(peer) as address:
                    rates[name].append(COUNT / float(Finished([program, address, TOPIC, str(COUNT), str(BYTES)]).text))
    report.add("mlops", rates["mlops"], "records/s")
    report.add("C library, its own loop", rates["C"], "records/s")
    report.ratio("rate of mlops ÷ C library", rates["mlops"], rates["C"], threshold="times_library")
    report.end()


main()
