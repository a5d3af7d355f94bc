"""Statuses and words of `serve`: malformed, unknown, too large, and what every client may rely on."""

import gzip
import json
import re

import pytest
import requests

from conftest import MODEL, get


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
