# SPDX-License-Identifier: Apache-2.0
"""bad input — whatever comes, the server lives, stays small, keeps its store."""

import contextlib
import http.client
import json
import pathlib
import re
import resource
import socket

import pytest

from mesh import DEADLINE, SANITIZED, Server, wait_for
from test_22_keep import LABELLED, names

MIB = 1 << 20
# A sanitizer's own memory is not the program's, and is no measure of it.
RESIDENT_MAX = 6000 if SANITIZED else 800  # MiB after any one request


def send(meshd, body, path="/v1/apply"):
    """The status and words, or None when the server hung up."""
    conn = http.client.HTTPConnection("local")
    conn.sock = socket.socket(socket.AF_UNIX)
    conn.sock.settimeout(DEADLINE)
    conn.sock.connect(str(meshd.socket))
    with contextlib.closing(conn):
        try:
            conn.request("POST", path, body)
            answer = conn.getresponse()
            return answer.status, answer.read().decode()
        except (BrokenPipeError, ConnectionResetError,
                http.client.RemoteDisconnected):
            return None, ""


def peak(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)[1]) / 1024


def documents(*docs):
    return b'{"documents":[' + b",".join(docs) + b"]}"


DOC = (b'{"apiVersion":"networking.istio.io/v1","kind":"VirtualService",'
       b'"metadata":{"name":"x"},"spec":%s}')


def made(what):
    """Large ones are made where they are wanted, not by each who reads this."""
    return what() if callable(what) else what


BODIES = {
    "nothing": b"",
    "no JSON": b"hello",
    "no object": b"[]",
    "no list": b'{"documents":{}}',
    "cut short": b'{"documents":[{"a":',
    "NUL": b'{"documents":["a\0b"]}',
    "NUL escaped": documents(DOC % rb'{"hosts":["a\u0000b"]}'),
    "no UTF-8": documents(DOC % b'{"hosts":["\xff\xfe"]}'),
    "a lone surrogate": documents(DOC % rb'{"hosts":["\ud800"]}'),
    "deep lists": b"[" * MIB,
    "deep maps": b'{"a":' * MIB,
    "deep in a document": documents(DOC % (b'{"a":' * 70 + b"1" + b"}" * 70)),
    "a huge number": documents(DOC % b'{"http":[{"timeout":1e999999}]}'),
    "a long number": documents(DOC % (b'{"a":' + b"9" * 100000 + b"}")),
    "a long fraction": documents(
        DOC % (b'{"a":0.' + b"0" * 100000 + b"1}")),
    "twice the same key": documents(DOC % b'{"hosts":[],"hosts":[]}'),
    "nulls": documents(b"null", DOC % b"null", DOC % b'{"hosts":[null]}'),
    "a long word, cut in a character": documents(DOC % (
        b'{"http":[{"corsPolicy":{"unmatchedPreflights":"' + b"a" * 63 +
        "é".encode() + b'"}}]}')),
    "other types": documents(b"1", b'"x"', b"[]", DOC % b'"x"'),
    "very many values": lambda: (
        b'{"documents":[' + b"0," * (8 * MIB) + b"0]}"),
    "very many maps": lambda: (
        b'{"documents":[' + b"{}," * (4 * MIB) + b"0]}"),
    "as many maps as may be": lambda: (
        b'{"documents":[' + b"{}," * 990000 + b"{}]}"),
    "nested maps": lambda: (
        b'{"documents":[' + b'{"a":{"b":{"c":1}}},' * 490000 + b"0]}"),
    "a long text": lambda: documents(
        DOC % (b'{"hosts":["' + b"a" * (20 * MIB) + b'"]}')),
    "a long key": lambda: documents(
        DOC % (b'{"' + b"k" * (20 * MIB) + b'":1}')),
    "many long texts": lambda: documents(*[
        DOC % (b'{"hosts":["' + b"a" * 1000000 + b'"]}')] * 30),
    "one byte too many": lambda: b" " * (32 * MIB + 1),
    "a hundred megabytes": lambda: b" " * (100 * MIB),
}


@pytest.mark.parametrize("what", BODIES)
@pytest.mark.parametrize("path", ["/v1/apply", "/v1/diff"])
def test_no_body_harms_the_server(server, meshd, what, path):
    meshd.ok("apply", "-f", "-", stdin=LABELLED % ("kept", "n", ""))
    revision = meshd.json("status")["revision"]
    status, words = send(meshd, made(BODIES[what]), path)
    assert status is None or 400 <= status < 500, (status, words[:300])
    if words.startswith("{"):
        told = json.loads(words)
        assert told["code"].startswith("ERR_") and told["message"]
    assert server.is_running
    assert peak(server) < RESIDENT_MAX, f"{peak(server):.0f} MiB"
    assert meshd.json("status")["revision"] == revision
    assert names(meshd) == ["kept"]


