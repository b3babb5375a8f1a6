#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""soak — a small mesh under every protocol for hours, while all of it changes.

    make soak [SOAK_SECONDS=3600]

vm4 calls at a low rate what the others offer. Rules come, go and say something
else; vm5 and vm6 offer and withdraw, and the agent of vm5, which has no
streams of bytes, starts anew. Printed is the memory of each process over time;
at the end its slope, and what was sent beside what the agents counted and
logged. It fails if a call did, if the sums differ, or if memory grew.

What is bounded is full before the time begins, so that what grows later is
not: as much is configured as later on, on average; what an agent remembers of
failures (telemetry/recent.h) is what it may; and the database is larger than
the 2,000 KiB of it that SQLite keeps at hand.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile
import time

from changes import Changes, in_force, make
from mesh import Mesh, wait_for
from traffic import Crowd, makers, offer, upstreams

STEP = 2.0           # seconds from one change to the next
PAUSE = 0.3          # of each caller, from one turn to the next
OFFER_EVERY = 5      # steps from an offer to its withdrawal, and back
RESTART_EVERY = 150  # steps from one start of vm5's agent to the next
LINES = 60           # that tell of memory
TOLD = 5             # failures of each step, in words
WARM_UP = 0.3        # of the time, of which the slope knows nothing
BEFORE = 2000        # changes that are not made, but what they come to is
REFUSED = 1200       # calls; two workers remember 256 each
VERSIONS = 100       # of one resource, and how long they are
LONG = "long " * 8000
# KiB by the line, from the warm-up to the end. In an hour that is 200 bytes for
# each change and 3 for each turn, and less than what views swing by: what
# patches leave behind waits for the next view that is made from nothing.
GROWTH_MAX = 256
JUDGED_FROM = 900    # seconds; before that all of it is warm-up


class Memory:
    """RSS of each process over time, in KiB."""

    def __init__(self, processes):
        self.processes = processes
        self.samples = {name: [] for name in processes}

    def take(self, at):
        for name, process in self.processes.items():
            self.samples[name].append((at, process.rss_kib()))

    def last(self):
        return " ".join(f"{name} {rows[-1][1]}"
                        for name, rows in self.samples.items())

    def slopes(self):
        """KiB an hour and in all, by least squares, once it is warm."""
        end = next(iter(self.samples.values()))[-1][0]
        for name, rows in self.samples.items():
            warm = [row for row in rows if row[0] >= end * WARM_UP]
            line = statistics.linear_regression(*zip(*warm))
            values = [rss for _, rss in warm]
            yield (name, line.slope * 3600, line.slope * end * (1 - WARM_UP),
                   min(values), max(values))


