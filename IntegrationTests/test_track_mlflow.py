"""An unmodified MLflow client against the tracking server: what its users do every day must just work."""

import json
import math
import os
import time
import warnings

import pytest
import requests

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
mlflow = pytest.importorskip("mlflow")

from conftest import CRYPTO  # noqa: E402

warnings.filterwarnings("ignore", category=FutureWarning)


@pytest.fixture(scope="module")
def server(module_mlops):
    module_mlops.track = module_mlops.start("track", "--project", CRYPTO, "--port", "0", "--admin-port", "0")
    url = module_mlops.endpoint()
    mlflow.set_tracking_uri(url)
    return url


@pytest.fixture
def client(server):
    return mlflow.MlflowClient()


@pytest.fixture
def experiment(client, request):
    return client.create_experiment(f"{request.node.name}-{time.time_ns()}")


def refused(call, code):
    with pytest.raises(mlflow.exceptions.MlflowException) as caught:
        call()
    assert caught.value.error_code == code, caught.value
    return str(caught.value)


@pytest.fixture
def run(client, experiment):
    """A finished run with a little of everything."""
    with mlflow.start_run(experiment_id=experiment, run_name="first") as started:
        mlflow.log_params({"alpha": 0.5, "text": "x y"})
        for step in range(5):
            mlflow.log_metric("rmse", 1 / (step + 1), step=step)
        mlflow.log_metrics({"mae": 0.25, "nan": float("nan"), "inf": float("inf")})
        mlflow.set_tags({"kind": "ridge", "gone": "1"})
    return started.info.run_id


def test_what_was_logged_comes_back(client, run):
    found = client.get_run(run)
    assert found.info.status == "FINISHED" and found.info.run_name == "first"
    assert found.data.params == {"alpha": "0.5", "text": "x y"}
    assert found.data.metrics["rmse"] == 0.2 and math.isnan(found.data.metrics["nan"])
    assert found.data.metrics["inf"] == 1.7976931348623157e308
    assert found.data.tags["kind"] == "ridge" and found.data.tags["mlflow.runName"] == "first"
    history = client.get_metric_history(run, "rmse")
    assert [(point.step, point.value) for point in history] == [(step, 1 / (step + 1)) for step in range(5)]


def test_a_parameter_keeps_its_value(client, run):
    assert "Changing param values is not allowed" in refused(lambda: client.log_param(run, "alpha", 0.7), "INVALID_PARAMETER_VALUE")
    client.log_param(run, "alpha", 0.5)


def test_tags_and_names_change(client, run):
    client.delete_tag(run, "gone")
    refused(lambda: client.delete_tag(run, "gone"), "RESOURCE_DOES_NOT_EXIST")
    client.update_run(run, name="second")
    assert client.get_run(run).data.tags["mlflow.runName"] == "second"


def test_a_deleted_run_takes_nothing_until_it_is_restored(client, run):
    client.delete_run(run)
    assert client.get_run(run).info.lifecycle_stage == "deleted"
    refused(lambda: client.log_metric(run, "rmse", 1), "INVALID_PARAMETER_VALUE")
    client.restore_run(run)
    client.log_metric(run, "rmse", 1, step=9)


def test_runs_are_found_and_ordered(client, experiment):
    for name, value in [("a", 0.1), ("b", 0.9), ("n", float("nan"))]:
        with mlflow.start_run(experiment_id=experiment, run_name=name):
            mlflow.log_metric("m", value)
            mlflow.log_param("p", name.upper())
    with mlflow.start_run(experiment_id=experiment, run_name="x"):
        pass

    def names(text="", order=()):
        return [found.info.run_name for found in client.search_runs([experiment], text, order_by=list(order))]

    assert names(order=["metrics.m ASC"]) == ["a", "b", "n", "x"]
    assert names(order=["metrics.m DESC"]) == ["b", "a", "n", "x"]
    assert names("metrics.m > 0.5 and params.p = 'B'") == ["b"]
    assert names("params.p LIKE 'a%'") == [] and names("params.p ILIKE 'a%'") == ["a"]
    assert names("attributes.status = 'FINISHED' AND tags.mlflow.runName = 'x'") == ["x"]
    refused(lambda: names("metrics.m > 0 OR params.p = 'A'"), "INVALID_PARAMETER_VALUE")
    pages, token = [], None
    while True:
        page = client.search_runs([experiment], max_results=3, page_token=token)
        pages += [found.info.run_name for found in page]
        token = page.token
        if not token:
            break
    assert sorted(pages) == ["a", "b", "n", "x"]


def test_nested_runs_know_their_parent(client, experiment):
    with mlflow.start_run(experiment_id=experiment) as parent:
        with mlflow.start_run(experiment_id=experiment, nested=True) as child:
            pass
    found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert [one.info.run_id for one in found] == [child.info.run_id]


def test_experiments_are_deleted_restored_and_found(client, experiment):
    name = client.get_experiment(experiment).name
    assert client.get_experiment_by_name("there is none") is None
    client.set_experiment_tag(experiment, "team", name)
    assert [found.experiment_id for found in client.search_experiments(filter_string=f"tags.team = '{name}'")] == [experiment]
    client.delete_experiment(experiment)
    refused(lambda: client.create_experiment(name), "RESOURCE_ALREADY_EXISTS")
    assert client.get_experiment(experiment).lifecycle_stage == "deleted"
    client.restore_experiment(experiment)
    client.rename_experiment(experiment, name + " renamed")
    assert client.get_experiment_by_name(name + " renamed").experiment_id == experiment


