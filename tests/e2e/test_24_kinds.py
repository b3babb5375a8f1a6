# SPDX-License-Identifier: Apache-2.0
"""kinds — configuration that is of the whole mesh, or that nobody may see."""

import base64
import os
import subprocess

import pytest

from mesh import DEADLINE, MESHD

MESH = """\
accessLogFile: /dev/stdout
connectTimeout: 5s
---
networks:
  east: {endpoints: [{fromCidr: 10.0.0.0/8}]}
  west: {gateways: [{address: 192.0.2.1, port: 15443}]}
"""


def test_plain_documents_of_the_mesh_are_kept_as_kinds(server, meshd):
    done = meshd.ok("apply", "-n", "prod", "-f", "-", stdin=MESH)
    assert done.splitlines() == [
        "MeshConfig/default created", "Network/east created",
        "Network/west created"]
    again = meshd.ok("apply", "-f", "-", stdin=MESH)
    assert again.count("unchanged") == 3

    kept = meshd.ok("get", "-o", "yaml", "meshconfig", "default")
    assert "connectTimeout: 5s" in kept
    assert "namespace" not in kept
    assert "unchanged" in meshd.ok("apply", "-f", "-", stdin=kept)

    assert "Network/east" in meshd.ok("delete", "network", "east")
    meshd.ok("delete", "-n", "prod", "-f", "-",
             stdin=meshd.ok("get", "-o", "yaml", "networks"))
    assert meshd.items("get", "networks") == []


def test_a_mistake_in_a_plain_document_is_told_as_it_was_written(server,
                                                                  meshd):
    done = meshd("apply", "-f", "-", stdin="networks:\n  e:\n    gateways:\n"
                 "    - {address: nowhere, port: 1}\n")
    assert done.returncode == 3
    assert '4:8: networks["e"].gateways[0].address: ' in done.stderr
    assert meshd.items("get") == []


# --- Secrets -----------------------------------------------------------------


def openssl(*words, stdin=None):
    return subprocess.run(["openssl", *words], input=stdin, check=True,
                          capture_output=True, timeout=DEADLINE).stdout


def certificate(folder, days=365, kind="ec"):
    """A key and a certificate of its own, as PEM."""
    key, crt = folder / "key.pem", folder / "crt.pem"
    how = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" \
        else ["rsa:2048"]
    openssl("req", "-x509", "-newkey", *how, "-nodes", "-keyout", key, "-out",
            crt, "-days", str(days), "-subj", "/CN=web")
    return key.read_bytes(), crt.read_bytes()


def secret(key, crt):
    return f"""\
apiVersion: v1
kind: Secret
metadata: {{name: web, namespace: edge}}
type: kubernetes.io/tls
data:
  tls.crt: {base64.b64encode(crt).decode()}
  tls.key: {base64.b64encode(key).decode()}
"""


def pieces(key):
    """What would betray a key: lines of its PEM, of that again in base64,
    and its bytes."""
    lines = [line for line in key.split(b"\n") if b"-----" not in line and line]
    again = base64.b64encode(key)
    return [*lines, again[40:80], openssl(
        "pkey", "-outform", "DER", stdin=key)[40:70]]


def test_a_key_lies_nowhere_in_the_clear(server, meshd, tmp_path):
    key, crt = certificate(tmp_path)
    assert "Secret/edge/web created" in meshd.ok(
        "apply", "-f", "-", stdin=secret(key, crt))
    assert "unchanged" in meshd.ok("apply", "-f", "-", stdin=secret(key, crt))
    other, other_crt = certificate(tmp_path)
    assert "updated" in meshd.ok(
        "apply", "-f", "-", stdin=secret(other, other_crt))
    meshd.ok("delete", "-n", "edge", "secret", "web")
    meshd.ok("apply", "-f", "-", stdin=secret(key, crt))
    meshd.ok("log")

    kept = b"".join(p.read_bytes() for p in meshd.state.rglob("*")
                    if p.is_file()) + server.text.encode()
    assert b"sealed" in kept
    for piece in pieces(key) + pieces(other):
        assert piece not in kept

    server.stop()
    server.start()
    again = meshd.ok("get", "-o", "yaml", "secret", "web")
    assert base64.b64encode(key).decode() in again
    assert "unchanged" in meshd.ok("apply", "-f", "-", stdin=again)


