"""Minute candles with quixstreams: final rows, changelog on, its defaults otherwise. Prints the seconds from the first trade to
the last and the trades there were.

    ohlcv_quixstreams.py BROKERS TOPIC OUTPUT COUNT DIRECTORY

The clock starts with the first trade, so joining the group does not count; and it stops with the last, so what is still to be
flushed does not either. One grace less than mlops keeps: it also keeps no ids, checks no fields and archives nothing.
"""

import sys
import time

from quixstreams import Application
from quixstreams.dataframe.windows import First, Last, Max, Min, Sum


def main():
    brokers, source, output, count, directory = sys.argv[1:]
    wanted, seen, begun = int(count), 0, 0.0

    def processed(topic, partition, offset):
        nonlocal seen, begun
        seen += 1
        if seen == 1:
            begun = time.perf_counter()
        elif seen == wanted:
            print(f"{time.perf_counter() - begun:.6f} {seen}", flush=True)
            application.stop()

    application = Application(
        brokers, consumer_group=f"{output}-group", auto_offset_reset="earliest", state_dir=directory, loglevel="ERROR",
        on_message_processed=processed)
    trades = application.topic(source, key_deserializer="str", value_deserializer="json")
    candles = application.topic(output, key_serializer="str", value_serializer="json")
    frame = application.dataframe(trades)
    frame.tumbling_window(60_000).agg(
        open=First("price"), high=Max("price"), low=Min("price"), close=Last("price"), volume=Sum("quantity")).final().to_topic(candles)
    application.run()


main()
