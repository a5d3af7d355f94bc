"""What a daily user of MLflow's clients asks for beyond runs: prompts, logged models, webhooks, HEAD, and clear refusals."""

import http.server
import json
import os
import threading

import pytest
import requests

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
mlflow = pytest.importorskip("mlflow")
genai = pytest.importorskip("mlflow.genai")

from conftest import CRYPTO, is_up, wait_for  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402


@pytest.fixture(scope="module")
def server(module_mlops):
    process = module_mlops.start(
        "track", "--project", CRYPTO, "--port", "0", "--admin-port", "0", environment={"MLOPS_TRACK_PRIVATE_WEBHOOKS": "true"})
    url = module_mlops.endpoint()
    is_up(url + "/health", process)
    mlflow.set_tracking_uri(url)
    mlflow.set_registry_uri(url)
    module_mlops.url = url
    return module_mlops


@pytest.fixture
def client(server):
    return mlflow.MlflowClient()


@pytest.fixture
def receiver(server):
    """An address that keeps what it is told."""
    told = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listener.server_port}/hook", told
    listener.shutdown()


def test_prompts_are_registered_loaded_tagged_and_found(client):
    first = genai.register_prompt(name="hello", template="Hi {{who}}", commit_message="one", tags={"by": "ann"})
    second = genai.register_prompt(name="hello", template="Hello {{who}}")
    assert (first.version, second.version) == (1, 2)
    genai.set_prompt_alias("hello", "live", 1)
    assert genai.load_prompt("prompts:/hello/2").template == "Hello {{who}}"
    assert genai.load_prompt("prompts:/hello@live").format(who="you") == "Hi you"
    client.set_prompt_tag("hello", "team", "x")
    client.set_prompt_version_tag("hello", "2", "checked", "yes")
    assert genai.load_prompt("hello", version=2).tags["checked"] == "yes"
    assert [(found.name, found.tags["team"]) for found in genai.search_prompts("name = 'hello'")] == [("hello", "x")]
    genai.delete_prompt_alias("hello", "live")
    with pytest.raises(MlflowException):
        genai.load_prompt("prompts:/hello@live")


def test_prompts_are_no_models(server, client):
    genai.register_prompt(name="unseen-prompt", template="Hi")
    client.create_registered_model("seen-model")
    names = {model.name for model in client.search_registered_models()}
    assert "seen-model" in names and "unseen-prompt" not in names
    assert "unseen-prompt" not in {version.name for version in client.search_model_versions()}
    asked = client.search_registered_models("tags.`mlflow.prompt.is_prompt` = 'true'")
    assert "unseen-prompt" in {model.name for model in asked} and "seen-model" not in {model.name for model in asked}
    page = requests.get(server.url + "/models", timeout=30).text
    assert "seen-model" in page and "unseen-prompt" not in page
    with pytest.raises(MlflowException, match="Prompt versions cannot be used"):
        client.create_model_version("seen-model", "models:/unseen-prompt/1")


def test_a_logged_model_keeps_its_parameters_and_all_its_metrics(server, client):
    experiment = client.create_experiment("logged")
    model = mlflow.initialize_logged_model("m", experiment_id=experiment, params={"depth": "3"}).model_id
    mlflow.log_model_params({"q": "1"}, model)
    for value in ("1", "2"):
        with pytest.raises(MlflowException):
            mlflow.log_model_params({"q": value}, model)
    with mlflow.start_run(experiment_id=experiment):
        mlflow.log_metric("acc", 0.9, step=0, model_id=model)
        mlflow.log_metric("acc", 0.95, step=2, model_id=model)
    found = mlflow.get_logged_model(model)
    assert found.params == {"depth": "3", "q": "1"}
    assert [(metric.key, metric.step, metric.value) for metric in found.metrics] == [("acc", 0, 0.9), ("acc", 2, 0.95)]
    search = {"experiment_ids": [experiment], "output_format": "list", "max_results": 500}
    for text in ("params.q IN ('1', '3')", "params.depth = 3", "metrics.acc > 0.94", "name IN ('m')"):
        assert [each.model_id for each in mlflow.search_logged_models(filter_string=text, **search)] == [model], text
    out = server.directory / "export"
    server.run("track", "export", "--out", out)
    [line] = (out / "logged_models.jsonl").read_text().splitlines()
    data = json.loads(line)["data"]
    assert len(data["metrics"]) == 2 and {"key": "q", "value": "1"} in data["params"]
    assert any('"hello"' in line or '"unseen-prompt"' in line for line in (out / "models.jsonl").read_text().splitlines())


