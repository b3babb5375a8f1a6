# SPDX-License-Identifier: Apache-2.0
"""http2 — clients of HTTP/2, and what HTTP/1.1 and HTTP/2 have not in common."""

import contextlib
import json

import pytest

from hbone import Tunnel, frame, literal
from mesh import DEADLINE, Mesh, families, wait_for
from traffic import Switch

DATA, HEADERS, RST_STREAM, SETTINGS = 0, 1, 3, 4
END_STREAM, END_HEADERS = 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.fixture(scope="module", params=families("http2"))
def mesh(request, tmp_path_factory):
    """web (HTTP/1.1), switch (a WebSocket), gone (HTTP/2, nobody there)."""
    folder = tmp_path_factory.mktemp("http2")
    with Mesh(folder, request.param, machines=3) as it:
        vm2 = it.member(2)
        it.app = it.machine(3)
        it.caller = it.member(
            3, "--upstream", f"web={it.app.at(9000)}",
            "--upstream", f"switch={it.app.at(9001)}",
            "--upstream", f"gone={it.app.at(9002)}")
        web = it.web(2, 8080, "web")
        it.switch = Switch(it.machine(2), 8081)
        it.services.append(it.switch)
        vm2.expose("web", f"80:{web.target}", "--protocol", "http")
        vm2.expose("switch", f"81:{it.switch.target}", "--protocol", "http")
        vm2.expose("gone", f"82:{it.machine(2).at(8089)}", "--protocol",
                   "grpc")
        for name in ("web", "switch", "gone"):
            it.caller.sees(name, 1)
        yield it


@contextlib.contextmanager
def session(mesh, port):
    conn = mesh.app.connect(mesh.app.loopback, port)
    with contextlib.closing(conn), Tunnel(conn) as client:
        yield client


def plain(path="/", *more, method="GET", authority="web"):
    return [(":method", method), (":scheme", "http"),
            (":authority", authority), (":path", path), *more]


def test_a_client_of_http2_calls_a_service_of_http1(mesh):
    with session(mesh, 9000) as client:
        for number in range(3):
            status, stream = client.request(plain(f"/{number}"), end=True)
            told = json.loads(client.receive(stream, 1 << 20))
            assert (status, told["path"]) == (200, f"/{number}")
            assert told["headers"]["host"] == "web"
            assert "x-request-id" in told["headers"]


def test_many_streams_get_their_own_answers(mesh):
    with session(mesh, 9000) as client:
        streams = {}
        for number in range(50):
            stream = client.h2.get_next_available_stream_id()
            client.h2.send_headers(stream, plain(
                "/", ("content-length", "2"), method="POST"))
            client.h2.send_data(stream, b"%02d" % number, end_stream=True)
            streams[stream] = f"{number:02}"
        client.flush()
        while not set(streams) <= client.ended:
            client.step()
        bodies = {stream: json.loads(client.data[stream])["body"]
                  for stream in streams}
        assert bodies == streams


# --- what would be two requests, or another one, over HTTP/1.1 ---

TRICKS = {
    "a space in the path": {":path": b"/a b"},
    "a tab in the path": {":path": b"/a\tb"},
    "a line end in the path": {":path": b"/a\r\nx: y"},
    "a zero in the path": {":path": b"/a\0"},
    "no path": {":path": b""},
    "a line in the method": {":method": b"GET /x HTTP/1.1\r\n"},
    "a space in the method": {":method": b"GET x"},
    "a line end in the authority": {":authority": b"web\r\nx: y"},
    "a space in the authority": {":authority": b"we b"},
    "a line end in a value": {"x-a": b"b\r\nc: d"},
    "a zero in a value": {"x-a": b"b\0"},
    "a colon in a name": {"x:a": b"b"},
    "a space in a name": {"x a": b"b"},
    "an upper-case name": {"X-A": b"b"},
    "a field of the connection": {"connection": b"close"},
    "a transfer coding": {"transfer-encoding": b"chunked"},
    "two lengths": {"content-length": b"1, 2"},
}


@pytest.mark.parametrize("trick", TRICKS)
def test_nothing_slips_into_http1(mesh, trick):
    """RFC 9113 8.2, 8.3, 10.3; written by hand, so that nobody corrects it."""
    fields = {":method": b"GET", ":scheme": b"http", ":authority": b"web",
              ":path": b"/trick", **TRICKS[trick]}
    block = b"".join(literal(name.encode(), value)
                     for name, value in fields.items())
    with contextlib.closing(
            mesh.app.connect(mesh.app.loopback, 9000)) as conn:
        conn.settimeout(DEADLINE)
        reader = conn.makefile("rb")
        conn.sendall(PREFACE + frame(SETTINGS, 0, 0) +
                     frame(HEADERS, END_STREAM | END_HEADERS, 1, block))
        while True:
            head = reader.read(9)
            payload = reader.read(int.from_bytes(head[:3], "big"))
            if head[3] in (HEADERS, RST_STREAM):
                break
        assert head[3] == RST_STREAM, payload
    with session(mesh, 9000) as client:
        assert client.request(plain("/after"), end=True)[0] == 200


# --- WebSockets, RFC 6455 and RFC 8441 ---


def test_a_websocket_of_http2_becomes_one_of_http1(mesh):
    with session(mesh, 9001) as client:
        status, stream = client.request(
            [(":method", "CONNECT"), (":protocol", "websocket"),
             *plain("/chat", ("sec-websocket-version", "13"),
                    authority="switch")[1:]])
        assert status == 200
        assert b"sec-websocket-accept" not in {
            name for name, _ in client.headers.items()}
        sent = b"x" * 1000000
        client.send(stream, sent, end=True)
        assert client.receive(stream, len(sent) + 6) == b"first " + sent
        while stream not in client.ended:
            client.step()


def test_a_proof_that_is_none_is_no_websocket(mesh):
    mesh.switch.server.lies = True
    try:
        with session(mesh, 9001) as client:
            status, stream = client.request(
                [(":method", "CONNECT"), (":protocol", "websocket"),
                 *plain("/chat", authority="switch")[1:]])
            assert status == 502
            assert b"WebSocket's key" in client.receive(stream, 1 << 20)
    finally:
        mesh.switch.server.lies = False


# --- gRPC ---


def test_a_refusal_is_one_that_grpc_reads(mesh):
    with session(mesh, 9002) as client:
        status, stream = client.request(
            plain("/pkg.Service/Method", ("content-type", "application/grpc"),
                  ("te", "trailers"), method="POST", authority="gone"),
            end=True)
        told = client.headers
        assert (status, told["grpc-status"]) == (200, "14")
        assert "refused" in told["grpc-message"]
        assert client.receive(stream, 1) == b""


def test_the_status_of_grpc_is_counted(mesh):
    def counted():
        text = mesh.app.fetch(15020, "/stats/prometheus").body.decode()
        return [line for line in text.splitlines()
                if line.startswith("istio_requests_total{") and
                'request_protocol="grpc"' in line and
                'grpc_response_status="14",response_code="200"' in line]
    test_a_refusal_is_one_that_grpc_reads(mesh)
    wait_for(counted, "a counter of refused calls")
