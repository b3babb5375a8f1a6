# SPDX-License-Identifier: Apache-2.0
"""resilience — servers, agents, services and the network fail; traffic goes on."""

import re
import signal
import threading
import time

import pytest

from mesh import DEADLINE, Mesh, Server, families, is_cut, wait_for

pytestmark = pytest.mark.waits

WEB = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
  - headers: {response: {set: {x-route: web}}}
    retries: {attempts: 3, retryOn: "connect-failure,refused-stream,reset"}
    route: [{destination: {host: web}}]
"""


@pytest.fixture(params=families("resilience", shared=False))
def mesh(request, tmp_path):
    """Web on vm2 and vm3, called from vm4 by configuration."""
    with Mesh(tmp_path, request.param) as it:
        it.vm2 = it.member(2)
        it.vm3 = it.member(
            3, "--upstream", f"back={it.machine(3).at(9001)}",
            "--drain", f"{3 * DEADLINE:.0f}s")
        it.vm4 = it.member(
            4, "--upstream", f"web={it.machine(4).at(9000)}")
        it.app = it.machine(4)
        it.webs = [it.web(2, 8080, "two"), it.web(3, 8080, "three")]
        for agent, web in zip((it.vm2, it.vm3), it.webs):
            agent.expose("web", f"80:{web.target}", "--protocol", "http")
        it.apply(WEB)
        it.vm4.sees("web", 2)
        yield it


def answers(mesh, count, timeout=DEADLINE):
    """Whose answers; a request that failed fails the test."""
    seen = []
    for _ in range(count):
        answer = mesh.app.fetch(9000, timeout=timeout)
        assert answer.status == 200, answer.body
        assert answer.headers["x-route"] == "web"
        seen.append(answer.json()["text"])
    return seen


def test_idle_connections_do_not_hold_up_the_end_of_an_agent(mesh):
    """They are the callers' to keep, and the callers let go of them."""
    assert set(answers(mesh, 20)) == {"two", "three"}
    assert mesh.vm3.stop() == 0  # within DEADLINE, --drain is longer
    assert set(answers(mesh, 5)) == {"two"}


class Load:
    """GETs in threads, until it is over; keeps what was no 200."""

    def __init__(self, machine, threads=4):
        self.machine = machine
        self.count = 0
        self.failed = []
        self.texts = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.work)
                        for _ in range(threads)]

    def work(self):
        while not self.over.is_set():
            try:
                answer = self.machine.fetch(9000)
                if answer.status != 200:
                    self.failed.append((answer.status, answer.body))
                else:
                    self.texts.append(answer.json()["text"])
            except OSError as why:
                self.failed.append(why)
            self.count += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def more(self, count):
        """Waits until so many more were done."""
        end = self.count + count
        wait_for(lambda: self.count >= end, f"{count} more requests")


@pytest.fixture
def two_addresses(tmp_path):
    """An agent that knows its server by two addresses."""
    with Mesh(tmp_path, 4, machines=2) as it:
        it.server.stop()
        places = (it.machine(1).ip, it.machine(2).ip)
        it.server = Server(it.cli, [
            word for ip in places for word in ("--advertise", ip)],
            machine=it.machine(1)).start()
        it.vm2 = it.member(2, "--workers", 2)
        it.places = places
        yield it


def test_with_the_server_dead_requests_go_on(mesh):
    mesh.server.stop(signal.SIGKILL)
    wait_for(lambda: not mesh.vm4.status()["connected"],
             "vm4 has seen that its server is gone")
    assert set(answers(mesh, 20)) == {"two", "three"}


def test_with_the_server_dead_an_agent_restarts_from_its_disk(mesh):
    mesh.server.stop(signal.SIGKILL)
    for with_signal in (signal.SIGTERM, signal.SIGKILL):
        mesh.vm4.stop(with_signal)
        mesh.vm4.start().joined().sees("web", 2)
        assert set(answers(mesh, 20)) == {"two", "three"}
    mesh.vm3.stop(signal.SIGKILL)
    mesh.vm3.start().joined()
    assert [e["announced"] for e in mesh.vm3.cli.items("exposed")] == [True]
    mesh.vm4.sees("web", 2)


