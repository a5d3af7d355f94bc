"""`features` in two processes on Kafka, killed at random moments again and again; each kill moves partitions to the other process,
which restores their state and offset from the changelog.

Where `MLOPS_TEST_BROKER=host:port` names a cluster, the kills come whenever they come and the outputs must equal those of a run that
nobody disturbed: every row of every key, in order, once.

Without it the brokers are the C library's mock, which lets readers see what transactions wrote before they were committed, and takes
nothing back. What the test shows there: no row is lost or out of order, none is computed from a wrong state (the views look back over
all of a key's past), offsets and states come from the changelog and fit together, and partitions move. What it cannot show there: that
rows of an interrupted unit are hidden. They may be there twice, the same bytes, at most the units that were in hand at a kill; the
test counts them. It also cannot show fencing, and that the changelog of a unit is all or nothing: here it is because a unit's part of
the changelog is one request.

MLOPS_TEST_KAFKA_KILLS says how often to kill: 6 in the suite, 50 where there is time.
"""

import os
import random
import re
import time
import uuid

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from conftest import Mlops, wait_for
from kafka_mock import PARTITIONS, MockCluster, Reader, partition_of

KILLS = int(os.environ.get("MLOPS_TEST_KAFKA_KILLS", 6))
BROKER = os.environ.get("MLOPS_TEST_BROKER")
PAIRS = ["BTC/USD", "ETH/USD", "XRP/ETH", "SOL/USD", "ADA/USD", "DOT/USD", "LTC/USD", "XLM/USD", "UNI/USD", "ETC/USD"]
UNIT, CHUNK = 20, 300
VIEWS = ["candles", "momentum"]
OUTPUTS = VIEWS + ["trades.dead", "trades.late"]
# Every row depends on all rows of its key before it: a state that is a unit too old or too new shows in all that follow.
PROJECT = f"""project: kills
sources:
  synthetic: {{kind: synthetic, stream: trades, pairs: [{", ".join(PAIRS)}], rate: 2/s, seed: 7}}
streams:
  trades:
    key: pair
    time: timestamp_ms
    dedupe: {{field: trade_id, keep: 20}}
    fields: {{pair: string, price: double, quantity: double, side: string?, trade_id: string?, timestamp_ms: int}}
views:
  candles:
    from: trades
    window: {{length: 10s}}
    columns: {{open: first(price), high: max(price), low: min(price), close: last(price), volume: sum(quantity)}}
  momentum:
    from: candles
    columns: {{slow: "ema(close, 50)", balance: "obv(close, volume)", strength: "rsi(close, 14)"}}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    directory = tmp_path_factory.mktemp("project")
    (directory / "mlops.yaml").write_text(PROJECT)
    return directory


@pytest.fixture(scope="module")
def reference(tmp_path_factory, binary, project):
    """Trades in the embedded log, and what an uninterrupted run makes of them."""
    mlops = Mlops(tmp_path_factory.mktemp("reference"))
    seconds = max(600, KILLS * CHUNK)
    mlops.run("produce", "--once", "--speed", "max", "--source", "synthetic", "--duration", f"{seconds}s",
              "--start", "2024-03-01T10:00:00Z", "--admin-port", 0, "--project", project)
    mlops.run("features", "--once", "--project", project)
    return mlops


class Cluster:
    """A mock cluster, or a corner of a real one: the same to the test but for what its transactions are worth."""

    def __init__(self, topics):
        self.mock = None if BROKER else MockCluster()
        self.prefix = f"mlops-test-{uuid.uuid4().hex[:8]}-" if BROKER else ""
        self.brokers = BROKER or self.mock.brokers
        if self.mock:
            for topic, partitions in topics:
                self.mock.create(topic, partitions)
            self.mock.create("features.trades.changelog", PARTITIONS)

    def close(self):
        if self.mock:
            self.mock.close()


@pytest.fixture
def cluster(reference):
    cluster = Cluster(reference.query("SELECT name, partitions FROM topics"))
    yield cluster
    cluster.close()


class Changelog:
    """The next offset of each partition of the input, as the changelog has it."""

    def __init__(self, cluster):
        self.topic = cluster.prefix + "features." + "trades.changelog"
        self.input = f"{cluster.prefix}trades/".encode()
        self.next = dict.fromkeys(range(PARTITIONS), 0)
        self.consumer = Consumer({
            "bootstrap.servers": cluster.brokers, "group.id": "test-changelog", "enable.auto.commit": False,
            "isolation.level": "read_committed", "allow.auto.create.topics": False, "auto.offset.reset": "error"})
        self.consumer.assign([TopicPartition(self.topic, partition, 0) for partition in range(PARTITIONS)])

    def reached(self):
        """Records of the input that units have gone past."""
        while (message := self.consumer.poll(0.05)) is not None:
            if message.error() is not None:
                assert message.error().code() != KafkaError._AUTO_OFFSET_RESET, "the changelog's beginning is gone"
            elif message.key() == b"o" + self.input + str(message.partition()).encode():
                self.next[message.partition()] = int(message.value())
        return sum(self.next.values())

    def is_whole(self):
        """Whether its beginning is still there: the mock forgets what is beyond 5 MiB of a partition."""
        return all(self.consumer.get_watermark_offsets(place, timeout=20)[0] == 0 for place in self.consumer.assignment())

    def close(self):
        self.consumer.close()


class Feed:
    """Lets the trades of the reference into Kafka, some at a time, in the order they had."""

    def __init__(self, cluster, reference):
        records = reference.records("trades")
        # By time over all partitions, as they came; ticks last, as they were.
        self.records = sorted(records, key=lambda record: ("mlops-tick" in record[5], record[2]))
        self.topic, self.sent = cluster.prefix + "trades", 0
        self.producer = Producer({
            "bootstrap.servers": cluster.brokers, "enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 0})

    def send(self, count):
        for partition, _, timestamp, key, value, headers in self.records[self.sent:self.sent + count]:
            assert partition == partition_of(key)
            self.producer.produce(
                self.topic, value, key, partition, timestamp=timestamp, headers=[(name, data) for name, data in headers.items()])
        assert self.producer.flush(60) == 0
        self.sent = min(len(self.records), self.sent + count)


def first_occurrences(rows):
    return list(dict.fromkeys(rows))


def test_random_kills_and_rebalances_lose_nothing(mlops, cluster, reference, project):
    randomness = random.Random(23)
    reader, feed = Reader(cluster.brokers), Feed(cluster, reference)

    def start():
        return mlops.start(
            "features", "--admin-port", 0, "--project", project, "--event-log", f"kafka://{cluster.brokers}",
            environment={
                "MLOPS_KAFKA_SESSION_TIMEOUT": "6s", "MLOPS_FEATURES_BATCH_RECORDS": str(UNIT), "MLOPS_TOPIC_PREFIX": cluster.prefix})

    running = [start(), start()]
    for process in running:
        mlops.wait_for_log(process, "partitions assigned")
    changelog, total = Changelog(cluster), len(feed.records)
    for kill in range(KILLS):
        # Some of the last trades may still wait; the kill comes while the next ones are computed.
        goal = feed.sent - randomness.randint(0, CHUNK)
        wait_for(lambda: changelog.reached() >= goal, f"progress before kill {kill}", 120)
        feed.send(CHUNK)
        time.sleep(randomness.uniform(0, 0.15))
        victim = randomness.randrange(2)
        mlops.kill(running[victim])
        running[victim] = start()
    assert changelog.reached() < total, "the kills came too late to interrupt anything"
    feed.send(total)
    wait_for(lambda: changelog.reached() == total, "all trades computed", 180)
    assert [mlops.terminate(process) for process in running] == [0, 0]

    logs = [mlops.log(process) for process in mlops.started]
    resumed = [int(number) for log in logs for number in re.findall(r"features go on .*from=(\d+)", log)]
    restored = [
        (int(entries), float(seconds)) for log in logs
        for entries, seconds in re.findall(r"state restored from the changelog .*entries=(\d+) .*seconds=([\d.]+)", log)]
    assert len([entries for entries, _ in restored if entries > 0]) >= KILLS and len(resumed) >= KILLS
    doubled = 0
    for topic in OUTPUTS:
        found, expected = reader.by_key(cluster.prefix + topic), reference.by_key(topic)
        assert {key: first_occurrences(rows) for key, rows in found.items()} == expected, topic
        doubled += sum(len(rows) for rows in found.values()) - sum(len(rows) for rows in expected.values())
    # A process has at most all partitions, and one unit of each in hand.
    assert doubled <= (KILLS * PARTITIONS * UNIT * len(VIEWS) if cluster.mock else 0)
    for view in VIEWS:
        newest = {message.key(): message.value() for message in reader.messages(f"{cluster.prefix}{view}.latest")}
        assert newest == {key: rows[-1][1] for key, rows in reference.by_key(f"{view}.latest").items()}, view
    print(f"{KILLS} kills, {total} trades, {len(restored)} restores in at most {max(seconds for _, seconds in restored)} s, "
          f"{doubled} rows of interrupted units seen twice")
    assert changelog.is_whole()
    changelog.close()
    reader.close()
