# SPDX-License-Identifier: Apache-2.0
"""Endpoints of several addresses: real agents ask a name server.

Machine 2 has the caller and its name server; machines 3 and 4 have services
outside of the mesh, and machine 4 has one in it. All have both families.
"""

import contextlib
import time

import pytest

from mesh import Mesh, families, run_batch, wait_for
from names import NameServer

PORT = 9100
WEB_PORT = 9101
HOST = "db.example.test"


def entry(resolution, name=None):
    """With an endpoint of that name, or none."""
    more = f"  endpoints: [{{address: {name}}}]\n" if name else ""
    return (f"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
            f"metadata: {{name: db}}\nspec:\n  hosts: [{HOST}]\n"
            f"  resolution: {resolution}\n"
            f"  ports: [{{number: 80, name: http, protocol: HTTP, "
            f"targetPort: 8080}}]\n{more}")


class Scene:
    """One mesh for all tests of a family."""

    def __init__(self, mesh, folder):
        self.mesh = mesh
        self.caller = mesh.machine(2)
        self.give_other_family()
        self.dns = NameServer(self.caller, folder)
        self.agent = mesh.agent(
            2, "--upstream", f"db.example.test={self.caller.at(PORT)}",
            "--upstream", f"web={self.caller.at(WEB_PORT)}")
        self.agent.start(mesh.token("--namespaces", "*"),
                         prefix=self.dns.prefix)
        self.agent.joined().synced()
        for number in (3, 4):
            mesh.web(number, 8080, f"on {number}", ip=mesh.machine(number).ip)
        mesh.web(3, 8080, "on the other", ip=self.other(3))
        web = mesh.web(4, 8081, "in the mesh")
        mesh.member(4).expose("web", f"80:{web.target}", "--protocol", "http")

    def give_other_family(self):
        plain = "/24" if self.mesh.net.family == 6 else "/64 nodad"
        for number in (2, 3, 4):
            run_batch([f"addr add {self.other(number)}{plain} dev eth0"],
                      "-n", self.mesh.machine(number).name)

    def other(self, number):
        return (f"10.98.0.{number}" if self.mesh.net.family == 6
                else f"fd98::{number}")

    def ipv4(self, number):
        """What is tried first."""
        return (self.other if self.mesh.net.family == 6 else self.ip)(number)

    @contextlib.contextmanager
    def swallowed(self, ip):
        """What the caller sends there goes nowhere."""
        words = f"{ip} lladdr 02:00:00:00:00:99 dev eth0"
        run_batch([f"neigh replace {words} nud permanent"],
                  "-n", self.caller.name)
        yield ip
        run_batch([f"neigh del {words}"], "-n", self.caller.name)

    def fetch(self, **options):
        return self.caller.fetch(PORT, headers={"host": HOST}, **options)

    def text(self):
        answer = self.fetch()
        assert answer.status == 200, answer.body
        return answer.json()["text"]

    def problem(self):
        """What status says of the name."""
        return [p for p in self.agent.status()["problems"]
                if p["kind"] == "name"]

    def ip(self, number):
        return self.mesh.net.ip(number)


