# SPDX-License-Identifier: Apache-2.0
"""hard times — full disks, wrong clocks, other addresses, a week off, clones.

meshd-faq(7) answers each of these questions; here is what it rests on.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import types

import pytest

from mesh import Agent, Mesh, Meshd, families, run_batch, wait_for
from test_51_doctor import examine, found

pytestmark = pytest.mark.waits

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


@pytest.fixture(params=families("hard times", shared=False)[:1])
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
            assert "full" in mesh.cli.json("status")["trouble"]
            text, mend = found(examine(mesh.cli), "server", "problem")[0]
            assert "could not write" in text and mend
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


EXT4_SHUTDOWN = 0x8004587d  # ioctl: as if somebody had pulled the disk


@contextlib.contextmanager
def dying(folder, image):
    """A disk that a call of what is handed out ends."""
    with open(image, "wb") as f:
        f.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    folder.mkdir()
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)

    def die():
        fd = os.open(folder, os.O_RDONLY)
        fcntl.ioctl(fd, EXT4_SHUTDOWN, struct.pack("I", 1))
        os.close(fd)

    def revive():
        subprocess.run(["umount", folder], check=True)
        subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    try:
        yield die, revive
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_server_whose_disk_dies_has_all_of_it_once_it_is_back(
        mesh, tmp_path):
    agent = serve(mesh)
    mesh.server.stop()
    state = mesh.cli.state
    kept = state.with_name("kept")
    state.rename(kept)
    with dying(state, tmp_path / "disk") as (die, revive):
        shutil.copytree(kept, state, dirs_exist_ok=True)
        state.chmod(0o700)
        subprocess.run(["sync", "-f", state], check=True)  # the copy itself
        mesh.server.start()
        mesh.apply(SERVICE.format("before"))
        die()
        for name in "first", "second":
            done = mesh.cli("apply", "-f", "-", stdin=SERVICE.format(name))
            assert done.returncode != 0 and "disk" in done.stderr, done.stderr
            assert "backup" not in done.stderr, "nothing is lost"
            assert "disk" in mesh.cli.json("status")["trouble"]
            assert "meshd_store_failing 1" in mesh.machine(1).fetch(
                15014, "/metrics").body.decode()
        mesh.server.stop(signal.SIGKILL)
        revive()
        mesh.server.start()
        assert [i["metadata"]["name"] for i in mesh.cli.items("get")] == [
            "before"]
        mesh.apply(SERVICE.format("after"))
        assert agent.is_running
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

    def seen_from(self, machine):
        """The machine, for commands that have this clock."""
        return types.SimpleNamespace(enter=[*machine.enter, *self.prefix])


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
    wait_for(lambda: "is a clock wrong?" in str(agent.status()),
             lambda: f"status tells of it: {agent.status()} {agent.text}")
    doctor = Meshd(agent.cli.folder, "agent.sock",
                   clock.seen_from(agent.machine))
    items = examine(doctor)
    assert any("clock" in i["text"] and "set-ntp" in i["mend"] for i in items)
    assert not any("join" in i["mend"] for i in items), items
    clock.set(0)
    agent.process.send_signal(signal.SIGHUP)
    reaches(agent, "vm2")
    agent.synced()


# --- names and addresses ---


def advertised(agent, of):
    """Where the agent thinks that the other is."""
    return next((m["address"].rpartition(":")[0].strip("[]") for m in
                 agent.cli.items("members") if m["name"] == of), None)


def move(machine):
    """As DHCP does it: another address instead of the one it had."""
    ip = machine.net.ip(77)
    length = "64" if machine.net.family == 6 else "24"
    plain = " nodad" if machine.net.family == 6 else ""
    run_batch([f"addr del {machine.ip}/{length} dev eth0",
               f"addr add {ip}/{length} dev eth0{plain}"], "-n", machine.name)
    return ip


@pytest.mark.parametrize("who", ["vm2", "vm3"])
def test_a_new_address_is_followed(mesh, who):
    serving, agent = serve(mesh), caller(mesh)
    reaches(agent, "vm2")
    moved = serving if who == "vm2" else agent
    other = agent if who == "vm2" else serving
    ip = move(moved.machine)
    reaches(agent, "vm2")
    wait_for(lambda: advertised(other, who) == ip,
             lambda: other.cli.ok("members"))
    reaches(agent, "vm2")
    moved.says("addresses are others now")
    mesh.apply(SERVICE.format("after"))
    wait_for(lambda: all(m["status"] == "up" for m in
                         other.cli.items("members")), "nobody is given up")


def test_an_address_that_was_asked_for_is_not_followed_but_told(mesh):
    agent = caller(mesh, name="vm3")
    serving = mesh.agent(2, "--address", mesh.machine(2).ip)
    serving.start(mesh.token()).joined().synced()
    web = mesh.web(2, 8080, "vm2")
    serving.expose("web", f"80:{web.target}", "--protocol", "http")
    reaches(agent, "vm2")
    assert problems(serving, "address") == []
    ip = move(serving.machine)
    wait_for(lambda: problems(serving, "address"), "status tells of it")
    text = problems(serving, "address")[0]
    assert serving.machine.ip in text and ip in text
    assert "--address" in text
    serving.stop()
    serving.words[-1] = ip
    serving.start().joined()
    reaches(agent, "vm2")
    assert problems(serving, "address") == []


@pytest.mark.parametrize("host", ["another", "Not_A.label", ""])
def test_another_host_name_changes_nothing(mesh, host):
    def named(word):
        return ["unshare", "--uts", "sh", "-c",
                'hostname "$0" 2>/dev/null || printf "" > '
                '/proc/sys/kernel/hostname; exec "$@"', word]
    agent = mesh.agent(2)
    del agent.words[1:3]  # its name is the host's
    agent.start(mesh.token(), prefix=named("first")).joined().synced()
    web = mesh.web(2, 8080, "vm2")
    agent.expose("web", f"80:{web.target}", "--protocol", "http")
    other = caller(mesh)
    reaches(other, "vm2")
    agent.stop()
    agent.start(prefix=named(host)).joined().synced()
    assert agent.status()["name"] == "first"
    reaches(other, "vm2")


# --- away ---


def pair(mesh, clock):
    """Who serves web and who calls it, by that clock, as the server's is."""
    mesh.server.stop()
    start(mesh.server, clock)
    serving = start(mesh.agent(2), clock, mesh.token()).joined().synced()
    web = mesh.web(2, 8080, "vm2")
    serving.expose("web", f"80:{web.target}", "--protocol", "http")
    agent = mesh.agent(3, "--upstream", f"web={mesh.machine(3).at(9000)}")
    start(agent, clock, mesh.token()).joined().synced()
    reaches(agent, "vm2")
    return serving, agent


