"""Kraken live: whatever the connection does, the topic holds every trade exactly once and in order."""

import json
import signal
import time

import pytest

from conftest import project_copy, wait_for
from exchange import Kraken, certificates, cut, wait_until_closed

PAIRS = ["BTC/USD", "ETH/USD"]


def now_ns():
    return int(time.time()) * 1_000_000_000


@pytest.fixture(params=["plain", "TLS"])
def kraken(request, tmp_path):
    ca, tls = certificates(tmp_path / "tls") if request.param == "TLS" else (None, None)
    exchange = Kraken(PAIRS, now_ns() - 600 * 1_000_000_000, tls)
    exchange.ca = ca
    yield exchange
    exchange.close()


def project(directory, exchange, kind="kraken", rest=True):
    rest_url = f", rest_url: \"{exchange.rest_url}\"" if rest else ""
    ca = f", ca_file: {exchange.ca}" if getattr(exchange, "ca", None) else ""
    source = f"  live: {{kind: {kind}, stream: trades, pairs: [{', '.join(exchange.pairs)}], url: \"{exchange.url}\"{rest_url}{ca}}}\n"
    return project_copy(directory, ("\nstreams:\n  trades:", source + "\nstreams:\n  trades:"))


def values(mlops, pair):
    """The values of a pair's events in the order of the topic."""
    return [value for timestamp, value in mlops.by_key("trades").get(pair.encode(), []) if value is not None]


def start(mlops, directory, *arguments, exchange=None):
    if exchange is not None:
        exchange.has_begun = lambda: mlops.end("trades") > 0 and all(values(mlops, pair) for pair in exchange.pairs)
    return mlops.start("produce", "--source", "live", "--admin-port", 0, "--project", directory, *arguments)


def until_complete(mlops, exchange, process, first=None):
    def complete():
        return mlops.end("trades") and all(len(values(mlops, pair)) >= len(exchange.expected(pair, first)) for pair in exchange.pairs)
    wait_for(complete, "every trade in the topic", 60, process)
    for pair in exchange.pairs:
        assert values(mlops, pair) == exchange.expected(pair, first)


def rough(exchange, connection):
    """Everything that a bad day brings, then the connection is cut."""
    exchange.subscribed(connection)
    for pair in PAIRS:
        trades = exchange.happen(pair, 30)
        connection.send(exchange.frame(trades[:10]))
        connection.send('{"channel":"heartbeat"}')
        connection.send(exchange.frame(trades[5:12]))  # seven again
        connection.send("this is not JSON")
        connection.send(b"\xff\xfe\x00")
        connection.send('{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD"}]}')
        connection.send(exchange.frame(trades[20:25]))  # eight are left out
        connection.send(exchange.frame(trades[25:]))
    exchange.happen("BTC/USD", 70)  # more than a snapshot, while nobody listens
    cut(exchange, connection)


def polite(exchange, connection):
    """Some trades, a closing handshake, some more that nobody hears."""
    exchange.subscribed(connection)
    connection.send(exchange.frame(exchange.happen("BTC/USD", 5)))
    connection.close(1001, "maintenance")
    exchange.happen("ETH/USD", 3)


def steady(exchange, connection):
    exchange.subscribed(connection)
    for _ in range(20):
        for pair in PAIRS:
            connection.send(exchange.frame(exchange.happen(pair, 4)))
    exchange.is_done = True
    wait_until_closed(connection)


def refusing(exchange, connection):
    request = json.loads(connection.recv(timeout=10))
    connection.send(json.dumps({"error": "Currency pair not supported", "method": "subscribe", "success": False,
                                "req_id": request["req_id"]}))
    wait_until_closed(connection)


def is_done(exchange):
    return getattr(exchange, "is_done", False)


