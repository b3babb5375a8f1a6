# SPDX-License-Identifier: Apache-2.0
"""Istio's ztunnel on either end of a tunnel, under a root that both have.

ZTUNNEL names the program. It is told of workloads by a file, and gets its
certificates from a CA that speaks as Istio's does (authority.py).
"""

import os
import pathlib
import shutil
import tempfile

import pytest

from mesh import Daemon, Mesh, Web, answers, wait_for
import authority
from conftest import program

pytestmark = pytest.mark.xdist_group("ztunnel")

DOMAIN = "cluster.local"
VIP = "10.98.0.1"  # of our service, at ztunnel's machine
CAPTURED = 15001   # where ztunnel takes what programs send

WORKLOADS = """\
workloads:
- uid: c//v1/Pod/default/zt
  name: zt
  namespace: default
  serviceAccount: zt
  workloadIps: ["{own}"]
  trustDomain: cluster.local
  protocol: HBONE
  node: b
  network: ""
  services: {{}}
- uid: c//v1/Pod/default/vm2
  name: vm2
  namespace: default
  serviceAccount: default
  workloadIps: ["{peer}"]
  trustDomain: cluster.local
  protocol: HBONE
  node: a
  network: ""
  services:
    "default/web.example": {{{captured}: 80}}
services:
- name: web
  namespace: default
  hostname: web.example
  vips: ["/{vip}"]
  ports: {{{captured}: 80}}
policies: []
"""

ENTRY = """\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: zt, namespace: default}}
spec:
  hosts: [zt.example]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{{number: 8090, name: {protocol}, protocol: {protocol}}}]
  endpoints:
  - address: {address}
    serviceAccount: {account}
    labels: {{networking.istio.io/tunnel: http}}
"""


class Rig:
    """vm2 runs an agent of ours, machine 3 a ztunnel; both have a service."""

    def __init__(self, mesh, folder, root):
        self.mesh, self.ours, self.theirs = mesh, *mesh.net.machines[1:3]
        self.folder, self.root = folder, root
        self.daemons = []
        self.authority = None

    def start(self, ztunnel):
        self.mesh.web(2, 8080, "ours")
        self.agent = self.mesh.member(
            2, "--upstream", f"zt={self.ours.at(9000)}/zt.example:8090")
        self.agent.expose("web", f"80:{self.ours.at(8080)}",
                          "--protocol", "http")
        self.agent.sees("web", 1)
        web = Web(self.theirs, 8090, "theirs", ip=self.theirs.ip)
        self.mesh.services.append(web)
        self.authority, port = authority.serve(self.root, self.theirs)
        self.theirs.run("ip", "addr", "add", f"{VIP}/32", "dev", "lo")
        config = self.folder / "ztunnel.yaml"
        config.write_text(WORKLOADS.format(
            own=self.theirs.ip, peer=self.ours.ip, captured=CAPTURED,
            vip=VIP))
        (self.folder / "token").write_text("token")
        settings = {
            "XDS_ADDRESS": "", "LOCAL_XDS_PATH": config,
            "PROXY_MODE": "dedicated", "NODE_NAME": "b",
            "PROXY_WORKLOAD_INFO": "default/zt/zt",
            "ENABLE_ORIG_SRC": "false", "IPV6_ENABLED": "false",
            "CA_ADDRESS": f"https://localhost:{port}",
            "CA_ROOT_CA": self.folder / "root.pem",
            "AUTH_TOKEN": self.folder / "token", "TRUST_DOMAIN": DOMAIN,
            "RUST_LOG": "info", "ZTUNNEL_WORKER_THREADS": 1}
        self.daemons.append(Daemon(
            self.theirs, ["env", *(f"{k}={v}" for k, v in settings.items()),
                          ztunnel], self.folder / "ztunnel.log"))
        wait_for(lambda: answers(self.theirs, 15021), self.log)

    def log(self):
        return (self.folder / "ztunnel.log").read_text(errors="replace")

    def stop(self):
        for daemon in self.daemons:
            daemon.stop()
        if self.authority is not None:
            self.authority.stop(0).wait()

    def entry(self, protocol, account="zt"):
        self.mesh.apply(ENTRY.format(protocol=protocol, account=account,
                                     address=self.theirs.ip))


@pytest.fixture(scope="module")
def rig():
    ztunnel = program(os.environ.get("ZTUNNEL", "ztunnel"),
                      "PEERS=, a folder with bin/ztunnel")
    pytest.importorskip("grpc", reason="python3-grpcio is not there; see: "
                        "./bootstrap interop")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="meshd-ztunnel-"))
    root = authority.Authority(DOMAIN)
    cert, key = root.write(folder)
    try:
        with Mesh(folder, 4, machines=3, init=(
                "--trust-domain", DOMAIN, "--ca-cert", cert,
                "--ca-key", key)) as mesh:
            it = Rig(mesh, folder, root)
            try:
                it.start(ztunnel)
                yield it
            finally:
                it.stop()
    finally:
        shutil.rmtree(folder)


def text(answer):
    return answer.status, answer.json()["text"]


def test_ztunnel_calls_us(rig):
    answer = rig.theirs.fetch(CAPTURED, "/x", ip=VIP)
    assert text(answer) == (200, "ours"), rig.log()


def test_what_ztunnel_sends_up_and_down_is_whole(rig):
    body = os.urandom(5 << 20).hex()
    answer = rig.theirs.fetch(CAPTURED, method="POST", body=body, ip=VIP)
    assert answer.json()["body"] == body


@pytest.mark.parametrize("protocol", ["HTTP", "TCP"])
def test_we_call_ztunnel(rig, protocol):
    rig.entry(protocol)
    assert text(rig.ours.fetch(9000, "/x")) == (200, "theirs"), rig.log()
    body = os.urandom(5 << 20).hex()
    answer = rig.ours.fetch(9000, method="POST", body=body)
    assert answer.json()["body"] == body


def test_ztunnel_knows_who_calls(rig):
    """It tells of a connection when that is over."""
    rig.entry("TCP")
    rig.ours.fetch(9000, "/x")
    wait_for(lambda: any(
        f'src.identity="spiffe://{DOMAIN}/ns/meshd-nodes/sa/vm2"' in line
        and f'dst.identity="spiffe://{DOMAIN}/ns/default/sa/zt"' in line
        for line in rig.log().splitlines()), rig.log)


def test_another_account_is_not_ztunnels(rig):
    rig.entry("HTTP", account="other")
    answer = rig.ours.fetch(9000, "/x")
    assert answer.status == 503
    assert b"spiffe://cluster.local/ns/default/sa/zt" in answer.body
