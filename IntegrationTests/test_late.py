"""What comes too late is told; how fresh a view is is known from the start on; a file that grows goes on behind its end."""

import json
import re

import pytest

from conftest import free_port, get, is_up, wait_for

PROJECT = """
project: late
sources:
  ticks: {kind: file, path: ticks.jsonl, stream: ticks}
streams:
  ticks:
    key: name
    time: at
    fields: {name: string, value: double, at: int}
views:
  minutes:
    from: ticks
    window: {length: 60s}
    columns: {n: count()}
"""
BASE = 1_704_067_200_000
COUNT = 600


def line(second):
    return json.dumps({"name": "A", "value": 1.0, "at": BASE + second * 1_000}) + "\n"


@pytest.fixture
def project(tmp_path):
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "mlops.yaml").write_text(PROJECT)
    # The newest first: nearly all of them are late.
    (directory / "ticks.jsonl").write_text("".join(line(second) for second in reversed(range(COUNT))))
    return directory


def test_late_events_are_told_in_the_log_and_at_the_end(mlops, project):
    mlops.run("produce", "--once", "--speed", "max", "--admin-port", 0, "--project", project)
    done = mlops.run("features", "--once", "--admin-port", 0, "--project", project)
    late = mlops.end("ticks.late")
    assert late == COUNT - 60
    assert re.search(rf"^late: {late} records are in ticks.late, .*order of time, or the grace", done.stdout, re.M), done.stdout
    told = [row for row in done.stderr.splitlines() if "too late" in row]
    assert 1 <= len(told) <= 4 and "topic=ticks.late" in told[0] and "view=minutes" in told[0], done.stderr
    again = mlops.run("features", "--once", "--admin-port", 0, "--project", project)
    assert "late:" not in again.stdout and "too late" not in again.stderr


def test_a_restarted_process_knows_how_fresh_its_views_are(mlops, project):
    mlops.run("produce", "--once", "--speed", "max", "--admin-port", 0, "--project", project)
    mlops.run("features", "--once", "--admin-port", 0, "--project", project)
    port = free_port()
    process = mlops.start("features", "--admin-port", port, "--project", project)
    is_up(f"http://127.0.0.1:{port}/readyz", process)

    def newest():
        return re.findall(r"^mlops_features_newest_row_seconds\{.*\} (\S+)$", get(f"http://127.0.0.1:{port}/metrics").text, re.M)

    # One key, so one partition has rows; the others say nothing instead of 0.
    assert [float(value) for value in wait_for(newest, "the series", process=process)] == [BASE / 1_000 + COUNT]
    text = get(f"http://127.0.0.1:{port}/metrics").text
    assert "# HELP mlops_features_events_dead_total Records of a stream that were refused" in text


def test_what_comes_for_a_window_that_the_end_of_a_file_closed_is_late(mlops, project):
    ticks = project / "ticks.jsonl"
    ticks.write_text("".join(line(second) for second in range(90)))
    mlops.run("produce", "--once", "--speed", "max", "--admin-port", 0, "--project", project)
    mlops.run("features", "--once", "--admin-port", 0, "--project", project)
    assert mlops.end("minutes") == 2
    with ticks.open("a") as file:
        file.write("".join(line(second) for second in range(90, 180)))
    mlops.run("produce", "--once", "--speed", "max", "--admin-port", 0, "--project", project)
    done = mlops.run("features", "--once", "--admin-port", 0, "--project", project)
    assert mlops.end("ticks.late") == 30 and "late: 30 records" in done.stdout
    assert mlops.end("minutes") == 3
