"""What `serve` answers: the numbers are those of Python's xgboost, and every one of them is recorded."""

import json
import math

import numpy
import pytest
import requests
import xgboost

from conftest import MODEL, values_hash
from serving import PAIRS, sample


@pytest.fixture(scope="module")
def booster(server, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.ubj"
    path.write_bytes(server.artifact("model.ubj"))
    return xgboost.Booster(model_file=str(path))


def python_says(booster, inputs, rows):
    names, medians = inputs
    filled = [[medians[name] if row[name] is None else row[name] for name in names] for row in rows]
    return booster.predict(xgboost.DMatrix(numpy.array(filled, dtype=numpy.float64), feature_names=names)).tolist()


def assert_close(found, expected):
    assert len(found) == len(expected)
    for got, wanted in zip(found, expected):
        assert math.isclose(got, wanted, rel_tol=1e-6), (got, wanted)


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
