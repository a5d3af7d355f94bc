"""Definitions that change: what goes on by itself, what is refused, and what a rebuild computes anew."""

import json
import sqlite3
import struct

import pyarrow.parquet
import pytest

from conftest import Mlops, project_copy, wait_for

GROUP = "features/trades"
SMALL = {"MLOPS_FEATURES_BATCH_RECORDS": "20"}
SYNTHETIC = ["--source", "synthetic", "--duration", "3h", "--start", "2024-03-01T10:00:30Z", "--rate", "2"]
# A changed indicator, a changed window's column, and rows of which some go.
CHANGES = [
    ("sma_7: sma(close, 7)", "sma_7: sma(close, 8)"),
    ("open: first(price)", "open: min(price)"),
    ("return_5: close / lag(close, 5) - 1", "return_5: close / lag(close, 5) - 1\n    where: trades > 30"),
]
NEWS = ("return_5: close / lag(close, 5) - 1", "return_5: close / lag(close, 5) - 1\n      twice: close * 2")


def feed(mlops, project, *options):
    mlops.run("produce", "--once", "--speed", "max", *(options or SYNTHETIC), "--admin-port", 0, "--project", project)


def counting(mlops, topic):
    """The rows that count, per key: what the topic's generations say."""
    generations = {}
    for partition, _, _, key, value, _ in mlops.records(topic + ".generations"):
        if key == topic.encode():
            generations[partition] = json.loads(value)
    found = {}
    for partition, offset, timestamp, key, value, _ in mlops.records(topic):
        generation = generations.get(partition, {"first": 0, "until": None})
        if generation["first"] <= offset and (generation["until"] is None or offset < generation["until"]):
            found.setdefault(key, []).append((timestamp, value))
    return found


def picture(mlops, project, directory):
    """Everything that somebody can read of the views."""
    found = {topic: counting(mlops, topic) for topic in ("candles", "technical_indicators")}
    for topic in ("candles.latest", "technical_indicators.latest"):
        found[topic] = {key: rows for key, rows in mlops.by_key(topic).items() if rows[-1][1] is not None}
    for view in ("candles", "indicators"):
        path = directory / f"{view}.parquet"
        mlops.run("features", "export", "--view", view, "--output", path, "--project", project)
        found["history of " + view] = pyarrow.parquet.read_table(path).to_pylist()
    return found


@pytest.fixture
def old(binary, tmp_path):
    return project_copy(tmp_path / "old")


@pytest.fixture
def new(binary, tmp_path):
    return project_copy(tmp_path / "new", *CHANGES)


@pytest.fixture
def fresh(binary, tmp_path, new):
    """What a directory has that never saw the old definitions."""
    (tmp_path / "fresh").mkdir()
    mlops = Mlops(tmp_path / "fresh")
    feed(mlops, new)
    mlops.run("features", "--once", "--project", new)
    found = picture(mlops, new, tmp_path / "fresh")
    assert sum(len(rows) for rows in found["technical_indicators"].values()) > 100
    return found


def test_changed_definitions_are_refused_by_name_and_a_rebuild_equals_a_fresh_directory(mlops, old, new, fresh, tmp_path):
    feed(mlops, old)
    mlops.run("features", "--once", "--project", old)
    before = picture(mlops, old, tmp_path)
    for command in (["features", "--once"], ["features", "--admin-port", 0]):
        refused = mlops.run(*command, "--project", new, status=78)
        assert "--rebuild" in refused.stderr and "candles.open" in refused.stderr and "indicators.sma_7" in refused.stderr
        assert "candles.close" not in refused.stderr
    later = mlops.run("features", "--rebuild", "--from", "2024-03-01", "--once", "--project", new, status=64)
    assert "--from is refused" in later.stderr
    assert picture(mlops, old, tmp_path) == before
    mlops.run("features", "--rebuild", "--once", "--project", new)
    assert picture(mlops, new, tmp_path) == fresh
    mlops.run("features", "parity", "--project", new)
    # Asked for once more there is nothing to do.
    end = mlops.end("candles")
    mlops.run("features", "--rebuild", "--once", "--project", new)
    assert mlops.end("candles") == end and picture(mlops, new, tmp_path) == fresh