def test_webhooks_are_told_what_mlflow_tells(client, receiver):
    url, told = receiver
    events = ["registered_model.created", "model_version.created", "model_version_tag.set", "model_version_tag.deleted",
              "prompt.created", "prompt_version.created", "prompt_alias.created"]
    hook = client.create_webhook("hook", url, events[::-1])
    assert client.test_webhook(hook.webhook_id).success
    assert (told[0]["entity"], told[0]["action"]) == ("prompt_alias", "created")
    told.clear()
    client.create_registered_model("hooked", tags={"a": "b"}, description="why")
    run = client.create_run("0").info
    version = client.create_model_version("hooked", run.artifact_uri + "/model", run.run_id, tags={"c": "d"}).version
    client.set_model_version_tag("hooked", version, "k", "v")
    client.delete_model_version_tag("hooked", version, "k")
    genai.register_prompt(name="hooked-prompt", template="Hi", tags={"e": "f"})
    genai.set_prompt_alias("hooked-prompt", "live", 1)
    wait_for(lambda: len(told) >= len(events), "every event")
    client.delete_webhook(hook.webhook_id)
    data = {f"{event['entity']}.{event['action']}": event["data"] for event in told}
    assert set(data) == set(events) and len(told) == len(events)
    assert data["registered_model.created"] == {"name": "hooked", "tags": {"a": "b"}, "description": "why"}
    assert data["model_version.created"] == {
        "name": "hooked", "version": "1", "source": run.artifact_uri + "/model", "run_id": run.run_id, "tags": {"c": "d"},
        "description": None}
    assert data["model_version_tag.set"] == {"name": "hooked", "version": "1", "key": "k", "value": "v"}
    assert data["model_version_tag.deleted"] == {"name": "hooked", "version": "1", "key": "k"}
    assert data["prompt.created"]["name"] == "hooked-prompt" and "mlflow.prompt.is_prompt" not in data["prompt.created"]["tags"]
    assert data["prompt_version.created"]["template"] == "Hi" and data["prompt_version.created"]["tags"] == {"e": "f"}
    assert {"name": "hooked-prompt", "version": "1", "alias": "live"}.items() <= data["prompt_alias.created"].items()


def test_head_answers_as_get_without_a_body(server, client):
    run = client.create_run("0").info
    client.log_text(run.run_id, "twelve bytes", "a.txt")
    file = f"/api/2.0/mlflow-artifacts/artifacts/0/{run.run_id}/artifacts/a.txt"
    paths = ["/", "/models", f"/runs/{run.run_id}", "/health", "/version", file, f"/api/2.0/mlflow/runs/get?run_id={run.run_id}",
             "/nothing", "/api/2.0/mlflow/experiments/get?experiment_id=999"]
    for path in paths:
        whole, head = requests.get(server.url + path, timeout=30), requests.head(server.url + path, timeout=30)
        assert head.status_code == whole.status_code and head.content == b"", path
        assert head.headers["Content-Type"] == whole.headers["Content-Type"], path
        # Pages tell times that have passed: their length may differ from one moment to the next.
        assert int(head.headers["Content-Length"]) > 0, path
    assert requests.head(server.url + file, timeout=30).headers["Content-Length"] == "12"


def test_what_is_not_spoken_is_said_in_one_sentence(server):
    with pytest.raises(MlflowException, match="This server does not speak") as caught:
        genai.datasets.search_datasets()
    assert caught.value.error_code == "ENDPOINT_NOT_FOUND" and "<html" not in str(caught.value)
    answer = requests.post(server.url + "/graphql", json={}, timeout=30)
    assert answer.status_code == 404 and answer.json()["error_code"] == "ENDPOINT_NOT_FOUND"


def test_a_token_that_is_not_good_is_not_called_missing(mlops):
    process = mlops.start("track", "--project", CRYPTO, "--tokens", "--port", "0", "--admin-port", "0")
    url = mlops.endpoint()
    is_up(url + "/health", process)
    token = mlops.run("track", "token", "create", "--name", "ann", "--role", "reader").stdout.strip()
    short = mlops.run("track", "token", "create", "--name", "brief", "--role", "reader", "--expires", "1s").stdout.strip()
    listed = {line.split("\t")[1]: line for line in mlops.run("track", "token", "list").stdout.splitlines()}
    assert "created=20" in listed["ann"] and "expires=never" in listed["ann"] and "expires=20" in listed["brief"]
    mlops.run("track", "token", "revoke", "ann")
    wait_for(lambda: "brief\treader\texpired" in mlops.run("track", "token", "list").stdout, "the end of a token", process=process)

    def said(headers):
        return requests.get(url + "/api/2.0/mlflow/experiments/get?experiment_id=0", headers=headers, timeout=30).json()["message"]

    told = {said({"Authorization": f"Bearer {text}"}) for text in (token, short, "mlops_typo", token[:-1])}
    assert len(told) == 1 and "is not known here, has expired or was revoked" in told.pop()
    assert said({}).startswith("This server needs a token")
