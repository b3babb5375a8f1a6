# SPDX-License-Identifier: Apache-2.0
"""answers — names: an agent's beside those that dnsmasq and unbound keep."""

import json
import os
import socket
import struct
import threading

import peers
from machine import LOAD_CORE, wait_for
from mesh import Mesh
from rows import Goal, Row, in_turns

AGENT_PORT, DNSMASQ_PORT, UNBOUND_PORT, WORLD_PORT = 15053, 5301, 5302, 5300
LOCAL = "127.0.0.1"
NAME, KEPT = "web.default.svc.mesh.internal", "web.default.example.org"
UNBOUND = """server:
  interface: {ip}@{port}
  do-not-query-localhost: no
  num-threads: 1
  chroot: ""
  username: ""
  pidfile: ""
  directory: "{folder}"
  module-config: "iterator"
  use-syslog: no
  so-reuseport: no
forward-zone:
  name: "."
  forward-addr: {ip}@{world}
"""


def serve_world():
    """A name server for which every name is at one address, for an hour."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((LOCAL, WORLD_PORT))

    def answer():
        while True:
            wire, peer = sock.recvfrom(4096)
            end = 12
            while wire[end]:
                end += wire[end] + 1
            sock.sendto(wire[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0) +
                        wire[12:end + 5] + b"\xc0\x0c" + struct.pack(
                            "!HHIH4s", 1, 1, 3600, 4, b"\xc0\0\2\1"), peer)
    threading.Thread(target=answer, daemon=True).start()


def load(stage, build, port, name, seconds, program):
    """Answers a second of the program's time on a core."""
    before = program.cpu_s()
    told = json.loads(stage.run(
        [os.path.join(build, "tests", "bench", "asks"), LOCAL, str(port),
         name, str(seconds)], LOAD_CORE, seconds + 60))
    return {"per_s": told["answers"] / (program.cpu_s() - before)}


def start_agent(stage, settings):
    mesh = Mesh(stage, settings.meshd)
    agent = mesh.agent(1, mesh.token(1), dns=(
        "--dns", f"{LOCAL}:{AGENT_PORT}",
        "--dns-upstream", f"{LOCAL}:{WORLD_PORT}")).joined()
    wait_for(lambda: json.loads(agent.local.command(
        "status", "-o", "json"))["state"] == "running", "the agent runs")
    agent.expose("web", 80, "127.0.0.1:18080", "http")
    wait_for(lambda: json.loads(agent.local.command(
        "dns", "query", NAME, "-o", "json"))["result"] == "mesh",
             "the name is answered")
    return agent.program


def start_peers(stage):
    dnsmasq = stage.start("dnsmasq", [
        peers.find("dnsmasq"), "--keep-in-foreground", "--conf-file=/dev/null",
        f"--port={DNSMASQ_PORT}", f"--listen-address={LOCAL}",
        "--bind-interfaces", "--no-resolv", "--no-hosts", "--user=root",
        "--pid-file=", f"--server={LOCAL}#{WORLD_PORT}"], 0)
    conf = stage.write("unbound.conf", UNBOUND.format(
        ip=LOCAL, port=UNBOUND_PORT, world=WORLD_PORT, folder=stage.folder))
    unbound = stage.start("unbound", [peers.find("unbound"), "-d", "-c", conf],
                          0)
    return (dnsmasq.wait_port(LOCAL, DNSMASQ_PORT),
            unbound.wait_port(LOCAL, UNBOUND_PORT))


def names(settings):
    with settings.stage() as stage:
        serve_world()
        agent = start_agent(stage, settings)
        dnsmasq, unbound = start_peers(stage)

        def side(port, name, program):
            return lambda s: load(
                stage, settings.build, port, name, s, program)
        ours, kept, by_dnsmasq, by_unbound = (
            told["per_s"] for told in in_turns(
                settings, side(AGENT_PORT, NAME, agent),
                side(AGENT_PORT, KEPT, agent),
                side(DNSMASQ_PORT, KEPT, dnsmasq),
                side(UNBOUND_PORT, KEPT, unbound)))
    return {MEASURE.format("dnsmasq"): (ours, by_dnsmasq),
            MEASURE.format("unbound"): (ours, by_unbound),
            KEPT_MEASURE: (kept, max(by_dnsmasq, by_unbound))}


MEASURE = "DNS, names of the mesh: answers a second a core, as {}"
KEPT_MEASURE = "DNS, kept answers of others: a second a core"

ROW = Row("names", names, (
    Goal(MEASURE.format("dnsmasq"), "", 1, 2, "dnsmasq, kept names",
         ratio=True, more=True, issue="E"),
    Goal(MEASURE.format("unbound"), "", 1, 2, "unbound, kept names",
         ratio=True, more=True, issue="E"),
    Goal(KEPT_MEASURE, "", 1, 2, "the better of both", ratio=True, more=True,
         issue="E")),
    "one A each over UDP, no log; both sides count; theirs are in the cache")
