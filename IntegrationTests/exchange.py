"""Exchanges that the tests start themselves: they speak the documented frames over WebSocket and REST, and fail on demand."""

import datetime
import http.server
import json
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

import websockets.sync.server


def certificates(directory):
    """A certification authority of our own and a certificate of it for this host: (CA file, server context)."""
    directory.mkdir(parents=True, exist_ok=True)

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=directory)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2, "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr")
    (directory / "server.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", 2, "-extfile", "server.ext",
            "-out", "server.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.pem", directory / "server.key")
    return directory / "ca.pem", context


class Trade:
    """Trade `number` of a pair: prices and times are made of the number."""

    def __init__(self, pair, number, start_ns):
        self.pair, self.number = pair, number
        self.price = f"{30000 + number * 0.1:.5f}"
        self.quantity = f"{0.001 * (number % 97 + 1):.8f}"
        self.side = "buy" if number % 3 else "sell"
        # Several trades share a moment, and the fraction has seven digits.
        self.ns = start_ns + number // 3 * 250_000_700

    @property
    def milliseconds(self):
        return self.ns // 1_000_000

    def record(self):
        """The value of the stream's record."""
        return json.dumps({
            "pair": self.pair, "price": float(self.price), "quantity": float(self.quantity), "side": self.side,
            "trade_id": str(self.number), "timestamp_ms": self.milliseconds}, separators=(",", ":")).encode()


def iso(ns):
    whole = datetime.datetime.fromtimestamp(ns // 1_000_000_000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{ns // 1_000 % 1_000_000:06d}Z"


class Exchange:
    """Trades of some pairs, a WebSocket server that plays a script per connection, and a REST server."""

    def __init__(self, pairs, start_ns, tls=None, first=1):
        self.pairs, self.start_ns, self.first = pairs, start_ns, first
        self.scripts, self.connections, self.requests, self.refusals = [], 0, [], []
        self.last = {pair: first - 1 for pair in pairs}
        self.asked = []
        self.page = 1_000
        self.delay = 0
        # Whether the topic holds a trade of each pair: before, nobody can know what is missing.
        self.has_begun = lambda: True
        self.socket = websockets.sync.server.serve(self.connected, "127.0.0.1", 0, ssl=tls)
        exchange = self

        class Answers(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                exchange.answer(self)

            def log_message(self, *_):
                pass

        self.rest = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        if tls:
            self.rest.socket = tls.wrap_socket(self.rest.socket, server_side=True)
        for server in (self.socket, self.rest):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        secure = "s" if tls else ""
        self.url = f"ws{secure}://localhost:{self.socket.socket.getsockname()[1]}"
        self.rest_url = f"http{secure}://localhost:{self.rest.server_address[1]}"

    def close(self):
        self.socket.shutdown()
        self.rest.shutdown()
        self.rest.server_close()

    def trade(self, pair, number):
        return Trade(pair, number, self.start_ns)

    def happen(self, pair, count):
        """The next trades of a pair happen; whoever is connected sees them when its script sends them."""
        numbers = range(self.last[pair] + 1, self.last[pair] + 1 + count)
        self.last[pair] = numbers[-1]
        return [self.trade(pair, number) for number in numbers]

    def expected(self, pair, first=None):
        return [self.trade(pair, number).record() for number in range(first or self.first, self.last[pair] + 1)]

    def connected(self, connection):
        self.connections += 1
        script = self.scripts[min(self.connections, len(self.scripts)) - 1]
        try:
            script(self, connection)
        except websockets.exceptions.ConnectionClosed:
            pass

    def answer(self, handler):
        self.requests.append(handler.path)
        url = urllib.parse.urlparse(handler.path)
        query = {name: values[0] for name, values in urllib.parse.parse_qs(url.query).items()}
        if self.delay:
            threading.Event().wait(self.delay)
        status, body = self.refusals.pop(0) if self.refusals else (200, self.history(url.path, query))
        bytes_ = json.dumps(body).encode() if not isinstance(body, bytes) else body
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(bytes_)))
        handler.end_headers()
        handler.wfile.write(bytes_)


