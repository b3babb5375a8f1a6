# SPDX-License-Identifier: Apache-2.0
"""join — who becomes a member, and what everybody else is told.

Each refusal has a code for programs, a sentence and a hint for people, and
leaves everything as it was.
"""

import os
import signal
import subprocess

import pytest

from hbone import Tunnel, mesh_context
from joiner import join
from mesh import Mesh, Meshd, Process, Server, families, wait_for

CODES = {
    "token_unknown": "make a new one with: meshd token create",
    "token_expired": "make a new one with: meshd token create",
    "token_revoked": "make a new one with: meshd token create",
    "token_used_up": "meshd token create --uses",
    "token_bound_to_another_key": "make a new token",
    "proof_wrong": "copy the whole token again",
    "name_not_allowed": "join with --name",
    "name_taken": "join with another --name",
    "address_not_allowed": "make a token with --cidr",
    "namespace_not_granted": "--namespaces",
    "account_not_granted": "--accounts",
}


def refused(agent, token, code):
    """Tries to join; checks the words at both ends; the agent lives on."""
    if not agent.is_running:
        agent.start()
        wait_for(lambda: agent.status(), f"{agent.name} answers")
    done = agent.cli("join", token)
    assert done.returncode == 5, done
    assert done.stderr.startswith("meshd: "), done.stderr
    assert f"({code})" in done.stderr or code in done.stderr, done.stderr
    assert CODES[code] in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1, "one line for people"
    assert agent.is_running
    assert agent.status()["state"] == "waiting"
    assert agent.status()["trouble"].startswith(code), "it is not only logged"
    return done.stderr


@pytest.fixture(scope="module", params=families("join"))
def shared(request, tmp_path_factory):
    """A mesh whose agents come and go: state is shared, names are not."""
    with Mesh(tmp_path_factory.mktemp("join"), request.param) as it:
        yield it


@pytest.fixture
def mesh(shared):
    """The shared mesh; its agents end with the test."""
    yield shared
    for agent in shared.agents:
        agent.stop(signal.SIGKILL)
    shared.agents.clear()
    assert shared.server.is_running
    assert shared.cli("status").returncode == 0


@pytest.fixture
def name(request):
    """A node name that no other test has."""
    return request.node.originalname.replace("_", "-")[-40:].strip("-")


# --- ways to bring a token ---


def test_token_as_an_argument(mesh, name):
    agent = mesh.agent(2, "--join", mesh.token(), name=name).start()
    assert agent.joined().status()["name"] == name


def test_token_from_the_environment(mesh, name):
    mesh.agent(2, name=name).start(mesh.token()).joined()


def test_token_from_a_file(mesh, name, write):
    path = write("token", mesh.token() + "\n")
    mesh.agent(2, "--join", f"@{path}", name=name).start().joined()


def test_token_from_standard_input(mesh, name):
    mesh.agent(2, "--join", "-", name=name).start(
        stdin=mesh.token() + "\n").joined()


def test_token_by_the_join_command(mesh, name, write):
    agent = mesh.agent(2, name=name).start()
    wait_for(agent.status, "the agent answers before it has joined")
    assert agent.status()["state"] == "waiting"
    assert agent.cli.ok("join", "-", stdin=mesh.token()) == "joined\n"
    assert agent.status()["state"] == "running"
    again = agent.cli("join", mesh.token())
    assert again.returncode != 0
    assert "meshd leave" in again.stderr


def test_a_token_file_that_is_not_there_is_named(mesh, name):
    agent = mesh.agent(2, "--join", "@/nowhere/token", name=name).start()
    assert agent.ends() == 1
    assert "/nowhere/token" in agent.text


# --- a token is refused ---


def token_row(mesh, note):
    return next(t for t in mesh.cli.items("token", "list")
                if t["note"] == note)


def state_of(mesh, note):
    return token_row(mesh, note)["state"]


def test_a_misspelt_token_is_refused_before_anybody_is_asked(mesh, name):
    token = mesh.token()
    wrong = token[:-8] + ("A" if token[-8] != "A" else "B") + token[-7:]
    agent = mesh.agent(2, "--join", wrong, name=name).start()
    assert agent.ends() in (1, 2, 3)
    assert "token" in agent.text
    assert "mistyped" in agent.text or "copy" in agent.text, agent.text


