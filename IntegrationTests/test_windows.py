"""Windows of every kind, present rows, outliers and two streams in one project, recounted here from the events."""

import json
import random

import pytest

PROJECT = """
project: windows
sources:
  ticks: {kind: file, path: ticks.jsonl, stream: ticks}
  visits: {kind: file, path: visits.jsonl, stream: visits}
streams:
  ticks:
    key: name
    time: at
    fields: {name: string, value: double, at: int}
  visits:
    key: user
    time: at
    fields: {user: int, at: int}
views:
  hops:
    from: ticks
    window: {length: 60s, step: 20s, grace: 1s}
    columns: {n: count(), total: sum(value), first: first(value), last: last(value)}
  slides:
    from: ticks
    window: {kind: sliding, length: 30s, grace: 5s}
    columns: {n: count(), most: max(value)}
  sessions:
    from: ticks
    window: {gap: 4s, grace: 20s}
    emit: current
    columns: {n: count(), least: min(value)}
  tens:
    from: ticks
    window: {count: 10}
    columns: {n: count(), mean: mean(value)}
  calm:
    from: tens
    columns: {mean: mean, before: "lag(mean, 1)"}
    outliers: {column: mean, rule: range, max: 0.7, action: quarantine}
  after_calm:
    from: calm
    columns: {mean: mean, previous: "lag(mean, 1)"}
  days:
    from: visits
    window: {length: 1d}
    columns: {visits: count()}
"""
BASE = 1_704_067_200_000


def ticks(count=1_500):
    """Out of order by up to ten seconds, with silences, of three names."""
    draw, clock, events = random.Random(5), dict.fromkeys("ABC", BASE), []
    for _ in range(count):
        name = draw.choice("ABC")
        clock[name] += draw.choice([200, 900, 1_500, 3_000]) if draw.random() > 0.02 else 90_000
        value = round(draw.random() + (0.7 if draw.random() < 0.1 else 0), 6)
        events.append({"name": name, "value": value, "at": clock[name] - draw.randrange(10_000)})
    return events