def test_a_rebuild_killed_again_and_again_ends_like_one_that_was_not(mlops, old, new, fresh, tmp_path):
    feed(mlops, old)
    mlops.run("features", "--once", "--project", old)
    before, total = counting(mlops, "candles"), mlops.committed(GROUP, "trades")
    reached, partitions = 0, {record[0] for record in mlops.records("trades")}
    for attempt in range(3):
        # Begun in every partition it goes on without being asked for again.
        rebuild = ["--rebuild"] if attempt == 0 else []
        features = mlops.start("features", *rebuild, "--admin-port", 0, "--project", new, environment=SMALL)
        wait_for(lambda: {record[0] for record in mlops.records("candles.generations")} == partitions, "the beginning", process=features)
        wait_for(lambda: reached + total // 10 <= mlops.committed(GROUP, "trades") < total, "some progress", process=features)
        mlops.kill(features)
        reached = mlops.committed(GROUP, "trades")
        assert reached < total, "the kill came too late to interrupt anything"
        assert counting(mlops, "candles") == before
    mlops.run("features", "--once", "--project", new)
    assert picture(mlops, new, tmp_path) == fresh


def test_a_column_that_looks_at_its_own_row_only_may_come_without_a_rebuild(mlops, old, tmp_path):
    wider = project_copy(tmp_path / "wider", NEWS)
    # The source goes on where it was.
    rest = ["5h" if option == "3h" else option for option in SYNTHETIC]
    feed(mlops, old)
    mlops.run("features", "--once", "--project", old)
    count = mlops.end("technical_indicators")
    feed(mlops, wider, *rest)
    mlops.run("features", "--once", "--project", wider)
    rows = mlops.rows("technical_indicators")
    assert sum("twice" in row for row in rows) == len(rows) - count > 0
    mlops.run("features", "export", "--view", "indicators", "--output", tmp_path / "rows.parquet", "--project", wider)
    table = pyarrow.parquet.read_table(tmp_path / "rows.parquet").to_pylist()
    assert len(table) == len(rows)
    assert all(row["twice"] in (None, 2 * row["current_price"]) for row in table)
    assert sum(row["twice"] is None for row in table) == count
    mlops.run("features", "parity", "--project", wider)
    refused = mlops.run("features", "--once", "--project", project_copy(tmp_path / "more", (NEWS[0], NEWS[0] + "\n      slow: sma(close, 50)")),
                        status=78)
    assert "indicators.slow" in refused.stderr and "sma_7" not in refused.stderr


def append_raw(mlops, topic, partition, key, value):
    """A record that no role wrote, put into a log topic on disk: see docs/architecture.md."""
    database = sqlite3.connect(mlops.data / "log.sqlite", timeout=10)
    with database:
        (number,) = database.execute("SELECT id FROM topics WHERE name = ?", (topic,)).fetchone()
        (base,) = database.execute("SELECT next FROM ends WHERE topic = ? AND partition = ?", (number, partition)).fetchone()
        data = struct.pack("<qiiI", 1_709_287_260_000, len(key), len(value), 0) + key + value
        database.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?)", (number, partition, base, base + 1, 0, 0, data))
        database.execute("UPDATE ends SET next = ? WHERE topic = ? AND partition = ?", (base + 1, number, partition))
    database.close()


def test_what_is_no_row_in_a_view_ends_nobody(mlops, old, tmp_path):
    feed(mlops, old)
    mlops.run("features", "--once", "--project", old)
    rows = mlops.end("technical_indicators")
    for topic in ("candles", "technical_indicators"):
        for partition in range(4):
            append_raw(mlops, topic, partition, b"BTC/USD", b"junk")
            append_raw(mlops, topic, partition, b"BTC/USD", b'{"pair":"BTC/USD","close":"a word","current_price":[],"window_end_ms":1}')
    done = mlops.run("all", "--once", "--source", "synthetic", "--duration", "12h", "--start", "2024-03-02T00:00:00Z", "--rate", "1",
                     "--admin-port", 0, "--project", old, timeout=400)
    assert "report:" in done.stdout
    mlops.run("features", "export", "--view", "indicators", "--output", tmp_path / "rows.parquet", "--project", old)
    assert pyarrow.parquet.read_table(tmp_path / "rows.parquet").num_rows > rows
    # The archive has gone past them.
    archived = mlops.committed("archive", "technical_indicators")
    assert archived == mlops.end("technical_indicators")
    archived = [path for path in (mlops.data / "objects").rglob("*.parquet")]
    assert archived
