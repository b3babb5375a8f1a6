# SPDX-License-Identifier: Apache-2.0
"""supervised — what a service manager is told, and gives: sd_notify(3),
credentials, a state folder of the user that the unit has."""

import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import tempfile
import time

import pytest

from mesh import (DEADLINE, LIBC, Mesh, Meshd, Process, Server, families,
                  wait_for)

WATCHDOG_US = 200_000
NOBODY = 65534
PTRACE_ATTACH, PTRACE_DETACH, WALL = 16, 17, 0x40000000


class Manager:
    """The socket that the datagrams go to."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="meshd-")
        self.path = f"{self.folder.name}/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.env = {"NOTIFY_SOCKET": self.path,
                    "WATCHDOG_USEC": str(WATCHDOG_US)}

    def close(self):
        self.socket.close()
        self.folder.cleanup()

    def hears(self, name, value=None):
        """The next datagram with it; those before are passed over."""
        end = time.monotonic() + DEADLINE
        while True:
            self.socket.settimeout(max(end - time.monotonic(), 0.001))
            try:
                text = self.socket.recv(4096).decode()
            except TimeoutError:
                pytest.fail(f"{name}={value} was not told")
            told = dict(line.split("=", 1) for line in text.split("\n"))
            if name in told and value in (None, told[name]):
                return told

    def fill(self):
        """What others say has no room any more."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while other.sendto(b"X=1", self.path):
                    pass

    def is_silent(self, seconds):
        """True if nothing comes in this time."""
        with contextlib.suppress(BlockingIOError):
            self.socket.settimeout(0)
            while self.socket.recv(4096):
                pass
        self.socket.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            return not self.socket.recv(4096)
        return True


@pytest.fixture
def manager():
    it = Manager()
    yield it
    it.close()


@contextlib.contextmanager
def stopped_threads(pid):
    """All threads of the process but its first hang."""
    tids = [int(t) for t in os.listdir(f"/proc/{pid}/task") if int(t) != pid]

    def ptrace(request, tid):
        none = ctypes.c_void_p(0)
        assert LIBC.ptrace(request, tid, none, none) == 0, tid

    for tid in tids:
        ptrace(PTRACE_ATTACH, tid)
        os.waitpid(tid, WALL)
    try:
        yield
    finally:
        for tid in tids:
            ptrace(PTRACE_DETACH, tid)


@pytest.fixture(scope="module", params=families("supervised"))
def mesh(request, tmp_path_factory):
    with Mesh(tmp_path_factory.mktemp("supervised"), request.param) as it:
        yield it


# --- what is told ---


