"""Views that join views of another stream: the same rows live, at full speed, after kills, and computed again."""

import json

import numpy
import pyarrow
import pyarrow.parquet
import pytest

from conftest import Mlops, wait_for

PROJECT = """
project: joins
sources:
  orders: {kind: file, path: orders.parquet, stream: orders}
  quotes: {kind: file, path: quotes.parquet, stream: quotes}
streams:
  orders: {key: item, time: at, fields: {item: string, amount: double, at: int}}
  quotes: {key: item, time: at, fields: {item: string, price: double, at: int}}
views:
  minutes:
    from: quotes
    window: {length: 60s, grace: 5s}
    columns: {price: last(price), quotes: count()}
  costs:
    from: orders
    join: {view: minutes, on: item, within: 10m}
    columns:
      amount: amount
      cost: amount * minutes_price
      sum_of_three: sum_over(amount * minutes_price, 3)
"""
ITEMS = [f"item {number}" for number in range(9)]
SMALL = {"MLOPS_FEATURES_BATCH_RECORDS": "25"}
START = 1_700_000_040_000


def write(directory, name, column, count, step, items, seed, disorder):
    random = numpy.random.default_rng(seed)
    at = START + numpy.arange(count) * step + random.integers(0, disorder, count)
    pyarrow.parquet.write_table(
        pyarrow.table({"item": random.choice(items, count), column: numpy.round(random.random(count) * 100, 2), "at": at}),
        directory / f"{name}.parquet")


@pytest.fixture
def project(binary, tmp_path):
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "mlops.yaml").write_text(PROJECT)
    write(directory, "orders", "amount", 3_000, 900, ITEMS, 1, 2_000)
    # The last item has no quotes; the quotes end before the orders do.
    write(directory, "quotes", "price", 1_500, 1_700, ITEMS[:-1], 2, 1)
    return directory


def produce(mlops, project, source):
    mlops.run("produce", "--once", "--speed", "max", "--source", source, "--admin-port", 0, "--project", project)


def fed(tmp_path, name, project, *sources):
    (tmp_path / name).mkdir()
    mlops = Mlops(tmp_path / name)
    for source in sources:
        produce(mlops, project, source)
    return mlops


@pytest.fixture
def whole(project, tmp_path):
    mlops = fed(tmp_path, "whole", project, "quotes", "orders")
    mlops.run("features", "--once", "--project", project)
    return mlops


def test_each_row_takes_the_newest_minute_that_was_known_at_its_time(whole, project):
    minutes, found = {}, 0
    for row in whole.rows("minutes"):
        minutes.setdefault(row["item"], []).append(row)
    rows = whole.rows("costs")
    assert len(rows) == 3_000
    for row in rows:
        known = [one for one in minutes.get(row["item"], []) if 0 <= row["event_time_ms"] - one["window_end_ms"] <= 600_000]
        newest = max(known, key=lambda one: one["window_end_ms"], default=None)
        assert row["cost"] == (None if newest is None else row["amount"] * newest["price"]), row
        found += newest is not None
    assert 2_000 < found < 3_000


def test_it_does_not_matter_which_stream_comes_first(whole, project, tmp_path):
    mlops = fed(tmp_path, "orders first", project, "orders")
    mlops.run("features", "--once", "--project", project)
    assert mlops.end("costs") == 0
    produce(mlops, project, "quotes")
    mlops.run("features", "--once", "--project", project, environment=SMALL)
    assert mlops.by_key("costs") == whole.by_key("costs")


def test_live_while_both_come_and_killed_in_between(whole, project, tmp_path):
    (tmp_path / "live").mkdir()
    mlops = Mlops(tmp_path / "live")
    total = 3_000 + 1_500
    try:
        for share in (0.2, 0.5, 0.8, None):
            features = mlops.start("features", "--admin-port", 0, "--project", project, environment=SMALL)
            produce_ = mlops.start("produce", "--once", "--speed", "600x", "--admin-port", 0, "--project", project)
            if share is None:
                wait_for(lambda: mlops.end("costs") == 3_000, "all rows", process=features)
                assert mlops.terminate(features) == 0
                break
            wait_for(lambda: mlops.end("orders") + mlops.end("quotes") >= share * total, f"{share} of the events", process=features)
            mlops.kill(features)
            mlops.kill(produce_)
        assert mlops.by_key("costs") == whole.by_key("costs")
    finally:
        mlops.stop_all()


def test_killed_again_and_again_and_computed_once_more(whole, project, tmp_path):
    mlops = fed(tmp_path, "killed", project, "orders", "quotes")
    reached = 0
    for _ in range(4):
        features = mlops.start("features", "--admin-port", 0, "--project", project, environment=SMALL)
        wait_for(lambda: mlops.committed("features/orders", "orders") >= reached + 300, "some progress", process=features)
        mlops.kill(features)
        reached = mlops.committed("features/orders", "orders")
        assert reached < mlops.end("orders"), "the kill came too late to interrupt anything"
    mlops.run("features", "--once", "--project", project)
    assert mlops.by_key("costs") == whole.by_key("costs")
    assert "costs: 3000 rows equal" in mlops.run("features", "parity", "--project", project).stdout
    mlops.run("features", "backfill", "--view", "costs", "--out", tmp_path / "again", "--project", project)
    again = [row for path in (tmp_path / "again/costs").glob("*.parquet") for row in pyarrow.parquet.read_table(path).to_pylist()]
    assert sorted(map(json.dumps, again)) == sorted(map(json.dumps, whole.rows("costs")))
    text = (project / "mlops.yaml").read_text()
    (project / "mlops.yaml").write_text(text.replace("price: last(price)", "price: first(price)"))
    refused = mlops.run("features", "--once", "--project", project, status=78)
    # Of one stream: the other's are told when these fit.
    assert "--rebuild" in refused.stderr and ("costs.cost" in refused.stderr or "minutes.price" in refused.stderr)
    mlops.run("features", "--rebuild", "--once", "--project", project)
    mlops.run("features", "parity", "--project", project)


def test_what_cannot_be_joined_is_said(project, tmp_path):
    mlops = fed(tmp_path, "refused", project)
    out = mlops.run("features", "backfill", "--source", "orders", "--out", tmp_path / "out", "--project", project, status=78)
    assert "without --source" in out.stderr
