# SPDX-License-Identifier: Apache-2.0
"""hard times — full disks, wrong clocks, other addresses, a week off, clones.

meshd-faq(7) answers each of these questions; here is what it rests on.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from mesh import Agent, Mesh, families, run_batch, wait_for
from test_51_doctor import examine, found

CLOCKED = pathlib.Path(__file__).with_name("clocked.py")
HOUR, DAY, YEAR = 3600, 86400, 365 * 86400
LONG = 150.0  # seconds, where what is waited for happens once a minute

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {}}}
spec: {{ports: [{{name: http, port: 80}}]}}
"""
ROUTE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: web}}
spec:
  hosts: [web]
  http: [{{directResponse: {{status: {}}}}}]
"""


@pytest.fixture(params=families("hard times")[:1])
def mesh(request, tmp_path):
    """A server and machines; one family, for nothing here looks at it."""
    with Mesh(tmp_path, request.param, machines=4) as it:
        yield it


def serve(mesh, number=2, **options):
    """An agent that offers web."""
    agent = mesh.member(number, **options)
    web = mesh.web(number, 8080, agent.name)
    agent.expose("web", f"80:{web.target}", "--protocol", "http")
    return agent


def caller(mesh, number=3, **options):
    at = mesh.machine(number).at(9000)
    return mesh.member(number, "--upstream", f"web={at}", **options)


def call(agent):
    """Who answered, or the status in words."""
    answer = agent.machine.fetch(9000, timeout=2)
    return answer.json()["text"] if answer.status == 200 else (
        f"{answer.status} {answer.headers.get('proxy-status', '')}")


def reaches(agent, whom, deadline=LONG):
    def ask():
        try:
            return call(agent) == whom
        except OSError:
            return False
    wait_for(ask, lambda: f"{agent.name} reaches {whom}: "
             f"{agent.cli('endpoints').stdout} {agent.text}", deadline)


def problems(agent, kind):
    return [p["text"] for p in agent.status().get("problems", [])
            if p["kind"] == kind]


@contextlib.contextmanager
def disk(folder, *options):
    """A file system of its own below the folder."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(
        ["size=4m", *options]), "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def remount(folder, word):
    subprocess.run(["mount", "-o", f"remount,{word}", folder], check=True)


@contextlib.contextmanager
def full(folder):
    """Not a byte is left on its disk."""
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as f, \
            contextlib.suppress(OSError):
        while True:
            f.write(b"x" * 4096)
    ballast.chmod(0o600)
    try:
        yield
    finally:
        ballast.unlink()


# --- disks ---


def test_an_agent_with_a_full_disk_goes_on_and_says_so(mesh):
    serve(mesh)
    agent = mesh.agent(3, "--upstream", f"web={mesh.machine(3).at(9000)}")
    with disk(agent.cli.state):
        agent.cli.state.chmod(0o700)
        agent.start(mesh.token()).joined().synced()
        agent.expose("first", "81:8081")
        reaches(agent, "vm2")
        with full(agent.cli.state):
            done = agent.cli("expose", "second", "82:8082")
            assert done.returncode != 0 and "No space left" in done.stderr
            assert [e["name"] for e in agent.cli.items("exposed")] == ["first"]
            mesh.apply(ROUTE.format(418))
            assert agent.machine.fetch(9000).status == 418
            wait_for(lambda: problems(agent, "state"), "status tells of it")
            assert "No space left" in problems(agent, "state")[0]
            text, mend = found(examine(agent.cli), "state", "problem")[0]
            assert "room for 0 MiB" in text and mend
        # Nothing has to change for it to be written.
        wait_for(lambda: not problems(agent, "state"), "it was written")
        agent.expose("second", "82:8082")
        mesh.server.stop()
        agent.stop(signal.SIGKILL)
        agent.start().joined()
        assert agent.machine.fetch(9000).status == 418
        assert len(agent.cli.items("exposed")) == 2
        agent.stop()


def test_an_agent_starts_on_a_full_disk(mesh):
    serve(mesh)
    agent = mesh.agent(3, "--upstream", f"web={mesh.machine(3).at(9000)}")
    with disk(agent.cli.state):
        agent.start(mesh.token()).joined().synced()
        reaches(agent, "vm2")
        agent.stop()
        with full(agent.cli.state):
            agent.start().joined().synced()
            reaches(agent, "vm2")
            agent.stop()


