"""The pages of traces, looked at with a real browser: found, opened, walked through by keyboard, and under attack."""

import os
import urllib.parse

import pytest

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
mlflow = pytest.importorskip("mlflow")

from mlflow.entities import AssessmentSource  # noqa: E402

from browser import Browser  # noqa: E402
from conftest import CRYPTO, get, wait_for  # noqa: E402
from pages_data import EVIL  # noqa: E402
from test_pages import opened  # noqa: E402


@pytest.fixture(scope="module")
def track(module_mlops):
    process = module_mlops.start("track", "--port", 0, "--admin-port", 0, "--project", CRYPTO)
    url = module_mlops.endpoint()
    wait_for(lambda: get(f"{url}/health") is not None, "an answer", process=process)
    mlflow.set_tracking_uri(url)
    return url


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture
def page(browser, track):
    yield from opened(browser, track)


@pytest.fixture
def plain(browser, track):
    """A tab without scripts."""
    yield from opened(browser, track, scripts=False)


def ask(question, fails=False, user=None):
    """A traced call with a retriever and a language model below it. Returns the id of its trace."""
    try:
        with mlflow.start_span("answer", span_type="CHAIN") as root:
            root.set_inputs({"question": question})
            with mlflow.start_span("look up", span_type="RETRIEVER") as span:
                span.set_inputs({"query": question})
                span.set_outputs([{"page_content": "BTC fell by 2 %", "score": 0.91}])
            with mlflow.start_span("write", span_type="LLM", attributes={"model": "small", "temperature": 0.2}) as span:
                span.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 120, "output_tokens": 30, "total_tokens": 150})
                if fails:
                    raise ValueError("the model is away")
                span.set_outputs("It fell.")
            root.set_outputs({"text": "It fell."})
    except ValueError:
        pass
    finally:
        mlflow.flush_trace_async_logging()
    if user:
        mlflow.MlflowClient().set_trace_tag(root.trace_id, "user", user)
    return root.trace_id


@pytest.fixture(scope="module")
def ids(track):
    experiment = mlflow.MlflowClient().create_experiment("assistant")
    mlflow.set_experiment(experiment_id=experiment)
    with mlflow.start_run(run_name="evening") as run:
        good = ask("Why did BTC fall?", user="ada")
    bad = ask("And ETH?", fails=True)
    mlflow.log_feedback(trace_id=good, name="correct", value=True, rationale="matches the news",
                        source=AssessmentSource(source_type="HUMAN", source_id="ada"))
    return {"experiment": experiment, "good": good, "bad": bad, "run": run.info.run_id}


def names(page):
    return page.texts("tbody tr[id^=t-] th")


def test_a_person_finds_a_failed_trace_and_sees_why(page, track, ids):
    page.open(f"{track}/experiments/{ids['experiment']}").follow("Traces")
    assert len(names(page)) == 2 and "Why did BTC fall?" in page.text and page.texts("nav.tabs a[aria-current]") == ["Traces"]
    page.fill("input[name=filter]", "span.type = 'LLM' AND span.status = 'ERROR'")
    page.click("form.search button.primary")
    assert page.evaluate("document.querySelectorAll('tbody tr[id^=t-]').length") == 1 and "And ETH?" in page.text
    page.follow("answer")
    assert page.texts("h1") == ["answer"] and page.texts("table.waterfall tbody th") == ["answer", "look up", "write"]
    assert page.evaluate("document.querySelectorAll('table.waterfall rect').length") == 3
    page.follow("write")
    assert "the model is away" in page.text and "exception.stacktrace" in page.text and "temperature" in page.text
    assert page.url.endswith("#span"), "every state has its address"


def test_a_trace_tells_its_run_its_tokens_and_what_was_said(page, track, ids):
    page.open(f"{track}/traces/{ids['good']}")
    for piece in ["150", "evening", "correct", "matches the news", "human ada", "ada", "Why did BTC fall?", "It fell."]:
        assert piece in page.text, piece
    page.follow("evening")
    page.follow("1 trace")
    assert names(page) == ["answer"] and "Why did BTC fall?" in page.text


def test_a_search_that_cannot_be_read_is_answered_at_the_box(page, track, ids):
    page.open(f"{track}/experiments/{ids['experiment']}/traces?filter=" + urllib.parse.quote("span.colour = 'red'"))
    assert page.evaluate("document.querySelector('input[name=filter]').getAttribute('aria-invalid')") == "true"
    assert "Invalid span attribute 'colour'" in page.texts("#filter-error")[0]


def test_traces_are_sorted_and_paged_without_one_twice(plain, track):
    client = mlflow.MlflowClient()
    experiment = client.create_experiment("many traces")
    mlflow.set_experiment(experiment_id=experiment)
    for number in range(130):
        with mlflow.start_span(f"t{number}"):
            pass
    mlflow.flush_trace_async_logging()
    plain.open(f"{track}/experiments/{experiment}/traces?order=name%20ASC")
    seen = names(plain)
    assert plain.texts("th[aria-sort=ascending]") == ["Trace ↑"] and seen == sorted(seen)
    plain.click("a[rel=next]")
    seen += names(plain)
    assert sorted(seen) == sorted(f"t{number}" for number in range(130))


def test_the_table_renews_itself(page, track):
    experiment = mlflow.MlflowClient().create_experiment("live traces")
    mlflow.set_experiment(experiment_id=experiment)
    ask("early")
    page.open(f"{track}/experiments/{experiment}/traces")
    loads = page.loads
    ask("late question")
    page.wait_for("document.body.innerText.includes('late question')")
    assert page.loads == loads, "in place, without loading the page again"


def test_nothing_that_a_trace_holds_becomes_markup(page, track):
    experiment = mlflow.MlflowClient().create_experiment("hostile traces")
    mlflow.set_experiment(experiment_id=experiment)
    with mlflow.start_span(EVIL, span_type=EVIL, attributes={EVIL: EVIL}) as span:
        span.set_inputs({EVIL: EVIL})
        span.set_outputs(EVIL)
        span.add_event(mlflow.entities.SpanEvent(name=EVIL, attributes={EVIL: EVIL}))
    mlflow.flush_trace_async_logging()
    mlflow.MlflowClient().set_trace_tag(span.trace_id, "note", EVIL)
    mlflow.log_feedback(trace_id=span.trace_id, name="evil", value=EVIL, rationale=EVIL,
                        source=AssessmentSource(source_type="HUMAN", source_id=EVIL))
    for address in [f"/experiments/{experiment}/traces", f"/traces/{span.trace_id}",
                    f"/experiments/{experiment}/traces?filter=" + urllib.parse.quote(EVIL)]:
        page.open(track + address)
        assert not page.evaluate("window.pwned") and not page.evaluate("document.querySelectorAll('img').length")


def test_the_tree_is_walked_by_keyboard(page, track, ids):
    page.open(f"{track}/traces/{ids['good']}")
    reached = page.evaluate("[...document.querySelectorAll('table.waterfall a')].every(link => link.tabIndex === 0 && link.href)")
    assert reached and page.evaluate("document.querySelectorAll('table.waterfall svg[aria-label]').length") == 3
