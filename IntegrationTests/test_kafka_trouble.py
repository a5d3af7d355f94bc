"""What a user is told when Kafka is not as the program needs it: brokers that are away, topics that are missing or of another shape,
records that were removed. The brokers are mocks (see kafka_mock.py for what those cannot show)."""

import json
import re
import time

import pytest
from confluent_kafka import Producer

from conftest import CRYPTO, free_port, get, project_copy, wait_for
from kafka_mock import PARTITIONS, MockCluster, Reader
from test_kafka import ENVIRONMENT

TOPICS = [
    "trades", "trades.dead", "trades.late", "candles", "candles.latest", "candles.generations", "technical_indicators",
    "technical_indicators.latest", "technical_indicators.generations", "technical_indicators.quarantine", "predictions",
    "features.trades.changelog"]


@pytest.fixture
def cluster():
    cluster = MockCluster()
    for topic in TOPICS:
        cluster.create(topic)
    cluster.create("registry-events", 1)
    for group in ("produce.synthetic", "source.synthetic", "produce.copy"):
        cluster.create(f"{group}.changelog", 1)
    yield cluster
    cluster.close()


@pytest.fixture
def reader(cluster):
    reader = Reader(cluster.brokers)
    yield reader
    reader.close()


def failing(mlops, url, status, *command, environment=None, project=CRYPTO):
    """What a command says that must end with a status."""
    return mlops.run(
        *(command or ("features", "--once")), "--admin-port", 0, "--project", project, "--event-log", url, environment=environment,
        status=status).stderr


class TestBrokersThatAreAway:
    @pytest.mark.parametrize("command", [
        ["features"], ["features", "--once"], ["features", "serve"], ["produce"], ["produce", "--once", "--source", "synthetic"],
        ["serve"], ["monitor"], ["train"], ["track"]], ids=" ".join)
    def test_at_the_start_every_role_ends_after_the_patience_and_says_so(self, mlops, command):
        brokers = f"127.0.0.1:{free_port()}"
        said = failing(mlops, f"kafka://{brokers}", 69, *command, environment={"MLOPS_KAFKA_PATIENCE": "1s"})
        assert f"no broker of {brokers} has answered within 1 s; check event_log.url and the kafka settings" in said

    def test_they_are_waited_for_by_services_and_metrics_tell(self, mlops, cluster, reader):
        """The brokers are away for longer than anybody's patience, and every service goes on where it was."""
        environment = {**ENVIRONMENT, "MLOPS_KAFKA_PATIENCE": "1s", "MLOPS_FEATURES_ARCHIVE_INTERVAL": "200ms"}
        ports = {name: free_port() for name in ("features", "produce")}

        def start(name, *command):
            return mlops.start(
                *command, "--admin-port", ports[name], "--project", CRYPTO, "--event-log", cluster.url, environment=environment)

        def metric(name, pattern):
            answer = get(f"http://127.0.0.1:{ports[name]}/metrics")
            found = re.findall(rf"^mlops_{pattern} ([0-9.]+)$", answer.text if answer else "", re.MULTILINE)
            return sum(map(float, found)) if found else None

        processes = {
            "features": start("features", "features"),
            "produce": start("produce", "produce", "--source", "synthetic", "--rate", "20", "--speed", "1x")}
        for name, process in processes.items():
            wait_for(lambda: metric(name, "kafka_reachable") == 1, f"{name} reaching the brokers", 120, process)
        accepted = r"features_events_accepted_total\S*"
        wait_for(lambda: metric("features", accepted), "the first trades computed", 120, processes["features"])
        cluster.set_down(1)
        for name, process in processes.items():
            wait_for(lambda: metric(name, "kafka_reachable") == 0, f"{name} telling that no broker answers", 120, process)
        before = metric("features", accepted)
        mlops.wait_for_log(processes["features"], "the cluster does not answer: trying again", 120)
        # Longer than the patience: what did not wait would have ended by now.
        time.sleep(3)
        cluster.set_down(1, False)
        for name, process in processes.items():
            wait_for(lambda: metric(name, "kafka_reachable") == 1, f"{name} reaching the brokers again", 180, process)
        wait_for(lambda: metric("features", accepted) > before, "trades computed after the outage", 180, processes["features"])
        mlops.wait_for_log(processes["features"], "the cluster answers again", 120)
        assert mlops.terminate(processes["produce"], 60) == 0
        ids = {}
        for message in reader.messages("trades"):
            if message.value() is not None:
                ids.setdefault(message.key(), []).append(int(json.loads(message.value())["trade_id"]))
        # Nothing is missing. What was under way when the brokers went may be there twice: the mock takes nothing back.
        assert all(list(dict.fromkeys(found)) == list(range(found[0], found[0] + len(set(found)))) for found in ids.values())
        trades = sum(len(set(found)) for found in ids.values())
        wait_for(lambda: metric("features", accepted) == trades, "every trade computed", 180, processes["features"])
        assert mlops.terminate(processes["features"], 60) == 0

    def test_who_only_reads_tells_it_too_and_serves_what_it_has(self, mlops, cluster):
        port = free_port()
        process = mlops.start(
            "features", "serve", "--port", port, "--admin-port", 0, "--project", CRYPTO, "--event-log", cluster.url,
            environment=ENVIRONMENT)

        def answer(path):
            return get(f"http://127.0.0.1:{port}{path}")

        def is_reachable(value):
            found = answer("/metrics")
            return found and re.search(rf"^mlops_kafka_reachable {value}", found.text, re.MULTILINE)

        wait_for(lambda: is_reachable(1), "the brokers reached", 120, process)
        wait_for(lambda: (found := answer("/readyz")) and found.status_code == 200, "readiness", 120, process)
        cluster.set_down(1)
        wait_for(lambda: is_reachable(0), "the outage in the metrics", 120, process)
        # What was read is served on, so that the balancer need not take the process out.
        assert answer("/readyz").status_code == 200
        cluster.set_down(1, False)
        wait_for(lambda: is_reachable(1), "the brokers reached again", 180, process)
        assert "the cluster does not answer: trying again" in mlops.log(process)
        assert mlops.terminate(process, 60) == 0

    def test_a_service_that_waits_for_them_ends_when_it_is_told_to(self, mlops, cluster):
        process = mlops.start(
            "features", "--admin-port", 0, "--project", CRYPTO, "--event-log", cluster.url,
            environment={**ENVIRONMENT, "MLOPS_FEATURES_ARCHIVE_INTERVAL": "200ms"})
        mlops.wait_for_log(process, "partitions assigned")
        cluster.set_down(1)
        mlops.wait_for_log(process, "the cluster does not answer: trying again")
        assert mlops.terminate(process, 60) == 0


