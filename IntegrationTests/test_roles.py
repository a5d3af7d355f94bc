"""Each role alone on one directory, several at once, and all of them in one process."""

import json
import math
import re
import signal
import time

import pytest
import requests

from conftest import CRYPTO, MODEL, Mlops, free_port, get, project_copy, wait_for

GROUP = "features/trades"
INPUT = ["--source", "synthetic", "--duration", "12h", "--start", "2024-03-01T00:00:00Z", "--rate", "1"]
SMALL = {"MLOPS_FEATURES_BATCH_RECORDS": "20"}
# Without the source whose file is not here.
SYNTHETIC_ONLY = (re.compile(r"  xrp_eth:(.|\n)*?\}\n(?=\nstreams)"), "")
OWN_PORT = {"serve": ["--port", 0], "monitor": ["--port", 0], "track": ["--port", 0]}
ROLES = ["produce", "features", "serve", "monitor", "track"]


def is_up(url, process):
    return wait_for(lambda: (answer := get(url)) is not None and answer.status_code == 200, url, process=process)


def start_all(mlops, *arguments):
    """`all` as it runs for long, and the URLs of its parts."""
    ports = {name: free_port() for name in ("serve", "track", "monitor", "admin")}
    process = mlops.start(
        "all", *arguments, "--project", CRYPTO,
        *[text for name, port in ports.items() for text in (f"--{name}-port", port)])
    return process, {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}


class TestOneAfterTheOther:
    """Roles that never meet but at the directory."""

    @pytest.fixture(scope="class")
    @staticmethod
    def directory(tmp_path_factory, binary):
        mlops = Mlops(tmp_path_factory.mktemp("roles"))
        yield mlops
        mlops.stop_all()

    def test_produce_writes_the_events_and_nothing_else(self, directory):
        directory.run("produce", "--once", "--speed", "max", *INPUT, "--admin-port", 0, "--project", CRYPTO)
        assert directory.end("trades") > 40_000
        assert directory.end("candles") == 0

    def test_features_computes_and_archives_the_rows(self, directory):
        done = directory.run("features", "--once", "--project", CRYPTO)
        assert done.stdout.startswith(f"{directory.end('trades')} records in ")
        assert directory.end("candles") == directory.end("technical_indicators") == 3 * 720
        assert list(directory.data.glob("objects/features/technical_indicators/day=2024-03-01/*.parquet"))
        assert directory.run("features", "--once", "--project", CRYPTO).stdout.startswith("0 records")

    def test_train_learns_registers_and_says_no_with_status_2(self, directory):
        done = directory.run("train", "--trials", 2, "--admin-port", 0, "--project", CRYPTO, status=None)
        assert f"{MODEL}/1 " in done.stdout
        assert done.returncode == (0 if f"{MODEL}/1 promoted" in done.stdout else 2), done.stdout
        assert not (directory.data / "endpoints.json").exists(), "its own tracking server has ended with it"

    def test_train_with_refusals_allowed_ends_with_status_0(self, directory):
        done = directory.run("train", "--trials", 2, "--refusal", "ok", "--admin-port", 0, "--project", CRYPTO)
        assert re.search(rf"^{MODEL}/\d+ (promoted|refused): ", done.stdout, re.M)

    def test_track_tells_where_it_listens_and_shows_the_runs(self, directory):
        track = directory.start("track", "--port", 0, "--admin-port", 0, "--project", CRYPTO)
        url = directory.endpoint()
        found = requests.post(
            f"{url}/api/2.0/mlflow/runs/search", json={"experiment_ids": self.experiments(url), "max_results": 10}, timeout=10)
        assert len(found.json()["runs"]) == 2
        assert directory.terminate(track) == 0
        assert not (directory.data / "endpoints.json").exists()

    @staticmethod
    def experiments(url):
        found = requests.get(f"{url}/api/2.0/mlflow/experiments/search", params={"max_results": 100}, timeout=10)
        return [one["experiment_id"] for one in found.json()["experiments"]]

    def test_serve_without_a_tracking_server_starts_its_own_and_answers(self, directory):
        port = free_port()
        serve = directory.start("serve", "--port", port, "--admin-port", 0, "--project", CRYPTO)
        is_up(f"http://127.0.0.1:{port}/readyz", serve)
        answer = requests.post(
            f"http://127.0.0.1:{port}/v1/models/{MODEL}:predict", json={"instances": [{"pair": "ETH/USD"}]}, timeout=10)
        assert answer.status_code == 200 and answer.json()["entities"] == ["ETH/USD"]
        assert directory.terminate(serve) == 0

    def test_monitor_once_reads_the_predictions_and_writes_the_report(self, directory):
        done = directory.run("monitor", "--once", "--admin-port", 0, "--project", CRYPTO)
        assert re.search(rf"^monitor {MODEL}: \d+ predictions, {3 * 720} labels$", done.stdout, re.M), done.stdout
        assert (directory.data / "reports/monitor.html").read_text().startswith("<!doctype html>")

    def test_export_writes_the_whole_history_in_every_format(self, directory, tmp_path):
        import pyarrow.csv
        import pyarrow.parquet
        rows = directory.rows("candles")
        for ending in ("parquet", "csv", "jsonl"):
            done = directory.run("features", "export", "--view", "candles", "--out", tmp_path / f"c.{ending}", "--project", CRYPTO)
            assert done.stdout.startswith(f"{len(rows)} rows of ")
        by_place = lambda row: (row["pair"], row["window_start_ms"])
        expected = sorted(rows, key=by_place)
        names = list(rows[0])
        lines = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text().splitlines()]
        for table in (pyarrow.parquet.read_table(tmp_path / "c.parquet").to_pylist(),
                      pyarrow.csv.read_csv(tmp_path / "c.csv").to_pylist(), lines):
            found = sorted(({name: row[name] for name in names} for row in table), key=by_place)
            assert found == expected