@pytest.fixture
def project(tmp_path):
    events = ticks()
    (tmp_path / "mlops.yaml").write_text(PROJECT)
    (tmp_path / "ticks.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    visits = [{"user": at % 7, "at": BASE + at * 3_600_000} for at in range(200)]
    (tmp_path / "visits.jsonl").write_text("".join(json.dumps(visit) + "\n" for visit in visits))
    return events


def computed(mlops, environment=None):
    for source in ["ticks", "visits"]:
        mlops.run("produce", "--once", "--speed", "max", "--source", source, "--admin-port", 0, "--project", mlops.directory)
    mlops.run("features", "--once", "--admin-port", 0, "--project", mlops.directory, environment=environment)


def of(mlops, view, name, final=True):
    rows = [row for row in mlops.rows(view) if row["name"] == name and row["is_final"] == final]
    return rows


def hopping(events, length=60_000, step=20_000, grace=1_000):
    """Rows and late events of one key, as quixstreams counts them; all windows close in the end."""
    latest, members, late = 0, {}, 0
    for event in events:
        latest = max(latest, event["at"])
        for start in range((event["at"] - length) // step * step + step, event["at"] + 1, step):
            if start + length + grace <= latest:
                late += 1
            else:
                members.setdefault(start, []).append(event)
    return members, late


def test_hopping_windows_and_their_late_events(mlops, project):
    computed(mlops)
    late = 0
    for name in "ABC":
        members, missed = hopping([event for event in project if event["name"] == name])
        late += missed
        rows = of(mlops, "hops", name)
        assert [row["window_start_ms"] for row in rows] == sorted(members)
        for row in rows:
            inside = members[row["window_start_ms"]]
            by_time = sorted(range(len(inside)), key=lambda at: (inside[at]["at"], at))
            assert row["n"] == len(inside) and row["window_end_ms"] == row["window_start_ms"] + 60_000
            assert row["total"] == pytest.approx(sum(event["value"] for event in inside), rel=1e-12)
            assert (row["first"], row["last"]) == (inside[by_time[0]]["value"], inside[by_time[-1]]["value"])
    records = [record for record in mlops.records("ticks.late") if record[5]["mlops-view"] == b"hops"]
    assert len(records) == late > 10
    for *_, headers in records:
        assert int(headers["late_by_ms"]) > 0 and int(headers["mlops-window-start"]) % 20_000 == 0


def test_sessions_cover_what_the_grace_lets_in(mlops, project):
    computed(mlops)
    for name in "ABC":
        rows = of(mlops, "sessions", name)
        # A grace longer than the disorder: sessions are those of the events in order.
        times, sessions = sorted(event["at"] for event in project if event["name"] == name), []
        for at in times:
            if sessions and at - sessions[-1][-1] <= 4_000:
                sessions[-1].append(at)
            else:
                sessions.append([at])
        assert [(row["window_start_ms"], row["window_end_ms"], row["n"]) for row in rows] == [
            (session[0], session[-1], len(session)) for session in sessions]


def test_present_rows_end_in_the_final_one_and_taken_back_sessions_leave_no_row(mlops, project):
    computed(mlops)
    present = {}
    for _, _, timestamp, key, value, headers in mlops.records("sessions"):
        if value is None:
            assert present.pop((key, int(headers["mlops-window-start"])))
            continue
        row = json.loads(value)
        if row["is_final"]:
            last = present.pop((key, row["window_start_ms"]))
            assert {**last, "is_final": True} == row
        else:
            present[key, row["window_start_ms"]] = row
    assert not present
    # History is made of final rows alone.
    mlops.run("features", "export", "--view", "sessions", "--output", "sessions.jsonl", "--project", mlops.directory)
    exported = [json.loads(line) for line in (mlops.directory / "sessions.jsonl").read_text().splitlines()]
    assert len(exported) == sum(len(of(mlops, "sessions", name)) for name in "ABC")
    assert all(row["is_final"] for row in exported)


def test_sliding_and_count_windows(mlops, project):
    computed(mlops)
    for name in "ABC":
        own = [event for event in project if event["name"] == name]
        for row, first in zip(of(mlops, "tens", name), range(0, len(own), 10), strict=False):
            ten = own[first:first + 10]
            assert row["n"] == 10 and row["mean"] == pytest.approx(sum(event["value"] for event in ten) / 10)
            assert (row["window_start_ms"], row["window_end_ms"]) == (min(e["at"] for e in ten), max(e["at"] for e in ten))
        assert len(of(mlops, "tens", name)) == len(own) // 10
        latest, taken = 0, []
        for event in own:
            latest = max(latest, event["at"])
            if event["at"] + 35_000 >= latest:
                taken.append(event)
        rows = of(mlops, "slides", name)
        assert [row["window_end_ms"] for row in rows] == sorted(row["window_end_ms"] for row in rows) and len(rows) > 100
        for row in rows:
            inside = [event for event in taken if row["window_start_ms"] <= event["at"] <= row["window_end_ms"]]
            assert 0 < row["n"] <= len(inside) and row["window_end_ms"] - row["window_start_ms"] == 30_000


def test_outliers_are_held_back_with_their_reason_and_nobody_downstream_sees_them(mlops, project):
    computed(mlops)
    held = mlops.records("calm.quarantine")
    assert held
    for *_, value, headers in held:
        mean = json.loads(value)["mean"]
        assert mean > 0.7 and headers["mlops-quarantine-reason"].decode() == f"mean is {mean}, above 0.7"
    for name in "ABC":
        kept = [row["mean"] for row in of(mlops, "tens", name) if row["mean"] <= 0.7]
        assert [row["mean"] for row in of(mlops, "calm", name)] == kept
        assert [row["previous"] for row in of(mlops, "after_calm", name)] == [None, *kept[:-1]]


def test_two_streams_of_one_project_are_computed_side_by_side(mlops, project):
    computed(mlops)
    days = {}
    for at in range(200):
        days[at % 7, at // 24] = days.get((at % 7, at // 24), 0) + 1
    found = {(row["user"], (row["window_start_ms"] - BASE) // 86_400_000): row["visits"] for row in mlops.rows("days")}
    assert found == days


def test_small_units_give_the_same_bytes(mlops, project, tmp_path_factory):
    computed(mlops)
    views = ["hops", "slides", "sessions", "tens", "calm", "after_calm", "days", "ticks.late", "calm.quarantine"]
    whole = {view: mlops.by_key(view) for view in views}
    other = type(mlops)(mlops.directory)
    other.data = tmp_path_factory.mktemp("other")
    computed(other, {"MLOPS_FEATURES_BATCH_RECORDS": "7"})
    assert {view: other.by_key(view) for view in views} == whole
