"""A role that runs finds the tracking server again: with a token that was mended, at an address that is another by now."""

import http.server
import json
import threading

import pytest

from conftest import CRYPTO, wait_for


class Tracking(http.server.ThreadingHTTPServer):
    """Knows no model, and takes one token."""

    def __init__(self, token=None):
        self.shown = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                shown = self.headers.get("Authorization")
                if self.path == "/health":
                    return self.answer(200, b"OK")
                self.server.shown.append(shown)
                if token and shown != f"Bearer {token}":
                    return self.answer(401, b'{"error_code": "UNAUTHENTICATED", "message": "a token is needed"}')
                return self.answer(404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such model"}')

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self):
        self.shutdown()
        self.server_close()


@pytest.fixture
def track():
    made = Tracking(token="new")
    yield made
    made.end()


SERVE = ["serve", "--project", CRYPTO, "--port", "0", "--admin-port", "0"]


def test_a_token_that_was_mended_is_taken_up(mlops, track, tmp_path):
    file = tmp_path / "token"
    file.write_text("old\n")
    process = mlops.start(*SERVE, "--track-url", track.url, environment={"MLOPS_TRACK_TOKEN_FILE": str(file)})
    mlops.wait_for_log(process, "UNAUTHENTICATED")
    assert set(track.shown) == {"Bearer old"}
    file.write_text("new\n")
    wait_for(lambda: track.shown[-1] == "Bearer new", "the new token", process=process)
    assert "new" not in mlops.log(process).split()


def test_a_server_that_moved_is_found(mlops):
    mlops.data.mkdir()
    first = Tracking()
    place = mlops.data / "endpoints.json"
    place.write_text(json.dumps({"track": first.url}))
    process = mlops.start(*SERVE)
    wait_for(lambda: first.shown, "a question", process=process)
    first.end()
    second = Tracking(token="of its own")
    place.write_text(json.dumps({"track": second.url, "token": "of its own"}))
    try:
        wait_for(lambda: "Bearer of its own" in second.shown, "a question at the new place", process=process)
        assert process.poll() is None
    finally:
        second.end()