class Soak:
    def __init__(self, mesh, seconds, folder):
        self.mesh, self.seconds = mesh, seconds
        self.log = folder / "out.log"
        self.vm2, self.vm3 = mesh.member(2), mesh.member(3)
        app = mesh.machine(4)
        self.caller = mesh.member(4, *upstreams(app), "--access-log",
                                  self.log, "--log-success")
        self.vm5, self.vm6 = mesh.member(5), mesh.member(6)
        offer(mesh, self.vm2, "v1", "web", "switch", "talk", "echo")
        offer(mesh, self.vm3, "v2", "web", "echo")
        offer(mesh, self.vm5, "v2", "web")
        offer(mesh, self.vm6, "v2", "echo")
        self.moving = {a: a.cli.items("exposed")[0]
                       for a in (self.vm5, self.vm6)}
        self.is_offered = True
        for name, count in ("web", 3), ("switch", 1), ("talk", 1), ("echo", 3):
            self.caller.sees(name, count)
        self.memory = Memory({
            "server": mesh.server, **{a.name: a for a in mesh.agents}})
        self.changes = Changes(1)
        self.fill()
        self.crowd = Crowd(makers(app), PAUSE)
        self.told = 0  # failures that were

    def fill(self):
        """What is bounded, before anybody calls."""
        refusing = Changes.document("VirtualService", "web", {
            "hosts": ["web"], "http": [{"directResponse": {"status": 503}}]})
        in_force(self.mesh, make(self.mesh, "apply", [refusing]))
        for _ in range(REFUSED):
            answer = self.caller.machine.fetch(9000)
            assert answer.status == 503, answer.status
        make(self.mesh, "delete", [refusing])
        stored = Changes.document("Service", "stored", {
            "ports": [{"name": "http", "port": 80}]}, "v1")
        for number in range(VERSIONS):
            stored["metadata"]["annotations"] = {"text": f"{number} {LONG}"}
            make(self.mesh, "apply", [stored])
        make(self.mesh, "delete", [stored])
        in_force(self.mesh, make(
            self.mesh, "apply", self.changes.after(BEFORE)))

    # --- what happens meanwhile ---

    def run(self):
        with self.crowd:
            begin = time.monotonic()
            steps = int(self.seconds / STEP)
            for step in range(1, steps + 1):
                self.step(step)
                self.memory.take(step * STEP)
                self.tell(step, max(steps // LINES, 1))
                time.sleep(max(begin + step * STEP - time.monotonic(), 0))

    def step(self, number):
        in_force(self.mesh, make(self.mesh, *self.changes.next()))
        if number % RESTART_EVERY == 0:
            self.vm5.stop()
            self.vm5.start().joined()
        elif number % OFFER_EVERY == 0:
            self.swap()

    def swap(self):
        """Offers what was withdrawn, or withdraws what was offered."""
        for agent, it in self.moving.items():
            if self.is_offered:
                agent.cli.ok("unexpose", it["name"])
            else:
                agent.expose(it["name"], f"{it['port']}:{it['target']}",
                             "--protocol", it["protocol"], "--label",
                             "version=v2")
        self.is_offered = not self.is_offered

    def tell(self, step, every):
        failures = self.crowd.failures
        for failure in failures[self.told:][:TOLD]:
            print(f"{step * STEP:8.0f} s  FAILED {failure}", flush=True)
        self.told = len(failures)
        if step % every == 0:
            print(f"{step * STEP:8.0f} s  KiB {self.memory.last()}  turns "
                  f"{sum(self.crowd.turns.values())}", flush=True)

    # --- what it comes to ---

    def counted(self, machine, name, *having):
        text = self.mesh.machine(machine).fetch(
            15020, "/stats/prometheus").body.decode()
        return sum(int(float(line.split()[-1])) for line in text.splitlines()
                   if line.startswith(name + "{") and
                   all(words in line for words in having))

    def sums(self):
        """Of each (what, and how many of it by each account)."""
        sent = {"requests": REFUSED, "connections": 0}
        for caller in self.crowd.callers:
            kind = "connections" if "TCP" in caller.name else "requests"
            sent[kind] += caller.sent
        mine = ('reporter="source"',)
        lines = self.log.read_text(encoding="utf-8").splitlines()
        asked = [line.split('"')[2].split()[0] for line in lines
                 if 'HTTP/' in line.split('"')[1]]
        yield "requests", {
            # A copy that could not be sent is a line too, without a status.
            "sent": sent["requests"], "logged": len(asked) - asked.count("0"),
            "counted": self.counted(4, "istio_requests_total", *mine)}
        yield "connections", {
            "sent": sent["connections"], "logged": len(lines) - len(asked),
            "opened": self.counted(
                4, "istio_tcp_connections_opened_total", *mine),
            "closed": self.counted(
                4, "istio_tcp_connections_closed_total", *mine)}
        self.caller.stop()
        for machine in 2, 3:
            yield f"connections of vm{machine}", {
                word: self.counted(
                    machine, f"istio_tcp_connections_{word}_total")
                for word in ("opened", "closed")}

    def judge(self):
        """Whether all is as it should be, in words."""
        good = not self.crowd.failures
        for name, slope, growth, least, most in self.memory.slopes():
            flat = growth <= GROWTH_MAX or self.seconds < JUDGED_FROM
            good = good and flat
            print(f"memory of {name}: {slope:+.0f} KiB an hour, "
                  f"{least} to {most} KiB" + ("" if flat else "  GROWS"))
        for what, accounts in self.sums():
            same = len(set(accounts.values())) == 1
            good = good and same
            print(f"{what}: " + ", ".join(
                f"{count} {name}" for name, count in accounts.items()) +
                  ("" if same else "  DIFFERENT"))
        print(f"turns: {self.crowd.turns}")
        print(f"failures: {len(self.crowd.failures)}")
        return good


def main():
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=int, default=3600)
    a = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="meshd-soak-") as name:
        folder = pathlib.Path(name)
        with Mesh(folder, 4, machines=6) as mesh:
            soak = Soak(mesh, a.seconds, folder)
            soak.run()
            time.sleep(2)  # what has ended is counted
            return 0 if soak.judge() else 1


if __name__ == "__main__":
    sys.exit(main())
