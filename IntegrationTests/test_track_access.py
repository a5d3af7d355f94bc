"""Who may use the tracking server: tokens, roles, scopes, TLS, and what the commands beside it do."""

import json
import os
import ssl
import subprocess
import threading
import http.server

import pytest
import requests

from conftest import CRYPTO, is_up

PORTS = ("--port", "0", "--admin-port", "0")


@pytest.fixture
def server(mlops):
    """A server that asks for tokens, and a function that makes them."""
    mlops.track = mlops.start("track", "--project", CRYPTO, "--tokens", *PORTS)
    mlops.url = mlops.endpoint()
    is_up(mlops.url + "/health", mlops.track)
    mlops.token = lambda name, role, *more: mlops.run("track", "token", "create", "--name", name, "--role", role, *more).stdout.strip()
    return mlops


def ask(server, path, token=None, method="GET", **more):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.request(method, server.url + path, headers=headers, timeout=10, **more)


def test_without_a_token_there_is_nothing_to_see(server):
    for path in ("/", "/models", "/api/2.0/mlflow/experiments/get?experiment_id=0", "/api/2.0/mlflow-artifacts/artifacts?path=0",
                 "/get-artifact?run_id=a&path=b", "/ajax-api/2.0/mlflow/runs/search", "/nothing"):
        answer = ask(server, path)
        assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Basic"), path
    assert ask(server, "/health").text == "OK"


def test_a_token_is_shown_once_listed_without_its_text_and_revoked_at_once(server):
    token = server.token("ann", "reader")
    listed = server.run("track", "token", "list").stdout
    assert "ann\treader\tvalid" in listed and token not in listed
    assert ask(server, "/api/2.0/mlflow/experiments/get?experiment_id=0", token).status_code == 200
    assert ask(server, "/api/2.0/mlflow/experiments/create", token, "POST", json={"name": "x"}).status_code == 403
    server.run("track", "token", "revoke", "ann")
    assert ask(server, "/api/2.0/mlflow/experiments/get?experiment_id=0", token).status_code == 401
    for name in os.listdir(server.data):
        path = server.data / name
        assert not path.is_file() or token.encode() not in path.read_bytes(), name
    assert token not in server.log(server.track)


@pytest.mark.parametrize("variables", [
    lambda token: {"MLFLOW_TRACKING_TOKEN": token},
    lambda token: {"MLFLOW_TRACKING_USERNAME": "anybody", "MLFLOW_TRACKING_PASSWORD": token},
], ids=["bearer", "basic"])
def test_an_mlflow_client_shows_its_token(server, variables, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    client = mlflow.MlflowClient(server.url)
    with pytest.raises(mlflow.exceptions.MlflowException):
        client.create_experiment("no")
    for name, value in variables(server.token("t", "trainer", "--experiment", "mine*")).items():
        monkeypatch.setenv(name, value)
    experiment = client.create_experiment("mine-1")
    run = client.create_run(experiment)
    client.log_metric(run.info.run_id, "m", 1)
    with pytest.raises(mlflow.exceptions.MlflowException) as caught:
        client.create_experiment("other")
    assert caught.value.error_code == "PERMISSION_DENIED"


def test_a_trainer_logs_and_registers_a_model_and_then_cannot_change_it(server, monkeypatch):
    """In the order of MLflow's client: the model is made, filled, made ready, registered."""
    mlflow = pytest.importorskip("mlflow")
    linear = pytest.importorskip("sklearn.linear_model")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token("t", "trainer", "--experiment", "mine*", "--model", "mine*"))
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(server.url)
    try:
        mlflow.set_experiment("mine-1")
        with mlflow.start_run():
            info = mlflow.sklearn.log_model(linear.LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), name="model",
                                            registered_model_name="mine-model", pip_requirements=["scikit-learn"])
            mlflow.log_metric("auc", 1, model_id=info.model_id)
        assert mlflow.sklearn.load_model("models:/mine-model/1").predict([[2.0]])[0] == pytest.approx(2)
        client = mlflow.MlflowClient()
        folder = client.get_logged_model(info.model_id).artifact_location.removeprefix("mlflow-artifacts:/")
        trainer = os.environ["MLFLOW_TRACKING_TOKEN"]
        path = f"/api/2.0/mlflow-artifacts/artifacts/{folder}/MLmodel"
        for method in ("PUT", "DELETE"):
            assert ask(server, path, trainer, method, data=b"x").status_code == 403
        assert ask(server, path, server.token("p", "promoter"), "PUT", data=ask(server, path, trainer).content).status_code == 200
    finally:
        mlflow.set_tracking_uri(before)


def test_the_other_commands_of_the_directory_need_no_token_and_those_elsewhere_do(server, tmp_path):
    admin = server.token("admin", "admin")
    run = ask(server, "/api/2.0/mlflow/runs/create", admin, "POST", json={}).json()["run"]["info"]
    for _ in range(3):
        ask(server, "/api/2.0/mlflow/registered-models/create", admin, "POST", json={"name": "m"})
        ask(server, "/api/2.0/mlflow/model-versions/create", admin, "POST",
            json={"name": "m", "source": run["artifact_uri"] + "/x", "run_id": run["run_id"]})
    for version in ("1", "2", "3"):
        server.run("track", "promote", "m", version, "--reason", "it is better", "--project", CRYPTO)
    assert "version 2" in server.run("track", "rollback", "m", "--reason", "worse", "--project", CRYPTO).stdout
    assert "version 1" in server.run("track", "rollback", "m", "--reason", "worse", "--project", CRYPTO).stdout
    server.run("track", "rollback", "m", "--reason", "worse", "--project", CRYPTO, status=1)
    audit = ask(server, "/api/2.0/mlflow/registered-models/promotions?name=m", admin).json()["promotions"]
    assert [move["version"] for move in audit] == ["1", "2", "3", "2", "1"] and audit[0]["reason"] == "rollback: worse"
    elsewhere = ["track", "promote", "m", "2", "--reason", "x", "--project", CRYPTO, "--track-url", server.url,
                 "--data", str(tmp_path / "other")]
    assert "UNAUTHENTICATED" in server.run(*elsewhere, data=False, status=None).stderr
    promoter = server.token("petra", "promoter")
    done = server.run(*elsewhere, data=False, environment={"MLOPS_TRACK_TOKEN": promoter})
    assert promoter not in done.stdout + done.stderr
    audit = ask(server, "/api/2.0/mlflow/registered-models/promotions?name=m", admin).json()["promotions"]
    assert audit[0]["actor"] == "petra"


