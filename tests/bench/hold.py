# SPDX-License-Identifier: Apache-2.0
"""hold — client connections that asked once and then stay idle."""

import contextlib
import socket

REQUEST = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
BODY = 100


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


@contextlib.contextmanager
def hold(where, count):
    connections = []
    try:
        for _ in range(count):
            connections.append(ask(where))
        yield
    finally:
        for connection in connections:
            connection.close()
