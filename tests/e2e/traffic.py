# SPDX-License-Identifier: Apache-2.0
"""traffic — programs that call all the time, by every protocol.

A link is a connection that stays: `turn` sends something over it and checks
every byte of what comes back, `close` ends it as its protocol does; `sent` is
how many requests, or connections of bytes, that were. A Caller takes turns
until it is told to stop; of a failure it has the words, and begins again.
"""

import base64
import contextlib
import functools
import hashlib
import http.client
import json
import socket
import socketserver
import struct
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from hbone import Tunnel
from mesh import DEADLINE, Echo, Service, Web


# --- services ---


class SwitchHandler(socketserver.BaseRequestHandler):
    """A WebSocket's opening by RFC 6455, then everything back."""

    def handle(self):
        reader = self.request.makefile("rb")
        fields = {}
        assert reader.readline().startswith(b"GET /chat HTTP/1.1")
        for line in iter(reader.readline, b"\r\n"):
            name, value = line.decode().split(":", 1)
            fields[name.lower()] = value.strip()
        proof = base64.b64encode(hashlib.sha1((
            fields["sec-websocket-key"] +
            "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        if self.server.lies:
            proof = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        self.request.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + proof +
            b"\r\n\r\nfirst ")
        while data := reader.read1(65536):
            self.request.sendall(data)


class Switch(Service):
    """Its server lies when told to."""

    def __init__(self, machine, port):
        super().__init__(machine, port, SwitchHandler)
        self.server.lies = False


class TalkHandler(socketserver.BaseRequestHandler):
    """gRPC's server: what comes goes back, then status 0."""

    def handle(self):
        conn = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8"))
        conn.initiate_connection()
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request.sendall(conn.data_to_send())
        with contextlib.suppress(ConnectionError):
            while data := self.request.recv(65536):
                for event in conn.receive_data(data):
                    self.on_event(conn, event)
                self.request.sendall(conn.data_to_send())

    @staticmethod
    def on_event(conn, event):
        if isinstance(event, h2.events.RequestReceived):
            conn.send_headers(event.stream_id, [
                (":status", "200"), ("content-type", "application/grpc")])
        elif isinstance(event, h2.events.DataReceived):
            conn.acknowledge_received_data(
                event.flow_controlled_length, event.stream_id)
            conn.send_data(event.stream_id, event.data)
        elif isinstance(event, h2.events.StreamEnded):
            conn.send_headers(
                event.stream_id, [("grpc-status", "0")], end_stream=True)


class Talk(Service):
    """gRPC over HTTP/2, in the clear."""

    def __init__(self, machine, port):
        super().__init__(machine, port, TalkHandler)


# --- links ---


def connected(machine, port):
    """To its loopback; a turn is several writes, and none of them waits."""
    conn = machine.connect(machine.loopback, port)
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return conn


class Bytes:
    """TCP to an echo."""

    def __init__(self, machine, port):
        self.turns = 0
        self.sent = 1
        self.conn = connected(machine, port)

    def turn(self):
        self.turns += 1
        sent = b"%d " % self.turns * 20
        self.conn.sendall(sent)
        got = self.conn.recv(len(sent), socket.MSG_WAITALL)
        assert got == sent, got

    def close(self):
        """The end comes back as everything does."""
        self.conn.shutdown(socket.SHUT_WR)
        got = self.conn.recv(1)
        self.conn.close()
        assert got == b"", got


class Chat(Bytes):
    """A WebSocket by HTTP/1.1."""

    def __init__(self, machine, port):
        super().__init__(machine, port)
        self.conn.sendall(
            b"GET /chat HTTP/1.1\r\nHost: switch\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        got = b""
        while not got.endswith(b"\r\n\r\nfirst "):
            more = self.conn.recv(1)
            assert more, got
            got += more
        assert got.startswith(b"HTTP/1.1 101 "), got


class Requests:
    """HTTP/1.1, one request after another."""

    def __init__(self, machine, port, host="web"):
        self.sent = 0
        self.host = host
        self.http = http.client.HTTPConnection(machine.loopback, port)
        self.http.auto_open = False  # the one connection stays
        self.http.sock = connected(machine, port)

    def turn(self):
        self.sent += 1
        body = b"%d" % self.sent * 50
        self.http.request("POST", f"/{self.sent}", body,
                          {"host": self.host})
        answer = self.http.getresponse()
        told = answer.read()
        assert answer.status == 200, (answer.status, told)
        assert json.loads(told)["body"].encode() == body, told

    def close(self):
        self.http.close()


class Streams:
    """HTTP/2, a few requests at once."""

    AT_ONCE = 3

    def __init__(self, machine, port, host="web"):
        self.sent = 0
        self.host = host
        self.tunnel = Tunnel(connected(machine, port))

    def begin(self, path, *more, method="POST"):
        self.sent += 1
        h2_conn = self.tunnel.h2
        stream = h2_conn.get_next_available_stream_id()
        h2_conn.send_headers(stream, [
            (":method", method), (":scheme", "http"),
            (":authority", self.host), (":path", path), *more])
        return stream

    def turn(self):
        body = b"%04d" % (self.sent % 10000) * 50
        streams = [self.begin("/", ("content-length", f"{len(body)}"))
                   for _ in range(self.AT_ONCE)]
        for stream in streams:
            self.tunnel.send(stream, body, end=True)
        for stream in streams:
            told = self.tunnel.receive(stream, 1 << 20)
            assert stream not in self.tunnel.reset, (stream, told)
            assert json.loads(told)["body"].encode() == body, told

    def close(self):
        self.tunnel.tls.close()


class Calls(Streams):
    """gRPC: a stream that stays, of a service that says everything again."""

    def __init__(self, machine, port, host="talk"):
        super().__init__(machine, port, host)
        self.turns = 0
        self.stream = self.begin(
            "/test.Talk/Echo", ("content-type", "application/grpc"),
            ("te", "trailers"))

    def turn(self):
        self.turns += 1
        message = b"%d" % self.turns * 30
        sent = struct.pack(">BI", 0, len(message)) + message
        self.tunnel.send(self.stream, sent)
        got = self.tunnel.receive(self.stream, len(sent))
        assert got == sent, (got, self.tunnel.trailers)

    def close(self):
        self.tunnel.send(self.stream, b"", end=True)
        got = self.tunnel.receive(self.stream, 1)
        told = self.tunnel.trailers.get(self.stream, {})
        super().close()
        assert got == b"" and told.get("grpc-status") == "0", (got, told)


class Anew:
    """A link for each turn."""

    def __init__(self, make):
        self.make = make
        self.sent = 0

    def turn(self):
        link = self.make()
        try:
            link.turn()
            link.close()
        finally:
            self.sent += link.sent

    def close(self):
        """Nothing is open."""


# --- who takes the turns ---


class Caller(threading.Thread):
    """One link after another, but only a failure ends one."""

    FAILURES = (OSError, AssertionError, ValueError,
                http.client.HTTPException, h2.exceptions.H2Error)

    def __init__(self, name, make, pause):
        super().__init__(name=name, daemon=True)
        self.make, self.pause = make, pause
        self.turns = self.sent = 0
        self.failures = []
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.is_set():
            try:
                self.use(self.make())
            except self.FAILURES as why:
                self.failures.append(
                    f"{self.name}, turn {self.turns + 1}: {why!r}")

    def use(self, link):
        try:
            while not self.is_over.wait(self.pause):
                link.turn()
                self.turns += 1
            link.close()
        finally:
            self.sent += link.sent


class Crowd:
    """Callers beside each other; (name, what makes a link) is one."""

    def __init__(self, makers, pause):
        self.callers = [Caller(name, make, pause) for name, make in makers]

    def __enter__(self):
        for caller in self.callers:
            caller.start()
        return self

    def __exit__(self, *_):
        for caller in self.callers:
            caller.is_over.set()
        for caller in self.callers:
            caller.join(DEADLINE)

    @property
    def failures(self):
        return [f for c in self.callers for f in c.failures]

    @property
    def turns(self):
        return {c.name: c.turns for c in self.callers}


# --- a mesh for all of it ---

# The port, its protocol, where the caller finds it, and whose program it is.
OFFERS = {
    "web": (80, "http", 9000, Web),
    "switch": (81, "http", 9001, Switch),
    "talk": (82, "grpc", 9002, Talk),
    "echo": (7, "tcp", 9003, Echo),
}
# What speaks each protocol, with whom.
LINKS = {"HTTP/1.1": (Requests, "web"), "HTTP/2": (Streams, "web"),
         "gRPC": (Calls, "talk"), "WebSocket": (Chat, "switch"),
         "TCP": (Bytes, "echo")}


def offer(mesh, agent, version, *names):
    """The programs on the agent's machine, exposed."""
    for name in names:
        port, protocol, _, kind = OFFERS[name]
        service = kind(agent.machine, 8000 + port,
                       *([version] if kind is Web else []))
        mesh.services.append(service)
        agent.expose(name, f"{port}:{service.target}", "--protocol",
                     protocol, "--label", f"version={version}")


def upstreams(machine):
    """Options of the agent that calls them all."""
    return [word for name, (_, _, at, _) in OFFERS.items()
            for word in ("--upstream", f"{name}={machine.at(at)}")]


def makers(machine):
    """Of each protocol one that stays, and one that begins all the time."""
    for name, (link, host) in LINKS.items():
        make = functools.partial(link, machine, OFFERS[host][2])
        yield name, make
        yield f"{name}, anew", functools.partial(Anew, make)
