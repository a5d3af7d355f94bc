"""One definition, one engine: rows are the same bytes live, after a kill, from a file, and in portions."""

import json
import re
import signal
import time

import numpy
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest

from conftest import CRYPTO, Mlops, project_copy, wait_for

VIEWS = {"candles": "candles", "indicators": "technical_indicators"}
GROUP = "features/trades"
# Small units, so that a kill meets the work in its middle.
SMALL = {"MLOPS_FEATURES_BATCH_RECORDS": "20"}
SYNTHETIC = ["--source", "synthetic", "--duration", "3h", "--start", "2024-03-01T10:00:30Z", "--rate", "3"]


def outputs(mlops):
    return {topic: mlops.by_key(topic) for topic in [*VIEWS.values(), "trades.dead", "trades.late"]}


def without_offsets(mlops, topic):
    """Everything of a topic but where it lies: per key (timestamp, value, whether it is a tick)."""
    found = {}
    for _, _, timestamp, key, value, headers in mlops.records(topic):
        found.setdefault(key, []).append((timestamp, value, headers.get("mlops-tick")))
    return found


def assert_same(found, expected):
    for topic in found:
        assert found[topic].keys() == expected[topic].keys()
        for key, rows in expected[topic].items():
            assert len(found[topic][key]) == len(rows), (topic, key)
            for got, wanted in zip(found[topic][key], rows):
                assert got == wanted, (topic, key)


def backfilled(directory):
    """What `features backfill` wrote, as the topics would hold it."""
    found = {}
    for view, topic in VIEWS.items():
        rows = found.setdefault(topic, {})
        for line in (directory / f"{view}.jsonl").read_bytes().splitlines():
            row = json.loads(line)
            rows.setdefault(row["pair"].encode(), []).append((row["window_start_ms"], line))
    return found


