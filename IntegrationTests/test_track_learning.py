"""An unmodified MLflow client in its daily work with scikit-learn and XGBoost: autologging, logged models, aliases, evaluation."""

import os
import time
import warnings

import pytest

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
mlflow = pytest.importorskip("mlflow")
pytest.importorskip("sklearn")

import numpy  # noqa: E402
import pandas  # noqa: E402
import xgboost  # noqa: E402
from sklearn.linear_model import LogisticRegression, Ridge  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402

warnings.filterwarnings("ignore")


@pytest.fixture
def experiment(client, request):
    found = client.create_experiment(f"{request.node.name}-{time.time_ns()}")
    mlflow.set_experiment(experiment_id=found)
    yield found
    mlflow.sklearn.autolog(disable=True)
    mlflow.xgboost.autolog(disable=True)


@pytest.fixture
def data():
    random = numpy.random.default_rng(5)
    rows = pandas.DataFrame(random.normal(size=(200, 3)), columns=["a", "b", "c"])
    return rows, rows["a"] * 2 - rows["b"] + random.normal(scale=0.1, size=200)


def runs(client, experiment, text=""):
    return client.search_runs([experiment], text)


def test_autologging_of_sklearn_logs_parameters_metrics_and_a_model_that_loads(client, experiment, data):
    mlflow.sklearn.autolog()
    rows, target = data
    with mlflow.start_run() as run:
        fitted = Ridge(alpha=0.5).fit(rows, target)
    found = client.get_run(run.info.run_id)
    assert found.data.params["alpha"] == "0.5" and found.data.metrics["training_r2_score"] > 0.9
    assert found.info.status == "FINISHED"
    assert found.inputs.dataset_inputs, "the data it was fitted on"
    model = mlflow.search_logged_models(experiment_ids=[experiment], output_format="list")[0]
    assert model.source_run_id == run.info.run_id and str(model.status) in ("READY", "LoggedModelStatus.READY")
    loaded = mlflow.pyfunc.load_model(f"models:/{model.model_id}")
    assert numpy.allclose(loaded.predict(rows), fitted.predict(rows))


def test_a_grid_search_makes_nested_runs(client, experiment, data):
    mlflow.sklearn.autolog(max_tuning_runs=3)
    rows, target = data
    with mlflow.start_run() as run:
        GridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=2).fit(rows, target)
    children = runs(client, experiment, f"tags.mlflow.parentRunId = '{run.info.run_id}'")
    assert len(children) == 3 and {child.data.params["alpha"] for child in children} == {"0.1", "1.0", "10.0"}
    best = client.search_runs([experiment], "tags.mlflow.parentRunId LIKE '%'", order_by=["metrics.mean_test_score DESC"])[0]
    assert best.data.params["alpha"] in {"0.1", "1.0"}


def test_autologging_of_xgboost_logs_a_metric_per_round(client, experiment, data):
    mlflow.xgboost.autolog()
    rows, target = data
    matrix = xgboost.DMatrix(rows, target)
    with mlflow.start_run() as run:
        xgboost.train({"max_depth": 2, "eval_metric": "rmse"}, matrix, num_boost_round=7, evals=[(matrix, "train")])
    assert client.get_run(run.info.run_id).data.params["max_depth"] == "2"
    history = client.get_metric_history(run.info.run_id, "train-rmse")
    assert [point.step for point in history] == list(range(7)) and history[0].value > history[-1].value


def test_a_model_is_registered_promoted_and_loaded_by_alias(client, experiment, data):
    rows, target = data
    name = f"by-alias-{time.time_ns()}"
    fitted = []
    for alpha in (0.1, 100.0):
        with mlflow.start_run():
            fitted.append(Ridge(alpha=alpha).fit(rows, target))
            signature = mlflow.models.infer_signature(rows, target)
            mlflow.sklearn.log_model(fitted[-1], name="ridge", signature=signature, input_example=rows[:2], registered_model_name=name)
    client.set_registered_model_alias(name, "champion", "1")
    loaded = mlflow.sklearn.load_model(f"models:/{name}@champion")
    assert numpy.array_equal(loaded.predict(rows), fitted[0].predict(rows))
    client.set_registered_model_alias(name, "champion", "2")
    assert numpy.array_equal(mlflow.sklearn.load_model(f"models:/{name}@champion").predict(rows), fitted[1].predict(rows))
    assert client.get_model_version_by_alias(name, "champion").version in ("2", 2)
    copied = client.copy_model_version(f"models:/{name}/1", name + "-copy")
    assert numpy.array_equal(mlflow.sklearn.load_model(f"models:/{name}-copy/{copied.version}").predict(rows), fitted[0].predict(rows))
    versions = client.search_model_versions(f"name = '{name}'", order_by=["version_number DESC"])
    assert [int(version.version) for version in versions] == [2, 1]
    client.transition_model_version_stage(name, "1", "Production")
    assert client.get_latest_versions(name, ["Production"])[0].version in ("1", 1)


def test_evaluation_logs_its_metrics(client, experiment, data):
    rows, target = data
    labelled = rows.assign(label=(target > 0).astype(int))
    fitted = LogisticRegression().fit(rows, labelled["label"])
    with mlflow.start_run() as run:
        model = mlflow.sklearn.log_model(fitted, name="logistic", input_example=rows[:2])
        mlflow.models.evaluate(model.model_uri, labelled, targets="label", model_type="classifier",
                               evaluator_config={"log_model_explainability": False})
    found = client.get_run(run.info.run_id).data.metrics
    assert found["accuracy_score"] > 0.9 and "roc_auc" in found
    assert any(path.path.endswith(".png") for path in client.list_artifacts(run.info.run_id)), "its plots"


def test_evaluation_of_stored_predictions_of_a_regressor_logs_its_metrics(client, experiment, data):
    rows, target = data
    answered = rows.assign(wanted=target, said=Ridge().fit(rows, target).predict(rows))
    evaluate = getattr(mlflow, "evaluate", None) or mlflow.models.evaluate
    with mlflow.start_run() as run:
        evaluate(data=answered, targets="wanted", predictions="said", model_type="regressor")
    found = client.get_run(run.info.run_id)
    assert found.data.metrics["r2_score"] > 0.9 and found.data.metrics["mean_absolute_error"] < 0.2


def test_logged_models_are_searched_by_what_they_measured(client, experiment, data):
    rows, target = data
    for alpha, score in ((0.1, 0.9), (1.0, 0.5), (10.0, 0.7)):
        with mlflow.start_run():
            model = mlflow.sklearn.log_model(Ridge(alpha=alpha).fit(rows, target), name=f"r{int(alpha * 10)}", params={"alpha": alpha})
            mlflow.log_metric("score", score, model_id=model.model_id)
    found = mlflow.search_logged_models(
        experiment_ids=[experiment], filter_string="metrics.score > 0.6", order_by=[{"field_name": "metrics.score", "ascending": False}],
        output_format="list")
    assert [model.name for model in found] == ["r1", "r100"]
    pages = client.search_logged_models([experiment], max_results=2)
    rest = client.search_logged_models([experiment], max_results=2, page_token=pages.token)
    assert len(pages) == 2 and len(rest) == 1


def test_long_histories_come_back_in_pages(client, experiment):
    run = client.create_run(experiment).info.run_id
    points = [mlflow.entities.Metric("m", float(step), step, step) for step in range(30_000)]
    for start in range(0, len(points), 1_000):
        client.log_batch(run, metrics=points[start:start + 1_000])
    history = client.get_metric_history(run, "m")
    assert [point.step for point in history] == list(range(30_000))
