"""Artifacts and archives in a bucket: the unmodified `mlflow` client above, moto's server below, which checks the signatures."""

import http.server
import json
import os
import pathlib
import socket
import threading

import mlflow
import pytest
import requests

import s3_signatures
from conftest import CRYPTO, is_up, wait_for
from s3 import BUCKET, bucket

PORTS = ("--project", CRYPTO, "--port", "0", "--admin-port", "0")
PLACE = f"s3://{BUCKET}/team a/artifacts"
PREFIX = "team a/artifacts/"
PROXY = "/api/2.0/mlflow-artifacts/artifacts/"


@pytest.fixture(scope="module")
def store():
    with bucket() as made:
        yield made


def start(mlops, store, place=PLACE, **environment):
    process = mlops.start("track", "--artifacts", place, *PORTS, environment={**store.environment, **environment})
    mlops.url = mlops.endpoint()
    is_up(mlops.url + "/health", process)
    mlops.client = mlflow.MlflowClient(tracking_uri=mlops.url, registry_uri=mlops.url)
    return process


@pytest.fixture(scope="module")
def track(module_mlops, store):
    module_mlops.process = start(module_mlops, store)
    return module_mlops


@pytest.fixture
def run(track):
    return track.client.create_run("0").info


def place(run, path):
    return run.artifact_uri.split(":/", 1)[1].lstrip("/") + "/" + path


def test_the_golden_signatures_are_those_of_botocore():
    golden = json.loads(s3_signatures.FILE.read_text())
    assert golden == [s3_signatures.sign(case) for case in s3_signatures.CASES]


def test_files_and_folders_go_to_the_bucket_and_come_back(track, store, run, tmp_path):
    names = ["a.txt", "b c+d.txt", "ü/d&<e>.txt", "e/f/g.txt", "empty"]
    for name in names:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("" if name == "empty" else name * 3)
    track.client.log_artifacts(run.run_id, str(tmp_path / "in"), "all")
    assert sorted(store.keys(PREFIX + place(run, ""))) == sorted(PREFIX + place(run, "all/" + name) for name in names)
    assert not (track.data / "artifacts").exists()
    assert sorted((e.path, e.is_dir) for e in track.client.list_artifacts(run.run_id, "all")) == [
        ("all/a.txt", False), ("all/b c+d.txt", False), ("all/e", True), ("all/empty", False), ("all/ü", True)]
    (tmp_path / "out").mkdir()
    found = pathlib.Path(track.client.download_artifacts(run.run_id, "all", str(tmp_path / "out")))
    assert sorted(str(p.relative_to(found)) for p in found.rglob("*") if p.is_file()) == sorted(names)
    for name in names:
        assert (found / name).read_bytes() == (tmp_path / "in" / name).read_bytes()


def test_a_model_is_logged_registered_and_loaded_by_its_alias(track, monkeypatch):
    sklearn = pytest.importorskip("sklearn.linear_model")
    mlflow.set_tracking_uri(track.url)
    with mlflow.start_run():
        model = sklearn.LinearRegression().fit([[0], [1]], [1, 3])
        mlflow.sklearn.log_model(model, name="m", registered_model_name="line", input_example=[[1]])
    track.client.set_registered_model_alias("line", "champion", "1")
    assert mlflow.pyfunc.load_model("models:/line@champion").predict([[2]])[0] == pytest.approx(5)


