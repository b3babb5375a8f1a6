# SPDX-License-Identifier: Apache-2.0
"""rows — what is measured, how, and what it has to be.

A row is a function that gives {measure: (ours, peer's value or None)}, and a
goal for each measure. An issue adds functions, and lines to ROWS.
"""

import dataclasses
import json
import os
import statistics
import subprocess
import time
import urllib.request

import peers
from machine import LOAD_CORE, PROXY_CORE, Stage, is_listening, wait_for
from mesh import Mesh
from hold import ask, ask_h2, context_of, hold, open_tunnel

WEB = "127.0.0.1:18080"
FRONT = ("127.0.0.1", 9000)
FRONT_BULK = ("127.0.0.1", 9001)


@dataclasses.dataclass(frozen=True)
class Goal:
    measure: str
    unit: str
    must: float
    aim: float
    peer: str = ""
    ratio: bool = False  # of ours to the peer's; else must and aim are ours
    more: bool = False   # more is better
    issue: str = "A"


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    measure: object
    goals: tuple
    same: str  # what is alike on both sides


class LeftOut(Exception):
    """A row that has nothing to measure, and why."""


@dataclasses.dataclass
class Settings:
    meshd: str
    build: str
    seconds: int
    repetitions: int
    connections: int
    keep: bool
    corpus: str    # folders of configuration; empty: none
    istioctl: str  # where it is, if it is

    def stage(self):
        return Stage(self.keep)


def medians(samples):
    """Of each key, over a list of dictionaries."""
    return {key: statistics.median(s[key] for s in samples)
            for key in samples[0]}


def in_turns(settings, *sides):
    """Each side's loads, one after the other, and their medians."""
    samples = [[] for _ in sides]
    for side in sides:
        side(1)  # connections are open, memory is there
    for _ in range(settings.repetitions):
        for taken, side in zip(samples, sides):
            taken.append(side(settings.seconds))
    return [medians(s) for s in samples]


def fetch(where, path="/", host=None):
    """The status of one request; OSError while nobody is there."""
    request = urllib.request.Request(
        f"http://{where[0]}:{where[1]}{path}",
        headers={"Host": host} if host else {})
    with urllib.request.urlopen(request, timeout=5) as answer:
        answer.read()
        return answer.status


# --- HTTP through one agent ---

def start_alone(stage, settings):
    """An agent that passes FRONT on to the application."""
    peers.start_app(stage)
    mesh = Mesh(stage, settings.meshd)
    agent = mesh.agent(1, mesh.token(1), ["web=127.0.0.1:9000"]).joined()
    agent.expose("web", 80, WEB, "http")
    wait_for(lambda: fetch(FRONT) == 200, "a request is served")
    return agent


def http_plain(settings):
    with settings.stage() as stage:
        agent = start_alone(stage, settings)
        haproxy = peers.start_haproxy(stage)
        ours, theirs = in_turns(
            settings,
            lambda s: peers.wrk(stage, FRONT, "/", settings.connections, s,
                                [agent.program]),
            lambda s: peers.wrk(
                stage, ("127.0.0.1", peers.HAPROXY_PORT), "/",
                settings.connections, s, [haproxy]))
    return {"HTTP/1.1, one agent, plain: CPU a request":
            (ours["us"], theirs["us"]),
            "HTTP/1.1, one agent, plain: p99 at full load":
            (ours["p99_us"], theirs["p99_us"])}


H2_CONNECTIONS = 16


def http2_plain(settings):
    """The service speaks HTTP/1.1."""
    with settings.stage() as stage:
        agent = start_alone(stage, settings)
        sides = [(FRONT, agent.program),
                 (("127.0.0.1", peers.HAPROXY_H2_PORT),
                  peers.start_haproxy(stage)),
                 (("127.0.0.1", peers.ENVOY_PORT), peers.start_envoy_alone(
                     stage, peers.find_envoy(settings.build)))]
        ours, haproxy, envoy = in_turns(settings, *(
            lambda s, side=side: peers.h2load(
                stage, side[0], H2_CONNECTIONS, s, [side[1]])
            for side in sides))
    return {"HTTP/2, one agent, plain: CPU a request":
            (ours["us"], haproxy["us"]),
            "HTTP/2, one agent, plain: CPU a request, beside Envoy":
            (ours["us"], envoy["us"])}


