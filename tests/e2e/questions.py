# SPDX-License-Identifier: Apache-2.0
"""questions — DNS by hand: a client of a machine, and a name server on one."""

import contextlib
import socket
import struct
import threading

TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28,
         "SRV": 33, "OPT": 41, "HTTPS": 65, "ANY": 255}
CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN",
         5: "REFUSED"}
PORT = 15053


def wire_name(name):
    labels = [part.encode() for part in name.rstrip(".").split(".") if part]
    return b"".join(bytes([len(part)]) + part for part in labels) + b"\0"


def question(name, kind="A", number=0x4d44, flags=0x0100, edns=b""):
    """A message; `edns` is a whole OPT record."""
    return struct.pack("!6H", number, flags, 1, 0, 0, 1 if edns else 0) + \
        wire_name(name) + struct.pack("!2H", TYPES[kind], 1) + edns


def opt(size=1232, do=False, data=b""):
    return b"\0" + struct.pack("!HHIH", 41, size, 0x8000 if do else 0,
                               len(data)) + data


class Message:
    """An answer, taken apart."""

    def __init__(self, wire):
        self.wire = wire
        self.at = 12
        (self.number, self.flags, questions, *counts) = struct.unpack(
            "!6H", wire[:12])
        self.code = CODES[self.flags & 15]
        self.is_cut = bool(self.flags & 0x0200)
        self.is_authority = bool(self.flags & 0x0400)
        self.asked = [self.read_question() for _ in range(questions)]
        (self.answers, self.authority, self.additional) = (
            [self.read_record() for _ in range(count)] for count in counts)
        assert self.at == len(wire)

    def read_name(self):
        labels, back = [], None
        while True:
            size = self.wire[self.at]
            if size >= 0xc0:
                to = struct.unpack("!H", self.wire[self.at:self.at + 2])[0]
                back = self.at + 2 if back is None else back
                self.at = to & 0x3fff
                continue
            self.at += 1
            if size == 0:
                break
            labels.append(self.wire[self.at:self.at + size].decode())
            self.at += size
        if back is not None:
            self.at = back
        return ".".join(labels)

    def read_question(self):
        name = self.read_name()
        self.at += 4
        return name

    def read_record(self):
        name = self.read_name()
        kind, _, ttl, size = struct.unpack(
            "!HHIH", self.wire[self.at:self.at + 10])
        self.at += 10
        end = self.at + size
        value = self.read_value(kind, size)
        self.at = end
        return name, kind, ttl, value

    def read_value(self, kind, size):
        raw = self.wire[self.at:self.at + size]
        if kind == TYPES["A"]:
            return socket.inet_ntop(socket.AF_INET, raw)
        if kind == TYPES["AAAA"]:
            return socket.inet_ntop(socket.AF_INET6, raw)
        if kind in (TYPES["PTR"], TYPES["CNAME"]):
            return self.read_name()
        if kind == TYPES["SRV"]:
            port = struct.unpack("!H", raw[4:6])[0]
            self.at += 6
            return port, self.read_name()
        return raw

    @property
    def values(self):
        return sorted(value for _, _, _, value in self.answers)


def frame(message):
    return struct.pack("!H", len(message)) + message


def unframe(conn):
    def exactly(size):
        data = b""
        while len(data) < size:
            more = conn.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data
    return exactly(struct.unpack("!H", exactly(2))[0])


class Asker:
    """A program of a machine that asks the machine's name server."""

    def __init__(self, machine, timeout=20):
        self.machine = machine
        self.timeout = timeout

    def open(self, kind):
        family = socket.AF_INET6 if ":" in self.at[0] else socket.AF_INET
        sock = self.machine.inside(lambda: socket.socket(family, kind))
        sock.settimeout(self.timeout)
        sock.connect(self.at)
        return sock

    at = ("127.0.0.1", PORT)

    def send(self, wire):
        with contextlib.closing(self.open(socket.SOCK_DGRAM)) as sock:
            sock.send(wire)
            return sock.recv(65535)

    def __call__(self, name, kind="A", **options):
        return Message(self.send(question(name, kind, **options)))

    def over_tcp(self, name, kind="A", **options):
        with contextlib.closing(self.open(socket.SOCK_STREAM)) as sock:
            sock.sendall(frame(question(name, kind, **options)))
            return Message(unframe(sock))


def record(kind, value, ttl=60):
    return b"\xc0\x0c" + struct.pack(
        "!HHIH", TYPES[kind], 1, ttl, len(value)) + value


SOA = wire_name("ns.example.org") + wire_name("x.example.org") + struct.pack(
    "!5I", 1, 2, 3, 4, 30)


def say(wire, code=0, answers=b"", count=0, authority=b"", flags=0x8180):
    """An answer to this question, EDNS and all: nothing else is in it."""
    end = 12
    while wire[end]:
        end += wire[end] + 1
    return wire[:2] + struct.pack(
        "!5H", flags | code, 1, count, 1 if authority else 0, 0) + \
        wire[12:end + 5] + answers + authority


def outside(wire, tcp):
    """What the world outside says."""
    low = wire.lower()
    if b"mute" in low or b"meshd-loop" in low:
        return None
    if b"forged" in low:  # another id, another name, then what is right
        wrong = bytes([wire[0] ^ 1]) + wire[1:]
        other = wire.replace(b"forged", b"FoRgEx")
        bad = record("A", b"\x7f\0\0\x66")
        return [say(wrong, 0, bad, 1), say(other, 0, bad, 1),
                say(wire, 0, record("A", b"\xc6\x33\x64\x07"), 1)]
    if b"gone" in low:
        return say(wire, 3, authority=record("SOA", SOA))
    if b"large" in low and not tcp:
        return say(wire, flags=0x8380)
    if b"large" in low:
        return say(wire, 0, record("TXT", b"\xc8" + b"x" * 200) * 40, 40)
    return say(wire, 0, record("A", b"\xc6\x33\x64\x07"), 1)


class NameServer:
    """On UDP and TCP of an address; says what `reply(wire, tcp)` gives: a
    message, several one behind the other, or nothing (None)."""

    def __init__(self, machine, reply, ip=None, port=53):
        self.reply = reply
        self.seen = []
        ip = ip or machine.ip
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        self.udp = machine.inside(
            lambda: socket.socket(family, socket.SOCK_DGRAM))
        self.udp.bind((ip, port))
        self.tcp = machine.listen(ip, port)
        for work in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=work, daemon=True).start()

    def asked(self, name):
        """What came about the name: the bytes and the port they came from."""
        return [(wire, peer) for wire, peer in self.seen
                if wire_name(name).lower() in wire.lower()]

    def serve_udp(self):
        with contextlib.suppress(OSError):
            while True:
                wire, peer = self.udp.recvfrom(65535)
                if peer is None:
                    return  # closed
                self.seen.append((wire, peer[1]))
                answer = self.reply(wire, False)
                for part in answer if isinstance(answer, list) else [answer]:
                    if part is not None:
                        self.udp.sendto(part, peer)

    def serve_tcp(self):
        with contextlib.suppress(OSError):
            while True:
                conn, peer = self.tcp.accept()
                with contextlib.closing(conn), contextlib.suppress(EOFError):
                    wire = unframe(conn)
                    self.seen.append((wire, peer[1]))
                    answer = self.reply(wire, True)
                    if answer is not None:
                        conn.sendall(frame(answer))

    def close(self):
        # A thread that waits is woken by that, and not by the close.
        with contextlib.suppress(OSError):
            self.udp.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self.tcp.shutdown(socket.SHUT_RDWR)
        self.udp.close()
        self.tcp.close()