class TestSideBySide:
    @pytest.mark.parametrize("role", ROLES)
    def test_a_role_answers_health_readiness_and_metrics_and_drains(self, mlops, role, tmp_path):
        project = project_copy(tmp_path / "project", SYNTHETIC_ONLY)
        port = free_port()
        process = mlops.start(role, *OWN_PORT.get(role, []), "--admin-port", port, "--project", project)
        is_up(f"http://127.0.0.1:{port}/healthz", process)
        if role != "serve":
            is_up(f"http://127.0.0.1:{port}/readyz", process)
        else:
            assert get(f"http://127.0.0.1:{port}/readyz").status_code == 503, "there is no model yet"
        answer = get(f"http://127.0.0.1:{port}/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        for line in answer.text.splitlines():
            assert re.fullmatch(r"# (HELP|TYPE) \S+ .*|[a-z_:][a-z0-9_:]*(\{.*\})? \S+", line), line
        begun = time.monotonic()
        assert mlops.terminate(process) == 0
        assert time.monotonic() - begun < 10

    @pytest.mark.parametrize("role", ROLES)
    def test_an_interrupt_from_the_keyboard_drains_too(self, mlops, role, tmp_path):
        project = project_copy(tmp_path / "project", SYNTHETIC_ONLY)
        port = free_port()
        process = mlops.start(role, *OWN_PORT.get(role, []), "--admin-port", port, "--project", project)
        is_up(f"http://127.0.0.1:{port}/healthz", process)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0

    def test_two_features_processes_share_the_partitions_and_neither_lose_nor_double_rows(self, mlops, tmp_path):
        feed = ["produce", "--once", "--speed", "max", *INPUT, "--admin-port", 0, "--project", CRYPTO]
        expected = Mlops(tmp_path / "expected")
        expected.directory.mkdir()
        expected.run(*feed)
        expected.run("features", "--once", "--project", CRYPTO)

        workers = [mlops.start("features", "--admin-port", 0, "--project", CRYPTO, environment=SMALL) for _ in range(2)]
        mlops.run(*feed)
        total = mlops.end("trades")
        wait_for(lambda: mlops.committed(GROUP, "trades") >= total // 4, "some progress")
        # One that has work goes without a word; the other takes over.
        owners = {row[0].split(":")[0] for row in mlops.query("SELECT owner FROM leases WHERE consumer = ? AND expires > 0", GROUP)}
        first = next(worker for worker in workers if str(worker.pid) in owners)
        mlops.kill(first)
        assert mlops.committed(GROUP, "trades") < total, "the kill came too late to interrupt anything"
        wait_for(lambda: mlops.committed(GROUP, "trades") == total, "all events computed")
        (second,) = [worker for worker in workers if worker is not first]
        assert mlops.terminate(second) == 0
        for topic in ("candles", "technical_indicators"):
            assert mlops.by_key(topic) == expected.by_key(topic)

    @pytest.mark.parametrize("roles", [
        ["produce", "features", "track"],
        pytest.param(["serve", "monitor"], id="those that need a tracking server and find none"),
    ])
    def test_roles_that_start_at_the_same_moment_on_a_new_directory_all_come_up(self, mlops, tmp_path, roles):
        project = project_copy(tmp_path / "project", SYNTHETIC_ONLY)
        for attempt in range(5):
            mlops.data = tmp_path / f"data-{attempt}"
            ports = {role: free_port() for role in roles}
            processes = {
                role: mlops.start(role, *OWN_PORT.get(role, []), "--admin-port", ports[role], "--project", project) for role in roles}
            for role, process in processes.items():
                is_up(f"http://127.0.0.1:{ports[role]}/healthz", process)
            mlops.wait_for_log(processes[roles[-1]], "listening")
            if "serve" in roles:
                mlops.wait_for_log(processes["serve"], "no model yet")
                is_up(f"http://127.0.0.1:{ports['monitor']}/readyz", processes["monitor"])
            for role in reversed(roles):
                assert mlops.terminate(processes[role]) == 0, mlops.log(processes[role])

    def test_two_processes_may_make_the_log_of_a_new_directory_at_the_same_time(self, mlops, tmp_path):
        for attempt in range(25):
            mlops.data = tmp_path / f"data-{attempt}"
            features = mlops.start("features", "--once", "--project", CRYPTO)
            # Not a wait for anything: it shifts the two against each other, so that they meet at every step of opening.
            time.sleep(attempt % 5 * 0.004)
            produce = mlops.start(
                "produce", "--once", "--speed", "max", "--source", "synthetic", "--duration", "1m", "--admin-port", 0, "--project", CRYPTO)
            assert features.wait(30) == 0, mlops.log(features)
            assert produce.wait(30) == 0, mlops.log(produce)

    def test_features_once_beside_a_running_one_says_so_and_changes_nothing(self, mlops):
        running = mlops.start("features", "--admin-port", 0, "--project", CRYPTO)
        wait_for(lambda: (mlops.data / "log.sqlite").exists() and mlops.query("SELECT * FROM leases"), "a lease", process=running)
        done = mlops.run("features", "--once", "--project", CRYPTO, status=69)
        assert "another process" in done.stderr

    def test_a_second_tracking_server_on_a_directory_is_refused(self, mlops):
        mlops.start("track", "--port", 0, "--admin-port", 0, "--project", CRYPTO)
        url = mlops.endpoint()
        done = mlops.run("track", "--port", 0, "--admin-port", 0, "--project", CRYPTO, status=None, timeout=20)
        assert done.returncode not in (0, -6, -11) and "another tracking server" in done.stderr
        assert mlops.endpoint() == url and get(f"{url}/health").status_code == 200

    def test_train_serve_and_monitor_use_the_tracking_server_that_runs(self, mlops):
        mlops.run("produce", "--once", "--speed", "max", *INPUT, "--admin-port", 0, "--project", CRYPTO)
        mlops.run("features", "--once", "--project", CRYPTO)
        mlops.start("track", "--port", 0, "--admin-port", 0, "--project", CRYPTO)
        url = mlops.endpoint()
        port = free_port()
        serve = mlops.start("serve", "--port", port, "--admin-port", 0, "--project", CRYPTO)
        is_up(f"http://127.0.0.1:{port}/healthz", serve)
        assert get(f"http://127.0.0.1:{port}/v1/models/{MODEL}").status_code == 503, "nothing to serve yet"
        mlops.run("train", "--trials", 2, "--refusal", "ok", "--admin-port", 0, "--project", CRYPTO)
        is_up(f"http://127.0.0.1:{port}/readyz", serve)
        answer = requests.post(
            f"http://127.0.0.1:{port}/v1/models/{MODEL}:predict", json={"instances": [{"pair": "BTC/USD"}]}, timeout=10)
        assert answer.status_code == 200
        versions = requests.get(f"{url}/api/2.0/mlflow/model-versions/search", timeout=10).json()["model_versions"]
        assert answer.json()["model_version"] in {version["version"] for version in versions}

    def test_five_processes_are_the_whole_loop(self, mlops, tmp_path):
        """As a cluster would run it: live events, rows, predictions of each row, and their errors."""
        project = project_copy(tmp_path / "project", SYNTHETIC_ONLY)
        feed = ["--source", "synthetic", "--duration", "8h", "--start", "2024-03-01T00:00:00Z", "--rate", "1",
                "--admin-port", 0, "--project", project]
        monitor_port = free_port()
        mlops.start("track", "--port", 0, "--admin-port", 0, "--project", project)
        mlops.endpoint()
        features = mlops.start("features", "--admin-port", 0, "--project", project)
        serve = mlops.start("serve", "--port", 0, "--admin-port", 0, "--project", project)
        monitor = mlops.start("monitor", "--port", monitor_port, "--admin-port", 0, "--project", project)
        produce = mlops.start("produce", "--once", "--speed", "10000x", *feed)
        wait_for(lambda: mlops.end("technical_indicators") > 3 * 350, "most of the history", process=produce)
        assert mlops.terminate(produce) == 0
        wait_for(lambda: mlops.committed(GROUP, "trades") == mlops.end("trades") > 0, "the history computed", process=features)
        mlops.wait_for_log(serve, "no model yet")
        known = mlops.end("technical_indicators")
        mlops.run("train", "--trials", 1, "--refusal", "ok", "--admin-port", 0, "--project", project)
        mlops.wait_for_log(serve, "model served")
        mlops.run("produce", "--once", "--speed", "max", *feed)
        wait_for(lambda: mlops.committed(GROUP, "trades") == mlops.end("trades"), "the rest computed", process=features)
        assert mlops.end("technical_indicators") == 3 * 480 > known

        new = mlops.end("technical_indicators") - known
        wait_for(lambda: mlops.end("predictions") >= new, "a prediction of every new row", process=serve)
        predicted = {}
        for _, _, _, key, value, _ in mlops.records("predictions"):
            predicted.setdefault(key, []).append(json.loads(value)["feature_time_ms"])
        for key, rows in mlops.by_key("technical_indicators").items():
            ends = [json.loads(value)["window_end_ms"] for _, value in rows]
            assert predicted[key] == ends[known // 3:], "every row that came after there was a model, once"

        def metric(name, labels=""):
            text = get(f"http://127.0.0.1:{monitor_port}/metrics").text
            found = re.search(rf"^{name}\{{[^}}]*{labels}[^}}]*\}} (\S+)$", text, re.M)
            return float(found.group(1)) if found else None
        wait_for(lambda: metric("mlops_monitor_events_total", 'result="prediction"') == new, "all predictions watched", process=monitor)
        wait_for(lambda: metric("mlops_monitor_waiting_predictions") == 3 * 10, "labels of all but the last ten minutes", process=monitor)
        page = get(f"http://127.0.0.1:{monitor_port}/").text
        assert MODEL in page and "MAE" in page
        for process in reversed(mlops.started):
            if process is not produce:
                assert mlops.terminate(process) == 0, mlops.log(process)


    def test_serve_and_monitor_killed_again_and_again_predict_and_label_every_row_once(self, mlops, tmp_path):
        project = project_copy(tmp_path / "project", SYNTHETIC_ONLY)
        feed = ["--source", "synthetic", "--duration", "8h", "--start", "2024-03-01T00:00:00Z", "--rate", "0.5",
                "--admin-port", 0, "--project", project]
        produce = mlops.start("produce", "--once", "--speed", "10000x", *feed)
        wait_for(lambda: mlops.end("trades") > 9_000, "some history", process=produce)
        assert mlops.terminate(produce) == 0
        mlops.run("features", "--once", "--project", project)
        mlops.run("train", "--trials", 1, "--refusal", "ok", "--admin-port", 0, "--project", project)
        mlops.start("track", "--port", 0, "--admin-port", 0, "--project", project)
        mlops.endpoint()
        features = mlops.start("features", "--admin-port", 0, "--project", project)

        def serve():
            process = mlops.start("serve", "--port", 0, "--admin-port", 0, "--project", project)
            mlops.wait_for_log(process, "model served")
            return process
        server = serve()
        wait_for(lambda: mlops.query("SELECT * FROM state WHERE namespace LIKE 'serve-stream/%/start'"), "a start of the stream")
        known = {key: len(rows) for key, rows in mlops.by_key("technical_indicators").items()}
        produce = mlops.start("produce", "--once", "--speed", "2500x", *feed)
        for share in (0.3, 0.6):
            monitor = mlops.start("monitor", "--port", 0, "--admin-port", 0, "--project", project)
            wait_for(lambda: mlops.end("predictions") > share * (3 * 480 - sum(known.values())), f"{share} of the predictions")
            wait_for(lambda: mlops.committed(f"monitor/{MODEL}", "predictions") > 0, "something monitored", process=monitor)
            mlops.kill(server)
            mlops.kill(monitor)
            assert produce.poll() is None, "the kill came too late to interrupt anything"
            server = serve()
        assert produce.wait(60) == 0
        wait_for(lambda: mlops.committed(GROUP, "trades") == mlops.end("trades"), "the rest computed", process=features)
        rows = mlops.by_key("technical_indicators")
        new = sum(len(found) for found in rows.values()) - sum(known.values())
        wait_for(lambda: mlops.end("predictions") >= new, "a prediction of every new row", process=server)
        assert mlops.terminate(server) == 0

        predictions = mlops.by_key("predictions")
        for key, found in rows.items():
            ends = [json.loads(value)["window_end_ms"] for _, value in found]
            assert [json.loads(value)["feature_time_ms"] for _, value in predictions[key]] == ends[known[key]:], key

        done = mlops.run("monitor", "--once", "--admin-port", 0, "--project", project)
        close = {(key, json.loads(value)["window_end_ms"]): json.loads(value)["close"]
                 for key, found in mlops.by_key("candles").items() for _, value in found}
        errors = []
        for key, found in predictions.items():
            for _, value in found:
                prediction = json.loads(value)
                truth = close.get((key, prediction["predicted_for_ms"]))
                if truth is not None:
                    errors.append(abs(prediction["output"] - truth))
        found = re.search(r"(\d+) predicted, (\d+) labelled, 0 without label, (\d+) waiting; MAE (\S+),", done.stdout)
        assert found, done.stdout
        assert [int(text) for text in found.groups()[:3]] == [new, len(errors), 30]
        assert math.isclose(float(found.group(4)), math.fsum(errors) / len(errors), rel_tol=1e-3)


class TestCheckConfig:
    @pytest.mark.parametrize("role", ["all", "produce", "features", "train", "serve", "monitor", "track"])
    def test_it_prints_every_setting_with_its_source_and_ends(self, mlops, role, tmp_path):
        project = project_copy(
            tmp_path / "project", ('settings: {topic_prefix: ""}', "settings: {log: {level: notice}}"))
        done = mlops.run(
            role, "--check-config", "--log-format", "json", "--project", project, environment={"MLOPS_HOST": "127.0.0.2"})
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        said = {line.split()[0]: line for line in lines}
        assert re.search(r"notice +\(.*mlops\.yaml.*\)", said["log.level"]), said["log.level"]
        assert re.search(r"json +\(flag --log-format\)", said["log.format"])
        assert re.search(r"127\.0\.0\.2 +\(environment MLOPS_HOST\)", said["host"])
        assert re.search(r"process +\(default\)", said["event_log.durability"])
        assert f"local:{mlops.data}" in said["event_log.url"] and "--data" in said["event_log.url"]
        assert f"{role}.admin_port" in said
        assert not mlops.data.exists(), "nothing is opened"

    def test_flag_over_environment_over_file_over_default(self, mlops, tmp_path):
        project = project_copy(tmp_path / "project", ('settings: {topic_prefix: ""}', "settings: {serve: {port: 7001}}"))
        def port(*arguments, environment=None, project=project):
            done = mlops.run("serve", "--check-config", *arguments, "--project", project, environment=environment)
            return re.search(r"^serve\.port +(\d+)", done.stdout, re.M).group(1)
        environment = {"MLOPS_SERVE_PORT": "7002"}
        assert port("--port", 7003, environment=environment) == "7003"
        assert port(environment=environment) == "7002"
        assert port() == "7001"
        assert port(project=CRYPTO) == "8501"

    def test_a_secret_is_not_shown(self, mlops):
        done = mlops.run("train", "--check-config", "--project", CRYPTO, environment={"MLOPS_TRACK_TOKEN": "hunter2"})
        assert "track.token" in done.stdout and "hunter2" not in done.stdout + done.stderr

    def test_a_topic_prefix_separates_projects_on_one_log(self, mlops, tmp_path):
        feed = ["produce", "--once", "--speed", "max", "--source", "synthetic", "--duration", "1h", "--rate", "1", "--admin-port", 0]
        mlops.run(*feed, "--project", CRYPTO, environment={"MLOPS_TOPIC_PREFIX": "blue."})
        assert mlops.end("blue.trades") > 0 and mlops.end("trades") == 0


class TestAllInOneProcess:
    def test_quick_answers_a_prediction_and_drains_with_status_0(self, mlops):
        process, urls = start_all(mlops, "--quick")
        ask = {"instances": [{"pair": pair} for pair in ("BTC/USD", "ETH/USD", "XRP/ETH")]}

        def answer():
            try:
                found = requests.post(f"{urls['serve']}/v1/models/{MODEL}:predict", json=ask, timeout=5)
            except requests.RequestException:
                return None
            return found.json() if found.status_code == 200 else None
        first = wait_for(answer, "a first prediction", seconds=90, process=process)
        assert len(first["predictions"]) == 3 and first["alias"] in ("champion", "baseline")
        is_up(f"{urls['admin']}/readyz", process)
        assert json.loads((mlops.data / "endpoints.json").read_text()) == {"track": urls["track"]}
        metrics = get(f"{urls['admin']}/metrics").text
        for name in ("mlops_produce_records_total", "mlops_features_events_accepted_total"):
            assert name in metrics
        assert get(f"{urls['monitor']}/").status_code == 200 and get(f"{urls['track']}/").status_code == 200

        begun = time.monotonic()
        assert mlops.terminate(process) == 0, mlops.log(process)[-2_000:]
        assert time.monotonic() - begun < 15
        assert not (mlops.data / "endpoints.json").exists()
        recorded = {row["id"] for row in mlops.rows("predictions")}
        assert set(first["ids"]) <= recorded

    def test_it_goes_on_where_it_was_killed(self, mlops):
        process, urls = start_all(mlops, "--quick")
        wait_for(lambda: mlops.committed(GROUP, "trades") > 50_000, "some history computed", seconds=90, process=process)
        mlops.kill(process)
        process, urls = start_all(mlops, "--quick")
        is_up(f"{urls['serve']}/readyz", process)
        assert mlops.terminate(process) == 0, mlops.log(process)[-2_000:]
        for key, rows in mlops.by_key("candles").items():
            starts = [timestamp for timestamp, _ in rows]
            assert starts == list(range(starts[0], starts[0] + 60_000 * len(starts), 60_000)), key

    def test_log_lines_are_json_objects_when_asked(self, mlops):
        done = mlops.run(
            "produce", "--once", "--speed", "max", "--source", "synthetic", "--duration", "10m", "--log-format", "json",
            "--admin-port", 0, "--project", CRYPTO)
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        assert lines and all({"time", "level", "role", "message"} <= line.keys() for line in lines)
        assert any(line["message"] == "source ended" and line["role"] == "produce" for line in lines)


def test_check_prints_the_resolved_plan(mlops):
    done = mlops.run("check", "--project", CRYPTO, data=False)
    for words in ("project crypto", "view candles: from trades, window 1m, grace 5s", "target     price_in_10_minutes, 10m ahead",
                  "trades.dead", "technical_indicators.latest", "predictions"):
        assert words in done.stdout
    assert done.stderr == ""


def test_help_and_version_are_status_0(mlops):
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", mlops.run("--version", data=False).stdout)
    for role in ("all", "check", "produce", "features", "train", "serve", "monitor", "track"):
        assert "USAGE" in mlops.run(role, "--help", data=False).stdout
