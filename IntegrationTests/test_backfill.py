"""Trades of the past over REST, other exchanges, and what is put back from the dead."""

import json
import time

import pytest

from conftest import project_copy, wait_for
from exchange import Binance, Coinbase, Kraken, cut, iso, wait_until_closed
from test_connectors import PAIRS, project, start, steady, until_complete, values

START = (int(time.time()) - 7_200) * 1_000_000_000


def backfill(mlops, directory, first, last, **keywords):
    return mlops.run("produce", "backfill", "--source", "live", "--from", first, "--to", last, "--admin-port", 0, "--project", directory,
                     **keywords)


def events(mlops):
    """Per key (timestamp, value) of every event, without ticks."""
    return {key: [(t, v) for t, v in found if v is not None] for key, found in mlops.by_key("trades").items()}


@pytest.fixture(params=["kraken", "binance"])
def exchange(request):
    kind = {"kraken": Kraken, "binance": Binance}[request.param]
    found = kind(["BTC/USD", "ETH/USD"], START)
    found.kind = request.param
    for pair in found.pairs:
        found.happen(pair, 2_500)
    yield found
    found.close()


def live(exchange, connection):
    if exchange.kind == "kraken":
        exchange.subscribed(connection)
    for pair in exchange.pairs:
        trades = [exchange.trade(pair, number) for number in range(exchange.first, exchange.last[pair] + 1)]
        if exchange.kind == "kraken":
            for at in range(0, len(trades), 40):
                connection.send(exchange.frame(trades[at:at + 40]))
        else:
            for trade in trades:
                connection.send(exchange.frame(trade))
    wait_until_closed(connection)


def test_backfilled_trades_are_the_same_records_as_live_ones(mlops, tmp_path, exchange, binary):
    exchange.page = 400
    directory = project(tmp_path / "project", exchange, exchange.kind)
    done = backfill(mlops, directory, iso(START), iso(START + 7_000 * 10**9))
    assert "backfill ended" in done.stderr
    past = events(mlops)
    for pair in exchange.pairs:
        assert [value for _, value in past[pair.encode()]] == exchange.expected(pair)
    mlops.data = tmp_path / "live"
    exchange.scripts = [live]
    if exchange.kind == "kraken":
        exchange.subscribed = lambda connection: connection.recv(timeout=10)
    process = start(mlops, directory)
    until_complete(mlops, exchange, process)
    assert events(mlops) == past


