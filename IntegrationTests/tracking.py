"""What the tests of `track` share: a server, the unmodified `mlflow` client, and a writer that remembers."""

import random
import threading
import time

import mlflow
import pytest
import requests

from conftest import CRYPTO, get, is_up, wait_for

API = "/api/2.0/mlflow/"


def start(mlops, port="0"):
    process = mlops.start("track", "--project", CRYPTO, "--port", port, "--admin-port", "0")
    url = mlops.endpoint()
    is_up(url + "/health", process)
    return process, url


class Writer:
    """Logs to a run of its own and remembers what the server acknowledged."""

    def __init__(self, url, number):
        self.url, self.number, self.session = url, number, requests.Session()
        self.random = random.Random(number)
        self.run = self.post("runs/create", {"run_name": f"w{number}"}).json()["run"]["info"]["run_id"]
        self.metrics, self.params, self.step, self.refused = set(), {}, 0, 0

    def post(self, route, body):
        answer = self.session.post(self.url + API + route, json=body, timeout=10)
        answer.raise_for_status()
        return answer

    def work(self, until):
        """Until a moment, or until somebody says so."""
        while not until.is_set() if isinstance(until, threading.Event) else time.monotonic() < until:
            self.step += 1
            points = [(f"m{self.random.randrange(4)}", self.step, self.random.random()) for _ in range(self.random.choice([1, 1, 20, 100]))]
            params = {f"p{self.step}": str(self.step)} if self.step % 5 == 0 else {}
            body = {"run_id": self.run, "metrics": [{"key": k, "value": v, "timestamp": self.step, "step": s} for k, s, v in points],
                    "params": [{"key": k, "value": v} for k, v in params.items()]}
            try:
                self.post("runs/log-batch", body)
            except requests.RequestException:
                self.refused += 1
                time.sleep(0.05)
                continue
            self.metrics.update(points)
            self.params.update(params)


@pytest.fixture(scope="module")
def track(module_mlops):
    process = module_mlops.start("track", "--port", 0, "--admin-port", 0, "--project", CRYPTO)
    url = module_mlops.endpoint()
    wait_for(lambda: get(f"{url}/health") is not None, "an answer", process=process)
    mlflow.set_tracking_uri(url)
    return url


@pytest.fixture(scope="module")
def client(track):
    return mlflow.MlflowClient(tracking_uri=track, registry_uri=track)


@pytest.fixture
def experiment(client, request):
    return client.create_experiment(request.node.name[:80])
