"""Black-box tests: they start the built binary and talk to it as a user would."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import time

import pytest
import requests

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
BINARY = pathlib.Path(os.environ.get("MLOPS_BINARY", ROOT / ".build/debug/mlops"))
XRP_ETH = SHARED / "data/trades/xrp_eth_trades.parquet"
MODEL = "crypto-price-10m"
# Fixtures that several files share.
pytest_plugins = ["serving", "tracking"]
# Clients tell nobody what they do here.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for(condition, what, seconds=60.0, process=None):
    """Polls until `condition()` is truthy and returns its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise AssertionError(f"the process ended with {process.returncode} while waiting for {what}")
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"no {what} within {seconds} s")


def is_up(url, process):
    """Waits until the URL answers with status 200."""
    return wait_for(lambda: (answer := get(url)) is not None and answer.status_code == 200, url, process=process)


class Mlops:
    """The binary, with a data directory of its own."""

    def __init__(self, directory):
        self.directory = directory
        self.data = directory / "data"
        self.started = []

    def arguments(self, *arguments, data=True):
        extra = ["--data", str(self.data)] if data else []
        return [str(BINARY), *map(str, arguments), *extra]

    def run(self, *arguments, status=0, data=True, environment=None, timeout=120):
        done = subprocess.run(
            self.arguments(*arguments, data=data), capture_output=True, text=True, timeout=timeout,
            env={**os.environ, **(environment or {})}, cwd=self.directory)
        assert status is None or done.returncode == status, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *arguments, data=True, environment=None):
        log = open(self.directory / f"process-{len(self.started)}.log", "wb")
        process = subprocess.Popen(
            self.arguments(*arguments, data=data), stdout=log, stderr=subprocess.STDOUT, cwd=self.directory,
            env={**os.environ, **(environment or {})})
        process.log_path = log.name
        self.started.append(process)
        return process

    def stop_all(self):
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @staticmethod
    def log(process):
        return pathlib.Path(process.log_path).read_text(errors="replace")

    def wait_for_log(self, process, text, seconds=60.0):
        return wait_for(lambda: text in self.log(process), f"\"{text}\" in the log", seconds, process)

    @staticmethod
    def terminate(process, seconds=20):
        """Asks a process to end and returns its status; fails when it does not end in time."""
        process.send_signal(signal.SIGTERM)
        return process.wait(seconds)

    @staticmethod
    def kill(process):
        process.kill()
        process.wait()

    def endpoint(self):
        """The URL of the tracking server of the directory, once there is one."""
        found = wait_for(lambda: (self.data / "endpoints.json").exists() and (self.data / "endpoints.json").read_text(),
                         "endpoints.json")
        return json.loads(found)["track"]

    # The log as it lies on disk, read without the binary: see docs/architecture.md for the layout.

    def query(self, sql, *values):
        database = sqlite3.connect(f"file:{self.data}/log.sqlite?mode=ro", uri=True, timeout=10)
        try:
            return database.execute(sql, values).fetchall()
        except sqlite3.OperationalError:
            # Another process makes the tables at this moment.
            return []
        finally:
            database.close()

    def end(self, topic):
        """Records that a topic has been given, all partitions together."""
        if not (self.data / "log.sqlite").exists():
            return 0
        found = self.query("SELECT sum(ends.next) FROM ends JOIN topics ON id = topic WHERE name = ?", topic)
        return (found and found[0][0]) or 0

    def committed(self, group, topic):
        """Records that a group has gone past, all partitions together."""
        if not (self.data / "log.sqlite").exists():
            return 0
        found = self.query(
            "SELECT sum(offsets.next) FROM offsets JOIN topics ON id = topic WHERE consumer = ? AND name = ?", group, topic)
        return (found and found[0][0]) or 0

    def records(self, topic):
        """(partition, offset, timestamp, key, value, headers) of every record, in partition and offset order."""
        database = sqlite3.connect(f"file:{self.data}/log.sqlite?mode=ro", uri=True, timeout=10)
        try:
            found = database.execute("SELECT id, compacted FROM topics WHERE name = ?", (topic,)).fetchone()
            assert found, f"no topic {topic}"
            if found[1]:
                rows = database.execute(
                    "SELECT partition, offset, data FROM latest WHERE topic = ? ORDER BY partition, offset", (found[0],))
            else:
                rows = database.execute(
                    "SELECT partition, base, data FROM batches WHERE topic = ? ORDER BY partition, base", (found[0],))
            return [record for row in rows.fetchall() for record in decode(*row)]
        finally:
            database.close()

    def rows(self, topic):
        return [json.loads(record[4]) for record in self.records(topic) if record[4] is not None]


    def by_key(self, topic):
        """Per key its sequence of (timestamp, value bytes): what parity promises."""
        found = {}
        for _, _, timestamp, key, value, _ in self.records(topic):
            found.setdefault(key, []).append((timestamp, value))
        return found