def test_a_file_of_many_parts_is_streamed_in_bounded_memory(track, store, run, tmp_path):
    megabytes = 100
    block = os.urandom(1 << 20)
    with open(tmp_path / "big.bin", "wb") as file:
        for number in range(megabytes):
            file.write(number.to_bytes(8, "big") + block[8:])
        file.write(b"end")
    def resident():
        return int(pathlib.Path(f"/proc/{track.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    before = resident()
    with open(tmp_path / "big.bin", "rb") as file:
        assert requests.put(track.url + PROXY + place(run, "big.bin"), data=file, timeout=300).status_code == 200
    head = store.client.head_object(Bucket=BUCKET, Key=PREFIX + place(run, "big.bin"))
    assert head["ContentLength"] == megabytes * (1 << 20) + 3 and head["ETag"].endswith('-13"')
    with open(tmp_path / "big.bin", "rb") as expected, requests.get(track.url + PROXY + place(run, "big.bin"), stream=True, timeout=60) as got:
        for piece in got.iter_content(1 << 20):
            assert expected.read(len(piece)) == piece
        assert expected.read() == b""
    assert resident() - before < 80 << 20
    assert store.uploads() == []


def test_ranges_and_tags_are_the_buckets(track, store, run):
    url = track.url + PROXY + place(run, "r.bin")
    requests.put(url, data=b"0123456789", timeout=10)
    whole = requests.get(url, timeout=10)
    assert whole.content == b"0123456789" and whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["ETag"] == store.client.head_object(Bucket=BUCKET, Key=PREFIX + place(run, "r.bin"))["ETag"]
    part = requests.get(url, headers={"Range": "bytes=3-5"}, timeout=10)
    assert part.status_code == 206 and part.content == b"345" and part.headers["Content-Range"] == "bytes 3-5/10"
    assert requests.get(url, headers={"If-None-Match": whole.headers["ETag"]}, timeout=10).status_code == 304
    assert requests.get(url, headers={"Range": "bytes=10-"}, timeout=10).status_code == 416
    requests.put(url, data=b"other", timeout=10)
    assert requests.get(url, headers={"If-None-Match": whole.headers["ETag"]}, timeout=10).content == b"other"
    assert requests.delete(url, timeout=10).status_code == 200
    gone = requests.get(url, timeout=10)
    assert gone.status_code == 404 and gone.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_a_folder_of_more_than_a_page_is_listed_and_removed_whole(track, store, run):
    for number in range(1005):
        store.client.put_object(Bucket=BUCKET, Key=f"{PREFIX}{place(run, 'many')}/{number:04}", Body=b"x")
    store.client.put_object(Bucket=BUCKET, Key=PREFIX + place(run, "many2"), Body=b"x")
    entries = track.client.list_artifacts(run.run_id, "many")
    assert len(entries) == 1005 and entries[-1].path == "many/1004"
    assert requests.delete(track.url + PROXY + place(run, "many"), timeout=60).status_code == 200
    assert store.keys(PREFIX + place(run, "")) == [PREFIX + place(run, "many2")]


def test_half_an_upload_leaves_nothing(track, store, run):
    with socket.create_connection(("127.0.0.1", int(track.url.rsplit(":", 1)[1]))) as half:
        head = f"PUT {PROXY}{place(run, 'half.bin')} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {64 << 20}\r\n\r\n"
        half.sendall(head.encode() + b"x" * (20 << 20))
        wait_for(lambda: store.uploads(), "an upload under way")
    wait_for(lambda: not store.uploads(), "the upload to be taken back")
    assert store.keys(PREFIX + place(run, "half")) == []


def test_gc_removes_what_deleted_runs_left_and_what_nobody_ended(track, store, run):
    requests.put(track.url + PROXY + place(run, "a/b.txt"), data=b"x", timeout=10)
    track.client.delete_run(run.run_id)
    store.client.create_multipart_upload(Bucket=BUCKET, Key=PREFIX + "0/x/artifacts/never.bin")
    # gc knows where the server keeps its artifacts; how to sign comes from the environment.
    assert "AWS_ACCESS_KEY_ID" in track.run("track", "gc", status=78, environment={"AWS_ACCESS_KEY_ID": ""}).stderr
    told = track.run("track", "gc", "--dry-run", environment=store.environment).stdout
    assert "would remove 0 experiments, 1 runs" in told and "unfinished: 0/x/artifacts/never.bin" in told
    assert store.keys(PREFIX + place(run, "a")) and store.uploads()
    told = track.run("track", "gc", environment=store.environment).stdout
    # moto says of every upload that it began in 2010.
    assert "removed 0 experiments, 1 runs" in told and "removed 1 unfinished uploads" in told
    assert store.keys(PREFIX + place(run, "")) == [] and store.uploads() == []


def test_a_backup_says_where_the_files_are(track, store, tmp_path):
    assert f"the files stay in {PLACE}" in track.run("track", "backup", tmp_path / "copy.sqlite").stdout
    track.run("track", "export", "--out", tmp_path / "out")


@pytest.mark.parametrize("place, environment, status, text", [
    ("s3://no-such-bucket", {}, 78, "there is no such bucket"),
    (PLACE, {"AWS_SECRET_ACCESS_KEY": "not-the-secret"}, 78, "SignatureDoesNotMatch"),
    (PLACE, {"AWS_ACCESS_KEY_ID": "nobody"}, 78, "denies it to these credentials"),
    (PLACE, {"AWS_ACCESS_KEY_ID": ""}, 78, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    (PLACE, {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}, 69, "the store does not answer"),
    (PLACE, {"AWS_CA_BUNDLE": "/no/such.pem"}, 78, "/no/such.pem"),
    ("s3://UPPER", {}, 78, "no name of a bucket"),
    ("ftp://x", {}, 78, "s3://BUCKET/PREFIX"),
], ids=["bucket", "secret", "key", "none", "silent", "ca", "name", "scheme"])
def test_what_is_wrong_with_the_bucket_is_told_at_the_start(mlops, store, place, environment, status, text):
    done = mlops.run("track", "--artifacts", place, *PORTS, status=status, environment={**store.environment, **environment})
    assert text in done.stdout + done.stderr
    for secret in (store.environment["AWS_SECRET_ACCESS_KEY"], "not-the-secret"):
        assert secret not in done.stdout + done.stderr


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes every second request on; the others are told to slow down."""

    protocol_version = "HTTP/1.1"
    target, count, mode = "", 0, "flaky"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Proxy.count += 1
        if Proxy.mode == "moved":
            return self.reply(301, {"x-amz-bucket-region": "eu-west-1"}, b"<Error><Code>PermanentRedirect</Code></Error>")
        if Proxy.mode == "down" or Proxy.count % 2:
            return self.reply(503, {}, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
        passed = requests.request(self.command, Proxy.target + self.path, data=body, headers=dict(self.headers), timeout=30, stream=True)
        self.reply(passed.status_code, passed.headers, passed.raw.read(decode_content=False))

    def reply(self, status, headers, body):
        self.send_response(status)
        length = headers.get("Content-Length") if self.command == "HEAD" else str(len(body))
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer

    def log_message(self, *_):
        pass


@pytest.fixture
def proxy(store):
    """The address of a store that is not always there."""
    Proxy.target, Proxy.count, Proxy.mode = store.url, 0, "flaky"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_store_that_is_slow_away_or_elsewhere(mlops, store, proxy):
    process = start(mlops, store, f"s3://{BUCKET}/flaky", AWS_ENDPOINT_URL_S3=proxy)
    run = mlops.client.create_run("0").info
    content = os.urandom(9 << 20)
    url = mlops.url + PROXY + place(run, "f.bin")
    assert requests.put(url, data=content, timeout=60).status_code == 200
    assert requests.get(url, timeout=60).content == content
    Proxy.mode = "down"
    away = requests.put(url, data=b"new", timeout=60)
    assert away.status_code == 503 and away.json()["error_code"] == "TEMPORARILY_UNAVAILABLE" and "SlowDown" in away.text
    Proxy.mode = "flaky"
    assert requests.get(url, timeout=60).content == content
    assert store.environment["AWS_SECRET_ACCESS_KEY"] not in mlops.log(process)
    Proxy.mode = "moved"
    moved = mlops.run("track", "--artifacts", PLACE, *PORTS, "--data", mlops.directory / "other", data=False, status=78,
                      environment={**store.environment, "AWS_ENDPOINT_URL_S3": proxy})
    assert "region eu-west-1" in moved.stderr and "s3.region" in moved.stderr


def test_the_whole_loop_keeps_its_archive_and_its_models_in_the_bucket(mlops, store):
    mlops.run(
        "all", "--once", "--source", "synthetic", "--duration", "10h", "--start", "2024-03-01T00:00:00Z", "--rate", "0.5",
        "--project", CRYPTO, "--objects", f"s3://{BUCKET}/loop/objects", "--artifacts", f"s3://{BUCKET}/loop/artifacts",
        environment=store.environment, timeout=300)
    keys = store.keys("loop/")
    assert any(key.startswith("loop/objects/features/") and key.endswith(".parquet") for key in keys)
    assert any(key.endswith("/artifacts/model/MLmodel") for key in keys)
    assert not list(mlops.data.rglob("*.parquet")) and not list(mlops.data.rglob("MLmodel"))