@pytest.mark.parametrize("path", [
    "/v1/rollback", "/v1/delete", "/v1/backup", "/v1/explain",
    "/v1/rollback?blast=true", "/v1/delete?blast=true", "/v1/diff?blast=true"])
def test_no_path_that_takes_a_body_is_harmed(server, meshd, path):
    revision = meshd.json("status")["revision"]
    long = b'{"kind":"Service","name":"' + b"x" * 5000 + b'"}'
    for body in (b"", b"[]", b"{}", b'{"revision":0,"key":' + long + b"}",
                 b'{"keys":[' + long + b"]}", b'{"revision":-1}', b'{"revision":"x"}',
                 b'{"revision":9223372036854775807}', b'{"revision":1e300}',
                 b'{"revision":0,"key":{"name":' + b"1" * 400 + b"}}",
                 b'{"revision":0,"key":[1]}', b'{"keys":[1,null,{}]}',
                 b'{"keys":{"a":1}}', b'{"path":1}', b'{"path":"relative"}',
                 b'{"path":"/a\\u0000b"}', b'{"path":"/' + b"x" * 9000
                 + b'"}', b'{"host":"' + b"x" * MIB + b'"}'):
        status, _ = send(meshd, body, path)
        assert status is None or status == 200 or 400 <= status < 500, body[:50]
        assert server.is_running, (body[:50], server.text)
    assert server.is_running
    assert meshd.json("status")["revision"] == revision
    for query in ("?prune=%00%3D%ff", "?prune=" + "a%3Db," * 2000,
                  "?namespace=" + "n" * 5000, "?dryRun=perhaps"):
        send(meshd, b'{"documents":[]}', "/v1/apply" + query)
    for query in ("?after=" + "%2F" * 3000, "?after=%00%ff", "?kind=%ff"):
        meshd("get", "--namespace", "x")
        conn = http.client.HTTPConnection("local")
        conn.sock = socket.socket(socket.AF_UNIX)
        conn.sock.connect(str(meshd.socket))
        conn.request("GET", "/v1/resources" + query)
        conn.getresponse().read()
        conn.close()
    assert server.is_running


FILES = {
    "a hundred megabytes": lambda: b"a" * (100 * MIB),
    "a hundred megabytes of documents": lambda: b"---\na: 1\n" * (11 * MIB),
    "a bomb": b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 10))
        for c in range(ord("b"), ord("l"))),
    "deep": b"[" * 200000,
    "deep blocks": b"".join(b" " * i + b"a:\n" for i in range(2000)),
    "NUL": b"kind: a\0b\n",
    "no UTF-8": b"kind: \xff\xfe\n",
    "a huge number": LABELLED.replace("80", "9" * 400).encode() % (
        b"a", b"n", b""),
    "an endless one": LABELLED.replace("80", "1e999999").encode() % (
        b"a", b"n", b""),
    "an alias to itself": b"a: &a [*a]\n",
    "twice the same key": b"a: 1\na: 2\n",
    "a tag": b"a: !!python/object:os.system x\n",
}


def little_memory():
    """What a command may take: the rest it has to refuse in words."""
    if SANITIZED:
        return
    resource.setrlimit(resource.RLIMIT_AS, (2048 * MIB, 2048 * MIB))


@pytest.mark.parametrize("what", FILES)
def test_no_file_harms_who_reads_it(server, meshd, tmp_path, what):
    path = tmp_path / "bad.yaml"
    path.write_bytes(made(FILES[what]))
    for words in (("apply", "-f", path), ("validate", path)):
        done = meshd(*words, preexec_fn=little_memory)
        assert 0 < done.returncode < 6, (done.returncode, done.stderr[:300])
        assert done.stderr.startswith(("error: ", "meshd: "))
    assert names(meshd) == []


def test_a_followed_folder_is_as_careful(meshd):
    folder = meshd.folder / "conf.d"
    folder.mkdir()
    for number, text in enumerate(FILES.values()):
        (folder / f"{number}.yaml").write_bytes(made(text))
    meshd.ok("server", "init")
    server = Server(meshd, ["--config-dir", folder])
    try:
        server.start()
        told = wait_for(
            lambda: meshd.json("status")["folder"].get("why"), "it is refused")
        assert "bytes" in told or "mistakes" in told
        assert peak(server) < RESIDENT_MAX, f"{peak(server):.0f} MiB"
        for path in folder.glob("*.yaml"):
            if path.stat().st_size > 16 * MIB:
                path.unlink()
        wait_for(lambda: "mistakes" in meshd.json("status")["folder"]["why"],
                 lambda: f"and the rest: {meshd.json('status')['folder']}")
        assert names(meshd) == []
        assert peak(server) < RESIDENT_MAX, f"{peak(server):.0f} MiB"
    finally:
        server.stop()
