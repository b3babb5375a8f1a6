# SPDX-License-Identifier: Apache-2.0
"""questions — what programs ask name servers, captured (capture on --dns).

vm2 asks and captures, as root; machine 3 is the name server, and whom names of
others lead to.
"""

import contextlib
import ipaddress
import socketserver

import pytest

from mesh import Banner, Mesh, Service, families, wait_for
from questions import TYPES, Asker, NameServer, record, say

WEB = "web.default.svc.mesh.internal"
ALL = "0.0.0.0/0,::/0"
PORT = 2600

ENTRIES = """\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: listed}}
spec:
  hosts: [listed.example.org]
  ports: [{{number: {port}, name: tcp, protocol: TCP}}]
  resolution: STATIC
  endpoints: [{{address: "{far}"}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: named}}
spec:
  hosts: [named.example.org]
  ports: [{{number: {port}, name: tcp, protocol: TCP}}]
  resolution: DNS
"""


def is_automatic(value):
    return ipaddress.ip_address(value) in ipaddress.ip_network(
        "2001:2::/48" if ":" in value else "240.240.0.0/16")


class GreetingHandler(socketserver.BaseRequestHandler):
    """Says who it is."""

    def handle(self):
        self.request.sendall(self.server.words.encode())


class Greeter(Service):
    """TCP, and it speaks first."""

    def __init__(self, machine, port, words):
        super().__init__(machine, port, GreetingHandler)
        self.server.words = words


@pytest.fixture(scope="module", params=families("questions"))
def home(request, tmp_path_factory):
    """vm2's resolv.conf names machine 3, for its programs and for the agent."""
    folder = tmp_path_factory.mktemp("questions")
    with Mesh(folder, request.param, machines=3) as it:
        it.far, it.app = it.machine(3), it.machine(2)
        it.kind = "A" if request.param == 4 else "AAAA"

        def reply(wire, _):
            asked = int.from_bytes(wire[-4:-2], "big")
            if asked != TYPES[it.kind]:
                return say(wire)
            return say(wire, 0, record(
                it.kind, ipaddress.ip_address(it.far.ip).packed), 1)
        it.outside = NameServer(it.far, reply)
        conf = folder / "resolv.conf"
        conf.write_text(f"nameserver {it.far.ip}\n")
        it.prefix = [
            "unshare", "--mount", "sh", "-c",
            f'mount --bind {conf} /etc/resolv.conf && exec "$@"', "sh"]
        it.agent = it.agent(2)
        it.agent.start(it.token("--namespaces", "*"), prefix=it.prefix)
        it.agent.joined().synced()
        it.agent.expose("web", f"80:{it.app.at(8080)}", "--protocol", "http")
        it.apply(ENTRIES.format(port=PORT, far=it.far.ip))
        it.ask = Asker(it.app)
        it.ask.at = (it.far.ip, 53)
        it.banner = Banner(it.far, PORT, it.far.ip)
        yield it
        it.banner.close()
        it.outside.close()


@pytest.fixture
def captured(home):
    home.agent.cli.ok("capture", "on", "--dns", "--out", ALL)
    yield home
    home.agent.cli.ok("capture", "off")


def test_who_asks_another_is_answered_by_the_mesh(home):
    assert home.ask(WEB, home.kind).values == [home.far.ip]
    home.agent.cli.ok("capture", "on", "--dns")
    try:
        wait_for(lambda: home.ask(WEB, home.kind).values == [home.app.ip],
                 "the mesh says where it is")
        assert home.ask.over_tcp(WEB, home.kind).values == [home.app.ip]
        # Of others it is what their name server says.
        before = len(home.outside.asked("other.example.org"))
        assert home.ask("other.example.org", home.kind).values == [
            home.far.ip]
        assert len(home.outside.asked("other.example.org")) == before + 1
    finally:
        home.agent.cli.ok("capture", "off")
    assert home.ask(WEB, home.kind).values == [home.far.ip]


def reached(home, address):
    with home.app.connect(address, PORT) as conn:
        with home.banner.accept() as other:
            assert conn.recv(99) == b"220 hello\r\n"
            conn.sendall(b"EHLO\r\n")
            return other.recv(99) == b"EHLO\r\n"


def automatic(home, name):
    """What the name is told to be, once that is its automatic address."""
    wait_for(lambda: all(map(is_automatic, home.ask(name, home.kind).values))
             and home.ask(name, home.kind).values,
             lambda: f"{home.ask(name, home.kind).values}")
    return home.ask(name, home.kind).values[0]


def test_services_without_an_address_get_one_that_works(captured):
    assert reached(captured, automatic(captured, "listed.example.org"))


def test_questions_of_the_agent_itself_are_not_captured(captured):
    """By the name it would be told the automatic address, and call itself."""
    address = automatic(captured, "named.example.org")
    assert reached(captured, address)
    assert captured.outside.asked("named.example.org")


def test_services_of_machines_get_one_too(captured):
    """Their machines' own lead past the proxy here, and may be shared."""
    with contextlib.ExitStack() as stack:
        for port, name in ((8081, "one"), (8082, "two")):
            stack.enter_context(contextlib.closing(
                Greeter(captured.app, port, name)))
        captured.agent.expose("one", f"2700:{captured.app.at(8081)}")
        captured.agent.expose("two", f"2701:{captured.app.at(8082)}")
        for port, name in ((2700, "one"), (2701, "two")):
            captured.agent.sees(name, 1)
            address = automatic(captured, f"{name}.default.svc.mesh.internal")
            with captured.app.connect(address, port) as conn:
                assert conn.recv(99) == name.encode()
            reverse = ipaddress.ip_address(address).reverse_pointer
            assert captured.ask(reverse, "PTR").values
            captured.agent.cli.ok("unexpose", name)


def test_nobody_is_told_an_address_that_leads_nowhere(home):
    name = "listed.example.org"
    here = Asker(home.app)
    for words in (["--dns"], ["--out", ALL]):
        home.agent.cli.ok("capture", "on", *words)
        wait_for(lambda: here(name, home.kind).values == [home.far.ip],
                 "it is its member's")
    home.agent.cli.ok("capture", "off")
    assert here(name, home.kind).values == [home.far.ip]


def test_an_agent_that_answers_elsewhere_cannot_be_led_to(home):
    home.agent.stop()
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: home.agent.start(prefix=home.prefix).joined())
        stack.callback(home.agent.stop)
        words = home.agent.words
        home.agent.words = [*words, "--dns", "127.0.0.2"]
        stack.callback(lambda: setattr(home.agent, "words", words))
        home.agent.start(prefix=home.prefix).joined()
        done = home.agent.cli("capture", "on", "--dns")
        assert done.returncode != 0 and "15053" in done.stderr, done
