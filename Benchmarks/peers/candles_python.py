"""Minute candles of the trades in a log, in plain Python: json.loads, a dictionary of open windows, the latest 10,000 ids a pair.

Prints the candles as JSON: pair, start, open, high, low, close, volume, trades.
"""

import collections
import json
import sqlite3
import sys

from log_values import values

MINUTE, KEEP = 60_000, 10_000


def main():
    database = sqlite3.connect(f"file:{sys.argv[1]}/log.sqlite?mode=ro", uri=True)
    candles, known, order = {}, {}, {}
    loads = json.loads
    for (data,) in database.execute(
            "SELECT data FROM batches JOIN topics ON id = topic WHERE name = 'trades' ORDER BY partition, base"):
        for value in values(data):
            trade = loads(value)
            pair, identity = trade["pair"], trade["trade_id"]
            if pair not in known:
                known[pair], order[pair] = set(), collections.deque()
            if identity is not None:
                if identity in known[pair]:
                    continue
                known[pair].add(identity)
                order[pair].append(identity)
                if len(order[pair]) > KEEP:
                    known[pair].discard(order[pair].popleft())
            price, quantity = trade["price"], trade["quantity"]
            if not (price > 0 and quantity >= 0):
                continue
            time = trade["timestamp_ms"]
            place = (pair, time - time % MINUTE)
            candle = candles.get(place)
            if candle is None:
                candles[place] = [price, price, price, price, quantity, 1]
                continue
            if price > candle[1]:
                candle[1] = price
            if price < candle[2]:
                candle[2] = price
            candle[3] = price
            candle[4] += quantity
            candle[5] += 1
    json.dump({"candles": [[*place, *candle] for place, candle in candles.items()]}, sys.stdout)


main()
