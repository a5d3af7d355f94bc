"""What the tests of `serve` share: one trained directory, and servers on copies of it."""

import json
import re
import shutil

import numpy
import pytest
import requests

from conftest import MODEL, Mlops, free_port, get, project_copy, wait_for

PAIRS = ["BTC/USD", "ETH/USD", "XRP/ETH"]
XGBOOST_ONLY = [
    (re.compile(r"    - \{kind: ridge,.*\n"), ""),
    ("rounds: int(50, 500)", "rounds: int(20, 60)"),
    # Beaten by any model that has learnt something.
    ("baselines: [current(current_price), mean]", "baselines: [mean]"),
    ("trials: 30", "trials: 3"),
]
INPUT = ["--source", "synthetic", "--duration", "1d", "--start", "2024-03-01T00:00:00Z", "--rate", "0.5"]


class Server:
    """`track` and `serve` alone on the directory of a finished run."""

    def __init__(self, mlops, project):
        self.mlops = mlops
        self.track = mlops.start("track", "--port", 0, "--admin-port", 0, "--project", project)
        self.track_url = mlops.endpoint()
        self.url = f"http://127.0.0.1:{free_port()}"
        self.serve = mlops.start(
            "serve", "--port", self.url.rsplit(":", 1)[1], "--admin-port", 0, "--project", project)
        self.wait_until_ready()

    def wait_until_ready(self):
        wait_for(lambda: (answer := get(f"{self.url}/readyz")) is not None and answer.status_code == 200, "a ready server",
                 process=self.serve)

    def post(self, body, path=f"/v1/models/{MODEL}:predict", **keywords):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        return requests.post(self.url + path, data=body, timeout=10, **keywords)

    def predict(self, *instances):
        answer = self.post({"instances": list(instances)})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def artifact(self, name, version="1"):
        """A file of a registered version, as the tracking server gives it out."""
        found = requests.get(
            f"{self.track_url}/api/2.0/mlflow/model-versions/get-download-uri", params={"name": MODEL, "version": version},
            timeout=10)
        uri = found.json()["artifact_uri"]
        of_a_run = re.fullmatch(r"runs:/([^/]+)/(.*)", uri)
        if of_a_run:
            run = requests.get(f"{self.track_url}/api/2.0/mlflow/runs/get", params={"run_id": of_a_run[1]}, timeout=10).json()["run"]
            uri = f"{run['info']['artifact_uri']}/{of_a_run[2]}"
        path = re.sub(r"^mlflow-artifacts:/+", "", uri)
        answer = requests.get(f"{self.track_url}/api/2.0/mlflow-artifacts/artifacts/{path}/{name}", timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.content

    def set_alias(self, alias, version):
        answer = requests.post(
            f"{self.track_url}/api/2.0/mlflow/registered-models/alias",
            json={"name": MODEL, "alias": alias, "version": version}, timeout=10)
        assert answer.status_code == 200, answer.text

    def recorded(self, ids):
        """Predictions by id, once all of `ids` are in the topic."""
        def found():
            rows = {row["id"]: row for row in self.mlops.rows("predictions")}
            return rows if set(ids) <= rows.keys() else None
        return wait_for(found, "the predictions in the topic", seconds=10)


@pytest.fixture(scope="session")
def xgboost_project(tmp_path_factory):
    return project_copy(tmp_path_factory.mktemp("project"), *XGBOOST_ONLY)


@pytest.fixture(scope="session")
def trained_data(binary, xgboost_project, tmp_path_factory):
    """The data directory of a finished run that has promoted its model; for copies only."""
    mlops = Mlops(tmp_path_factory.mktemp("trained"))
    done = mlops.run("all", "--once", *INPUT, "--project", xgboost_project)
    assert f"{MODEL}/1 promoted: " in done.stdout and f"serving {MODEL}/1 as champion" in done.stdout
    return mlops.data


@pytest.fixture(scope="module")
def server(module_mlops, trained_data, xgboost_project):
    shutil.copytree(trained_data, module_mlops.data)
    return Server(module_mlops, xgboost_project)


@pytest.fixture
def own_server(mlops, trained_data, xgboost_project):
    """A server that a test may end, on a directory of its own."""
    shutil.copytree(trained_data, mlops.data)
    return Server(mlops, xgboost_project)


@pytest.fixture(scope="module")
def inputs(server):
    """Names of the model's inputs, and what stands in for a missing one."""
    pipeline = json.loads(server.artifact("pipeline.json"))
    names = [entry["name"] for entry in pipeline["inputs"]]
    medians = {step["column"]: step["fill"] for step in pipeline["steps"]}
    assert list(medians) == names and pipeline["estimator"] == {"kind": "boosted"}
    return names, medians


def sample(server, names, count=200):
    """Rows of every pair over the whole history, the first minutes with their nulls included."""
    rows = server.mlops.rows("technical_indicators")
    chosen = [rows[at] for at in numpy.linspace(0, len(rows) - 1, count - 20).astype(int)] + rows[:20]
    assert {row["pair"] for row in chosen} == set(PAIRS) and any(row["macd_signal"] is None for row in chosen)
    return [{name: row[name] for name in names} for row in chosen]
