"""The whole loop, once: every number that it prints is computed again from what it wrote and from the input itself."""

import json
import math
import re

import numpy
import pyarrow.parquet
import pytest

from conftest import CRYPTO, MODEL, Mlops, values_hash

MINUTE = 60_000
HORIZON = 600_000
GRACE = 5_000


class Trades:
    """The recorded trades as the project reads them, by pyarrow and numpy alone."""

    def __init__(self, path):
        table = pyarrow.parquet.read_table(path)
        self.time = table["timestamp"].to_numpy()
        self.price = table["price"].to_numpy()
        self.quantity = table["amount"].to_numpy()
        assert len(set(table["id"].to_pylist())) == len(self.time), "the file repeats no trade"
        assert (numpy.diff(self.time) >= 0).all(), "the file is in order of time"

    def minutes(self):
        """Start of the minute → (prices, quantities), in file order."""
        found = {}
        for time, price, quantity in zip(self.time.tolist(), self.price.tolist(), self.quantity.tolist()):
            prices, quantities = found.setdefault(time // MINUTE * MINUTE, ([], []))
            prices.append(price)
            quantities.append(quantity)
        return found


class Loop:
    """One finished run, with what it said."""

    def __init__(self, mlops, done):
        self.mlops = mlops
        self.text = done.stdout
        self.log = done.stderr

    def number(self, pattern):
        found = re.search(pattern, self.text)
        assert found, f"nothing like {pattern!r} in\n{self.text}"
        return float(found.group(1))

    def gate(self):
        (path,) = self.mlops.data.glob("artifacts/*/*/artifacts/gate.json")
        return json.loads(path.read_text())


@pytest.fixture(scope="module")
def trades(xrp_eth):
    return Trades(xrp_eth)


@pytest.fixture(scope="module")
def real(module_mlops, xrp_eth):
    return Loop(module_mlops, module_mlops.run("all", "--project", CRYPTO, "--once", "--replay", f"xrp_eth={xrp_eth}"))


@pytest.fixture(scope="module")
def quick(tmp_path_factory, binary):
    mlops = Mlops(tmp_path_factory.mktemp("quick"))
    return Loop(mlops, mlops.run("all", "--project", CRYPTO, "--quick", "--once"))


def same(text, value):
    """Whether a number as it is printed stands for `value`."""
    digits = re.sub(r"e.*$", "", text).replace(".", "").replace("-", "").lstrip("0")
    return math.isclose(float(text), value, rel_tol=0.51 * 10.0 ** (1 - max(1, len(digits))), abs_tol=1e-300)


class TestRealData:
    """Recorded XRP/ETH trades, a third of whose minutes are silent."""

    def test_the_loop_ends_with_status_0_and_says_what_it_did(self, real, trades):
        assert "source xrp_eth: 2019-10-11T00:00:11.620Z to 2019-10-13T11:19:28.844Z" in real.text
        assert re.search(r"^crypto-price-10m/1 (promoted|refused): ", real.text, re.M)
        assert re.search(r"^serving crypto-price-10m/\d+ as (champion|baseline)$", real.text, re.M)
        assert re.search(r"^  200 \{\"predictions\":\[0\.00\d+\]", real.text, re.M)
        assert re.search(r"^monitor crypto-price-10m: \d+ predictions, \d+ labels$", real.text, re.M)
        assert re.search(r"drift: \d+ of \d+ columns", real.text)
        fed = real.number(r"features: (\d+) records") + real.number(r"the rest: (\d+) records")
        assert fed == len(trades.time) + 1, "every trade and the tick at the end went through"

    def test_every_trade_is_in_the_log_and_none_was_refused_or_late(self, real, trades):
        events = [record for record in real.mlops.records("trades") if record[4] is not None]
        values = [json.loads(record[4]) for record in events]
        assert [value["price"] for value in values] == trades.price.tolist()
        assert [value["quantity"] for value in values] == trades.quantity.tolist()
        assert [record[2] for record in events] == trades.time.tolist()
        assert real.mlops.records("trades.dead") == []
        assert real.mlops.records("trades.late") == []

    def test_every_candle_of_a_traded_minute_equals_a_recount_of_the_file(self, real, trades):
        minutes = trades.minutes()
        candles = {row["window_start_ms"]: row for row in real.mlops.rows("candles") if not row["synthetic"]}
        assert candles.keys() == minutes.keys()
        for start, (prices, quantities) in minutes.items():
            candle = candles[start]
            expected = [prices[0], max(prices), min(prices), prices[-1], len(prices), start + MINUTE, True]
            names = ["open", "high", "low", "close", "trades", "window_end_ms", "is_final"]
            assert [candle[name] for name in names] == expected, candle
            assert abs(candle["volume"] - math.fsum(quantities)) <= 1e-9, candle

    def test_every_silent_minute_is_a_flat_candle_without_volume(self, real, trades):
        rows = real.mlops.rows("candles")
        first, last = trades.time[0] // MINUTE * MINUTE, trades.time[-1] // MINUTE * MINUTE
        assert [row["window_start_ms"] for row in rows] == list(range(first, last + MINUTE, MINUTE))
        silent = 0
        for before, row in zip(rows, rows[1:]):
            if row["synthetic"]:
                silent += 1
                assert [row[name] for name in ("open", "high", "low", "close")] == [before["close"]] * 4
                assert (row["volume"], row["trades"], row["is_final"]) == (0.0, 0, True)
        assert silent == len(rows) - len(trades.minutes()) > 1_000

    def test_the_indicators_equal_their_definitions_over_the_candles(self, real):
        candles, rows = real.mlops.rows("candles"), real.mlops.rows("technical_indicators")
        close = numpy.array([row["close"] for row in candles])
        volume = numpy.array([row["volume"] for row in candles])
        assert [row["window_end_ms"] for row in rows] == [row["window_end_ms"] for row in candles]
        for at, row in enumerate(rows):
            assert row["current_price"] == close[at]
            for name, length, values in [("sma_7", 7, close), ("sma_14", 14, close), ("moving_average_last_10_minutes", 10, close)]:
                expected = None if at < length - 1 else math.fsum(values[at - length + 1:at + 1]) / length
                assert (row[name] is None) == (expected is None), (name, at)
                assert expected is None or math.isclose(row[name], expected, rel_tol=1e-9), (name, at)
            expected = math.fsum(volume[max(0, at - 9):at + 1])
            assert at < 9 or math.isclose(row["volume_last_10_minutes"], expected, rel_tol=1e-9, abs_tol=1e-9), at
            assert at < 1 or row["return_1"] == close[at] / close[at - 1] - 1
            assert at < 5 or row["return_5"] == close[at] / close[at - 5] - 1
        balance = [volume[0]]
        for at in range(1, len(close)):
            balance.append(balance[-1] + numpy.sign(close[at] - close[at - 1]) * volume[at])
        assert numpy.allclose([row["obv"] for row in rows], balance, rtol=0, atol=1e-6)

    def test_a_refusal_or_promotion_says_why_with_the_numbers_of_the_verdict(self, real):
        gate = real.gate()
        rivals = {comparison["rival"]: comparison for comparison in gate["comparisons"]}
        assert rivals.keys() == {"current(current_price)", "mean"}
        for rival, verdict in rivals.items():
            found = re.search(
                rf"against {re.escape(rival)}: mae (\S+) vs (\S+), improvement (\S+) \[(\S+), (\S+)\]", real.text)
            assert found, real.text
            for text, name in zip(found.groups()[1:], ["score", "improvement", "lower", "upper"]):
                assert same(text, verdict[name]), (rival, name, text, verdict[name])
            assert same(found.group(1), gate["score"])
        is_promoted = all(verdict["lower"] > 0 for verdict in rivals.values())
        assert ("promoted: " in real.text) == is_promoted
        assert ("refused: " in real.text) != is_promoted
        if not is_promoted:
            worst = min(rivals.values(), key=lambda verdict: verdict["lower"])
            assert f"does not beat {worst['rival']}" in real.text and f"on {gate['counted_rows']} test rows" in real.text

    def test_the_score_of_the_present_price_equals_a_recount_on_the_test_rows(self, real, trades):
        gate = real.gate()
        price = {row["window_end_ms"]: row["current_price"] for row in real.mlops.rows("technical_indicators")}
        known = [time for time in sorted(price) if time + GRACE <= self.training_end(trades)]
        # Labelled rows with all their inputs: the warm-up of macd with signal is the longest.
        warm = [row["window_end_ms"] for row in real.mlops.rows("technical_indicators") if row["macd_signal"] is not None]
        labelled = [time for time in known if time >= warm[0] and time + HORIZON in price and time + HORIZON <= known[-1]]
        test = labelled[-gate["counted_rows"]:]
        assert math.isclose(gate["counted_rows"], 0.2 * len(labelled), rel_tol=0.02)
        errors = [abs(price[time + HORIZON] - price[time]) for time in test]
        score = next(verdict["score"] for verdict in gate["comparisons"] if verdict["rival"].startswith("current"))
        assert math.isclose(score, math.fsum(errors) / len(errors), rel_tol=1e-9)

    def test_every_final_row_after_the_training_cut_is_predicted_once(self, real, trades):
        ends = [row["window_end_ms"] for row in real.mlops.rows("technical_indicators")]
        expected = [end for end in ends if end + GRACE > self.training_end(trades)]
        predictions = real.mlops.rows("predictions")
        asked = [prediction for prediction in predictions if prediction["id"] in real.text]
        assert len(asked) == 1 and asked[0]["feature_time_ms"] == ends[-1]
        streamed = [prediction["feature_time_ms"] for prediction in predictions if prediction is not asked[0]]
        assert sorted(streamed) == expected
        assert len({prediction["id"] for prediction in predictions}) == len(predictions)

    def test_predictions_hold_their_inputs_and_the_hash_of_them(self, real):
        rows = {row["window_end_ms"]: row for row in real.mlops.rows("technical_indicators")}
        for prediction in real.mlops.rows("predictions"):
            row = rows[prediction["feature_time_ms"]]
            assert prediction["features"] and prediction["features"] == {name: row[name] for name in prediction["features"]}
            assert prediction["values_hash"] == values_hash(prediction["features"])
            assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", prediction["id"])
            assert prediction["model"] == MODEL

    def test_the_live_error_equals_the_join_of_predictions_with_later_closes(self, real):
        close = {row["window_end_ms"]: row["close"] for row in real.mlops.rows("candles")}
        price = {row["window_end_ms"]: row["current_price"] for row in real.mlops.rows("technical_indicators")}
        first = {}
        for prediction in real.mlops.rows("predictions"):
            assert prediction["predicted_for_ms"] == prediction["feature_time_ms"] + HORIZON
            first.setdefault(prediction["predicted_for_ms"], prediction)
        joined = [(prediction, close[time]) for time, prediction in first.items() if time in close]
        errors = [abs(prediction["output"] - truth) for prediction, truth in joined]
        squares = [error * error for error in errors]
        present = [abs(price[prediction["feature_time_ms"]] - truth) for prediction, truth in joined]
        found = re.search(
            r"(\d+) predicted, (\d+) labelled, (\d+) without label, (\d+) waiting; MAE (\S+), RMSE (\S+); baseline MAE (\S+)",
            real.text)
        assert found, real.text
        assert [int(text) for text in found.groups()[:4]] == [len(first), len(joined), 0, len(first) - len(joined)]
        assert len(first) - len(joined) == HORIZON // MINUTE, "the last ten minutes have no label yet"
        assert same(found.group(5), math.fsum(errors) / len(errors))
        assert same(found.group(6), math.sqrt(math.fsum(squares) / len(squares)))
        assert same(found.group(7), math.fsum(present) / len(present))

    def test_the_report_is_one_small_file_that_loads_nothing(self, real):
        path = re.search(r"^report: (.+)$", real.text, re.M).group(1)
        assert path == str(real.mlops.data / "reports/monitor.html")
        html = (real.mlops.data / "reports/monitor.html").read_text()
        assert len(html.encode()) < 500_000
        assert html.startswith("<!doctype html>") and html.rstrip().endswith("</html>")
        assert not re.search(r"""(src|href|action|data)\s*=\s*["']?\s*(https?:)?//""", html)
        assert not re.search(r"@import|url\(|<script[^>]+src|<link", html)
        mae = re.search(r"; MAE (\S+),", real.text).group(1)
        assert mae in html, "the page shows the error that was printed"

    def test_the_archive_holds_every_row_of_the_topic(self, real):
        rows = real.mlops.rows("candles")
        tables = [pyarrow.parquet.read_table(path, partitioning=None)
                  for path in real.mlops.data.glob("objects/features/candles/day=*/*.parquet")]
        archived = sorted((row for table in tables for row in table.to_pylist()), key=lambda row: row["_offset"])
        assert [row["_offset"] for row in archived] == list(range(len(rows)))
        assert [{name: row[name] for name in rows[0]} for row in archived] == rows

    def test_a_second_run_over_the_same_file_predicts_the_same(self, real, mlops, xrp_eth):
        again = Loop(mlops, mlops.run("all", "--project", CRYPTO, "--once", "--replay", f"xrp_eth={xrp_eth}"))
        def told(loop):
            return sorted((row["feature_time_ms"], row["values_hash"], row["output"]) for row in loop.mlops.rows("predictions"))
        assert told(again) == told(real)
        assert again.gate()["comparisons"] == real.gate()["comparisons"]

    def test_training_until_a_given_time_sees_no_later_event(self, mlops, xrp_eth, trades):
        until = "2019-10-12T12:00:00Z"
        loop = Loop(mlops, mlops.run(
            "all", "--project", CRYPTO, "--once", "--replay", f"xrp_eth={xrp_eth}", "--train-until", until))
        assert f"training until {until}" in loop.text
        (path,) = mlops.data.glob("artifacts/*/*/artifacts/model/mlops.json")
        assert json.loads(path.read_text())["learnt_until_ms"] <= 1_570_881_600_000
        last = int(trades.time[trades.time < 1_570_881_600_000][-1])
        ends = [row["window_end_ms"] for row in mlops.rows("technical_indicators")]
        assert sorted({row["feature_time_ms"] for row in mlops.rows("predictions")}) == [
            end for end in ends if end + GRACE > last]

    @staticmethod
    def training_end(trades):
        """Time of the last trade that was there before training: those in the first 80 % of the span."""
        until = trades.time[0] + int((trades.time[-1] - trades.time[0]) * 0.8)
        return int(trades.time[trades.time < until][-1])


def test_the_quick_loop_on_generated_trades_ends_with_a_verdict(quick):
    assert quick.log.count("  trial ") == 4, "--quick tries four settings"
    verdict = re.search(r"^crypto-price-10m/1 (promoted|refused): (.*)$", quick.text, re.M)
    assert verdict and re.search(r"mae \S+ .*current\(current_price\) \S+", verdict.group(2)), quick.text


def test_two_days_of_three_pairs_become_one_candle_a_minute_each(quick):
    candles = quick.mlops.by_key("candles")
    assert candles.keys() == {b"BTC/USD", b"ETH/USD", b"XRP/ETH"}
    for key, rows in candles.items():
        starts = [timestamp for timestamp, _ in rows]
        assert starts == list(range(starts[0], starts[0] + len(starts) * MINUTE, MINUTE)), key
        assert 2 * 1_440 - 5 <= len(starts) <= 2 * 1_440, key


def test_candles_of_generated_trades_equal_a_recount_of_the_trades(quick):
    minutes = {}
    for _, _, timestamp, key, value, _ in quick.mlops.records("trades"):
        if value is not None:
            event = json.loads(value)
            minutes.setdefault((key, timestamp // MINUTE * MINUTE), []).append((event["price"], event["quantity"]))
    rows = [(key, json.loads(value)) for key, found in quick.mlops.by_key("candles").items() for _, value in found]
    candles = {(key, row["window_start_ms"]): row for key, row in rows if not row["synthetic"]}
    assert candles.keys() == minutes.keys()
    for place, events in minutes.items():
        candle = candles[place]
        prices = [price for price, _ in events]
        assert [candle["open"], candle["high"], candle["low"], candle["close"], candle["trades"]] == [
            prices[0], max(prices), min(prices), prices[-1], len(prices)]
        assert math.isclose(candle["volume"], math.fsum(quantity for _, quantity in events), rel_tol=1e-12)


def test_a_project_that_only_computes_features_goes_through_the_loop(mlops, tmp_path):
    """Training, serving and monitoring are for projects that have them."""
    text = (CRYPTO / "mlops.yaml").read_text()
    head = text[:text.index("\ntraining:")]
    (tmp_path / "project").mkdir()
    (tmp_path / "project/mlops.yaml").write_text(head + "\n")
    project = ("--project", tmp_path / "project")
    done = mlops.run("all", "--once", "--source", "synthetic", "--duration", "2h", "--rate", "2", *project)
    assert "the project has no training:" in done.stdout and "the project has no serving:" in done.stdout
    assert len(mlops.by_key("candles")) == 3
    running = mlops.start(
        "all", "--source", "synthetic", "--rate", "50", "--track-port", 0, "--admin-port", 0, *project)
    mlops.wait_for_log(running, "server=admin")
    mlops.wait_for_log(running, "server=track")
    assert mlops.terminate(running) == 0


def test_once_needs_a_finite_input(mlops):
    done = mlops.run("all", "--project", CRYPTO, "--once", status=64)
    assert "--once needs a finite input" in done.stderr