class TestTopicsOfAnotherShape:
    def test_missing_topics_that_the_cluster_does_not_make_are_listed(self, mlops):
        # Mock brokers make none, as some clusters do not for everybody.
        cluster = MockCluster()
        cluster.create("trades")
        said = failing(mlops, cluster.url, 69, environment=ENVIRONMENT)
        cluster.close()
        assert re.search(r"topics are missing and could not be created: .+; create trades\.dead \(4 partitions\), ", said)
        assert "candles.latest (4 partitions, compacted)" in said and "registry-events (1 partition)" in said
        assert "create trades (" not in said

    def test_too_few_partitions(self, mlops):
        cluster = MockCluster()
        cluster.create("trades", 3)
        said = failing(mlops, cluster.url, 78, environment=ENVIRONMENT)
        cluster.close()
        assert 'topic "trades" has 3 partitions, but the project wants 4 partitions' in said

    def test_a_changelog_with_fewer_partitions_than_its_stream(self, mlops):
        cluster = MockCluster()
        for topic in TOPICS:
            cluster.create(topic, 2 if topic.endswith(".changelog") else PARTITIONS)
        cluster.create("registry-events", 1)
        said = failing(mlops, cluster.url, 78, environment=ENVIRONMENT)
        cluster.close()
        assert '"features.trades.changelog" has 2 partitions, but the project wants 4, as many as its input' in said

    def test_more_replicas_than_partitions(self, mlops, cluster):
        said = failing(mlops, cluster.url, 78, "features", environment={**ENVIRONMENT, "MLOPS_FEATURES_REPLICAS": "5"})
        assert "features.replicas is 5, but the streams have 4 partitions: at most 4 processes can share them" in said

    def test_a_topic_to_read_from_that_does_not_exist(self, mlops, cluster, tmp_path):
        source = "  copy: {kind: topic, stream: trades, topic: nowhere}\n"
        project = project_copy(tmp_path / "project", ("\nstreams:\n  trades:", source + "\nstreams:\n  trades:"))
        said = failing(mlops, cluster.url, 78, "produce", "--once", "--source", "copy", environment=ENVIRONMENT, project=project)
        assert 'topic "nowhere" does not exist' in said


