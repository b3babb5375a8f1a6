# SPDX-License-Identifier: Apache-2.0
"""joiner — joins as an agent does, with whatever clock the test wants.

The wire is the one of modules/6-role/node/README.md; a token is read as
modules/4-proto/ca/token.c says.
"""

import base64
import hashlib
import hmac
import json
import os
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hbone import Tunnel, mesh_context


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Token:
    """Its id, and the key that proves it."""

    def __init__(self, text):
        text = text.removeprefix("mj1.")
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        self.id, secret = raw[-28:-20], raw[-20:-4]
        self.key = hmac.digest(
            secret, b"meshd join token 1 " + self.id, "sha256")

    def proof(self, csr, gossip_key):
        return hmac.digest(
            self.key, hashlib.sha256(csr).digest() + gossip_key, "sha256")


def make_csr(name):
    key = ec.generate_private_key(ec.SECP256R1())
    uri = f"spiffe://mesh.internal/ns/meshd-nodes/sa/{name}"
    return x509.CertificateSigningRequestBuilder().subject_name(x509.Name([
        x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])).add_extension(
            x509.SubjectAlternativeName(
                [x509.UniformResourceIdentifier(uri)]),
            critical=False).sign(key, hashes.SHA256())


def join(mesh, token, name, clock_off_s):
    """The status and the answer, decoded."""
    csr, gossip_key = make_csr(name), os.urandom(32)
    proof = Token(token).proof(
        csr.public_bytes(serialization.Encoding.DER), gossip_key)
    body = json.dumps({
        "token_id": Token(token).id.hex(),
        "csr_pem": csr.public_bytes(
            serialization.Encoding.PEM).decode(),
        "gossip_public_key": base64url(gossip_key),
        "hmac": base64url(proof),
        "node_name": name,
        "addresses": [],
        "wanted": [],
        "clock_ms": int((time.time() + clock_off_s) * 1000),
    }).encode()
    conn = mesh.machine(2).connect(mesh.machine(1).ip, 15012)
    with Tunnel(conn, mesh_context(None, mesh.cli)) as tunnel:
        return tunnel.post("/v1/join", body)
