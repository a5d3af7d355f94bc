"""Bad input: each gets its clear error or lands where it can be looked at, and nothing else is lost."""

import json
import os
import re
import socket
import sqlite3

import pyarrow
import pyarrow.parquet
import pytest

from conftest import CRYPTO, free_port, get, project_copy, wait_for

START = 1_700_000_040_000  # the beginning of a minute
LINES = ("  xrp_eth:   {kind", "  lines: {kind: file, path: trades.jsonl, stream: trades}\n  xrp_eth:   {kind")
ROWS = ("  xrp_eth:   {kind", "  rows: {kind: file, path: trades.parquet, stream: trades}\n  xrp_eth:   {kind")


def trade(at, price=100.0, **changes):
    fields = {"pair": "A/B", "price": price, "quantity": 1.0, "trade_id": f"t{at}-{price}", "timestamp_ms": START + at * 1_000}
    fields.update(changes)
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


class TestProjectFile:
    def refused(self, mlops, project, *arguments):
        """What `check` says, which is what every role says too."""
        done = mlops.run("check", "--project", project, status=78, data=False)
        assert done.stdout == ""
        role = mlops.run("features", "--once", "--project", project, status=78)
        assert role.stderr == done.stderr
        assert not mlops.data.exists(), "nothing is made for a project that is wrong"
        return done.stderr

    @pytest.mark.parametrize("old, new, at, words", [
        ("\nserving:", "\nservin:", "servin:", 'unknown key "servin"; did you mean "serving"?'),
        ("grace: 5s", "grce: 5s", "grce:", 'unknown key "grce"; did you mean "grace"?'),
        ("rate: 20/s", "rate: fast", "fast", "expected a rate such as 200/s, found fast"),
        ("keep: 10000", "keep: many", "many", "expected a whole number from 1 to 10000000, found many"),
        ("pairs: [BTC/USD, ETH/USD, XRP/ETH]", "pairs: {a: b}", "{a: b}", "pairs"),
        ("sma_7: sma(close, 7)", "sma_7: sma(clsoe, 7)", "clsoe", 'unknown column "clsoe"; did you mean "close"?'),
        ("sma_7: sma(close, 7)", "sma_7: smma(close, 7)", "smma(", '"smma"'),
        ("sma_7: sma(close, 7)", "sma_7: sma(close, 0)", "0)", "sma"),
        ("sma_7: sma(close, 7)", "sma_7: sma(close", "sma(close", ""),
        ("high: max(price)", "high: sum(side)", "side)", "expects a number, not a string"),
        ("return_5: close / lag(close, 5) - 1", "return_5: lead(close, 5m)", "lead(", "legal only in training.target"),
        ("view: indicators", "view: indicatorz", "indicatorz", 'did you mean "indicators"?'),
        ("lead(current_price, 10m)", "lead(curent_price, 10m)", "curent_price", 'did you mean "current_price"?'),
        ("kind: xgboost", "kind: xgbost", "xgbost", "xgboost"),
        ("min_improvement: 0.0", "min_improvement: -1", "-1", "min_improvement"),
        ("from: trades\n", "from: trade\n", "trade\n", 'did you mean "trades"?'),
    ])
    def test_a_mistake_is_told_with_line_column_and_the_nearest_spelling(self, mlops, tmp_path, old, new, at, words):
        text = (CRYPTO / "mlops.yaml").read_text()
        assert old in text
        (tmp_path / "project").mkdir()
        (tmp_path / "project/mlops.yaml").write_text(text.replace(old, new, 1))
        said = self.refused(mlops, tmp_path / "project")
        before = text.replace(old, new, 1)
        offset = before.index(new) + new.index(at)
        line, column = before[:offset].count("\n") + 1, offset - before.rfind("\n", 0, offset)
        found = re.match(rf"mlops: {re.escape(str(tmp_path / 'project/mlops.yaml'))}:(\d+):(\d+): (.*)", said)
        assert found, said
        assert words in found.group(3)
        if "sma(close" == at:
            assert int(found.group(1)) == line, "the place where the parenthesis is missing is on the line"
        else:
            assert (int(found.group(1)), int(found.group(2))) == (line, column), said

    def test_all_mistakes_of_a_file_are_told_at_once_in_order(self, mlops, tmp_path):
        project = project_copy(
            tmp_path / "project", ("rate: 20/s", "rate: fast"), ("sma_7: sma(close, 7)", "sma_7: sma(clsoe, 7)"),
            ("return_1: close / lag(close, 1) - 1", "return_1: close / lagg(close, 1) - 1"), ("folds: 3", "folds: three"),
            ("\nserving:", "\nservin:"))
        lines = self.refused(mlops, project).splitlines()
        places = [int(re.match(r"mlops: [^:]+:(\d+):\d+: ", line).group(1)) for line in lines]
        assert len(lines) == 5 and places == sorted(places)

    @pytest.mark.parametrize("text", [": : [", "\tproject: x", "project: [", "project: x\nproject: y", "[1, 2]", "", "project: \x00"])
    def test_a_file_that_is_not_a_project_is_told_with_its_place(self, mlops, tmp_path, text):
        (tmp_path / "project").mkdir()
        (tmp_path / "project/mlops.yaml").write_text(text)
        assert re.match(r"mlops: \S+mlops\.yaml:\d+:\d+: ", self.refused(mlops, tmp_path / "project"))

    def test_a_folder_without_a_project_is_named(self, mlops, tmp_path):
        assert str(tmp_path / "nowhere") in self.refused(mlops, tmp_path / "nowhere")


