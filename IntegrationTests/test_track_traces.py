"""Traces by the unmodified `mlflow` client and by OpenTelemetry's own exporter: made, found, judged, linked, moved, removed."""

import concurrent.futures
import json
import os

import pytest
import requests

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
mlflow = pytest.importorskip("mlflow")

from mlflow.entities import AssessmentSource, Expectation, SpanEvent  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

from conftest import CRYPTO, get, wait_for  # noqa: E402

ME = AssessmentSource(source_type="HUMAN", source_id="me")


@pytest.fixture
def experiment(client, request):
    found = client.create_experiment(request.node.name)
    mlflow.set_experiment(experiment_id=found)
    return found


@mlflow.trace
def price(pair, depth=2):
    return {"pair": pair, "price": depth * 1.5}


@mlflow.trace(name="answer", span_type="CHAIN", attributes={"count": 1, "list": [1, 2.5, "x"], "map": {"none": None, "flag": True}})
def answer(question):
    with mlflow.start_span("look up", span_type="RETRIEVER") as span:
        span.set_inputs({"q": f"{question} häß"})
        span.add_event(SpanEvent(name="found", attributes={"rows": 3, "share": 0.5}))
        span.set_outputs([1, 2, 3])
    return price("BTC/USD")


def traced(function, *arguments):
    """Calls a traced function and returns the id of its trace, which has arrived."""
    function(*arguments)
    found = mlflow.get_last_active_trace_id()
    mlflow.flush_trace_async_logging()
    return found


def test_nested_functions_come_back_as_a_tree(experiment):
    trace = mlflow.get_trace(traced(answer, "how much"))
    assert trace.info.state.value == "OK" and trace.info.experiment_id == experiment
    assert trace.info.request_preview == '{"question": "how much"}' and json.loads(trace.info.response_preview)["price"] == 3.0
    root, lookup, inner = trace.data.spans
    assert (root.name, lookup.name, inner.name) == ("answer", "look up", "price")
    assert lookup.parent_id == inner.parent_id == root.span_id and root.parent_id is None
    assert root.span_type == "CHAIN" and lookup.span_type == "RETRIEVER"
    assert root.attributes["map"] == {"none": None, "flag": True} and root.attributes["list"] == [1, 2.5, "x"]
    assert lookup.inputs == {"q": "how much häß"} and lookup.outputs == [1, 2, 3]
    assert lookup.events[0].attributes == {"rows": 3, "share": 0.5}
    assert inner.inputs == {"pair": "BTC/USD", "depth": 2} and root.start_time_ns <= inner.start_time_ns <= inner.end_time_ns


def test_an_exception_is_kept_in_its_span(experiment):
    @mlflow.trace
    def fails():
        with mlflow.start_span("inside"):
            raise ValueError("no such pair")

    with pytest.raises(ValueError):
        fails()
    mlflow.flush_trace_async_logging()
    trace = mlflow.get_trace(mlflow.get_last_active_trace_id())
    assert trace.info.state.value == "ERROR"
    inside = next(span for span in trace.data.spans if span.name == "inside")
    assert inside.status.status_code.value == "ERROR"
    assert inside.events[0].name == "exception" and inside.events[0].attributes["exception.message"] == "no such pair"
    assert [found.info.trace_id for found in mlflow.search_traces(filter_string="span.status = 'ERROR' AND span.name = 'inside'",
                                                                  return_type="list")] == [trace.info.trace_id]


def test_traces_are_found_ordered_and_paged(client, experiment):
    ids = [traced(price, f"pair {index}") for index in range(7)]
    frame = mlflow.search_traces()
    assert list(frame["trace_id"]) == ids[::-1] and frame["request"][0] == {"pair": "pair 6", "depth": 2}
    assert {"state", "spans", "tags", "trace_metadata", "assessments"} <= set(frame.columns)
    for index, trace_id in enumerate(ids):
        client.set_trace_tag(trace_id, "parity", str(index % 2))
    odd = mlflow.search_traces(filter_string="tags.parity = '1' AND name LIKE 'pri%'", order_by=["timestamp_ms ASC"], return_type="list")
    assert [trace.info.trace_id for trace in odd] == ids[1::2]
    found, token = [], None
    while True:
        page = client.search_traces(locations=[experiment], max_results=3, page_token=token, include_spans=False)
        found += [trace.info.trace_id for trace in page]
        token = page.token
        if not token:
            break
    assert found == ids[::-1]
    text = mlflow.search_traces(filter_string="trace.text LIKE '%pair 5%'", return_type="list")
    assert [trace.info.trace_id for trace in text] == [ids[5]]
    with pytest.raises(MlflowException, match="RLIKE|regular"):
        mlflow.search_traces(filter_string="name RLIKE '['")