def test_every_trade_comes_once_and_in_order_whatever_the_connection_does(mlops, tmp_path, kraken):
    kraken.happen("BTC/USD", 20)
    kraken.scripts = [rough, polite, rough, steady]
    process = start(mlops, project(tmp_path / "project", kraken), exchange=kraken)
    wait_for(lambda: is_done(kraken), "the last script", 60, process)
    until_complete(mlops, kraken, process)
    log = mlops.log(process)
    assert "the missing trades were found" in log and "trades stay missing" not in log
    assert "maintenance" in log and "a message is not understood" in log
    assert kraken.asked[0]["params"] == {"channel": "trade", "symbol": PAIRS, "snapshot": True}
    assert mlops.terminate(process) == 0


def test_a_killed_process_goes_on_where_the_log_ends(mlops, tmp_path, kraken):
    kraken.happen("BTC/USD", 20)
    kraken.scripts = [steady]
    directory = project(tmp_path / "project", kraken)
    for _ in range(3):
        kraken.is_done = False
        process = start(mlops, directory)
        wait_for(lambda: mlops.end("trades") > 40, "trades", 60, process)
        mlops.kill(process)
        kraken.happen("BTC/USD", 130)
    kraken.is_done = False
    process = start(mlops, directory)
    wait_for(lambda: is_done(kraken), "the last script", 60, process)
    until_complete(mlops, kraken, process)


