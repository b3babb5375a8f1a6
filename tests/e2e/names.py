# SPDX-License-Identifier: Apache-2.0
"""names — a name server on a machine, and an agent that asks it."""

import contextlib
import ipaddress
import socket
import struct
import threading

A, CNAME, AAAA = 1, 5, 28
NXDOMAIN = 3


class NameServer:
    """Answers by UDP at port 53 of its machine's loopback, in a thread."""

    def __init__(self, machine, folder):
        self.machine = machine
        self.records = {}  # name -> (TTL, addresses or one other name)
        self.mute = False
        self.asked = []
        self.file = folder / "resolv.conf"
        self.file.write_text(f"nameserver {machine.loopback}\n")
        family = socket.AF_INET6 if ":" in machine.loopback else socket.AF_INET
        self.socket = machine.inside(
            lambda: socket.socket(family, socket.SOCK_DGRAM))
        self.socket.bind((machine.loopback, 53))
        self.socket.settimeout(0.1)
        self.is_open = True
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    @property
    def prefix(self):
        """What a process is started with, for which this is the server."""
        return ["unshare", "--mount", "sh", "-c",
                f'mount --bind {self.file} /etc/resolv.conf && exec "$@"',
                "sh"]

    def set(self, name, ttl, *data):
        self.records[name] = (ttl, data)

    def close(self):
        self.is_open = False
        self.thread.join()
        self.socket.close()

    def serve(self):
        while self.is_open:
            with contextlib.suppress(TimeoutError):
                packet, peer = self.socket.recvfrom(512)
                answer = self.answer(packet)
                if not self.mute:
                    self.socket.sendto(answer, peer)

    def answer(self, packet):
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode())
            at += 1 + packet[at]
        kind, = struct.unpack("!H", packet[at + 1:at + 3])
        name = ".".join(labels).lower()
        self.asked.append((name, kind))
        known, rows = self.rows(name, kind)
        head = struct.pack("!HHHHH", 0x8180 | (0 if known else NXDOMAIN), 1,
                           len(rows), 0, 0)
        return packet[:2] + head + packet[12:at + 5] + b"".join(rows)

    def rows(self, name, kind):
        """Whether it is known, and its records, those of a CNAME behind it."""
        if name not in self.records:
            return False, []
        ttl, data = self.records[name]
        rows = []
        for one in data:
            try:
                ip = ipaddress.ip_address(one)
            except ValueError:
                rows.append(row(name, CNAME, ttl, spell(one)))
                known, more = self.rows(one, kind)
                return known, rows + more
            if kind == (A if ip.version == 4 else AAAA):
                rows.append(row(name, kind, ttl, ip.packed))
        return True, rows


def spell(name):
    return b"".join(bytes([len(label)]) + label.encode()
                    for label in name.split(".")) + b"\0"


def row(name, kind, ttl, data):
    return (spell(name) + struct.pack("!HHIH", kind, 1, ttl, len(data)) +
            data)
