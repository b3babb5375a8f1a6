# SPDX-License-Identifier: Apache-2.0
"""OpenSSL against the TLS of 15008 and 15012."""

import re
import subprocess

import pytest

from hbone import OpenSSL, Tunnel, frame, identity_of, mesh_context

PORTS = pytest.mark.parametrize("port, number", [(15008, 2), (15012, 1)])


@pytest.fixture
def s_client(mesh, tmp_path):
    """openssl s_client on vm3, with vm3's certificate unless told else."""
    root = tmp_path / "root.pem"
    root.write_text(mesh.cli.json("ca", "show")["rootPem"])
    state = mesh.vm3.cli.state

    def run(number, port, *words, certificate=True):
        target = mesh.net.join(mesh.machine(number).ip, port)
        mine = ["-cert", state / "node.pem", "-key", state / "node.key",
                "-cert_chain", state / "node.pem"] if certificate else []
        return mesh.app.run(
            "openssl", "s_client", "-connect", target, "-CAfile", root,
            "-showcerts", "-verify_return_error", *mine, *words,
            stdin=subprocess.DEVNULL, errors="replace")
    return run


@PORTS
def test_tls_1_3_and_h2_and_a_chain_to_the_root(s_client, port, number):
    done = s_client(number, port, "-alpn", "h2")
    assert "New, TLSv1.3" in done.stdout, done.stdout + done.stderr
    assert "ALPN protocol: h2" in done.stdout
    assert "Verify return code: 0 (ok)" in done.stdout
    assert "Peer signature type: ECDSA" in done.stdout
    assert re.search(r"TLS_AES_(128|256)_GCM_SHA(256|384)", done.stdout)


@PORTS
def test_tls_1_2_is_refused(s_client, port, number):
    done = s_client(number, port, "-tls1_2")
    assert done.returncode != 0
    assert "alert protocol version" in done.stderr, done.stderr


@PORTS
def test_another_protocol_than_h2_is_refused(s_client, port, number):
    done = s_client(number, port, "-alpn", "http/1.1")
    assert "no application protocol" in done.stderr, done.stderr


@PORTS
def test_a_client_may_insist_on_aes_128(s_client, port, number):
    done = s_client(number, port, "-alpn", "h2", "-ciphersuites",
                    "TLS_AES_128_GCM_SHA256")
    assert "TLS_AES_128_GCM_SHA256" in done.stdout
    assert "Verify return code: 0 (ok)" in done.stdout


@pytest.mark.parametrize("group", ["X25519", "P-256"])
def test_ztunnels_first_groups_are_known(s_client, group):
    done = s_client(2, 15008, "-alpn", "h2", "-groups", group)
    assert "New, TLSv1.3" in done.stdout, done.stderr


def test_a_tunnel_lives_on_through_new_keys(mesh):
    """s_client's K: its keys move on, and it asks for ours (RFC 8446 4.6.3)."""
    ping, number = 6, b"12345678"
    target = mesh.net.join(mesh.machine(2).ip, 15008)
    with OpenSSL(mesh.app, target, mesh.vm3.cli.state) as tool:
        tool.begin()
        for _ in range(3):
            tool.tell(b"K\n", b"KEYUPDATE")
            tool.tell(frame(ping, 0, 0, number), frame(ping, 1, 0, number))


def test_openssl_comes_back_by_ticket(mesh, tmp_path):
    target = mesh.net.join(mesh.machine(2).ip, 15008)
    session = tmp_path / "session"
    for words, kind in ((["-sess_out", session], b"New, TLSv1.3"),
                        (["-sess_in", session], b"Reused, TLSv1.3")):
        with OpenSSL(mesh.app, target, mesh.vm3.cli.state, *words) as tool:
            tool.begin()
            assert kind in tool.said, tool.said


def test_the_certificate_is_a_spiffe_one(mesh):
    context = mesh_context(mesh.vm3.cli.state, mesh.cli)
    for number, port, uri in (
            (2, 15008, r"spiffe://mesh\.internal/ns/default/sa/default"),
            (3, 15008, r"spiffe://mesh\.internal/ns/meshd-nodes/sa/vm3"),
            (1, 15012, r"spiffe://mesh\.internal/ns/meshd-servers/sa/.+")):
        conn = mesh.app.connect(mesh.machine(number).ip, port)
        with Tunnel(conn, context) as tunnel:
            assert re.fullmatch(uri, identity_of(tunnel.tls))
            assert tunnel.tls.version() == "TLSv1.3"


def test_the_certificate_says_what_spiffe_wants(mesh, tmp_path):
    """SPIFFE X509-SVID: one URI, critical key usage, no CA."""
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-text", "-in",
         mesh.vm2.cli.state / "node.pem"],
        text=True, capture_output=True, check=True).stdout
    assert "X509v3 Key Usage: critical\n                Digital Signature\n" \
        in text
    assert "CA:FALSE" in text
    assert text.count("URI:") == 1
    assert "TLS Web Server Authentication, TLS Web Client Authentication" \
        in text
    root = tmp_path / "root.pem"
    root.write_text(mesh.cli.json("ca", "show")["rootPem"])
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", root, "-untrusted",
         mesh.vm2.cli.state / "node.pem", mesh.vm2.cli.state / "node.pem"],
        text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_sni_picks_the_identity_of_an_account(mesh):
    context = mesh_context(mesh.vm3.cli.state, mesh.cli)
    conn = mesh.app.connect(mesh.machine(2).ip, 15008)
    name = "default.default.sa.mesh.internal"
    with context.wrap_socket(conn, server_hostname=name) as tls:
        assert identity_of(tls) == \
            "spiffe://mesh.internal/ns/default/sa/default"


def test_without_a_certificate_15012_lets_only_join_in(mesh):
    context = mesh_context(None, mesh.cli)
    for path, status in (("/v1/join", 400), ("/v1/reenroll", 400),
                         ("/v1/certify", 403), ("/v1/anything", 404)):
        conn = mesh.app.connect(mesh.machine(1).ip, 15012)
        with Tunnel(conn, context) as tunnel:
            assert tunnel.ask("POST", path, end=True) == status, path