@pytest.mark.parametrize("days", [8, 35])
def test_who_was_off_for_a_week_comes_back_untouched(mesh, clock, days):
    """All of it, as a laboratory over a holiday: a node's certificate lives a
    week, a server's intermediate a month."""
    serving, agent = pair(mesh, clock)
    for process in (agent, serving, mesh.server):
        process.stop()
    clock.set(days * DAY)
    for process in (mesh.server, serving, agent):
        start(process, clock)
    for one in (serving, agent):
        one.joined().synced()
    reaches(agent, "vm2")
    assert [e["name"] for e in serving.cli.items("exposed")] == ["web"]


def test_an_agent_alone_was_off_for_a_month(mesh, clock):
    """The others renewed meanwhile; it comes back by its key, not by a token.
    """
    serving, agent = pair(mesh, clock)
    agent.stop()
    clock.set(30 * DAY)
    for process in (mesh.server, serving):
        process.stop()
        start(process, clock)
    serving.joined().synced()
    start(agent, clock).joined().synced()
    agent.says("it enrols again by its key")
    reaches(agent, "vm2")


def test_who_was_off_for_too_long_is_told_to_join_anew(mesh, clock):
    mesh.server.stop()
    start(mesh.server, clock)
    agent = start(mesh.agent(2), clock, mesh.token()).joined().synced()
    agent.expose("web", "80:8080")
    for process in (agent, mesh.server):
        process.stop()
    clock.set(40 * DAY)
    for process in (mesh.server, agent):
        start(process, clock)
    wait_for(lambda: "join again with a new token" in
             agent.status().get("trouble", ""),
             lambda: f"status tells of it: {agent.status()} {agent.text}")
    mesh.cli.ok("node", "revoke", "vm2")
    token = mesh.token()
    agent.cli.ok("leave")
    agent.stop()
    start(agent, clock)
    wait_for(agent.status, "it answers")
    agent.cli.ok("join", token)
    agent.synced()
    agent.expose("web", "80:8080")


def test_the_clock_jumps_while_all_run(mesh, clock):
    """As when a host of virtual machines slept for a week."""
    serving, agent = pair(mesh, clock)
    clock.set(8 * DAY)
    for one in (serving, agent):
        wait_for(lambda a=one: "it enrols again by its key" in a.text,
                 lambda a=one: a.text, LONG)
        one.synced()
    reaches(agent, "vm2")


def test_a_machine_that_slept_is_back_at_once(mesh):
    serving, agent = serve(mesh), caller(mesh)
    reaches(agent, "vm2")
    serving.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: [m["status"] for m in agent.cli.items("members")
                      if m["name"] == "vm2"] == ["down"],
             "the others give it up")
    serving.process.send_signal(signal.SIGCONT)
    reaches(agent, "vm2")
    wait_for(lambda: all(m["status"] == "up" for a in (agent, serving)
                         for m in a.cli.items("members")), "all are up")
    mesh.apply(SERVICE.format("after"))


# --- clones ---


def test_a_clone_is_told_of_on_both_and_mended_by_joining_anew(mesh):
    serving, agent = serve(mesh), caller(mesh)
    reaches(agent, "vm2")
    home = mesh.folder / "clone"
    home.mkdir()
    clone = Agent(home, "vm2", mesh.machine(4))
    mesh.agents.append(clone)
    shutil.copytree(serving.cli.state, clone.cli.state)
    clone.cli.state.chmod(0o700)
    clone.start().joined()
    for one in (serving, clone):
        wait_for(lambda a=one: problems(a, "clone"), lambda a=one: a.text)
        assert str(one.cli.state) in problems(one, "clone")[0]
    assert isinstance(call(agent), str)  # one of the two answers, or says why
    clone.stop()
    shutil.rmtree(clone.cli.state)
    clone.words[clone.words.index("vm2")] = "vm4"
    clone.start(mesh.token()).joined().synced()
    serving.stop()
    serving.start().joined().synced()
    wait_for(lambda: agent.usable("web"),
             lambda: f"vm2 is believed again: {agent.cli('members').stdout} "
             f"{serving.cli('members').stdout} {serving.text} {clone.text}")
    reaches(agent, "vm2")
    assert problems(serving, "clone") == problems(clone, "clone") == []