def test_another_address_asks_for_tokens_unless_told_otherwise(mlops):
    open_to_all = mlops.start("track", "--project", CRYPTO, "--host", "0.0.0.0", *PORTS)
    url = mlops.endpoint()
    assert requests.get(url + "/", timeout=10).status_code == 401
    mlops.wait_for_log(open_to_all, "nobody has a token")
    assert mlops.terminate(open_to_all) == 0
    mlops.start("track", "--project", CRYPTO, "--host", "0.0.0.0", "--insecure", *PORTS,
                environment={"MLOPS_TRACK_ALLOWED_HOSTS": "ml.example.com"})
    url = mlops.endpoint()
    answer = requests.get(url + "/", timeout=10)
    assert answer.status_code == 200
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN" and answer.headers["X-Content-Type-Options"] == "nosniff"
    for host in ["ml.example.com", "track:5000", "10.0.0.7"]:
        assert requests.get(url + "/", headers={"Host": host}, timeout=10).status_code == 200
    rebound = requests.get(url + "/", headers={"Host": "evil.com"}, timeout=10)
    assert rebound.status_code == 403 and rebound.text == "Invalid Host header - possible DNS rebinding attack detected"
    assert requests.get(url + "/health", headers={"Host": "evil.com"}, timeout=10).text == "OK"
    foreign = requests.post(url + "/api/2.0/mlflow/experiments/search", json={}, headers={"Origin": "https://evil.com"}, timeout=10)
    assert foreign.status_code == 403 and foreign.text == "Cross-origin request blocked"


def test_a_proxy_on_the_same_machine_asks_under_its_own_name(mlops):
    """Open, under the names it was given; with tokens, under any."""
    open_to_all = mlops.start("track", "--project", CRYPTO, *PORTS, environment={"MLOPS_TRACK_ALLOWED_HOSTS": "ml.example.com,*.corp.io"})
    url = mlops.endpoint()

    def status(host, **headers):
        return requests.get(url + "/", headers={"Host": host, **headers}, timeout=10).status_code

    assert [status(host) for host in ("ml.example.com", "a.corp.io", "evil.com")] == [200, 200, 403]
    assert mlops.terminate(open_to_all) == 0
    mlops.start("track", "--project", CRYPTO, "--tokens", *PORTS)
    url = mlops.endpoint()
    admin = mlops.run("track", "token", "create", "--name", "ann", "--role", "admin").stdout.strip()
    assert status("ml.example.com", Authorization=f"Bearer {admin}") == 200
    assert status("ml.example.com") == 401


def test_https_by_certificate_files(mlops, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out",
                    certificate], check=True, capture_output=True)
    mlops.start("track", "--project", CRYPTO, "--tls-certificate", certificate, "--tls-key", key, *PORTS)
    url = mlops.endpoint()
    assert url.startswith("https://")
    assert requests.get(url + "/health", verify=certificate, timeout=10).text == "OK"
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(url + "/health", timeout=10)
    refused = mlops.run("track", "--project", CRYPTO, "--tls-certificate", certificate, *PORTS, status=78)
    assert "belong together" in refused.stderr
    missing = mlops.run("track", "--project", CRYPTO, "--tls-certificate", "/none", "--tls-key", key, *PORTS,
                        "--data", tmp_path / "d2", data=False, status=78)
    assert "/none" in missing.stderr


def test_a_webhook_is_told_signed_and_tried_again(mlops):
    """The receiver refuses the first delivery; the second one carries the same id."""
    seen = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((dict(self.headers), body))
            self.send_response(500 if len(seen) == 1 else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    mlops.start("track", "--project", CRYPTO, *PORTS, environment={"MLOPS_TRACK_PRIVATE_WEBHOOKS": "true"})
    url = mlops.endpoint()
    hook = {"name": "w", "url": f"http://127.0.0.1:{receiver.server_port}/", "secret": "hush",
            "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]}
    assert requests.post(url + "/api/2.0/mlflow/webhooks", json=hook, timeout=10).status_code == 200
    requests.post(url + "/api/2.0/mlflow/registered-models/create", json={"name": "m"}, timeout=10)
    from conftest import wait_for
    wait_for(lambda: len(seen) == 2, "two deliveries", 20)
    receiver.shutdown()
    (first, body), (second, again) = seen
    header = {name.lower(): value for name, value in second.items()}
    assert body == again and first["x-mlflow-delivery-id"] == header["x-mlflow-delivery-id"]
    assert json.loads(body)["entity"] == "registered_model" and json.loads(body)["data"]["name"] == "m"
    import base64, hashlib, hmac
    text = f"{header['x-mlflow-delivery-id']}.{header['x-mlflow-timestamp']}.".encode() + body
    assert header["x-mlflow-signature"] == "v1," + base64.b64encode(hmac.new(b"hush", text, hashlib.sha256).digest()).decode()
