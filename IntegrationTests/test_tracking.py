"""The unmodified `mlflow` client against `track`."""

import json
import os
import threading
import time

import mlflow
import pytest
import requests
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from conftest import CRYPTO, MODEL, get, wait_for


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


class TestExperiments:
    def test_the_default_experiment_is_there(self, client):
        assert client.get_experiment("0").name == "Default"

    def test_an_experiment_is_found_by_id_and_by_name_with_its_tags(self, client):
        identifier = client.create_experiment("prices", tags={"team": "α"})
        client.set_experiment_tag(identifier, "owner", "me")
        found = client.get_experiment_by_name("prices")
        assert found.experiment_id == identifier and found.lifecycle_stage == "active"
        assert found.tags == {"team": "α", "owner": "me"}
        assert client.get_experiment(identifier).name == "prices"

    def test_a_name_that_is_taken_is_refused(self, client):
        client.create_experiment("taken")
        with pytest.raises(MlflowException) as refused:
            client.create_experiment("taken")
        assert refused.value.error_code == "RESOURCE_ALREADY_EXISTS"

    def test_a_deleted_experiment_can_be_restored(self, client):
        identifier = client.create_experiment("gone")
        client.delete_experiment(identifier)
        assert client.get_experiment(identifier).lifecycle_stage == "deleted"
        assert "gone" not in [found.name for found in client.search_experiments()]
        client.restore_experiment(identifier)
        assert client.get_experiment_by_name("gone").lifecycle_stage == "active"

    def test_one_that_does_not_exist_is_told_so(self, client):
        assert client.get_experiment_by_name("nobody") is None
        with pytest.raises(MlflowException) as refused:
            client.get_experiment("987654")
        assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"

    def test_experiments_are_searched_by_name(self, client):
        for name in ("search-a", "search-b", "other-c"):
            client.create_experiment(name)
        found = client.search_experiments(filter_string="name LIKE 'search-%'", order_by=["name DESC"])
        assert [one.name for one in found] == ["search-b", "search-a"]