def test_another_name_waits_for_another_token(two_addresses):
    agent = two_addresses.vm2
    agent.stop()
    agent.words[agent.words.index("--name") + 1] = "other"
    agent.start().joined().says("asked=other")
    assert agent.status()["name"] == "vm2"


def test_with_the_server_dead_a_new_endpoint_is_found_by_gossip(mesh):
    mesh.server.stop(signal.SIGKILL)
    mesh.vm3.expose("web2", f"81:{mesh.webs[1].target}", "--protocol", "http")
    mesh.vm4.sees("web2", 1)
    mesh.vm3.cli.ok("unexpose", "web")
    mesh.vm4.sees("web", 1)
    assert set(answers(mesh, 5)) == {"two"}


def test_the_log_has_each_thing_once(two_addresses):
    mesh = two_addresses
    mesh.server.stop(signal.SIGKILL)
    mesh.vm2.says("server is gone")
    for place in mesh.places * 2:
        wait_for(lambda: place in mesh.vm2.status().get("trouble", ""),
                 f"{place} was tried")
    assert mesh.vm2.text.count("listening name=hbone") == 1
    since = mesh.vm2.text.rpartition("server is gone")[2]  # not at the start
    said = [line.partition(" why=")[2] for line in since.splitlines()
            if "no server" in line]
    assert len(said) == len(set(said)) >= len(mesh.places)


def test_what_needs_a_server_says_so_when_it_is_dead(mesh):
    mesh.server.stop(signal.SIGKILL)
    mesh.vm3.expose("other", f"82:{mesh.webs[1].target}", "--account", "new")
    row = wait_for(
        lambda: next(e for e in mesh.vm3.cli.items("exposed")
                     if e["name"] == "other" and e["waitsFor"]),
        "it waits for a certificate")
    assert row["announced"] is False
    done = mesh.cli("get")
    assert done.returncode == 4
    assert "nobody answers" in done.stderr
    mesh.server.start()
    mesh.vm4.sees("other", 1)


def test_a_service_dies_under_load_and_no_get_fails(mesh):
    with Load(mesh.app) as load:
        load.more(40)
        mesh.webs[0].close()
        load.more(150)
    assert load.failed == []
    assert set(load.texts[-20:]) == {"three"}


def test_an_agent_dies_under_load_and_no_get_fails(mesh):
    with Load(mesh.app) as load:
        load.more(40)
        mesh.vm2.stop(signal.SIGKILL)
        load.more(150)
    assert load.failed == []
    assert set(load.texts[-20:]) == {"three"}


def test_a_link_goes_dark_under_load_and_no_get_fails(mesh):
    """Packets vanish: nothing is refused and nothing reset."""
    with Load(mesh.app) as load:
        load.more(40)
        mesh.machine(4).cut_from(mesh.machine(2))
        load.more(150)
    assert load.failed == []
    assert set(load.texts[-20:]) == {"three"}


def tunnels(machine, ip, state="connected"):
    """What its kernel says of the tunnels to that node."""
    return machine.run("ss", "-Htin", "state", state,
                       "dst", machine.net.join(ip, 15008)).stdout


def received(machine, ip):
    """Bytes that they have brought so far."""
    told = tunnels(machine, ip)
    return sum(map(int, re.findall(r"bytes_received:(\d+)", told)))


def test_a_service_that_thinks_is_asked_about_and_left_alone(mesh):
    got = []
    asks = threading.Thread(
        target=lambda: got.append(mesh.app.fetch(9000, "/wait")))
    asks.start()
    web = wait_for(
        lambda: next((w for w in mesh.webs if "/wait" in w.seen), None),
        "the request is there")
    heard = set()
    wait_for(lambda: heard.add(received(mesh.app, web.machine.ip))
             or len(heard) >= 5, "the node has answered some PINGs")
    web.gate.set()
    asks.join()
    assert (got[0].status, got[0].json()["text"]) == (200, web.text)


