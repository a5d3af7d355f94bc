"""Serving a tracked model: the numbers are those of Python's xgboost, and nothing that is answered gets lost."""

import gzip
import json
import math
import re
import threading

import numpy
import pytest
import requests
import xgboost

from conftest import MODEL, Mlops, free_port, get, project_copy, values_hash, wait_for

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
        path = re.sub(r"^mlflow-artifacts:/+", "", found.json()["artifact_uri"])
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


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return project_copy(tmp_path_factory.mktemp("project"), *XGBOOST_ONLY)


@pytest.fixture(scope="module")
def trained(module_mlops, project):
    done = module_mlops.run("all", "--once", *INPUT, "--project", project)
    assert f"{MODEL}/1 promoted: " in done.stdout and f"serving {MODEL}/1 as champion" in done.stdout
    return module_mlops


@pytest.fixture(scope="module")
def server(trained, project):
    return Server(trained, project)


@pytest.fixture
def own_server(binary, project, tmp_path):
    """A server that a test may end, on a directory of its own."""
    mlops = Mlops(tmp_path)
    mlops.run("all", "--once", *INPUT, "--project", project)
    try:
        yield Server(mlops, project)
    finally:
        mlops.stop_all()


@pytest.fixture(scope="module")
def booster(server, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.ubj"
    path.write_bytes(server.artifact("model.ubj"))
    return xgboost.Booster(model_file=str(path))


@pytest.fixture(scope="module")
def inputs(server):
    """Names of the model's inputs, and what stands in for a missing one."""
    pipeline = json.loads(server.artifact("pipeline.json"))
    names = [entry["name"] for entry in pipeline["inputs"]]
    medians = {step["column"]: step["fill"] for step in pipeline["steps"]}
    assert list(medians) == names and pipeline["estimator"] == {"kind": "boosted"}
    return names, medians


def python_says(booster, inputs, rows):
    names, medians = inputs
    filled = [[medians[name] if row[name] is None else row[name] for name in names] for row in rows]
    return booster.predict(xgboost.DMatrix(numpy.array(filled, dtype=numpy.float64), feature_names=names)).tolist()


def assert_close(found, expected):
    assert len(found) == len(expected)
    for got, wanted in zip(found, expected):
        assert math.isclose(got, wanted, rel_tol=1e-6), (got, wanted)


def sample(server, names, count=200):
    """Rows of every pair over the whole history, the first minutes with their nulls included."""
    rows = server.mlops.rows("technical_indicators")
    chosen = [rows[at] for at in numpy.linspace(0, len(rows) - 1, count - 20).astype(int)] + rows[:20]
    assert {row["pair"] for row in chosen} == set(PAIRS) and any(row["macd_signal"] is None for row in chosen)
    return [{name: row[name] for name in names} for row in chosen]


class TestNumbers:
    def test_predictions_from_features_by_name_equal_python_s_xgboost(self, server, booster, inputs):
        rows = sample(server, inputs[0])
        assert len(rows) == 200
        answer = server.predict(*rows)
        assert len(set(answer["predictions"])) > 50, "a model that has learnt something"
        assert_close(answer["predictions"], python_says(booster, inputs, rows))

    def test_every_way_to_write_a_request_gives_the_same_numbers(self, server, inputs):
        names = inputs[0]
        rows = sample(server, names, 60)
        expected = server.predict(*rows)["predictions"]
        lists = server.post({"instances": [[row[name] for name in names] for row in rows]})
        assert lists.json()["predictions"] == expected
        columns = server.post({"inputs": {name: [row[name] for row in rows] for name in names}})
        assert columns.json()["outputs"] == expected
        tall = server.post({"inputs": {name: [[row[name]] for row in rows] for name in names}})
        assert tall.json()["outputs"] == expected
        reordered = server.predict(*[dict(reversed(row.items())) for row in rows])
        assert reordered["predictions"] == expected
        one_by_one = [server.predict(row)["predictions"][0] for row in rows[:10]]
        assert one_by_one == expected[:10]

    def test_missing_values_may_be_null_or_nan(self, server, booster, inputs):
        row = sample(server, inputs[0])[0] | {"rsi_14": None}
        as_null = server.predict(row)["predictions"]
        text = json.dumps({"instances": [row | {"rsi_14": math.nan}]})
        assert "NaN" in text and server.post(text).json()["predictions"] == as_null
        assert_close(as_null, python_says(booster, inputs, [row]))

    def test_predictions_of_entities_equal_python_on_their_latest_rows(self, server, booster, inputs):
        latest = {row["pair"]: row for row in server.mlops.rows("technical_indicators.latest")}
        answer = server.predict(*[{"pair": pair} for pair in PAIRS])
        assert_close(answer["predictions"], python_says(booster, inputs, [latest[pair] for pair in PAIRS]))
        assert answer["entities"] == PAIRS
        assert answer["model_version"] == "1" and answer["alias"] == "champion"
        records = server.recorded(answer["ids"])
        for pair, identifier, age in zip(PAIRS, answer["ids"], answer["feature_ages_ms"]):
            record = records[identifier]
            assert record["feature_time_ms"] == latest[pair]["window_end_ms"]
            assert record["requested_at_ms"] - record["feature_time_ms"] == age

    def test_predictions_of_the_stream_equal_python_on_the_same_rows(self, server, booster, inputs):
        streamed = [row for row in server.mlops.rows("predictions") if row["requested_at_ms"] < 1_710_000_000_000]
        assert len(streamed) > 500
        assert_close([row["output"] for row in streamed], python_says(booster, inputs, [row["features"] for row in streamed]))

    def test_the_course_s_prediction_path_answers_for_one_entity(self, server):
        answer = requests.get(f"{server.url}/prediction", params={"pair": "ETH/USD"}, timeout=10)
        assert answer.status_code == 200
        assert answer.json() == {"pair": "ETH/USD", "predicted_price": server.predict({"pair": "ETH/USD"})["predictions"][0]}


class TestRecords:
    def test_every_prediction_is_in_the_topic_with_id_version_inputs_and_their_hash(self, server, inputs):
        rows = sample(server, inputs[0], 40)
        by_features = server.predict(*rows)
        by_entity = server.predict(*[{"pair": pair} for pair in PAIRS])
        records = server.recorded(by_features["ids"] + by_entity["ids"])
        assert len(set(by_features["ids"] + by_entity["ids"])) == 43
        for answer in (by_features, by_entity):
            for identifier, output in zip(answer["ids"], answer["predictions"]):
                record = records[identifier]
                assert record["output"] == output
                assert record["model"] == MODEL and record["version"] == answer["model_version"] == "1"
                assert list(record["features"]) == inputs[0]
                assert record["values_hash"] == values_hash(record["features"])
                assert record["predicted_for_ms"] - record["feature_time_ms"] == 600_000
        assert [records[identifier]["features"] for identifier in by_features["ids"]] == rows

    def test_a_record_of_an_entity_has_its_key_and_one_of_given_features_has_none(self, server, inputs):
        given = server.predict(sample(server, inputs[0], 30)[0])["ids"][0]
        named = server.predict({"pair": "XRP/ETH"})["ids"][0]
        server.recorded([given, named])
        keys = {json.loads(record[4])["id"]: record[3] for record in server.mlops.records("predictions")}
        assert keys[named] == b"XRP/ETH" and keys[given] is None

    def test_a_refused_request_leaves_no_record(self, server):
        before = {row["id"] for row in server.mlops.rows("predictions")}
        assert server.post({"instances": [{"pair": "BTC/USD"}, {"pair": "DOGE/USD"}]}).status_code == 404
        after = server.predict({"pair": "BTC/USD"})["ids"]
        server.recorded(after)
        assert {row["id"] for row in server.mlops.rows("predictions")} - before == set(after)


class TestContract:
    """Statuses and words of TensorFlow Serving's REST protocol."""

    PREDICT = f"/v1/models/{MODEL}:predict"

    def refused(self, server, body, status=400, path=PREDICT):
        answer = server.post(body, path)
        assert answer.status_code == status, answer.text
        assert list(answer.json()) == ["error"] and answer.headers["content-type"].startswith("application/json")
        return answer.json()["error"]

    def test_an_unknown_model_is_not_found(self, server):
        said = self.refused(server, {"instances": [1]}, 404, "/v1/models/nobody:predict")
        assert said == "Servable not found for request: Latest(nobody)"
        assert get(f"{server.url}/v1/models/nobody").status_code == 404

    def test_an_unknown_version_is_not_found_and_an_unknown_label_is_malformed(self, server):
        assert self.refused(server, {"instances": [1]}, 404, f"/v1/models/{MODEL}/versions/99:predict") == (
            f"Servable not found for request: Specific({MODEL}, 99)")
        assert self.refused(server, {"instances": [1]}, 400, f"/v1/models/{MODEL}/labels/nightly:predict") == (
            "Unrecognized servable version label: nightly")
        self.refused(server, {"instances": [1]}, 400, f"/v1/models/{MODEL}/versions/99999999999999999999:predict")

    def test_version_and_label_select_what_is_served(self, server):
        body = {"instances": [{"pair": "BTC/USD"}]}
        expected = server.predict(*body["instances"])["predictions"]
        assert server.post(body, f"/v1/models/{MODEL}/versions/1:predict").json()["predictions"] == expected
        assert server.post(body, f"/v1/models/{MODEL}/labels/champion:predict").json()["predictions"] == expected

    def test_an_unknown_entity_is_not_found_and_named(self, server):
        assert "DOGE/USD" in self.refused(server, {"instances": [{"pair": "DOGE/USD"}]}, 404)

    @pytest.mark.parametrize("body, words", [
        (b"", "JSON Parse error: The document is empty"),
        (b"  \n", "JSON Parse error: The document is empty"),
        (b'{"instances": [', "JSON Parse error"),
        (b'{"instances": [{"pair": "BTC/USD"}]} trailing', "JSON Parse error"),
        (b"\xff\xfe\x00", "JSON Parse error"),
        (b"[1, 2]", "Is not object"),
        (b"{}", "Missing 'inputs' or 'instances' key"),
        (b'{"instances": [], "inputs": {}}', "only one of 'inputs' or 'instances'"),
        (b'{"instances": []}', "No values in 'instances' array"),
        (b'{"instances": {"pair": "BTC/USD"}}', "list/array"),
        (b'{"instances": [[1, 2]]}', "expected size: 14"),
        (b'{"instances": [{"pair": "BTC/USD"}, [1]]}', "Expecting object but got list at item 1"),
        (b'{"instances": [[1], {"pair": "BTC/USD"}]}', ""),
        (b'{"instances": [{"pair": 7}]}', "not of expected type: string"),
        (b'{"instances": [{"curent_price": 1.0}]}', "current_price"),
        (b'{"instances": [{"current_price": 1.0}]}', "must only have keys"),
        (b'{"instances": [{"pair": null}]}', "pair"),
        (b'{"instances": [{"pair": ""}]}', "pair"),
        (b'{"inputs": {"current_price": [1.0]}}', "Missing named input: sma_7"),
        (b'{"instances": [{"pair": "BTC/USD"}], "signature_name": 7}', "must be a string"),
        (b'{"instances": [{"pair": "BTC/USD"}], "signature_name": "x"}', 'Serving signature name: "x" not found'),
    ], ids=lambda value: None if isinstance(value, str) else value.decode(errors="replace")[:40] or "nothing")
    def test_a_malformed_body_is_refused_with_the_reason(self, server, body, words):
        assert words in self.refused(server, body)

    def test_a_wrong_type_names_row_and_column(self, server, inputs):
        rows = [dict.fromkeys(inputs[0], 1.0) for _ in range(3)]
        rows[2]["rsi_14"] = "high"
        said = self.refused(server, {"instances": rows})
        assert "element: 2" in said and "rsi_14" in said and "not of expected type: float" in said

    def test_a_deeply_nested_body_is_refused_and_the_server_lives(self, server):
        self.refused(server, b'{"instances": ' + b"[" * 200_000 + b"]" * 200_000 + b"}")
        server.predict({"pair": "BTC/USD"})

    def test_a_body_that_is_too_large_is_refused(self, server):
        answer = server.post(b'{"instances": [' + b" " * (3 << 20) + b"]}")
        assert answer.status_code == 413 and list(answer.json()) == ["error"]

    @pytest.mark.parametrize("method, path", [
        ("GET", PREDICT), ("PUT", PREDICT), ("DELETE", PREDICT), ("POST", f"/v1/models/{MODEL}"), ("POST", f"/v1/models/{MODEL}:forecast"),
        ("GET", "/v1/nothing"), ("POST", "/v1/models/:predict"), ("GET", f"/v1/models/{MODEL}/versions/one")])
    def test_anything_else_under_v1_is_malformed(self, server, method, path):
        answer = requests.request(method, server.url + path, data="{}", timeout=10)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith(f"Malformed request: {method} {path}")

    def test_the_content_type_of_a_request_does_not_matter(self, server):
        body = json.dumps({"instances": [{"pair": "BTC/USD"}]})
        for kind in ("application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8"):
            assert server.post(body, headers={"Content-Type": kind}).status_code == 200

    def test_fixed_words_of_a_path_match_in_any_case(self, server):
        assert server.post({"instances": [{"pair": "BTC/USD"}]}, f"/V1/Models/{MODEL}:PREDICT").status_code == 200

    def test_a_compressed_request_is_read(self, server):
        body = gzip.compress(json.dumps({"instances": [{"pair": "BTC/USD"}]}).encode())
        answer = server.post(body, headers={"Content-Encoding": "gzip"})
        assert answer.status_code == 200, answer.text

    def test_the_status_of_a_model_satisfies_both_protocols(self, server):
        answer = get(f"{server.url}/v1/models/{MODEL}").json()
        assert answer["model_version_status"] == [
            {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}]
        assert answer["name"] == MODEL and answer["ready"] is True
        assert get(f"{server.url}/v1/models").json() == {"models": [MODEL]}

    def test_metadata_names_every_input_and_the_output(self, server, inputs):
        answer = get(f"{server.url}/v1/models/{MODEL}/metadata").json()
        assert answer["model_spec"] == {"name": MODEL, "signature_name": "", "version": "1"}
        signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
        assert list(signature["inputs"]) == inputs[0] and len(signature["outputs"]) == 1
        assert signature["method_name"] == "tensorflow/serving/predict"

    def test_metrics_count_the_answers(self, server):
        def answered():
            text = get(f"{server.url}/metrics").text
            return {match[1]: float(match[2]) for match in re.finditer(r"^(mlops_\S*\{[^}]*\}) (\S+)$", text, re.M)
                    if 'path="http"' in match[1]}
        before = answered()
        server.predict({"pair": "BTC/USD"}, {"pair": "ETH/USD"})
        assert sum(answered().values()) == sum(before.values()) + 2


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

    def test_a_killed_server_starts_again_on_the_same_directory(self, own_server, project):
        first = own_server.predict({"pair": "BTC/USD"})
        own_server.mlops.kill(own_server.serve)
        own_server.serve = own_server.mlops.start(
            "serve", "--port", own_server.url.rsplit(":", 1)[1], "--admin-port", 0, "--project", project)
        own_server.wait_until_ready()
        assert own_server.predict({"pair": "BTC/USD"})["predictions"] == first["predictions"]


def test_a_model_of_other_definitions_is_not_fed_with_rows_that_mean_something_else(own_server, project, tmp_path):
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
