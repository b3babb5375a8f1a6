# SPDX-License-Identifier: Apache-2.0
"""callers — programs see the address of who calls them (--tproxy).

vm2 serves, vm3 calls as a member, and machine 4 is a stranger.
"""

import contextlib
import http.client
import signal
import socket

import pytest

from mesh import (DEADLINE, Banner, Machine, Mesh, families, is_cut,
                  run_batch, wait_for)

PORTS = "8090,8091"
TABLE = "15006"  # of routes, by which all is of this machine

STRICT = """\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
"""


@pytest.fixture(scope="module", params=families("callers"))
def home(request, tmp_path_factory):
    """echo, on loopback and exposed, and two ports of the machine's address."""
    with Mesh(tmp_path_factory.mktemp("callers"), request.param,
              machines=4) as it:
        it.far = it.machine(4)
        it.app = it.machine(3)
        it.here = it.machine(2)
        it.serving = it.member(2, "--drain", "0s")
        it.caller = it.member(3)
        it.banner = Banner(it.here, 8091, it.here.ip)
        it.requests = it.here.listen(it.here.ip, 8090)
        it.inner = Banner(it.here, 7007)
        for one in (it.banner.listener, it.requests, it.inner.listener):
            one.settimeout(DEADLINE)
        it.serving.expose("echo", f"7000:{it.inner.target}")
        yield it
        it.requests.close()
        it.banner.close()
        it.inner.close()


@pytest.fixture
def kept(home):
    """Whoever calls vm2 is seen there."""
    home.serving.cli.ok("capture", "on", "--in", PORTS, "--tproxy")
    yield home
    if not home.serving.is_running:
        home.serving.start().joined()
    home.serving.cli.ok("capture", "off")
    home.reset()


def is_banner_of(conn, banner):
    """Who calls, as the program sees it; and that bytes go both ways."""
    with banner.accept() as other:
        assert conn.recv(99) == b"220 hello\r\n"
        conn.sendall(b"EHLO\r\n")
        assert other.recv(99) == b"EHLO\r\n"
        return other.getpeername()[0]


def calls(home, machine):
    with machine.connect(home.here.ip, 8091) as conn:
        return is_banner_of(conn, home.banner)


def test_bytes_come_from_who_sends_them(kept):
    for machine in (kept.far, kept.app):
        assert calls(kept, machine) == machine.ip


def answer_one(home):
    """Who asks, of one connection, which stays."""
    conn, _ = home.requests.accept()
    assert conn.recv(65536).startswith(b"GET /")
    conn.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    return conn


def ask(home, machine):
    conn = http.client.HTTPConnection("vm2", 8090, timeout=DEADLINE)
    conn.sock = machine.connect(home.here.ip, 8090)
    conn.request("GET", "/")
    return conn


def test_kept_connections_are_those_of_one_caller(kept):
    with contextlib.ExitStack() as stack:
        for machine in (kept.far, kept.app):
            client = stack.enter_context(contextlib.closing(
                ask(kept, machine)))
            served = stack.enter_context(contextlib.closing(
                answer_one(kept)))
            assert client.getresponse().read() == b"ok"
            assert served.getpeername()[0] == machine.ip
            # Another request of the same caller takes the same way.
            client.request("GET", "/again")
            assert served.recv(65536).startswith(b"GET /again")
            served.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            assert client.getresponse().status == 204


def test_what_comes_by_a_tunnel_comes_from_the_machine_that_calls(kept):
    kept.caller.sees("echo", 1)
    kept.caller.cli.ok("capture", "on")
    try:
        with kept.app.connect(kept.here.ip, 7000) as conn:
            assert is_banner_of(conn, kept.inner) == kept.app.ip
    finally:
        kept.caller.cli.ok("capture", "off")