# --- through a pair ---

def start_pair(stage, settings):
    """Two agents; what the second's upstreams reach the first offers."""
    peers.start_app(stage)
    agents = Mesh(stage, settings.meshd).pair({
        "web": (80, "http", WEB, "127.0.0.1:9000"),
        "bulk": (81, "tcp", WEB, "127.0.0.1:9001")})
    wait_for(lambda: fetch(FRONT) == 200, "a request is served")
    wait_for(lambda: fetch(FRONT_BULK) == 200, "a connection is served")
    return agents


def http_pair(settings):
    with settings.stage() as stage:
        agents = start_pair(stage, settings)
        envoys = peers.start_envoy_pair(
            stage, peers.find_envoy(settings.build))
        ours, theirs = in_turns(
            settings,
            lambda s: peers.wrk(stage, FRONT, "/", settings.connections, s,
                                agents),
            lambda s: peers.wrk(stage, ("127.0.0.1", peers.ENVOY_PORT), "/",
                                settings.connections, s, envoys))
    return {"HTTP/1.1, a pair, mTLS: CPU a request":
            (ours["us"], theirs["us"])}


def bulk_pair(settings):
    with settings.stage() as stage:
        agents = start_pair(stage, settings)
        envoys = peers.start_envoy_pair(
            stage, peers.find_envoy(settings.build))
        ours, theirs = in_turns(
            settings,
            lambda s: peers.wrk(stage, FRONT_BULK, "/bulk", 1, s, agents),
            lambda s: peers.wrk(stage, ("127.0.0.1", peers.BULK_PORT),
                                "/bulk", 1, s, envoys))
    return {"TCP, a pair, mTLS: bytes a CPU second":
            (ours["gb_per_s"], theirs["gb_per_s"])}


# --- TLS ----------------------------------------------------------------------------

