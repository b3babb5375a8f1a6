#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""bodies — large ones over HTTP/1.1: who takes and gives them, who asks.

    bodies.py serve HOST PORT
    bodies.py up|down HOST PORT BYTES     prints how many seconds it took
"""

import socket
import sys
import threading
import time

PIECE = 1 << 20


def send(conn, count):
    piece = memoryview(bytes(PIECE))
    while count > 0:
        conn.sendall(piece[:count])
        count -= len(piece)


def take(conn, count):
    piece = memoryview(bytearray(PIECE))
    while count > 0:
        got = conn.recv_into(piece[:count])
        if got == 0:
            raise ConnectionError(f"{count} bytes are missing")
        count -= got


def head(conn):
    """The first line, the length that is announced, and early bytes."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = conn.recv(65536)
        if not more:
            return None
        got += more
    first, *lines = got.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in
              (line.partition(":") for line in lines)}
    return (first, int(fields.get("content-length", "0")),
            len(got.partition(b"\r\n\r\n")[2]))


def answer(conn):
    """GET /N has so many bytes; of anything else the body is thrown away."""
    with conn:
        while asked := head(conn):
            first, length, early = asked
            take(conn, length - early)
            method, path, _ = first.split()
            size = int(path[1:] or "0") if method == "GET" else 0
            conn.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" %
                         size)
            send(conn, size)


def serve(host, port):
    with socket.create_server((host, port)) as listener:
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],),
                             daemon=True).start()


def call(way, host, port, size):
    method, path, length = ("PUT", "/", size) if way == "up" else (
        "GET", f"/{size}", 0)
    with socket.create_connection((host, port)) as conn:
        begin = time.monotonic()
        conn.sendall(f"{method} {path} HTTP/1.1\r\nHost: web\r\n"
                     f"Content-Length: {length}\r\n\r\n".encode())
        send(conn, length)
        first, length, early = head(conn)
        if " 200 " not in first:
            raise RuntimeError(first)
        take(conn, length - early)
        return time.monotonic() - begin


if __name__ == "__main__":
    mode, where = sys.argv[1], (sys.argv[2], int(sys.argv[3]))
    if mode == "serve":
        serve(*where)
    else:
        print(call(mode, *where, int(sys.argv[4])))
