"""Roles that meet on Kafka, read by Python's client; the brokers are mocks (see kafka_mock.py for what those cannot show)."""

import hashlib
import json
import re
import time

import pytest

from conftest import CRYPTO, MODEL, Mlops, free_port, get, wait_for
from kafka_mock import MockCluster, Reader, partition_of

SYNTHETIC = ["--source", "synthetic", "--duration", "1h", "--start", "2024-03-01T10:00:30Z", "--rate", "3"]
OUTPUTS = ["candles", "technical_indicators", "trades.dead", "trades.late"]
ENVIRONMENT = {
    "MLOPS_KAFKA_SESSION_TIMEOUT": "6s", "MLOPS_KAFKA_PATIENCE": "20s", "MLOPS_FEATURES_BATCH_RECORDS": "200",
    "MLOPS_KAFKA_STATISTICS_INTERVAL": "500ms"}


@pytest.fixture(scope="module")
def reference(tmp_path_factory, binary):
    """The same input on the embedded log, uninterrupted."""
    mlops = Mlops(tmp_path_factory.mktemp("reference"))
    mlops.run("produce", "--once", "--speed", "max", *SYNTHETIC, "--admin-port", 0, "--project", CRYPTO)
    mlops.run("features", "--once", "--project", CRYPTO)
    return mlops


@pytest.fixture
def cluster(reference):
    cluster = MockCluster()
    for topic, partitions in reference.query("SELECT name, partitions FROM topics"):
        cluster.create(topic, partitions)
    for group in ["features.trades", f"serve-stream.{MODEL}"]:
        cluster.create(group + ".changelog", 4)
    for group in ["produce.synthetic", "source.synthetic", f"monitor.{MODEL}"]:
        cluster.create(group + ".changelog", 1)
    yield cluster
    cluster.close()


@pytest.fixture
def reader(cluster):
    reader = Reader(cluster.brokers)
    yield reader
    reader.close()


def produce(mlops, cluster, *extra, **keywords):
    return mlops.run(
        "produce", "--once", "--speed", "max", *SYNTHETIC, "--admin-port", 0, "--project", CRYPTO, "--event-log", cluster.url, *extra,
        environment=ENVIRONMENT, **keywords)


def features(mlops, cluster, port=0, environment=None):
    return mlops.start(
        "features", "--admin-port", port, "--project", CRYPTO, "--event-log", cluster.url,
        environment={**ENVIRONMENT, **(environment or {})})


def wait_for_rows(reader, reference, process=None, seconds=180):
    """Returns when every topic holds at least as many records as the uninterrupted run's."""
    wanted = {topic: len(reference.records(topic)) for topic in OUTPUTS}

    def all_there():
        time.sleep(0.2)
        return all(reader.count(topic) >= count for topic, count in wanted.items())

    wait_for(all_there, "all rows", seconds, process)


def assert_same(reader, reference):
    for topic in OUTPUTS:
        assert reader.by_key(topic) == reference.by_key(topic), topic


def test_what_is_produced_is_what_other_clients_read(mlops, cluster, reader, reference):
    produce(mlops, cluster)
    messages = reader.messages("trades")
    expected = reference.records("trades")
    assert len(messages) == len(expected) > 10_000
    assert {message.partition() for message in messages} == {partition_of(message.key()) for message in messages}
    assert reader.by_key("trades") == reference.by_key("trades")
    for message in messages:
        assert message.partition() == partition_of(message.key())
        headers = dict(message.headers())
        if "mlops-tick" not in headers:
            assert headers["mlops-schema"] == b"1" and int(headers["mlops-ingested-at"]) > 1_700_000_000_000
            assert json.loads(message.value())["timestamp_ms"] == message.timestamp()[1]
    # The source remembers that it has ended.
    produce(mlops, cluster)
    assert reader.count("trades") == len(expected)


def test_features_on_kafka_equal_features_on_the_embedded_log(mlops, cluster, reader, reference):
    process = features(mlops, cluster, port := free_port())
    produce(mlops, cluster)
    wait_for_rows(reader, reference, process)
    metrics = wait_for(lambda: (answer := get(f"http://127.0.0.1:{port}/metrics")) and answer.text, "metrics")
    assert 'mlops_kafka_lag_records{' in metrics and "mlops_kafka_broker_rtt_seconds{" in metrics
    assert mlops.terminate(process) == 0
    assert_same(reader, reference)
    # What was made is committed: the next process finds nothing to do, with the local copy of the state and without.
    for is_copied in (True, False):
        if not is_copied:
            for path in (mlops.data / "state").glob("*.state"):
                path.unlink()
        process = features(mlops, cluster)
        mlops.wait_for_log(process, "features go on")
        time.sleep(2)
        assert ("state restored from the changelog" in mlops.log(process)) != is_copied
        assert mlops.terminate(process) == 0
        assert_same(reader, reference)


