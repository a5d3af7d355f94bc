"""What the measures share: starting processes, reading what they cost, spreads, thresholds, the report.

Every measure takes turns with its peer (A B A B …), so both see the same weather of the machine, and reports ratios round by
round. This file imports nothing large: a child's peak memory, as the kernel counts it, is at least its parent's at the start.
"""

import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
BINARY = pathlib.Path(os.environ.get("MLOPS_BINARY", ROOT / ".build/release/mlops"))
PEERS = HERE / "peers"
EXAMPLE = ROOT / "examples/crypto"
MODEL = "crypto-price-10m"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 5))
# The million trades that several measures share.
TRADES = ["--source", "synthetic", "--duration", "50000s", "--rate", "20", "--start", "2026-01-01T00:00:00Z", "--speed", "max"]


def processors():
    """Two processors of this machine, one for what is measured and one for the load; the same one if there is no other."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def pinned(processor, *command):
    return ["taskset", "-c", str(processor), *map(str, command)]


@contextlib.contextmanager
def scratch():
    """A directory for everything that a measure writes; BENCH_DIRECTORY says on which disk."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="mlops-bench-", dir=os.environ.get("BENCH_DIRECTORY")))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Finished:
    """A process that has ended: seconds of wall clock and processor, peak resident memory in MB, what it printed."""

    def __init__(self, command, environment=None):
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            begun = time.perf_counter()
            process = subprocess.Popen(command, stdout=output, stderr=errors, env={**os.environ, **(environment or {})})
            _, status, usage = os.wait4(process.pid, 0)
            self.wall = time.perf_counter() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            errors.seek(0)
            self.text, problems = output.read().decode(), errors.read().decode()
        if process.returncode != 0:
            sys.exit(f"{' '.join(command)}: status {process.returncode}\n{self.text}\n{problems}")
        self.processor = usage.ru_utime + usage.ru_stime
        self.memory = usage.ru_maxrss * 1024 / 1e6


