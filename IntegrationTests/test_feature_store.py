"""The feature store from outside: joins, the feature server by plain requests and by Feast's own client, get, backfill, parity."""

import csv
import json
import os
import pathlib
import re
import sqlite3
import subprocess

import pytest
import requests

from conftest import ROOT, SHARED, free_port, is_up, wait_for

PIT = SHARED / "golden/streaming/pit"
# Feast wants other versions than the other clients.
FEAST = ROOT / ".build/feast-venv/bin/python"
PROJECT = """project: shop
sources: {clicks: {kind: file, path: clicks.jsonl, stream: clicks}}
streams:
  clicks:
    key: user_id
    time: at
    fields: {user_id: int, price: double, note: string?, at: int}
    require: {price: "> 0"}
views:
  spending: {from: clicks, columns: {price: price, mean_3: "sma(price, 3)", note: note}}
  last: {from: clicks, columns: {doubled: price * 2}}
feature_store:
  ttl: {last: 1d}
  services: {checkout: ["spending:mean_3", last]}
"""


@pytest.fixture
def shop(mlops, tmp_path):
    """300 clicks of ten users, computed."""
    (tmp_path / "mlops.yaml").write_text(PROJECT)
    lines = [
        json.dumps({"user_id": index % 10, "price": 1 + index / 4, "note": "n" if index % 2 else None, "at": 1_700_000_000_000 + index * 1000})
        for index in range(300)]
    (tmp_path / "clicks.jsonl").write_text("\n".join(lines) + "\n")
    mlops.run("produce", "--once", "--speed", "max", "--project", tmp_path, "--admin-port", 0)
    mlops.run("features", "run", "--once", "--project", tmp_path)
    mlops.project = tmp_path
    return mlops


class Server:
    def __init__(self, mlops):
        self.port = free_port()
        self.process = mlops.start("features", "serve", "--project", mlops.project, "--port", self.port, "--admin-port", 0)
        self.url = f"http://127.0.0.1:{self.port}"
        is_up(self.url + "/readyz", self.process)

    def post(self, path, body, **keywords):
        return requests.post(self.url + path, json=body, timeout=10, **keywords)

    def online(self, features, entities, **more):
        answer = self.post("/get-online-features", {"features": features, "entities": entities, **more})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return dict(zip(found["metadata"]["feature_names"], found["results"], strict=True))


class TestJoin:
    @pytest.mark.skipif(not PIT.exists(), reason="no reference values")
    def test_files_are_joined_as_the_reference_has_it(self, mlops, tmp_path):
        command = ["features", "join", "--spine", PIT / "spine.csv", "--entity", "user_id", "--ttl", "a=1h", "--ttl", "b=1d"]
        for name in "ab":
            command += ["--view", f"{name}={PIT}/view_{name}.csv"]
        done = mlops.run(*command, "--output", tmp_path / "out.csv", data=False)
        found, expected = (list(csv.reader(open(path))) for path in (tmp_path / "out.csv", PIT / "expected.csv"))
        assert found[0] == expected[0] and len(found) == len(expected) > 3000
        number = lambda row: row[:2] + [float(cell) if cell else None for cell in row[2:]]
        assert [number(row) for row in found[1:]] == [number(row) for row in expected[1:]]
        assert done.stdout.startswith(f"{len(expected) - 1} rows with 2 features")

    def test_views_of_the_project_are_joined_by_their_availability(self, shop, tmp_path):
        start = 1_700_000_000_000
        (tmp_path / "spine.csv").write_text(f"user_id,event_timestamp\n3,{start + 2999}\n3,{start + 3000}\n77,{start}\n3,{start + 33_000}\n")
        shop.run(
            "features", "join", "--project", shop.project, "--spine", tmp_path / "spine.csv", "--views", "spending:price,mean_3",
            "--views", "last", "--ttl", "last=1s", "--output", tmp_path / "out.jsonl")
        rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert [row["spending__price"] for row in rows] == [None, 1.75, None, 9.25]
        assert [row["last__doubled"] for row in rows] == [None, 3.5, None, 18.5]
        assert [row["spending__mean_3"] for row in rows] == [None, None, None, 6.75]

    def test_what_is_wrong_is_named(self, mlops, tmp_path):
        (tmp_path / "s.csv").write_text("user_id,event_timestamp\n1,yesterday\n")
        (tmp_path / "v.csv").write_text("user_id,event_timestamp,x\n1,2026-01-01T00:00:00Z,1\n")
        join = lambda *more, status: mlops.run("features", "join", "--spine", tmp_path / "s.csv", *more, status=status, data=False).stderr
        view = ["--view", f"v={tmp_path}/v.csv"]
        out = ["--output", tmp_path / "o.csv"]
        assert '"yesterday" is not an ISO 8601 time' in join(*view, "--entity", "user_id", *out, status=65)
        assert "--entity" in join(*view, *out, status=78)
        assert ".parquet, .csv or .jsonl" in join(*view, "--entity", "user_id", "--output", tmp_path / "o.xls", status=78)
        assert "--ttl nope=1d" in join(*view, "--entity", "user_id", "--ttl", "nope=1d", *out, status=78)
        assert not (tmp_path / "o.csv").exists()