def test_a_server_says_when_it_serves_reloads_and_ends(meshd, manager):
    meshd.ok("server", "init")
    server = Server(meshd)
    Process.start(server, env=manager.env)
    told = manager.hears("READY", "1")
    assert told["STATUS"].startswith("Serves mesh.internal to agents at ")
    assert meshd("status").returncode == 0
    with socket.create_connection(("127.0.0.1", 15012), DEADLINE):
        pass
    manager.hears("WATCHDOG", "1")
    manager.hears("WATCHDOG", "1")

    server.process.send_signal(signal.SIGHUP)
    told = manager.hears("RELOADING", "1")
    assert 0 < int(told["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    manager.hears("READY", "1")

    server.process.send_signal(signal.SIGTERM)
    told = manager.hears("STOPPING", "1")
    assert told["EXTEND_TIMEOUT_USEC"] == "10000000"
    assert server.ends() == 0


def test_a_manager_without_room_is_told_when_it_has_some(meshd, manager):
    meshd.ok("server", "init")
    server = Server(meshd)
    manager.fill()
    Process.start(server, env=manager.env)
    wait_for(lambda: meshd("status").returncode == 0, "its API is open")
    manager.hears("READY", "1")
    assert server.stop() == 0


def test_an_agent_is_ready_to_be_joined_and_then_to_serve(mesh, manager):
    agent = mesh.agent(2, "--drain", "40s")
    Process.start(agent, env=manager.env)
    told = manager.hears("READY", "1")
    assert told["STATUS"] == "Waits for a token: meshd join TOKEN"
    manager.hears("WATCHDOG", "1")

    agent.cli.ok("join", mesh.token())
    told = manager.hears("READY", "1")
    assert told["STATUS"] == f"Serves as {agent.name} of mesh.internal"
    agent.process.send_signal(signal.SIGTERM)
    told = manager.hears("STOPPING", "1")
    assert told["EXTEND_TIMEOUT_USEC"] == "50000000"
    assert agent.stop() == 0

    # A member says it once its view is in force and its ports are open.
    Process.start(agent, env=manager.env)
    told = manager.hears("READY", "1")
    assert told["STATUS"] == f"Serves as {agent.name} of mesh.internal"
    mesh.machine(2).connect(mesh.machine(2).ip, 15008).close()
    assert agent.stop() == 0


def test_a_worker_that_hangs_is_not_told_to_live(mesh, manager):
    agent = mesh.member(3)
    assert agent.stop() == 0
    Process.start(agent, env=manager.env)
    manager.hears("READY", "1")
    manager.hears("WATCHDOG", "1")
    with stopped_threads(agent.process.pid):
        wait_for(lambda: manager.is_silent(3 * WATCHDOG_US / 1e6),
                 "no ping comes any more")
        assert agent.cli("status").returncode == 0, "its first thread lives"
    manager.hears("WATCHDOG", "1")
    assert agent.stop() == 0


def has_table(machine):
    return machine.run("nft", "list", "table", "inet", "meshd").returncode == 0


def test_who_captured_is_ready_when_it_does_so_again(mesh, manager):
    """A unit that comes after ours makes no call that nobody captures; here
    without a server, of which rules wait to hear."""
    agent = mesh.member(2, name="captures")
    agent.cli.ok("capture", "on")
    assert agent.stop() == 0 and not has_table(mesh.machine(2))
    mesh.server.stop()
    Process.start(agent, env=manager.env)
    manager.hears("READY", "1")
    assert has_table(mesh.machine(2))
    assert agent.stop() == 0

    # What cannot be captured again is said, and keeps nobody waiting.
    kept = agent.cli.state / "capture.json"
    kept.write_text(kept.read_text().replace(
        '"cgroups": []', '"cgroups": ["system.slice/not-yet.service"]'))
    Process.start(agent, env=manager.env)
    manager.hears("READY", "1")
    assert not has_table(mesh.machine(2))
    agent.says("what was captured is not; it is tried again")
    told = agent.cli.ok("capture", "status")
    assert "trouble" in told and "cgroup" in told
    assert agent.stop() == 0
    mesh.server.start()


# --- what is given ---


def test_a_token_may_come_as_a_credential_and_a_blank_one_is_none(
        mesh, tmp_path):
    agent = mesh.agent(4)
    credential = pathlib.Path(tmp_path, "join")
    credential.write_text("\n")
    env = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    Process.start(agent, env=env)
    agent.says("waits for a token")
    assert agent.stop() == 0

    credential.write_text(mesh.token())
    Process.start(agent, env=env)
    agent.joined()
    assert agent.stop() == 0


def is_nobodys(folder):
    """What makes a mesh is there, and nobody else has any of it."""
    made = list(folder.iterdir())
    assert {"mesh.db", "seal.key"} <= {path.name for path in made}
    return {(s.st_uid, s.st_gid, s.st_mode & 0o777)
            for s in (path.stat() for path in made)} == {
                (NOBODY, NOBODY, 0o600)}


def test_root_makes_a_mesh_for_the_owner_of_the_folder(tmp_path):
    meshd = Meshd(tmp_path)
    meshd.state.mkdir(mode=0o700)
    os.chown(meshd.state, NOBODY, NOBODY)
    meshd.ok("server", "init")
    assert is_nobodys(meshd.state)


def test_root_restores_a_mesh_for_the_owner_of_the_folder(
        server, meshd, tmp_path):
    file, folder = tmp_path / "mesh.db", tmp_path / "other"
    meshd.ok("server", "backup", "--with-key", file)
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    meshd.ok("server", "restore", "--state", folder, file)
    assert is_nobodys(folder)
    assert server.is_running
