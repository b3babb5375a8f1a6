# SPDX-License-Identifier: Apache-2.0
"""health — how long a service that is unwell is still called.

Two agents of twenty offer one service; the other eighteen call it all the
time. The time counts from the first bad answer to its check, which is asked
every 100 ms, to the last call that reaches it.
"""

import asyncio
import statistics
import time

from machine import LOAD_CORE, PROXY_CORE, wait_for
from mesh import Mesh
from rows import Goal, Row

AGENTS = 20
OFFERS = 2
FIRST_FRONT = 9000
CHECK = ("--check-interval", "100ms", "--check-unhealthy", "1")
PAUSE = 0.01  # between calls of one caller
QUIET = 1.5  # without a call: it has been the last


class Service:
    """Answers all requests, and each check as `status` says."""

    def __init__(self, port):
        self.port = port
        self.status = 200
        self.first_bad = None
        self.last_call = 0.0

    async def open(self):
        await asyncio.start_server(self.serve, "127.0.0.1", self.port)

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                status = 200
                if head.startswith(b"GET /healthz "):
                    status = self.status
                    if status != 200 and self.first_bad is None:
                        self.first_bad = time.monotonic()
                else:
                    self.last_call = time.monotonic()
                writer.write(b"HTTP/1.1 %d x\r\ncontent-length: 0\r\n\r\n"
                             % status)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def call(port, failures):
    """One caller, for good; whoever answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        writer.write(b"GET / HTTP/1.1\r\nhost: web\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            failures.append(head)
        await asyncio.sleep(PAUSE)


async def until(condition, what):
    end = time.monotonic() + 90
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"it did not happen: {what}")
        await asyncio.sleep(0.02)


async def change(one, other):
    """One turns bad; well again when nobody calls it any more."""
    one.first_bad, one.status = None, 503
    await until(lambda: one.first_bad is not None, "it was asked")
    await until(lambda: time.monotonic() - one.last_call > QUIET,
                "nobody calls who is unwell")
    took = one.last_call - one.first_bad
    begin, one.status = time.monotonic(), 200
    await until(lambda: one.last_call > begin, "it is called again")
    assert other.last_call > begin
    return max(took, 0) * 1000


async def run(mesh, repetitions):
    services = [Service(8000 + n) for n in range(1, OFFERS + 1)]
    failures, took = [], []
    for service in services:
        await service.open()
    token = mesh.token(AGENTS)

    def start():
        agents = [
            mesh.agent(n, token, [] if n <= OFFERS else
                       [f"web=127.0.0.1:{FIRST_FRONT + n}"],
                       core=PROXY_CORE if n % 2 else LOAD_CORE).joined()
            for n in range(1, AGENTS + 1)]
        for agent, service in zip(agents, services):
            agent.local.command(
                "expose", "web", f"80:127.0.0.1:{service.port}",
                "--protocol", "http", "--check", "http/healthz",
                *CHECK)
        for agent in agents[OFFERS:]:
            wait_for(lambda a=agent: sum(
                s["usable"] for s in a.local.get("/v1/services")["items"]
                if s["name"] == "web") == OFFERS, "all know both")
    await asyncio.to_thread(start)
    callers = [asyncio.create_task(call(FIRST_FRONT + n, failures))
               for n in range(OFFERS + 1, AGENTS + 1)]
    await asyncio.sleep(1)
    for number in range(2 * repetitions):
        # A fall is forgiven after half a minute: two each in a row.
        took.append(await change(*services[::1 if number % 2 else -1]))
        if number % 4 == 3:
            await asyncio.sleep(30)
    for caller in callers:
        caller.cancel()
    assert not failures, failures[:3]
    return took


def health(settings):
    with settings.stage() as stage:
        took = asyncio.run(
            run(Mesh(stage, settings.meshd), settings.repetitions))
    return {"health change to the last call, 20 agents, median":
            (statistics.median(took), None),
            "health change to the last call, 20 agents, worst":
            (max(took), None)}


ROWS = (
    Row("health", health, (
        Goal("health change to the last call, 20 agents, median", "ms", 1000,
             200, issue="E"),
        Goal("health change to the last call, 20 agents, worst", "ms", 1000,
             200, issue="E")), ""),
)