def test_a_program_of_the_machine_calls_one_by_its_automatic_address(kept):
    """From loopback, as the route says; both ways have rules of routing."""
    every = "0.0.0.0/0,::/0"
    kept.serving.cli.ok("capture", "on", "--in", PORTS, "--tproxy", "--out",
                        every)
    kept.serving.sees("echo", 1)
    virtual = "2001:2::9" if ":" in kept.here.ip else "240.240.9.9"
    with kept.here.connect(virtual, 7000) as conn:
        assert is_banner_of(conn, kept.inner) == kept.here.loopback
    assert calls(kept, kept.far) == kept.far.ip


def test_both_connections_may_have_the_same_ends(kept):
    """The only port that the proxy may take is the client's own."""
    kept.here.run("sysctl", "-w", "net.ipv4.ip_local_port_range=40000 40001")
    for port in (40000, 40001):
        conn = kept.far.inside(lambda at=port: socket.create_connection(
            (kept.here.ip, 8091), DEADLINE, (kept.far.ip, at)))
        with conn:
            assert is_banner_of(conn, kept.banner) == kept.far.ip
    kept.here.run("sysctl", "-w", "net.ipv4.ip_local_port_range=32768 60999")


def test_a_stranger_is_still_refused_where_only_the_mesh_may_call(kept):
    kept.apply(STRICT)
    with kept.far.connect(kept.here.ip, 8091) as conn:
        assert is_cut(conn, b"hello\r\n")


# --- a container, whose port others' rules lead to ---

# What Docker's are: of calls from elsewhere, of those of the machine itself,
# and of what the container sends out.
PUBLISHED = """\
table {family} others {{
	chain prerouting {{
		type nat hook prerouting priority dstnat;
		fib daddr type local tcp dport 8092 dnat to {to}
	}}
	chain output {{
		type nat hook output priority -100;
		{family} daddr != {loopback} fib daddr type local tcp dport 8092 \
			dnat to {to}
	}}
	chain postrouting {{
		type nat hook postrouting priority srcnat;
		{family} saddr {ip} oifname != "inner" masquerade
	}}
}}
"""


class Container:
    """In a network of its own, that only its machine reaches."""

    def __init__(self, host):
        six = ":" in host.ip
        self.host = host
        self.family = "ip6" if six else "ip"
        self.loopback = "::1" if six else "127.0.0.0/8"
        self.ip = "fd88::2" if six else "10.88.0.2"
        self.inside = Machine(host.net, f"{host.number}c")
        gate = "fd88::1" if six else "10.88.0.1"
        plain = "/64 dev {} nodad" if six else "/24 dev {}"
        run_batch([f"netns add {self.inside.name}"])
        run_batch([f"link add inner type veth peer name eth0 "
                   f"netns {self.inside.name}",
                   f"addr add {gate}{plain.format('inner')}",
                   "link set inner up"], "-n", host.name)
        run_batch(["link set lo up",
                   f"addr add {self.ip}{plain.format('eth0')}",
                   "link set eth0 up", f"route add default via {gate}"],
                  "-n", self.inside.name)
        self.program = Banner(self.inside, 80, self.ip)
        self.program.listener.settimeout(DEADLINE)

    def publish(self):
        done = self.host.run("nft", "-f", "-", input=PUBLISHED.format(
            family=self.family, loopback=self.loopback, ip=self.ip,
            to=f"[{self.ip}]:80" if self.family == "ip6" else f"{self.ip}:80"))
        assert done.returncode == 0, done.stderr

    def close(self):
        self.program.close()
        self.host.run("nft", "delete", "table", self.family, "others")
        run_batch(["link del inner"], "-n", self.host.name)
        run_batch([f"netns del {self.inside.name}"])


@pytest.fixture(params=("before", "after"))
def published(home, request):
    """Their rules are there before ours, or come after them."""
    with contextlib.closing(Container(home.here)) as it:
        if request.param == "before":
            it.publish()
        home.serving.cli.ok("capture", "on", "--in", "8092", "--tproxy")
        if request.param == "after":
            it.publish()
        yield it
        home.serving.cli.ok("capture", "off")