def test_artefacts_go_in_and_come_back(client, run, tmp_path):
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "note.txt").write_text("hello")
    (source / "sub" / "é ü.json").write_text("{}")
    (source / "big.bin").write_bytes(os.urandom(5_000_000))
    client.log_artifacts(run, str(source), "dir")
    assert [(one.path, one.is_dir) for one in client.list_artifacts(run, "dir")] == [
        ("dir/big.bin", False), ("dir/note.txt", False), ("dir/sub", True)]
    back = client.download_artifacts(run, "dir", str(tmp_path))
    for path in ["note.txt", "sub/é ü.json", "big.bin"]:
        assert (source / path).read_bytes() == open(os.path.join(back, path), "rb").read()


def test_a_version_is_registered_and_found_by_alias(client, run, tmp_path):
    name = f"model-{time.time_ns()}"
    client.log_text(run, "flavors", "model/MLmodel")
    client.create_registered_model(name, tags={"team": "x"}, description="what it is")
    refused(lambda: client.create_registered_model(name), "RESOURCE_ALREADY_EXISTS")
    for number in ["1", "2"]:
        assert str(client.create_model_version(name, f"runs:/{run}/model", run).version) == number
    client.set_registered_model_alias(name, "champion", "1")
    client.set_registered_model_alias(name, "champion", "2")
    assert str(client.get_model_version_by_alias(name, "champion").version) == "2"
    assert client.get_registered_model(name).aliases == {"champion": "2"}
    assert "not found" in refused(lambda: client.get_model_version_by_alias(name, "old"), "INVALID_PARAMETER_VALUE")
    fetched = mlflow.artifacts.download_artifacts(f"models:/{name}@champion", dst_path=str(tmp_path))
    assert "MLmodel" in os.listdir(fetched)
    assert len(client.search_model_versions(f"name = '{name}'")) == 2
    assert [one.name for one in client.search_registered_models(f"name LIKE '{name[:-1]}%'")] == [name]
    refused(lambda: client.create_model_version(name, "/etc", run), "INVALID_PARAMETER_VALUE")
    client.delete_registered_model_alias(name, "champion")
    client.delete_model_version(name, "2")
    client.delete_registered_model(name)


def test_the_registry_tells_its_changes(client, run, module_mlops):
    name = f"told-{time.time_ns()}"
    client.create_registered_model(name)
    client.create_model_version(name, f"runs:/{run}/model", run)
    client.set_registered_model_alias(name, "champion", "1")
    events = [row for row in module_mlops.rows("registry-events") if row["model"] == name]
    assert [(row["event"], row["version"], row["alias"]) for row in events] == [
        ("registered_model.created", None, None), ("model_version.created", "1", None),
        ("model_version_alias.created", "1", "champion")]


def test_an_alias_move_is_kept_with_its_reason(client, run, server):
    name = f"audited-{time.time_ns()}"
    client.create_registered_model(name)
    client.create_model_version(name, f"runs:/{run}/model", run)
    verdict = json.dumps({"lower": 0.1})
    body = {"name": name, "alias": "champion", "version": "1", "actor": "ada", "reason": "better", "verdict": verdict}
    assert requests.post(f"{server}/api/2.0/mlflow/registered-models/alias", json=body, timeout=5).status_code == 200
    found = requests.get(f"{server}/api/2.0/mlflow/registered-models/promotions", params={"name": name}, timeout=5).json()
    assert [(row["actor"], row["reason"], row["verdict"]) for row in found["promotions"]] == [("ada", "better", verdict)]
    page = requests.get(f"{server}/models/{name}", timeout=5)
    assert page.status_code == 200 and "better" in page.text and "ada" in page.text


@pytest.mark.parametrize("path", ["..%2f..%2fetc%2fpasswd", "%252e%252e/x", "a%5c..%5cx", "a%00b", ".part/x"])
def test_no_path_leaves_the_artefacts(server, path):
    url = f"{server}/api/2.0/mlflow-artifacts/artifacts/{path}"
    for method in ["GET", "PUT", "DELETE"]:
        request = requests.Request(method, url, data=b"x" if method == "PUT" else None).prepare()
        request.url = url
        assert requests.Session().send(request, timeout=5).status_code == 400


def test_a_model_is_logged_registered_and_loaded_by_alias(client, experiment):
    numpy = pytest.importorskip("numpy")
    linear = pytest.importorskip("sklearn.linear_model")
    pytest.importorskip("pandas")
    inputs = numpy.arange(10.0).reshape(-1, 1)
    model = linear.LinearRegression().fit(inputs, inputs[:, 0] * 2 + 1)
    name = f"linear-{time.time_ns()}"
    with mlflow.start_run(experiment_id=experiment) as started:
        logged = mlflow.sklearn.log_model(
            model, name="model", registered_model_name=name, input_example=inputs[:2], pip_requirements=["scikit-learn"])
        mlflow.log_metric("quality", 1.0, model_id=logged.model_id)
    client.set_registered_model_alias(name, "champion", "1")
    loaded = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    assert loaded.predict(inputs[:3]).tolist() == pytest.approx([1, 3, 5])
    found = mlflow.get_logged_model(logged.model_id)
    assert str(found.status) == "READY" and [metric.value for metric in found.metrics] == [1.0]
    assert client.get_run(started.info.run_id).outputs.model_outputs[0].model_id == logged.model_id


def test_what_was_acknowledged_survives_a_kill(client, run, module_mlops):
    """The last test of the file: the server is a new one afterwards."""
    client.log_metric(run, "late", 1.5)
    module_mlops.kill(module_mlops.track)
    (module_mlops.data / "endpoints.json").unlink()
    module_mlops.start("track", "--project", CRYPTO, "--port", "0", "--admin-port", "0")
    mlflow.set_tracking_uri(module_mlops.endpoint())
    assert mlflow.MlflowClient().get_run(run).data.metrics["late"] == 1.5