def dirty_trades(path, count=8_000):
    """Trades with repeats, gaps, a jump of two days, times in disorder, and values that the stream refuses."""
    random = numpy.random.default_rng(11)
    time = 1_600_000_000_000 + numpy.cumsum(random.exponential(15_000, count)).astype(numpy.int64)
    time[count // 3:] += 5 * 3_600_000
    time[count // 2:] += 2 * 86_400_000
    late = random.random(count) < 0.03
    time[late] -= random.integers(0, 120_000, late.sum())
    price = numpy.round(100 + numpy.cumsum(random.normal(0, 0.1, count)), 2)
    price[random.random(count) < 0.01] *= -1
    prices = [None if missing else value for value, missing in zip(price.tolist(), random.random(count) < 0.005)]
    ids = [str(at) for at in range(count)]
    for at in numpy.flatnonzero(random.random(count) < 0.03)[1:].tolist():
        ids[at] = ids[max(0, at - int(random.integers(1, 500)))]
    table = pyarrow.table({
        "timestamp": time, "id": ids, "side": ["buy"] * count, "price": prices, "amount": random.exponential(3, count).tolist()})
    pyarrow.parquet.write_table(table, path)
    return path


@pytest.fixture(scope="module", params=["real data", "generated", "dirty"])
def source(request, tmp_path_factory):
    """Options of `produce` and `features backfill` that name the input."""
    if request.param == "generated":
        return SYNTHETIC
    if request.param == "dirty":
        path = dirty_trades(tmp_path_factory.mktemp("dirty") / "trades.parquet")
        return ["--source", "xrp_eth", "--file", f"xrp_eth={path}"]
    return ["--source", "xrp_eth", "--file", f"xrp_eth={request.getfixturevalue('xrp_eth')}"]


@pytest.fixture(scope="module")
def reference(source, tmp_path_factory, binary):
    """An uninterrupted run: everything produced, then everything computed at once."""
    mlops = Mlops(tmp_path_factory.mktemp("reference"))
    mlops.run("produce", "--once", "--speed", "max", *source, "--admin-port", 0, "--project", CRYPTO)
    mlops.run("features", "--once", "--project", CRYPTO)
    found = outputs(mlops)
    assert sum(len(rows) for rows in found["candles"].values()) > 500
    mlops.trades = without_offsets(mlops, "trades")
    mlops.total = mlops.end("trades")
    mlops.outputs = found
    counts = {topic: sum(len(rows) for rows in found[topic].values()) for topic in ("trades.dead", "trades.late")}
    is_dirty = "dirty" in source[-1]
    assert all((count > 50) == is_dirty for count in counts.values()), counts
    return mlops


def feed(mlops, source, speed="max", **keywords):
    return mlops.run("produce", "--once", "--speed", speed, *source, "--admin-port", 0, "--project", CRYPTO, **keywords)


def compute(mlops):
    return mlops.start("features", "--admin-port", 0, "--project", CRYPTO, environment=SMALL)


def drive(process, is_there, is_ahead):
    """Lets a process go in short turns until `is_there()`, and leaves it stopped: so it is met at the same place on a machine of any
    speed, and what runs beside it has the time it needs while `is_ahead()`."""
    deadline = time.monotonic() + 240
    while not is_there():
        assert process.poll() is None, f"the process ended with {process.returncode} before it was there"
        assert time.monotonic() < deadline, "it has not come there"
        # Never for long: it may be stopped while it has the log's lock, and keys would fall silent.
        rest = time.monotonic() + 0.5
        while time.monotonic() < rest and is_ahead() and not is_there():
            time.sleep(0.005)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.005)
        process.send_signal(signal.SIGSTOP)


def test_live_computation_while_events_arrive_equals_the_uninterrupted_run(mlops, source, reference):
    features = compute(mlops)
    feed(mlops, source)
    wait_for(lambda: mlops.committed(GROUP, "trades") == reference.total, "all events computed", process=features)
    assert mlops.terminate(features) == 0
    assert_same(outputs(mlops), reference.outputs)


def test_features_killed_again_and_again_equal_the_uninterrupted_run(mlops, source, reference):
    feed(mlops, source)
    reached = 0
    for _ in range(4):
        features = compute(mlops)
        step = reference.total // 10
        wait_for(lambda: mlops.committed(GROUP, "trades") >= reached + step, "some progress", process=features)
        mlops.kill(features)
        reached = mlops.committed(GROUP, "trades")
        assert reached < reference.total, "the kill came too late to interrupt anything"
    features = compute(mlops)
    wait_for(lambda: mlops.committed(GROUP, "trades") == reference.total, "all events computed", process=features)
    assert mlops.terminate(features) == 0
    assert_same(outputs(mlops), reference.outputs)


def test_a_produce_that_is_killed_and_started_again_repeats_and_loses_nothing(mlops, source, reference):
    events = sum(len(rows) for rows in reference.trades.values())
    for share in (0.2, 0.5, 0.7):
        # At this speed the input takes seconds; at once it would be over before it can be killed.
        speed = "80000x" if "xrp_eth" in source else "4000x"
        produce = mlops.start(
            "produce", "--once", "--speed", speed, *source, "--admin-port", 0, "--project", CRYPTO)
        wait_for(lambda: mlops.end("trades") >= share * events, f"{share} of the events", process=produce)
        mlops.kill(produce)
        assert mlops.end("trades") < events, "the kill came too late to interrupt anything"
    feed(mlops, source)
    assert without_offsets(mlops, "trades") == reference.trades


def test_produce_and_features_killed_while_they_work_together_equal_the_uninterrupted_run(mlops, source, reference):
    def reached():
        return mlops.committed(GROUP, "trades")

    # At once the input would be over before it can be stopped; slower, keys would fall silent.
    speed = "60000x" if "xrp_eth" in source else "3000x"
    for share in (0.15, 0.4, 0.65):
        features = compute(mlops)
        produce = mlops.start(
            "produce", "--once", "--speed", speed, *source, "--admin-port", 0, "--project", CRYPTO)
        drive(
            produce, lambda: reached() >= share * reference.total,
            is_ahead=lambda: mlops.end("trades") - reached() > reference.total // 20)
        mlops.kill(features)
        mlops.kill(produce)
        assert mlops.end("trades") < reference.total
    features = compute(mlops)
    feed(mlops, source)
    wait_for(lambda: mlops.committed(GROUP, "trades") == reference.total, "all events computed", process=features)
    assert mlops.terminate(features) == 0
    assert without_offsets(mlops, "trades") == reference.trades
    assert_same(outputs(mlops), reference.outputs)


def test_the_batch_path_straight_from_the_source_equals_the_log(mlops, source, reference, tmp_path):
    done = mlops.run("features", "backfill", *source, "--out", tmp_path / "out", "--project", CRYPTO)
    dead, late = (sum(len(rows) for rows in reference.outputs[topic].values()) for topic in ("trades.dead", "trades.late"))
    assert re.search(rf"\d+ repeats, {late} late, {dead} refused$", done.stdout, re.M), done.stdout
    assert_same(backfilled(tmp_path / "out"), reference.outputs)


def test_features_computed_in_portions_equal_those_computed_at_once(mlops, source, reference):
    speed = "80000x" if "xrp_eth" in source else "4000x"
    for share in (0.1, 0.35, 0.6):
        produce = mlops.start(
            "produce", "--once", "--speed", speed, *source, "--admin-port", 0, "--project", CRYPTO)
        wait_for(lambda: mlops.end("trades") >= share * reference.total, f"{share} of the events", process=produce)
        assert mlops.terminate(produce) == 0
        mlops.run("features", "--once", "--project", CRYPTO)
        assert 0 < mlops.committed(GROUP, "trades") < reference.total
    feed(mlops, source)
    mlops.run("features", "--once", "--project", CRYPTO)
    assert_same(outputs(mlops), reference.outputs)


@pytest.mark.parametrize("source", ["real data"], indirect=True)
def test_a_replay_through_the_whole_loop_equals_the_uninterrupted_run(mlops, source, reference):
    mlops.run("all", "--once", "--replay", source[-1], "--project", CRYPTO)
    assert_same(outputs(mlops), reference.outputs)


@pytest.mark.parametrize("source", ["real data"], indirect=True)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "row groups of 500.parquet"])
def test_the_same_trades_in_another_file_format_give_the_same_bytes(mlops, source, reference, tmp_path, xrp_eth, ending):
    table = pyarrow.parquet.read_table(xrp_eth)
    path = tmp_path / f"trades.{ending}"
    if ending == "csv":
        pyarrow.csv.write_csv(table, path)
    elif ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    else:
        pyarrow.parquet.write_table(table, path, row_group_size=500, compression="zstd", use_dictionary=False)
    feed(mlops, ["--source", "xrp_eth", "--file", f"xrp_eth={path}"])
    mlops.run("features", "--once", "--project", CRYPTO)
    assert_same(outputs(mlops), reference.outputs)


def test_the_latest_topic_holds_the_last_row_of_every_entity(reference):
    for topic in VIEWS.values():
        latest = reference.by_key(f"{topic}.latest")
        assert latest == {key: rows[-1:] for key, rows in reference.outputs[topic].items()}


def test_a_definition_that_differs_gives_other_bytes(mlops, source, reference, tmp_path):
    """The comparison above can fail: a period that is one longer shows."""
    project = project_copy(tmp_path / "project", ("sma_7: sma(close, 7)", "sma_7: sma(close, 8)"))
    mlops.run("features", "backfill", *source, "--out", tmp_path / "out", "--project", project)
    found = backfilled(tmp_path / "out")
    assert found["candles"] == reference.outputs["candles"]
    assert found["technical_indicators"] != reference.outputs["technical_indicators"]
