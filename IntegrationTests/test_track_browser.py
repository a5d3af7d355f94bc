"""The pages of a server that asks for tokens, as a browser opens them; and the server behind a certificate of its own."""

import subprocess

import pytest
import requests

from browser import Browser
from conftest import CRYPTO, is_up

API = "/api/2.0/mlflow/"
PORTS = ("--project", CRYPTO, "--port", "0", "--admin-port", "0")


@pytest.fixture(scope="module")
def server(module_mlops):
    """Two experiments with a run each, and a reader who may see one of them."""
    mlops = module_mlops
    mlops.process = mlops.start("track", "--tokens", *PORTS)
    mlops.url = mlops.endpoint()
    is_up(mlops.url + "/health", mlops.process)
    mlops.token = lambda name, role, *more: mlops.run("track", "token", "create", "--name", name, "--role", role, *more).stdout.strip()
    mlops.admin, mlops.reader = mlops.token("admin", "admin"), mlops.token("ann", "reader", "--experiment", "mine-*", "--model", "house")

    def post(route, body):
        answer = requests.post(mlops.url + API + route, json=body, headers={"Authorization": f"Bearer {mlops.admin}"}, timeout=10)
        answer.raise_for_status()
        return answer.json()

    mlops.post = post
    mlops.runs = {}
    for name in ("mine-1", "theirs-1"):
        experiment = post("experiments/create", {"name": name})["experiment_id"]
        mlops.runs[name] = post("runs/create", {"experiment_id": experiment, "run_name": f"run of {name}"})["run"]["info"]
        post("runs/log-metric", {"run_id": mlops.runs[name]["run_id"], "key": "mae", "value": 1, "timestamp": 1})
    for name in ("house", "castle"):
        post("registered-models/create", {"name": name})
    return mlops


@pytest.fixture
def page(server, tmp_path):
    browser = Browser(tmp_path)
    yield browser.page()
    browser.close()


def signed(server, token):
    """The address with what a person types into the browser's question: any name, and the token as password."""
    return server.url.replace("http://", f"http://me:{token}@")


def test_a_browser_asks_for_the_token_once_and_shows_what_it_reaches(server, page):
    with pytest.raises(AssertionError, match="ERR_INVALID_AUTH_CREDENTIALS"):
        page.open(server.url + "/")
    asked = requests.get(server.url + "/", headers={"Accept": "text/html"}, timeout=10)
    assert asked.status_code == 401 and "give any name, and the token as password" in asked.text
    assert asked.headers["WWW-Authenticate"].startswith("Basic ")
    page.open(signed(server, server.reader) + "/")
    assert "mine-1" in page.text and "theirs-1" not in page.text
    # From here on the browser shows the token by itself, on every page and to what pages load.
    mine, theirs = server.runs["mine-1"], server.runs["theirs-1"]
    page.open(f"{server.url}/experiments/{mine['experiment_id']}")
    assert "run of mine-1" in page.text
    page.wait_for("document.body.innerText.includes('run of mine-1')")
    server.post("runs/create", {"experiment_id": mine["experiment_id"], "run_name": "just begun"})
    page.wait_for("document.body.innerText.includes('just begun')")
    page.open(f"{server.url}/runs/{mine['run_id']}")
    assert "mae" in page.text
    page.open(server.url + "/models")
    assert "house" in page.text and "castle" not in page.text
    for path in (f"/experiments/{theirs['experiment_id']}", f"/runs/{theirs['run_id']}", "/models/castle", "/system"):
        page.open(server.url + path)
        assert "your token does not reach" in page.text and "run of theirs" not in page.text


def test_a_token_that_is_taken_back_opens_nothing_more(server, page):
    token = server.token("bob", "reader")
    page.open(signed(server, token) + "/")
    assert "theirs-1" in page.text
    server.run("track", "token", "revoke", "bob")
    with pytest.raises(AssertionError, match="ERR_INVALID_AUTH_CREDENTIALS"):
        page.open(server.url + "/models")


def test_no_page_or_log_shows_a_token(server, page):
    page.open(signed(server, server.reader) + "/")
    assert server.reader not in page.text and server.reader not in page.evaluate("document.documentElement.outerHTML")
    assert server.reader not in server.log(server.process) and server.admin not in server.log(server.process)


def test_a_token_tells_nothing_by_being_wrong(server):
    """Unknown, revoked, expired and malformed ones are answered alike."""
    real = server.admin
    wrong = [real[:-1] + ("0" if real[-1] != "0" else "1"), "mlops_" + "0" * 12 + "_" + "0" * 64, real[:40], real + "0", "x", "", real.upper()]
    answers = {(answer.status_code, answer.text) for token in wrong
               if (answer := requests.get(server.url + "/", headers={"Authorization": f"Bearer {token}"}, timeout=10)) is not None}
    assert len(answers) == 1 and answers.pop()[0] == 401
    # The token of one user with the id of another.
    head, identity, _ = server.reader.split("_")
    mixed = "_".join([head, identity, real.split("_")[2]])
    assert requests.get(server.url + "/", headers={"Authorization": f"Bearer {mixed}"}, timeout=10).status_code == 401


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out",
                    certificate], check=True, capture_output=True)
    return certificate, key


def test_other_roles_find_a_server_whose_certificate_is_its_own(mlops, certificate):
    cert, key = certificate
    process = mlops.start("track", "--tls-certificate", cert, "--tls-key", key, "--tokens", *PORTS)
    url = mlops.endpoint()
    assert url.startswith("https://")
    trust = {"MLOPS_TRACK_CA": str(cert)}
    command = ["track", "promote", "m", "1", "--reason", "x", "--project", CRYPTO]
    unknown = mlops.run(*command, status=69)
    assert "set track.ca" in unknown.stderr and url in unknown.stderr
    missing = mlops.run(*command, status=78, environment={"MLOPS_TRACK_CA": "/no/such.pem"})
    assert "/no/such.pem" in missing.stderr
    refused = mlops.run(*command, status=1, environment=trust)
    assert "RESOURCE_DOES_NOT_EXIST" in refused.stderr
    # Training, serving and monitoring through it: what they make is there, and no server of their own was started.
    done = mlops.run(
        "all", "--once", "--source", "synthetic", "--duration", "10h", "--start", "2024-03-01T00:00:00Z", "--rate", "0.5",
        "--project", CRYPTO, "--track-url", url, environment={**trust, "MLOPS_TRACK_TOKEN": mlops.run(
            "track", "token", "create", "--name", "all", "--role", "promoter").stdout.strip()}, timeout=300)
    run = next(line for line in done.stdout.splitlines() if "run: " in line).split("run: ")[1].split()[0]
    admin = mlops.run("track", "token", "create", "--name", "admin", "--role", "admin").stdout.strip()
    found = requests.get(url + API + "runs/get", params={"run_id": run}, headers={"Authorization": f"Bearer {admin}"}, verify=cert, timeout=10)
    assert found.json()["run"]["info"]["status"] == "FINISHED"
    assert mlops.terminate(process) == 0
