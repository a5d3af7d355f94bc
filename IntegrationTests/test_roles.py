"""Each role alone on one directory, and all of them in one process."""

import json
import re
import time

import pytest
import requests

from conftest import CRYPTO, MODEL, Mlops, free_port, get, is_up, project_copy, wait_for

GROUP = "features/trades"
INPUT = ["--source", "synthetic", "--duration", "12h", "--start", "2024-03-01T00:00:00Z", "--rate", "1"]


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
            done = directory.run("features", "export", "--view", "candles", "--output", tmp_path / f"c.{ending}", "--project", CRYPTO)
            assert done.stdout.startswith(f"{len(rows)} rows of ")
        by_place = lambda row: (row["pair"], row["window_start_ms"])
        expected = sorted(rows, key=by_place)
        names = list(rows[0])
        lines = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text().splitlines()]
        for table in (pyarrow.parquet.read_table(tmp_path / "c.parquet").to_pylist(),
                      pyarrow.csv.read_csv(tmp_path / "c.csv").to_pylist(), lines):
            found = sorted(({name: row[name] for name in names} for row in table), key=by_place)
            assert found == expected


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