def test_a_connection_outlives_a_link_that_was_dark_for_a_while(mesh):
    echo = mesh.echo(2, 9090)
    mesh.vm2.expose("echo", f"90:{echo.target}", "--protocol", "tcp")
    caller = mesh.member(1, "--gossip", "15947", "--workers", "1",
                         "--upstream", f"echo={mesh.machine(1).at(9001)}",
                         name="caller")
    caller.sees("echo", 1)
    here, there = mesh.machine(1), mesh.machine(2)
    with here.connect(here.loopback, 9001) as living:
        living.sendall(b"a")
        assert living.recv(1) == b"a"
        here.cut_from(there)
        living.sendall(b"b")
        with here.connect(here.loopback, 9001) as late:
            wait_for(lambda: tunnels(here, there.ip, "syn-sent"),
                     "the new one no longer trusts the old tunnel")
            here.cut_from(there, isolated=False)
            assert living.recv(1) == b"b"
            late.sendall(b"c")
            assert late.recv(1) == b"c"


def test_a_dead_node_leaves_routing_and_comes_back(mesh):
    mesh.vm2.stop(signal.SIGKILL)
    mesh.vm4.sees("web", 1)
    row = next(e for e in mesh.vm4.cli.items("endpoints", "web")
               if e["node"] == "vm2")
    assert "down" in row["reason"]
    head = mesh.vm4.cli.ok("endpoints", "web").splitlines()[0]
    assert "WHY NOT" in head
    mesh.vm2.start().joined()
    mesh.vm4.sees("web", 2)
    assert set(answers(mesh, 20)) == {"two", "three"}


def test_configuration_under_load_fails_no_request(mesh):
    with Load(mesh.app) as load:
        for number in range(10):
            mesh.apply(WEB.replace("x-route: web", f"x-route: r{number}"))
        load.more(20)
    assert load.failed == []
    assert mesh.app.fetch(9000).headers["x-route"] == "r9"


def test_the_server_comes_back_and_the_agents_with_it(mesh):
    mesh.server.stop(signal.SIGKILL)
    for agent in mesh.agents:
        wait_for(lambda a=agent: not a.status()["connected"],
                 f"{agent.name} has lost its server")
    mesh.server.start()
    began = time.monotonic()
    for agent in mesh.agents:
        agent.synced()
    assert time.monotonic() - began < 12, "back-off is capped at 10 s"
    mesh.apply(WEB.replace("x-route: web", "x-route: after"))
    assert mesh.app.fetch(9000).headers["x-route"] == "after"


def test_what_was_acknowledged_survives_the_server_and_reaches_agents(mesh):
    acknowledged = []

    def apply_many():
        for number in range(1000):
            text = WEB.replace("x-route: web", f"x-route: n{number}")
            if mesh.cli("apply", "-f", "-", stdin=text).returncode != 0:
                return
            acknowledged.append(number)

    writer = threading.Thread(target=apply_many)
    writer.start()
    wait_for(lambda: len(acknowledged) >= 10 or not writer.is_alive(),
             "ten writes are acknowledged")
    mesh.server.stop(signal.SIGKILL)
    writer.join()
    mesh.server.start()

    def ahead():
        """The last one may have been written without its word having come."""
        route = mesh.app.fetch(9000).headers["x-route"]
        return int(route[1:]) - acknowledged[-1]
    wait_for(lambda: ahead() in (0, 1),
             lambda: f"what was acknowledged is in force: {ahead()}")


def test_agents_that_lose_each_other_go_on_and_find_each_other_again(mesh):
    mesh.machine(4).cut_from(mesh.machine(2))
    assert len(answers(mesh, 20)) == 20
    assert set(answers(mesh, 10)) == {"three"}
    mesh.machine(4).cut_from(mesh.machine(2), isolated=False)
    wait_for(lambda: "two" in answers(mesh, 4, timeout=60),
             "vm2 serves again", deadline=60)
    assert {m["status"] for m in mesh.vm4.cli.items("members")} == {"up"}