def damaged(content, damage):
    """What is left of a state file; its last 32 bytes are a checksum, the eighth is its version."""
    if damage == "flipped":
        return content[:len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1:]
    if damage == "truncated":
        return content[:len(content) * 2 // 3]
    if damage == "other version":
        rest = content[:7] + b"2" + content[8:-32]
        return rest + hashlib.sha256(rest).digest()
    return b""


def test_state_files_that_are_of_no_use_are_rebuilt_and_it_is_said_so(mlops, cluster, reader, reference):
    process = features(mlops, cluster)
    feeding = mlops.start(
        "produce", "--once", "--speed", "300x", *SYNTHETIC, "--admin-port", 0, "--project", CRYPTO, "--event-log", cluster.url,
        environment=ENVIRONMENT)
    total = len(reference.records("candles"))
    wait_for(lambda: reader.count("candles") > total // 3, "a third of the rows", 180, process)
    assert mlops.terminate(process) == 0
    files = sorted((mlops.data / "state").glob("features.trades-*.state"))
    assert len(files) == 4
    damages = {"flipped": "is damaged", "truncated": "is damaged", "empty": "is damaged",
               "other version": "was written by a program of state version 2, this one has 1"}
    for path, damage in zip(files, damages, strict=True):
        path.write_bytes(damaged(path.read_bytes(), damage))
    process = features(mlops, cluster)
    wait_for_rows(reader, reference, process)
    assert feeding.wait(120) == 0
    said = mlops.log(process).splitlines()
    for partition, (path, damage) in enumerate(zip(files, damages, strict=True)):
        discarded, = [line for line in said if "the local copy of the state is discarded" in line and f"partition={partition}" in line]
        assert path.name in discarded and damages[damage] in discarded
        restored, = [line for line in said if "state restored from the changelog" in line and f"partition={partition}" in line]
        assert float(re.search(r"seconds=([0-9.]+)", restored)[1]) >= 0
        assert said.index(discarded) < said.index(restored)
    assert mlops.terminate(process) == 0
    # What was computed after the restart is computed from the states that were rebuilt.
    assert_same(reader, reference)


def first_occurrences(rows):
    return list(dict.fromkeys(rows))


def test_two_processes_share_the_partitions_and_one_is_killed(mlops, cluster, reader, reference):
    """Nothing is lost, and each key's rows come in order. A process that is killed leaves a transaction open; real brokers
    hide what it wrote, the mock shows it, and the next owner writes the same unit again. So on the mock rows of at most the
    unit that was interrupted in each partition may be there twice, and must then be the same bytes."""
    one = features(mlops, cluster)
    mlops.wait_for_log(one, "partitions assigned")
    two = features(mlops, cluster)
    mlops.wait_for_log(two, "partitions assigned")
    feeding = mlops.start(
        "produce", "--once", "--speed", "300x", *SYNTHETIC, "--admin-port", 0, "--project", CRYPTO, "--event-log", cluster.url,
        environment=ENVIRONMENT)
    total = len(reference.records("candles"))
    wait_for(lambda: reader.count("candles") > total // 3, "a third of the rows", process=one)
    mlops.kill(one)
    wait_for_rows(reader, reference, two)
    assert feeding.wait(120) == 0
    assert mlops.terminate(two) == 0
    for topic in OUTPUTS:
        found, expected = reader.by_key(topic), reference.by_key(topic)
        assert {key: first_occurrences(rows) for key, rows in found.items()} == expected
        doubled = sum(len(rows) for rows in found.values()) - sum(len(rows) for rows in expected.values())
        assert doubled <= 200


def test_partitions_move_without_a_double_when_processes_come_and_go(mlops, cluster, reader, reference):
    one = features(mlops, cluster)
    feeding = mlops.start(
        "produce", "--once", "--speed", "300x", *SYNTHETIC, "--admin-port", 0, "--project", CRYPTO, "--event-log", cluster.url,
        environment=ENVIRONMENT)
    total = len(reference.records("candles"))
    wait_for(lambda: reader.count("candles") > total // 5, "some rows", process=one)
    two = features(mlops, cluster)
    mlops.wait_for_log(two, "partitions assigned")
    mlops.wait_for_log(one, "partitions given up")
    wait_for(lambda: reader.count("candles") > total // 2, "half of the rows", process=two)
    assert mlops.terminate(one) == 0
    wait_for_rows(reader, reference, two)
    assert feeding.wait(120) == 0
    assert mlops.terminate(two) == 0
    assert_same(reader, reference)


def test_a_second_producer_of_a_source_is_refused(mlops, cluster):
    first = mlops.start(
        "produce", "--speed", "1x", "--source", "synthetic", "--admin-port", 0, "--project", CRYPTO, "--event-log", cluster.url,
        environment=ENVIRONMENT)
    mlops.wait_for_log(first, "partitions assigned")
    second = produce(mlops, cluster, status=None)
    assert second.returncode != 0 and "another process sends the source" in second.stderr
    assert first.poll() is None
    assert mlops.terminate(first) == 0


def test_the_whole_loop_runs_on_kafka(mlops, cluster, reader):
    said = mlops.run(
        "all", "--once", "--quick", "--project", CRYPTO, "--event-log", cluster.url, environment=ENVIRONMENT, timeout=300).stdout
    events, predicted = (int(re.search(pattern, said)[1]) for pattern in (r"features: (\d+) records", r"(\d+) rows predicted"))
    assert events > 100_000 and predicted > 1_000
    # One more was asked for over HTTP.
    assert reader.count("predictions") == predicted + 1
