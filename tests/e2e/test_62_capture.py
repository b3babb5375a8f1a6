# SPDX-License-Identifier: Apache-2.0
"""capture — programs that know nothing of a proxy.

vm2 serves, vm3 calls, and machine 4 is outside of the mesh. Nothing is said to
the programs: rules of the machine lead them.
"""

import contextlib
import http.client
import json
import ssl

import pytest

from hbone import identity_of, mesh_context
from mesh import DEADLINE, Banner, Mesh, families, is_cut, wait_for

REGISTRY_ONLY = """\
apiVersion: meshd.dev/v1
kind: MeshConfig
metadata: {name: default}
spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
"""


def status(agent):
    return agent.cli.json("capture", "status")


def rules(agent):
    """How often each rule was met, by its words."""
    return {r["rule"]: r["connections"] for r in status(agent)["rules"]}


def is_refused(machine, ip, port):
    try:
        with machine.connect(ip, port) as conn:
            return is_cut(conn, b"hello\r\n")
    except ConnectionError:
        return True


def get(home, host, port=80, ip=None, path="/"):
    """As curl would, whose resolver said `ip`."""
    with contextlib.closing(http.client.HTTPConnection(
            host, port, timeout=DEADLINE)) as conn:
        conn.sock = home.app.connect(ip or home.virtual, port)
        conn.request("GET", path)
        answer = conn.getresponse()
        return answer.status, answer.read()


@pytest.fixture(scope="module", params=families("capture"))
def home(request, tmp_path_factory):
    """web and echo on vm2; their caller on vm3; a stranger on machine 4."""
    folder = tmp_path_factory.mktemp("capture")
    with Mesh(folder, request.param, machines=4) as it:
        it.virtual = "240.240.9.9" if request.param == 4 else "2001:2::9"
        it.far = it.machine(4)
        it.app = it.machine(3)
        it.serving = it.member(2)
        it.log = folder / "out.log"
        it.caller = it.member(3, "--access-log", it.log, "--log-success")
        web = it.web(2, 8080, "web")
        it.serving.expose("web", f"80:{web.target}", "--protocol", "http")
        echo = it.echo(2, 7007)
        it.serving.expose("echo", f"7000:{echo.target}")
        yield it


@pytest.fixture
def captured(home):
    home.caller.cli.ok("capture", "on")
    home.caller.sees("web", 1)
    home.caller.sees("echo", 1)
    yield home
    home.caller.cli.ok("capture", "off")
    home.reset()


def test_a_request_finds_its_service_by_its_host(captured):
    code, body = get(captured, "web")
    assert code == 200 and json.loads(body)["text"] == "web"
    wait_for(lambda: "outbound|80||web.default" in captured.log.read_text(),
             lambda: captured.log.read_text())
    out = [words for words in rules(captured.caller) if "come to" in words]
    assert any(rules(captured.caller)[words] > 0 for words in out)


def test_bytes_find_their_service_by_its_port(captured):
    with captured.app.connect(captured.virtual, 7000) as conn:
        conn.sendall(b"ping")
        assert conn.recv(4) == b"ping"


def test_bytes_find_the_service_of_the_machine_that_is_called(captured):
    """Two services have one port, each at a machine of its own."""
    banner = Banner(captured.far, 7007)
    other = captured.member(4)
    other.expose("banner", f"7000:{banner.target}")
    with contextlib.closing(banner):
        captured.caller.sees("banner", 1)
        with captured.app.connect(captured.machine(2).ip, 7000) as conn:
            conn.sendall(b"ping")
            assert conn.recv(4) == b"ping"
        with captured.app.connect(captured.far.ip, 7000) as conn:
            with banner.accept():
                assert conn.recv(99) == b"220 hello\r\n"
    other.cli.ok("unexpose", "banner")
    # With it the port is one service's again, whatever address is called.
    wait_for(lambda: "banner" not in captured.caller.cli.ok("services"),
             "it is gone")
    other.stop()


def test_whoever_is_not_known_is_called_as_before(captured):
    banner = Banner(captured.far, 2525, captured.far.ip)
    with contextlib.closing(banner), captured.app.connect(
            captured.far.ip, 2525) as conn:
        with banner.accept() as other:
            assert conn.recv(99) == b"220 hello\r\n"
            conn.sendall(b"EHLO\r\n")
            assert other.recv(99) == b"EHLO\r\n"
            assert other.getpeername()[0] == captured.app.ip


