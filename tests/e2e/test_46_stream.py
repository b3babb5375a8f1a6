# SPDX-License-Identifier: Apache-2.0
"""stream — what the server keeps of each agent's stream, and shows of it.

Beside a real agent there is the bench's swarm: streams of the real protocol,
of which the first can refuse what the others take, or be silent.
"""

import json
import os
import signal
import subprocess
import time

import pytest

from mesh import DEADLINE, Mesh, wait_for

# One mesh for all of it.
pytestmark = pytest.mark.xdist_group("stream")

SWARM = os.path.join(os.environ.get("MESHD_BUILD", "build"),
                     "tests", "bench", "swarm")
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: service-{0}}}
spec:
  selector: {{app: service-{0}}}
  ports: [{{name: http, port: 80}}]
---
"""
ROUTE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {0}}}
spec:
  hosts: [service-0]
  http: [{{timeout: {1}s, route: [{{destination: {{host: service-0}}}}]}}]
---
"""

POISONED_SPACE = """\
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: poison}
spec: {egress: [{hosts: ['./*']}]}
---
apiVersion: meshd.dev/v1
kind: MeshConfig
metadata: {name: default}
spec: {defaultServiceExportTo: ['*']}
"""


class Swarm:
    """Agents swarm-0 to swarm-N of one process, on the server's machine."""

    def __init__(self, mesh, count, *words):
        token = mesh.cli.ok("token", "create", "--uses", count).split()[-1]
        self.process = subprocess.Popen(
            [*mesh.machine(1).enter, SWARM, token, str(count), "3", "0",
             *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.names = [f"swarm-{n}" for n in range(count)]
        self.wait("synced")

    def wait(self, what):
        """The first line that has it, decoded."""
        for line in self.process.stdout:
            told = json.loads(line)
            if what in told:
                return told
        return pytest.fail("the swarm ended")

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        self.process.kill()
        self.process.communicate(timeout=DEADLINE)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    with Mesh(tmp_path_factory.mktemp("stream"), 4, machines=2) as it:
        it.apply("".join(SERVICE.format(n) for n in range(3)))
        it.caller = it.member(
            2, "--upstream", f"service-0={it.machine(2).at(9000)}")
        yield it


@pytest.fixture
def swarm(mesh):
    started = []

    def start(count, *words):
        started.append(Swarm(mesh, count, *words))
        return started[-1]
    yield start
    for it in started:
        it.stop()
        for name in it.names:
            mesh.cli.ok("node", "revoke", name)
    mesh.cli("delete", "virtualservice", "good", "poison")


def apply(mesh, name, timeout):
    """The revision of it."""
    done = mesh.cli.ok("apply", "--force", "-f", "-", "-o", "json",
                       stdin=ROUTE.format(name, timeout))
    return json.loads(done)["revision"]


def revisions(mesh):
    return {a["node"]: a["revision"] for a in mesh.cli.api("/v1/agents")["items"]}


def have(mesh, names, revision):
    wait_for(lambda: all(revisions(mesh).get(n, 0) >= revision for n in names),
             lambda: f"{names} have {revision}: {revisions(mesh)}")


def test_one_poisoned_resource_on_one_agent_stops_nothing_else(mesh, swarm):
    agents = swarm(3, "VirtualService/default/poison")
    apply(mesh, "good", 1)
    have(mesh, agents.names, apply(mesh, "poison", 1))
    rows = mesh.cli.api("/v1/agents")["refusals"]
    assert [(r["node"], r["resource"], r["reason"]) for r in rows] == [
        ("swarm-0", "networking.istio.io/VirtualService/default/poison",
         "this agent cannot use it")]
    shown = mesh.cli.ok("status")
    assert "What agents could not use; the last good version stays:" in shown
    assert "this agent cannot use it" in shown
    # The rest moves on, there and elsewhere.
    have(mesh, agents.names + [mesh.caller.name], apply(mesh, "good", 2))
    told = json.loads(mesh.caller.cli.ok(
        "explain", "request", "http://service-0/", "-o", "json"))
    assert told["action"]["timeout"] == "2s", told
    mesh.cli.ok("delete", "virtualservice", "poison")
    wait_for(lambda: not mesh.cli.api("/v1/agents")["refusals"],
             "what is gone is refused by nobody")


def test_what_is_about_no_host_is_refused_by_name_too(mesh, swarm):
    agents = swarm(2, "Sidecar/default/poison")
    everybody = agents.names + [mesh.caller.name]
    done = json.loads(mesh.cli.ok("apply", "-f", "-", "-o", "json",
                                  stdin=POISONED_SPACE))
    have(mesh, everybody, done["revision"])
    rows = mesh.cli.api("/v1/agents")["refusals"]
    assert [(r["node"], r["resource"]) for r in rows] == [
        ("swarm-0", "networking.istio.io/Sidecar/default/poison")]
    mesh.cli.ok("delete", "-f", "-", stdin=POISONED_SPACE)
    wait_for(lambda: not mesh.cli.api("/v1/agents")["refusals"],
             "what is gone is refused by nobody")


def test_a_silent_agent_keeps_nobody_waiting_and_gets_the_newest(mesh, swarm):
    agents = swarm(2)
    have(mesh, agents.names, apply(mesh, "good", 1))
    agents.signal(signal.SIGSTOP)
    first = apply(mesh, "good", 2)
    for timeout in range(3, 23):
        last = apply(mesh, "good", timeout)
    have(mesh, [mesh.caller.name], last)
    rows = {r["node"]: r for r in mesh.cli.api("/v1/propagation")["items"]}
    for name in agents.names:
        # Twenty-one changes of one resource: what is sent, or that and the
        # newest behind it.
        assert 1 <= rows[name]["behind"] <= 2, rows[name]
        assert rows[name]["behindUs"] > 0
        assert revisions(mesh)[name] < first
    assert rows[mesh.caller.name]["behind"] == 0
    shown = mesh.cli.ok("status", "--propagation")
    assert "3 agents, 2 behind" in shown
    assert {line.split()[0] for line in shown.splitlines()[2:4]} == set(
        agents.names), shown
    agents.signal(signal.SIGCONT)
    have(mesh, agents.names, last)


def test_how_long_changes_take_is_shown_and_counted(mesh, swarm):
    agents = swarm(3)
    before = {r["node"]: r["changes"]
              for r in mesh.cli.api("/v1/propagation")["items"]}
    for timeout in range(1, 4):
        have(mesh, agents.names + [mesh.caller.name],
             apply(mesh, "good", timeout))
    shown = mesh.cli.json("status", "--propagation")
    assert (shown["agents"], shown["behind"]) == (4, 0)
    for row in shown["items"]:
        assert row["changes"] - before.get(row["node"], 0) == 3, row
        assert 0 < row["p50Us"] <= row["p99Us"] < DEADLINE * 1e6
        assert row["lastUs"] > 0
    assert mesh.cli.ok("status", "--propagation").splitlines()[0] == (
        "4 agents, 0 behind")
    text = mesh.machine(1).fetch(15014, "/metrics").body.decode()
    count = [line for line in text.splitlines()
             if line.startswith("meshd_propagation_seconds_count")]
    assert count and float(count[0].split()[1]) >= 12, text
    # A change that concerns nobody is nobody's.
    mesh.cli.ok("apply", "-f", "-", stdin=SERVICE.format(2).replace(
        "port: 80", "port: 81"))
    have(mesh, agents.names + [mesh.caller.name], apply(mesh, "good", 4))
    again = mesh.cli.json("status", "--propagation")
    assert {r["node"]: r["changes"] for r in again["items"]} == {
        r["node"]: r["changes"] + 1 for r in shown["items"]}


def test_many_come_back_after_a_restart_and_are_sent_nothing_again(
        mesh, swarm):
    agents = swarm(100)
    have(mesh, agents.names, apply(mesh, "good", 1))
    for news in (200, 200):  # the first answers, and that change
        mesh.server.stop()
        mesh.server.start()
        assert agents.wait("synced")["news"] == news
    have(mesh, agents.names, mesh.cli.json("status")["revision"])
    rows = mesh.cli.json("status", "--propagation")
    assert rows["behind"] == 0
    # A change reaches them as before.
    have(mesh, agents.names, apply(mesh, "good", 2))


def test_a_host_that_does_not_come_is_waited_for_a_second_and_said(mesh):
    mesh.caller.synced()
    mesh.server.process.send_signal(signal.SIGSTOP)
    try:
        begin = time.monotonic()
        done = mesh.caller.cli("explain", "request", "http://service-2/")
        took = time.monotonic() - begin
    finally:
        mesh.server.process.send_signal(signal.SIGCONT)
    assert done.returncode != 0
    assert "the server has not sent all of it yet" in done.stderr
    assert took >= 1, took
    mesh.caller.says("waited in vain for a host")
    # It was asked for all the same, and comes.
    wait_for(lambda: mesh.caller.cli(
        "explain", "request", "http://service-2/").returncode == 0,
             "service-2 is at hand")


def test_a_crowd_that_says_nothing_keeps_nobody_out(mesh, swarm):
    crowd = [mesh.machine(2).connect(mesh.machine(1).ip, 15012)
             for _ in range(600)]
    try:
        agents = swarm(2)
        have(mesh, agents.names, apply(mesh, "good", 1))
    finally:
        for conn in crowd:
            conn.close()
