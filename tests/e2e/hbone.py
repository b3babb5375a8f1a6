# SPDX-License-Identifier: Apache-2.0
"""hbone — a client of tunnels: TLS of Python, frames by our own hand.

Nothing here knows meshd: it is what RFC 9113 and HBONE say. HEADERS are
written as literals without indexing (RFC 7541 6.2.2), so that the bytes in
the tests are what goes over the wire.
"""

import contextlib
import json
import ssl
import struct
import subprocess

import h2.config
import h2.connection
import h2.events

from mesh import DEADLINE


def mesh_context(state, server_cli):
    """TLS 1.3 with the mesh's root and, if asked, a node's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.load_verify_locations(
        cadata=server_cli.json("ca", "show")["rootPem"])
    context.set_alpn_protocols(["h2"])
    if state is not None:
        context.load_cert_chain(state / "node.pem", state / "node.key")
    return context


def identity_of(tls):
    """The one URI in the peer's certificate."""
    names = [value for kind, value in
             tls.getpeercert()["subjectAltName"] if kind == "URI"]
    assert len(names) == 1, names
    return names[0]


class Tunnel:
    """One HTTP/2 connection, blocking, as many streams as wanted; without a
    context in the clear."""

    def __init__(self, conn, context=None):
        conn.settimeout(DEADLINE)
        self.tls = conn if context is None else context.wrap_socket(conn)
        assert context is None or self.tls.selected_alpn_protocol() == "h2"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8",
            validate_outbound_headers=False))
        self.h2.initiate_connection()
        self.headers = {}
        self.trailers = {}
        self.data = {}
        self.ended = set()
        self.reset = set()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.tls.close()

    def flush(self):
        self.tls.sendall(self.h2.data_to_send())

    def step(self):
        """One read; ConnectionError when the peer has ended it."""
        data = self.tls.recv(65536)
        if not data:
            raise ConnectionResetError("the peer closed the connection")
        for event in self.h2.receive_data(data):
            stream = getattr(event, "stream_id", 0)
            if isinstance(event, h2.events.ResponseReceived):
                self.headers = dict(event.headers)
                self.headers["stream"] = stream
            elif isinstance(event, h2.events.DataReceived):
                self.data[stream] = self.data.get(stream, b"") + event.data
                self.h2.acknowledge_received_data(
                    event.flow_controlled_length, stream)
            elif isinstance(event, h2.events.TrailersReceived):
                self.trailers[stream] = dict(event.headers)
            elif isinstance(event, (h2.events.StreamEnded,
                                    h2.events.StreamReset)):
                self.ended.add(stream)
                if isinstance(event, h2.events.StreamReset):
                    self.reset.add(stream)
            elif isinstance(event, h2.events.ConnectionTerminated):
                raise ConnectionResetError("GOAWAY")
        self.flush()

    def request(self, headers, end=False):
        """Sends HEADERS; returns the status and the stream."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, headers, end_stream=end)
        self.flush()
        while self.headers.get("stream") != stream:
            self.step()
        return int(self.headers[":status"]), stream

    def connect(self, authority, **more):
        return self.request([(":method", "CONNECT"),
                             (":authority", authority), *more.items()])

    def ask(self, method, path, end=False):
        return self.request([
            (":method", method), (":scheme", "https"),
            (":authority", "x:1"), (":path", path)], end)[0]

    def post(self, path, body):
        """The status, and the answer's JSON."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [
            (":method", "POST"), (":scheme", "https"), (":path", path),
            (":authority", "server"), ("content-type", "application/json")])
        self.send(stream, body, end=True)
        while stream not in self.ended:
            self.step()
        return int(self.headers[":status"]), json.loads(self.data[stream])

    def send(self, stream, data, end=False):
        while data:
            room = min(len(data), self.h2.max_outbound_frame_size,
                       self.h2.local_flow_control_window(stream))
            if room == 0:
                self.step()
                continue
            self.h2.send_data(stream, data[:room])
            data = data[room:]
            self.flush()
        if end:
            self.h2.end_stream(stream)
            self.flush()

    def receive(self, stream, count):
        """So many bytes, or fewer if the stream ended before."""
        while len(self.data.get(stream, b"")) < count and \
                stream not in self.ended:
            self.step()
        have = self.data.get(stream, b"")
        self.data[stream] = have[count:]
        return have[:count]


# --- frames by hand ---


def frame(kind, flags, stream, payload=b""):
    """RFC 9113 4.1."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + \
        struct.pack(">I", stream) + payload


def literal(name, value):
    """RFC 7541 6.2.2, a new name, no Huffman; both shorter than 127."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


class OpenSSL:
    """s_client on a machine, with a node's certificate; frames by hand."""

    def __init__(self, machine, target, state, *words):
        self.said = b""
        # pylint: disable-next=consider-using-with
        self.tool = subprocess.Popen(
            [*machine.enter, "timeout", str(int(DEADLINE)), "openssl", "s_client",
             "-alpn", "h2", "-connect", target, "-cert", state / "node.pem",
             "-key", state / "node.key", "-cert_chain", state / "node.pem",
             *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, bufsize=0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tool.stdin.close()
        self.tool.stdout.close()
        self.tool.wait(DEADLINE)

    def hears(self, answer):
        """Reads up to it; an assertion with all that came if it does not."""
        while answer not in self.said:
            more = self.tool.stdout.read(65536)
            assert more, self.said
            self.said += more

    def tell(self, words, answer):
        """Only what is said from now on counts."""
        self.said = b""
        self.tool.stdin.write(words)
        self.hears(answer)

    def begin(self):
        """Preface and SETTINGS; those of the other end are acknowledged."""
        self.tool.stdin.write(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0))
        self.hears(frame(4, 1, 0))
