# SPDX-License-Identifier: Apache-2.0
"""A client of tunnels that writes its frames by hand, as ztunnel would.

RFC 9113 (frames), RFC 9113 8.5 (CONNECT), RFC 7541 (header blocks).
"""

import struct

import pytest

from hbone import frame, literal, mesh_context

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = \
    0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Peer:
    """Bytes out as they are; frames in, one at a time."""

    def __init__(self, mesh):
        context = mesh_context(mesh.vm3.cli.state, mesh.cli)
        conn = mesh.app.connect(mesh.service.ip, 15008)
        self.tls = context.wrap_socket(conn)
        self.reader = self.tls.makefile("rb")
        self.settings = {}

    def __enter__(self):
        self.tls.sendall(PREFACE + frame(SETTINGS, 0, 0))
        kind, flags, stream, payload = self.read()
        assert (kind, flags, stream) == (SETTINGS, 0, 0)
        for at in range(0, len(payload), 6):
            key, value = struct.unpack_from(">HI", payload, at)
            self.settings[key] = value
        self.tls.sendall(frame(SETTINGS, ACK, 0))
        return self

    def __exit__(self, *_):
        self.reader.close()
        self.tls.close()

    def send(self, *frames):
        self.tls.sendall(b"".join(frames))

    def read(self):
        head = self.reader.read(9)
        assert len(head) == 9, "the peer closed the connection"
        length = int.from_bytes(head[:3], "big")
        stream = int.from_bytes(head[5:], "big")
        return head[3], head[4], stream, self.reader.read(length)

    def next(self, *kinds):
        """The next frame of these kinds; the others are only read."""
        while True:
            got = self.read()
            if got[0] in kinds:
                return got

    def data(self, stream, count):
        """So many bytes of DATA."""
        out = b""
        while len(out) < count:
            kind, _, where, payload = self.next(DATA, RST_STREAM)
            assert (kind, where) == (DATA, stream)
            out += payload
        return out


def connect(stream, authority, *more):
    """The HEADERS of b.1: :method and :authority, no :scheme, no :path."""
    block = b"\x02\x07CONNECT" + b"\x01" + bytes([len(authority)]) + \
        authority + b"".join(more)
    return frame(HEADERS, END_HEADERS, stream, block)


@pytest.fixture
def peer(mesh):
    with Peer(mesh) as it:
        yield it


@pytest.fixture
def echo(mesh):
    """The authority of the echo service."""
    return mesh.net.join(mesh.service.ip, 7).encode()


def test_settings_are_those_of_a_tunnel_server(peer):
    assert peer.settings[3] >= 100, "MAX_CONCURRENT_STREAMS"
    assert peer.settings.get(4, 65535) >= 256 << 10, "INITIAL_WINDOW_SIZE"
    assert 16384 <= peer.settings.get(5, 16384) <= 1 << 20, "MAX_FRAME_SIZE"
    assert 0 < peer.settings.get(6, 0) <= 64 << 10, "MAX_HEADER_LIST_SIZE"


def test_connect_is_answered_with_200_then_bytes_flow(peer, echo):
    peer.send(connect(1, echo))
    kind, flags, stream, block = peer.next(HEADERS, RST_STREAM, GOAWAY)
    assert (kind, stream) == (HEADERS, 1)
    assert flags & END_HEADERS and not flags & END_STREAM
    assert block[:1] == b"\x88", "an indexed :status 200"
    peer.send(frame(DATA, 0, 1, b"hello"))
    assert peer.data(1, 5) == b"hello"


def test_half_close_is_end_stream_both_ways(peer, echo):
    peer.send(connect(1, echo))
    peer.next(HEADERS)
    peer.send(frame(DATA, END_STREAM, 1, b"last"))
    seen, flags = b"", 0
    while not flags & END_STREAM:
        _, flags, stream, payload = peer.next(DATA)
        assert stream == 1
        seen += payload
    assert seen == b"last"


def test_bytes_sent_before_the_200_are_not_lost(peer, echo):
    peer.send(connect(1, echo), frame(DATA, 0, 1, b"early"))
    peer.next(HEADERS)
    assert peer.data(1, 5) == b"early"


def test_what_ztunnel_adds_is_accepted(peer, echo):
    peer.send(connect(
        1, echo,
        literal(b"baggage", b"k8s.cluster.name=c,k8s.namespace.name=n"),
        literal(b"forwarded", b'for="1.2.3.4:55555";host=web.default'),
        literal(b"traceparent", b"00-" + b"1" * 32 + b"-" + b"2" * 16 +
                b"-01")))
    assert peer.next(HEADERS)[3][:1] == b"\x88"


def test_many_streams_share_one_connection(peer, echo):
    streams = range(1, 101, 2)
    peer.send(*(connect(n, echo) for n in streams))
    opened = {peer.next(HEADERS)[2] for _ in streams}
    assert opened == set(streams)
    for number in streams:
        peer.send(frame(DATA, 0, number, b"%05d" % number))
    seen = {}
    while len(seen) < len(streams):
        _, _, stream, payload = peer.next(DATA)
        seen[stream] = payload
    assert seen == {n: b"%05d" % n for n in streams}


def test_an_abort_ends_only_its_stream(peer, echo):
    peer.send(connect(1, echo), connect(3, echo))
    peer.next(HEADERS)
    peer.next(HEADERS)
    peer.send(frame(RST_STREAM, 0, 1, struct.pack(">I", 8)))
    peer.send(frame(DATA, 0, 3, b"alive"))
    assert peer.data(3, 5) == b"alive"


def test_credit_comes_back_only_when_bytes_were_taken(peer, echo):
    """Our own window stays small: the echo may not send beyond it."""
    peer.send(connect(1, echo))
    peer.next(HEADERS)
    for _ in range(8):
        peer.send(frame(DATA, 0, 1, b"z" * 16384))
    got = peer.data(1, 65535)
    assert len(got) == 65535
    peer.send(frame(PING, 0, 0, b"12345678"))
    kind, flags, _, payload = peer.next(PING, DATA)
    assert (kind, flags, payload) == (PING, ACK, b"12345678")
    peer.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 65537)),
              frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 65537)))
    assert len(peer.data(1, 65537)) == 65537


@pytest.mark.parametrize("authority, status", [
    (b"", b"400"), (b"no-port", b"400"), (b"[::1", b"400")])
def test_a_wrong_authority_is_400(peer, authority, status):
    peer.send(connect(1, authority))
    kind, _, stream, block = peer.next(HEADERS, RST_STREAM, GOAWAY)
    if authority:
        assert (kind, stream) == (HEADERS, 1)
        assert block[:1] == b"\x8c" or status in block
    else:
        assert kind in (HEADERS, RST_STREAM)


def test_garbage_ends_the_connection_with_goaway(peer):
    peer.send(frame(DATA, 0, 99, b"no such stream"))
    kind = peer.next(GOAWAY, RST_STREAM)[0]
    assert kind == GOAWAY
