#!/usr/bin/env python3
"""Writes candles.csv and expected.csv: what every indicator is by its definition, computed the plain way.

Nothing here is incremental: a window is cut out of the series and looked at as a whole, a recursion runs from the first row. So it
shares no code and no trick with the operators it checks. Empty cells are rows before the first value.
"""

import csv
import math
import pathlib

here = pathlib.Path(__file__).parent
ROWS = 120


def series():
    """Candles from a linear congruential generator, with a flat stretch, a rise, a fall and rows without volume."""
    state, close, rows = 20240101, 100.0, []

    def draw():
        nonlocal state
        state = (state * 1103515245 + 12345) % 2**31
        return state / 2**31

    for row in range(ROWS):
        opened = close
        if 50 <= row < 62:
            move = 0.0
        elif 70 <= row < 78:
            move = 0.5
        elif 84 <= row < 92:
            move = -0.75
        else:
            move = round(4 * draw() - 2, 2)
        close = round(opened + move, 2)
        flat = 50 <= row < 62
        high = round(max(opened, close) + (0 if flat else draw()), 2)
        low = round(min(opened, close) - (0 if flat else draw()), 2)
        volume = 0.0 if row % 17 == 5 else round(10 * draw(), 3)
        rows.append((high, low, close, volume))
    return rows


def windows(values, n):
    """The last n values of every row, None while there are fewer."""
    return [values[row - n + 1 : row + 1] if row >= n - 1 else None for row in range(len(values))]


def over(values, n, f):
    return [None if window is None else f(window) for window in windows(values, n)]


def mean(window):
    return math.fsum(window) / len(window)


def deviation(window):
    middle = mean(window)
    return math.sqrt(math.fsum((x - middle) ** 2 for x in window) / len(window))


def weighted(window):
    n = len(window)
    return math.fsum(weight * x for weight, x in enumerate(window, 1)) / (n * (n + 1) / 2)


def rank(window):
    smaller = sum(x < window[-1] for x in window)
    equal = sum(x == window[-1] for x in window)
    return smaller + (equal + 1) / 2


def after(values, f):
    """f on the values that are there; what comes before them stays empty."""
    first = next((row for row, x in enumerate(values) if x is not None), len(values))
    return [None] * first + f(values[first:])


def ema(values, n):
    def run(values):
        result, average = [None] * min(n - 1, len(values)), None
        for row in range(n - 1, len(values)):
            average = mean(values[:n]) if average is None else average + (values[row] - average) * 2 / (n + 1)
            result.append(average)
        return result

    return after(values, run)


def wilder(values, n):
    """The mean of the first n, then (average * (n - 1) + x) / n."""

    def run(values):
        result, average = [None] * min(n - 1, len(values)), None
        for row in range(n - 1, len(values)):
            average = mean(values[:n]) if average is None else (average * (n - 1) + values[row]) / n
            result.append(average)
        return result

    return after(values, run)


def moves(values):
    return [None] + [b - a for a, b in zip(values, values[1:])]


def rsi(close, n):
    up = wilder([None if x is None else max(x, 0) for x in moves(close)], n)
    down = wilder([None if x is None else max(-x, 0) for x in moves(close)], n)
    return [None if u is None else 0 if u + d < 1e-14 else 100 * u / (u + d) for u, d in zip(up, down)]


def macd(close, fast, slow, signal):
    """The fast average begins with the last `fast` of the first `slow` rows; all three outputs begin together."""
    quick = [None] * (slow - fast) + ema(close[slow - fast :], fast)
    line = [None if b is None else a - b for a, b in zip(quick, ema(close, slow))]
    mean_line = ema(line, signal)
    return (
        [None if s is None else x for x, s in zip(line, mean_line)],
        mean_line,
        [None if s is None else x - s for x, s in zip(line, mean_line)],
    )


def true_range(high, low, close):
    return [None] + [max(h - l, abs(h - c), abs(l - c)) for h, l, c in zip(high[1:], low[1:], close)]


def fast_stochastic(high, low, close, n):
    def place(row):
        top, bottom = max(high[row - n + 1 : row + 1]), min(low[row - n + 1 : row + 1])
        return 0 if top == bottom else 100 * (close[row] - bottom) / (top - bottom)

    return [None if row < n - 1 else place(row) for row in range(len(close))]


def smooth(values, n):
    return after(values, lambda values: over(values, n, mean))


def together(a, b):
    return [None if y is None else x for x, y in zip(a, b)], b


def willr(high, low, close, n):
    def place(row):
        top, bottom = max(high[row - n + 1 : row + 1]), min(low[row - n + 1 : row + 1])
        return 0 if top == bottom else -100 * (top - close[row]) / (top - bottom)

    return [None if row < n - 1 else place(row) for row in range(len(close))]


def typical(high, low, close):
    return [(h + l + c) / 3 for h, l, c in zip(high, low, close)]


