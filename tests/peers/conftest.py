# SPDX-License-Identifier: Apache-2.0
"""conftest — a pair of agents between other people's servers and clients.

Those of tests/interop are small and part of check; these are whole packages
(databases, sshd, Node), which `make interop` wants.
"""

import glob
import itertools
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e"))

# pylint: disable-next=wrong-import-position
from mesh import Daemon, Mesh, answers, families, wait_for

# By which port vm3 calls it, and the protocol; at vm2 it listens 1000 lower.
SERVICES = {
    "postgres": (9100, "tcp"),
    "mariadb": (9101, "tcp"),
    "smtp": (9102, "tcp"),
    "ssh": (9103, "tcp"),
    "node": (9104, "http"),
    "node2": (9105, "http2"),
    "proxied": (9106, "http"),
    "proxied2": (9107, "http2"),
    "envoy": (9108, "http"),
    "envoy2": (9109, "http2"),
}
# Of HTTP, with which Node's servers answer at each.
VERSIONS = {"node": "1", "node2": "2", "proxied": "1", "proxied2": "2",
            "envoy": "1", "envoy2": "2"}
BOTH = [*itertools.product(("1", "2"), repeat=2)]


def home_port(name):
    return SERVICES[name][0] - 1000


@pytest.fixture(scope="session", params=families("peers"))
def pair(request):
    """vm3 calls what vm2 offers; `home` can be read by any user."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="meshd-peers-"))
    folder.chmod(0o755)
    try:
        with Mesh(folder, request.param, machines=3) as it:
            it.service, it.app, it.home = it.machine(2), it.machine(3), folder
            vm2 = it.member(2)
            words = []
            for name, (port, _) in SERVICES.items():
                words += ["--upstream", f"{name}={it.app.at(port)}"]
            vm3 = it.member(3, *words)
            for name, (port, protocol) in SERVICES.items():
                vm2.expose(name, f"{port}:{it.service.at(home_port(name))}",
                           "--protocol", protocol)
            for name in SERVICES:
                vm3.sees(name, 1)
            yield it
    finally:
        shutil.rmtree(folder)


def program(place, hint="./bootstrap interop"):
    """Where it is; the test is skipped if nobody installed it."""
    found = shutil.which(place) or next(iter(sorted(glob.glob(place))), "")
    return found or pytest.skip(f"{place} is not there; see: {hint}")


def done(words, **options):
    """What it printed; a failure fails the test."""
    ran = subprocess.run([*map(str, words)], text=True, capture_output=True,
                         timeout=60, check=False, **options)
    assert ran.returncode == 0, (words, ran.stdout, ran.stderr)
    return ran.stdout


@pytest.fixture(scope="session")
def serve(pair):
    """Starts a daemon on vm2 and waits until it listens; ends it at last."""
    daemons = []

    def start(name, *words, machine=None, port=None):
        machine = machine or pair.service
        port = port or home_port(name)
        log = pair.home / f"{name}.log"
        daemons.append(Daemon(machine, words, log))
        wait_for(lambda: answers(machine, port),
                 lambda: f"{name} listens: {log.read_text()}")
    yield start
    for daemon in daemons:
        daemon.stop()


@pytest.fixture(scope="session")
def certificate(pair):
    """A key and a certificate of nobody's, for TLS inside of the tunnel."""
    key, cert = pair.home / "tls.key", pair.home / "tls.crt"
    done(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
          "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=peer",
          "-keyout", key, "-out", cert])
    return key, cert


# --- Node ---


@pytest.fixture(scope="session")
def nodes(pair, serve):
    """Node's servers of both versions on vm2."""
    node = program("node")
    for name in ("node", "node2"):
        serve(name, node, HERE / "peer.js", "serve", VERSIONS[name],
              pair.service.loopback, home_port(name))


def calls(pair, version, port, upload=1 << 20):
    """What Node's client of a version saw at a port of vm3."""
    ran = pair.app.run("node", HERE / "peer.js", "call", version,
                       pair.app.loopback, port, upload)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def whole(version):
    """What is to be seen of a server of that version."""
    return {"get": [200, "GET /a?b=c", {"1": "1.1", "2": "2.0"}[version]],
            "missing": 404, "echo": [200, True], "pieces": 20,
            "trailer": "841a2d68", "many": 100}