def test_no_token_at_all_is_told_by_the_command(mesh, name):
    agent = mesh.agent(2, name=name).start()
    wait_for(agent.status, "the agent answers")
    done = agent.cli("join", "hello")
    assert done.returncode != 0
    assert "mj1." in done.stderr, done.stderr


def test_a_token_that_the_server_does_not_know_is_refused(mesh, name):
    """As after a restore from a copy that is older than the token."""
    mesh.server.stop()
    old = (mesh.cli.state / "mesh.db").read_bytes()
    mesh.server.start()
    token = mesh.token()
    mesh.server.stop()
    for leftover in mesh.cli.state.glob("mesh.db-*"):
        leftover.unlink()
    (mesh.cli.state / "mesh.db").write_bytes(old)
    mesh.server.start()
    refused(mesh.agent(2, name=name), token, "token_unknown")


def test_an_expired_token_is_refused(mesh, name):
    token = mesh.token("--lifetime", "1s", "--note", name)
    wait_for(lambda: state_of(mesh, name) == "expired", "a second is over")
    words = refused(mesh.agent(2, name=name), token, "token_expired")
    assert "the token has expired" in words


def test_a_revoked_token_is_refused(mesh, name):
    token = mesh.token("--note", name)
    mesh.cli.ok("token", "revoke", token_row(mesh, name)["id"])
    refused(mesh.agent(2, name=name), token, "token_revoked")


def test_a_token_replayed_with_another_key_is_refused(mesh, name):
    token = mesh.token()
    mesh.agent(2, name=name).start(token).joined()
    refused(mesh.agent(3, name=f"{name}-b"), token,
            "token_bound_to_another_key")


def test_a_token_used_as_often_as_it_may_be_is_refused(mesh, name):
    token = mesh.token("--uses", "2")
    for number in (2, 3):
        mesh.agent(number, name=f"{name}-{number}").start(token).joined()
    refused(mesh.agent(4, name=f"{name}-4"), token, "token_used_up")


def test_the_same_key_may_try_again(mesh, name):
    token = mesh.token()
    agent = mesh.agent(2, name=name).start(token).joined()
    agent.stop(signal.SIGKILL)
    (agent.cli.state / "join.json").unlink()
    agent.start(token).joined()
    nodes = [n["name"] for n in mesh.cli.items("node", "list")]
    assert nodes.count(name) == 1


def test_a_name_outside_the_glob_is_refused(mesh, name):
    token = mesh.token("--name-glob", "web-*")
    words = refused(mesh.agent(2, name=name), token, "name_not_allowed")
    assert "is not like web-*" in words
    mesh.agent(3, name="web-1").start(token).joined()


def test_an_address_outside_the_range_is_refused(mesh, name):
    only = f"{mesh.machine(3).ip}/{128 if mesh.net.family == 6 else 32}"
    token = mesh.token("--cidr", only)
    words = refused(mesh.agent(2, name=name), token, "address_not_allowed")
    assert mesh.machine(2).ip in words
    mesh.agent(3, name=f"{name}-b").start(token).joined()


def test_a_namespace_that_was_not_granted_is_refused(mesh, name):
    agent = mesh.agent(2, name=name).start(mesh.token()).joined()
    done = agent.cli("expose", "web", "80:8080", "-n", "shop")
    assert done.returncode == 5, done
    assert "shop" in done.stderr and "default" in done.stderr, done.stderr
    assert "meshd token create" in done.stderr, done.stderr
    assert agent.cli.items("exposed") == []


def test_an_account_that_was_not_granted_is_refused(mesh, name):
    token = mesh.token("--accounts", "web,api")
    agent = mesh.agent(2, name=name).start(token).joined()
    agent.cli.ok("expose", "api", "80:8080", "--account", "api")
    done = agent.cli("expose", "db", "81:8080", "--account", "db")
    assert done.returncode == 5, done
    assert "web,api" in done.stderr, done.stderr
    assert "meshd token create" in done.stderr
    assert "--accounts db" in done.stderr


