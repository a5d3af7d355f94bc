"""Brokers for tests: the mock cluster of the C library that confluent-kafka brings along, on loopback ports.

It speaks Kafka's protocol to any client, and keeps what it is sent. It does not isolate transactions: what an aborted one
wrote is visible. It stores no offsets that are sent with a transaction, fences nobody, compacts nothing, creates no topics on
request (so the tests do), and forgets the oldest records of a partition beyond 5 MiB.
"""

import ctypes
import pathlib

import confluent_kafka

PARTITIONS = 4


def _library():
    folder = pathlib.Path(confluent_kafka.__file__).resolve().parent.parent / "confluent_kafka.libs"
    library = ctypes.CDLL(str(next(folder.glob("librdkafka-*.so*"))))
    for name, result in [
            ("rd_kafka_conf_new", ctypes.c_void_p), ("rd_kafka_new", ctypes.c_void_p),
            ("rd_kafka_mock_cluster_new", ctypes.c_void_p), ("rd_kafka_mock_cluster_bootstraps", ctypes.c_char_p)]:
        getattr(library, name).restype = result
    return library


LIBRARY = _library()
LOG_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p)
SILENCE = LOG_CALLBACK(lambda *_: None)


class MockCluster:
    def __init__(self, brokers=1):
        configuration = ctypes.c_void_p(LIBRARY.rd_kafka_conf_new())
        LIBRARY.rd_kafka_conf_set_log_cb(configuration, SILENCE)
        self.handle = ctypes.c_void_p(LIBRARY.rd_kafka_new(0, configuration, None, ctypes.c_size_t(0)))
        self.cluster = ctypes.c_void_p(LIBRARY.rd_kafka_mock_cluster_new(self.handle, brokers))
        self.brokers = LIBRARY.rd_kafka_mock_cluster_bootstraps(self.cluster).decode()
        # A group waits this long for its first members; brokers wait 3 s.
        LIBRARY.rd_kafka_mock_group_initial_rebalance_delay_ms(self.cluster, ctypes.c_int32(500))

    @property
    def url(self):
        return "kafka://" + self.brokers

    def create(self, topic, partitions=PARTITIONS):
        code = LIBRARY.rd_kafka_mock_topic_create(self.cluster, topic.encode(), partitions, 1)
        assert code == 0, f"topic {topic}: error {code}"

    def set_down(self, broker, is_down=True):
        call = LIBRARY.rd_kafka_mock_broker_set_down if is_down else LIBRARY.rd_kafka_mock_broker_set_up
        assert call(self.cluster, ctypes.c_int32(broker)) == 0

    def close(self):
        LIBRARY.rd_kafka_mock_cluster_destroy(self.cluster)
        LIBRARY.rd_kafka_destroy(self.handle)


class Reader:
    """All committed records of topics, as Python's client sees them."""

    def __init__(self, brokers):
        self.consumer = confluent_kafka.Consumer({
            "bootstrap.servers": brokers, "group.id": "test-reader", "enable.auto.commit": False,
            "isolation.level": "read_committed", "enable.partition.eof": True, "allow.auto.create.topics": False})

    def partitions(self, topic):
        return sorted(self.consumer.list_topics(topic, timeout=10).topics[topic].partitions)

    def count(self, topic):
        """Records there are; end offsets also count the marks of transactions."""
        return len(self.messages(topic))

    def messages(self, topic):
        places = [confluent_kafka.TopicPartition(topic, partition, 0) for partition in self.partitions(topic)]
        self.consumer.assign(places)
        open_places, found = {place.partition for place in places}, []
        while open_places:
            message = self.consumer.poll(20)
            assert message is not None, f"{topic}: the brokers say nothing"
            if message.error() is None:
                found.append(message)
            elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                open_places.discard(message.partition())
            else:
                raise AssertionError(message.error())
        self.consumer.unassign()
        return found

    def by_key(self, topic):
        """Per key its sequence of (timestamp, value bytes): what parity promises."""
        found = {}
        for message in self.messages(topic):
            found.setdefault(message.key(), []).append((message.timestamp()[1], message.value()))
        return found

    def close(self):
        self.consumer.close()


def murmur2(key):
    """The hash by which Kafka's Java client places keys."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(key)
    for at in range(0, len(key) - len(key) % 4, 4):
        k = int.from_bytes(key[at:at + 4], "little") * m & mask
        k ^= k >> 24
        h = (h * m & mask) ^ (k * m & mask)
    rest = key[len(key) - len(key) % 4:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h ^= h >> 13
    h = h * m & mask
    return h ^ h >> 15


def partition_of(key, count=PARTITIONS):
    return (murmur2(key) & 0x7FFFFFFF) % count