def test_tags_are_set_and_removed_and_traces_deleted(track, client, experiment):
    ids = [traced(price, f"p{index}") for index in range(4)]
    client.set_trace_tag(ids[0], "team", "prices")
    assert client.get_trace(ids[0]).info.tags["team"] == "prices"
    client.delete_trace_tag(ids[0], "team")
    assert "team" not in client.get_trace(ids[0]).info.tags
    own = {"key": "mlflow.trace.spansLocation", "value": "here"}
    refused = requests.patch(f"{track}/api/3.0/mlflow/traces/{ids[0]}/tags", json=own, timeout=10)
    assert refused.status_code == 400 and "immutable" in refused.json()["message"]
    assert client.delete_traces(experiment_id=experiment, trace_ids=[ids[0]]) == 1
    assert client.delete_traces(experiment_id=experiment, max_timestamp_millis=9_999_999_999_999, max_traces=2) == 2
    assert [trace.info.trace_id for trace in mlflow.search_traces(return_type="list")] == [ids[3]]
    with pytest.raises(MlflowException, match="not found"):
        client.get_trace(ids[0])


def test_people_and_judges_say_what_they_think(experiment):
    trace_id = traced(price, "p")
    good = mlflow.log_feedback(trace_id=trace_id, name="good", value=True, rationale="because", source=ME, metadata={"m": "1"})
    mlflow.log_feedback(trace_id=trace_id, name="score", value=0.75)
    mlflow.log_feedback(trace_id=trace_id, name="broken", error=ValueError("boo"))
    wanted = mlflow.log_expectation(trace_id=trace_id, name="wanted", value={"a": [1, {"b": None}]}, source=ME)
    assert mlflow.get_assessment(trace_id, wanted.assessment_id).value == {"a": [1, {"b": None}]}
    other = mlflow.override_feedback(trace_id=trace_id, assessment_id=good.assessment_id, value=False, rationale="no")
    assert mlflow.get_assessment(trace_id, good.assessment_id).valid is False
    changed = mlflow.update_assessment(trace_id, wanted.assessment_id, Expectation(name="wanted", value=43))
    assert changed.value == 43 and changed.last_update_time_ms > changed.create_time_ms
    said = {assessment.name: assessment for assessment in mlflow.get_trace(trace_id).info.assessments}
    assert said["broken"].feedback.error.error_message == "boo" and said["score"].feedback.value == 0.75

    def found(text):
        return [trace.info.trace_id for trace in mlflow.search_traces(filter_string=text, return_type="list")]

    assert found("feedback.good = 'false'") == found("feedback.score > 0.5") == found("expectation.wanted IS NOT NULL") == [trace_id]
    assert found("feedback.good = 'true'") == found("feedback.score > 0.8") == []
    mlflow.delete_assessment(trace_id, other.assessment_id)
    assert found("feedback.good = 'true'") == [trace_id]


def test_traces_belong_to_runs_and_models(client, experiment):
    with mlflow.start_run() as run:
        made = traced(price, "in a run")
    linked = traced(price, "outside")
    client.link_traces_to_run([linked], run.info.run_id)
    assert {trace.info.trace_id for trace in mlflow.search_traces(run_id=run.info.run_id, return_type="list")} == {made, linked}
    model = mlflow.create_external_model(name="judge")
    mlflow.set_active_model(model_id=model.model_id)
    try:
        of_model = traced(price, "of a model")
    finally:
        mlflow.clear_active_model()
    assert client.get_trace(of_model).info.trace_metadata["mlflow.modelId"] == model.model_id
    found = mlflow.search_traces(filter_string=f"metadata.`mlflow.modelId` = '{model.model_id}'", return_type="list")
    assert [trace.info.trace_id for trace in found] == [of_model]


def test_many_threads_mix_nothing_up(experiment):
    def one(number):
        with mlflow.start_span(f"outer {number}") as outer:
            with mlflow.start_span("inner") as inner:
                inner.set_inputs({"number": number})
            return outer.trace_id

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(one, range(80)))
    mlflow.flush_trace_async_logging()
    found = mlflow.search_traces(max_results=100, return_type="list")
    assert {trace.info.trace_id for trace in found} == set(ids)
    for trace in found:
        outer, inner = trace.data.spans
        assert inner.parent_id == outer.span_id and outer.name == f"outer {inner.inputs['number']}"