class TestRuns:
    def test_a_run_keeps_params_tags_and_its_status(self, client, experiment):
        run = client.create_run(experiment, run_name="first", tags={"stage": "dev"})
        assert run.info.status == "RUNNING" and run.info.run_name == "first"
        client.log_param(run.info.run_id, "depth", 6)
        client.log_param(run.info.run_id, "long", "x" * 6000)
        client.set_tag(run.info.run_id, "mlflow.note.content", "a note")
        client.set_terminated(run.info.run_id, "FAILED")
        found = client.get_run(run.info.run_id)
        assert found.data.params == {"depth": "6", "long": "x" * 6000}
        assert found.data.tags["stage"] == "dev" and found.data.tags["mlflow.note.content"] == "a note"
        assert found.info.status == "FAILED" and found.info.end_time >= found.info.start_time

    def test_a_param_cannot_change_but_may_be_repeated(self, client, experiment):
        run = client.create_run(experiment).info.run_id
        client.log_param(run, "eta", 0.1)
        client.log_param(run, "eta", 0.1)
        with pytest.raises(MlflowException) as refused:
            client.log_param(run, "eta", 0.2)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"

    def test_a_metric_keeps_its_history_in_order(self, client, experiment):
        run = client.create_run(experiment).info.run_id
        now = int(time.time() * 1_000)
        for step in range(30):
            client.log_metric(run, "loss", 1.0 / (step + 1), timestamp=now + step, step=step)
        history = client.get_metric_history(run, "loss")
        assert [(point.step, point.value, point.timestamp) for point in history] == [
            (step, 1.0 / (step + 1), now + step) for step in range(30)]
        assert client.get_run(run).data.metrics == {"loss": 1.0 / 30}

    @pytest.mark.parametrize("value", [0.1 + 0.2, 1e-300, 1.7976931348623157e308, -0.0, float("inf"), float("-inf"), float("nan")])
    def test_every_number_comes_back_as_it_was_logged(self, client, experiment, value):
        run = client.create_run(experiment).info.run_id
        client.log_metric(run, "value", value)
        found = client.get_metric_history(run, "value")[0].value
        # The protocol has no infinity: MLflow's own stores keep the largest double for it.
        expected = max(min(value, 1.7976931348623157e308), -1.7976931348623157e308) if value == value else value
        assert found == expected or (found != found and value != value)

    def test_a_batch_is_logged_whole(self, client, experiment):
        run = client.create_run(experiment).info.run_id
        client.log_batch(
            run, metrics=[Metric(f"m{at}", at, 0, 0) for at in range(800)],
            params=[Param(f"p{at}", str(at)) for at in range(100)], tags=[RunTag(f"t{at}", str(at)) for at in range(100)])
        found = client.get_run(run)
        assert len(found.data.metrics) == 800 and len(found.data.params) == 100
        assert {f"t{at}" for at in range(100)} <= found.data.tags.keys()

    def test_a_batch_with_a_bad_member_leaves_nothing(self, client, experiment):
        run = client.create_run(experiment).info.run_id
        with pytest.raises(MlflowException):
            client.log_batch(run, metrics=[Metric("good", 1, 0, 0)], params=[Param("a", "1"), Param("a", "2")])
        assert client.get_run(run).data.metrics == {} and client.get_run(run).data.params == {}

    def test_a_deleted_run_can_be_restored(self, client, experiment):
        run = client.create_run(experiment).info.run_id
        client.delete_run(run)
        assert client.search_runs([experiment]) == []
        assert client.get_run(run).info.lifecycle_stage == "deleted"
        client.restore_run(run)
        assert [found.info.run_id for found in client.search_runs([experiment])] == [run]

    def test_a_tag_can_be_deleted_and_a_run_renamed(self, client, experiment):
        run = client.create_run(experiment, tags={"a": "1"}).info.run_id
        client.delete_tag(run, "a")
        client.update_run(run, name="renamed")
        found = client.get_run(run)
        assert "a" not in found.data.tags and found.info.run_name == "renamed"

    def test_runs_of_many_clients_at_once_are_all_kept(self, client, experiment):
        errors = []

        def work(number):
            try:
                run = client.create_run(experiment, run_name=f"worker {number}").info.run_id
                for step in range(10):
                    client.log_metric(run, "loss", step, step=step)
                client.set_terminated(run)
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        found = client.search_runs([experiment])
        assert sorted(run.info.run_name for run in found) == [f"worker {number}" for number in range(6)]
        assert all(run.data.metrics == {"loss": 9.0} for run in found)

    def test_the_fluent_interface_works(self, track, experiment, tmp_path):
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(track)
        try:
            with mlflow.start_run(experiment_id=experiment, run_name="fluent") as run:
                mlflow.log_params({"depth": 3, "eta": 0.1})
                mlflow.log_metrics({"mae": 1.5, "rmse": 2.0}, step=1)
                mlflow.log_dict({"a": [1, 2]}, "notes/a.json")
                with mlflow.start_run(experiment_id=experiment, nested=True) as child:
                    mlflow.log_metric("mae", 1.0)
            found = mlflow.get_run(run.info.run_id)
            assert found.info.status == "FINISHED" and found.data.params == {"depth": "3", "eta": "0.1"}
            assert mlflow.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == run.info.run_id
            assert mlflow.artifacts.load_dict(f"{found.info.artifact_uri}/notes/a.json") == {"a": [1, 2]}
        finally:
            mlflow.set_tracking_uri(before)


