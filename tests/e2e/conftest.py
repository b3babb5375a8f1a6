# SPDX-License-Identifier: Apache-2.0
"""conftest — real processes for the scenarios: a server and the commands."""

import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

MESHD = os.environ["MESHD"]
DEADLINE = 10.0


class Meshd:
    """The command line, with its own socket and no settings from outside."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.socket = self.folder / "server.sock"
        self.state = self.folder / "state"
        self.env = {
            "PATH": os.environ["PATH"],
            "MESHD_SOCKET": str(self.socket),
            "MESHD_STATE": str(self.state),
        }

    def __call__(self, *words, stdin=None, env=None, **options):
        return subprocess.run(
            [MESHD, *map(str, words)], input=stdin, text=True,
            capture_output=True, timeout=60, check=False,
            env={**self.env, **(env or {})}, **options)

    def ok(self, *words, **options):
        done = self(*words, **options)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def json(self, *words):
        return json.loads(self.ok(*words, "-o", "json"))


class Server:
    """`meshd server run`, until it is stopped by its own pid."""

    def __init__(self, meshd):
        self.meshd = meshd
        self.log = open(meshd.folder / "server.log", "ab")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [MESHD, "server", "run"], stdout=self.log, stderr=self.log,
            env=self.meshd.env)
        wait_for(lambda: self.meshd("status").returncode == 0,
                 f"the server serves; its log: {self.text}")
        return self

    @property
    def text(self):
        return (self.meshd.folder / "server.log").read_text()

    def stop(self, with_signal=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(with_signal)
        code = self.process.wait(DEADLINE)
        self.process = None
        return code


def wait_for(condition, what):
    """Returns when the condition holds; fails after DEADLINE seconds."""
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"in {DEADLINE:.0f} s it did not come to this: {what}")
        time.sleep(0.02)


@pytest.fixture
def meshd(tmp_path):
    return Meshd(tmp_path)


@pytest.fixture
def server(meshd):
    meshd.ok("server", "init")
    it = Server(meshd)
    try:
        it.start()
        yield it
    finally:
        it.stop(signal.SIGKILL)
        it.log.close()


@pytest.fixture
def write(tmp_path):
    def write_file(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path
    return write_file
