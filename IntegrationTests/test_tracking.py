"""The unmodified `mlflow` client against `track`: experiments, runs, searches."""

import threading
import time

import mlflow
import pytest
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException


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