class TestSearch:
    @pytest.fixture(scope="class")
    @staticmethod
    def runs(client):
        experiment = client.create_experiment("search runs")
        for number in range(12):
            run = client.create_run(experiment, run_name=f"run-{number:02}", tags={"kind": "even" if number % 2 == 0 else "odd"})
            client.log_metric(run.info.run_id, "mae", number / 10)
            client.log_param(run.info.run_id, "depth", number)
            client.set_terminated(run.info.run_id, "FAILED" if number == 5 else "FINISHED")
        return experiment

    @pytest.mark.parametrize("filter_string, expected", [
        ("metrics.mae < 0.3", [0, 1, 2]),
        ("metrics.mae >= 0.25 and tags.kind = 'even' and metrics.mae <= 0.8", [4, 6, 8]),
        ("params.depth = '7'", [7]),
        ("params.depth != '7' and metrics.mae > 0.55", [6, 8, 9, 10, 11]),
        ("attributes.status = 'FAILED'", [5]),
        ("attributes.run_name LIKE 'run-1%'", [10, 11]),
        ("run_name ILIKE 'RUN-0_' and tags.kind != 'even'", [1, 3, 5, 7, 9]),
        ("tags.`kind` = \"odd\" and metrics.mae > 1", [11]),
        ("metrics.nothing > 0", []),
    ])
    def test_runs_are_filtered(self, client, runs, filter_string, expected):
        found = client.search_runs([runs], filter_string=filter_string, order_by=["metrics.mae ASC"])
        assert [int(run.info.run_name[-2:]) for run in found] == expected

    def test_runs_are_ordered_by_what_is_asked(self, client, runs):
        found = client.search_runs([runs], order_by=["tags.kind DESC", "metrics.mae DESC"])
        assert [int(run.info.run_name[-2:]) for run in found] == [11, 9, 7, 5, 3, 1, 10, 8, 6, 4, 2, 0]

    def test_without_an_order_the_newest_come_first(self, client, runs):
        times = [run.info.start_time for run in client.search_runs([runs])]
        assert times == sorted(times, reverse=True) and len(times) == 12

    def test_pages_hold_every_run_once(self, client, runs):
        seen, token = [], None
        while True:
            page = client.search_runs([runs], max_results=5, order_by=["metrics.mae ASC"], page_token=token)
            seen += [run.data.metrics["mae"] for run in page]
            token = page.token
            if not token:
                break
        assert seen == [number / 10 for number in range(12)]

    @pytest.mark.parametrize("filter_string", ["metrics.mae <", "nonsense.x = 1", "metrics.mae LIKE 'a'", "metrics.mae = 'x'"])
    def test_a_filter_that_cannot_be_read_is_refused(self, client, runs, filter_string):
        with pytest.raises(MlflowException) as refused:
            client.search_runs([runs], filter_string=filter_string)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


class TestArtifacts:
    def test_a_file_comes_back_byte_for_byte(self, client, experiment, tmp_path):
        run = client.create_run(experiment).info.run_id
        content = os.urandom(3_000_000)
        (tmp_path / "model.bin").write_bytes(content)
        client.log_artifact(run, str(tmp_path / "model.bin"), "deep/er")
        (tmp_path / "out").mkdir()
        found = client.download_artifacts(run, "deep/er/model.bin", str(tmp_path / "out"))
        assert open(found, "rb").read() == content
        (entry,) = client.list_artifacts(run, "deep/er")
        assert (entry.path, entry.is_dir, entry.file_size) == ("deep/er/model.bin", False, len(content))

    def test_a_folder_comes_back_whole(self, client, experiment, tmp_path):
        run = client.create_run(experiment).info.run_id
        for name in ("a.txt", "b c.txt", "ü/d.txt", "e/f/g.txt"):
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        (tmp_path / "in/empty.txt").write_text("")
        client.log_artifacts(run, str(tmp_path / "in"), "all")
        (tmp_path / "out").mkdir()
        client.download_artifacts(run, "all", str(tmp_path / "out"))
        for name in ("a.txt", "b c.txt", "ü/d.txt", "e/f/g.txt"):
            assert (tmp_path / "out/all" / name).read_text() == name
        assert (tmp_path / "out/all/empty.txt").read_text() == ""
        assert sorted(entry.path for entry in client.list_artifacts(run, "all")) == [
            "all/a.txt", "all/b c.txt", "all/e", "all/empty.txt", "all/ü"]

    def test_an_artifact_that_does_not_exist_is_told_so(self, client, track, experiment, tmp_path):
        run = client.create_run(experiment).info
        assert client.list_artifacts(run.run_id) == []
        with pytest.raises(MlflowException, match="nothing.txt"):
            client.download_artifacts(run.run_id, "nothing.txt", str(tmp_path))
        path = run.artifact_uri.split(":/", 1)[1].lstrip("/")
        answer = requests.get(f"{track}/api/2.0/mlflow-artifacts/artifacts/{path}/nothing.txt", timeout=10)
        assert answer.status_code == 404 and answer.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"

    @pytest.mark.parametrize("path", ["../../../outside.txt", "..%2f..%2foutside.txt", "%2e%2e/%2e%2e/outside.txt", "/etc/outside.txt"])
    def test_no_path_leads_out_of_the_artifacts(self, module_mlops, track, path):
        request = requests.Request("PUT", track, data=b"x").prepare()
        # As it is: a client that is up to something does not normalise.
        request.url = f"{track}/api/2.0/mlflow-artifacts/artifacts/{path}"
        with requests.Session() as session:
            answer = session.send(request, timeout=10)
        assert 400 <= answer.status_code < 500
        written = list(module_mlops.directory.parent.rglob("*outside.txt"))
        assert all(found.is_relative_to(module_mlops.data / "artifacts") for found in written), written
        assert not os.path.exists("/etc/outside.txt")