def test_a_server_with_a_full_disk_refuses_changes_and_loses_none(mesh):
    agent = serve(mesh)
    mesh.server.stop()
    state = mesh.cli.state
    kept = state.with_name("kept")
    state.rename(kept)
    with disk(state):
        shutil.copytree(kept, state, dirs_exist_ok=True)
        state.chmod(0o700)
        mesh.server.start()
        mesh.apply(SERVICE.format("before"))
        with full(state):
            done = mesh.cli("apply", "-f", "-", stdin=SERVICE.format("in"))
            assert done.returncode != 0 and "full" in done.stderr, done.stderr
            text, mend = found(examine(mesh.cli), "state", "problem")[0]
            assert "room for 0 MiB" in text and mend
            assert agent.status()["connected"]
            mesh.server.stop(signal.SIGKILL)
            mesh.server.start()  # it reads, and writes when there is room
        mesh.apply(SERVICE.format("after"))
        assert {i["metadata"]["name"] for i in mesh.cli.items("get")} == {
            "before", "after"}
        mesh.server.stop()


def test_an_agent_on_a_disk_that_cannot_be_written(mesh):
    serve(mesh)
    agent = mesh.agent(3, "--upstream", f"web={mesh.machine(3).at(9000)}")
    with disk(agent.cli.state):
        agent.cli.state.chmod(0o700)
        agent.start(mesh.token()).joined().synced()
        reaches(agent, "vm2")
        agent.stop()
        remount(agent.cli.state, "ro")
        agent.start().joined().synced()
        reaches(agent, "vm2")
        done = agent.cli("expose", "first", "81:8081")
        assert done.returncode != 0 and "Read-only" in done.stderr
        text, mend = found(examine(agent.cli), "state", "problem")[0]
        assert "cannot be written" in text and "remount,rw" in mend
        subprocess.run(["nsenter", "-m", "-t", str(agent.process.pid), "sh",
                        "-c", mend], check=True)
        agent.expose("first", "81:8081")
        agent.stop()


def test_who_never_joined_needs_a_disk(mesh):
    agent = mesh.agent(3, "--join", mesh.token())
    with disk(agent.cli.state):
        agent.cli.state.chmod(0o700)
        remount(agent.cli.state, "ro")
        agent.start()
        assert agent.ends() != 0
        assert "Read-only file system" in agent.text
        assert str(agent.cli.state) in agent.text


def test_a_server_on_a_disk_that_cannot_be_written_says_so(mesh):
    mesh.server.stop()
    state = mesh.cli.state
    state.rename(state.with_name("kept"))
    with disk(state):
        shutil.copytree(state.with_name("kept"), state, dirs_exist_ok=True)
        state.chmod(0o700)
        remount(state, "ro")
        done = mesh.cli("server", "run")
        assert done.returncode != 0
        assert "read-only" in done.stderr.lower(), done.stderr
        assert str(state) in done.stderr
        _, mend = found(examine(mesh.cli), "state", "problem")[0]
        subprocess.run(mend, shell=True, check=True)
        mesh.server.start()
        mesh.server.stop()


# --- clocks ---


class Clock:
    """The wall's, of all that start by its prefix."""

    def __init__(self, path):
        self.path = path
        self.set(0)

    def set(self, seconds):
        beside = self.path.with_suffix(".new")
        beside.write_text(str(seconds))
        beside.rename(self.path)

    @property
    def prefix(self):
        return [sys.executable, CLOCKED, self.path]


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path / "clock")


def start(process, clock, *token):
    return process.start(*token, prefix=clock.prefix)


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_an_hour_off_the_mesh_goes_on_and_the_clock_is_told(
        mesh, clock, seconds):
    serving = serve(mesh)
    agent = mesh.agent(3, "--upstream", f"web={mesh.machine(3).at(9000)}")
    start(agent, clock, mesh.token()).joined().synced()
    reaches(agent, "vm2")
    clock.set(seconds)
    agent.stop()
    start(agent, clock).joined().synced()
    reaches(agent, "vm2")
    assert serving.is_running
    assert agent.status()["connected"]


@pytest.mark.parametrize("seconds", [YEAR, -YEAR])
def test_a_year_off_is_told_and_mended_by_setting_the_clock(
        mesh, clock, seconds):
    serve(mesh)
    agent = mesh.agent(3, "--upstream", f"web={mesh.machine(3).at(9000)}")
    start(agent, clock, mesh.token()).joined().synced()
    reaches(agent, "vm2")
    clock.set(seconds)
    agent.stop()
    start(agent, clock)
    wait_for(lambda: "clock" in agent.text, lambda: agent.text, LONG)
    print(agent.text, agent.cli.ok("status"))
    clock.set(0)
    agent.cli("join", "retry")
    reaches(agent, "vm2")
    agent.synced()
