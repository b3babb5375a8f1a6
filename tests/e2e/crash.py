#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""crash — processes of a mesh under load, killed at any moment, again and again.

    make crash [KILLS=1000] [SEED=n]

vm2 and vm3 serve, vm4 calls by a named listener and by capture. Meanwhile
configuration changes and services are offered and withdrawn, each change
noted before it is asked for and when it is acknowledged. Then comes SIGKILL:
for the server, an agent, the helper of capture, or for all of them; some of
them again while they start. Each starts with what it finds, without a token,
and must be what it was: what was acknowledged is there, what was not is there
or not, the folder holds nothing else, nobody is left behind, and calls go on.
"""

import argparse
import collections
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

from changes import Changes
from mesh import Mesh, wait_for
from test_22_keep import post

NAMES = 8            # resources and services that come and go
PAUSE = 0.02         # of who changes and who calls, from one turn to the next
BEFORE_MAX = 0.3     # seconds of load before a kill
START_MAX = 0.06     # seconds into a start that is killed, too
AGAIN = 0.25         # of the kills are followed by one while it starts
AWAY = 0.2           # of the agents start with no server there
LOOK_EVERY = 25      # kills from one long look to the next
LINES = 20           # that tell how it goes
PORTS = {"ports": [{"name": "http", "port": 80}]}
VIRTUAL = {4: "240.240.9.9", 6: "2001:2::9"}
# Whom it meets, and how often beside the others.
VICTIMS = {"server": 4, "vm2": 3, "vm3": 2, "vm4": 3, "helper": 1, "all": 1}
# What a folder may hold; a file that is being written has a ".new" beside it.
FILES = {
    "server": {"seal.key", "mesh.db", "mesh.db-wal", "mesh.db-shm",
               "mesh.db-journal", "signer.key", "signer.pem", "gossip.key",
               "api.key", "peers"},
    "agent": {"node.key", "node.pem", "gossip.key", "join.json", "lock",
              "identities", "snapshot", "exposed.json", "catalog", "peers",
              "revoked", "capture.json"},
}
WAL_MAX = 64 << 20
CALL_MAX = 2.0       # seconds: without its agent a virtual address is silent
FDS_MORE = 40        # than at the first look: the callers' and the peers'
# What nobody who was only killed has to say.
BAD = (" error ", "damaged", "is not used", "corrupt", "found again",
       "CHECK", "Sanitizer")
NO_HELPER = "the helper that captures has ended"


class Promises:
    """What was asked for, and what of it was acknowledged."""

    def __init__(self):
        self.kept = {}     # name -> what was acknowledged last
        self.asked = collections.defaultdict(list)  # what else it may be
        self.lock = threading.Lock()

    def change(self, name, value, ask):
        """`ask` returns whether it was acknowledged."""
        with self.lock:
            self.asked[name].append(value)
            if ask():
                self.kept[name] = value
                del self.asked[name]
                return True
        return False

    def compare(self, there):
        """Lines of what is not as promised; `there` is what is so now."""
        bad = []
        for name in {*self.kept, *self.asked, *there}:
            value = there.get(name)
            allowed = [self.kept.get(name), *self.asked[name]]
            if value not in allowed:
                bad.append(f"{name} is {value}, not one of {allowed}")
        self.kept = dict(there)
        self.asked.clear()
        return bad


class Turns(threading.Thread):
    """Does one thing again and again, whatever becomes of it."""

    def __init__(self, turn):
        super().__init__(daemon=True)
        self.turn = turn
        self.good = self.failed = 0
        self.is_over = threading.Event()

    def run(self):
        number = 0
        while not self.is_over.wait(PAUSE):
            number += 1
            try:
                is_good = self.turn(number)
            except (OSError, AssertionError, ValueError):
                is_good = False
            self.good += is_good
            self.failed += not is_good


class Crash:
    """A mesh of its own; `kill` once is one round."""

    def __init__(self, mesh, seed):
        self.mesh, self.random = mesh, random.Random(seed)
        self.bad = []
        self.kills = collections.Counter()
        self.fds = {}
        self.read = collections.Counter()  # of the logs, so far
        self.virtual = VIRTUAL[mesh.net.family]
        app = mesh.machine(4)
        self.agents = {
            "vm2": mesh.member(2), "vm3": mesh.member(3),
            "vm4": mesh.member(4, "--upstream", f"web={app.at(9000)}")}
        self.caller = self.agents["vm4"]
        for name in "vm2", "vm3":
            web = mesh.web(int(name[2]), 8080, name)
            self.agents[name].expose("web", f"80:{web.target}", "--protocol",
                                     "http")
        self.caller.sees("web", 2)
        self.caller.cli.ok("capture", "on")
        kept = self.caller.cli.state / "catalog"
        wait_for(lambda: kept.exists() and all(
            name in kept.read_bytes() for name in (b"vm2", b"vm3")),
                 "the caller has written down whom it knows")
        status, _ = post(mesh.cli, "/v1/apply", {"documents": [
            Changes.document("Service", "stays", PORTS, "v1")]})
        assert status == 200
        self.configured = Promises()
        self.offered = {"vm2": Promises(), "vm3": Promises()}
        self.turns = {
            "changes": Turns(self.configure),
            "offers of vm2": Turns(lambda n: self.offer("vm2", n)),
            "offers of vm3": Turns(lambda n: self.offer("vm3", n)),
            "calls": Turns(lambda n: self.call(n, 9000, None)),
            "captured calls": Turns(lambda n: self.call(n, 80, self.virtual))}

    def __enter__(self):
        for turns in self.turns.values():
            turns.start()
        return self

    def __exit__(self, *_):
        for turns in self.turns.values():
            turns.is_over.set()
        for turns in self.turns.values():
            turns.join()

    # --- the load ---

    def configure(self, number):
        name = f"crash-{number % NAMES}"
        document = Changes.document("Service", name, PORTS, "v1")
        document["metadata"]["annotations"] = {"number": str(number)}
        gone = number // NAMES % 3 == 2
        body = {"keys": [{"group": "", "kind": "Service",
                          **document["metadata"]}]} if gone else {
                              "documents": [document]}

        def ask():
            status, _ = post(self.mesh.cli, "/v1/delete" if gone else
                             "/v1/apply?force=true", body)
            return status in (200, 404)
        return self.configured.change(name, None if gone else str(number), ask)

    def offer(self, who, number):
        """Ports tell one offer from another of the same name."""
        name, port = f"extra-{number % NAMES}", 20000 + number % 10000
        cli = self.agents[who].cli
        gone = number // NAMES % 2 == 1
        words = ["unexpose", name] if gone else ["expose", name, f"{port}:8080"]
        return self.offered[who].change(
            name, None if gone else port,
            lambda: cli(*words).returncode == 0)

    def call(self, number, port, ip):
        answer = self.mesh.machine(4).fetch(
            port, f"/{number}", ip=ip, headers={"host": "web"},
            timeout=CALL_MAX)
        if answer.status == 200 and answer.json()["path"] != f"/{number}":
            self.bad.append(f"call {number} got another's answer: "
                            f"{answer.body}")
        return answer.status == 200

    # --- the kills ---

    def run(self, kills):
        every = max(kills // LINES, 1)
        begin, told = time.monotonic(), 0
        while self.total < kills and not self.bad:
            before = self.total // LOOK_EVERY
            self.round()
            if self.total // LOOK_EVERY != before:
                self.look()
            if self.total // every != told:
                told = self.total // every
                print(f"{time.monotonic() - begin:7.0f} s  {self.total} kills"
                      f"  {self.done()}", flush=True)
        if not self.bad:
            self.look()

    @property
    def total(self):
        return sum(self.kills.values())

    def done(self):
        return ", ".join(f"{name} {t.good} good {t.failed} failed"
                         for name, t in self.turns.items())

    def round(self):
        who = self.random.choices(*zip(*VICTIMS.items()))[0]
        time.sleep(self.random.uniform(0, BEFORE_MAX))
        if who == "server":
            self.kill("server")
            self.start("server")
        elif who == "helper":
            self.kill_helper()
        elif who == "all":
            for name in self.shuffled("server", *self.agents):
                self.kill(name)
            began = {name: self.begin(name) for name in
                     self.shuffled("server", *self.agents)}
            for name, at in began.items():
                self.is_as_before(name, at)
        else:
            self.agent_round(who)

    def agent_round(self, who):
        """Maybe with nobody there but its own folder."""
        is_alone = self.random.random() < AWAY
        if is_alone:
            self.kill("server")
        self.kill(who)
        self.start(who)
        if is_alone:
            self.start("server")

    def shuffled(self, *names):
        return self.random.sample(names, len(names))

    def process(self, who):
        return self.mesh.server if who == "server" else self.agents[who]

    def kill(self, who):
        process = self.process(who)
        if not process.is_running:
            self.bad.append(f"{who} had ended by itself")
        process.stop(9)
        self.kills[who] += 1
        if who == "vm4":
            self.falls_open()

    def kill_helper(self):
        """The agent goes on, and says so; its next start has another one."""
        pids = self.helpers()
        if len(pids) != 1:
            self.bad.append(f"there are {len(pids)} helpers")
        self.mesh.machine(4).run("kill", "-9", *pids)
        self.kills["helper"] += 1
        self.falls_open()
        wait_for(lambda: NO_HELPER in self.caller.cli.ok("status"),
                 "status tells of the helper")
        self.calls(9000, None)
        self.kill("vm4")
        self.start("vm4")

    def helpers(self):
        """Their pids, of those on the machine of vm4."""
        return [pid for pid in self.pids(self.mesh.machine(4))
                if self.command(pid) == "meshd-capture"]

    @staticmethod
    def pids(machine):
        """Of all of meshd that lives there."""
        return [pid for pid in subprocess.run(
            ["ip", "netns", "pids", machine.name], text=True, check=True,
            capture_output=True).stdout.split()
                if Crash.command(pid).startswith("meshd")]

    @staticmethod
    def command(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/comm").read_text(
                encoding="ascii").strip()
        except OSError:
            return ""

    def table(self):
        return self.mesh.machine(4).run(
            "nft", "list", "table", "inet", "meshd").returncode == 0

    def falls_open(self):
        wait_for(lambda: not self.table(), "no rule is left without its agent")

    def start(self, who):
        self.is_as_before(who, self.begin(who))

    def begin(self, who):
        """Maybe more than once; when."""
        process = self.process(who)
        while self.random.random() < AGAIN:
            super(type(process), process).start()
            time.sleep(self.random.uniform(0, START_MAX))
            self.kill(who)
        at = time.time()
        process.start()
        return at

    def is_as_before(self, who, at):
        if who == "server":
            self.keeps_configuration()
        else:
            self.keeps_offers(who)
        self.holds_files(who, at)
        self.says_nothing_bad(who)

    # --- what must be so ---

    def keeps_configuration(self):
        with self.configured.lock:
            there = {i["metadata"]["name"]:
                     i["metadata"]["annotations"]["number"]
                     for i in self.mesh.cli.items("get", "svc")
                     if i["metadata"]["name"].startswith("crash-")}
            self.bad += [f"server: {line}" for line in
                         self.configured.compare(there)]

    def keeps_offers(self, who):
        agent = self.agents[who].joined()
        if who == "vm4":
            wait_for(self.table, lambda: "it captures again: " + agent.text)
            self.calls(80, self.virtual)
            return
        with self.offered[who].lock:
            rows = {i["name"]: i["port"] for i in agent.cli.items("exposed")}
            if rows.pop("web", None) != 80:
                self.bad.append(f"{who} does not expose web any more")
            self.bad += [f"{who}: {line}" for line in
                         self.offered[who].compare(rows)]
        self.calls(9000, None)

    def calls(self, port, ip):
        def call():
            try:
                return self.call(0, port, ip)
            except OSError:
                return False
        if self.caller.is_running:
            wait_for(call, lambda: f"calls of port {port} succeed again: " +
                     self.caller.cli("endpoints").stdout)

    def holds_files(self, who, at):
        """Nothing half-written is left from before its start."""
        state = self.process(who).meshd.state
        known = FILES["server" if who == "server" else "agent"]
        for path in state.rglob("*"):
            name = path.name.removesuffix(".new")
            if name not in known and path.parent.name != "identities":
                self.bad.append(f"{who}: {path} is none of its files")
            try:
                is_old = path.stat().st_mtime < at
            except FileNotFoundError:
                continue
            if is_old and path.name.endswith(".new"):
                self.bad.append(f"{who}: {path} was left half-written")

    def says_nothing_bad(self, who):
        process = self.process(who)
        lines = process.lines()
        for line in lines[self.read[who]:]:
            if NO_HELPER not in line and any(w in line for w in BAD):
                self.bad.append(f"{who} says: {line}")
        self.read[who] = len(lines)

    def look(self):
        """Everybody knows everything again; nothing has piled up."""
        with self.configured.lock:  # else something is always on its way
            self.mesh.settle()
            for agent in self.agents.values():
                agent.synced()
        for name, agent in self.agents.items():
            wait_for(lambda a=agent: all(
                m["status"] == "up" for m in a.cli.items("members")) and
                len(a.cli.items("members")) == 4,
                lambda n=name: f"{n} knows all members")
        self.caller.sees("web", 2)
        for number, who in enumerate(("server", *self.agents), 1):
            self.look_at(who, self.mesh.machine(number))

    def look_at(self, who, machine):
        process = self.process(who)
        fds = len(list(pathlib.Path(
            f"/proc/{process.process.pid}/fd").iterdir()))
        if fds > self.fds.setdefault(who, fds) + FDS_MORE:
            self.bad.append(f"{who} has {fds} descriptors, {self.fds[who]} "
                            "at first")
        sockets = {p.name for p in process.meshd.folder.iterdir()
                   if p.is_socket()}
        if len(sockets) > 1:
            self.bad.append(f"{who} left sockets: {sockets}")
        wal = process.meshd.state / "mesh.db-wal"
        if wal.exists() and wal.stat().st_size > WAL_MAX:
            self.bad.append(f"{wal} has {wal.stat().st_size} bytes")
        self.leaves_nobody(who, machine)

    def leaves_nobody(self, who, machine):
        """But its helper there is what this test started."""
        ours = {str(process.process.pid) for process in
                (self.mesh.server, *self.agents.values())}
        left = [pid for pid in self.pids(machine)
                if pid not in ours and self.parent(pid) != os.getpid()]
        names = [self.command(pid) for pid in left]
        if names != ([] if who == "server" else ["meshd-capture"]):
            self.bad.append(f"{who} left processes: {names}")

    @staticmethod
    def parent(pid):
        try:
            return int(pathlib.Path(f"/proc/{pid}/stat").read_text(
                encoding="ascii").rpartition(")")[2].split()[1])
        except OSError:
            return os.getpid()  # a command of this test that is over


def main():
    p = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--kills", type=int, default=1000)
    p.add_argument("--seed", type=int, default=int(time.time()))
    a = p.parse_args()
    print(f"seed {a.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="meshd-crash-") as name:
        with Mesh(pathlib.Path(name), 4, machines=4) as mesh:
            with Crash(mesh, a.seed) as crash:
                crash.run(a.kills)
            print(f"kills: {crash.total} ({dict(crash.kills)})")
            print(f"turns: {crash.done()}")
            for line in crash.bad:
                print(f"WRONG {line}")
            print("all is as it was" if not crash.bad else
                  f"seed {a.seed}: {len(crash.bad)} wrong")
            return 1 if crash.bad else 0


if __name__ == "__main__":
    sys.exit(main())
