"""What somebody who means harm sends to the tracking server: one class per kind of hole that such servers have had.

The seventh, rights, is in test_track_rights.py.
"""

import concurrent.futures
import http.server
import json
import os
import pickle
import socket
import sqlite3
import threading
import time

import pytest
import requests

from conftest import CRYPTO, is_up

API = "/api/2.0/mlflow/"
PROXY = "/api/2.0/mlflow-artifacts/artifacts/"
PORTS = ("--project", CRYPTO, "--port", "0", "--admin-port", "0")
WAYS_OUT = ["..", "../../tracking.sqlite", "%2e%2e/%2e%2e/tracking.sqlite", "%252e%252e/tracking.sqlite", "..\\..\\tracking.sqlite",
            "/etc/passwd", "//proc/self/root/etc/passwd", "a/../../../tracking.sqlite", "file:///etc/passwd", "a\0b", "x#/../../tracking.sqlite",
            "x?/../../tracking.sqlite", ".", "a//b", "C:\\windows"]


class Server:
    def __init__(self, mlops, *arguments, environment=None):
        self.mlops = mlops
        self.process = mlops.start("track", *arguments, *PORTS, environment=environment)
        self.url = mlops.endpoint().replace("0.0.0.0", "127.0.0.1")
        self.port = int(self.url.rsplit(":", 1)[1])
        is_up(self.url + "/health", self.process)

    def get(self, path, **more):
        return requests.get(self.url + path, timeout=30, **more)

    def post(self, route, body, **more):
        return requests.post(self.url + API + route, json=body, timeout=30, **more)

    def run(self, experiment="0", **more):
        return self.post("runs/create", {"experiment_id": experiment, **more}).json()["run"]["info"]

    def raw(self, text, body=b""):
        """Sends a head as it is; clients would tidy it up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as sock:
            sock.sendall(text.encode("latin-1") + body)
            answer = b""
            while piece := sock.recv(65536):
                answer += piece
        return answer

    def status(self, method, path, **headers):
        headers = {"Host": f"127.0.0.1:{self.port}", "Connection": "close", **{k.replace("_", "-"): v for k, v in headers.items()}}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        answer = self.raw(f"{method} {path} HTTP/1.1\r\n{lines}\r\n")
        return int(answer.split(b" ", 2)[1]), answer


@pytest.fixture(scope="module")
def server(module_mlops):
    return Server(module_mlops)


@pytest.fixture
def listener():
    """A server that nobody should ask anything, and what it was asked."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.path)
            self.send_response(302)
            self.send_header("Location", "/again")
            self.end_headers()

        do_POST = do_PUT = do_HEAD = do_GET

        def log_message(self, *_):
            pass

    class Listening(http.server.ThreadingHTTPServer):
        connections = 0

        def get_request(self):
            self.connections += 1
            return super().get_request()

    made = Listening(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    made.seen = seen
    yield made
    made.shutdown()


def leaks(content):
    return b"root:" in content or b"SQLite format" in content


class Test1Traversal:
    @pytest.mark.parametrize("path", WAYS_OUT)
    def test_no_route_that_takes_a_path_leaves_the_artifacts(self, server, path):
        run = server.run()
        before = sorted(os.listdir(server.mlops.data))
        asked = [
            ("/get-artifact", {"run_id": run["run_id"], "path": path}), (PROXY.rstrip("/"), {"path": path}),
            (API + "artifacts/list", {"run_id": run["run_id"], "path": path}), ("/preview", {"uri": run["artifact_uri"], "path": path}),
            ("/preview", {"uri": "mlflow-artifacts:/" + path, "path": "passwd"}), (f"/runs/{run['run_id']}/artifacts", {"path": path})]
        for route, query in asked:
            answer = server.get(route, params=query)
            assert answer.status_code < 500 and not leaks(answer.content), (route, path)
            assert "tracking.lock" not in answer.text
        put = requests.post(server.url + "/ajax-api/2.0/mlflow/upload-artifact", params={"run_id": run["run_id"], "path": path}, data=b"x", timeout=10)
        assert put.status_code < 500
        if ".." in path or path.startswith("/"):
            assert put.status_code == 400
        assert sorted(os.listdir(server.mlops.data)) == sorted({*before, "artifacts"})


class Test2StoredPlaces:
    @pytest.mark.parametrize("place", [
        "file:///etc", "/etc", "//proc/self/root/etc", "file:etc", "http:///#/../../../../etc", "s3:../etc", "mlflow-artifacts:/../..",
        "mlflow-artifacts:/%2e%2e/..", "mlflow-artifacts:///etc/../..", "runs:/../etc"])
    def test_no_place_that_was_stored_is_read_from(self, server, place):
        made = server.post("experiments/create", {"name": f"at {place}", "artifact_location": place})
        assert made.status_code in (200, 400)
        if made.status_code == 200:
            run = server.run(made.json()["experiment_id"])
            for path in ("passwd", "hostname"):
                answer = server.get("/get-artifact", params={"run_id": run["run_id"], "path": path})
                assert answer.status_code in (400, 404) and not leaks(answer.content)
            assert server.get(API + "artifacts/list", params={"run_id": run["run_id"]}).json().get("files", []) == []
        server.post("registered-models/create", {"name": "m"})
        version = server.post("model-versions/create", {"name": "m", "source": place})
        assert version.status_code in (200, 400)
        if version.status_code == 200:
            number = version.json()["model_version"]["version"]
            answer = server.get("/model-versions/get-artifact", params={"name": "m", "version": number, "path": "passwd"})
            assert answer.status_code in (400, 404) and not leaks(answer.content)
            assert not leaks(server.get(f"/models/m/versions/{number}").content)


class Test3Writes:
    def test_no_name_becomes_a_path_outside(self, server, tmp_path):
        outside = server.mlops.directory / "outside"
        for name in ("../../outside", "..", "/tmp/outside", "a/../../../outside", "%2e%2e%2foutside"):
            server.post("registered-models/create", {"name": name})
            server.post("experiments/create", {"name": name})
            server.post("logged-models", {"experiment_id": "0", "name": name})
            run = server.run(run_name=name)
            server.post("runs/log-model", {"run_id": run["run_id"], "model_json": json.dumps({"artifact_path": name, "run_id": run["run_id"]})})
            server.post("runs/log-metric", {"run_id": run["run_id"], "key": name, "value": 1, "timestamp": 1})
            status, _ = server.status("PUT", PROXY + name, Content_Length="0")
            assert status < 500
        assert not outside.exists() and not os.path.exists("/tmp/outside")
        inside = {path.relative_to(server.mlops.data).parts[0] for path in server.mlops.data.rglob("outside*")}
        assert inside <= {"artifacts"}


class Test4OutboundCalls:
    def test_nothing_that_is_stored_is_called(self, server, listener):
        place = f"http://127.0.0.1:{listener.server_port}/latest/meta-data"
        made = server.post("experiments/create", {"name": "ssrf", "artifact_location": place})
        run = server.run(made.json().get("experiment_id", "0"))
        server.post("registered-models/create", {"name": "ssrf"})
        server.post("model-versions/create", {"name": "ssrf", "source": place})
        dataset = {"name": "d", "digest": "1", "source_type": "http", "source": json.dumps({"url": place})}
        server.post("runs/log-inputs", {"run_id": run["run_id"], "datasets": [{"dataset": dataset}]})
        for path in (f"/runs/{run['run_id']}", f"/runs/{run['run_id']}/artifacts", "/models/ssrf/versions/1", "/datasets",
                     f"/get-artifact?run_id={run['run_id']}&path=x", "/model-versions/get-artifact?name=ssrf&version=1&path=x",
                     f"/preview?uri={place}&path=x", API + f"artifacts/list?run_id={run['run_id']}"):
            assert server.get(path).status_code < 500
        assert listener.seen == []

    @pytest.mark.parametrize("url", [
        "http://127.0.0.1:{port}/", "https://127.0.0.1:{port}/", "https://localhost:{port}/", "https://[::1]:{port}/", "https://0.0.0.0:{port}/",
        "https://169.254.169.254/", "https://10.0.0.1/", "https://[::ffff:127.0.0.1]:{port}/", "https://2130706433:{port}/",
        "https://0x7f.1:{port}/", "https://user@127.0.0.1:{port}/", "file:///etc/passwd", "https://127.0.0.1.nip.io@localhost:{port}/"])
    def test_no_webhook_leads_into_the_own_network(self, server, listener, url):
        hook = {"name": "w", "url": url.format(port=listener.server_port), "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]}
        assert server.post("webhooks", hook).status_code == 400
        assert listener.connections == 0

    def test_a_webhook_that_was_allowed_once_is_looked_at_again_when_it_is_sent(self, mlops, listener):
        """A name may lead elsewhere by now; here it is the rule that changed."""
        server = Server(mlops, environment={"MLOPS_TRACK_PRIVATE_WEBHOOKS": "true"})
        hook = {"name": "w", "url": f"https://127.0.0.1:{listener.server_port}/", "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]}
        identity = server.post("webhooks", hook).json()["webhook"]["webhook_id"]
        server.post(f"webhooks/{identity}/test", {})
        assert listener.connections == 1, "it is connected to while that is allowed"
        mlops.stop_all()
        server = Server(mlops)
        told = server.post(f"webhooks/{identity}/test", {}).json()["result"]
        assert not told["success"] and "not a public address" in told["error_message"]
        server.post("registered-models/create", {"name": "told"})
        mlops.wait_for_log(mlops.started[-1], "not a public address")
        assert listener.connections == 1

    def test_a_webhook_follows_no_redirect(self, mlops, listener):
        server = Server(mlops, environment={"MLOPS_TRACK_PRIVATE_WEBHOOKS": "true"})
        hook = {"name": "w", "url": f"http://127.0.0.1:{listener.server_port}/first", "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]}
        identity = server.post("webhooks", hook).json()["webhook"]["webhook_id"]
        result = server.post(f"webhooks/{identity}/test", {}).json()["result"]
        assert not result.get("success") and result["response_status"] == 302
        assert listener.seen == ["/first"]


class Test5Browsers:
    @pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example"])
    def test_a_foreign_name_for_this_machine_is_refused(self, server, host):
        for method, path in (("GET", "/"), ("POST", API + "experiments/search"), ("GET", PROXY + "0/x")):
            status, answer = server.status(method, path, Host=host.format(port=server.port), Content_Length="0")
            assert status == 403 and b"Invalid Host header - possible DNS rebinding attack detected" in answer

    def test_an_open_server_on_every_address_is_not_asked_under_a_public_name(self, mlops):
        server = Server(mlops, "--host", "0.0.0.0", "--insecure", environment={"MLOPS_TRACK_ALLOWED_HOSTS": "track.example.com"})
        for host, expected in (("evil.example", 403), ("10.1.2.3:5000", 200), ("mlops-track", 200), ("track.example.com", 200),
                               ("mlops-track.ns.svc.cluster.local:5000", 200)):
            assert server.status("GET", "/models", Host=host)[0] == expected, host

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1.evil.example", "http://evil.example:5000"])
    def test_a_page_of_another_site_changes_nothing(self, server, origin):
        for route, body in (("experiments/create", b'{"name":"csrf"}'), ("runs/create", b"{}")):
            answer = requests.post(server.url + API + route, data=body, headers={"Origin": origin, "Content-Type": "text/plain"}, timeout=10)
            assert answer.status_code == 403 and "Cross-origin request blocked" in answer.text
        assert requests.put(server.url + PROXY + "0/csrf", data=b"x", headers={"Origin": origin}, timeout=10).status_code == 403
        assert server.get(API + "experiments/get-by-name", params={"experiment_name": "csrf"}).status_code == 404
        preflight = requests.options(server.url + API + "experiments/create", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}, timeout=10)
        assert preflight.status_code >= 400 and not [name for name in preflight.headers if name.lower().startswith("access-control")]

    def test_no_page_stands_in_another_sites_frame(self, server):
        run = server.run()
        for path in ("/", "/models", "/system", "/datasets", f"/runs/{run['run_id']}", "/nothing"):
            headers = server.get(path).headers
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"] and headers["X-Content-Type-Options"] == "nosniff"


class Test6Scripts:
    HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"

    def test_what_strangers_write_is_text_on_every_page(self, server):
        text = self.HOSTILE
        experiment = server.post("experiments/create", {"name": text, "tags": [{"key": "mlflow.note.content", "value": text + " [a](javascript:alert(1))"}]})
        run = server.run(experiment.json()["experiment_id"], run_name=text, tags=[{"key": "mlflow.user", "value": text}, {"key": "mlflow.note.content", "value": text}])
        identity = run["run_id"]
        server.post("runs/log-batch", {"run_id": identity, "metrics": [{"key": "m", "value": 1, "timestamp": 1}],
                                       "params": [{"key": "p", "value": text}], "tags": [{"key": "t", "value": text}]})
        dataset = {"name": text, "digest": "1", "source_type": text, "source": text, "schema": text, "profile": text}
        server.post("runs/log-inputs", {"run_id": identity, "datasets": [{"dataset": dataset}]})
        server.post("registered-models/create", {"name": "x<script>alert(1)<", "description": text, "tags": [{"key": "t", "value": text}]})
        server.post("registered-models/create", {"name": "house", "description": text})
        server.post("model-versions/create", {"name": "house", "source": f"runs:/{identity}/m", "run_id": identity, "description": text})
        server.post("registered-models/alias", {"name": "house", "alias": "champion", "version": "1", "actor": text, "reason": text, "verdict": json.dumps(text)})
        for name, content in (("a.md", text + "\n[x](javascript:alert(1))"), ("b.csv", f"a,b\n{text},2"), ("c.json", json.dumps({text: text})), ("d.txt", text)):
            place = f"{PROXY}{run['artifact_uri'].split(':/', 1)[1].lstrip('/')}/{name}"
            assert requests.put(server.url + place, data=content, timeout=10).status_code == 200
        pages = ["/", f"/experiments/{run['experiment_id']}", f"/experiments/{run['experiment_id']}?filter={text}&q={text}", f"/runs/{identity}", f"/runs/{identity}/charts",
                 f"/compare?run={identity}&run={identity}", "/models", "/models/house", "/models/house/versions/1", "/datasets", f"/models/{text}", f"/runs/{text}",
                 *[f"/runs/{identity}/artifacts?path={name}" for name in ("a.md", "b.csv", "c.json", "d.txt", text)]]
        for path in pages:
            answer = server.get(path)
            assert answer.status_code < 500, path
            low = answer.text.lower()
            assert "<script>alert" not in low and "<img src=x" not in low and 'href="javascript:' not in low, path
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"], path
            assert "script-src 'unsafe-inline'" not in answer.headers["Content-Security-Policy"]

    @pytest.mark.parametrize("name", ["a.html", "a.svg", "a.xhtml", "a.xml", "a.js", "a.htm"])
    def test_an_uploaded_page_runs_in_no_browser_as_ours(self, server, name):
        run = server.run()
        path = run["artifact_uri"].split(":/", 1)[1].lstrip("/") + "/" + name
        requests.put(server.url + PROXY + path, data=b"<script>alert(1)</script>", timeout=10)
        for route in (PROXY + path, f"/get-artifact?run_id={run['run_id']}&path={name}"):
            headers = server.get(route).headers
            assert headers["Content-Disposition"].startswith("attachment") and headers["X-Content-Type-Options"] == "nosniff"
            assert "html" not in headers["Content-Type"] and "svg" not in headers["Content-Type"]
        preview = server.get("/preview", params={"uri": run["artifact_uri"], "path": name}).headers
        assert preview["Content-Security-Policy"].startswith("sandbox; ") and "default-src 'none'" in preview["Content-Security-Policy"]
        allowed = server.get("/preview", params={"uri": run["artifact_uri"], "path": name, "scripts": "on"}).headers["Content-Security-Policy"]
        assert allowed.startswith("sandbox allow-scripts; ") and "allow-same-origin" not in allowed and "connect-src" not in allowed


class Test8Models:
    def test_no_model_is_loaded_by_looking_at_it(self, server, tmp_path):
        marker = tmp_path / "ran"

        class Payload:
            def __reduce__(self):
                return os.system, (f"touch {marker}",)

        run = server.run()
        base = run["artifact_uri"].split(":/", 1)[1].lstrip("/") + "/model/"
        for name, content in (("model.pkl", pickle.dumps(Payload())), ("MLmodel", b"flavors:\n  python_function:\n    loader_module: os\n    model_path: model.pkl\n")):
            requests.put(server.url + PROXY + base + name, data=content, timeout=10)
        server.post("registered-models/create", {"name": "trap"})
        server.post("model-versions/create", {"name": "trap", "source": run["artifact_uri"] + "/model", "run_id": run["run_id"]})
        page = server.get(f"/runs/{run['run_id']}/artifacts", params={"path": "model/model.pkl"})
        assert "A pickle can run any code" in page.text
        for path in ("/models/trap/versions/1", f"/runs/{run['run_id']}/artifacts?path=model/MLmodel", f"/preview?uri={run['artifact_uri']}&path=model/model.pkl"):
            assert server.get(path).status_code == 200
        assert not marker.exists()


class Test9Exhaustion:
    def test_bodies_depths_and_numbers_have_limits(self, server):
        assert server.status("POST", API + "runs/create", Content_Length=str(40 << 20), Content_Type="application/json")[0] == 413
        deep = "[" * 100_000
        answer = requests.post(server.url + API + "runs/create", data=f'{{"tags":{deep}', headers={"Content-Type": "application/json"}, timeout=30)
        assert answer.status_code == 400
        for body in ({"max_results": 10**9}, {"max_results": -1}, {"max_results": 2**70}):
            assert server.post("runs/search", {"experiment_ids": ["0"], **body}).status_code == 400
        assert server.post("experiments/create", {"name": "x" * 1_000_000}).status_code == 400
        batch = [{"key": f"k{n}", "value": 1, "timestamp": 1} for n in range(1_001)]
        assert server.post("runs/log-batch", {"run_id": server.run()["run_id"], "metrics": batch}).status_code == 400

    def test_a_search_costs_what_a_search_costs(self, server):
        run = server.run()
        server.post("runs/set-tag", {"run_id": run["run_id"], "key": "t", "value": "a" * 5_000})
        began = time.monotonic()
        for filter in ("tags.t LIKE '" + "%a" * 500 + "b'", " AND ".join(["tags.t != 'x'"] * 2_000), "(" * 50_000, "tags.t = '" + "x" * 500_000 + "'",
                       "metrics.`" + "m" * 10_000 + "` > 1"):
            assert server.post("runs/search", {"experiment_ids": ["0"], "filter": filter}).status_code in (200, 400)
        order = [f"metrics.m{n} DESC" for n in range(2_000)]
        assert server.post("runs/search", {"experiment_ids": ["0"], "order_by": order}).status_code in (200, 400)
        assert time.monotonic() - began < 60
        assert server.get("/health").text == "OK"

    def test_keys_and_texts_reach_sql_as_values(self, server):
        run = server.run(run_name="kept")
        inject = ["x'; DROP TABLE runs; --", "x\"; DROP TABLE runs; --", "x`; DELETE FROM runs; --", "1) UNION SELECT hash FROM access_tokens --"]
        for text in inject:
            server.post("runs/set-tag", {"run_id": run["run_id"], "key": text, "value": text})
            for body in ({"filter": f"tags.`{text}` = 'a'"}, {"filter": f"params.a = \"{text}\""}, {"filter": f"metrics.\"{text}\" > 1"}, {"order_by": [f"tags.`{text}` ASC"]},
                         {"order_by": [f"start_time {text}"]}, {"filter": f"attributes.run_id IN ('{text}')"}, {"page_token": text}):
                assert server.post("runs/search", {"experiment_ids": ["0"], **body}).status_code in (200, 400)
            assert server.post("runs/search", {"experiment_ids": [text]}).status_code in (200, 400, 404)
            assert server.post("experiments/search", {"filter": f"name = '{text}'", "order_by": [text]}).status_code == 400
            for path in (f"/models?q={text}", f"/?q={text}", f"/datasets?q={text}", f"/experiments/0?filter={text}&order={text}"):
                assert server.get(path).status_code in (200, 400)
        assert server.get(API + "runs/get", params={"run_id": run["run_id"]}).json()["run"]["info"]["run_name"] == "kept"

    def test_slow_and_idle_connections_keep_nobody_out(self, server):
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
        try:
            for sock in idle:
                sock.sendall(b"POST /api/2.0/mlflow/runs/create HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                assert {answer.status_code for answer in pool.map(lambda _: server.get("/health"), range(40))} == {200}
        finally:
            for sock in idle:
                sock.close()

    def test_an_upload_beyond_the_limit_is_refused_and_leaves_nothing(self, mlops):
        server = Server(mlops, environment={"MLOPS_TRACK_MAX_UPLOAD_MB": "1"})
        run = server.run()
        path = server.url + PROXY + run["artifact_uri"].split(":/", 1)[1].lstrip("/") + "/big"
        told = requests.put(path, data=b"x" * (1 << 20), timeout=30)
        assert told.status_code == 200

        def pieces():
            for _ in range(20):
                yield b"x" * (100 << 10)

        # With its length and without.
        for data in (b"x" * ((1 << 20) + 1), pieces()):
            refused = requests.put(path + "2", data=data, timeout=30)
            assert refused.status_code == 413 and "1048576 bytes" in refused.json()["message"] and "track.max_upload_mb" in refused.json()["message"]
        assert [p.name for p in (mlops.data / "artifacts").rglob("*") if p.is_file()] == ["big"]


class Test10Secrets:
    def test_a_webhooks_secret_is_stored_encrypted_and_told_to_nobody(self, mlops):
        server = Server(mlops)
        secret = "whsec-7c1f5b0e9a"
        hook = {"name": "w", "url": "https://93.184.216.34/", "secret": secret, "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]}
        made = server.post("webhooks", hook)
        identity = made.json()["webhook"]["webhook_id"]
        told = [made.text, server.get(API + "webhooks").text, server.get(API + "webhooks/" + identity).text, server.get("/system").text,
                requests.patch(server.url + API + "webhooks/" + identity, json={"name": "v"}, timeout=10).text]
        mlops.run("track", "export", "--out", mlops.directory / "out")
        mlops.run("track", "backup", mlops.directory / "copy.sqlite")
        files = [path for folder in (mlops.data, mlops.directory) for path in folder.rglob("*") if path.is_file()]
        assert secret not in "".join(told) and not [path for path in files if secret.encode() in path.read_bytes()]
        assert (mlops.data / "secret.key").stat().st_mode & 0o077 == 0
