# SPDX-License-Identifier: Apache-2.0
"""hold — client connections that asked once and then stay idle."""

import contextlib
import socket
import ssl

REQUEST = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
BODY = 100
SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
SETTINGS_ACK = bytes([0, 0, 0, 4, 1, 0, 0, 0, 0])
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


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