def cci(high, low, close, n):
    def index(window):
        if min(window) == max(window):
            return 0
        middle = mean(window)
        return (window[-1] - middle) / (0.015 * mean([abs(x - middle) for x in window]))

    return over(typical(high, low, close), n, index)


def mfi(high, low, close, volume, n):
    price = typical(high, low, close)
    rising = [None] + [p * v if p > q else 0 for q, p, v in zip(price, price[1:], volume[1:])]
    falling = [None] + [p * v if p < q else 0 for q, p, v in zip(price, price[1:], volume[1:])]
    up, down = smooth(rising, n), smooth(falling, n)
    return [None if u is None else 0 if (u + d) * n < 1 else 100 * u / (u + d) for u, d in zip(up, down)]


def adx(high, low, close, n):
    """Sums decay by their nth part from row n on; the index is the mean of the first n differences, then Wilder's average."""
    ranges = true_range(high, low, close)
    up = down = total = 0.0
    differences, result = [], [None] * len(close)
    for row in range(1, len(close)):
        rise, fall = high[row] - high[row - 1], low[row - 1] - low[row]
        if row >= n:
            up, down, total = up - up / n, down - down / n, total - total / n
        if fall > 0 and rise < fall:
            down += fall
        elif rise > 0 and rise > fall:
            up += rise
        total += ranges[row]
        if row < n:
            continue
        plus, minus = (100 * up / total, 100 * down / total) if total > 1e-14 else (0, 0)
        known = plus + minus > 1e-14
        differences.append(100 * abs(plus - minus) / (plus + minus) if known else 0)
        if row == 2 * n - 1:
            result[row] = mean(differences)
        elif row > 2 * n - 1:
            before = result[row - 1]
            result[row] = (before * (n - 1) + differences[-1]) / n if known else before
    return result


def obv(close, volume):
    total, result = volume[0], [volume[0]]
    for before, now, amount in zip(close, close[1:], volume[1:]):
        total += amount if now > before else -amount if now < before else 0
        result.append(total)
    return result


def expected(high, low, close, volume):
    """Call → its columns."""
    bands = [over(close, 10, lambda w, k=k: mean(w) + k * deviation(w)) for k in (1.5, 0, -1.5)]
    ranges = true_range(high, low, close)
    atr = wilder(ranges, 7)
    fast = fast_stochastic(high, low, close, 6)
    slow = smooth(fast, 3)
    return {
        "sum_over(close, 6)": [over(close, 6, math.fsum)],
        "min_over(low, 6)": [over(low, 6, min)],
        "max_over(high, 6)": [over(high, 6, max)],
        "rank_over(close, 6)": [over(close, 6, rank)],
        "sma(close, 8)": [over(close, 8, mean)],
        "mean_over(close, 8)": [over(close, 8, mean)],
        "ema(close, 8)": [ema(close, 8)],
        "wma(close, 8)": [over(close, 8, weighted)],
        "std_over(close, 10)": [over(close, 10, deviation)],
        "stddev(close, 10)": [over(close, 10, deviation)],
        "bollinger(close, 10, 1.5)": bands,
        "mom(close, 5)": [[None] * 5 + [b - a for a, b in zip(close, close[5:])]],
        "roc(close, 5)": [[None] * 5 + [100 * (b / a - 1) for a, b in zip(close, close[5:])]],
        "rsi(close, 9)": [rsi(close, 9)],
        "macd(close, 5, 11, 4)": list(macd(close, 5, 11, 4)),
        "trange(high, low, close)": [ranges],
        "atr(high, low, close, 7)": [atr],
        "natr(high, low, close, 7)": [[None if a is None else 100 * a / c for a, c in zip(atr, close)]],
        "adx(high, low, close, 7)": [adx(high, low, close, 7)],
        "stoch(high, low, close, 6, 3, 4)": list(together(slow, smooth(slow, 4))),
        "stochf(high, low, close, 6, 3)": list(together(fast, smooth(fast, 3))),
        "willr(high, low, close, 8)": [willr(high, low, close, 8)],
        "cci(high, low, close, 9)": [cci(high, low, close, 9)],
        "obv(close, volume)": [obv(close, volume)],
        "mfi(high, low, close, volume, 8)": [mfi(high, low, close, volume, 8)],
    }


rows = series()
with open(here / "candles.csv", "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["high", "low", "close", "volume"])
    writer.writerows(rows)
calls = expected(*[[float(row[index]) for row in rows] for index in range(4)])
with open(here / "expected.csv", "w", newline="") as file:
    writer = csv.writer(file, delimiter=";", lineterminator="\n")
    columns = [(f"{call} {output}", values) for call, outputs in calls.items() for output, values in enumerate(outputs)]
    writer.writerow([name for name, _ in columns])
    for row in range(ROWS):
        writer.writerow(["" if values[row] is None else repr(float(values[row])) for _, values in columns])
