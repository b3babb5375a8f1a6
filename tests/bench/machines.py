# SPDX-License-Identifier: Apache-2.0
"""machines — what a machine gets that joins in one line and changes no program:
how long that takes, what capture adds to a call, what an agent needs for it."""

import json
import os
import statistics
import time

import peers
from machine import LOAD_CORE, PROXY_CORE, wait_for
from mesh import Mesh
from rows import FRONT, LEAN, WEB, Goal, LeftOut, Row, fetch, medians

# Of no service: one is found by the request's Host.
VIRTUAL = "240.240.9.9"
CAPTURED = (VIRTUAL, 80)
NAME_SERVER = ("127.0.0.1", 15053)


def answer_of(agent, *words):
    return json.loads(agent.local.command(*words, "-o", "json"))


# --- a call that is captured, beside one to a listener ---

def start_captured(stage, settings):
    """An agent that passes both FRONT and CAPTURED on to the application."""
    peers.start_app(stage)
    mesh = Mesh(stage, settings.meshd)
    agent = mesh.agent(1, mesh.token(1), ["web=127.0.0.1:9000"]).joined()
    agent.expose("web", 80, WEB, "http")
    agent.local.command("capture", "on")
    wait_for(lambda: fetch(FRONT) == 200, "a request is served")
    wait_for(lambda: fetch(CAPTURED, host="web") == 200,
             "a captured one is served")


def calls(stage, settings, seconds):
    """What capture adds, and what a call by the listener takes."""
    told = json.loads(stage.run(
        [os.path.join(settings.build, "tests", "bench", "calls"),
         FRONT[0], str(FRONT[1]), CAPTURED[0], str(CAPTURED[1]), "web",
         str(seconds)], LOAD_CORE, 2 * seconds + 60))
    found = {}
    for kind, (listener, captured) in told.items():
        for part in ("p50", "p99"):
            found[kind, part] = captured[part] - listener[part]
            found[kind, part, "listener"] = listener[part]
    return found


def capture(settings):
    with settings.stage() as stage:
        start_captured(stage, settings)
        calls(stage, settings, 1)
        told = medians([calls(stage, settings, settings.seconds)
                        for _ in range(settings.repetitions)])
    return {ADDED.format(words, part): (
        told[kind, part], told[kind, part, "listener"])
            for kind, words in KINDS.items() for part in BOUNDS}


ADDED = "captured, {}: added {}"
KINDS = {"new": "a connection each", "kept": "connections that stay"}
BOUNDS = {"p50": (30, 10), "p99": (100, 30)}


# --- memory ---

SERVICES = 20


def machine_memory(settings):
    """It offers 20 services, which another offers too, and has called each of
    them by its name."""
    with settings.stage() as stage:
        peers.start_app(stage)
        mesh = Mesh(stage, settings.meshd)
        token = mesh.token(2)
        agents = [mesh.agent(1, token, dns=(
            "--dns", f"{NAME_SERVER[0]}:{NAME_SERVER[1]}")).joined(),
                  mesh.agent(2, token, core=LOAD_CORE).joined()]
        ports = {f"web-{port}": port for port in range(80, 80 + SERVICES)}
        for agent in agents:
            for name, port in ports.items():
                agent.expose(name, port, WEB, "http")
        agents[0].local.command("capture", "on")
        for name, port in ports.items():
            wait_for(lambda n=name: answer_of(
                agents[0], "dns", "query", n)["result"] == "mesh",
                     "the name is answered")
            wait_for(lambda n=name, p=port: fetch(
                (VIRTUAL, p), host=n) == 200, "a captured one is served")
            for _ in range(10):
                fetch((VIRTUAL, port), host=name)
        time.sleep(2)
        return {MEMORY: (agents[0].program.rss_kib() / 1024, None)}


MEMORY = f"RSS: an agent with capture, DNS and {SERVICES} services"

# --- the line ---

