# SPDX-License-Identifier: Apache-2.0
"""streams — one server and the control streams of very many agents.

The agents are those of swarm.c: real streams, each with a certificate of its
own, in one process. Times are from before the change is sent, or the server's
process is started, to the last agent's answer.
"""

import json
import os
import select
import statistics
import sys
import time

from machine import LOAD_CORE, PROXY_CORE
from mesh import Mesh
from rows import Goal, Row

AGENTS = (100, 300, 1000)  # 1x, 3x, 10x
SERVICES = 1000
HOSTS = 19  # that an agent calls, besides service-0
CHANGES = 10  # for each repetition
DOWN = (0, 0, 8)  # seconds that the server is away
DEADLINE = 60

SERVICE = """apiVersion: v1
kind: Service
metadata: {{name: service-{0}}}
spec:
  selector: {{app: service-{0}}}
  ports: [{{name: http, port: 80, targetPort: 8080}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: service-{0}}}
spec:
  host: service-{0}
  subsets: [{{name: v1, labels: {{version: v1}}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: service-{0}}}
spec:
  hosts: [service-{0}]
  http: [{{route: [{{destination: {{host: service-{0}}}}}]}}]
---
"""


def endpoint(address):
    """Ten endpoints, as somebody writes them down, of which one is this."""
    addresses = [f"10.1.0.{n}" for n in range(9)]
    addresses.insert(5, address)
    return {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
            "metadata": {"name": "entry", "namespace": "default"},
            "spec": {"hosts": ["service-0.default.svc.mesh.internal"],
                     "ports": [{"number": 80, "name": "http",
                                "protocol": "HTTP"}],
                     "resolution": "STATIC",
                     "endpoints": [{"address": a} for a in addresses]}}


def route(service, timeout):
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": service, "namespace": "default"},
            "spec": {"hosts": [service], "http": [
                {"timeout": f"{timeout}s", "route": [
                    {"destination": {"host": service}}]}]}}


class Swarm:
    def __init__(self, stage, settings, token, agents):
        self.agents = agents
        self.program = stage.start(
            "swarm", [os.path.join(settings.build, "tests", "bench", "swarm"),
                      token, str(agents), str(SERVICES), str(HOSTS)],
            LOAD_CORE, pipes=True)
        self.text = b""

    def line(self):
        """The next line that it prints, within the deadline."""
        out = self.program.popen.stdout
        until = time.monotonic() + DEADLINE
        while b"\n" not in self.text:
            left = until - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                raise RuntimeError(f"in {DEADLINE} s the swarm said nothing")
            more = os.read(out.fileno(), 65536)
            if not more:
                raise RuntimeError(f"the swarm ended: {self.program.tail()}")
            self.text += more
        line, self.text = self.text.split(b"\n", 1)
        return json.loads(line)

    def wait(self, what):
        """The line that has `what`; those before it are passed over."""
        while True:
            line = self.line()
            if what in line:
                return line

    def expect(self, count):
        self.program.popen.stdin.write(b"expect %d\n" % count)
        self.program.popen.stdin.flush()
        self.wait("ready")


def apply(mesh, document):
    mesh.local.post("/v1/apply", {"documents": [document]})


def change(mesh, swarm, document):
    """Milliseconds to the last answer, the server's CPU, bytes an agent."""
    swarm.expect(swarm.agents)
    cpu = mesh.server.cpu_s()
    begin = time.monotonic()
    apply(mesh, document)
    said = swarm.wait("answers")
    return ((said["last_us"] / 1e6 - begin) * 1000,
            (mesh.server.cpu_s() - cpu) * 1000,
            said["bytes"] / swarm.agents)


def untouched(mesh, count):
    """Milliseconds of the server for a change that concerns no agent."""
    took = []
    for n in range(count):
        cpu = mesh.server.cpu_s()
        apply(mesh, route(f"service-{SERVICES}", n + 1))
        time.sleep(0.02)
        took.append((mesh.server.cpu_s() - cpu) * 1000)
    return statistics.median(took)


def restart(mesh, swarm, down):
    """Milliseconds from the new server's start to the last agent current."""
    mesh.server.stop()
    time.sleep(down)  # the longer, the later each agent looks again
    begin = time.monotonic()
    mesh.server = mesh.start_server(PROXY_CORE)
    mesh.local.connection = None
    return (swarm.wait("synced")["us"] / 1e6 - begin) * 1000


def p99(values):
    return sorted(values)[len(values) * 99 // 100]


def measure(settings, agents):
    with settings.stage() as stage:
        mesh = Mesh(stage, settings.meshd, core=PROXY_CORE)
        mesh.apply("".join(SERVICE.format(n) for n in range(SERVICES + 1)))
        swarm = Swarm(stage, settings, mesh.token(agents), agents)
        swarm.wait("synced")
        rounds = CHANGES * settings.repetitions
        routes = [change(mesh, swarm, route("service-0", n + 1))
                  for n in range(rounds)]
        ends = [change(mesh, swarm, endpoint(f"10.0.0.{n + 1}"))
                for n in range(rounds)]
        rss = mesh.server.rss_kib() / 1024
        idle = untouched(mesh, rounds)
        starts = [restart(mesh, swarm, down) for down in DOWN]
        peak = mesh.server.peak_kib() / 1024
    return {"applied to the last answer, p99": p99([r[0] for r in routes]),
            "server's CPU of that change":
            statistics.median(r[1] for r in routes),
            "bytes of one route's change, an agent":
            statistics.median(r[2] for r in routes),
            "bytes of one endpoint's change of ten, an agent":
            statistics.median(r[2] for r in ends[1:]),
            "server's CPU of a change for none of them": idle,
            "RSS: server": rss,
            "RSS: server, at most while all come back": peak,
            "server started again, to the last one current": max(starts)}


def streams(settings):
    found = {}
    for agents in AGENTS:
        values = measure(settings, agents)
        for what, value in values.items():
            print(f"bench: streams: {agents:5} agents: {what}: {value:.4g}",
                  file=sys.stderr, flush=True)
            found[f"{agents} agents: {what}"] = (value, None)
    return found


def goal(what, unit, must, aim):
    return Goal(f"{AGENTS[-1]} agents: {what}", unit, must, aim, issue="C")


ROW = Row("streams", streams, (
    goal("applied to the last answer, p99", "ms", 1000, 300),
    goal("server's CPU of that change", "ms", 2000, 300),
    goal("server's CPU of a change for none of them", "ms", 20, 5),
    goal("RSS: server", "MiB", 300, 100),
    goal("RSS: server, at most while all come back", "MiB", 300, 100),
    goal("server started again, to the last one current", "ms", 15000, 5000),
    goal("bytes of one route's change, an agent", "B", 1000, 200),
    goal("bytes of one endpoint's change of ten, an agent", "B", 1000, 200)),
    "real streams of one process; bytes are both ways, TLS's included")