class TestRegistry:
    def test_a_version_is_registered_from_a_run_and_served_under_an_alias(self, client, experiment, tmp_path):
        run = client.create_run(experiment)
        (tmp_path / "weights.txt").write_text("42")
        client.log_artifact(run.info.run_id, str(tmp_path / "weights.txt"), "model")
        client.create_registered_model("house", tags={"team": "a"}, description="prices of houses")
        source = f"{run.info.artifact_uri}/model"
        first = client.create_model_version("house", source, run.info.run_id, tags={"kind": "ridge"}, description="first")
        second = client.create_model_version("house", source, run.info.run_id)
        assert (first.version, second.version) == ("1", "2") or (first.version, second.version) == (1, 2)
        assert first.status == "READY" and first.tags == {"kind": "ridge"} and first.run_id == run.info.run_id

        client.set_registered_model_alias("house", "champion", "1")
        assert str(client.get_model_version_by_alias("house", "champion").version) == "1"
        client.set_registered_model_alias("house", "champion", "2")
        assert str(client.get_model_version_by_alias("house", "champion").version) == "2"
        assert {alias: str(version) for alias, version in client.get_registered_model("house").aliases.items()} == {"champion": "2"}
        assert client.get_model_version("house", "2").aliases == ["champion"]
        assert client.get_model_version("house", "1").aliases == []
        (tmp_path / "out").mkdir()
        path = mlflow.artifacts.download_artifacts(
            artifact_uri=client.get_model_version_download_uri("house", "2"), dst_path=str(tmp_path / "out"),
            tracking_uri=client.tracking_uri)
        assert open(os.path.join(path, "weights.txt")).read() == "42"

        client.delete_registered_model_alias("house", "champion")
        with pytest.raises(MlflowException) as refused:
            client.get_model_version_by_alias("house", "champion")
        assert refused.value.error_code in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")

    def test_an_alias_of_a_version_that_does_not_exist_is_refused(self, client):
        client.create_registered_model("lonely")
        with pytest.raises(MlflowException) as refused:
            client.set_registered_model_alias("lonely", "champion", "7")
        assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"
        with pytest.raises(MlflowException):
            client.create_registered_model("lonely")

    def test_versions_are_searched_and_tagged(self, client):
        client.create_registered_model("tagged")
        for _ in range(3):
            client.create_model_version("tagged", "s3://bucket/model")
        client.set_model_version_tag("tagged", "2", "verdict", "promoted")
        client.update_model_version("tagged", "3", description="the third")
        found = client.search_model_versions("name='tagged'")
        assert sorted(int(one.version) for one in found) == [1, 2, 3]
        assert client.get_model_version("tagged", "2").tags == {"verdict": "promoted"}
        assert client.get_model_version("tagged", "3").description == "the third"
        client.delete_model_version("tagged", "1")
        with pytest.raises(MlflowException):
            client.get_model_version("tagged", "1")
        again = client.create_model_version("tagged", "s3://bucket/model")
        assert int(again.version) == 4, "the number of a version is never used twice"

    def test_models_are_searched_renamed_and_deleted(self, client):
        for name in ("zoo-ant", "zoo-bee"):
            client.create_registered_model(name)
        assert [one.name for one in client.search_registered_models("name LIKE 'zoo-%'", order_by=["name DESC"])] == ["zoo-bee", "zoo-ant"]
        client.rename_registered_model("zoo-ant", "zoo-cat")
        client.delete_registered_model("zoo-bee")
        assert [one.name for one in client.search_registered_models("name LIKE 'zoo-%'")] == ["zoo-cat"]

    def test_a_change_of_the_registry_is_published(self, client, module_mlops):
        client.create_registered_model("told")
        client.create_model_version("told", "s3://bucket/model")
        client.set_registered_model_alias("told", "champion", "1")
        def events():
            rows = [row for row in module_mlops.rows("registry-events") if row["model"] == "told"]
            return rows if len(rows) == 3 else None
        told = wait_for(events, "three registry events", seconds=10)
        assert [row["event"] for row in told] == [
            "registered_model.created", "model_version.created", "model_version_alias.created"]
        assert told[2]["alias"] == "champion" and told[2]["version"] == "1" and told[2]["at_ms"] > 0


