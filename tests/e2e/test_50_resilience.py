# SPDX-License-Identifier: Apache-2.0
"""resilience — servers, agents, services and the network fail; traffic goes on."""

import signal
import threading
import time

import pytest

from mesh import DEADLINE, Mesh, wait_for

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


@pytest.fixture(params=[4, 6], ids=["IPv4", "IPv6"])
def mesh(request, tmp_path):
    """Web on vm2 and vm3, called from vm4 by configuration."""
    with Mesh(tmp_path, request.param) as it:
        it.vm2, it.vm3 = it.member(2), it.member(3)
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
    began = time.monotonic()
    assert mesh.vm3.stop() == 0
    assert time.monotonic() - began < 3  # --drain is 5 s
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


def test_with_the_server_dead_a_new_endpoint_is_found_by_gossip(mesh):
    mesh.server.stop(signal.SIGKILL)
    mesh.vm3.expose("web2", f"81:{mesh.webs[1].target}", "--protocol", "http")
    mesh.vm4.sees("web2", 1)
    mesh.vm3.cli.ok("unexpose", "web")
    mesh.vm4.sees("web", 1)
    assert set(answers(mesh, 5)) == {"two"}


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


def test_a_dead_node_leaves_routing_and_comes_back(mesh):
    mesh.vm2.stop(signal.SIGKILL)
    mesh.vm4.sees("web", 1)
    row = next(e for e in mesh.vm4.cli.items("endpoints", "web")
               if e["node"] == "vm2")
    assert "down" in row["reason"]
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
    began = time.monotonic()
    mesh.server.start()
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
    mesh.settle()
    route = mesh.app.fetch(9000).headers["x-route"]
    # The last one may have been written without its word having come.
    assert int(route[1:]) - acknowledged[-1] in (0, 1)


def test_agents_that_lose_each_other_go_on_and_find_each_other_again(mesh):
    mesh.machine(4).cut_from(mesh.machine(2))
    # A tunnel is found dead by PING: 10 s, then 20 s without an answer.
    assert len(answers(mesh, 20, timeout=60)) == 20
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
