"""Halves and rivals: uploads that break off, and clients that want the same thing at the same moment."""

import concurrent.futures
import os
import socket

import pytest
import requests

from conftest import CRYPTO, is_up, wait_for

API = "/api/2.0/mlflow/"
PROXY = "/api/2.0/mlflow-artifacts/artifacts/"


@pytest.fixture(scope="module")
def url(module_mlops):
    process = module_mlops.start("track", "--project", CRYPTO, "--port", "0", "--admin-port", "0")
    url = module_mlops.endpoint()
    is_up(url + "/health", process)
    return url


def post(url, route, body):
    return requests.post(url + API + route, json=body, timeout=30)


def at_once(count, work):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


@pytest.mark.parametrize("head", ["Content-Length: 50000000", "Transfer-Encoding: chunked"])
def test_half_an_upload_leaves_nothing_and_harms_not_what_was_there(module_mlops, url, head):
    artifacts = module_mlops.data / "artifacts"
    assert requests.put(url + PROXY + "0/run/kept.bin", data=b"whole", timeout=10).status_code == 200
    for name in ("kept.bin", "new.bin"):
        with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) as half:
            half.sendall(f"PUT {PROXY}0/run/{name} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n\r\n".encode())
            half.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n" if "chunked" in head else b"x" * 65536)
            wait_for(lambda: files(artifacts / ".part"), "an upload under way")
        wait_for(lambda: not files(artifacts / ".part"), "the half to be removed")
    assert files(artifacts / "0/run") == ["kept.bin"] and (artifacts / "0/run/kept.bin").read_bytes() == b"whole"


def test_of_two_who_create_the_same_one_does(url):
    answers = at_once(8, lambda _: post(url, "experiments/create", {"name": "wanted"}))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert {answer.json()["error_code"] for answer in answers if answer.status_code == 400} == {"RESOURCE_ALREADY_EXISTS"}
    answers = at_once(8, lambda _: post(url, "registered-models/create", {"name": "wanted"}))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    numbers = at_once(8, lambda _: post(url, "model-versions/create", {"name": "wanted", "source": "s3://b/m"}).json()["model_version"]["version"])
    assert sorted(map(int, numbers)) == list(range(1, 9))


def test_of_two_who_log_a_parameter_with_other_values_one_does(url):
    run = post(url, "runs/create", {}).json()["run"]["info"]["run_id"]
    answers = at_once(8, lambda number: post(url, "runs/log-parameter", {"run_id": run, "key": "p", "value": str(number)}))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    won = next(number for number, answer in enumerate(answers) if answer.status_code == 200)
    for number, answer in enumerate(answers):
        if number != won:
            assert f"was already logged with value='{won}'" in answer.json()["message"]
    stored = requests.get(url + API + "runs/get", params={"run_id": run}, timeout=10).json()["run"]["data"]["params"]
    assert stored == [{"key": "p", "value": str(won)}]


def test_a_batch_that_conflicts_leaves_nothing_of_itself(url):
    run = post(url, "runs/create", {}).json()["run"]["info"]["run_id"]
    post(url, "runs/log-parameter", {"run_id": run, "key": "p", "value": "1"})
    batch = {"run_id": run, "metrics": [{"key": "m", "value": 1, "timestamp": 1}], "params": [{"key": "q", "value": "1"}, {"key": "p", "value": "2"}],
             "tags": [{"key": "t", "value": "1"}]}
    assert post(url, "runs/log-batch", batch).status_code == 400
    data = requests.get(url + API + "runs/get", params={"run_id": run}, timeout=10).json()["run"]["data"]
    assert data.get("metrics", []) == [] and data["params"] == [{"key": "p", "value": "1"}]
    assert not [tag for tag in data.get("tags", []) if tag["key"] == "t"]


def test_of_two_who_store_a_file_it_is_wholly_of_one(url):
    contents = [bytes([number]) * 3_000_000 for number in range(6)]
    place = url + PROXY + "0/run/shared.bin"
    read = []

    def work(number):
        if number < 6:
            assert requests.put(place, data=contents[number], timeout=60).status_code == 200
        else:
            answer = requests.get(place, timeout=60)
            read.append(answer.content if answer.status_code == 200 else None)

    requests.put(place, data=contents[0], timeout=60)
    at_once(10, work)
    assert requests.get(place, timeout=60).content in contents
    assert all(content is None or content in contents for content in read)


def test_two_aliases_moves_at_once_are_both_in_the_audit(url):
    post(url, "registered-models/create", {"name": "raced"})
    for _ in range(6):
        post(url, "model-versions/create", {"name": "raced", "source": "s3://b/m"})
    moves = at_once(6, lambda number: post(url, "registered-models/alias", {"name": "raced", "alias": "champion", "version": str(number + 1)}))
    assert {answer.status_code for answer in moves} == {200}
    audit = requests.get(url + API + "registered-models/promotions", params={"name": "raced"}, timeout=10).json()["promotions"]
    assert sorted(int(move["version"]) for move in audit) == list(range(1, 7))
    # Each says what it replaced: a chain without a gap, the newest first.
    assert [move.get("previous_version") for move in audit] == [move["version"] for move in audit[1:]] + [None]
    champion = requests.get(url + API + "registered-models/alias", params={"name": "raced", "alias": "champion"}, timeout=10).json()
    assert champion["model_version"]["version"] == audit[0]["version"]
