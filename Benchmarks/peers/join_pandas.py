"""The join of features_join.py by pandas' merge_asof, one view after the other: `join_pandas.py DIRECTORY`.

Prints the seconds of the joins alone and those with reading and writing the files. A row's being too old is the `tolerance`; the
spine is put back into its order at the end, as the other side keeps it.
"""

import pathlib
import sys
import time

import pandas

directory = pathlib.Path(sys.argv[1])
begun = time.perf_counter()
spine = pandas.read_parquet(directory / "spine.parquet")
views = {path.stem.removeprefix("view_"): pandas.read_parquet(path) for path in sorted(directory.glob("view_*.parquet"))}
limit = pandas.Timedelta(days=int((directory / "ttl_days").read_text()))
read = time.perf_counter()
joined = spine.assign(place=range(len(spine))).sort_values("event_timestamp", kind="stable")
for name, view in views.items():
    rows = view.sort_values(["event_timestamp", "created"], kind="stable").drop(columns="created")
    rows = rows.rename(columns={column: f"{name}__{column}" for column in rows.columns if column not in ("user_id", "event_timestamp")})
    joined = pandas.merge_asof(joined, rows, on="event_timestamp", by="user_id", tolerance=limit)
joined = joined.sort_values("place").drop(columns="place")
merged = time.perf_counter()
joined.to_parquet(directory / "pandas.parquet", index=False, compression="zstd")
print(merged - read, time.perf_counter() - begun)