def test_only_the_times_asked_for_come(mlops, tmp_path, exchange):
    directory = project(tmp_path / "project", exchange, exchange.kind)
    first, last = START + 30 * 10**9, START + 90 * 10**9
    backfill(mlops, directory, iso(first), iso(last))
    for pair in exchange.pairs:
        trades = [exchange.trade(pair, number) for number in range(1, exchange.last[pair] + 1)]
        assert values(mlops, pair) == [t.record() for t in trades if first // 10**6 <= t.milliseconds < last // 10**6]
    asked = len(exchange.requests)
    backfill(mlops, directory, iso(first), iso(last))
    assert len(exchange.requests) == asked, "what was done is not asked for again"


def test_a_killed_backfill_goes_on_where_it_stopped(mlops, tmp_path, exchange):
    exchange.page, exchange.delay = 200, 0.02
    directory = project(tmp_path / "project", exchange, exchange.kind)
    arguments = ["produce", "backfill", "--source", "live", "--from", iso(START), "--to", iso(START + 7_000 * 10**9), "--admin-port", 0,
                 "--project", directory]
    for records in (300, 1_500):
        process = mlops.start(*arguments)
        wait_for(lambda: mlops.end("trades") > records, "some trades", 60, process)
        mlops.kill(process)
    exchange.refusals = [(429, {}), (200, {"error": ["EAPI:Rate limit exceeded"]} if exchange.kind == "kraken" else {"msg": "too many"})]
    mlops.run(*arguments)
    for pair in exchange.pairs:
        assert values(mlops, pair) == exchange.expected(pair)


def test_live_goes_on_behind_a_backfill(mlops, tmp_path):
    exchange = Kraken(PAIRS, START)
    try:
        for pair in PAIRS:
            exchange.happen(pair, 300)
        directory = project(tmp_path / "project", exchange)
        backfill(mlops, directory, iso(START), iso(START + 7_000 * 10**9))
        for pair in PAIRS:
            exchange.happen(pair, 200)  # four times a snapshot
        exchange.scripts = [steady]
        process = start(mlops, directory)
        until_complete(mlops, exchange, process)
    finally:
        exchange.close()


def test_an_exchange_that_does_not_tell_its_past_is_refused(mlops, tmp_path):
    exchange = Coinbase(["BTC/USD"], START)
    try:
        directory = project(tmp_path / "project", exchange, "coinbase", rest=False)
        done = backfill(mlops, directory, iso(START), iso(START + 10**9), status=78)
        assert "does not tell its past" in done.stderr
        done = mlops.run("produce", "backfill", "--source", "synthetic", "--from", iso(START), "--admin-port", 0, "--project", directory,
                         status=78)
        assert "is not an exchange" in done.stderr
    finally:
        exchange.close()


def test_binance_reconnects_and_repairs_by_number(mlops, tmp_path):
    exchange = Binance(["BTC/USD"], START)

    def first(exchange, connection):
        assert connection.request.path == "/stream?streams=btcusd@trade"
        trades = exchange.happen("BTC/USD", 30)
        for trade in trades[:10] + trades[8:12] + trades[20:]:
            connection.send(exchange.frame(trade))
        connection.ping()
        exchange.happen("BTC/USD", 1_200)
        cut(exchange, connection)

    def last(exchange, connection):
        for trade in exchange.happen("BTC/USD", 10):
            connection.send(exchange.frame(trade))
        wait_until_closed(connection)

    try:
        exchange.scripts = [first, last]
        process = start(mlops, project(tmp_path / "project", exchange, "binance"), exchange=exchange)
        until_complete(mlops, exchange, process)
    finally:
        exchange.close()


def test_coinbase_trades_come_in_order_and_a_gap_is_told(mlops, tmp_path):
    exchange = Coinbase(["BTC/USD"], START)

    def script(exchange, connection):
        channels = [json.loads(connection.recv(timeout=10))["channel"] for _ in range(2)]
        assert channels == ["market_trades", "heartbeats"]
        trades = exchange.happen("BTC/USD", 30)
        connection.send(json.dumps({"channel": "subscriptions", "events": [{"subscriptions": {"market_trades": ["BTC-USD"]}}]}))
        connection.send(exchange.frame(trades[:10], "snapshot"))
        connection.send(json.dumps({"channel": "heartbeats", "events": [{"heartbeat_counter": "3049"}]}))
        connection.send(exchange.frame(trades[8:15]))
        connection.send(exchange.frame(trades[20:]))
        wait_until_closed(connection)

    try:
        exchange.scripts = [script]
        process = start(mlops, project(tmp_path / "project", exchange, "coinbase", rest=False))
        wait_for(lambda: mlops.end("trades") and len(values(mlops, "BTC/USD")) == 25, "the trades", 30, process)
        assert [int(json.loads(value)["trade_id"]) for value in values(mlops, "BTC/USD")] == [*range(1, 16), *range(21, 31)]
        assert "trades stay missing" in mlops.log(process)
    finally:
        exchange.close()


def test_coinbase_matches_of_the_exchange_feed(mlops, tmp_path):
    exchange = Coinbase(["BTC/USD"], START)

    def script(exchange, connection):
        assert json.loads(connection.recv(timeout=10))["channels"] == ["matches", "heartbeat"]
        connection.send(json.dumps({"type": "subscriptions", "channels": [{"name": "matches", "product_ids": ["BTC-USD"]}]}))
        trades = exchange.happen("BTC/USD", 10)
        connection.send(exchange.match(trades[0], "last_match"))
        connection.send(json.dumps({"type": "heartbeat", "sequence": 90, "last_trade_id": 1, "product_id": "BTC-USD", "time": iso(START)}))
        for trade in trades[1:]:
            connection.send(exchange.match(trade))
        wait_until_closed(connection)

    try:
        exchange.scripts = [script]
        directory = project(tmp_path / "project", exchange, "coinbase", rest=False)
        text = (directory / "mlops.yaml").read_text().replace("kind: coinbase,", "kind: coinbase, channel: matches,")
        (directory / "mlops.yaml").write_text(text)
        process = start(mlops, directory)
        until_complete(mlops, exchange, process)
    finally:
        exchange.close()


class TestFilesAndTopics:
    LINES = "  lines: {kind: file, path: in, stream: trades, set: {pair: A/B}, map: {timestamp_ms: time, quantity: amount}}\n"

    def lines(self, *times):
        return "".join(json.dumps({"time": 1_700_000_000_000 + at, "price": 1.5, "amount": 2}) + "\n" for at in times)

    def produce(self, mlops, directory, source="lines"):
        return mlops.run("produce", "--once", "--speed", "max", "--source", source, "--admin-port", 0, "--project", directory)

    def test_a_folder_of_lines_whose_bad_ones_land_in_dead(self, mlops, tmp_path):
        directory = project_copy(tmp_path / "project", ("\nstreams:\n  trades:", self.LINES + "\nstreams:\n  trades:"))
        (directory / "in").mkdir()
        (directory / "in/b.jsonl").write_text(self.lines(3_000) + "this is no JSON\n" + self.lines(4_000))
        (directory / "in/a.jsonl").write_text(self.lines(1_000, 2_000) + '{"time":5,"amount":1}\n')
        self.produce(mlops, directory)
        assert [json.loads(v)["timestamp_ms"] % 10_000 for v in values(mlops, "A/B")] == [1_000, 2_000, 3_000, 4_000]
        mlops.run("features", "--once", "--project", directory)
        dead = {record[4]: record[5] for record in mlops.records("trades.dead")}
        assert set(dead) == {b"this is no JSON", b'{"time":5,"amount":1}'}
        assert dead[b"this is no JSON"]["mlops-source"].decode().endswith("in/b.jsonl:2")
        assert "not JSON" in dead[b"this is no JSON"]["mlops-dead-reason"].decode()
        assert dead[b'{"time":5,"amount":1}']["mlops-source-fault"] == b'required field "price" is missing'

    def test_more_lines_of_a_file_that_was_done_are_read_on(self, mlops, tmp_path):
        directory = project_copy(tmp_path / "project", ("\nstreams:\n  trades:", self.LINES + "\nstreams:\n  trades:"))
        (directory / "in").mkdir()
        path = directory / "in/a.jsonl"
        path.write_text(self.lines(1_000, 2_000))
        self.produce(mlops, directory)
        path.write_text(self.lines(1_000, 2_000, 300_000))
        done = self.produce(mlops, directory)
        assert "is longer now" in done.stderr
        mlops.run("features", "--once", "--project", directory)
        assert len(values(mlops, "A/B")) == 3
        assert [json.loads(v)["trades"] for _, v in mlops.by_key("candles")[b"A/B"] if json.loads(v)["trades"]] == [2, 1]

    def test_dead_records_go_back_after_a_fix_and_not_twice(self, mlops, tmp_path):
        source = "  raw: {kind: file, path: raw.jsonl, stream: trades}\n"
        directory = project_copy(tmp_path / "project", ("\nstreams:\n  trades:", source + "\nstreams:\n  trades:"))
        (directory / "raw.jsonl").write_text("".join(
            json.dumps({"pair": "A/B", "price": price, "quantity": 1, "timestamp_ms": 1_700_000_000_000 + at}) + "\n"
            for at, price in enumerate([1, 0, 2, 0, 3])) + "no JSON\n")
        self.produce(mlops, directory, "raw")
        mlops.run("features", "--once", "--project", directory)
        assert len(mlops.records("trades.dead")) == 3
        fixed = (directory / "mlops.yaml").read_text().replace('price: "> 0"', 'price: ">= 0"')
        (directory / "mlops.yaml").write_text(fixed)
        arguments = ["produce", "replay-dead", "--stream", "trades", "--reason", "price", "--project", directory]
        assert "2 records would be put back" in mlops.run(*arguments, "--dry-run").stdout
        assert "2 records put back, 0 had been before" in mlops.run(*arguments).stdout
        assert "0 records put back, 2 had been before" in mlops.run(*arguments).stdout
        again = [record for record in mlops.records("trades") if "mlops-origin" in record[5]]
        assert [record[3] for record in again] == [b"A/B", b"A/B"]
        assert "did you mean" in mlops.run("produce", "replay-dead", "--stream", "trade", "--project", directory, status=78).stderr

    def test_the_records_of_another_log_come_once(self, mlops, tmp_path):
        directory = project_copy(tmp_path / "project")
        options = ["--once", "--speed", "max", "--duration", "10m", "--start", "2024-01-01", "--admin-port", 0, "--project", directory]
        mlops.run("produce", "--source", "synthetic", *options)
        first = {key: [r for r in found if r[1]] for key, found in mlops.by_key("trades").items()}
        copy = f"  copy: {{kind: topic, stream: trades, topic: trades, event_log: \"local:{mlops.data}\"}}\n"
        other = project_copy(tmp_path / "other", ("\nstreams:\n  trades:", copy + "\nstreams:\n  trades:"))
        mlops.data = tmp_path / "copied"
        for _ in range(2):
            mlops.run("produce", "--once", "--source", "copy", "--admin-port", 0, "--project", other)
        assert {key: [r for r in found if r[1]] for key, found in mlops.by_key("trades").items()} == first

    def test_the_example_runs_without_the_file_that_it_does_not_ship(self, mlops, crypto):
        process = mlops.start("produce", "--project", crypto, "--admin-port", 0)
        mlops.wait_for_log(process, "source left out: it is optional and there is no such file")
        wait_for(lambda: mlops.end("trades") > 10, "trades of the other source", 30, process)
        assert mlops.terminate(process) == 0

    def test_what_a_synthetic_source_plants_is_found_by_the_features(self, mlops, tmp_path):
        planted = "seed: 7, duplicates: 0.02, late: {share: 0.01, by: 3m}, outliers: {share: 0.001, factor: 50}}"
        directory = project_copy(tmp_path / "project", ("rate: 20/s, seed: 7}", "rate: 20/s, " + planted))
        truth = tmp_path / "truth.jsonl"
        options = ["--source", "synthetic", "--once", "--speed", "max", "--duration", "1h", "--start", "2024-01-01", "--truth", truth,
                   "--admin-port", 0, "--project", directory]
        mlops.run("produce", *options)
        mlops.run("features", "--once", "--project", directory)
        told = [json.loads(line) for line in truth.read_text().splitlines()]
        kinds = {kind: sum(one["kind"] == kind for one in told) for kind in ("duplicate", "late", "outlier")}
        assert all(kinds.values())
        assert len(mlops.records("trades.late")) == kinds["late"]
        counted = sum(json.loads(v)["trades"] for found in mlops.by_key("candles").values() for _, v in found)
        produced = sum(1 for record in mlops.records("trades") if record[4] is not None)
        assert counted == produced - kinds["duplicate"] - kinds["late"]