@pytest.fixture(scope="module", params=families("names"))
def whole(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    with Mesh(folder, request.param) as mesh:
        scene = Scene(mesh, folder)
        yield scene
        scene.dns.close()


@pytest.fixture
def scene(whole):
    yield whole
    whole.dns.mute = False
    whole.dns.records.clear()
    whole.mesh.reset()


def test_the_first_call_waits_for_the_answer_and_traffic_follows_it(scene):
    scene.dns.set(HOST, 1, scene.ip(3))
    scene.mesh.apply(entry("DNS"))
    assert scene.text() == "on 3"
    scene.dns.set(HOST, 1, scene.ip(4))
    wait_for(lambda: scene.text() == "on 4", "it follows", deadline=10)
    rows = [e for e in scene.agent.cli.items("endpoints", HOST)]
    assert [(e["address"], e["byName"], e["status"]) for e in rows] == [
        (scene.mesh.net.join(scene.ip(4), 8080), HOST, "in use")]
    told = scene.agent.cli.ok("explain", "request", "GET", f"http://{HOST}/")
    assert "goes to a living endpoint" in told
    assert HOST in scene.agent.cli.ok("proxy", "config", "endpoints")


def test_all_addresses_are_endpoints(scene):
    scene.dns.set(HOST, 60, "real.example.test")
    scene.dns.set("real.example.test", 60, scene.ip(3), scene.ip(4))
    scene.mesh.apply(entry("DNS"))
    texts = {scene.text() for _ in range(40)}
    assert texts == {"on 3", "on 4"}


def test_endpoints_have_names_and_ports_of_their_own(scene):
    scene.dns.set("one.example.test", 60, scene.ip(3))
    scene.dns.asked.clear()
    scene.mesh.apply(entry("DNS", "one.example.test"))
    assert scene.text() == "on 3"
    assert {name for name, _ in scene.dns.asked} == {"one.example.test"}


def test_one_that_floats_goes_to_the_first_of_now(scene):
    scene.dns.set(HOST, 1, scene.ip(3), scene.ip(4))
    scene.mesh.apply(entry("DNS_ROUND_ROBIN"))
    assert {scene.text() for _ in range(10)} == {"on 3"}


def test_a_name_that_nobody_has_is_told(scene):
    scene.mesh.apply(entry("DNS"))
    answer = scene.fetch()
    assert answer.status == 503
    assert b"leads nowhere: there is no such name" in answer.body
    scene.agent.says("UH")
    assert scene.problem()[0]["about"] == HOST
    assert "calls to it fail" in scene.problem()[0]["text"]
    scene.dns.set(HOST, 1, scene.ip(3))
    wait_for(lambda: scene.fetch().status == 200, "it is found later")
    assert not scene.problem()


def test_a_server_that_is_silent_takes_nothing_back(scene):
    scene.dns.set(HOST, 1, scene.ip(3))
    scene.mesh.apply(entry("DNS"))
    assert scene.text() == "on 3"
    scene.dns.mute = True
    wait_for(scene.problem, "the silence is told")
    assert "addresses of before" in scene.problem()[0]["text"]
    assert scene.text() == "on 3"


def test_a_call_does_not_wait_for_ever(scene):
    scene.dns.mute = True
    scene.mesh.apply(entry("DNS"))
    began = time.monotonic()
    answer = scene.fetch()
    assert answer.status == 503
    assert b"being looked up" in answer.body or \
        b"did not answer" in answer.body
    assert time.monotonic() - began < 30


# Connections of before stay where a name floats: each test has its own.
@pytest.mark.parametrize("resolution", ["DNS", "DNS_ROUND_ROBIN"])
def test_another_family_alone_is_called(scene, resolution):
    scene.dns.set("other.example.test", 60, scene.other(3))
    scene.mesh.apply(entry(resolution, "other.example.test"))
    assert scene.text() == "on the other"


def test_an_address_that_swallows_everything_costs_a_moment(scene):
    with scene.swallowed(scene.ipv4(250)) as dead:
        scene.dns.set("two.example.test", 60, dead, scene.ip(3),
                      scene.other(3))
        scene.mesh.apply(entry("DNS_ROUND_ROBIN", "two.example.test"))
        began = time.monotonic()
        assert scene.text() in ("on 3", "on the other")
        assert 0.2 < time.monotonic() - began < 4.5


def test_a_tunnel_takes_the_family_that_answers(scene):
    scene.agent.sees("web", 1)
    with scene.swallowed(scene.ipv4(4)):
        began = time.monotonic()
        answer = scene.caller.fetch(WEB_PORT, headers={"host": "web"})
        assert answer.json()["text"] == "in the mesh"
        assert 0.2 < time.monotonic() - began < 4.5
