"""Features as they were known at 100,000 moments: three views of ten features. mlops, pandas' merge_asof, and Feast.

All read the same Parquet files. mlops and pandas must agree in every cell; Feast is told by how many rows it gives back.
"""

import os
import sys

import numpy
import pandas

from bench import BINARY, PEERS, ROUNDS, Finished, Report, progress, scratch

ROWS, USERS, FEATURES, VIEWS, TTL_DAYS = 100_000, 1_000, 10, "abc", 2
FEAST = os.environ["BENCH_FEAST_PYTHON"]


def write(directory):
    """A spine and three views over thirty days: a hundred rows per user and view as they fall, some users without any."""
    random = numpy.random.default_rng(7)
    start = pandas.Timestamp("2026-01-01", tz="UTC")

    def rows(users):
        times = start + pandas.to_timedelta(random.integers(0, 30 * 86_400_000, ROWS), unit="ms")
        return pandas.DataFrame({"user_id": random.integers(0, users, ROWS), "event_timestamp": times.astype("datetime64[ms, UTC]")})

    rows(USERS + USERS // 100).to_parquet(directory / "spine.parquet", index=False)
    for name in VIEWS:
        view = rows(USERS)
        for feature in range(FEATURES):
            view[f"{name}_f{feature}"] = random.normal(size=ROWS)
        created = view["event_timestamp"] + pandas.to_timedelta(random.integers(0, 60_000, ROWS), unit="ms")
        view["created"] = created.astype("datetime64[ms, UTC]")
        view.to_parquet(directory / f"view_{name}.parquet", index=False)
    (directory / "ttl_days").write_text(str(TTL_DAYS))


def compare(directory):
    """Cells in which the two results differ, and the rows of both."""
    ours, theirs = (pandas.read_parquet(directory / f"{name}.parquet") for name in ("mlops", "pandas"))
    if list(ours.columns) != list(theirs.columns) or len(ours) != len(theirs):
        sys.exit(f"mlops gives {len(ours)} rows of {list(ours.columns)}, pandas {len(theirs)} of {list(theirs.columns)}")
    different = 0
    for column in ours.columns[2:]:
        a, b = ours[column], theirs[column]
        different += int(((a != b) & ~(a.isna() & b.isna())).sum())
    return different, len(ours)


def main():
    report = Report("features_join", "100,000 moments × 3 views × 10 features")
    with scratch() as directory:
        write(directory)
        own = [BINARY, "features", "join", "--spine", directory / "spine.parquet", "--entity", "user_id", "--ttl", f"{TTL_DAYS}d"]
        for name in VIEWS:
            own += ["--view", f"{name}={directory}/view_{name}.parquet"]
        own = [str(part) for part in [*own, "--output", directory / "mlops.parquet"]]
        mlops, peers, figures = [], [], {"join": [], "files": [], "pandas join": [], "pandas files": []}
        for turn in range(ROUNDS):
            progress(f"round {turn + 1} of {ROUNDS}")
            mlops.append(Finished(own))
            # … joined in 0.123 s, 0.456 s with the files
            words = mlops[-1].text.split()
            figures["join"].append(float(words[words.index("joined") + 2]))
            figures["files"].append(float(words[words.index("joined") + 4]))
            peers.append(Finished([sys.executable, str(PEERS / "join_pandas.py"), str(directory)]))
            join, files = map(float, peers[-1].text.split())
            figures["pandas join"].append(join)
            figures["pandas files"].append(files)
        different, rows = compare(directory)
        report.add("cells that differ from pandas", [different], threshold="cells_that_differ", judge=max)
        report.add("rows kept by mlops ÷ rows of the spine", [rows / ROWS], "×", threshold="share_kept", judge=min)
        report.add("mlops, the join alone", figures["join"], "s")
        report.add("merge_asof, the joins alone", figures["pandas join"], "s")
        report.ratio("time of merge_asof ÷ mlops, alone", figures["pandas join"], figures["join"], threshold="times_merge_asof")
        report.ratio("the same with the files", figures["pandas files"], figures["files"])
        report.ratio("the same, whole process", [one.wall for one in peers], [one.wall for one in mlops])
        report.add("mlops, peak memory", [one.memory for one in mlops], "MB", threshold="peak_memory_mb", judge=max)
        report.add("pandas, peak memory", [one.memory for one in peers], "MB")
        feast(report, directory, figures["files"])
    report.end()


def feast(report, directory, own):
    progress("Feast, one round")
    done = Finished([FEAST, str(PEERS / "feast_store.py"), "join", str(directory)])
    seconds, rows = done.text.split()[-2:]
    report.add("Feast, with the files", [float(seconds)], "s")
    report.ratio("time of Feast ÷ mlops, with the files", [float(seconds)], [sorted(own)[len(own) // 2]], threshold="times_feast")
    report.add("rows kept by Feast ÷ rows of the spine", [int(rows) / ROWS], "×")
    report.add("Feast, peak memory", [done.memory], "MB")


if __name__ == "__main__":
    main()