class TestTopicSources:
    """`produce` of a topic on Kafka."""

    @pytest.mark.parametrize("is_elsewhere", [False, True], ids=["the same cluster", "another cluster"])
    def test_what_is_left_of_a_topic_comes_once(self, mlops, cluster, reader, tmp_path, is_elsewhere):
        """Its oldest records were removed before they were read: the rest comes, each record once, and the loss is told."""
        other = MockCluster() if is_elsewhere else cluster
        other.create("elsewhere", 1)
        producer = Producer({"bootstrap.servers": other.brokers, "linger.ms": 5})

        def send(numbers):
            for number in numbers:
                value = {"pair": "A/B", "price": 1.5, "quantity": 1.0, "trade_id": str(number), "timestamp_ms": 1_700_000_000_000 + number,
                         "note": "x" * 500}
                producer.produce("elsewhere", json.dumps(value), "A/B")
                producer.poll(0)
            assert producer.flush(60) == 0

        send(range(20_000))
        log = f', event_log: "{other.url}"' if is_elsewhere else ""
        source = f"  copy: {{kind: topic, stream: trades, topic: elsewhere{log}}}\n"
        project = project_copy(tmp_path / "project", ("\nstreams:\n  trades:", source + "\nstreams:\n  trades:"))
        command = ["produce", "--once", "--source", "copy", "--admin-port", 0, "--project", project, "--event-log", cluster.url]

        def copied():
            return [int(json.loads(message.value())["trade_id"]) for message in reader.messages("trades") if message.value() is not None]

        def run():
            done = mlops.run(*command, environment=ENVIRONMENT)
            return done.stdout + done.stderr

        begun = re.search(r"the topic no longer has its beginning: .*offsets=0\.\.<(\d+)", run())
        assert 0 < int(begun[1]) < 20_000
        # The mock also forgets the beginning of the copy; what it has is the end of what was left.
        first = copied()
        assert first == list(range(first[0], 20_000)) and first[0] >= int(begun[1])
        send(range(20_000, 20_100))
        assert "no longer" not in run() and "removed" not in run()
        assert copied()[-101:] == list(range(19_999, 20_100))
        send(range(20_100, 40_000))
        lost = re.search(r"records were removed before they were read: .*offsets=(\d+)\.\.<(\d+)", run())
        assert int(lost[1]) == 20_100 < int(lost[2]) < 40_000
        rest = [number for number in copied() if number >= 20_100]
        assert rest == list(range(rest[0], 40_000)) and rest[0] >= int(lost[2])
        if is_elsewhere:
            other.close()


class TestSettings:
    @pytest.mark.parametrize("url", ["kafka://", "kafka://host", "kafka://host:x", "kafka:host:9092"])
    def test_no_url(self, mlops, url):
        assert "kafka://HOST:PORT" in failing(mlops, url, 78)

    def test_a_password_is_missing_and_not_shown_when_it_is_there(self, mlops, cluster):
        environment = {"MLOPS_KAFKA_SECURITY_PROTOCOL": "sasl_plaintext", "MLOPS_KAFKA_USERNAME": "me"}
        assert "MLOPS_KAFKA_PASSWORD" in failing(mlops, cluster.url, 78, environment=environment)
        shown = mlops.run(
            "features", "--check-config", "--project", CRYPTO, "--event-log", cluster.url,
            environment={**environment, "MLOPS_KAFKA_PASSWORD": "swordfish"}).stdout
        assert "kafka.password" in shown and "swordfish" not in shown

    def test_a_setting_that_the_library_refuses(self, mlops, cluster):
        environment = {"MLOPS_KAFKA_SECURITY_PROTOCOL": "ssl", "MLOPS_KAFKA_CA": "/nowhere.pem"}
        said = failing(mlops, cluster.url, 78, environment=environment)
        assert "/nowhere.pem" in said or "ssl.ca.location" in said