class TestFiles:
    """Files that cannot be read as what they are."""

    @pytest.fixture(params=["produce", "all", "backfill"])
    def read(self, request, mlops, tmp_path):
        def run(path, status):
            command = {
                "produce": ["produce", "--once", "--speed", "max", "--source", "xrp_eth", "--file", f"xrp_eth={path}", "--admin-port", 0],
                "all": ["all", "--once", "--replay", f"xrp_eth={path}"],
                "backfill": ["features", "backfill", "--source", "xrp_eth", "--file", f"xrp_eth={path}", "--out", tmp_path / "out"],
            }[request.param]
            done = mlops.run(*command, "--project", CRYPTO, status=None)
            assert done.returncode in status, (done.returncode, done.stderr)
            last = done.stderr.splitlines()[-1]
            assert last.startswith("mlops: ") and str(path) in last, "the last line names the file"
            return last
        return run

    def test_a_truncated_parquet_file(self, read, xrp_eth, tmp_path):
        path = tmp_path / "truncated.parquet"
        path.write_bytes(xrp_eth.read_bytes()[:200_000])
        read(path, {65, 74})

    @pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all" * 100, b"PAR1" + bytes(1000) + b"PAR1"])
    def test_a_file_that_is_not_parquet(self, read, tmp_path, content):
        path = tmp_path / "other.parquet"
        path.write_bytes(content)
        read(path, {65, 74})

    def test_a_file_that_is_not_there(self, read, tmp_path):
        read(tmp_path / "missing.parquet", {74})

    def test_a_folder_in_place_of_a_file(self, read, tmp_path):
        (tmp_path / "folder.parquet").mkdir()
        read(tmp_path / "folder.parquet", {65, 74})

    def test_a_file_without_a_needed_column_tells_which_it_has(self, read, tmp_path):
        path = tmp_path / "columns.parquet"
        pyarrow.parquet.write_table(pyarrow.table({"timestamp": [1], "id": ["a"], "amount": [1.0], "cost": [1.0]}), path)
        said = read(path, {65})
        assert '"price"' in said and "timestamp, id, amount, cost" in said

    def test_a_file_of_an_unknown_kind(self, read, tmp_path):
        path = tmp_path / "trades.xlsx"
        path.write_bytes(b"x")
        read(path, {65, 78})