def test_opentelemetry_sends_its_spans_itself(track, client, experiment):
    exporter = pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.trace import StatusCode

    with mlflow.start_run() as run:
        pass
    provider = TracerProvider(resource=Resource.create({"service.name": "checkout", "zone": "b"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter.OTLPSpanExporter(
        endpoint=f"{track}/v1/traces", compression=Compression.Gzip,
        headers={"x-mlflow-experiment-id": experiment, "x-mlflow-run-id": run.info.run_id})))
    tracer = provider.get_tracer("shop")
    with tracer.start_as_current_span("buy", attributes={"session.id": "s1", "user.id": "ada", "input.value": '{"q": 1}'}) as span:
        trace_id = f"tr-{span.get_span_context().trace_id:032x}"
        with tracer.start_as_current_span("chat", attributes={
                "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5,
                "gen_ai.request.model": "m"}) as inner:
            inner.set_status(StatusCode.ERROR, "out of stock")
            inner.add_event("retry", {"after": 2})
    provider.shutdown()
    trace = client.get_trace(trace_id)
    assert trace.info.tags["service.name"] == "checkout" and trace.info.tags["zone"] == "b"
    assert trace.info.trace_metadata["mlflow.trace.session"] == "s1" and trace.info.trace_metadata["mlflow.trace.user"] == "ada"
    assert trace.info.token_usage == {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    buy, chat = trace.data.spans
    assert buy.inputs == {"q": 1} and chat.span_type == "CHAT_MODEL" and chat.status.description == "out of stock"
    assert chat.events[0].attributes == {"after": 2}
    assert [found.info.trace_id for found in mlflow.search_traces(run_id=run.info.run_id, return_type="list")] == [trace_id]
    refused = requests.post(f"{track}/v1/traces", data=b"\xff", timeout=10,
                            headers={"content-type": "application/x-protobuf", "x-mlflow-experiment-id": experiment})
    assert refused.status_code == 400 and refused.json() == {"detail": "Invalid OpenTelemetry format"}


def test_clients_before_three_are_understood(track, experiment):
    api = f"{track}/api/2.0/mlflow/traces"
    begun = requests.post(api, timeout=10, json={
        "experiment_id": experiment, "timestamp_ms": 5, "request_metadata": [{"key": "a", "value": "b"}],
        "tags": [{"key": "mlflow.traceName", "value": "old"}]}).json()["trace_info"]
    assert begun["status"] == "IN_PROGRESS" and begun["execution_time_ms"] == 0
    ended = requests.patch(f"{api}/{begun['request_id']}", timeout=10, json={"timestamp_ms": 15, "status": "OK"}).json()["trace_info"]
    assert ended["execution_time_ms"] == 10 and ended["status"] == "OK"
    assert requests.get(f"{api}/{begun['request_id']}/info", timeout=10).json()["trace_info"] == ended
    assert requests.get(api, params={"experiment_ids": experiment}, timeout=10).json() == {"traces": [ended]}


def test_traces_move_with_the_rest(mlops, tmp_path):
    """Export, and an import from a server that speaks the protocol, which ours does."""
    mlops.start("track", "--project", CRYPTO, "--port", "0", "--admin-port", "0")
    url = mlops.endpoint()
    wait_for(lambda: get(f"{url}/health") is not None, "an answer")
    theirs = mlflow.MlflowClient(url)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(url)
    try:
        mlflow.set_experiment(experiment_id=theirs.create_experiment("moved"))
        trace_id = traced(answer, "moved")
        mlflow.log_feedback(trace_id=trace_id, name="score", value=2.5, source=ME)
        (tmp_path / "other").mkdir()
        other = type(mlops)(tmp_path / "other")
        assert "1 experiments, 0 runs, 0 observations, 0 models, 0 versions, 1 traces, 0 files" in other.run(
            "track", "import", "--from-mlflow", url).stdout
        assert "0 traces" in other.run("track", "import", "--from-mlflow", url).stdout, "a second time adds nothing"
        told = other.run("track", "export", "--out", tmp_path / "out").stdout
        assert "1 traces" in told
        line = json.loads((tmp_path / "out/traces.jsonl").read_text())
        assert line["trace_info"]["trace_id"] == trace_id and len(line["spans"]) == 3
        try:
            other.start("track", "--project", CRYPTO, "--port", "0", "--admin-port", "0")
            here = mlflow.MlflowClient(other.endpoint()).get_trace(trace_id)
        finally:
            other.stop_all()
        there = theirs.get_trace(trace_id)
        assert [span.to_dict() for span in here.data.spans] == [span.to_dict() for span in there.data.spans]
        assert here.info.tags == {**there.info.tags, "mlflow.artifactLocation": here.info.tags["mlflow.artifactLocation"]}
        assert here.info.trace_metadata == there.info.trace_metadata and here.info.assessments[0].value == 2.5
    finally:
        mlflow.set_tracking_uri(before)
