"""Feast 0.67 over the files that features_join.py and features_serve.py write. Runs in an environment of its own.

    feast_store.py join DIRECTORY      historical features of spine.parquet to feast.parquet; prints seconds and rows
    feast_store.py prepare DIRECTORY   applies the definitions and writes the newest rows to the online store (SQLite)

The registry is cached for an hour, and nothing but the three views is defined: Feast at its quickest without another store.
"""

import pathlib
import sys
import time
from datetime import datetime, timedelta, timezone

import pandas
import pyarrow.parquet
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Float64
from feast.value_type import ValueType


def store(directory):
    (directory / "feature_store.yaml").write_text(
        "project: bench\nprovider: local\nregistry: {path: registry.db, cache_ttl_seconds: 3600}\n"
        "online_store: {type: sqlite, path: online.db}\noffline_store: {type: file}\nentity_key_serialization_version: 3\n")
    return FeatureStore(repo_path=str(directory))


def definitions(directory):
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
    views = []
    for path in sorted(directory.glob("view_*.parquet")):
        name = path.stem.removeprefix("view_")
        features = [column for column in pyarrow.parquet.read_schema(path).names if column.startswith(name + "_")]
        source = FileSource(
            name=f"{name}_source", path=str(path), timestamp_field="event_timestamp", created_timestamp_column="created")
        views.append(
            FeatureView(
                name=name, entities=[user], ttl=timedelta(days=int((directory / "ttl_days").read_text())),
                schema=[Field(name=feature, dtype=Float64) for feature in features], source=source))
    return user, views


def join(directory):
    feast = store(directory)
    user, views = definitions(directory)
    feast.apply([user, *views])
    begun = time.perf_counter()
    spine = pandas.read_parquet(directory / "spine.parquet")
    wanted = [f"{view.name}:{field.name}" for view in views for field in view.schema if field.name != "user_id"]
    found = feast.get_historical_features(entity_df=spine, features=wanted, full_feature_names=True).to_df()
    found.to_parquet(directory / "feast.parquet")
    print(time.perf_counter() - begun, len(found))


def prepare(directory):
    feast = store(directory)
    user, views = definitions(directory)
    feast.apply([user, *views])
    feast.materialize(datetime(2020, 1, 1, tzinfo=timezone.utc), datetime(2030, 1, 1, tzinfo=timezone.utc))


{"join": join, "prepare": prepare}[sys.argv[1]](pathlib.Path(sys.argv[2]))
