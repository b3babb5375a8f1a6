# SPDX-License-Identifier: Apache-2.0
"""web_client — gRPC as a browser speaks it, by our own hand, and the few
messages of gRPC's interop tests (grpc.testing.TestService) that it needs.

Nothing here knows meshd: it is what gRPC's PROTOCOL-WEB.md says.
"""

import base64
import contextlib
import http.client
import struct

from hbone import Tunnel

SERVICE = "/grpc.testing.TestService/"
OK, UNKNOWN, UNIMPLEMENTED, INTERNAL = 0, 2, 12, 13


# --- protobuf ---

def varint(number):
    out = b""
    while number > 0x7f:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def number_field(field, value):
    return varint(field << 3) + varint(value)


def bytes_field(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def read_fields(message):
    """{number: its last value}, of varints and bytes."""
    fields, at = {}, 0

    def take():
        nonlocal at
        number = shift = 0
        while True:
            byte = message[at]
            at += 1
            number |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(message):
        key = take()
        value = take()
        if key & 7 == 2:
            value, at = message[at:at + value], at + value
        fields[key >> 3] = value
    return fields


def payload(size):
    return bytes_field(2, bytes(size))


def status(code, words):
    return bytes_field(7, number_field(1, code) +
                       bytes_field(2, words.encode()))


def unary(size, sent=0, more=b""):
    """SimpleRequest: so many bytes back."""
    return number_field(2, size) + bytes_field(3, payload(sent)) + more


def streaming(*sizes, more=b""):
    """StreamingOutputCallRequest: a message of each size."""
    return b"".join(bytes_field(2, number_field(1, size))
                    for size in sizes) + more


def size_of(message):
    """Of a payload that came back."""
    return len(read_fields(read_fields(message).get(1, b"")).get(2, b""))


# --- gRPC-Web ---

def frame(message, flag=0):
    return struct.pack(">BI", flag, len(message)) + message


class Frames:
    """Cuts what comes into messages; the last may be trailers."""

    def __init__(self, text):
        self.text, self.raw, self.bytes = text, b"", b""
        self.messages, self.trailers = [], None

    def feed(self, data):
        if self.text:
            self.raw += data
            whole = len(self.raw) // 4 * 4
            for at in range(0, whole, 4):
                self.bytes += base64.b64decode(
                    self.raw[at:at + 4], validate=True)
            self.raw = self.raw[whole:]
        else:
            self.bytes += data
        while len(self.bytes) >= 5:
            flag, size = struct.unpack(">BI", self.bytes[:5])
            if len(self.bytes) < 5 + size:
                break
            body, self.bytes = self.bytes[5:5 + size], self.bytes[5 + size:]
            assert self.trailers is None, "a message behind the trailers"
            if flag == 0x80:
                self.trailers = dict(
                    line.split(": ", 1)
                    for line in body.decode().split("\r\n")[:-1])
            else:
                assert flag == 0, flag
                self.messages.append(body)

    def end(self):
        assert (self.raw, self.bytes) == (b"", b"")
        return self


class Answer:
    """What came of a call."""

    def __init__(self, head, frames):
        self.head, self.messages = head, frames.messages
        outcome = head if "grpc-status" in head else frames.trailers
        self.trailers = frames.trailers
        self.status = int(outcome["grpc-status"])
        self.words = outcome.get("grpc-message", "")


def head_of(text, more):
    kind = "application/grpc-web" + ("-text" if text else "")
    return {"content-type": kind, "accept": kind, "x-grpc-web": "1", **more}


def encode(text, data):
    return base64.b64encode(data) if text else data


class Call1:
    """One call over HTTP/1.1, whose messages go and come one by one."""

    def __init__(self, conn, text, method, more):
        self.conn, self.text = conn, text
        self.frames = Frames(text)
        fields = head_of(text, {"transfer-encoding": "chunked", **more})
        lines = "".join(f"{name}: {value}\r\n"
                        for name, value in fields.items())
        conn.sendall(f"POST {method} HTTP/1.1\r\nhost: web\r\n"
                     f"{lines}\r\n".encode())
        self.answer = None

    def send(self, data):
        data = encode(self.text, data)
        self.conn.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self):
        self.conn.sendall(b"0\r\n\r\n")

    def next(self):
        """Reads until there is one message more, or the end."""
        if self.answer is None:
            self.answer = http.client.HTTPResponse(self.conn, method="POST")
            self.answer.begin()
        have = len(self.frames.messages)
        while len(self.frames.messages) == have:
            data = self.answer.read1(65536)
            if not data:
                return False
            self.frames.feed(data)
        return True

    def finish(self):
        while self.next():
            pass
        head = {name.lower(): value
                for name, value in self.answer.getheaders()}
        assert self.answer.status == 200, (self.answer.status, head)
        return Answer(head, self.frames.end())


def call1(conn, text, method, body, more):
    call = Call1(conn, text, method, more)
    call.send(body)
    call.end()
    return call.finish()


def call2(conn, text, method, body, more):
    """One call over HTTP/2."""
    with Tunnel(conn) as client:
        stream = client.h2.get_next_available_stream_id()
        client.h2.send_headers(stream, [
            (":method", "POST"), (":scheme", "http"), (":authority", "web"),
            (":path", method), *head_of(text, more).items()])
        client.send(stream, encode(text, body), end=True)
        while stream not in client.ended:
            client.step()
        frames = Frames(text)
        frames.feed(client.data.get(stream, b""))
        assert client.headers[":status"] == "200", client.headers
        return Answer(client.headers, frames.end())


class Browser:
    """Calls a port of a machine, each time by a connection of its own."""

    def __init__(self, machine, port, version, text):
        self.machine, self.port = machine, port
        self.version, self.text = version, text

    def connect(self):
        return self.machine.connect(self.machine.loopback, self.port)

    def call(self, method, *messages, path=SERVICE, more=None):
        body = b"".join(frame(message) for message in messages)
        act = call1 if self.version == 1 else call2
        with contextlib.closing(self.connect()) as conn:
            return act(conn, self.text, path + method, body, more or {})
