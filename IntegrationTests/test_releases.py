"""Rows that an outlier rule held back, accepted after all."""

import json

import pyarrow.parquet
import pytest

from conftest import Mlops, project_copy, wait_for

SYNTHETIC = ["--source", "synthetic", "--duration", "4h", "--start", "2024-03-01T10:00:30Z", "--rate", "2"]
RULE = ("trades: count()", "trades: count()\n    outliers: {column: trades, rule: range, max: 52, action: quarantine}")


@pytest.fixture
def project(binary, tmp_path):
    return project_copy(tmp_path / "project", RULE)


def picture(mlops):
    return {topic: mlops.by_key(topic) for topic in ("candles", "technical_indicators", "candles.latest", "technical_indicators.latest")}


def test_released_rows_come_once_at_one_place_however_often_everything_is_computed(mlops, project, tmp_path):
    def features():
        mlops.run("features", "--once", "--project", project)

    mlops.run("produce", "--once", "--speed", "max", *SYNTHETIC, "--admin-port", 0, "--project", project)
    features()
    held = {(key, timestamp): value for _, _, timestamp, key, value, _ in mlops.records("candles.quarantine")}
    candles, indicators = mlops.end("candles"), mlops.end("technical_indicators")
    assert len(held) > 5 and candles == indicators
    done = mlops.run("produce", "release", "--dry-run", "--project", project)
    assert f"{len(held)} rows would be released, 0 had been before" in done.stdout
    done = mlops.run("produce", "release", "--view", "candles", "--limit", 3, "--project", project)
    assert "3 rows released" in done.stdout and "above 52.0" in done.stdout
    features()
    assert (mlops.end("candles"), mlops.end("technical_indicators")) == (candles + 3, indicators + 3)
    # Rows as they were, wherever they stand now.
    later = mlops.records("candles")[:]
    found = {(key, timestamp): value for _, _, timestamp, key, value, _ in later if (key, timestamp) in held}
    assert len(found) == 3 and all(held[place] == value for place, value in found.items())
    done = mlops.run("produce", "release", "--project", project)
    assert f"{len(held) - 3} rows released, 3 had been before" in done.stdout
    assert "0 rows released" in mlops.run("produce", "release", "--project", project).stdout
    features()
    assert mlops.end("candles") == candles + len(held)
    assert mlops.end("trades.dead") == 0
    # Computed again from the events the rows are the same, also downstream.
    mlops.run("features", "parity", "--project", project)
    mlops.run("features", "backfill", "--out", tmp_path / "again", "--project", project)
    rows = sum(pyarrow.parquet.read_table(path).num_rows for path in (tmp_path / "again/indicators").glob("*.parquet"))
    assert rows == mlops.end("technical_indicators")


def test_a_release_killed_in_its_middle_goes_on(mlops, project, tmp_path):
    mlops.run("produce", "--once", "--speed", "max", *SYNTHETIC, "--admin-port", 0, "--project", project)
    mlops.run("features", "--once", "--project", project)
    held, trades = mlops.end("candles.quarantine"), mlops.end("trades")
    for _ in range(3):
        release = mlops.start("produce", "release", "--project", project)
        wait_for(lambda: release.poll() is not None or mlops.end("trades") > trades, "a release")
        mlops.kill(release)
    mlops.run("produce", "release", "--project", project)
    assert mlops.end("trades") == trades + held
    mlops.run("features", "--once", "--project", project)
    rows = [json.loads(value)["window_start_ms"] for _, _, _, key, value, _ in mlops.records("candles")]
    assert mlops.end("candles") == len(rows)
    mlops.run("features", "parity", "--project", project)


def test_a_rebuild_under_another_rule_passes_releases_over(mlops, project, tmp_path):
    mlops.run("produce", "--once", "--speed", "max", *SYNTHETIC, "--admin-port", 0, "--project", project)
    mlops.run("features", "--once", "--project", project)
    mlops.run("produce", "release", "--project", project)
    mlops.run("features", "--once", "--project", project)
    stricter = project_copy(tmp_path / "stricter", (RULE[0], RULE[1].replace("max: 52", "max: 45")))
    mlops.run("features", "--rebuild", "--once", "--project", stricter)
    (tmp_path / "fresh").mkdir()
    fresh = Mlops(tmp_path / "fresh")
    fresh.run("produce", "--once", "--speed", "max", *SYNTHETIC, "--admin-port", 0, "--project", stricter)
    fresh.run("features", "--once", "--project", stricter)
    for mine, other in ((mlops, fresh),):
        assert mine.by_key("candles.latest") == other.by_key("candles.latest")
        paths = []
        for directory in (mine, other):
            paths.append(directory.directory / "candles.parquet")
            directory.run("features", "export", "--view", "candles", "--output", paths[-1], "--project", stricter)
        assert pyarrow.parquet.read_table(paths[0]).equals(pyarrow.parquet.read_table(paths[1]))
    with pytest.raises(AssertionError):
        mlops.run("produce", "release", "--view", "indicators", "--project", stricter)


def test_partition_windows_are_equal_live_backfilled_by_shards_and_from_a_file(mlops, tmp_path, binary):
    project = project_copy(
        tmp_path / "project", ("window: {length: 60s, grace: 5s, gaps: forward, max_gap: 1d}",
                               "window: {length: 60s, grace: 5s, closing: partition}"), RULE)
    mlops.run("produce", "--once", "--speed", "max", *SYNTHETIC, "--admin-port", 0, "--project", project)
    mlops.run("features", "--once", "--project", project)
    live = {topic: {key: [json.loads(value) for _, value in rows] for key, rows in mlops.by_key(topic).items()}
            for topic in ("candles", "technical_indicators")}
    assert mlops.end("candles.quarantine") > 5
    for shard in ("0/3", "1/3", "2/3"):
        mlops.run("features", "backfill", "--shard", shard, "--out", tmp_path / "shards", "--project", project)
    mlops.run("features", "backfill", *SYNTHETIC, "--out", tmp_path / "file", "--project", project)
    for view, topic in (("candles", "candles"), ("indicators", "technical_indicators")):
        shards, files = {}, {}
        for path in sorted((tmp_path / "shards" / view).glob("*.parquet")):
            for row in pyarrow.parquet.read_table(path).to_pylist():
                shards.setdefault(row["pair"].encode(), []).append(row)
        for line in (tmp_path / "file" / f"{view}.jsonl").read_text().splitlines():
            files.setdefault(json.loads(line)["pair"].encode(), []).append(json.loads(line))
        assert shards == live[topic] and files == live[topic]
