"""Who may do what with the tracking server: nobody without a token, a reader nothing but read, a limited token nothing of others.

Roles one by one are in test_track_access.py, browsers in test_track_browser.py.
"""

import pytest
import requests

from conftest import Mlops
from test_track_hostile import API, PROXY, Server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    mlops = Mlops(tmp_path_factory.mktemp("guarded"))
    server = Server(mlops, "--tokens")
    server.token = lambda name, role, *more: {"Authorization": "Bearer " + mlops.run(
        "track", "token", "create", "--name", name, "--role", role, *more).stdout.strip()}
    server.admin = server.token("admin", "admin")
    server.ask = lambda method, path, headers, body=None: requests.request(method, server.url + path, headers=headers, json=body, timeout=10)
    server.theirs = server.ask("POST", API + "experiments/create", server.admin, {"name": "theirs"}).json()["experiment_id"]
    server.run_id = server.ask("POST", API + "runs/create", server.admin, {"experiment_id": server.theirs}).json()["run"]["info"]["run_id"]
    server.secret = f"{PROXY}{server.theirs}/{server.run_id}/artifacts/secret.txt"
    requests.put(server.url + server.secret, data=b"hush-hush", headers=server.admin, timeout=10)
    server.ask("POST", API + "registered-models/create", server.admin, {"name": "theirs"})
    server.ask("POST", API + "model-versions/create", server.admin, {"name": "theirs", "source": f"runs:/{server.run_id}/m", "run_id": server.run_id})
    yield server
    mlops.stop_all()


def test_nobody_is_anybody_without_a_token(guarded):
    tries = [{}, {"Authorization": "Bearer "}, {"Authorization": "Basic OmFkbWlu"}, {"Authorization": "Basic YWRtaW46cGFzc3dvcmQ="},
             {"Authorization": "Bearer admin"}, {"Cookie": "session=admin"}, {"X-Forwarded-User": "admin"}, {"X-Forwarded-For": "127.0.0.1"}]
    for headers in tries:
        for method, path in (("GET", "/"), ("GET", guarded.secret), ("POST", API + "experiments/search"), ("GET", "/preview?uri=mlflow-artifacts:/1&path=x"),
                             ("PUT", PROXY + "0/x"), ("DELETE", guarded.secret), ("GET", "/no-such-page"), ("HEAD", "/"), ("OPTIONS", API + "runs/create")):
            assert guarded.ask(method, path, headers).status_code == 401, (method, path, headers)


def test_a_reader_changes_nothing(guarded):
    reader = guarded.token("reader", "reader")
    body = {"experiment_id": guarded.theirs, "run_id": guarded.run_id, "name": "theirs", "version": "1", "alias": "champion", "key": "k", "value": "v",
            "timestamp": 1, "new_name": "x", "source": "x", "stage": "Production", "url": "https://93.184.216.34/", "events": []}
    for route in ("experiments/create", "experiments/update", "experiments/delete", "experiments/restore", "experiments/set-experiment-tag", "runs/create",
                  "runs/update", "runs/delete", "runs/restore", "runs/log-metric", "runs/log-parameter", "runs/log-batch", "runs/set-tag", "runs/delete-tag",
                  "runs/log-inputs", "runs/outputs", "logged-models", "registered-models/create", "registered-models/rename", "registered-models/alias",
                  "registered-models/set-tag", "registered-models/rollback", "model-versions/create", "model-versions/transition-stage",
                  "model-versions/set-tag", "webhooks"):
        assert guarded.ask("POST", API + route, reader, body).status_code == 403, route
    for route in ("registered-models/delete", "registered-models/alias", "model-versions/delete"):
        assert guarded.ask("DELETE", API + route, reader, body).status_code == 403, route
    for method in ("PUT", "DELETE"):
        assert guarded.ask(method, guarded.secret, reader).status_code == 403
    assert guarded.ask("GET", guarded.secret, reader).text == "hush-hush"


def test_a_limited_token_reaches_nothing_of_others_by_any_way(guarded):
    mine = guarded.token("mine", "trainer", "--experiment", "mine-*", "--model", "mine-*")
    place = f"mlflow-artifacts:/{guarded.theirs}/{guarded.run_id}/artifacts"
    made = guarded.ask("POST", API + "experiments/create", mine, {"name": "mine-1", "artifact_location": place})
    # Others' places are no places for an experiment of one's own.
    assert made.status_code in (400, 403) and "hush" not in made.text
    made = guarded.ask("POST", API + "experiments/create", mine, {"name": "mine-1"})
    run = guarded.ask("POST", API + "runs/create", mine, {"experiment_id": made.json()["experiment_id"]}).json()["run"]["info"]["run_id"]
    assert guarded.ask("POST", API + "registered-models/create", mine, {"name": "mine-m"}).status_code == 200
    for source in (place, f"runs:/{guarded.run_id}/m", "models:/theirs/1"):
        body = {"name": "mine-m", "source": source, "run_id": guarded.run_id}
        assert guarded.ask("POST", API + "model-versions/create", mine, body).status_code == 403, source
    paths = [guarded.secret, f"{PROXY.rstrip('/')}?path={guarded.theirs}", f"/get-artifact?run_id={guarded.run_id}&path=secret.txt",
             f"{API}artifacts/list?run_id={guarded.run_id}",
             f"/preview?uri={place}&path=secret.txt", f"/runs/{guarded.run_id}", f"/experiments/{guarded.theirs}", f"{API}runs/get?run_id={guarded.run_id}",
             f"{API}metrics/get-history?run_id={guarded.run_id}&metric_key=m", f"{API}model-versions/get?name=theirs&version=1", "/models/theirs",
             "/model-versions/get-artifact?name=theirs&version=1&path=x", f"{API}registered-models/promotions?name=theirs", "/system", API + "webhooks",
             f"{API}experiments/get?experiment_id={guarded.theirs}", f"{API}experiments/get-by-name?experiment_name=theirs"]
    for path in paths:
        answer = guarded.ask("GET", path, mine)
        assert answer.status_code == 403 and "hush-hush" not in answer.text, (path, answer.status_code)
    for path in ("/", "/models", "/datasets", f"/runs/{run}", f"/compare?run={run}&run={guarded.run_id}", f"/runs/{run}/charts?with={guarded.run_id}"):
        answer = guarded.ask("GET", path, mine)
        assert answer.status_code == 200 and "theirs" not in answer.text and "hush-hush" not in answer.text, path
    for route, body in (("runs/search", {"experiment_ids": [guarded.theirs]}), ("logged-models/search", {"experiment_ids": [guarded.theirs]}),
                        ("runs/log-metric", {"run_id": guarded.run_id, "key": "m", "value": 1, "timestamp": 1}),
                        ("runs/create", {"experiment_id": guarded.theirs}), ("registered-models/rename", {"name": "theirs", "new_name": "mine-x"})):
        assert guarded.ask("POST", API + route, mine, body).status_code == 403, route
    for route in ("experiments/search", "registered-models/search", "model-versions/search"):
        assert "theirs" not in guarded.ask("GET", API + route, mine).text
