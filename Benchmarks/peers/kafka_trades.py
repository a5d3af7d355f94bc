"""The million trades of `kafka_ohlcv.py` in Kafka, and the candles that they make. Runs with quixstreams' own client.

    kafka_trades.py create BROKERS TOPIC…         makes topics of four partitions
    kafka_trades.py load BROKERS TOPIC COUNT      sends the trades as fast as they go
    kafka_trades.py pace BROKERS TOPIC COUNT URL  sends them no faster than the metrics at URL say that they are computed
    kafka_trades.py check BROKERS TOPIC COUNT     recounts the candles and compares them with the topic's; prints JSON

A trade has 180 bytes. The last minute of each key stays open on every side, for no later trade closes it.
"""

import json
import random
import re
import sys
import time
import urllib.request

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

KEYS = [f"C{number:02d}/USD" for number in range(50)]
START, STEP, MINUTE = 1_767_225_600_000, 50, 60_000
# Trades under way at most when paced. Were all of them in one partition, they would still be less than the 5 MiB that mock
# brokers keep of it.
AHEAD = 16_000
NAMES = ("open", "high", "low", "close", "volume")


def trades(count):
    """(key, event time in milliseconds, price, quantity), the same in every process."""
    chance = random.Random(7).random
    prices = [100.0 + 10 * number for number in range(len(KEYS))]
    for number in range(count):
        key = int(chance() * len(KEYS))
        prices[key] = round(prices[key] * (1 + (chance() - 0.5) / 500), 4)
        yield KEYS[key], START + number * STEP, prices[key], round(chance() * 2, 4) + 0.0001


def value(number, trade):
    key, at, price, quantity = trade
    text = f'{{"pair":"{key}","price":{price!r},"quantity":{quantity!r},"side":"buy","timestamp_ms":{at},"trade_id":"{number:07d}-'
    return (text + "x" * (178 - len(text)) + '"}').encode()


def producer(brokers):
    return Producer({
        "bootstrap.servers": brokers, "partitioner": "murmur2_random", "enable.idempotence": True, "linger.ms": 5,
        "queue.buffering.max.messages": 100_000})


def send(client, topic, count, wait=lambda sent: None):
    failures = []

    def report(error, _):
        if error is not None:
            failures.append(error)

    for number, trade in enumerate(trades(count)):
        while True:
            try:
                client.produce(topic, value(number, trade), trade[0].encode(), timestamp=trade[1], on_delivery=report)
                break
            except BufferError:
                client.poll(0.05)
        if number % 1_000 == 0:
            client.poll(0)
            wait(number)
    left = client.flush(60)
    if failures or left:
        sys.exit(f"{topic}: {len(failures)} trades were not delivered, {left} not reported on: {failures[:1]}")


def computed(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        found = re.findall(r"^mlops_features_events_accepted_total\S* (\d+)", answer.read().decode(), re.MULTILINE)
    return sum(map(int, found))


def pace(brokers, topic, count, url):
    client, known = producer(brokers), 0

    def wait(sent):
        nonlocal known
        deadline = time.monotonic() + 60
        while sent - known > AHEAD:
            client.poll(0)
            known = computed(url)
            if time.monotonic() > deadline:
                sys.exit(f"no trade was computed for a minute: {sent} sent, {known} computed")
            time.sleep(0.005)

    send(client, topic, count, wait)


def recounted(count):
    """The candles of closed minutes, one trade after the other, by key and start."""
    candles, newest = {}, {}
    for key, at, price, quantity in trades(count):
        start = at // MINUTE * MINUTE
        newest[key] = start
        candle = candles.setdefault((key, start), [price, price, price, price, 0.0])
        candle[1], candle[2], candle[3] = max(candle[1], price), min(candle[2], price), price
        candle[4] += quantity
    return {place: candle for place, candle in candles.items() if place[1] < newest[place[0]]}


def read(brokers, topic):
    """Every committed record of a topic; and how many its beginning no longer holds."""
    consumer = Consumer({
        "bootstrap.servers": brokers, "group.id": "mlops-bench-check", "enable.auto.commit": False, "enable.partition.eof": True,
        "isolation.level": "read_committed"})
    places = [TopicPartition(topic, partition, 0) for partition in consumer.list_topics(topic, timeout=20).topics[topic].partitions]
    forgotten = sum(max(0, consumer.get_watermark_offsets(place, timeout=20)[0]) for place in places)
    consumer.assign(places)
    messages, unread = [], len(places)
    while unread:
        message = consumer.poll(30)
        if message is None:
            sys.exit(f"{topic}: the brokers say nothing")
        if message.error() is None:
            messages.append(message)
        elif message.error().code() == KafkaError._PARTITION_EOF:
            unread -= 1
        else:
            sys.exit(f"{topic}: {message.error()}")
    consumer.close()
    return messages, forgotten


def check(brokers, topic, count):
    expected = recounted(count)
    messages, forgotten = read(brokers, topic)
    differ, found = 0, {}
    for message in messages:
        row = json.loads(message.value())
        start = row.get("window_start_ms", row.get("start"))
        place = (message.key().decode(), start)
        # A candle that is there twice is one too many.
        differ += place in found
        values = row.get("value", row)
        found[place] = [values[name] for name in NAMES]
    differ += sum(found.get(place) != candle for place, candle in expected.items()) + len(found.keys() - expected.keys())
    print(json.dumps({"candles": len(expected), "found": len(found), "differ": differ, "forgotten": forgotten}))


def create(brokers, *topics):
    for made in AdminClient({"bootstrap.servers": brokers}).create_topics(
            [NewTopic(topic, 4, 1, config={"retention.ms": "-1"}) for topic in topics]).values():
        made.result(30)


def main():
    command, brokers, topic, *rest = sys.argv[1:]
    if command == "create":
        create(brokers, topic, *rest)
    elif command == "load":
        send(producer(brokers), topic, int(rest[0]))
    elif command == "pace":
        pace(brokers, topic, int(rest[0]), rest[1])
    elif command == "check":
        check(brokers, topic, int(rest[0]))
    else:
        sys.exit(64)


if __name__ == "__main__":
    main()
