"""MLflow's own command line against the tracking track: experiments, runs, artifacts, traces, models."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
mlflow = pytest.importorskip("mlflow")
pytest.importorskip("sklearn")

import pandas  # noqa: E402
from sklearn.linear_model import LinearRegression  # noqa: E402


@pytest.fixture
def cli(track, tmp_path):
    """Runs `mlflow …` and returns what it printed."""

    def run(*arguments, status=0):
        done = subprocess.run(
            [sys.executable, "-m", "mlflow", *map(str, arguments)], capture_output=True, text=True, timeout=180, cwd=tmp_path,
            env={**os.environ, "MLFLOW_TRACKING_URI": track, "PYTHONWARNINGS": "ignore"})
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return run


def test_experiments_are_made_renamed_deleted_and_restored(cli, client):
    cli("experiments", "create", "-n", "from the shell")
    experiment = client.get_experiment_by_name("from the shell")
    cli("experiments", "rename", "-x", experiment.experiment_id, "--new-name", "renamed")
    assert client.get_experiment(experiment.experiment_id).name == "renamed"
    assert "renamed" in cli("experiments", "search")
    cli("experiments", "delete", "-x", experiment.experiment_id)
    assert "renamed" not in cli("experiments", "search") and "renamed" in cli("experiments", "search", "-v", "deleted_only")
    cli("experiments", "restore", "-x", experiment.experiment_id)
    assert client.get_experiment(experiment.experiment_id).lifecycle_stage == "active"
    assert cli("experiments", "create", "-n", "renamed", status=1) == ""


def test_runs_are_made_listed_described_deleted_and_restored(cli, client, tmp_path):
    experiment = client.create_experiment("runs of the shell")
    cli("runs", "create", "--experiment-id", experiment, "--run-name", "by hand", "-t", "kind=ridge")
    run = client.search_runs([experiment])[0].info.run_id
    client.log_metric(run, "mae", 0.5)
    client.log_param(run, "depth", 3)
    assert "by hand" in cli("runs", "list", "--experiment-id", experiment)
    told = json.loads(cli("runs", "describe", "--run-id", run))
    assert told["data"]["metrics"] == {"mae": 0.5} and told["data"]["tags"]["kind"] == "ridge" and told["info"]["status"] == "FINISHED"
    cli("experiments", "csv", "-x", experiment, "-o", tmp_path / "runs.csv")
    assert list(pandas.read_csv(tmp_path / "runs.csv")["metrics.mae"]) == [0.5]
    cli("runs", "delete", "--run-id", run)
    assert client.get_run(run).info.lifecycle_stage == "deleted"
    cli("runs", "restore", "--run-id", run)
    assert client.get_run(run).info.lifecycle_stage == "active"


def test_artifacts_go_in_are_listed_and_come_out(cli, client, tmp_path):
    run = client.create_run("0").info.run_id
    folder = tmp_path / "files"
    (folder / "below").mkdir(parents=True)
    (folder / "below/b.txt").write_text("b")
    (tmp_path / "a.txt").write_text("a")
    cli("artifacts", "log-artifact", "-l", tmp_path / "a.txt", "-r", run, "-a", "one")
    cli("artifacts", "log-artifacts", "-l", folder, "-r", run, "-a", "many")
    listed = json.loads(cli("artifacts", "list", "-r", run))
    assert [(entry["path"], entry["is_dir"]) for entry in listed] == [("many", True), ("one", True)]
    place = pathlib.Path(cli("artifacts", "download", "-r", run, "-d", tmp_path / "out").strip().splitlines()[-1])
    assert (place / "one/a.txt").read_text() == "a" and (place / "many/below/b.txt").read_text() == "b"


def test_traces_are_searched_judged_linked_and_deleted(cli, client):
    experiment = client.create_experiment("traces of the shell")
    mlflow.set_experiment(experiment_id=experiment)
    with mlflow.start_span("asked") as span:
        span.set_inputs({"q": 1})
    mlflow.flush_trace_async_logging()
    trace = span.trace_id
    found = json.loads(cli("traces", "search", "--experiment-id", experiment, "--filter-string", "name = 'asked'", "--output", "json"))
    assert [one["info"]["trace_id"] for one in found["traces"]] == [trace]
    assert json.loads(cli("traces", "get", "--trace-id", trace))["data"]["spans"][0]["name"] == "asked"
    cli("traces", "set-tag", "--trace-id", trace, "--key", "team", "--value", "prices")
    cli("traces", "log-feedback", "--trace-id", trace, "--name", "good", "--value", "true", "--source-type", "HUMAN", "--source-id", "me")
    run = client.create_run(experiment).info.run_id
    cli("runs", "link-traces", "--run-id", run, "-t", trace)
    told = mlflow.search_traces(run_id=run, return_type="list")
    assert told[0].info.tags["team"] == "prices" and told[0].info.assessments[0].name == "good"
    cli("traces", "delete", "--experiment-id", experiment, "--trace-ids", trace)
    assert mlflow.search_traces(return_type="list") == []


def test_a_registered_model_predicts_from_the_shell(cli, client, tmp_path):
    rows = pandas.DataFrame({"a": [0.0, 1.0, 2.0], "b": [1.0, 0.0, 1.0]})
    with mlflow.start_run(experiment_id="0"):
        mlflow.sklearn.log_model(LinearRegression().fit(rows, rows["a"] * 2), name="line", registered_model_name="line",
                                 input_example=rows[:1])
    client.set_registered_model_alias("line", "champion", 1)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    cli("models", "predict", "-m", "models:/line@champion", "-i", tmp_path / "rows.csv", "-t", "csv", "-o", tmp_path / "out.json",
        "--env-manager", "local")
    predictions = json.loads((tmp_path / "out.json").read_text())["predictions"]
    assert predictions == pytest.approx([0, 2, 4], abs=1e-9)


def test_a_server_alone_needs_no_project(mlops, tmp_path):
    """Whoever comes from MLflow has no mlops.yaml: the server starts anywhere, and its registry is moved by command."""
    folder = tmp_path / "empty"
    folder.mkdir()
    mlops.start("track", "--project", folder, "--port", "0", "--admin-port", "0")
    client = mlflow.MlflowClient(mlops.endpoint())
    run = client.create_run(client.create_experiment("first"))
    client.log_metric(run.info.run_id, "mae", 1.5)
    client.create_registered_model("house")
    version = client.create_model_version("house", client.get_run(run.info.run_id).info.artifact_uri, run.info.run_id)
    mlops.run("track", "promote", "house", version.version, "--reason", "the first", "--project", folder)
    assert client.get_model_version_by_alias("house", "champion").version == version.version
    assert list(folder.iterdir()) == []
