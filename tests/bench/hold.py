# SPDX-License-Identifier: Apache-2.0
"""hold — client connections that asked once and then stay idle."""

import contextlib
import selectors
import socket
import ssl
import threading

REQUEST = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
BODY = 100
SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
SETTINGS_ACK = bytes([0, 0, 0, 4, 1, 0, 0, 0, 0])
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# GET / of http://web, by HPACK's static table; it ends head and stream.
HEADERS = b"\x82\x86\x84\x41\x03web"
HEADERS = bytes([0, 0, len(HEADERS), 1, 5, 0, 0, 0, 1]) + HEADERS
END_STREAM = 1
# To the key that RFC 6455 1.3 has, which is the one that is asked with.
SWITCHED = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: "
            b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


def ask(where):
    connection = socket.create_connection(where, timeout=20)
    connection.sendall(REQUEST)
    got = b""
    while len(got.partition(b"\r\n\r\n")[2]) < BODY:
        more = connection.recv(4096)
        if not more:
            raise RuntimeError(f"closed: {got!r}")
        got += more
    return connection


def ask_websocket(where):
    """A WebSocket that has been opened, and says no more."""
    connection = socket.create_connection(where, timeout=20)
    connection.sendall(
        b"GET / HTTP/1.1\r\nHost: web\r\nUpgrade: websocket\r\nConnection: "
        b"Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
        b"dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(4096)
        if not more:
            raise RuntimeError(f"closed: {got!r}")
        got += more
    if not got.startswith(b"HTTP/1.1 101 "):
        raise RuntimeError(f"no WebSocket: {got!r}")
    return connection


def read_some(connection):
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


def switch_all(listener, is_over):
    """Whatever comes of a connection is a request, and its only one."""
    with selectors.DefaultSelector() as ready:
        ready.register(listener, selectors.EVENT_READ)
        while not is_over.is_set():
            for key, _ in ready.select(0.1):
                if key.fileobj is listener:
                    ready.register(listener.accept()[0], selectors.EVENT_READ)
                elif read_some(key.fileobj):
                    key.fileobj.sendall(SWITCHED)
                else:
                    ready.unregister(key.fileobj)
                    key.fileobj.close()


@contextlib.contextmanager
def websockets(where):
    """A service that takes them, each for good."""
    is_over = threading.Event()
    with socket.create_server(where, backlog=4096) as listener:
        thread = threading.Thread(target=switch_all, args=(listener, is_over))
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


def read_all(connection, count):
    got = b""
    while len(got) < count:
        more = connection.recv(count - len(got))
        if not more:
            raise RuntimeError("closed")
        got += more
    return got


def ask_h2(where):
    """The same by HTTP/2, in the clear."""
    connection = socket.create_connection(where, timeout=20)
    connection.sendall(PREFACE + SETTINGS + SETTINGS_ACK + HEADERS)
    while True:
        head = read_all(connection, 9)
        read_all(connection, int.from_bytes(head[:3], "big"))
        if head[3] in (0, 1) and head[4] & END_STREAM:
            return connection


def context_of(state):
    """TLS with the certificate of the node whose folder that is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # we know whom we call
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(f"{state}/node.pem", f"{state}/node.key")
    return context


def open_tunnel(where, context):
    """Until both ends have said their SETTINGS."""
    connection = context.wrap_socket(
        socket.create_connection(where, timeout=20))
    connection.sendall(PREFACE + SETTINGS)
    got = b""
    while SETTINGS_ACK not in got:
        more = connection.recv(4096)
        if not more:
            raise RuntimeError(f"closed: {got!r}")
        got += more
    return connection


@contextlib.contextmanager
def hold(where, count, open_one=ask):
    connections = []
    try:
        for _ in range(count):
            connections.append(open_one(where))
        yield
    finally:
        for connection in connections:
            connection.close()
