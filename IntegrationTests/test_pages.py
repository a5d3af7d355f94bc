"""The pages of `track`, looked at with a real browser: clicked through, with and without scripts, calm and under attack."""

import re
import urllib.parse

import mlflow
import pytest
import requests

from browser import Browser
from conftest import CRYPTO, get, wait_for
from pages_data import EVIL, fill, fill_hostile


@pytest.fixture(scope="module")
def track(module_mlops):
    process = module_mlops.start("track", "--port", 0, "--admin-port", 0, "--project", CRYPTO)
    url = module_mlops.endpoint()
    wait_for(lambda: get(f"{url}/health") is not None, "an answer", process=process)
    return url


@pytest.fixture(scope="module")
def ids(track, tmp_path_factory):
    return fill(track, tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def hostile(track):
    return fill_hostile(track)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


def opened(browser, track, **options):
    """A tab; afterwards nothing may have gone wrong in it, and nothing may have left the server."""
    page = browser.page(**options)
    yield page
    foreign = [url for url in page.requests if not url.startswith((track, "data:", "about:"))]
    page.close()
    assert not foreign, f"requests left the server: {foreign}"
    assert not page.errors, page.errors
    assert not page.dialogs, page.dialogs


@pytest.fixture
def page(browser, track):
    yield from opened(browser, track)


@pytest.fixture
def plain(browser, track):
    """A tab without scripts."""
    yield from opened(browser, track, scripts=False)


def names(page):
    return page.texts("tbody tr[id] th a:not(.expand)")


class TestExperiments:
    def test_a_person_goes_from_the_list_to_a_chart(self, page, track, ids):
        page.open(track)
        assert "Default" in page.text and "6 runs" not in page.text
        page.follow("crypto-price-10m").follow("nightly search")
        assert page.texts("h1") == ["nightly search"] and "Runs under this run" in page.text
        page.follow("xgboost-2").follow("Charts")
        titles = page.texts("figcaption")
        assert titles[:2] == ["train/loss", "val/loss"], titles
        assert page.evaluate("document.querySelectorAll('svg.chart path').length") >= 2
        assert "mae" in page.text, "what was observed once stands in a table"

    def test_experiments_are_found_by_a_part_of_their_name(self, page, track, ids):
        page.open(track)
        page.fill("input[name=q]", "PRICE-10")
        page.click("form.search button")
        assert page.texts("tbody strong") == ["crypto-price-10m"] and page.url.endswith("?q=PRICE-10")
        page.open(f"{track}/?q=nothing-like-it")
        assert "No experiment has" in page.text

    def test_links_that_clients_print_lead_to_the_page(self, page, track, ids):
        page.open(f"{track}/#/experiments/{ids['experiment']}/runs/{ids['run-1']}")
        page.wait_for(f"location.pathname === '/runs/{ids['run-1']}'")
        page.open(f"{track}/?a#/experiments/{ids['experiment']}/evaluation-runs?selectedRunUuid={ids['run-2']}")
        page.wait_for(f"location.pathname === '/runs/{ids['run-2']}'")
        page.open(f"{track}/?b#/experiments/{ids['experiment']}/traces")
        page.wait_for(f"location.pathname === '/experiments/{ids['experiment']}/traces'")


class TestRunTable:
    @pytest.fixture
    def table(self, track, ids):
        return f"{track}/experiments/{ids['experiment']}"

    def test_runs_stand_under_their_parent(self, page, table):
        page.open(table)
        assert names(page) == ["tonight", "nightly search"]
        page.click("a.expand")
        assert names(page) == ["tonight", "nightly search", "ridge-0", "xgboost-1", "xgboost-2", "xgboost-3", "huber-4"]
        page.click("a.expand")
        assert names(page) == ["tonight", "nightly search"]

    def test_a_search_finds_runs_wherever_they_stand(self, page, table):
        page.open(table)
        page.fill("input[name=filter]", "params.kind = 'xgboost' AND metrics.mae < 0.43")
        page.click("form.search button.primary")
        assert sorted(names(page)) == ["xgboost-1", "xgboost-2", "xgboost-3"]
        again = page.url
        page.open("about:blank").open(again)
        assert sorted(names(page)) == ["xgboost-1", "xgboost-2", "xgboost-3"], "the address is the whole state"

    def test_a_search_that_cannot_be_read_is_answered_at_the_box(self, page, table):
        page.open(table + "?filter=" + urllib.parse.quote("metrics.mae <"))
        assert page.evaluate("document.querySelector('input[name=filter]').getAttribute('aria-invalid')") == "true"
        complaint = page.texts("#filter-error")[0]
        assert "expected a number or a quoted text" in complaint
        assert page.evaluate("document.querySelector('input[name=filter]').value") == "metrics.mae <", "what was typed stays"

    def test_runs_are_sorted_by_a_metric_and_back(self, page, table):
        page.open(table + "?nested=off")
        def click():
            page.evaluate("[...document.querySelectorAll('thead a')].find(e => e.textContent.trim().startsWith('mae')).click()")
        before = page.loads
        click()
        page.loaded(before)
        assert names(page)[0] == "ridge-0" and page.texts("th[aria-sort=descending]") == ["mae ↓"]
        before = page.loads
        click()
        page.loaded(before)
        assert names(page)[0] == "nightly search" and page.texts("th[aria-sort=ascending]") == ["mae ↑"]
        assert names(page)[-1] == "tonight", "what has no value comes last"

    def test_columns_are_picked(self, page, table):
        page.open(table + "?nested=off")
        page.evaluate("""for (const box of document.querySelectorAll("details.sheet input[name=column]"))
            box.checked = ["params.depth", "tags.kind"].includes(box.value)""")
        page.click("details.sheet button.primary")
        assert page.texts("table.compact thead th")[5:] == ["depth", "kind"]
        assert "xgboost" in page.text

    def test_picked_runs_are_compared(self, page, table):
        page.open(table + "?nested=off")
        assert page.evaluate("document.querySelector('button[form=picked]').disabled")
        page.evaluate("""for (const row of document.querySelectorAll("tbody tr"))
            if (row.innerText.includes("xgboost")) row.querySelector("input").click()""")
        assert page.texts("button[form=picked]") == ["Compare 3"]
        page.click("button[form=picked]")
        assert page.texts("h1") == ["Comparing 3 runs"]
        assert "depth" in page.text and "kind" not in page.texts("tbody th"), "only what differs is shown"
        page.follow("Show all rows")
        assert "kind" in page.texts("tbody th")
        page.follow("Charts")
        assert page.evaluate("document.querySelector('figure').querySelectorAll('path').length") == 3
        page.follow("Scatter")
        assert page.evaluate("document.querySelectorAll('svg.chart circle').length") == 3
        page.follow("Parallel")
        assert page.evaluate("document.querySelectorAll('svg.chart path').length") == 3

    def test_pages_follow_each_other_without_a_run_twice(self, plain, track):
        client = mlflow.MlflowClient(tracking_uri=track)
        experiment = client.create_experiment("many")
        for index in range(230):
            client.create_run(experiment, run_name=f"r{index}")
        seen = []
        plain.open(f"{track}/experiments/{experiment}")
        for _ in range(3):
            seen += names(plain)
            if plain.evaluate("!!document.querySelector('a[rel=next]')"):
                plain.click("a[rel=next]")
        assert len(seen) == 230 and len(set(seen)) == 230

    def test_the_table_renews_itself_until_it_is_paused(self, page, track):
        client = mlflow.MlflowClient(tracking_uri=track)
        experiment = client.create_experiment("live")
        client.create_run(experiment, run_name="early")
        page.open(f"{track}/experiments/{experiment}")
        loads = page.loads
        client.create_run(experiment, run_name="late")
        page.wait_for("document.body.innerText.includes('late')")
        assert page.loads == loads, "in place, without loading the page again"
        page.follow("Live")
        assert page.texts(".live") == ["Paused"] and not page.evaluate("!!document.querySelector('main[data-refresh]')")


class TestRun:
    def test_the_overview_tells_what_a_run_is(self, page, track, ids):
        page.open(f"{track}/runs/{ids['run-2']}")
        text = page.text
        for piece in ["finished", "ada", "train.py", "price-10m v2", "@champion", "trades", "9f2c71ab", "xgboost", "nightly search"]:
            assert piece in text, piece
        page.follow("price-10m v2")
        assert page.texts("h1") == ["price-10m v2"] and "xgboost-2" in page.text and "train.py" in page.text

    def test_a_running_run_shows_what_is_logged(self, page, track, ids):
        page.open(f"{track}/runs/{ids['running']}")
        mlflow.MlflowClient(tracking_uri=track).log_metric(ids["running"], "fresh", 0.125)
        page.wait_for("document.body.innerText.includes('0.125')")

    def test_charts_are_smoothed_scaled_and_overlaid(self, page, track, ids):
        page.open(f"{track}/runs/{ids['run-2']}/charts?q=val")
        line = "document.querySelector('svg.chart path:last-of-type').getAttribute('d')"
        rough = page.evaluate(line)
        before = page.loads
        page.evaluate("""(() => { const e = document.querySelector("input[name=smooth]"); e.value = 0.9;
            e.dispatchEvent(new Event("change", {bubbles: true})) })()""")
        page.loaded(before)
        assert "smooth=0.9" in page.url and page.evaluate(line) != rough
        page.open(f"{track}/runs/{ids['run-2']}/charts?q=val&scale=log&x=time&with={ids['run-3']}")
        assert page.texts(".legend a") == ["■xgboost-2", "■xgboost-3"]
        assert page.evaluate("document.querySelectorAll('svg.chart .hit title').length") > 50, "points tell their values"

    def test_files_are_shown_by_their_kind(self, page, track, ids):
        page.open(f"{track}/runs/{ids['run-2']}/artifacts")
        assert page.texts(".note h3") == ["Price in ten minutes"], "a README is opened first"
        assert "0.37" in page.text and page.evaluate("document.querySelector('.note a').rel.includes('noopener')")

        def show(path):
            page.open(f"{track}/runs/{ids['run-2']}/artifacts?path={path}")
            return page.text
        assert '"passed": true' in show("gate.json")
        assert "The first 200 rows" in show("data/rows.csv") and "a, b" in page.text
        assert "The first 200 rows of 300" in show("data/rows.parquet") and "BTC/USD" in page.text
        assert "step 2" in show("train.log")
        assert "python_function" in show("model/MLmodel")
        assert "load it only if you trust" in show("model/model.pkl")
        for picture in ("plots/importance.png", "plots/curve.svg"):
            show(picture)
            page.wait_for("(e => e.complete && e.naturalWidth > 0)(document.querySelector('img.artifact'))")
        assert page.texts(".tree a[aria-current] .name") == ["curve.svg"]

    def test_downloads_are_whole(self, plain, track, ids):
        plain.open(f"{track}/runs/{ids['run-2']}/artifacts?path=data/rows.csv")
        answer = get(plain.evaluate("document.querySelector('a[download]').href"))
        assert answer.headers["Content-Disposition"].startswith("attachment") and len(answer.text.splitlines()) == 251

    def test_a_page_that_is_not_there_says_so(self, browser, track):
        for path in ("/runs/0123456789abcdef0123456789abcdef", "/experiments/99999", "/models/nobody", "/nowhere", "/models/x/versions/y"):
            answer = get(track + path)
            assert answer.status_code in (400, 404) and answer.headers["Content-Type"].startswith("text/html"), path
            assert "<h1>" in answer.text


class TestModels:
    def test_a_model_shows_its_versions_and_how_its_aliases_moved(self, page, track, ids):
        page.open(f"{track}/models").follow("price-10m")
        assert page.texts("tbody strong") == ["v2", "v1"]
        steps = page.texts("ol.trace li")
        assert len(steps) == 3 and steps[0].startswith("@challenger set to v1") and steps[1].startswith("@champion moved from v1 to v2")

    def test_versions_stand_side_by_side(self, page, track, ids):
        page.open(f"{track}/models/price-10m")
        page.evaluate("document.querySelectorAll('input[name=version]').forEach(box => box.click())")
        page.click("button[form=picked]")
        assert page.texts("table.compact thead th")[1:] == ["v1", "v2"]
        assert page.evaluate("document.querySelectorAll('td.differs').length") >= 4

    def test_datasets_lead_to_the_runs_that_read_them(self, page, track, ids):
        page.open(f"{track}/datasets")
        assert "trades" in page.text and "9f2c71ab" in page.text
        page.follow("1 run")
        assert names(page) == ["xgboost-2"]

    def test_the_system_page_counts(self, page, track, ids):
        page.open(f"{track}/system")
        assert re.search(r"Resident memory\s+[\d.]+ MB", page.text) and re.search(r"registered models", page.text)
        page.follow("Count them")
        assert re.search(r"in \d+ files", page.text)


class TestWithoutScripts:
    def test_everything_but_renewal_works(self, plain, track, ids):
        plain.open(f"{track}/experiments/{ids['experiment']}?nested=off&filter=params.kind = 'xgboost'")
        assert len(names(plain)) == 3
        plain.evaluate("document.querySelectorAll('tbody input').forEach(box => { box.checked = true })")
        plain.click("button[form=picked]")
        assert plain.texts("h1") == ["Comparing 3 runs"]
        plain.follow("Charts")
        plain.evaluate("document.querySelector('input[name=smooth]').value = 0.5")
        plain.click("form.bar button")
        assert "smooth=0.5" in plain.url and plain.evaluate("document.querySelectorAll('figure').length") == 2

    def test_a_page_of_a_running_run_loads_again_by_itself(self, track, ids):
        text = get(f"{track}/runs/{ids['running']}").text
        assert '<noscript><meta http-equiv="refresh"' in text

    def test_the_keyboard_reaches_the_content_first(self, page, track, ids):
        page.open(f"{track}/experiments/{ids['experiment']}")
        page.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.press("/")
        assert page.evaluate("document.activeElement.name") == "filter"


@pytest.fixture(scope="module")
def addresses(track, hostile):
    experiment, runs, model = hostile["experiment"], hostile["runs"], urllib.parse.quote(hostile["model"], safe="")
    evil = urllib.parse.quote(EVIL)
    found = ["/", f"/?q={evil}", f"/experiments/{experiment}", f"/experiments/{experiment}?filter={evil}&order={evil}&column={evil}&expand={evil}",
             f"/experiments/{experiment}?column=tags.evil&column=params.p&column=tags.mlflow.user&column=metrics.{evil}&nested=off",
             f"/runs/{runs[0]}", f"/runs/{runs[0]}?q={evil}", f"/runs/{runs[0]}/charts", f"/runs/{runs[0]}/charts?with={runs[1]}&q={evil}&x={evil}",
             f"/runs/{runs[0]}/charts?with={runs[1]}&smooth=0.5", f"/runs/{evil}", f"/runs/{runs[0]}/artifacts", "/models", f"/models?q={evil}",
             f"/models/{model}", f"/models/{model}/versions/1", f"/models/{model}/compare?version=1&version=2", "/datasets",
             f"/datasets?q={evil}", "/system", f"/compare?run={evil}", f"/nowhere/{evil}"]
    both = f"/compare?run={runs[0]}&run={runs[1]}"
    found += [both, both + "&only=all", both + "&view=charts", both + "&view=scatter", both + "&view=parallel", both + f"&view={evil}&x={evil}"]
    found += [f"/runs/{runs[0]}/artifacts?path=" + urllib.parse.quote(name, safe="") for name in hostile["files"]]
    return [track + path for path in found]


class TestUnderAttack:
    def test_nothing_that_strangers_wrote_runs(self, browser, track, addresses):
        page = browser.page()
        for address in addresses:
            page.open(address)
            state = page.evaluate("""({pwned: window.pwned, images: document.querySelectorAll("img[src=x]").length,
                scripts: document.querySelectorAll("script:not([src^='/assets/'])").length,
                handlers: document.querySelectorAll("[onerror],[onload],[onclick],[style]").length,
                links: [...document.querySelectorAll("a")].filter(e => !/^https?:|^mailto:/.test(new URL(e.getAttribute("href"), location))).length})""")
            assert state == {"images": 0, "scripts": 0, "handlers": 0, "links": 0}, f"{address}: {state}"
        assert not page.dialogs
        foreign = [url for url in page.requests if not url.startswith((track, "data:", "about:"))]
        assert not foreign
        # The sandbox tells of what it stopped; nothing else may complain.
        assert [error for error in page.errors if "sandbox" not in error and "404" not in error and "400" not in error] == []
        page.close()

    def test_every_page_comes_with_its_policy(self, addresses):
        for address in addresses:
            answer = get(address)
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy, address
            assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Cache-Control"] == "no-store"
            assert answer.status_code < 500, address

    def test_a_file_that_is_opened_by_itself_has_no_rights(self, track, hostile, browser):
        page = browser.page()
        page.open(f"{track}/runs/{hostile['runs'][0]}/artifacts?path=" + urllib.parse.quote(hostile["files"][4]))
        frame = page.evaluate("document.querySelector('iframe').src")
        assert page.evaluate("document.querySelector('iframe').getAttribute('sandbox')") == ""
        policy = get(frame).headers["Content-Security-Policy"]
        assert policy.startswith("sandbox;") and "default-src 'none'" in policy and "script-src" not in policy
        page.open(frame)
        assert page.evaluate("window.pwned") is None and page.evaluate("window.origin") == "null"
        page.close()

    def test_an_html_file_runs_its_scripts_only_when_asked_and_cut_off(self, page, track, ids):
        page.open(f"{track}/runs/{ids['run-2']}/artifacts?path=report.html")
        page.errors.clear()
        page.follow("Run its scripts")
        assert page.evaluate("document.querySelector('iframe').getAttribute('sandbox')") == "allow-scripts"
        policy = requests.get(page.evaluate("document.querySelector('iframe').src"), timeout=10).headers["Content-Security-Policy"]
        assert policy.startswith("sandbox allow-scripts; default-src 'none'") and "connect-src" not in policy

    def test_ways_out_of_the_artefacts_are_refused(self, track, hostile):
        run = hostile["runs"][0]
        for path in ("../../../tracking.sqlite", "..%2f..%2ftracking.sqlite", "/etc/passwd", "a/../../x", "%252e%252e/x", "a\\..\\x"):
            for address in (f"/runs/{run}/artifacts?path={path}", f"/preview?uri=mlflow-artifacts:/0&path={path}",
                            f"/preview?uri=mlflow-artifacts:/{path}&path=x"):
                assert get(track + address).status_code in (400, 404), address
        assert get(f"{track}/preview?uri=file:///etc&path=passwd").status_code == 400