# What sanitizers keep beside a program's memory is larger, and sparse.
AREA_MAX = 1 << 30


def memory(pid):
    """What a process may write to, as it stands."""
    parts = []
    with open(f"/proc/{pid}/mem", "rb") as mem, \
            open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        for words in (line.split() for line in maps):
            if "w" in words[1]:
                start, end = (int(n, 16) for n in words[0].split("-"))
                if end - start > AREA_MAX:
                    continue
                mem.seek(start)
                parts.append(mem.read(end - start))
    return b"".join(parts)


def test_a_key_that_is_gone_is_in_no_memory(server, meshd, tmp_path):
    key, crt = certificate(tmp_path)
    text = secret(key, crt)
    meshd.ok("apply", "-f", "-", stdin=text)
    assert any(p in memory(server.process.pid) for p in pieces(key))
    assert "unchanged" in meshd.ok("apply", "-f", "-", stdin=text)
    meshd.ok("diff", "-f", "-", stdin=text)
    meshd("analyze", "-f", "-", stdin=text)
    assert base64.b64encode(key).decode() in meshd.ok(
        "get", "-o", "yaml", "secret", "web")
    assert meshd("apply", "-f", "-", stdin=secret(
        certificate(tmp_path)[0], crt)).returncode == 3
    meshd.ok("delete", "-n", "edge", "secret", "web")
    meshd.ok("log")
    kept = memory(server.process.pid)
    for piece in pieces(key):
        assert piece not in kept


@pytest.mark.xfail(os.getuid() != 0, strict=True,
                   reason="another user can only be tried by root")
def test_who_is_no_admin_sees_that_there_is_a_key_but_not_the_key(
        server, meshd, tmp_path):
    key, crt = certificate(tmp_path)
    meshd.ok("apply", "-f", "-", stdin=secret(key, crt))
    for folder in (meshd.folder, *meshd.folder.parents[:3]):
        folder.chmod(0o755)
    shown = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", MESHD,
         "get", "-o", "json", "secret"], env=meshd.env, capture_output=True,
        timeout=DEADLINE, check=True).stdout
    assert b'"tls.key": "(sealed)"' in shown
    for piece in pieces(key):
        assert piece not in shown


def test_a_secret_is_looked_at_before_it_is_kept(server, meshd, tmp_path):
    key, crt = certificate(tmp_path)
    other, _ = certificate(tmp_path)
    done = meshd("apply", "-f", "-", stdin=secret(other, crt))
    assert done.returncode == 3
    assert 'data["tls.key"]: is not the key' in done.stderr
    done = meshd("apply", "-f", "-", stdin=secret(
        key, crt[:60] + b"x" * 40 + crt[100:]))
    assert done.returncode == 3
    assert 'data["tls.crt"]: ' in done.stderr
    for piece in pieces(other) + pieces(key):
        assert piece.decode("latin-1") not in done.stderr + server.text
    assert meshd.items("get") == []


def test_an_rsa_key_is_compared_too_and_warned_of(server, meshd, tmp_path):
    key, crt = certificate(tmp_path, kind="rsa")
    other, _ = certificate(tmp_path, kind="rsa")
    curve, curve_crt = certificate(tmp_path)
    for wrong in ((other, crt), (curve, crt), (key, curve_crt)):
        done = meshd("apply", "-f", "-", stdin=secret(*wrong))
        assert done.returncode == 3
        assert 'data["tls.key"]: is not the key' in done.stderr
    assert meshd.items("get") == []
    done = meshd("apply", "-f", "-", stdin=secret(key, crt))
    assert done.returncode == 0 and "created" in done.stdout
    assert 'data["tls.key"]: Secret/edge/web: only keys on P-256' in done.stderr


OLD = """\
apiVersion: v1
kind: List
items:
- apiVersion: networking.istio.io/v1
  kind: DestinationRule
  metadata: {name: old}
  spec:
    host: a
    trafficPolicy:
      loadBalancer: {consistentHash: {minimumRingSize: 5, useSourceIp: true}}
"""


def test_a_warning_of_the_server_is_shown_once(server, meshd, tmp_path):
    expired = secret(*certificate(tmp_path, days=1))
    done = meshd("apply", "-f", "-", stdin=f"{expired}---\n{OLD}")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Secret/edge/web: expires soon") == 1
    assert done.stderr.count("is deprecated") == 1
