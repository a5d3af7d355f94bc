"""The indicators of `indicators/with.yaml` with TA-Lib's C library, each over the whole array of a pair at once.

    indicators_talib.py LOG

Knows all rows before it begins, keeps no memory of a pair for rows to come, and takes the arrays as they are. Prints the seconds
that the calls took and the values of the rows that mlops writes.
"""

import json
import sqlite3
import sys
import time

import numpy
import pyarrow
import pyarrow.json
import talib

from log_values import values

COLUMNS = (
    "sma ema wma std bands_upper bands_middle bands_lower mom roc rsi macd macd_signal macd_hist trange atr natr adx stoch_k stoch_d "
    "stochf_k stochf_d willr cci obv mfi"
).split()


def indicators(price, quantity, high, low, close, volume):
    """The last four begin with the second row, the first that has a high and a low."""
    return [
        talib.SMA(price, 20), talib.EMA(price, 12), talib.WMA(price, 10), talib.STDDEV(price, 20), *talib.BBANDS(price, 20, 2.0, 2.0),
        talib.MOM(price, 10), talib.ROC(price, 10), talib.RSI(price, 14), *talib.MACD(price, 12, 26, 9),
        talib.TRANGE(high, low, close), talib.ATR(high, low, close, 14), talib.NATR(high, low, close, 14),
        talib.ADX(high, low, close, 14), *talib.STOCH(high, low, close, 14, 3, 0, 3, 0), *talib.STOCHF(high, low, close, 5, 3, 0),
        talib.WILLR(high, low, close, 14), talib.CCI(high, low, close, 20), talib.OBV(price, quantity),
        talib.MFI(high, low, close, volume, 14)]


def main():
    database = sqlite3.connect(f"file:{sys.argv[1]}/log.sqlite?mode=ro", uri=True)
    lines = b"\n".join(
        value
        for (data,) in database.execute(
            "SELECT data FROM batches JOIN topics ON id = topic WHERE name = 'trades' ORDER BY partition, base")
        for value in values(data))
    trades = pyarrow.json.read_json(pyarrow.BufferReader(lines)).to_pandas()
    seconds, written = 0.0, {}
    for name, pair in trades.groupby("pair", sort=False):
        price, quantity = (pair[name].to_numpy(numpy.float64) for name in ("price", "quantity"))
        high, low = numpy.maximum(price[1:], price[:-1]) + quantity[1:], numpy.minimum(price[1:], price[:-1])
        begun = time.perf_counter()
        found = indicators(price, quantity, high, low, price[1:].copy(), quantity[1:].copy())
        seconds += time.perf_counter() - begun
        # What begins with the second row stands in the same row of the table.
        table = numpy.stack([numpy.concatenate([numpy.full(len(price) - len(values), numpy.nan), values]) for values in found], axis=1)
        kept = (pair["timestamp_ms"] % 50_000 < 50).to_numpy()
        for trade, row in zip(pair["trade_id"][kept], table[kept]):
            written[f"{name} {trade}"] = [None if numpy.isnan(value) else float(value) for value in row]
    json.dump({"seconds": seconds, "columns": COLUMNS, "rows": written}, sys.stdout)


main()