class TestServer:
    def test_it_answers_as_feast_does(self, shop):
        server = Server(shop)
        assert requests.get(server.url + "/health", timeout=5).status_code == 200
        found = server.online(["spending:price", "last:doubled", "spending:note"], {"user_id": [9, 8, 999]})
        assert list(found) == ["user_id", "price", "note", "doubled"]
        at = ["2023-11-14T22:18:19Z", "2023-11-14T22:18:18Z", "1970-01-01T00:00:00Z"]
        assert found["price"] == {"values": [75.75, 75.5, None], "statuses": ["PRESENT", "PRESENT", "NOT_FOUND"], "event_timestamps": at}
        assert found["note"]["statuses"] == ["PRESENT", "NULL_VALUE", "NOT_FOUND"]
        # The row of 2023 is older than the day that the project allows.
        assert found["doubled"]["statuses"] == ["OUTSIDE_MAX_AGE", "OUTSIDE_MAX_AGE", "NOT_FOUND"]
        assert found["doubled"]["values"] == [None] * 3
        assert list(server.online(["spending:price"], {"user_id": ["9"]}, full_feature_names=True)) == ["user_id", "spending__price"]
        service = server.post("/get-online-features", {"feature_service": "checkout", "entities": {"user_id": [9]}}).json()
        assert service["metadata"]["feature_names"] == ["user_id", "mean_3", "doubled"]

    def test_the_content_type_does_not_matter_and_errors_are_feasts(self, shop):
        server = Server(shop)
        body = json.dumps({"features": ["spending:price"], "entities": {"user_id": [1]}})
        for headers in ({}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "text/plain"}):
            assert requests.post(server.url + "/get-online-features", data=body, headers=headers, timeout=5).status_code == 200
        answer = server.post("/get-online-features", {"features": ["nope:x"], "entities": {"user_id": [1]}})
        assert answer.status_code == 404
        assert json.loads(answer.json()) == {
            "module": "feast.errors", "class": "FeatureViewNotFoundException", "message": "Feature view nope does not exist in project shop"}
        assert server.post("/get-online-features", {"features": ["spending:price"], "entities": {}}).status_code == 422
        assert requests.post(server.url + "/get-online-features", data="{", timeout=5).status_code == 422
        assert server.post("/materialize-incremental", {"end_ts": "2026-01-01T00:00:00"}).json() is None
        assert server.post("/materialize", {"feature_views": ["nope"]}).status_code == 404
        assert "push" in server.post("/write-to-online-store", {"feature_view_name": "spending", "df": {}}).json()

    def test_what_is_pushed_is_computed_and_served(self, shop):
        server = Server(shop)
        shop.start("features", "run", "--project", shop.project, "--admin-port", 0)
        push = {"push_source_name": "clicks", "df": {"user_id": [500, 500], "price": [2, 4], "event_timestamp": ["2026-01-01T00:00:00Z"] * 2}}
        assert server.post("/push", {**push, "to": "online_and_offline"}).status_code == 200
        row = lambda: server.online(["spending:price", "last:doubled"], {"user_id": [500]})
        wait_for(lambda: row()["price"]["values"] == [4.0], "the pushed row", process=server.process)
        assert {"user_id": 500, "price": 4.0, "note": None, "at": 1767225600000} in shop.rows("clicks")
        events = shop.end("clicks")
        push["df"]["price"] = [2, -4]
        refused = server.post("/push", push)
        assert refused.status_code == 422 and "row 2" in refused.json() and shop.end("clicks") == events
        assert server.post("/push", {**push, "push_source_name": "nope"}).status_code == 422

    def test_feasts_own_client_reads_from_it(self, shop, tmp_path):
        server = Server(shop)
        repository = tmp_path / "repository"
        repository.mkdir()
        (repository / "feature_store.yaml").write_text(
            f"project: shop\nprovider: local\nregistry: {repository}/registry.db\nentity_key_serialization_version: 3\n"
            f"online_store: {{type: remote, path: {server.url}}}\n")
        (repository / "client.py").write_text(CLIENT)
        done = subprocess.run([FEAST, repository / "client.py", repository], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        assert found["price"] == [75.75, None] and found["note"] == ["n", None] and found["user_id"] == [9, 999]


CLIENT = """
import json, sys
from datetime import timedelta
from feast import Entity, FeatureStore, FeatureView, Field, FileSource
from feast.types import Float64, String
from feast.value_type import ValueType
store = FeatureStore(repo_path=sys.argv[1])
user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
source = FileSource(name="clicks", path=sys.argv[1] + "/none.parquet", timestamp_field="event_timestamp")
view = FeatureView(
    name="spending", entities=[user], ttl=timedelta(0), source=source,
    schema=[Field(name="price", dtype=Float64), Field(name="mean_3", dtype=Float64), Field(name="note", dtype=String)])
store.registry.apply_entity(user, "shop")
store.registry.apply_feature_view(view, "shop")
rows = [{"user_id": 9}, {"user_id": 999}]
found = store.get_online_features(features=["spending:price", "spending:note"], entity_rows=rows).to_dict()
print(json.dumps(found))
"""


class TestGet:
    def test_the_newest_rows_of_an_entity(self, shop):
        lines = [json.loads(line) for line in shop.run("features", "get", "9", "--project", shop.project).stdout.splitlines()]
        assert [line["view"] for line in lines] == ["spending", "last"]
        assert lines[0]["row"]["price"] == 75.75 and lines[0]["entity"] == "9" and lines[0]["age_ms"] > 0
        (only,) = shop.run("features", "get", "9", "--view", "last", "--project", shop.project).stdout.splitlines()
        assert json.loads(only)["row"]["doubled"] == 151.5
        assert 'no row of "77"' in shop.run("features", "get", "77", "--project", shop.project, status=1).stderr
        assert "did you mean" in shop.run("features", "get", "9", "--view", "lst", "--project", shop.project, status=78).stderr


class TestRecomputation:
    def test_export_of_a_range(self, shop, tmp_path):
        export = lambda *more: shop.run(
            "features", "export", "--view", "last", "--project", shop.project, "--output", tmp_path / "o.jsonl", *more)
        assert export("--from", "2023-11-14T22:13:30Z", "--to", "2023-11-14T22:13:40Z").stdout.startswith("10 rows of ")
        assert export("--from", 1_700_000_290_000).stdout.startswith("10 rows of ")

    def test_parity_holds_and_a_changed_row_is_named(self, shop):
        done = shop.run("features", "parity", "--project", shop.project)
        assert "310 records of streams" in done.stdout, "the events, and the end of each user's"
        assert "spending: 300 rows equal, 10 latest rows equal" in done.stdout, done.stdout
        # A row that nobody computed.
        database = sqlite3.connect(shop.data / "log.sqlite")
        found = database.execute(
            "SELECT batches.rowid, data FROM batches JOIN topics ON id = topic WHERE name = 'last' ORDER BY partition, base").fetchall()
        row, data = found[0]
        place = data.index(b'"doubled":') + len(b'"doubled":')
        database.execute("UPDATE batches SET data = ? WHERE rowid = ?", (data[:place] + b"9" + data[place + 1:], row))
        database.commit()
        database.close()
        failed = shop.run("features", "parity", "--project", shop.project, status=2)
        assert re.search(r"not equal: last/\d, entity \d+, offset \d+\n +stored: +\S+ \{.*\"doubled\":9", failed.stderr), failed.stderr

    def test_shards_of_a_backfill_share_the_rows(self, shop, tmp_path):
        import pyarrow.parquet
        out = tmp_path / "out"
        backfill = lambda *more: shop.run("features", "backfill", "--project", shop.project, "--out", out, "--view", "spending", *more)
        for shard in ("0/2", "1/2"):
            backfill("--shard", shard)
        files = sorted((out / "spending").glob("*.parquet"))
        assert len(files) == 8
        found = sorted((row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()), key=lambda row: row["event_time_ms"])
        expected = sorted(shop.rows("spending"), key=lambda row: row["event_time_ms"])
        assert found == expected and len(found) == 300
        files[0].unlink()
        assert "1 pieces computed, 3 were there" in backfill("--shard", files[0].stem.split("-")[1].replace("of", "/")).stdout

    def test_events_are_archived_when_asked(self, shop):
        shop.run("features", "run", "--once", "--project", shop.project, environment={"MLOPS_FEATURES_ARCHIVE_EVENTS": "true"})
        assert list((shop.data / "objects/events/clicks/day=2023-11-14").glob("*.parquet"))

    def test_a_damaged_file_of_the_archive_is_named(self, shop):
        file = next((shop.data / "objects/features/last").glob("day=*/*.parquet"))
        file.write_bytes(file.read_bytes()[:100])
        failed = shop.run("features", "export", "--view", "last", "--project", shop.project, "--output", "o.csv", status=65)
        assert file.name in failed.stderr