def test_what_the_registry_does_not_know_is_refused(captured):
    captured.apply(REGISTRY_ONLY)
    listener = captured.far.listen(captured.far.ip, 2526)
    with contextlib.closing(listener):
        assert is_refused(captured.app, captured.far.ip, 2526)
    code, _ = get(captured, "stranger.example", ip=captured.far.ip)
    assert code == 502
    assert get(captured, "web")[0] == 200


def test_a_call_to_the_port_itself_goes_nowhere(captured):
    assert is_refused(captured.app, captured.app.loopback, 15001)


def routes_of_services(home):
    family = "-6" if ":" in home.app.ip else "-4"
    return [line for line in home.app.run(
        "ip", family, "route", "show", "dev", "lo").stdout.split("\n")
        if line.startswith(("240.240.", "2001:2::"))]


def test_addresses_of_services_have_a_route_while_they_are_captured(home):
    assert routes_of_services(home) == []
    home.caller.cli.ok("capture", "on")
    assert len(routes_of_services(home)) == 1
    home.caller.cli.ok("capture", "off")
    assert routes_of_services(home) == []


@pytest.mark.parametrize("other, ours", [
    ("default", 1),
    ("240.240.0.0/24 2001:2::/64", 0),  # somebody's own
    ("240.0.0.0/4 2001::/16", 0)])
def test_a_route_that_others_made_for_them_stays(home, other, ours):
    six = ":" in home.app.ip
    to = other.split()[-1 if six else 0]
    home.app.run("ip", "-6" if six else "-4", "route", "add", to,
                 "via", home.far.ip)
    try:
        home.caller.cli.ok("capture", "on")
        assert len(routes_of_services(home)) == ours
    finally:
        home.caller.cli.ok("capture", "off")
        home.app.run("ip", "-6" if six else "-4", "route", "del", to)
    assert routes_of_services(home) == []


def tracked(machine, port):
    """What conntrack has of the call from that port: state, seconds left.

    Others may have been made before, whose end was not seen while anything
    was captured: of these it is as long as the kernel's own.
    """
    table = machine.run("cat", "/proc/net/nf_conntrack").stdout.split("\n")
    for words in map(str.split, table):
        if f"sport={port}" in words and "sport=15001" in words:
            return words[5], int(words[4])
    return "NONE", 0


def test_what_was_called_is_forgotten_soon(captured):
    """And a client has its ports again: what it calls is called by loopback."""
    ended = captured.caller.cli.ok("capture", "status")
    assert "what programs here called is forgotten 3 s" in ended
    with captured.app.connect(captured.virtual, 7000) as conn:
        conn.sendall(b"ping")
        assert conn.recv(4) == b"ping"
        address, port = conn.getsockname()[:2]
        assert address == captured.app.loopback
        assert tracked(captured.app, port)[0] == "ESTABLISHED"
    wait_for(lambda: tracked(captured.app, port)[0] in (
        "TIME_WAIT", "CLOSE", "NONE"), lambda: tracked(captured.app, port))
    assert tracked(captured.app, port)[1] <= 3


def test_what_stands_when_capture_changes_is_forgotten_as_soon(captured):
    """The table is the same one, with other rules."""
    with captured.app.connect(captured.virtual, 7000) as conn:
        conn.sendall(b"ping")
        assert conn.recv(4) == b"ping"
        port = conn.getsockname()[1]
        captured.caller.cli.ok("capture", "on", "--out", "0.0.0.0/0,::/0",
                               "--in", "8090", "--tproxy")
        captured.caller.cli.ok("capture", "on", "--out", "0.0.0.0/0,::/0")
        conn.sendall(b"pong")
        assert conn.recv(4) == b"pong"
    wait_for(lambda: tracked(captured.app, port)[0] in (
        "TIME_WAIT", "CLOSE", "NONE"), lambda: tracked(captured.app, port))
    assert tracked(captured.app, port)[1] <= 3


BY_ADDRESS = """\
apiVersion: v1
kind: Service
metadata: {{name: banner}}
spec:
  clusterIP: None
  selector: {{app: echo}}
  ports: [{{name: tcp, port: 7000}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: one}}
spec:
  hosts: [one.example]
  addresses: ["{one}"]
  ports: [{{name: tcp, number: 2600, protocol: TCP}}]
  resolution: STATIC
  endpoints: [{{address: "{far}", ports: {{tcp: 2601}}}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: two}}
spec:
  hosts: [two.example]
  addresses: ["{two}"]
  ports: [{{name: tcp, number: 2600, protocol: TCP}}]
  resolution: STATIC
  endpoints: [{{address: "{far}", ports: {{tcp: 2602}}}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: itself}}
spec:
  hosts: [itself.example]
  addresses: ["{far}"]
  ports: [{{name: tcp, number: 2601, protocol: TCP}}]
  resolution: NONE
"""


