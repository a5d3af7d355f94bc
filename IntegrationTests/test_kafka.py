"""Roles that meet on Kafka, read by Python's client; the brokers are mocks (see kafka_mock.py for what those cannot show)."""

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


def wait_for_rows(reader, reference, process=None, seconds=90):
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


def test_a_state_file_that_is_damaged_is_rebuilt_and_said_so(mlops, cluster, reader, reference):
    process = features(mlops, cluster)
    produce(mlops, cluster)
    wait_for_rows(reader, reference, process)
    assert mlops.terminate(process) == 0
    files = sorted((mlops.data / "state").glob("features.trades-*.state"))
    assert len(files) == 4
    files[0].write_bytes(files[0].read_bytes()[:-1] + b"?")
    process = features(mlops, cluster)
    mlops.wait_for_log(process, "is damaged")
    mlops.wait_for_log(process, "state restored from the changelog")
    assert mlops.terminate(process) == 0
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
    assert feeding.wait(60) == 0
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
    assert feeding.wait(60) == 0
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


def test_a_broker_that_goes_and_comes_back_is_waited_for(mlops, cluster, reader, reference):
    process = features(mlops, cluster)
    mlops.wait_for_log(process, "partitions assigned")
    cluster.set_down(1)
    time.sleep(3)
    assert process.poll() is None
    cluster.set_down(1, False)
    produce(mlops, cluster)
    wait_for_rows(reader, reference, process)
    assert mlops.terminate(process) == 0
    assert_same(reader, reference)


def test_the_whole_loop_runs_on_kafka(mlops, cluster, reader):
    said = mlops.run(
        "all", "--once", "--quick", "--project", CRYPTO, "--event-log", cluster.url, environment=ENVIRONMENT, timeout=300).stdout
    events, predicted = (int(re.search(pattern, said)[1]) for pattern in (r"features: (\d+) records", r"(\d+) rows predicted"))
    assert events > 100_000 and predicted > 1_000
    # One more was asked for over HTTP.
    assert reader.count("predictions") == predicted + 1


class TestBadInput:
    def run(self, mlops, url, environment, status):
        return mlops.run(
            "features", "--once", "--admin-port", 0, "--project", CRYPTO, "--event-log", url, environment=environment, status=status)

    def test_no_broker(self, mlops):
        said = self.run(mlops, f"kafka://127.0.0.1:{free_port()}", {"MLOPS_KAFKA_PATIENCE": "1s"}, 69).stderr
        assert "no broker of 127.0.0.1:" in said and "within 1 s" in said

    def test_too_few_partitions(self, mlops):
        cluster = MockCluster()
        cluster.create("trades", 3)
        said = self.run(mlops, cluster.url, ENVIRONMENT, 78).stderr
        assert 'topic "trades" has 3 partitions, but the project wants 4 partitions' in said
        cluster.close()

    @pytest.mark.parametrize("url", ["kafka://", "kafka://host", "kafka://host:x", "kafka:host:9092"])
    def test_no_url(self, mlops, url):
        assert "kafka://HOST:PORT" in self.run(mlops, url, {}, 78).stderr

    def test_a_password_is_missing_and_not_shown_when_it_is_there(self, mlops, cluster):
        environment = {"MLOPS_KAFKA_SECURITY_PROTOCOL": "sasl_plaintext", "MLOPS_KAFKA_USERNAME": "me"}
        assert "MLOPS_KAFKA_PASSWORD" in self.run(mlops, cluster.url, environment, 78).stderr
        shown = mlops.run(
            "features", "--check-config", "--project", CRYPTO, "--event-log", cluster.url,
            environment={**environment, "MLOPS_KAFKA_PASSWORD": "swordfish"}).stdout
        assert "kafka.password" in shown and "swordfish" not in shown

    def test_a_setting_that_the_library_refuses(self, mlops, cluster):
        environment = {"MLOPS_KAFKA_SECURITY_PROTOCOL": "ssl", "MLOPS_KAFKA_CA": "/nowhere.pem"}
        said = self.run(mlops, cluster.url, environment, 78).stderr
        assert "/nowhere.pem" in said or "ssl.ca.location" in said
