"""What the tests of `track` share: a server, and the unmodified `mlflow` client."""

import mlflow
import pytest

from conftest import CRYPTO, get, wait_for


@pytest.fixture(scope="module")
def track(module_mlops):
    process = module_mlops.start("track", "--port", 0, "--admin-port", 0, "--project", CRYPTO)
    url = module_mlops.endpoint()
    wait_for(lambda: get(f"{url}/health") is not None, "an answer", process=process)
    return url


@pytest.fixture(scope="module")
def client(track):
    return mlflow.MlflowClient(tracking_uri=track, registry_uri=track)


@pytest.fixture
def experiment(client, request):
    return client.create_experiment(request.node.name[:80])