class TestPlain:
    """What does not depend on the transport."""

    @pytest.fixture
    def kraken(self):
        exchange = Kraken(PAIRS, now_ns() - 600 * 1_000_000_000)
        yield exchange
        exchange.close()

    def test_an_exchange_that_asks_for_patience_gets_it(self, mlops, tmp_path, kraken):
        kraken.happen("BTC/USD", 20)
        kraken.refusals = [(200, {"error": ["EAPI:Rate limit exceeded"]}), (429, {}), (503, b"busy")]
        kraken.scripts = [rough, steady]
        process = start(mlops, project(tmp_path / "project", kraken), exchange=kraken)
        wait_for(lambda: is_done(kraken), "the last script", 60, process)
        until_complete(mlops, kraken, process)
        assert not kraken.refusals

    def test_numbers_that_nobody_knows_of_are_told_and_the_rest_goes_on(self, mlops, tmp_path, kraken):
        kraken.happen("BTC/USD", 20)

        def skipping(exchange, connection):
            exchange.subscribed(connection)
            trades = exchange.happen("BTC/USD", 10)
            exchange.hidden = {trade.number for trade in trades[2:5]}
            connection.send(exchange.frame(trades[:2]))
            connection.send(exchange.frame(trades[5:]))
            wait_until_closed(connection)

        whole = kraken.history
        kraken.history = lambda path, query: json.dumps(self.without(json.loads(whole(path, query)), kraken.hidden)).encode()
        kraken.scripts = [skipping]
        process = start(mlops, project(tmp_path / "project", kraken), exchange=kraken)
        mlops.wait_for_log(process, "trades stay missing")
        wait_for(lambda: len(values(mlops, "BTC/USD")) == 27, "the trades behind the gap", 30, process)
        assert [int(json.loads(value)["trade_id"]) for value in values(mlops, "BTC/USD")] == [*range(1, 23), *range(26, 31)]
        assert "lost=3" in mlops.log(process)

    @staticmethod
    def without(answer, hidden):
        for name, rows in answer["result"].items():
            if name != "last":
                answer["result"][name] = [row for row in rows if row[6] not in hidden]
        return answer

    def test_a_refused_subscription_is_told_and_tried_again(self, mlops, tmp_path, kraken):
        kraken.scripts = [refusing, steady]
        kraken.happen("BTC/USD", 5)
        process = start(mlops, project(tmp_path / "project", kraken), exchange=kraken)
        mlops.wait_for_log(process, "Currency pair not supported")
        until_complete(mlops, kraken, process)

    def test_an_exchange_that_is_not_there_is_tried_for_ever(self, mlops, tmp_path, kraken):
        kraken.close()
        process = start(mlops, project(tmp_path / "project", kraken), exchange=kraken)
        wait_for(lambda: mlops.log(process).count("exchange lost") >= 2, "two attempts", 30, process)
        assert mlops.terminate(process) == 0

    def test_a_message_without_end_costs_the_connection_and_nothing_else(self, mlops, tmp_path, kraken):
        def huge(exchange, connection):
            exchange.subscribed(connection)
            frame = exchange.frame(exchange.happen("BTC/USD", 3))
            connection.send(iter([frame[:20], frame[20:50], frame[50:]]))  # one message in three frames
            connection.ping()
            exchange.happen("BTC/USD", 100)
            connection.send("x" * (5 << 20))
            wait_until_closed(connection)

        kraken.scripts = [huge, steady]
        process = start(mlops, project(tmp_path / "project", kraken), exchange=kraken)
        wait_for(lambda: is_done(kraken), "the last script", 30, process)
        until_complete(mlops, kraken, process)
        assert "a message is longer than 4194304 bytes" in mlops.log(process)

    def test_a_recording_replays_to_the_same_records_without_a_network(self, mlops, tmp_path, kraken, binary):
        kraken.happen("BTC/USD", 20)
        kraken.scripts = [rough, polite, steady]
        directory, capture = project(tmp_path / "project", kraken), tmp_path / "capture.jsonl"
        process = start(mlops, directory, "--record", capture, exchange=kraken)
        wait_for(lambda: is_done(kraken), "the last script", 60, process)
        until_complete(mlops, kraken, process)
        assert mlops.terminate(process) == 0
        kraken.close()
        live = {pair: [(t, v) for t, v in mlops.by_key("trades")[pair.encode()] if v is not None] for pair in PAIRS}
        kinds = {json.loads(line)["kind"] for line in capture.read_text().splitlines()}
        assert {"opened", "message", "history", "closed"} <= kinds
        mlops.data = tmp_path / "replayed"
        done = mlops.run("produce", "--once", "--source", "live", "--replay", capture, "--admin-port", 0, "--project", directory)
        assert {pair: [(t, v) for t, v in mlops.by_key("trades")[pair.encode()] if v is not None] for pair in PAIRS} == live
        assert "capture ended" in done.stderr
        broken = tmp_path / "broken.jsonl"
        broken.write_text("".join(capture.read_text().splitlines(keepends=True)[:5]) + "nonsense\n")
        mlops.data = tmp_path / "broken"
        done = mlops.run("produce", "--once", "--source", "live", "--replay", broken, "--admin-port", 0, "--project", directory, status=65)
        assert f"{broken}:6" in done.stderr


def test_a_certificate_of_another_authority_is_not_trusted(mlops, tmp_path):
    ca, tls = certificates(tmp_path / "tls")
    exchange = Kraken(PAIRS, now_ns(), tls)
    try:
        exchange.scripts = [steady]
        exchange.ca = certificates(tmp_path / "other")[0]
        process = start(mlops, project(tmp_path / "project", exchange))
        wait_for(lambda: mlops.log(process).count("exchange lost") >= 2, "two attempts", 30, process)
        assert exchange.connections == 0 and mlops.end("trades") == 0
        assert mlops.terminate(process) == 0
        exchange.ca = tmp_path / "nothing.pem"
        done = mlops.run("produce", "--source", "live", "--admin-port", 0, "--project", project(tmp_path / "again", exchange), status=78)
        assert "nothing.pem" in done.stderr
    finally:
        exchange.close()


def test_sigterm_ends_a_live_source_at_once(mlops, tmp_path):
    exchange = Kraken(PAIRS, now_ns() - 600 * 1_000_000_000)
    try:
        exchange.scripts = [steady]
        process = start(mlops, project(tmp_path / "project", exchange))
        wait_for(lambda: is_done(exchange), "the script", 30, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    finally:
        exchange.close()