def test_services_are_told_apart_by_their_addresses(captured):
    six = ":" in captured.far.ip
    one, two = ("fd77::1", "fd77::2") if six else ("10.77.0.1", "10.77.0.2")
    with contextlib.ExitStack() as stack:
        doors = [stack.enter_context(contextlib.closing(
            Banner(captured.far, port, captured.far.ip)))
            for port in (2601, 2602)]
        captured.apply(BY_ADDRESS.format(one=one, two=two,
                                         far=captured.far.ip))
        captured.apply(REGISTRY_ONLY)
        captured.app.run("ip", "route", "add", "fd77::/64" if six else
                         "10.77.0.0/24", "dev", "lo")
        for door, ip, port in ((doors[0], one, 2600), (doors[1], two, 2600),
                               (doors[0], captured.far.ip, 2601)):
            with captured.app.connect(ip, port) as conn, door.accept():
                assert conn.recv(99) == b"220 hello\r\n"
        assert is_refused(captured.app, captured.far.ip, 2602)
        # A member of a service without an address, by its own: the tunnel.
        with captured.app.connect(captured.machine(2).ip, 7000) as conn:
            conn.sendall(b"ping")
            assert conn.recv(4) == b"ping"


# --- who calls this machine ---

STRICT = """\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
"""


@pytest.fixture
def inbound(home):
    """What comes to vm2 from elsewhere is captured: HTTP, and who speaks first.
    """
    service = home.web(2, 8090, "plain", ip=home.machine(2).ip)
    banner = Banner(home.machine(2), 8091, home.machine(2).ip)
    home.banner = banner
    home.serving.cli.ok("capture", "on", "--in", "8090,8091")
    yield home
    home.serving.cli.ok("capture", "off")
    home.reset()
    service.close()
    banner.close()


def plainly(home):
    """A stranger's request to vm2, or None where it is refused."""
    with contextlib.closing(http.client.HTTPConnection(
            "vm2", 8090, timeout=DEADLINE)) as conn:
        try:
            conn.sock = home.far.connect(home.machine(2).ip, 8090)
            conn.request("GET", "/")
            return json.loads(conn.getresponse().read())["text"]
        except (ConnectionError, http.client.BadStatusLine):
            return None


def test_plain_text_comes_in_unless_it_is_forbidden(inbound):
    assert plainly(inbound) == "plain"
    inbound.apply(STRICT)
    assert plainly(inbound) is None
    met = rules(inbound.serving)
    assert any("8090 come to" in words and met[words] > 1 for words in met)


def mutually(home, alpn, state=None):
    """What a peer of the mesh, as Envoy, gets of vm2's port without a tunnel.
    """
    context = mesh_context(state or home.caller.cli.state, home.cli)
    context.set_alpn_protocols(alpn)
    conn = home.app.connect(home.machine(2).ip, 8090)
    conn.settimeout(DEADLINE)
    with contextlib.closing(context.wrap_socket(conn)) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nhost: plain\r\n"
                    b"connection: close\r\n\r\n")
        answer = b"".join(iter(lambda: tls.recv(65536), b""))
        return tls.selected_alpn_protocol(), identity_of(tls), answer


def test_mutual_tls_comes_in_without_a_tunnel(inbound):
    for alpn in (["istio-http/1.1", "istio", "http/1.1"],
                 ["istio-peer-exchange", "istio"]):
        took, identity, answer = mutually(inbound, alpn)
        assert took in alpn and answer.startswith(b"HTTP/1.1 200")
        assert identity.startswith("spiffe://mesh.internal/ns/")
    inbound.apply(STRICT)
    assert mutually(inbound, ["istio"])[2].startswith(b"HTTP/1.1 200")
    # Another's certificate is none of the mesh.
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context = mesh_context(None, inbound.cli)
        context.set_alpn_protocols(["istio"])
        conn = inbound.app.connect(inbound.machine(2).ip, 8090)
        with contextlib.closing(context.wrap_socket(conn)) as tls:
            tls.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert tls.recv(1) == b""
            raise ConnectionError("it was closed")


def test_who_speaks_first_is_not_kept_waiting(inbound):
    with inbound.far.connect(inbound.machine(2).ip, 8091) as conn:
        with inbound.banner.accept() as other:
            assert conn.recv(99) == b"220 hello\r\n"
            conn.sendall(b"EHLO\r\n")
            assert other.recv(99) == b"EHLO\r\n"