def test_two_agents_with_one_name_are_told_apart(mesh, name):
    first = mesh.agent(2, name=name).start(mesh.token()).joined()
    words = refused(mesh.agent(3, name=name), mesh.token(), "name_taken")
    assert f"another node has this name ({name})" in words
    assert first.status()["connected"] is True


def test_an_agent_does_not_take_the_servers_name(mesh):
    """As on one machine, where both have the host's name: members are told
    apart by name, and the server is the oldest."""
    own = mesh.cli.json("status")["name"]
    words = refused(mesh.agent(2, name=own), mesh.token(), "name_taken")
    assert f"({own} is this server's own)" in words


def test_a_refused_token_is_not_used_up(mesh, name):
    mesh.agent(2, name=name).start(mesh.token()).joined()
    token = mesh.token()
    second = mesh.agent(3, name=name)
    refused(second, token, "name_taken")
    second.stop()
    other = mesh.agent(3, name=f"{name}-b")
    other.start(token).joined()


def test_a_server_with_another_root_is_refused(mesh, name, tmp_path):
    token = mesh.token()
    mesh.server.stop()
    stranger = Server(Meshd(tmp_path), machine=mesh.machine(1))
    try:
        stranger.meshd.ok("server", "init")
        stranger.start()
        agent = mesh.agent(2, name=name).start()
        wait_for(agent.status, "the agent answers")
        done = agent.cli("join", token)
        assert done.returncode != 0
        assert "root" in done.stderr, done.stderr
        assert done.stderr.endswith("meshd token create\n"), done.stderr
        assert stranger.meshd.items("node", "list") == []
    finally:
        stranger.stop(signal.SIGKILL)
        mesh.server.start()
    assert agent.cli.ok("join", token) == "joined\n"


def test_without_a_certificate_only_join_and_reenrol_are_answered(mesh):
    """The refusal of anything else has a code and a sentence of its own."""
    def ask(path):
        conn = mesh.machine(2).connect(mesh.machine(1).ip, 15012)
        with Tunnel(conn, mesh_context(None, mesh.cli)) as tunnel:
            return tunnel.post(path, b"{}")
    for path in ("/v1/join", "/v1/reenroll"):
        status, told = ask(path)
        assert (status, told["code"]) == (400, "bad_request")
    status, told = ask("/v1/certify")
    assert (status, told["code"]) == (403, "certificate_required")
    assert told["message"] == \
        "only a node with its certificate may ask for this"
    assert "meshd agent --join TOKEN" in told["hint"]
    assert ask("/v1/status")[0] == 404


def test_a_server_that_is_away_is_no_refusal(mesh, name):
    token = mesh.token()
    mesh.server.stop()
    try:
        agent = mesh.agent(2, name=name).start(token)
        agent.says("joining goes on")
    finally:
        mesh.server.start()
    agent.joined()


# --- clocks ---
#
# A static program cannot be lied to about the time from outside, so these
# join by a client of ours; the agent compares the clock of the answer.

HOUR = 3600


def off_by(hours):
    """Seconds, and half a minute for the way there."""
    return hours * HOUR + (30 if hours > 0 else -30)


@pytest.mark.parametrize("hours, word", [(1, "ahead"), (-1, "behind")])
def test_a_clock_that_is_an_hour_off_joins_and_is_told(
        mesh, name, hours, word):
    node = f"{name[:20].strip('-')}-{word}"
    status, told = join(mesh, mesh.token(), node, off_by(hours))
    assert status == 200, told
    assert told["node_name"] == node
    mesh.server.says(f"node={node} minutes=60 node_is={word}")


@pytest.mark.parametrize("hours, word", [(3, "ahead"), (-3, "behind")])
def test_a_clock_that_is_further_off_is_refused(mesh, name, hours, word):
    status, told = join(mesh, mesh.token(), "late", off_by(hours))
    assert (status, told["code"]) == (403, "clock_skew")
    assert f"by 180 min, the machine is {word}" in told["message"]
    assert "set the clock" in told["hint"]
    assert "late" not in [n["name"] for n in mesh.cli.items("node", "list")]


# --- what the machine does not give ---


@pytest.mark.parametrize("port, flag", [
    (15008, "hbone"), (9000, "upstream"), (15020, "metrics"),
    (15946, "gossip")])