class TestServer:
    def test_a_request_that_is_not_json_is_refused(self, track):
        answer = requests.post(f"{track}/api/2.0/mlflow/runs/create", data="{", timeout=10)
        assert answer.status_code == 400 and answer.json()["error_code"] in ("BAD_REQUEST", "INVALID_PARAMETER_VALUE")

    def test_an_unknown_path_is_not_found(self, track):
        assert get(f"{track}/api/2.0/mlflow/nothing").status_code == 404

    def test_the_pages_list_what_was_logged(self, client, track, experiment):
        run = client.create_run(experiment, run_name="<b>visible</b>").info
        client.log_metric(run.run_id, "mae", 0.25)
        page = get(f"{track}/").text
        assert "test_the_pages_list_what_was_logged" in page
        assert "<b>visible</b>" not in page, "names are escaped"

    def test_what_was_logged_survives_a_kill(self, mlops):
        process = mlops.start("track", "--port", 0, "--admin-port", 0, "--project", CRYPTO)
        url = mlops.endpoint()
        client = mlflow.MlflowClient(tracking_uri=url, registry_uri=url)
        run = client.create_run("0", run_name="kept").info.run_id
        client.log_metric(run, "mae", 0.5)
        client.log_text(run, "text", "note.txt")
        mlops.kill(process)
        (mlops.data / "endpoints.json").unlink(missing_ok=True)
        process = mlops.start("track", "--port", 0, "--admin-port", 0, "--project", CRYPTO)
        url = mlops.endpoint()
        client = mlflow.MlflowClient(tracking_uri=url, registry_uri=url)
        found = client.get_run(run)
        assert found.info.run_name == "kept" and found.data.metrics == {"mae": 0.5}
        assert [entry.path for entry in client.list_artifacts(run)] == ["note.txt"]
        assert mlops.terminate(process) == 0
        assert not (mlops.data / "endpoints.json").exists()


def test_a_training_run_is_readable_with_the_client(mlops, tmp_path):
    done = mlops.run(
        "all", "--once", "--source", "synthetic", "--duration", "10h", "--start", "2024-03-01T00:00:00Z", "--rate", "0.5",
        "--project", CRYPTO)
    mlops.start("track", "--port", 0, "--admin-port", 0, "--project", CRYPTO)
    url = mlops.endpoint()
    client = mlflow.MlflowClient(tracking_uri=url, registry_uri=url)
    (experiment,) = [one for one in client.search_experiments() if one.name != "Default"]
    (run,) = client.search_runs([experiment.experiment_id], filter_string="attributes.status = 'FINISHED'")
    assert f"run: {run.info.run_id}" in done.stdout
    assert run.data.params and any("mae" in name for name in run.data.metrics)
    assert {"model", "gate.json"} <= {entry.path for entry in client.list_artifacts(run.info.run_id)}
    with open(client.download_artifacts(run.info.run_id, "gate.json", str(tmp_path))) as file:
        assert json.load(file)["sentence"] in done.stdout
    version = client.get_model_version_by_alias(MODEL, "baseline")
    assert version.run_id == run.info.run_id
