"""The image answers a prediction from inside its own root file system."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest
import requests

pytestmark = pytest.mark.image

TAG = os.environ.get("TAG", "mlops:dev")
SERVE = "http://127.0.0.1:8501"
MODEL = "crypto-price-10m"


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def works(*command):
    return shutil.which(command[0]) is not None and subprocess.run(command, capture_output=True).returncode == 0


def programs_below(ancestor):
    """Process numbers of the `mlops` programs that descend from a process of ours."""
    parents, names = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    head, _, rest = stat.read().rpartition(")")
            except OSError:
                continue
            parents[int(entry)], names[int(entry)] = int(rest.split()[1]), head.partition("(")[2]

    def descends(pid):
        while pid in parents and pid != ancestor:
            pid = parents[pid]
        return pid == ancestor

    return [pid for pid, name in names.items() if name == "mlops" and descends(pid)]


class Container:
    """The image with its entry point, run by whichever tool built it; the host's network, no access to its files."""

    def __init__(self, *arguments):
        self.tool = next((tool for tool in ("docker", "podman") if works(tool, "info")), "buildah")
        if self.tool == "buildah":
            self.name = output("buildah", "from", TAG)
            entry = json.loads(output("buildah", "inspect", "--type", "image", TAG))["OCIv1"]["config"]["Entrypoint"]
            command = ["buildah", "run", "--isolation=chroot", self.name, "--", *entry, *arguments]
        else:
            self.name = f"mlops-image-test-{os.getpid()}"
            command = [self.tool, "run", "--rm", "--network=host", "--name", self.name, TAG, *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def root(self, *command):
        """What a command inside the root file system prints."""
        if self.tool == "buildah":
            return output("buildah", "run", "--isolation=chroot", self.name, "--", *command)
        return output(self.tool, "exec", self.name, *command)

    def stop(self):
        """Ends the process as an orchestrator does; its exit status."""
        if self.tool == "buildah":
            # The signal is for the program: buildah itself would pass on a kill.
            for pid in programs_below(self.process.pid):
                os.kill(pid, signal.SIGTERM)
        else:
            subprocess.run([self.tool, "stop", "--time", "20", self.name], capture_output=True)
        try:
            return self.process.wait(timeout=30)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
            self.log = self.process.stdout.read()
            if self.tool == "buildah":
                subprocess.run(["buildah", "rm", self.name], capture_output=True)


@pytest.fixture
def container():
    # No subcommand: the image's default one.
    container = Container("--quick", "--project", "examples/crypto")
    yield container
    if container.process.poll() is None:
        container.stop()


def prediction(container, deadline_seconds=60):
    """The first answered prediction."""
    give_up = time.monotonic() + deadline_seconds
    last = None
    while time.monotonic() < give_up:
        if container.process.poll() is not None:
            pytest.fail(f"the process ended with {container.process.returncode}:\n{container.process.stdout.read()[-3000:]}")
        try:
            last = requests.post(f"{SERVE}/v1/models/{MODEL}:predict", json={"instances": [{"pair": "BTC/USD"}]}, timeout=2)
            if last.status_code == 200:
                return last.json()
        except requests.ConnectionError as error:
            last = error
        time.sleep(0.2)
    pytest.fail(f"no prediction within {deadline_seconds} s; last: {getattr(last, 'text', last)}")


def test_the_image_answers_a_prediction_as_a_user_without_rights(container):
    answer = prediction(container)
    assert len(answer["predictions"]) == 1
    assert isinstance(answer["predictions"][0], float)
    assert container.root("id", "-u") == "10001"
    assert container.stop() == 0, container.log[-3000:]


def test_the_image_holds_runtime_libraries_only(container):
    assert container.root("sh", "-c", "command -v swift clang gcc python3 pip make git || true") == ""
    assert container.root("sh", "-c", "ls /usr/local/include/arrow 2>/dev/null || true") == ""