def test_sighup_reads_the_settings_again_and_keeps_connections(mesh):
    at = mesh.machine(1).at
    echo = mesh.echo(2, 9090)
    mesh.vm2.expose("echo", f"90:{echo.target}")
    log = mesh.folder / "access.log"
    conf = mesh.folder / "meshd.conf"
    conf.write_text(f"[agent]\nupstream = echo={at(9001)}\n")
    agent = mesh.agent(1, "--gossip", "15947", "--access-log", log,
                       "--log-success", name="reader")
    agent.cli.env["MESHD_CONF"] = str(conf)
    agent.start(mesh.token()).joined().synced()
    agent.sees("echo", 1)
    loopback = mesh.machine(1).loopback
    with mesh.machine(1).connect(loopback, 9001) as living:
        living.sendall(b"a")
        assert living.recv(1) == b"a"
        log.rename(log.with_suffix(".1"))
        conf.write_text(f"[agent]\nupstream = web={at(9002)}\n"
                        "log-level = debug\nworkers = 7\n")
        agent.process.send_signal(signal.SIGHUP)
        agent.says("settings were read again")
        agent.says("waits for a restart name=workers")
        agent.says(f"listening name=web addr={at(9002)}")
        wait_for(lambda: mesh.machine(1).fetch(9002).status == 200,
                 "the new listener answers")
        wait_for(lambda: log.exists() and "GET" in log.read_text(),
                 "the access log goes on in a new file")
        with pytest.raises(ConnectionRefusedError):
            mesh.machine(1).connect(loopback, 9001)
        conf.write_text("[agent]\nupstrem = x\n")
        agent.process.send_signal(signal.SIGHUP)
        agent.says('did you mean "upstream"?')
        assert mesh.machine(1).fetch(9002).status == 200
        living.sendall(b"b")
        assert living.recv(1) == b"b"


def vm4_answers_vm3(mesh):
    """On a new connection; one that ends at once is a no."""
    try:
        with mesh.machine(3).connect(mesh.machine(3).loopback, 9001) as fresh:
            fresh.sendall(b"x")
            return fresh.recv(1) == b"x"
    except (ConnectionResetError, BrokenPipeError):
        return False


def refuses_vm3(mesh):
    """vm4 calls vm3 no more, and says so of those that vm3 begins."""
    mesh.vm4.sees("web", 1)
    assert set(answers(mesh, 10)) == {"two"}
    assert not vm4_answers_vm3(mesh)


@pytest.fixture
def back(mesh):
    """A service of vm4 that vm3 calls."""
    mesh.vm4.expose("back", f"99:{mesh.echo(4, 8099).target}")
    mesh.vm3.sees("back", 1)
    wait_for(lambda: vm4_answers_vm3(mesh), "vm4 lets vm3 in")
    with mesh.machine(3).connect(mesh.machine(3).loopback, 9001) as living:
        living.sendall(b"x")
        assert living.recv(1) == b"x"
        yield living


def test_a_revocation_reaches_by_gossip_who_has_no_server(mesh, back):
    assert set(answers(mesh, 20)) == {"two", "three"}
    mesh.machine(1).cut_from(mesh.machine(4))
    mesh.cli.ok("node", "revoke", "vm3")
    assert is_cut(back)
    mesh.vm4.says("node was revoked")
    mesh.vm4.says("tunnel cut")
    refuses_vm3(mesh)
    assert "vm3" not in [m["name"] for m in mesh.vm4.cli.items("members")]
    # With nobody to ask at all it still knows, once it is on its disk.
    wait_for((mesh.vm4.cli.state / "revoked").exists, "vm4 has written it")
    mesh.server.stop(signal.SIGKILL)
    mesh.vm2.stop(signal.SIGKILL)
    mesh.vm4.stop(signal.SIGKILL)
    told = len(mesh.vm4.text)
    mesh.vm4.start().joined()
    assert not vm4_answers_vm3(mesh)
    wait_for(lambda: "held by node vm3, was revoked" in mesh.vm4.text[told:],
             "vm4 refuses vm3 after its restart")


def test_a_revocation_outlives_the_server_that_told_one_agent(mesh, back):
    assert set(answers(mesh, 20)) == {"two", "three"}
    mesh.machine(4).plug(False)
    mesh.cli.ok("node", "revoke", "vm3")
    mesh.vm2.says("node was revoked")
    mesh.server.stop(signal.SIGKILL)
    assert "node was revoked" not in mesh.vm4.text
    mesh.machine(4).plug(True)
    wait_for(lambda: "node was revoked" in mesh.vm4.text,
             "vm2 has told vm4", 60)
    assert is_cut(back)
    refuses_vm3(mesh)
