# SPDX-License-Identifier: Apache-2.0
"""limits — floods, for a second or two each: the agent does not grow, others
are served meanwhile, and it is counted by its name."""

import contextlib
import socket
import socketserver
import struct
import threading
import time

import pytest

from hbone import frame, literal, mesh_context
from mesh import DEADLINE, SANITIZED, Mesh, Service, families, wait_for

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PING, WINDOW_UPDATE, CONTINUATION = 6, 8, 9
END_STREAM, END_HEADERS, PADDED = 1, 4, 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)
SECONDS = 1.5  # of one flood
# Bytes; a tenth of what one that grows takes in that time. What sanitizers
# keep of the dead is bounded by themselves.
KEPT = 1 << 30 if SANITIZED else 0
GROWTH = KEPT + (10 << 20)
BURST = 32 << 10  # bytes of one write
HELD = 700 << 10  # bytes of an answer that waits: windows, marks and a read
CROWD = 2000
IDLE = 16 << 10  # bytes of memory; most of them are HTTP/2's tables


def number(n):
    return struct.pack(">I", n)


def block(*fields):
    return b"".join(literal(name, value) for name, value in fields)


GET = block((b":method", b"GET"), (b":scheme", b"http"),
            (b":authority", b"web"), (b":path", b"/"))
GET_LARGE = block((b":method", b"GET"), (b":scheme", b"http"),
                  (b":authority", b"large"), (b":path", b"/"))
POST = block((b":method", b"POST"), (b":scheme", b"http"),
             (b":authority", b"web"), (b":path", b"/"))
NOWHERE = "10.1.1.1:1"
# A field of 3000 bytes into the table (RFC 7541 6.2.1), then one byte for
# each time that it is there once more.
BOMB = GET + b"\x40\x01x\x7f\xb9\x16" + b"v" * 3000 + b"\xbe" * 12000


def connect(authority):
    return block((b":method", b"CONNECT"),
                 (b":authority", authority.encode()))


def again(one):
    """The same frame, as often as there is room in one write."""
    whole = one * max(1, BURST // len(one))
    while True:
        yield whole


def streams(of_one):
    """Frames for one stream after the other, by its number."""
    stream = 1
    while True:
        burst = b""
        while len(burst) < BURST:
            burst += of_one(stream)
            stream += 2
        yield burst


def begun(head, rest):
    """A request that goes on, then the rest of it."""
    yield frame(HEADERS, END_HEADERS, 1, head)
    yield from rest


def whole(stream, head=GET):
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, head)


# What is sent, and by which name it is counted.
FLOODS = {
    "PING": (lambda head: again(frame(PING, 0, 0, b"12345678")),
             "ping_flood"),
    "SETTINGS": (lambda head: again(frame(SETTINGS, 0, 0)),
                 "settings_flood"),
    "PRIORITY": (lambda head: again(
        frame(PRIORITY, 0, 1, number(0) + b"\1")), "priority_flood"),
    "WINDOW_UPDATE": (lambda head: again(
        frame(WINDOW_UPDATE, 0, 0, number(1))), "window_update_flood"),
    "frames of no known type": (lambda head: again(frame(66, 0, 0)),
                                "frame_flood"),
    "empty DATA": (lambda head: begun(head, again(frame(DATA, 0, 1))),
                   "empty_data_flood"),
    "DATA of padding": (lambda head: begun(head, again(
        frame(DATA, PADDED, 1, b"\3\0\0\0"))), "empty_data_flood"),
    "CONTINUATION": (lambda head: iter([
        frame(HEADERS, 0, 1, b"\0\1x\1y") +
        frame(CONTINUATION, 0, 1, b"\0\1x\1y") * 3000]),
                     "continuation_flood"),
    "rapid reset": (lambda head: streams(lambda stream: whole(
        stream, head) + frame(RST_STREAM, 0, stream, number(8))),
                    "reset_flood"),
    "made to reset": (lambda head: streams(lambda stream: whole(
        stream, head) + frame(WINDOW_UPDATE, 0, stream, number(2**31 - 1))),
                      "fault_flood"),
    "HPACK bomb": (lambda head: streams(
        lambda stream: whole(stream, BOMB)), "head_bomb"),
}


class LargeHandler(socketserver.BaseRequestHandler):
    """Answers every request with a megabyte."""

    def handle(self):
        reader = self.request.makefile("rb")
        with contextlib.suppress(OSError):
            while reader.readline():
                while reader.readline() > b"\r\n":
                    pass
                self.request.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" +
                    b"x" * 1048576)


@pytest.fixture(scope="module", params=families("limits"))
def mesh(request, tmp_path_factory):
    """web and large on machine 2, called by programs of machine 3."""
    folder = tmp_path_factory.mktemp("limits")
    with Mesh(folder, request.param, machines=3) as it:
        it.far = it.member(2)
        it.app = it.machine(3)
        it.near = it.member(
            3, "--upstream", f"web={it.app.at(9000)}",
            "--upstream", f"large={it.app.at(9001)}")
        it.service = it.web(2, 8080, "web")
        it.far.expose("web", f"80:{it.service.target}", "--protocol", "http")
        large = Service(it.machine(2), 8081, LargeHandler)
        it.services.append(large)
        it.far.expose("large", f"81:{large.target}", "--protocol", "http")
        for name in ("web", "large"):
            it.near.sees(name, 1)
        assert it.app.fetch(9000).status == 200
        yield it


