"""`serve` while something changes: another version, a shutdown, a kill, other definitions. Nothing that is answered gets lost."""

import json
import threading

import requests

from conftest import MODEL, free_port, project_copy, wait_for
from serving import PAIRS, XGBOOST_ONLY


class TestHotSwap:
    def test_no_request_fails_while_the_alias_moves_and_the_answers_name_the_new_version(self, server):
        answers, errors, stop = [], [], threading.Event()

        def keep_asking():
            with requests.Session() as session:
                while not stop.is_set():
                    try:
                        answer = session.post(
                            f"{server.url}/v1/models/{MODEL}:predict", json={"instances": [{"pair": "BTC/USD"}]}, timeout=10)
                        answer.raise_for_status()
                        answers.append(answer.json())
                    except requests.RequestException as error:
                        errors.append(error)
                        return

        threads = [threading.Thread(target=keep_asking) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for version in ("2", "1", "2", "1"):
                server.set_alias("champion", version)
                at = len(answers)
                wait_for(lambda: errors or any(answer["model_version"] == version for answer in answers[at:]),
                         f"an answer of version {version}", seconds=10)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert errors == []
        outputs = {}
        for answer in answers:
            outputs.setdefault(answer["model_version"], set()).add(answer["predictions"][0])
        assert outputs.keys() == {"1", "2"}
        assert all(len(values) == 1 for values in outputs.values()), "no answer mixes two versions"
        assert outputs["1"] != outputs["2"]
        server.recorded([identifier for answer in answers for identifier in answer["ids"]])

    def test_without_a_champion_the_baseline_is_served_and_named(self, server):
        answer = requests.delete(
            f"{server.track_url}/api/2.0/mlflow/registered-models/alias", json={"name": MODEL, "alias": "champion"}, timeout=10)
        assert answer.status_code == 200, answer.text
        try:
            wait_for(lambda: server.predict({"pair": "BTC/USD"})["alias"] == "baseline", "an answer of the baseline", seconds=10)
        finally:
            server.set_alias("champion", "1")
        wait_for(lambda: server.predict({"pair": "BTC/USD"})["alias"] == "champion", "an answer of the champion", seconds=10)

    def test_a_damaged_artefact_does_not_replace_what_is_served(self, server):
        (path,) = server.mlops.data.glob("artifacts/*/*/artifacts/baseline/pipeline.json")
        whole = path.read_bytes()
        path.write_bytes(whole.replace(b'"inputs"', b'"imputs"', 1))
        try:
            server.set_alias("champion", "2")
            server.mlops.wait_for_log(server.serve, "pipeline.json", seconds=10)
            assert server.predict({"pair": "BTC/USD"})["model_version"] == "1"
        finally:
            server.set_alias("champion", "1")
            path.write_bytes(whole)

    def test_predictions_go_on_while_the_tracking_server_is_away(self, own_server):
        assert own_server.mlops.terminate(own_server.track) == 0
        assert own_server.predict({"pair": "BTC/USD"})["model_version"] == "1"


class TestDrain:
    def test_after_sigterm_every_answered_prediction_is_in_the_topic_and_the_status_is_0(self, own_server):
        identifiers, stop = [], threading.Event()

        def keep_asking():
            while not stop.is_set():
                try:
                    answer = own_server.post({"instances": [{"pair": pair} for pair in PAIRS]})
                except requests.ConnectionError:
                    return
                assert answer.status_code in (200, 503), answer.text
                if answer.status_code == 200:
                    identifiers.extend(answer.json()["ids"])

        threads = [threading.Thread(target=keep_asking) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            wait_for(lambda: len(identifiers) > 100, "answers", process=own_server.serve)
            assert own_server.mlops.terminate(own_server.serve, seconds=8) == 0
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        rows = [row["id"] for row in own_server.mlops.rows("predictions")]
        assert len(rows) == len(set(rows))
        assert set(identifiers) <= set(rows)

    def test_a_killed_server_starts_again_on_the_same_directory(self, own_server, xgboost_project):
        first = own_server.predict({"pair": "BTC/USD"})
        own_server.mlops.kill(own_server.serve)
        own_server.serve = own_server.mlops.start(
            "serve", "--port", own_server.url.rsplit(":", 1)[1], "--admin-port", 0, "--project", xgboost_project)
        own_server.wait_until_ready()
        assert own_server.predict({"pair": "BTC/USD"})["predictions"] == first["predictions"]


def test_a_model_of_other_definitions_is_not_fed_with_rows_that_mean_something_else(own_server, tmp_path):
    """`sma_7` of the project is no longer the one that the model learnt from."""
    mlops = own_server.mlops
    assert mlops.terminate(own_server.serve) == 0
    other = project_copy(tmp_path / "other", *XGBOOST_ONLY, ("sma_7: sma(close, 7)", "sma_7: sma(close, 8)"))
    port = free_port()
    serve = mlops.start("serve", "--port", port, "--admin-port", 0, "--project", other)
    url = f"http://127.0.0.1:{port}/v1/models/{MODEL}:predict"

    def answer():
        try:
            found = requests.post(url, json={"instances": [{"pair": "BTC/USD"}]}, timeout=5)
        except requests.ConnectionError:
            return None
        return None if found.status_code == 503 else (found.status_code, found.text)
    status, text = wait_for(answer, "an answer", process=serve)
    assert status == 409 and "sma_7" in text and "sma_14" not in text
    names = [entry["name"] for entry in json.loads(own_server.artifact("pipeline.json"))["inputs"]]
    given = requests.post(url, json={"instances": [dict.fromkeys(names, 1.0)]}, timeout=5)
    assert given.status_code == 200, "features that the caller brings are the caller's"
