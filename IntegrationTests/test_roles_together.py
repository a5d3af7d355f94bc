"""Roles as processes of their own, side by side on one directory."""

import json
import math
import re
import signal
import time

import pytest
import requests

from conftest import CRYPTO, MODEL, Mlops, free_port, get, is_up, project_copy, wait_for

GROUP = "features/trades"
INPUT = ["--source", "synthetic", "--duration", "12h", "--start", "2024-03-01T00:00:00Z", "--rate", "1"]
SMALL = {"MLOPS_FEATURES_BATCH_RECORDS": "20"}
# Without the source whose file is not here.
SYNTHETIC_ONLY = (re.compile(r"  xrp_eth:(.|\n)*?\}\n(?=\nstreams)"), "")
OWN_PORT = {"serve": ["--port", 0], "monitor": ["--port", 0], "track": ["--port", 0]}
ROLES = ["produce", "features", "serve", "monitor", "track"]


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
        known = {key: len(rows) for key, rows in mlops.by_key("technical_indicators").items()}
        mlops.run("train", "--trials", 1, "--refusal", "ok", "--admin-port", 0, "--project", project)
        mlops.wait_for_log(serve, "model served")
        mlops.run("produce", "--once", "--speed", "max", *feed)
        wait_for(lambda: mlops.committed(GROUP, "trades") == mlops.end("trades"), "the rest computed", process=features)
        assert mlops.end("technical_indicators") == 3 * 480 > sum(known.values())

        new = mlops.end("technical_indicators") - sum(known.values())
        wait_for(lambda: mlops.end("predictions") >= new, "a prediction of every new row", process=serve)
        predicted = {}
        for _, _, _, key, value, _ in mlops.records("predictions"):
            predicted.setdefault(key, []).append(json.loads(value)["feature_time_ms"])
        for key, rows in mlops.by_key("technical_indicators").items():
            ends = [json.loads(value)["window_end_ms"] for _, value in rows]
            assert predicted[key] == ends[known[key]:], "every row that came after there was a model, once"

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
        wait_for(lambda: mlops.query("SELECT * FROM state WHERE consumer LIKE 'serve-stream/%' AND key = ?", b"start"), "a start of the stream")
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
