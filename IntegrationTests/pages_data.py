"""What the tests of the pages look at: a small project as people leave it behind, and one that a hostile person filled."""

import json
import math
import struct
import zlib

import pyarrow
import pyarrow.parquet
import requests
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

# Marks the page that runs it, whichever way it gets through.
EVIL = "\"'><img src=x onerror=window.pwned=1><script>window.pwned=1</script>"
EVIL_NAME = "\"><img src=x onerror=window.pwned=1>"

NOTE = """# Price in ten minutes

Ridge against **boosted trees**, see [the paper](https://example.org/paper).

| kind | mae |
|------|-----|
| ridge | 0.41 |
| trees | 0.37 |

- trained on `trades`
- judged on untouched rows
"""


def png(width=96, height=64):
    rows = b"".join(
        b"\0" + b"".join(bytes((40 + x * 2 % 200, 90 + y * 2 % 160, 200)) for x in range(width)) for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def put(url, run, name, data):
    place = run.info.artifact_uri.removeprefix("mlflow-artifacts:/")
    requests.put(f"{url}/api/2.0/mlflow-artifacts/artifacts/{place}/{name}", data=data, timeout=10).raise_for_status()


def log_curve(client, run, key, values, start=1_700_000_000_000):
    client.log_batch(run, metrics=[Metric(key, value, start + 1_000 * step, step) for step, value in enumerate(values)])


def fill(url, directory):
    """A project with nested runs, charts, files of every kind, a model with a history. Returns the ids by name."""
    client = MlflowClient(tracking_uri=url, registry_uri=url)
    ids = {"experiment": client.create_experiment("crypto-price-10m", tags={"team": "prices", "mlflow.note.content": NOTE})}
    search = client.create_run(ids["experiment"], run_name="nightly search", tags={"mlflow.user": "ada"})
    ids["search"] = search.info.run_id
    for index, (kind, depth) in enumerate([("ridge", 0), ("xgboost", 3), ("xgboost", 5), ("xgboost", 7), ("huber", 0)]):
        run = client.create_run(
            ids["experiment"], run_name=f"{kind}-{index}",
            tags={"mlflow.parentRunId": ids["search"], "mlflow.user": "ada", "mlflow.source.name": "train.py", "kind": kind})
        ids[f"run-{index}"] = run.info.run_id
        client.log_batch(run.info.run_id, params=[Param("kind", kind), Param("depth", str(depth)), Param("eta", str(0.3 / (index + 1)))])
        log_curve(client, run.info.run_id, "val/loss", [
            1.4 * math.exp(-step / (8 + 3 * index)) + 0.31 + 0.03 * index + 0.06 * math.sin(step * 2.1 + index) for step in range(120)])
        log_curve(client, run.info.run_id, "train/loss", [1.2 * math.exp(-step / 9) + 0.2 + 0.01 * index for step in range(120)])
        client.log_metric(run.info.run_id, "mae", 0.44 - 0.021 * index + 0.004 * index * index)
        client.log_metric(run.info.run_id, "system/memory_mb", 512 + 7 * index)
        client.set_terminated(run.info.run_id, "FAILED" if index == 4 else "FINISHED")
    client.log_metric(ids["search"], "mae", 0.393)
    best = client.get_run(ids["run-2"])
    files(url, client, best, directory)
    requests.post(f"{url}/api/2.0/mlflow/runs/log-inputs", timeout=10, json={"run_id": ids["run-2"], "datasets": [{
        "dataset": {"name": "trades", "digest": "9f2c71ab", "source_type": "local", "source": "{\"uri\": \"data/xrp_eth_trades.parquet\"}",
                    "schema": json.dumps({"mlflow_colspec": [{"name": "price", "type": "double"}, {"name": "pair", "type": "string"}]})},
        "tags": [{"key": "mlflow.data.context", "value": "training"}]}]}).raise_for_status()
    client.create_registered_model("price-10m", description="Price of a pair in **ten minutes**.", tags={"owner": "prices"})
    for index in (1, 2):
        client.create_model_version("price-10m", f"runs:/{ids[f'run-{index}']}/model", ids[f"run-{index}"], tags={"gate": "passed"})
        client.set_registered_model_alias("price-10m", "champion", str(index))
    client.set_registered_model_alias("price-10m", "challenger", "1")
    client.set_terminated(ids["search"])
    ids["running"] = client.create_run(ids["experiment"], run_name="tonight", tags={"mlflow.user": "ada"}).info.run_id
    client.log_param(ids["running"], "kind", "ridge")
    return ids


def files(url, client, run, directory):
    table = pyarrow.table({"pair": ["BTC/USD", "ETH/USD"] * 150, "price": [100.0 + row / 7 for row in range(300)], "row": range(300)})
    pyarrow.parquet.write_table(table, directory / "rows.parquet")
    for name, data in {
        "README.md": NOTE.encode(), "gate.json": json.dumps({"passed": True, "interval": [0.01, 0.07], "by": {"pair": "BTC/USD"}}).encode(),
        "data/rows.csv": b"pair,price,note\n" + b"".join(b"BTC/USD,%d.5,\"a, b\"\n" % row for row in range(250)),
        "data/rows.parquet": (directory / "rows.parquet").read_bytes(),
        "plots/importance.png": png(), "plots/curve.svg": b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><circle cx='4' cy='4' r='3'/></svg>",
        "report.html": b"<h1>Report</h1><script>document.body.append('ran')</script>", "train.log": b"step 1\nstep 2\n",
        "model/model.pkl": b"\x80\x04K\x01.", "model/MLmodel": b"flavors:\n  python_function: {}\n",
    }.items():
        put(url, run, name, data)


def fill_hostile(url):
    """Everything a stranger may write, with markup in it."""
    client = MlflowClient(tracking_uri=url, registry_uri=url)
    experiment = client.create_experiment(EVIL, tags={"mlflow.note.content": EVIL + f"\n\n[x](javascript:window.pwned=1) ![x]({EVIL})", "t": EVIL})
    runs = []
    for _ in range(2):
        run = client.create_run(experiment, run_name=EVIL, tags={
            "mlflow.user": EVIL, "mlflow.source.name": EVIL, "mlflow.note.content": EVIL, "evil": EVIL})
        client.log_batch(run.info.run_id, params=[Param("p", EVIL), Param("n", str(len(runs)))], tags=[RunTag("other", EVIL)])
        log_curve(client, run.info.run_id, "loss", [3, 2, 1 + len(runs)])
        runs.append(run)
    requests.post(f"{url}/api/2.0/mlflow/runs/log-inputs", timeout=10, json={"run_id": runs[0].info.run_id, "datasets": [{
        "dataset": {"name": EVIL, "digest": "<b>x", "source_type": EVIL, "source": EVIL, "schema": EVIL}, "tags": []}]}).raise_for_status()
    names = [EVIL_NAME + ending for ending in (".txt", ".md", ".json", ".csv", ".html", ".svg", ".png", "")]
    for name in names:
        content = f"<svg xmlns='http://www.w3.org/2000/svg' onload='parent.pwned=1'><script>parent.pwned=1</script>{EVIL}</svg>"
        put(url, runs[0], requests.utils.quote(name, safe=""), content.encode() if not name.endswith(".csv") else f"a,b\n{EVIL},1\n".encode())
    model = EVIL_NAME
    client.create_registered_model(model, description=EVIL, tags={"t": EVIL})
    for run in runs:
        client.create_model_version(model, f"runs:/{run.info.run_id}/m", run.info.run_id, tags={"t": EVIL}, description=EVIL)
    client.set_registered_model_alias(model, "champion", "1")
    return {"experiment": experiment, "runs": [run.info.run_id for run in runs], "files": names, "model": model}
