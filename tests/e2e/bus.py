# SPDX-License-Identifier: Apache-2.0
"""bus — a message bus by hand, which is systemd-resolved as well."""

import contextlib
import os
import socket
import struct
import threading

RETURN, ERROR = 2, 3
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY, DESTINATION, SIGNATURE = (
    1, 2, 3, 4, 5, 6, 8)


class Reader:
    """Values one behind the other, each where it has to lie."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def align(self, size):
        self.at += -self.at % size

    def take(self, code):
        size = struct.calcsize(code)
        self.align(size)
        value, = struct.unpack_from("<" + code, self.data, self.at)
        self.at += size
        return value

    def text(self):
        size = self.take("I")
        value = self.data[self.at:self.at + size].decode()
        self.at += size + 1
        return value

    def signature(self):
        size = self.take("B")
        value = self.data[self.at:self.at + size].decode()
        self.at += size + 1
        return value

    def values(self, signature):
        """All of a signature; arrays as lists, structs as tuples."""
        out = []
        while signature:
            value, signature = self.value(signature)
            out.append(value)
        return out

    def value(self, signature):
        kind, rest = signature[0], signature[1:]
        if kind == "(":
            self.align(8)
            members = []
            while rest[0] != ")":
                member, rest = self.value(rest)
                members.append(member)
            return tuple(members), rest[1:]
        if kind == "a":
            size = self.take("I")
            self.align(8 if rest[0] == "(" else 1)
            end, items, after = self.at + size, [], rest
            while self.at < end:
                item, after = self.value(rest)
                items.append(item)
            return items, after
        if kind == "s":
            return self.text(), rest
        codes = {"i": "i", "u": "I", "q": "H", "y": "B", "b": "I"}
        value = self.take(codes[kind])
        return (bool(value) if kind == "b" else value), rest


def padded(data, size):
    return data + b"\0" * (-len(data) % size)


def field(number, kind, value):
    head = struct.pack("BB", number, 1) + kind.encode() + b"\0"
    if kind == "u":
        return head + struct.pack("<I", value)
    if kind == "g":
        return head + bytes([len(value)]) + value.encode() + b"\0"
    return head + struct.pack("<I", len(value)) + value.encode() + b"\0"


def message(kind, serial, name=None, text=None):
    """An answer to the call of that serial; an error has a name."""
    fields = field(REPLY, "u", serial)
    body = b""
    if name:
        fields = padded(fields, 8) + field(ERROR_NAME, "s", name)
    if text is not None:
        fields = padded(fields, 8) + field(SIGNATURE, "g", "s")
        body = struct.pack("<I", len(text)) + text.encode() + b"\0"
    return struct.pack("<4BIII", ord("l"), kind, 0, 1, len(body), serial + 100,
                       len(fields)) + padded(fields, 8) + body


class Bus:
    """Takes all calls down; those of `refused` are answered by an error."""

    def __init__(self, path, refused=()):
        self.path, self.refused, self.calls = str(path), refused, []
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        self.sock.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.sock.accept()
                threading.Thread(target=self.talk, args=(conn,),
                                 daemon=True).start()

    def talk(self, conn):
        with contextlib.closing(conn), contextlib.suppress(OSError), \
                conn.makefile("rb") as told:
            who = told.readline()
            assert who == (b"\0AUTH EXTERNAL " +
                           str(os.geteuid()).encode().hex().encode() + b"\r\n")
            conn.sendall(b"OK 0123456789abcdef\r\n")
            assert told.readline() == b"BEGIN\r\n"
            while self.answer(conn, told):
                pass

    def answer(self, conn, told):
        head = told.read(16)
        if len(head) < 16:
            return False
        size, serial, fields = struct.unpack_from("<III", head, 4)
        rest = told.read(fields + -fields % 8 + size)
        reader, known = Reader(head + rest[:fields]), {}
        reader.at = 16
        while reader.at < 16 + fields:
            reader.align(8)
            number, kind = reader.take("B"), reader.signature()
            known[number] = reader.signature() if kind == "g" else \
                reader.text()
        body = Reader(rest[fields + -fields % 8:])
        self.calls.append((known[MEMBER],
                           body.values(known.get(SIGNATURE, ""))))
        if known[MEMBER] in self.refused:
            conn.sendall(message(ERROR, serial, "org.example.Busy",
                                 "this link is managed"))
        elif known[MEMBER] == "Hello":
            conn.sendall(message(RETURN, serial, text=":1.7"))
        else:
            conn.sendall(message(RETURN, serial))
        return True

    def close(self):
        self.sock.close()
        os.unlink(self.path)
