"""`features` is killed at random moments, again and again: its rows are those of a run that nobody disturbed."""

import os
import random
import time

import pytest

from conftest import CRYPTO, Mlops, wait_for

GROUP = "features/trades"
TOPICS = ["candles", "technical_indicators", "trades.dead", "trades.late"]
FEED = ["produce", "--once", "--speed", "max", "--source", "synthetic", "--duration", "10h", "--start", "2024-03-01T10:00:30Z",
        "--rate", "8", "--admin-port", "0", "--project", CRYPTO]
KILLS = int(os.environ.get("MLOPS_TEST_KILLS", 50))


def outputs(mlops):
    return {topic: mlops.by_key(topic) for topic in TOPICS}


@pytest.fixture(scope="module")
def fed(tmp_path_factory, binary):
    """A directory with trades, and what an uninterrupted run makes of them."""
    mlops = Mlops(tmp_path_factory.mktemp("uninterrupted"))
    mlops.run(*FEED)
    mlops.run("features", "--once", "--project", CRYPTO)
    mlops.outputs = outputs(mlops)
    mlops.total = mlops.end("trades")
    assert mlops.committed(GROUP, "trades") == mlops.total
    return mlops


def latest(mlops):
    return {view: mlops.by_key(f"{view}.latest") for view in ("candles", "technical_indicators")}


@pytest.mark.parametrize("processes", [1, 2])
def test_random_kills_lose_and_double_nothing(mlops, fed, processes):
    """Each kill comes a random moment after some progress: before, amid or after a commit. Units are small."""
    randomness = random.Random(20 + processes)
    mlops.run(*FEED)
    unit = max(1, fed.total // (KILLS * 40))

    def start():
        return mlops.start("features", "--admin-port", 0, "--project", CRYPTO, environment={"MLOPS_FEATURES_BATCH_RECORDS": str(unit)})

    def reached():
        return mlops.committed(GROUP, "trades")
    running = [start() for _ in range(processes)]
    for kill in range(KILLS):
        goal = reached() + randomness.randint(1, 8) * unit
        wait_for(lambda: reached() >= goal, f"progress before kill {kill}")
        time.sleep(randomness.uniform(0, 0.02))
        victim = randomness.randrange(processes)
        mlops.kill(running[victim])
        running[victim] = start()
    assert reached() < fed.total, "the kills came too late to interrupt anything"
    for process in running:
        mlops.wait_for_log(process, "features go on")
    wait_for(lambda: reached() == fed.total, "all trades computed")
    assert [mlops.terminate(process) for process in running] == [0] * processes
    assert outputs(mlops) == fed.outputs
    assert latest(mlops) == latest(fed)