def test_a_port_that_is_taken_is_named_and_waited_for(
        mesh, name, port, flag):
    """Said once in the log, shown by status, opened when it is free."""
    machine = mesh.machine(2)
    everywhere = "::" if flag != "upstream" else machine.loopback
    agent = mesh.agent(2, "--upstream", f"web={machine.at(9000)}",
                       name=f"{name}-{flag}"[-60:])

    def told():
        return [p["text"] for p in agent.status()["problems"]
                if p["kind"] == "port"]
    with machine.listen(everywhere, port):
        agent.start(mesh.token()).joined()
        wait_for(lambda: told() and f"port {port} is taken" in told()[0],
                 lambda: f"status names it: {agent.status()}")
        taken = [row for row in agent.lines() if "is taken" in row]
        assert len(taken) == 1, taken
        assert "What is wrong:" in agent.cli.ok("status")
    wait_for(lambda: not told(), lambda: f"it opens the port: {told()}")


def test_a_second_agent_does_not_share_the_ports_of_the_first(mesh, name):
    """Workers share a port; processes must not, even if the kernel lets."""
    mesh.agent(2, name=name).start(mesh.token()).joined()
    ports = [f"--{flag}={port}" for flag, port in (
        ("gossip", 25946), ("metrics", 25020), ("health", 25021),
        ("admin", 25000))]
    second = mesh.agent(2, *ports, name=f"{name[:50].strip('-')}-2")
    second.start(mesh.token()).joined()
    wait_for(lambda: any("port 15008 is taken" in p["text"]
                         for p in second.status()["problems"]),
             "the second one says that 15008 is taken")


def test_the_servers_port_is_taken(mesh, tmp_path):
    other = Process(Meshd(tmp_path), ["server", "run"], mesh.machine(1))
    other.meshd.ok("server", "init")
    other.start()
    assert other.ends() == 1
    assert "15012" in other.text and "in use" in other.text.lower()
    assert other.text.count("meshd: ") == 1


def test_a_state_directory_of_somebody_else_is_told(mesh, name):
    for folder in (mesh.folder, *mesh.folder.parents[:3]):
        folder.chmod(0o755)
    agent = mesh.agent(2, "--join", mesh.token(), name=name)
    agent.cli.state.mkdir(mode=0o700)
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534",
                 "--clear-groups"]
    agent.cli.folder.chmod(0o777)
    agent.start(prefix=as_nobody)
    assert agent.ends() in (1, 5)
    assert str(agent.cli.state) in agent.text, agent.text
    assert "ermission" in agent.text, agent.text
    assert "choose another with --state" in agent.text, agent.text


def test_another_name_is_not_passed_over_in_silence(mesh, name):
    agent = mesh.agent(2, name=name).start(mesh.token()).joined()
    agent.stop()
    agent.words[agent.words.index(name)] = "another"
    agent.start().joined()
    assert agent.status()["name"] == name
    agent.says("take it out first with: meshd leave")
    assert f"name={name} asked=another" in agent.text


def test_a_second_agent_on_one_state_directory_is_told(mesh, name):
    first = mesh.agent(2, name=name).start(mesh.token()).joined()
    done = first.cli("agent", "--socket", first.cli.folder / "other.sock")
    assert done.returncode == 1
    assert str(first.cli.state) in done.stderr, done.stderr
    assert first.status()["state"] == "running"


def test_a_full_disk_on_the_server_refuses_a_join_and_loses_nothing(
        mesh, name, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", state],
                   check=True)
    mesh.server.stop()
    small = Server(Meshd(tmp_path), machine=mesh.machine(1))
    try:
        small.meshd.ok("server", "init")
        small.start()
        token = small.meshd.ok("token", "create").strip()
        ballast = state / "ballast"
        ballast.write_bytes(
            b"x" * (os.statvfs(state).f_bavail * 4096))
        agent = mesh.agent(2, name=name).start(token)
        agent.says("space")
        assert small.meshd.items("node", "list") == []
        ballast.unlink()
        agent.joined()
        assert [n["name"] for n in small.meshd.items("node", "list")] == [name]
    finally:
        small.stop(signal.SIGKILL)
        subprocess.run(["umount", state], check=True)
        mesh.server.start()