def test_a_container_behind_a_published_port_sees_who_calls(home, published):
    for machine in (home.far, home.app):
        with machine.connect(home.here.ip, 8092) as conn:
            assert is_banner_of(conn, published.program) == machine.ip
    met = {r["rule"]: r["connections"]
           for r in home.serving.cli.json("capture", "status")["rules"]
           if r["chain"] in ("input", "back")}
    assert met["packets that answer them come to the proxy"] > 0
    assert any(n >= 2 for words, n in met.items() if "port 8092" in words)


def ways_back(home):
    return [line for family in ("-4", "-6") for line in home.here.run(
        "ip", family, "rule", "show").stdout.split("\n") if TABLE in line]


def routes_back(home):
    return [line for family in ("-4", "-6") for line in home.here.run(
        "ip", family, "route", "show", "table", TABLE).stdout.split("\n")
        if line]


def test_off_takes_all_of_it_away(home):
    home.serving.cli.ok("capture", "on", "--in", PORTS, "--tproxy")
    assert len(ways_back(home)) == 3 and len(routes_back(home)) == 2
    rules = str(home.serving.cli.json("capture", "status")["rules"])
    assert "bear their caller's address" in rules
    home.serving.cli.ok("capture", "on", "--in", PORTS)
    assert ways_back(home) == routes_back(home) == []
    assert calls(home, home.far) != home.far.ip
    home.serving.cli.ok("capture", "on", "--in", PORTS, "--tproxy")
    assert calls(home, home.far) == home.far.ip
    home.serving.cli.ok("capture", "off")
    assert ways_back(home) == routes_back(home) == []
    with home.far.connect(home.here.ip, 8091) as conn:  # as without a mesh
        assert is_banner_of(conn, home.banner) == home.far.ip


def test_an_end_leaves_nobody_behind(kept):
    """Whatever ends it: callers come as they would without it."""
    assert calls(kept, kept.far) == kept.far.ip
    kept.serving.stop(signal.SIGKILL)
    wait_for(lambda: not ways_back(kept), "the helper takes its rules along")
    assert calls(kept, kept.far) == kept.far.ip
    kept.serving.start().joined()
    wait_for(lambda: ways_back(kept), "it captures again")
    assert calls(kept, kept.far) == kept.far.ip


def test_a_killed_helper_leaves_what_harms_nobody_and_the_next_one_mends(kept):
    pid = kept.here.run(
        "pgrep", "--ns", kept.serving.process.pid, "--nslist", "net",
        "meshd-capture").stdout
    kept.here.run("kill", "-9", pid.strip())
    wait_for(lambda: "helper" in kept.serving.cli.ok("status"),
             "status tells of it")
    assert len(ways_back(kept)) == 3
    assert calls(kept, kept.far) == kept.far.ip  # by nobody but itself
    kept.serving.stop()
    kept.serving.start().joined()
    wait_for(lambda: kept.serving.cli.json("capture", "status")["captures"],
             "it captures again")
    assert len(ways_back(kept)) == 3 and len(routes_back(kept)) == 2
    assert calls(kept, kept.far) == kept.far.ip


CAPS = "+net_admin,+dac_override"  # the latter for the test's own folders


def test_the_proxy_needs_no_right_for_it(home):
    home.serving.stop()
    home.here.run("chown", "-R", "15999", home.serving.cli.folder)
    home.serving.start(prefix=[
        "setpriv", "--reuid=15999", "--clear-groups", f"--inh-caps={CAPS}",
        f"--ambient-caps={CAPS}", f"--bounding-set=-all,{CAPS}"]).joined()
    try:
        home.serving.cli.ok("capture", "on", "--in", PORTS, "--tproxy")
        for _ in range(200):  # more than are made ahead
            assert calls(home, home.far) == home.far.ip
        home.serving.cli.ok("capture", "off")
    finally:
        home.serving.stop()
        home.here.run("chown", "-R", "0", home.serving.cli.folder)
        home.serving.start().joined()