class Kraken(Exchange):
    """WebSocket v2 `trade` and REST `Trades`."""

    def frame(self, trades, kind="update"):
        data = ",".join(
            f'{{"symbol":"{t.pair}","side":"{t.side}","price":{t.price},"qty":{t.quantity},"ord_type":"limit","trade_id":{t.number},'
            f'"timestamp":"{iso(t.ns)}"}}' for t in trades)
        return f'{{"channel":"trade","type":"{kind}","data":[{data}]}}'

    def subscribed(self, connection):
        """Takes the subscription, acknowledges it, and sends the snapshot: the last 50 trades of each pair."""
        connection.send('{"channel":"status","type":"update","data":[{"system":"online","api_version":"v2","version":"2.0.0"}]}')
        request = json.loads(connection.recv(timeout=10))
        self.asked.append(request)
        assert request["method"] == "subscribe" and request["params"]["channel"] == "trade", request
        for pair in request["params"]["symbol"]:
            connection.send(json.dumps({
                "method": "subscribe", "result": {"channel": "trade", "symbol": pair, "snapshot": True}, "success": True,
                "time_in": "2022-12-25T09:30:59.123456Z", "time_out": "2022-12-25T09:30:59.123500Z", "req_id": 1}))
        for pair in request["params"]["symbol"]:
            numbers = range(max(self.first, self.last[pair] - 49), self.last[pair] + 1)
            if numbers:
                connection.send(self.frame([self.trade(pair, number) for number in numbers], "snapshot"))
        connection.send('{"channel":"heartbeat"}')

    def history(self, path, query):
        assert path == "/0/public/Trades", path
        pair = next(pair for pair in self.pairs if pair.replace("/", "").replace("BTC", "XBT") == query["pair"])
        since = int(query.get("since", 0))
        rows = [trade for trade in (self.trade(pair, number) for number in range(self.first, self.last[pair] + 1)) if trade.ns > since]
        rows = rows[:min(self.page, int(query.get("count", 1_000)))]
        cells = ",".join(
            f'["{t.price}","{t.quantity}",{t.ns // 1_000_000_000}.{t.ns % 1_000_000_000 // 100:07d},"{t.side[0]}","l","",{t.number}]' for t in rows)
        last = rows[-1].ns if rows else since
        return f'{{"error":[],"result":{{"X{query["pair"]}":[{cells}],"last":"{last}"}}}}'.encode()


class Binance(Exchange):
    """Combined `@trade` streams; REST `aggTrades` and `historicalTrades`."""

    def symbol(self, pair):
        return pair.replace("/", "")

    def frame(self, trade):
        return json.dumps({"stream": f"{self.symbol(trade.pair).lower()}@trade", "data": {
            "e": "trade", "E": trade.milliseconds + 3, "s": self.symbol(trade.pair), "t": trade.number, "p": trade.price,
            "q": trade.quantity, "T": trade.milliseconds, "m": trade.side == "sell", "M": True}})

    def history(self, path, query):
        pair = next(pair for pair in self.pairs if self.symbol(pair) == query["symbol"])
        trades = [self.trade(pair, number) for number in range(self.first, self.last[pair] + 1)]
        limit = int(query.get("limit", 500))
        if path == "/api/v3/aggTrades":
            found = [trade for trade in trades if trade.milliseconds >= int(query["startTime"])][:limit]
            return [{"a": t.number + 5, "p": t.price, "q": t.quantity, "f": t.number, "l": t.number, "T": t.milliseconds,
                     "m": t.side == "sell", "M": True} for t in found]
        assert path == "/api/v3/historicalTrades", path
        found = [trade for trade in trades if trade.number >= int(query["fromId"])][:min(self.page, limit)]
        return [{"id": t.number, "price": t.price, "qty": t.quantity, "quoteQty": "1", "time": t.milliseconds,
                 "isBuyerMaker": t.side == "sell", "isBestMatch": True} for t in found]


class Coinbase(Exchange):
    """Advanced Trade `market_trades`; its past is not told."""

    sequence = 0

    def frame(self, trades, kind="update"):
        self.sequence += 1
        return json.dumps({"channel": "market_trades", "timestamp": iso(trades[-1].ns), "sequence_num": self.sequence, "events": [{
            "type": kind, "trades": [{
                "trade_id": str(t.number), "product_id": t.pair.replace("/", "-"), "price": t.price, "size": t.quantity,
                "side": t.side.upper(), "time": iso(t.ns)} for t in reversed(trades)]}]})

    def match(self, trade, kind="match"):
        """A message of the Exchange feed, whose side is the maker's."""
        return json.dumps({
            "type": kind, "trade_id": trade.number, "sequence": trade.number + 50, "maker_order_id": "m", "taker_order_id": "t",
            "time": iso(trade.ns), "product_id": trade.pair.replace("/", "-"), "size": trade.quantity, "price": trade.price,
            "side": {"buy": "sell", "sell": "buy"}[trade.side]})

    def history(self, path, query):
        raise AssertionError(f"nobody asks Coinbase for {path}")


def cut(exchange, connection):
    """Ends a connection without a word; what was sent before and not yet read may be lost with it."""
    while not exchange.has_begun():
        time.sleep(0.02)
    connection.socket.shutdown(socket.SHUT_RDWR)


def wait_until_closed(connection):
    """Keeps a connection open, taking what comes, until the client ends it."""
    for _ in connection:
        pass
