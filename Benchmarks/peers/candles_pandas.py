"""Minute candles of the trades in a log with pandas: pyarrow's JSON reader, drop_duplicates, one groupby.

Forgets no id, where the project forgets all but the latest 10,000 of a pair. Prints what `candles_python.py` prints.
"""

import json
import sqlite3
import sys

import pandas
import pyarrow
import pyarrow.json

from log_values import values

MINUTE = 60_000


def main():
    database = sqlite3.connect(f"file:{sys.argv[1]}/log.sqlite?mode=ro", uri=True)
    lines = b"\n".join(
        value
        for (data,) in database.execute(
            "SELECT data FROM batches JOIN topics ON id = topic WHERE name = 'trades' ORDER BY partition, base")
        for value in values(data))
    trades = pyarrow.json.read_json(pyarrow.BufferReader(lines)).to_pandas()
    trades = trades.drop_duplicates(["pair", "trade_id"])
    trades = trades[(trades["price"] > 0) & (trades["quantity"] >= 0)]
    start = trades["timestamp_ms"] - trades["timestamp_ms"] % MINUTE
    candles = trades.groupby(["pair", start.rename("start")], sort=False).agg(
        open=("price", "first"), high=("price", "max"), low=("price", "min"), close=("price", "last"),
        volume=("quantity", "sum"), trades=("price", "count"))
    json.dump({"candles": candles.reset_index().values.tolist()}, sys.stdout)


main()