def refused(machine, reason):
    """How often, whoever it was."""
    text = machine.fetch(15020, "/stats/prometheus").body.decode()
    return sum(float(line.split()[-1]) for line in text.splitlines()
               if line.startswith("meshd_refusals_total{") and
               f'reason="{reason}"' in line)


class Reader(threading.Thread):
    """Takes what comes, and throws it away."""

    def __init__(self, conn):
        super().__init__(daemon=True)
        self.conn = conn

    def run(self):
        with contextlib.suppress(OSError, ValueError):
            while self.conn.recv(1 << 16):
                pass


def ending(machine, reason):
    """Tells when a flood is over. Sanitizers are too slow to count as much in
    that time: then it goes on until they have. Who asks for that stands beside
    the flood: their answer is slow, too, and a pause is a flood no more."""
    before, until = refused(machine, reason), time.monotonic() + SECONDS
    if not SANITIZED:
        return lambda: time.monotonic() > until
    over = threading.Event()

    def look():
        try:
            while time.monotonic() < until or (
                    time.monotonic() < until + DEADLINE / 2 and
                    refused(machine, reason) == before):
                time.sleep(0.1)
        finally:
            over.set()
    threading.Thread(target=look, daemon=True).start()
    return over.is_set


def flood_once(conn, frames, is_over):
    """Until its connection is ended, or the time is over."""
    with contextlib.suppress(OSError):
        for burst in frames:
            conn.sendall(burst)
            if is_over():
                return
        Reader(conn).run()


class Others:
    """Another client, that asks and asks; all of its answers are 200."""

    def __init__(self, app):
        self.app = app
        self.statuses = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.ask)

    def ask(self):
        while not self.over.is_set():
            try:
                self.statuses.append(self.app.fetch(9000).status)
            except OSError as why:
                self.statuses.append(repr(why))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


@contextlib.contextmanager
def stands(mesh, agent, machine, reason):
    """What has to be so of each flood."""
    before = refused(machine, reason)
    mesh.app.fetch(9000)
    had = agent.rss_kib()
    with Others(mesh.app) as others:
        yield
    assert set(others.statuses) == {200}
    wait_for(lambda: refused(machine, reason) > before, f"{reason} counted")
    grown = 1024 * (agent.rss_kib() - had)
    assert grown < GROWTH, f"{grown >> 10} KiB more"


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_a_program(mesh, name):
    make, reason = FLOODS[name]
    is_over = ending(mesh.app, reason)
    with stands(mesh, mesh.near, mesh.app, reason):
        while not is_over():
            with contextlib.closing(
                    mesh.app.connect(mesh.app.loopback, 9000)) as conn:
                Reader(conn).start()
                conn.sendall(PREFACE)
                flood_once(conn, make(
                    POST if "DATA" in name else GET), is_over)


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_a_node(mesh, name):
    """Through the other's own door, 15008, as one that has a certificate."""
    make, reason = FLOODS[name]
    context = mesh_context(mesh.near.cli.state, mesh.cli)
    target = mesh.machine(2)
    is_over = ending(target, reason)
    with stands(mesh, mesh.far, target, reason):
        while not is_over():
            with contextlib.closing(context.wrap_socket(
                    mesh.app.connect(target.ip, 15008))) as conn:
                conn.sendall(PREFACE)
                flood_once(conn, make(connect(
                    mesh.net.join(target.ip, 80) if "DATA" in name
                    else NOWHERE)), is_over)


def test_windows_that_never_open(mesh):
    """A hundred answers of a megabyte for a client that takes none of them."""
    mesh.app.fetch(9001)
    had = mesh.near.rss_kib()
    with contextlib.closing(mesh.app.connect(mesh.app.loopback, 9001)) as conn:
        conn.sendall(PREFACE[:24] + frame(
            SETTINGS, 0, 0, b"\0\4" + number(0)))
        for stream in range(1, 200, 2):
            conn.sendall(whole(stream, GET_LARGE))
        with Others(mesh.app) as others:
            time.sleep(SECONDS)
        assert set(others.statuses) == {200}
        grown = 1024 * (mesh.near.rss_kib() - had)
        assert grown < KEPT + 100 * HELD, f"{grown >> 10} KiB more"
    with Others(mesh.app) as others:
        time.sleep(0.2)
    assert set(others.statuses) == {200}


@pytest.mark.parametrize("first", [
    b"", b"GET / HTTP/1.1\r\nHost: w", PREFACE,
    PREFACE + frame(HEADERS, 0, 1, GET)],
    ids=["nothing", "half a head", "a preface", "half a head of HTTP/2"])
def test_many_clients_that_say_little(mesh, first):
    """Two thousand of them cost little each, and nobody waits for them."""
    had = mesh.near.rss_kib()
    with contextlib.ExitStack() as stack:
        conns = mesh.app.inside(lambda: [
            socket.create_connection((mesh.app.loopback, 9000))
            for _ in range(CROWD)])
        for conn in conns:
            stack.enter_context(contextlib.closing(conn))
            conn.sendall(first)
        with Others(mesh.app) as others:
            time.sleep(SECONDS / 2)
        assert set(others.statuses) == {200}
        grown = 1024 * (mesh.near.rss_kib() - had)
        assert grown < KEPT + CROWD * IDLE, f"{grown // CROWD} bytes each"