class Running:
    """A process that goes on until it is told to stop."""

    def __init__(self, command, log):
        self.log = log
        self.begun = time.perf_counter()
        with open(log, "wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

    def wait(self, condition, what, seconds=60):
        """Polls every 2 ms until the condition holds; returns its value and the seconds since the process was started."""
        while time.perf_counter() - self.begun < seconds:
            if self.process.poll() is not None:
                sys.exit(f"ended with {self.process.returncode} before {what}:\n{self.log.read_text()}")
            value = condition()
            if value:
                return value, time.perf_counter() - self.begun
            time.sleep(0.002)
        self.stop(may_fail=True)
        sys.exit(f"no {what} within {seconds} s:\n{self.log.read_text()}")

    def memory(self, field="VmRSS"):
        """MB, from /proc: VmRSS now, VmHWM at most so far."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024 / 1e6
        sys.exit(f"no {field} of process {self.process.pid}")

    def stop(self, may_fail=False):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        if status != 0 and not may_fail:
            sys.exit(f"status {status} after SIGTERM:\n{self.log.read_text()}")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for found in sockets:
        found.bind(("127.0.0.1", 0))
    ports = [found.getsockname()[1] for found in sockets]
    for found in sockets:
        found.close()
    return ports


def decoded(data):
    """(key, value, headers) of the records of one batch of the log; a tick's value is None."""
    at = 0
    while at < len(data):
        key, value, headers = (int.from_bytes(data[at + 8 + 4 * i:at + 12 + 4 * i], "little", signed=True) for i in range(3))
        begin = at + 20 + max(0, key)
        end = begin + max(0, value)
        yield data[at + 20:begin] if key >= 0 else None, data[begin:end] if value >= 0 else None, data[end:end + headers]
        at = end + headers


def batches(directory, topic):
    """The blobs of a topic, in partition and offset order."""
    database = sqlite3.connect(f"file:{directory}/log.sqlite?mode=ro", uri=True)
    with contextlib.closing(database):
        return [data for (data,) in database.execute(
            "SELECT data FROM batches JOIN topics ON id = topic WHERE name = ? ORDER BY partition, base", (topic,))]


def rows(directory, topic):
    return [json.loads(value) for data in batches(directory, topic) for _, value, _ in decoded(data) if value is not None]


def busy():
    """Processor seconds since the machine's start: of all processes (stolen ones included), and of this one with its ended children."""
    user, nice, system, _, _, interrupt, soft, steal = map(int, pathlib.Path("/proc/stat").read_text().split()[1:9])
    all_seconds = (user + nice + system + interrupt + soft + steal) / os.sysconf("SC_CLK_TCK")
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return all_seconds, sum(usage.ru_utime + usage.ru_stime for usage in own)


class Report:
    """Prints figures as they come, holds them against `thresholds.json`, and ends with 1 if one is missed."""

    def __init__(self, measure, title):
        self.measure = measure
        self.wanted = json.loads((HERE / "thresholds.json").read_text())[measure]
        self.figures, self.checked, self.missed = [], set(), []
        self.begun = time.perf_counter(), *busy()
        print(f"\n{measure}: {title}\n{'':44}{'min':>12}{'median':>12}{'max':>12}", flush=True)

    def add(self, name, samples, unit="", threshold=None, judge=statistics.median):
        """A figure's samples; with the name of a threshold, `judge` of them must meet it."""
        spread = [min(samples), statistics.median(samples), max(samples)]
        verdict = ""
        if threshold:
            self.checked.add(threshold)
            ((bound, limit),) = self.wanted[threshold].items()
            value = judge(samples)
            met = value >= limit if bound == "at_least" else value <= limit
            verdict = f"{'met' if met else 'MISSED'}: {bound.replace('_', ' ')} {limit:g}"
            if not met:
                self.missed.append(name)
        self.figures.append({"name": name, "unit": unit, "spread": spread, "verdict": verdict})
        print(f"  {name + (f' [{unit}]' if unit else ''):42}" + "".join(f"{number(value):>12}" for value in spread) + f"  {verdict}",
              flush=True)

    def ratio(self, name, above, below, **keywords):
        """`above` over `below`, round by round."""
        self.add(name, [a / b for a, b in zip(above, below, strict=True)], "×", **keywords)

    def leave_out(self, threshold, reason):
        """Says why a figure cannot be measured here; it then does not count as missed."""
        self.checked.add(threshold)
        self.note(f"{threshold} is not measured: {reason}")

    def note(self, text):
        print(f"  {text}", flush=True)

    def others(self):
        """Processors that were busy on average since the report began, but not for this measure: above 0.2, measure again."""
        now = time.perf_counter(), *busy()
        seconds, everybody, own = (after - before for after, before in zip(now, self.begun))
        return max(0.0, everybody - own) / seconds

    def end(self):
        """Also keeps the figures in BENCH_RESULTS, a directory, if there is one."""
        unmeasured = self.wanted.keys() - self.checked
        if unmeasured:
            self.missed += unmeasured
            print(f"  not measured: {', '.join(sorted(unmeasured))}")
        others = self.others()
        print(f"  meanwhile other processes kept {others:.2f} of {os.cpu_count()} processors busy")
        if directory := os.environ.get("BENCH_RESULTS"):
            found = {
                "date": time.strftime("%Y-%m-%d"), "commit": os.environ.get("BENCH_COMMIT", "unknown"), "rounds": ROUNDS, "others": others,
                "figures": self.figures}
            pathlib.Path(directory, f"{self.measure}.json").write_text(json.dumps(found))
        sys.exit(1 if self.missed else 0)


def number(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def progress(text):
    if sys.stderr.isatty():
        print(f"  … {text}", file=sys.stderr, flush=True)


def million_trades(directory):
    """A log with a million synthetic trades and the ticks that end them."""
    command = [BINARY, "produce", "--once", *TRADES, "--project", EXAMPLE, "--data", directory, "--admin-port", "0"]
    return Finished(list(map(str, command)))
