"""`track why`: from one prediction back to its inputs, model version, alias, run, data and code."""

import getpass
import json

import pytest
import requests

from conftest import CRYPTO, MODEL, Mlops, is_up

API = "/api/2.0/mlflow/"


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    """A finished run of the whole loop; no server runs afterwards."""
    mlops = Mlops(tmp_path_factory.mktemp("why"))
    mlops.output = mlops.run(
        "all", "--once", "--source", "synthetic", "--duration", "10h", "--start", "2024-03-01T00:00:00Z", "--rate", "0.5",
        "--project", CRYPTO, timeout=300).stdout
    yield mlops
    mlops.stop_all()


def why(mlops, identity, *more, **options):
    return mlops.run("track", "why", identity, "--project", CRYPTO, *more, **options)


def fact(text, name):
    """The lines of one fact, the name's own and those under it."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(name.ljust(12)) or line == name)
    end = next((number for number in range(start + 1, len(lines)) if not lines[number].startswith(" ")), len(lines))
    return "\n".join(line[12:] for line in lines[start:end])


def test_a_person_reads_where_a_prediction_comes_from(loop):
    row = loop.rows("predictions")[-1]
    text = why(loop, row["id"]).stdout
    assert fact(text, "prediction") == row["id"] and fact(text, "output") == repr(row["output"])
    assert fact(text, "model").startswith(f"{MODEL} version {row['version']}, ")
    # What served is what its alias says, moved by the training run.
    alias = "champion" if "champion" in fact(text, "alias") else "baseline"
    assert f"{alias} since 20" in fact(text, "alias") and "by train" in fact(text, "alias") and "because " in fact(text, "alias")
    run = next(line for line in loop.output.splitlines() if "run: " in line).split("run: ")[1].split()[0]
    assert fact(text, "run").startswith(run) and "FINISHED" in fact(text, "run")
    assert "mlops 0." in fact(text, "code") and "definitions " in fact(text, "code")
    assert "technical_indicators partition" in fact(text, "data") or "indicators" in fact(text, "data")
    assert "records 0 to before" in fact(text, "data") and "nothing later than 2024-03-01T" in fact(text, "data")
    inputs = dict(line.split()[:2] for line in text[text.index("\ninputs\n") + 8:].splitlines())
    assert {name: json.loads(value) for name, value in inputs.items()} == row["features"]
    assert "definition " in text


def test_a_program_reads_all_of_it(loop):
    row = loop.rows("predictions")[0]
    story = json.loads(why(loop, row["id"], "--json").stdout)
    assert story["prediction"] == row
    version, run, artefact = story["model_version"], story["run"], story["artefact"]
    assert version["name"] == MODEL and version["version"] == row["version"] and version["run_id"] == run["info"]["run_id"] == artefact["run"]
    assert set(artefact["definition_hashes"]) <= set(row["features"]) and sum(part["next"] for part in artefact["snapshots"]) > 0
    assert run["inputs"]["dataset_inputs"][0]["dataset"]["name"] == artefact["view"]
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    assert tags["mlops.version"] and len(tags["mlops.definitions"]) == 16


def test_moves_of_the_alias_are_told_with_who_why_and_the_gates_words(loop):
    row = loop.rows("predictions")[-1]
    process = loop.start("track", "--project", CRYPTO, "--port", "0", "--admin-port", "0")
    url = loop.endpoint()
    is_up(url + "/health", process)
    loop.run("track", "promote", MODEL, row["version"], "--alias", "shadow", "--reason", "a second look", "--project", CRYPTO)
    move = {"name": MODEL, "alias": "audited", "version": row["version"], "actor": "ann", "reason": "beats them all",
            "verdict": json.dumps({"sentence": "better by 3 % at least"})}
    assert requests.post(url + API + "registered-models/alias", json=move, timeout=10).status_code == 200
    alias = why(loop, row["id"]).stdout
    assert f"shadow since 20" in alias and f"by {getpass.getuser()}" in alias and "because a second look" in alias
    assert "by ann" in alias and "because beats them all" in alias and "gate: better by 3 % at least" in alias
    assert alias.index("shadow since") < alias.index("audited since")
    # A version that is gone is told as that, not as an unknown prediction.
    for version in requests.get(url + API + "model-versions/search", timeout=10).json()["model_versions"]:
        body = {"name": MODEL, "version": version["version"]}
        requests.delete(url + API + "model-versions/delete", json=body, timeout=10)
    gone = why(loop, row["id"], status=1).stderr
    assert f"made by {MODEL} version {row['version']}, which {url} does not know" in gone
    assert loop.terminate(process) == 0


def test_an_id_that_no_prediction_has_is_told_so(loop):
    for identity in ("0190a5c4-0000-7000-8000-000000000000", "x", "version"):
        told = why(loop, identity, status=1)
        assert f"no prediction {identity} among the newest" in told.stderr and "predictions" in told.stderr and told.stdout == ""
    assert "--limit" in why(loop, "x", "--limit", "0", status=64).stderr