NEW_ADDRESS = "10.99.1.{}"
PROXY_CONFIG = """apiVersion: meshd.dev/v1
kind: MeshConfig
metadata: {name: default}
spec: {proxyHttpPort: 15002}
"""
# Users, programs and state are its own, what else it has is this machine's. It
# is root there, and nothing manages processes. Once its network is there it
# does a line, and says when it has been served.
NEW_MACHINE = """set -e
mount --make-rprivate /
cp -a /etc "$1"
mount --bind "$1/etc" /etc
for folder in /usr/local /var/lib /var/log /run /root; do
    mount -t tmpfs new "$folder"
done
rm -rf /etc/meshd
mount -t proc proc /proc
echo ready
read -r line
sh -c "$line" >&2
until curl -sf -o /dev/null -x http://127.0.0.1:15002 http://web/; do
    sleep 0.01
done
echo served
read -r end
"""


def says(program, word):
    told = program.popen.stdout.readline().decode().strip()
    if told != word:
        raise RuntimeError(f"{program.name}: {program.tail()}")


def add_machine(stage, number):
    """In a network of its own, which a veth joins to this one."""
    folder = stage.path(f"new{number}")
    os.mkdir(folder)
    program = stage.start(f"new{number}", [
        "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
        "sh", "-c", NEW_MACHINE, "sh", folder], PROXY_CORE, pipes=True)
    says(program, "ready")
    ours, its = NEW_ADDRESS.format(1), NEW_ADDRESS.format(2)
    inside = ["nsenter", "-t", str(program.pid), "-n", "ip"]
    for words in (
            ["ip", "link", "add", f"new{number}", "type", "veth", "peer",
             "name", "eth0", "netns", str(program.pid)],
            ["ip", "addr", "add", f"{ours}/24", "dev", f"new{number}"],
            ["ip", "link", "set", f"new{number}", "up"],
            [*inside, "addr", "add", f"{its}/24", "dev", "eth0"],
            [*inside, "link", "set", "lo", "up"],
            [*inside, "link", "set", "eth0", "up"],
            [*inside, "route", "add", "default", "via", ours]):
        stage.run(words, LOAD_CORE)
    return program


def time_line(stage, mesh, number):
    """Seconds from the line to an answer; the machine is gone then."""
    line = mesh.local.command("token", "create", "--line", "curl").strip()
    program = add_machine(stage, number)
    begin = time.monotonic()
    program.popen.stdin.write(f"{line} --name new{number}\n".encode())
    program.popen.stdin.flush()
    says(program, "served")
    took = time.monotonic() - begin
    program.popen.stdin.close()  # its last line; all that runs there ends
    program.popen.wait(10)
    return took


def install(settings):
    if os.path.exists("/usr/bin/meshd"):
        raise LeftOut("a package has installed meshd, so nothing is fetched")
    with settings.stage() as stage:
        peers.start_app(stage)
        mesh = Mesh(stage, f"{settings.meshd}.stripped")
        mesh.apply(PROXY_CONFIG)
        agent = mesh.agent(1, mesh.token(1)).joined()
        agent.expose("web", 80, WEB, "http")
        return {INSTALL: (statistics.median(
            time_line(stage, mesh, number)
            for number in range(settings.repetitions)), None)}


INSTALL = "install line to first request served"

# --- the table ---

ROWS = (
    Row("capture", capture, tuple(
        Goal(ADDED.format(words, part), "us", *bounds, "the listener",
             issue="E")
        for words in KINDS.values() for part, bounds in BOUNDS.items()),
        "one client calls by a listener and captured, in turns; " + LEAN),
    Row("machine-memory", machine_memory, (
        Goal(MEMORY, "MiB", 14, 8, issue="E"),), ""),
    Row("install", install, (
        Goal(INSTALL, "s", 10, 3, issue="E"),),
        "as root, without systemd; the server is on this machine"),
)
