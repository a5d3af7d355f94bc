"""The unmodified `mlflow` client against `track`: artefacts, registered models, and what a training run leaves."""

import json
import os

import mlflow
import pytest
import requests
from mlflow.exceptions import MlflowException

from conftest import CRYPTO, MODEL, get, wait_for


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
