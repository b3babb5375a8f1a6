# SPDX-License-Identifier: Apache-2.0
"""The PROXY protocol with HAProxy before a gateway, and nginx behind one."""

import pytest

from conftest import Daemon, answers
from mesh import wait_for

ISTIO = "apiVersion: networking.istio.io/v1\n"

GATEWAY = f"""\
apiVersion: meshd.dev/v1
kind: MeshConfig
metadata: {{name: default}}
spec: {{defaultConfig: {{gatewayTopology: {{proxyProtocol: {{}}}}}}}}
---
{ISTIO}kind: Gateway
metadata: {{name: edge}}
spec:
  selector: {{istio: ingressgateway}}
  servers: [{{port: {{number: 8000, name: http, protocol: HTTP}}, hosts: ['*']}}]
---
{ISTIO}kind: VirtualService
metadata: {{name: edge}}
spec:
  gateways: [edge]
  hosts: ['*']
  http:
  - match: [{{uri: {{prefix: /told}}}}]
    route: [{{destination: {{host: told}}}}]
  - route: [{{destination: {{host: web}}}}]
"""


def rule(version):
    return (f"---\n{ISTIO}kind: DestinationRule\nmetadata: {{name: told}}\n"
            f"spec: {{host: told, trafficPolicy: {{proxyProtocol: "
            f"{{version: {version}}}}}}}\n")


def start_haproxy(mesh, home, port, sends):
    home.mkdir()
    conf = home / "haproxy.cfg"
    at = mesh.net.join(mesh.vm4.machine.ip, 8000)
    conf.write_text(
        "defaults\n  mode tcp\n  timeout connect 20s\n  timeout client 60s\n"
        "  timeout server 60s\n"
        f"frontend in\n  bind {mesh.app.at(port)}\n  default_backend out\n"
        f"backend out\n  server gateway {at} {sends}\n")
    return Daemon(mesh.app, ["haproxy", "-db", "-f", conf],
                  home / "haproxy.log")


WAYS = {"send-proxy": 8101, "send-proxy-v2": 8102,
        "send-proxy-v2 proxy-v2-options crc32c,unique-id": 8103}


@pytest.fixture(scope="module")
def behind(mesh, tmp_path_factory):
    """HAProxies on vm3 before a gateway on vm4, each of a way to say it."""
    home = tmp_path_factory.mktemp("haproxy")
    mesh.vm4 = mesh.member(4, role="gateway")
    mesh.apply(GATEWAY + rule("V1"))
    for name in ("web", "told"):
        mesh.vm4.sees(name, 1)
    daemons = [start_haproxy(mesh, home / str(port), port, sends)
               for sends, port in WAYS.items()]
    try:
        for port in WAYS.values():
            wait_for(lambda p=port: answers(mesh.app, p), "HAProxy listens")
        yield mesh
    finally:
        for daemon in daemons:
            daemon.stop()
        mesh.vm4.stop()
        mesh.agents.remove(mesh.vm4)
        mesh.cli.ok("node", "revoke", "vm4")
        mesh.reset()


def curl(mesh, port, path, *words):
    """The answer, and the port from which curl called."""
    done = mesh.app.run(
        "curl", "-sS", "--max-time", "60", "-w", "\n%{local_port}", *words,
        f"http://{mesh.app.at(port)}{path}")
    assert done.returncode == 0, done.stderr
    return done.stdout.rsplit("\n", 1)


@pytest.mark.parametrize("port", WAYS.values(), ids=WAYS)
def test_haproxy_says_whom_it_brings(behind, port):
    assert curl(behind, port, "/xff")[0] == behind.app.loopback


@pytest.mark.parametrize("version", ["V1", "V2"])
@pytest.mark.parametrize("port", WAYS.values(), ids=WAYS)
def test_nginx_is_told_whom_haproxy_brought(behind, port, version):
    behind.apply(rule(version))
    told, local = curl(behind, port, "/told")
    loopback = behind.app.loopback
    assert told == f"{loopback} {local} {loopback} {port}"


def test_two_clients_share_no_connection_to_nginx(behind):
    behind.apply(rule("V2"))
    answered = {curl(behind, 8102, "/told/connection")[0] for _ in range(3)}
    assert len(answered) == 3
    out = curl(behind, 8102, "/told/connection?[1-5]", "-w", " ")[0]
    assert len(set(out.split())) == 1, out
