# SPDX-License-Identifier: Apache-2.0
"""protocols — rows of what goes through a pair: gRPC, WebSockets, large
bodies; and of what a second worker costs."""

import os
import sys
import time

import peers
import ztunnels
from hold import ask_websocket, hold, websockets
from machine import LOAD_CORE, wait_for
from mesh import Mesh
from rows import (FRONT, LEAN, WEB, Goal, LeftOut, Row, fetch, in_turns,
                  medians)

GRPC_FRONT = ("127.0.0.1", 9002)
SECOND_FRONT = ("127.0.0.1", 9003)
ENVOY_FRONT = ("127.0.0.1", peers.ENVOY_PORT)
WEBSOCKETS = 1000


def at(where):
    return f"{where[0]}:{where[1]}"


def grpc_pair(settings):
    found = {}
    with settings.stage() as stage:
        peers.start_grpc_server(stage)
        agents = Mesh(stage, settings.meshd).pair({
            "talk": (82, "grpc", at(peers.GRPC), at(GRPC_FRONT))})
        envoys = peers.start_envoy_pair(
            stage, peers.find_envoy(settings.build), peers.GRPC, http2=True)
        for kind, measure in GRPC_MEASURES.items():
            ours, theirs = in_turns(settings, *(
                lambda s, port=port, proxies=proxies: peers.grpc_load(
                    stage, port, kind, s, proxies)
                for port, proxies in ((GRPC_FRONT[1], agents),
                                      (peers.ENVOY_PORT, envoys))))
            found[measure] = (ours["us"], theirs["us"])
    return found


GRPC_MEASURES = {"unary": "gRPC unary, a pair, mTLS: CPU a call",
                 "streaming": "gRPC stream, a pair, mTLS: CPU a message"}


# --- memory ---

def kib_each(programs, where):
    """KiB for each WebSocket, of both ends together."""
    with hold(where, 50, ask_websocket):
        pass  # what the first ones bring in is not counted
    time.sleep(1)
    before = sum(p.rss_kib() for p in programs)
    with hold(where, WEBSOCKETS, ask_websocket):
        time.sleep(1)
        return (sum(p.rss_kib() for p in programs) - before) / WEBSOCKETS


def memory_websocket(settings):
    with settings.stage() as stage, websockets(peers.APP):
        agents = Mesh(stage, settings.meshd).pair({
            "chat": (80, "http", WEB, at(FRONT))})
        envoys = peers.start_envoy_pair(
            stage, peers.find_envoy(settings.build), websockets=True)
        wait_for(lambda: ask_websocket(FRONT).close() is None,
                 "a WebSocket is served")
        return {"RSS: an idle WebSocket, a pair": (
            kib_each(agents, FRONT), kib_each(envoys, ENVOY_FRONT))}


# --- large bodies ---

BODY_BYTES = 1 << 30
BODIES = [sys.executable, os.path.join(os.path.dirname(__file__), "bodies.py")]


def carry(run, way, where, programs):
    """What it took to bring a body through, and by how much they grew."""
    before = sum(p.rss_kib() for p in programs)
    spent = sum(p.cpu_s() for p in programs)
    for program in programs:
        program.forget_peak()
    took = float(run(*BODIES, way, where[0], str(where[1]), str(BODY_BYTES)))
    spent = sum(p.cpu_s() for p in programs) - spent
    grown = sum(p.peak_kib() for p in programs) - before
    return {"gb_per_s": BODY_BYTES / 1e9 / took, "mib": grown / 1024,
            "gb_per_cpu": BODY_BYTES / 1e9 / spent}


def start_bodies(stage, where, start):
    return start("bodies", [*BODIES, "serve", where[0], str(where[1])],
                 LOAD_CORE)


def large_bodies(settings):
    ztunnel = ztunnels.find()
    if ztunnel is None:
        raise LeftOut("there is no ztunnel; PEERS names a folder with bin/")
    found = {}
    with settings.stage() as stage:
        start_bodies(stage, peers.APP, stage.start)
        agents = Mesh(stage, settings.meshd).pair({
            "web": (80, "http", WEB, at(FRONT))})
        (client, server), theirs = ztunnels.start(
            stage, ztunnel, peers.APP[1])
        start_bodies(stage, (server.ip, peers.APP[1]), server.start)
        sides = [
            (lambda *words: stage.run(words, LOAD_CORE), FRONT, agents),
            (client.run, (ztunnels.VIP, ztunnels.CAPTURED), theirs)]
        for run, where, _ in sides:
            wait_for(lambda r=run, w=where: carries(r, w), "a body passes")
        for way in WAYS:
            samples = [[carry(run, way, where, programs)
                        for run, where, programs in sides]
                       for _ in range(settings.repetitions + 1)]
            ours, other = (medians(side) for side in zip(*samples[1:]))
            for key, (measure, *_) in BODY_MEASURES.items():
                found[measure.format(way)] = (ours[key], other[key])
    return found


def carries(run, where):
    try:
        run(*BODIES, "down", where[0], str(where[1]), "1")
    except RuntimeError:
        return False
    return True


WAYS = ("up", "down")
# Of each key the measure, its unit, must and aim, and what else its goal has.
BODY_MEASURES = {
    "gb_per_s": ("1 GB body {}, a pair, mTLS", "GB/s", 1, 1.3,
                 {"ratio": True, "more": True}),
    "gb_per_cpu": ("1 GB body {}, a pair, mTLS: a CPU second", "GB/s", 0.9,
                   1.3, {"ratio": True, "more": True}),
    "mib": ("1 GB body {}, a pair, mTLS: RSS grows by", "MiB", 1, 0.25, {}),
}


# --- workers ---

def workers(settings):
    """On one core; each of two workers is as busy as one is elsewhere."""
    with settings.stage() as stage:
        peers.start_app(stage)
        mesh = Mesh(stage, settings.meshd)
        sides = []
        for number, front in ((1, FRONT), (2, SECOND_FRONT)):
            agents = mesh.pair({
                f"web{number}": (80, "http", WEB, at(front))},
                2 * number - 1, workers=number)
            wait_for(lambda f=front: fetch(f) == 200, "a request is served")
            sides.append((agents, front))
        one, two = in_turns(settings, *(
            lambda s, agents=agents, front=front: peers.wrk(
                stage, front, "/", 2 * settings.connections, s, agents)
            for agents, front in sides))
    return {"HTTP/1.1, a pair, mTLS: CPU a request, two workers":
            (two["us"], one["us"])}


ROWS = (
    Row("large-bodies", large_bodies, tuple(
        Goal(measure.format(way), unit, must, aim, "two ztunnels", issue="D",
             **more)
        for way in WAYS
        for measure, unit, must, aim, more in BODY_MEASURES.values()),
        LEAN + "; ztunnel passes bytes, our caller's end parses HTTP"),
    Row("grpc-pair", grpc_pair, tuple(
        Goal(measure, "us", 0.5, 0.25, "two Envoys", ratio=True, issue="D")
        for measure in GRPC_MEASURES.values()),
        LEAN + "; gRPC's benchmark in Go, 100 bytes each way"),
    Row("memory-websocket", memory_websocket, (
        Goal("RSS: an idle WebSocket, a pair", "KiB", 1 / 3, 1 / 4,
             "two Envoys", ratio=True, issue="D"),), LEAN),
    Row("workers", workers, (
        Goal("HTTP/1.1, a pair, mTLS: CPU a request, two workers", "us", 1.1,
             1.02, "one worker", ratio=True, issue="D"),), LEAN),
)