def decode(partition, base, data):
    at = 0
    while at < len(data):
        timestamp, key_length, value_length, header_length = struct.unpack_from("<qiiI", data, at)
        at += 20
        key = data[at:at + max(0, key_length)] if key_length >= 0 else None
        at += max(0, key_length)
        value = data[at:at + max(0, value_length)] if value_length >= 0 else None
        at += max(0, value_length)
        end, headers = at + header_length, {}
        while at < end:
            (length,) = struct.unpack_from("<H", data, at)
            name = data[at + 2:at + 2 + length].decode()
            at += 2 + length
            (length,) = struct.unpack_from("<I", data, at)
            headers[name] = data[at + 4:at + 4 + length]
            at += 4 + length
        yield partition, base, timestamp, key, value, headers
        base += 1


@pytest.fixture(scope="session")
def binary(tmp_path_factory):
    """The binary as it is when the tests begin: a build that runs meanwhile does not change it."""
    global BINARY
    assert BINARY.exists(), f"{BINARY} is not built"
    BINARY = pathlib.Path(shutil.copy2(BINARY, tmp_path_factory.mktemp("binary") / "mlops"))


@pytest.fixture
def mlops(tmp_path, binary):
    runner = Mlops(tmp_path)
    yield runner
    runner.stop_all()


@pytest.fixture(scope="module")
def module_mlops(tmp_path_factory, binary):
    """One runner for all tests of a file."""
    runner = Mlops(tmp_path_factory.mktemp("module"))
    yield runner
    runner.stop_all()


CRYPTO = ROOT / "examples/crypto"


@pytest.fixture
def crypto():
    return CRYPTO


def project_copy(directory, *changes, example=CRYPTO):
    """The example's project file in `directory`, each (old text or pattern, new) changed in it exactly once."""
    text = (example / "mlops.yaml").read_text()
    for old, new in changes:
        pattern = old if isinstance(old, re.Pattern) else re.compile(re.escape(old))
        text, count = pattern.subn(lambda _: new, text)
        assert count == 1, f"the project file has {old!r} {count} times"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "mlops.yaml").write_text(text)
    return directory


def json_text(value):
    """A value in the one JSON form of docs/reference/topics.md, written from that page alone."""
    if value is None or isinstance(value, (bool, int)):
        return json.dumps(value)
    if isinstance(value, float):
        return repr(value if value != 0 else 0.0)
    return json.dumps(value, ensure_ascii=False)


def values_hash(features):
    """SHA-256 of the inputs as a JSON object."""
    text = "{" + ",".join(f"{json_text(name)}:{json_text(value)}" for name, value in features.items()) + "}"
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="session")
def xrp_eth():
    if not XRP_ETH.exists():
        pytest.skip("the real trades are not on this machine")
    return XRP_ETH


def get(url, **keywords):
    try:
        return requests.get(url, timeout=5, **keywords)
    except requests.RequestException:
        return None
