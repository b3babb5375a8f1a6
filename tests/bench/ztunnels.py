# SPDX-License-Identifier: Apache-2.0
"""ztunnels — a pair of Istio's, each in a network of its own.

Its port of tunnels is fixed, so two need two networks; a veth whose frames are
as large as loopback's joins them. A program calls the service's address at the
port that ztunnel has for what was captured: without a redirect in the kernel
that is where the connection was made to.
"""

import os

import peers
from machine import LOAD_CORE, PROXY_CORE, wait_for

IPS = {"client": "10.97.0.1", "server": "10.97.0.2"}
VIP = "10.98.0.1"
CAPTURED = 15001

WORKLOAD = """\
- uid: c//v1/Pod/default/{side}
  name: {side}
  namespace: default
  serviceAccount: {side}
  workloadIps: ["{ip}"]
  trustDomain: cluster.local
  protocol: HBONE
  node: {side}
  network: ""
  services: {services}
"""
SERVICE = """\
services:
- name: app
  namespace: default
  hostname: app.example
  vips: ["/{vip}"]
  ports: {{{captured}: {port}}}
policies: []
"""


class Net:
    """A network that lives as long as its first program."""

    def __init__(self, stage, side):
        self.stage, self.side, self.ip = stage, side, IPS[side]
        own = os.readlink("/proc/self/ns/net")
        self.pid = stage.start(f"net-{side}", [
            "unshare", "--net", "sleep", "infinity"], LOAD_CORE).pid
        wait_for(lambda: os.readlink(f"/proc/{self.pid}/ns/net") != own,
                 "a network of its own")

    def enter(self, *words):
        return ["nsenter", "-t", str(self.pid), "-n", *words]

    def run(self, *words, core=LOAD_CORE):
        return self.stage.run(self.enter(*words), core)

    def start(self, name, words, core, env=None):
        return self.stage.start(name, self.enter(*words), core, env)


def join(stage, nets):
    client, server = nets
    stage.run(["ip", "link", "add", "veth0", "mtu", "65535", "netns",
               str(client.pid), "type", "veth", "peer", "name", "veth0", "mtu",
               "65535", "netns", str(server.pid)], LOAD_CORE)
    for net in nets:
        net.run("ip", "link", "set", "lo", "up")
        net.run("ip", "addr", "add", f"{net.ip}/24", "dev", "veth0")
        net.run("ip", "link", "set", "veth0", "up")
    client.run("ip", "addr", "add", f"{VIP}/32", "dev", "lo")


def start(stage, binary, port):
    """Two networks and their ztunnels; the second has the service's port."""
    nets = [Net(stage, side) for side in IPS]
    join(stage, nets)
    config = stage.write("ztunnel.yaml", "workloads:\n" + "".join(
        WORKLOAD.format(side=net.side, ip=net.ip, services=services)
        for net, services in zip(nets, (
            "{}", f'{{"default/app.example": {{{CAPTURED}: {port}}}}}'))) +
                         SERVICE.format(vip=VIP, captured=CAPTURED, port=port))
    programs = []
    for net in nets:
        env = {**os.environ, "FAKE_CA": "true", "XDS_ADDRESS": "",
               "LOCAL_XDS_PATH": config, "PROXY_MODE": "dedicated",
               "PROXY_WORKLOAD_INFO": f"default/{net.side}/{net.side}",
               "NODE_NAME": net.side, "ENABLE_ORIG_SRC": "false",
               "ZTUNNEL_WORKER_THREADS": "1", "IPV6_ENABLED": "false",
               "RUST_LOG": "error"}
        programs.append(net.start(f"ztunnel-{net.side}", [binary], PROXY_CORE,
                                  env))
    return nets, programs


def find():
    return peers.find("ztunnel")