def handshakes(settings):
    programs = os.path.join(settings.build, "tests", "bench")
    with settings.stage() as stage:
        out = json.loads(stage.run(
            [os.path.join(programs, "handshakes"),
             os.path.join(programs, "other_tls.so"),
             str(max(settings.seconds // 2, 1)), str(settings.repetitions)],
            PROXY_CORE, 600))
    return {"full mutual handshakes a CPU second, both ends":
            (out["ours"], out["other"]),
            "resumed handshakes a CPU second, both ends":
            (out["ours_resumed"], out["other_resumed"])}


# --- memory ---

IDLE_CONNECTIONS = 2000
SERVICES = 1000


def memory(settings):
    """An agent that has joined, the same with idle clients, and Envoy."""
    with settings.stage() as stage:
        peers.start_app(stage)
        mesh = Mesh(stage, settings.meshd)
        agent = mesh.agent(1, mesh.token(1), ["web=127.0.0.1:9000"]).joined()
        time.sleep(2)
        idle = agent.program.rss_kib()
        agent.expose("web", 80, WEB, "http")
        wait_for(lambda: fetch(FRONT) == 200, "a request is served")
        ours = a_connection(agent.program, FRONT)
        envoy = peers.start_envoy_alone(
            stage, peers.find_envoy(settings.build))
        time.sleep(2)
        envoy_idle = envoy.rss_kib()
        theirs = a_connection(envoy, ("127.0.0.1", peers.ENVOY_PORT))
    return {"RSS: idle agent": (idle / 1024, envoy_idle / 1024),
            "RSS: a further idle client connection, plain": (ours, theirs)}


def a_connection(program, where, open_one=ask):
    """KiB for each of IDLE_CONNECTIONS that asked once and stay open."""
    with hold(where, 100, open_one):
        pass  # what the first connections bring in is not counted
    before = program.rss_kib()
    with hold(where, IDLE_CONNECTIONS, open_one):
        time.sleep(1)
        return (program.rss_kib() - before) / IDLE_CONNECTIONS


def memory_h2(settings):
    """Programs that held nothing else before."""
    with settings.stage() as stage:
        agent = start_alone(stage, settings)
        envoy = peers.start_envoy_alone(
            stage, peers.find_envoy(settings.build))
        return {"RSS: a further idle HTTP/2 client connection, plain": (
            a_connection(agent.program, FRONT, ask_h2),
            a_connection(envoy, ("127.0.0.1", peers.ENVOY_PORT), ask_h2))}


def tunnels(settings):
    """Each is a connection of its own, as from so many machines."""
    with settings.stage() as stage:
        mesh = Mesh(stage, settings.meshd)
        token = mesh.token(2)
        agent = mesh.agent(1, token).joined()
        mesh.agent(2, token, core=LOAD_CORE).joined()
        caller = stage.path("agent2")
        wait_for(lambda: os.path.exists(f"{caller}/node.pem"),
                 "the caller's certificate")
        context = context_of(caller)
        wait_for(lambda: is_listening(agent.address, 15008),
                 "the agent takes tunnels")
        return {"RSS: a further idle tunnel, inbound": (
            a_connection(agent.program, (agent.address, 15008),
                         lambda where: open_tunnel(where, context)), None)}


SERVICE = """apiVersion: v1
kind: Service
metadata: {{name: service-{0}}}
spec:
  selector: {{app: service-{0}}}
  ports: [{{name: http, port: 80}}]
---
"""


def server_memory(settings):
    with settings.stage() as stage:
        mesh = Mesh(stage, settings.meshd)
        mesh.apply("".join(SERVICE.format(i) for i in range(SERVICES)))
        mesh.agent(1, mesh.token(1)).joined()
        time.sleep(2)
        return {f"RSS: server with {SERVICES} services":
                (mesh.server.rss_kib() / 1024, None)}


# --- times ---

def first_request(start):
    """Milliseconds from before `start` to the first 200."""
    begin = time.monotonic()
    program = start()
    wait_for(lambda: fetch(FRONT) == 200, "a request is served", every=0.001)
    return (time.monotonic() - begin) * 1000, program


def starting(settings):
    """Joining, and starting again with the server dead, to a remote service."""
    joins, starts = [], []
    rounds = settings.repetitions + 2
    with settings.stage() as stage:
        peers.start_app(stage)
        mesh = Mesh(stage, settings.meshd)
        token = mesh.token(rounds + 1)
        offers = mesh.agent(1, token, core=LOAD_CORE).joined()
        offers.expose("web", 80, WEB, "http")
        upstream = ["web=127.0.0.1:9000"]
        for number in range(2, rounds + 2):
            took, agent = first_request(
                lambda n=number: mesh.agent(n, token, upstream))
            joins.append(took)
            agent.program.stop()
        mesh.server.stop()
        for _ in range(rounds):
            took, agent = first_request(
                lambda: mesh.agent(2, None, upstream))
            starts.append(took)
            agent.program.stop()
    return {"start to serving from the last configuration":
            (statistics.median(starts), None),
            "join to first request served": (statistics.median(joins), None)}


AGENTS = 10
ROUTE = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
         "metadata": {"name": "web", "namespace": "default"}}


def apply_route(mesh, number):
    """The revision that a new route got."""
    spec = {"hosts": ["web"], "http": [
        {"timeout": f"{number + 1}s",
         "route": [{"destination": {"host": "web"}}]}]}
    return mesh.local.post("/v1/apply",
                           {"documents": [{**ROUTE, "spec": spec}]})["revision"]


def propagation(settings):
    """From sending the change to the last agent's word that it is in force."""
    took = []
    with settings.stage() as stage:
        mesh = Mesh(stage, settings.meshd)
        token = mesh.token(AGENTS)
        mesh.apply(SERVICE.format(0).replace("service-0", "web"))
        for number in range(1, AGENTS + 1):
            mesh.agent(number, token, core=number % 2).joined()

        def in_force(revision):
            rows = mesh.local.get("/v1/agents")["items"]
            return len(rows) == AGENTS and all(
                r["revision"] >= revision for r in rows)

        for number in range(20 * settings.repetitions):
            begin = time.monotonic()
            revision = apply_route(mesh, number)
            wait_for(lambda r=revision: in_force(r),
                     "all agents have the route", every=0.001)
            took.append((time.monotonic() - begin) * 1000)
            time.sleep(0.05)
    return {f"applied to in force on {AGENTS} agents, p99":
            (sorted(took)[len(took) * 99 // 100], None)}


# --- the table ---

LEAN = ("no access log on either side; each keeps its own counters; no "
        "access policy")
ROWS = (
    Row("http-plain", http_plain, (
        Goal("HTTP/1.1, one agent, plain: CPU a request", "us", 1.1, 0.85,
             "HAProxy, 1 thread", ratio=True),
        Goal("HTTP/1.1, one agent, plain: p99 at full load", "us", 1.2, 0.9,
             "HAProxy, 1 thread", ratio=True)), LEAN),
    Row("http2-plain", http2_plain, (
        Goal("HTTP/2, one agent, plain: CPU a request", "us", 1, 0.8,
             "HAProxy, 1 thread", ratio=True, issue="D"),
        Goal("HTTP/2, one agent, plain: CPU a request, beside Envoy", "us",
             0.5, 0.25, "Envoy", ratio=True, issue="D")),
        LEAN + "; 16 connections with 16 requests at once, HTTP/1.1 behind"),
    Row("http-pair", http_pair, (
        Goal("HTTP/1.1, a pair, mTLS: CPU a request", "us", 0.5, 0.2,
             "two Envoys", ratio=True),),
        LEAN + "; TLS 1.3, both ends check the other's identity"),
    Row("bulk-pair", bulk_pair, (
        Goal("TCP, a pair, mTLS: bytes a CPU second", "GB/s", 1.0, 1.5,
             "two Envoys", ratio=True, more=True),),
        LEAN + "; TLS 1.3, both ends check the other's identity"),
    Row("handshakes", handshakes, (
        Goal("full mutual handshakes a CPU second, both ends", "1/s", 2.5,
             5.0, "OpenSSL 3.0", ratio=True, more=True),
        Goal("resumed handshakes a CPU second, both ends", "1/s", 2.0, 4.0,
             "OpenSSL 3.0", ratio=True, more=True, issue="D")),
        "TLS 1.3, X25519, AES-128-GCM, P-256 leaf, intermediate and root"),
    Row("memory", memory, (
        Goal("RSS: idle agent", "MiB", 10, 6, "Envoy"),
        Goal("RSS: a further idle client connection, plain", "KiB", 8, 2,
             "Envoy")), LEAN),
    Row("memory-h2", memory_h2, (
        Goal("RSS: a further idle HTTP/2 client connection, plain", "KiB",
             1 / 3, 1 / 4, "Envoy", ratio=True, issue="D"),), LEAN),
    Row("tunnels", tunnels, (
        Goal("RSS: a further idle tunnel, inbound", "KiB", 8, 4, issue="D"),),
        ""),
    Row("server-memory", server_memory, (
        Goal(f"RSS: server with {SERVICES} services", "MiB", 60, 30),), ""),
    Row("starting", starting, (
        Goal("start to serving from the last configuration", "ms", 100, 30),
        Goal("join to first request served", "ms", 3000, 1000)), ""),
    Row("propagation", propagation, (
        Goal(f"applied to in force on {AGENTS} agents, p99", "ms", 500,
             100),), ""),
)