class TestRecords:
    """Records that the stream refuses."""

    NORMAL = [trade(at, 100.0 + at) for at in range(0, 300, 10)]
    REFUSED = {
        b"this line is not JSON": "not JSON",
        b'{"pair":"A/B","price":': "not JSON",
        b"[1,2,3]": "",
        b'"text"': "",
        trade(11, -1.0): 'field "price" must be > 0, got -1.0',
        trade(12, 0.0): 'field "price" must be > 0',
        trade(13, quantity=-0.5): 'field "quantity" must be >= 0',
        trade(14, price=...): '"price"',
        trade(15, pair=...): "key",
        trade(16, timestamp_ms=...): '"timestamp_ms"',
        trade(17, price="cheap"): '"price"',
        trade(18, price=None): '"price"',
        trade(19, pair=""): "key",
        trade(21, timestamp_ms=4_102_444_800_000): "more than 5 minutes ahead",
        trade(22, timestamp_ms=9_999_999_999_999_999): "not a time",
        trade(23).replace(b"100.0", b"1e999"): '"price"',
        b'{"pair":"A/\xff\xfe","price":1.0,"quantity":1.0,"timestamp_ms":1700000040000}': "",
        b"\x00\x01\x02": "not JSON",
        b"{" * 5_000: "not JSON",
    }

    @pytest.fixture
    def project(self, tmp_path):
        directory = project_copy(tmp_path / "project", LINES)
        lines = list(self.NORMAL)
        for at, bad in enumerate(self.REFUSED):
            lines.insert(3 + at, bad)
        (directory / "trades.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        return directory

    def feed(self, mlops, project, source="lines"):
        mlops.run("produce", "--once", "--speed", "max", "--source", source, "--admin-port", 0, "--project", project)
        return mlops.run("features", "--once", "--project", project)

    def test_each_lands_in_dead_with_reason_origin_and_original_bytes(self, mlops, project):
        done = self.feed(mlops, project)
        dead = {record[4]: record[5] for record in mlops.records("trades.dead")}
        assert dead.keys() == self.REFUSED.keys()
        origin = {f"trades/{partition}/{offset}": value for partition, offset, _, _, value, _ in mlops.records("trades")}
        for value, reason in self.REFUSED.items():
            assert reason in dead[value]["mlops-dead-reason"].decode() != "", value
            assert origin[dead[value]["mlops-origin"].decode()] == value
        assert "records refused" in done.stderr and "topic=trades.dead" in done.stderr

    def test_the_others_are_processed_as_if_the_bad_ones_were_not_there(self, mlops, project, tmp_path, binary):
        self.feed(mlops, project)
        (candles,) = mlops.by_key("candles").values()
        assert sum(json.loads(value)["trades"] for _, value in candles) == len(self.NORMAL)
        (project / "trades.jsonl").write_bytes(b"\n".join(self.NORMAL) + b"\n")
        mlops.data = tmp_path / "clean"
        self.feed(mlops, project)
        assert mlops.records("trades.dead") == []
        assert mlops.by_key("candles") == {b"A/B": candles}

    def test_the_batch_path_refuses_the_same_records(self, mlops, project, tmp_path):
        self.feed(mlops, project)
        done = mlops.run("features", "backfill", "--source", "lines", "--out", tmp_path / "out", "--project", project)
        assert f"{len(self.NORMAL)} events, 0 repeats, 0 late, {len(self.REFUSED)} refused" in done.stdout
        assert "first refusal: not JSON" in done.stdout
        values = [record[4] for record in mlops.records("candles")]
        assert (tmp_path / "out/candles.jsonl").read_bytes().splitlines() == values

    def test_a_running_role_goes_on_and_counts_them(self, mlops, project):
        port = free_port()
        features = mlops.start("features", "--admin-port", port, "--project", project)
        mlops.run("produce", "--once", "--speed", "max", "--source", "lines", "--admin-port", 0, "--project", project)
        wait_for(lambda: mlops.committed("features/trades", "trades") == mlops.end("trades") > 0, "the work done", process=features)
        metrics = get(f"http://127.0.0.1:{port}/metrics").text
        assert f'mlops_features_events_dead_total{{stream="trades"}} {len(self.REFUSED)}' in metrics
        assert f'mlops_features_events_accepted_total{{stream="trades"}} {len(self.NORMAL)}' in metrics
        assert mlops.terminate(features) == 0

    def test_a_repeat_of_an_id_is_dropped_and_not_dead(self, mlops, project):
        (project / "trades.jsonl").write_bytes(b"\n".join([*self.NORMAL[:10], *self.NORMAL[2:8], *self.NORMAL[10:]]))
        self.feed(mlops, project)
        assert mlops.records("trades.dead") == []
        assert sum(row["trades"] for row in mlops.rows("candles")) == len(self.NORMAL)

    def test_blank_lines_and_carriage_returns_are_no_records(self, mlops, project):
        (project / "trades.jsonl").write_bytes(b"\r\n\n".join(self.NORMAL) + b"\r\n\n\n")
        self.feed(mlops, project)
        assert mlops.records("trades.dead") == []
        assert sum(row["trades"] for row in mlops.rows("candles")) == len(self.NORMAL)

    def test_bad_rows_of_a_parquet_file_land_in_dead_too(self, mlops, tmp_path):
        project = project_copy(tmp_path / "project", ROWS)
        prices = [100.0, None, -5.0, float("nan"), float("inf"), 101.0]
        pyarrow.parquet.write_table(pyarrow.table({
            "pair": ["A/B"] * 5 + [None], "price": prices, "quantity": [1.0] * 6, "trade_id": list("abcdef"),
            "timestamp_ms": [START + at for at in range(6)]}), project / "trades.parquet")
        self.feed(mlops, project, "rows")
        assert len(mlops.records("trades.dead")) == 5
        assert [row["close"] for row in mlops.rows("candles")] == [100.0]

    def test_one_impossible_time_does_not_move_the_training_cut_of_the_loop(self, mlops, tmp_path):
        project = project_copy(tmp_path / "project", LINES)
        lines = [trade(at, 100.0 + at % 7) for at in range(0, 3_000 * 20, 20)]
        lines.insert(100, trade(1, 100.0, timestamp_ms=4_102_444_800_000))
        (project / "trades.jsonl").write_bytes(b"\n".join(lines))
        done = mlops.run("all", "--once", "--replay", "lines", "--project", project)
        assert len(mlops.records("trades.dead")) == 1
        assert "2100" not in done.stdout and "training until 2023-11-15T11:33:" in done.stdout
        predicted = int(re.search(r"(\d+) rows predicted", done.stdout).group(1))
        assert 190 <= predicted <= 210


class TestClocks:
    def feed(self, mlops, tmp_path, events):
        project = project_copy(tmp_path / "project", LINES)
        (project / "trades.jsonl").write_bytes(b"\n".join(events))
        mlops.run("produce", "--once", "--speed", "max", "--source", "lines", "--admin-port", 0, "--project", project)
        mlops.run("features", "--once", "--project", project)
        return mlops.rows("candles")

    def test_a_clock_that_jumps_ahead_and_back_makes_what_follows_late_and_loses_nothing(self, mlops, tmp_path):
        day = 86_400
        before = [trade(at, 100.0) for at in range(0, 120, 10)]
        after = [trade(at, 102.0) for at in range(130, 200, 10)]
        rows = self.feed(mlops, tmp_path, [*before, trade(10 * day, 101.0), *after])
        late = mlops.records("trades.late")
        assert [record[4] for record in late] == after
        assert all(int(record[5]["late_by_ms"]) > 9 * day * 1_000 for record in late)
        assert {record[5]["mlops-view"] for record in late} == {b"candles"}
        assert mlops.records("trades.dead") == []
        assert sum(row["trades"] for row in rows) == len(before) + 1
        starts = [row["window_start_ms"] for row in rows]
        assert starts[-1] == START + 10 * day * 1_000
        assert len(rows) <= 2 + day // 60 + 1, "a silence longer than max_gap is not filled beyond it"

    def test_events_within_the_grace_are_counted_where_they_belong(self, mlops, tmp_path):
        rows = self.feed(mlops, tmp_path, [trade(0), trade(59), trade(64), trade(58.5, 7.0), trade(66), trade(57, 9.0), trade(130)])
        assert [row["trades"] for row in rows] == [3, 2, 1]
        assert (rows[0]["close"], rows[0]["low"]) == (100.0, 7.0), "the last one by event time closes the minute"
        assert [json.loads(record[4])["price"] for record in mlops.records("trades.late")] == [9.0]


class TestCommandLine:
    def test_an_unknown_source_is_named_with_the_nearest(self, mlops):
        for command in (["produce", "--once"], ["all", "--once", "--duration", "1h"]):
            done = mlops.run(*command, "--source", "synthetik", "--project", CRYPTO, status=78)
            assert 'there is no source "synthetik"; did you mean "synthetic"?' in done.stderr
        done = mlops.run("all", "--once", "--replay", "xrp-eth=x.parquet", "--project", CRYPTO, status=78)
        assert 'there is no source "xrp-eth"; did you mean "xrp_eth"?' in done.stderr

    @pytest.mark.parametrize("speed", ["fast", "0x", "-1x", "x", "nanx", "infx", "1"])
    def test_a_speed_that_is_none_is_refused(self, mlops, speed):
        done = mlops.run("produce", "--once", f"--speed={speed}", "--project", CRYPTO, status=78)
        assert "--speed" in done.stderr and f'"{speed}"' in done.stderr

    @pytest.mark.parametrize("arguments", [
        ["nosuchcommand"], ["features", "--nosuch"], ["produce", "--duration", "soon"], ["produce", "--start", "yesterday"],
        ["produce", "--rate", "0"], ["produce", "--file", "nopath"], ["all", "--train-until", "later", "--once", "--quick"],
        ["features", "backfill"]])
    def test_a_bad_command_line_is_status_64(self, mlops, arguments):
        done = mlops.run(*arguments, status=64, data=False)
        assert done.stdout == "" and done.stderr

    @pytest.mark.parametrize("variable, value, words", [
        ("MLOPS_TRACK_PORT", "many", 'MLOPS_TRACK_PORT: "many"'), ("MLOPS_LOG_LEVEL", "loud", "MLOPS_LOG_LEVEL"),
        ("MLOPS_EVENT_LOG_DURABILITY", "most", "MLOPS_EVENT_LOG_DURABILITY")])
    def test_a_malformed_variable_is_named_and_not_ignored(self, mlops, variable, value, words):
        done = mlops.run("track", "--project", CRYPTO, status=78, environment={variable: value})
        assert words in done.stderr

    def test_a_variable_that_is_nearly_a_setting_is_pointed_out(self, mlops):
        environment = {"MLOPS_SERVE_PROT": "1", "MLOPS_POSTGRES_PORT_5432_TCP": "tcp://10.0.0.1"}
        done = mlops.run("serve", "--check-config", "--project", CRYPTO, environment=environment)
        assert "MLOPS_SERVE_PROT is not read; did you mean MLOPS_SERVE_PORT?" in done.stderr and "POSTGRES" not in done.stderr
        done = mlops.run("features", "--once", "--admin-port", 0, "--project", CRYPTO, environment=environment)
        assert "MLOPS_SERVE_PROT is not read" in done.stderr + done.stdout

    def test_every_malformed_setting_is_told_at_once(self, mlops):
        done = mlops.run(
            "track", "--port", "99999", "--log-level", "loud", "--project", CRYPTO, status=78, environment={"MLOPS_HOST": ""})
        assert "--port" in done.stderr and "--log-level" in done.stderr

    @pytest.mark.parametrize("command", [["track", "--port"], ["serve", "--port"], ["features", "--admin-port"], ["monitor", "--port"]])
    def test_a_port_in_use_is_status_74_and_named(self, mlops, command):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            admin = [] if "--admin-port" in command else ["--admin-port", 0]
            # The parts of a role that has to give up stop in any order.
            for _ in range(5):
                done = mlops.run(*command, port, *admin, "--project", CRYPTO, status=74, timeout=20)
                assert f"127.0.0.1:{port}" in done.stderr.splitlines()[-1]


class TestDataDirectory:
    def test_more_replicas_than_partitions_are_status_78(self, mlops):
        done = mlops.run("features", "--once", "--project", CRYPTO, status=78, environment={"MLOPS_FEATURES_REPLICAS": "5"})
        assert "features.replicas is 5, but the streams have 4 partitions" in done.stderr
        mlops.run("features", "--once", "--project", CRYPTO, environment={"MLOPS_FEATURES_REPLICAS": "4"})

    def test_a_file_in_its_place_is_status_78(self, mlops):
        mlops.data.write_text("I am a file")
        done = mlops.run("features", "--once", "--project", CRYPTO, status=78)
        assert str(mlops.data) in done.stderr and mlops.data.read_text() == "I am a file"

    @pytest.mark.parametrize("command", [
        ["features", "--once"], ["produce", "--once", "--source", "synthetic", "--duration", "1h", "--speed", "max", "--admin-port", 0],
        ["serve", "--port", 0, "--admin-port", 0], ["track", "--port", 0, "--admin-port", 0], ["monitor", "--once", "--admin-port", 0]])
    def test_a_log_that_is_no_database_is_status_74_and_left_alone(self, mlops, command):
        mlops.data.mkdir()
        (mlops.data / "log.sqlite").write_bytes(b"this is not a database" * 500)
        done = mlops.run(*command, "--project", CRYPTO, status=74)
        last = done.stderr.splitlines()[-1]
        assert last.startswith("mlops: ") and "log.sqlite" in last
        assert (mlops.data / "log.sqlite").read_bytes() == b"this is not a database" * 500

    def test_a_damaged_log_is_told_and_not_a_crash(self, mlops):
        mlops.run("produce", "--once", "--source", "synthetic", "--duration", "2h", "--speed", "max", "--admin-port", 0, "--project", CRYPTO)
        database = sqlite3.connect(mlops.data / "log.sqlite")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        path = mlops.data / "log.sqlite"
        size = path.stat().st_size
        assert size > 200_000
        with open(path, "r+b") as file:
            file.seek(8_192)
            file.write(os.urandom(size - 8_192))
        done = mlops.run("features", "--once", "--project", CRYPTO, status=74)
        assert "malformed" in done.stderr or "corrupt" in done.stderr

    def test_records_that_are_damaged_inside_a_whole_database_are_told(self, mlops):
        mlops.run("produce", "--once", "--source", "synthetic", "--duration", "1h", "--speed", "max", "--admin-port", 0, "--project", CRYPTO)
        database = sqlite3.connect(mlops.data / "log.sqlite")
        with database:
            (size,) = database.execute("SELECT max(length(data)) FROM batches").fetchone()
            database.execute("UPDATE batches SET data = substr(data, 1, length(data) - 7)")
        database.close()
        assert size > 100
        done = mlops.run("features", "--once", "--project", CRYPTO, status=74)
        assert "trades" in done.stderr.splitlines()[-1]

    def test_a_changed_definition_on_old_state_is_status_78_and_names_the_column(self, mlops, tmp_path):
        feed = ["produce", "--once", "--source", "synthetic", "--duration", "1h", "--speed", "max", "--admin-port", 0]
        mlops.run(*feed, "--project", CRYPTO)
        mlops.run("features", "--once", "--project", CRYPTO)
        rows = mlops.by_key("technical_indicators")
        other = project_copy(tmp_path / "other", ("sma_7: sma(close, 7)", "sma_7: sma(close, 8)"))
        for command in (["features", "--once"], ["features", "--admin-port", 0]):
            done = mlops.run(*command, "--project", other, status=78, timeout=10)
            assert "sma_7" in done.stderr and "sma_14" not in done.stderr
        window = project_copy(tmp_path / "window", ("length: 60s", "length: 120s"))
        assert "candles" in mlops.run("features", "--once", "--project", window, status=78).stderr
        assert mlops.by_key("technical_indicators") == rows, "nothing was written"
        assert mlops.run("features", "--once", "--project", CRYPTO).stdout.startswith("0 records")

    def test_a_failing_source_ends_produce_although_another_has_no_end(self, mlops, tmp_path):
        project = project_copy(tmp_path / "project", ("optional: true, ", ""))
        done = mlops.run("produce", "--admin-port", 0, "--project", project, status=74, timeout=10)
        assert "xrp_eth_trades.parquet" in done.stderr.splitlines()[-1]

    def test_a_finished_source_that_is_started_again_adds_nothing(self, mlops):
        feed = ["produce", "--once", "--source", "synthetic", "--duration", "1h", "--speed", "max", "--admin-port", 0, "--project", CRYPTO]
        mlops.run(*feed)
        end = mlops.end("trades")
        mlops.run(*feed)
        assert mlops.end("trades") == end > 1_000
