# SPDX-License-Identifier: Apache-2.0
"""configuration — what the configuration of a mesh costs to judge and keep.

The rows of `make bench-config`. Times of the corpus are CPU seconds of one
core; all others are what a person waits for.
"""

import json
import os
import re
import statistics
import subprocess
import time

import readable
from machine import LOAD_CORE, PROXY_CORE, wait_for
from mesh import Mesh
from rows import Goal, LeftOut, Row, medians

# --- judging ---

CORPUS = "validate and analyze the corpus, one core"


def judge_corpus(settings):
    """The same copies of the same files, in one folder, to both."""
    if not settings.corpus:
        raise LeftOut("no CORPUS=folder was given")
    ours = [[settings.meshd, "validate", "-f"],
            [settings.meshd, "analyze", "--files-only", "-f"]]
    theirs = [[settings.istioctl, "validate", "-f"],
              [settings.istioctl, "analyze", "--use-kube=false"]]
    has_peer = os.access(settings.istioctl, os.X_OK)
    if not has_peer:
        readable.say(f"no istioctl at '{settings.istioctl}': meshd alone")
    with settings.stage() as stage:
        folder = readable.copies(stage, settings,
                                 theirs if has_peer else None)
        samples = []
        for _ in range(settings.repetitions):
            samples.append({
                side: sum(readable.cpu_seconds(argv + [folder])
                          for argv in commands)
                for side, commands in (("ours", ours), ("theirs", theirs))
                if side == "ours" or has_peer})
    took = medians(samples)
    found = {CORPUS: (took["ours"], took.get("theirs"))}
    if has_peer:
        found[CORPUS + ", beside istioctl"] = (took["ours"], took["theirs"])
    return found


def regex(settings):
    """Each pattern's least time of some tries; the slowest one of all."""
    program = os.path.join(settings.build, "tests", "bench", "regex")
    with settings.stage() as stage:
        out = json.loads(stage.run([program], PROXY_CORE, 600))
    return {"worst regular expression, 64 KB": (out["worst_ms"], None),
            "128 KB, for each of them at most": (out["growth"], None)}


# --- compiling ---

SERVICES = (1000, 3000, 10000)


def compile_view(settings):
    """One proxy's view of the whole mesh; the smaller ones are printed."""
    program = os.path.join(settings.build, "tests", "bench", "compile")
    with settings.stage() as stage:
        for count in SERVICES:
            out = json.loads(stage.run([program, str(count)], PROXY_CORE, 600))
            readable.say(f"{count} services: {out['full_ms']:.1f} ms, "
                         f"{out['full_mib']:.1f} MiB; an endpoint "
                         f"{out['endpoint_ms']:.3f} ms, a VirtualService "
                         f"{out['rules_ms']:.3f} ms, a DestinationRule "
                         f"{out['policy_ms']:.3f} ms; one that comes "
                         f"{out['rules_come_ms']:.3f} ms, "
                         f"{out['policy_comes_ms']:.3f} ms; one that goes "
                         f"{out['rules_go_ms']:.3f} ms, "
                         f"{out['policy_goes_ms']:.3f} ms; an "
                         f"AuthorizationPolicy {out['access_comes_ms']:.3f} "
                         f"ms, a PeerAuthentication "
                         f"{out['peers_come_ms']:.3f} ms, a Telemetry "
                         f"{out['telemetry_comes_ms']:.3f} ms, a "
                         f"VirtualService of a gateway "
                         f"{out['gateway_rules_come_ms']:.3f} ms, a "
                         f"WorkloadEntry "
                         f"{out['workload_comes_ms']:.3f} ms, a Service "
                         f"{out['service_comes_ms']:.3f} ms, changes "
                         f"{out['service_ms']:.3f} ms, goes "
                         f"{out['service_goes_ms']:.3f} ms, a ServiceEntry "
                         f"{out['entry_comes_ms']:.3f} ms")
    return {"full compile of one proxy": (out["full_ms"], None),
            "memory of its view": (out["full_mib"], None),
            "one endpoint is another": (out["endpoint_ms"], None),
            "one VirtualService is another": (out["rules_ms"], None),
            "one DestinationRule is another": (out["policy_ms"], None),
            "one VirtualService comes": (out["rules_come_ms"], None),
            "one VirtualService goes": (out["rules_go_ms"], None),
            "one DestinationRule comes": (out["policy_comes_ms"], None),
            "one DestinationRule goes": (out["policy_goes_ms"], None),
            "one AuthorizationPolicy comes": (out["access_comes_ms"], None),
            "one PeerAuthentication comes": (out["peers_come_ms"], None),
            "one VirtualService comes to a gateway":
            (out["gateway_rules_come_ms"], None),
            "one VirtualService of a gateway goes":
            (out["gateway_rules_go_ms"], None),
            "one VirtualService of several for a host at a gateway is another":
            (out["gateway_shared_rules_ms"], None),
            "one Service comes at a gateway":
            (out["gateway_service_comes_ms"], None),
            "one Gateway of a gateway is another":
            (out["gateway_changes_ms"], None),
            "one WorkloadEntry comes": (out["workload_comes_ms"], None),
            "one Service comes": (out["service_comes_ms"], None),
            "one Service is another": (out["service_ms"], None),
            "one Service goes": (out["service_goes_ms"], None),
            "one ServiceEntry comes": (out["entry_comes_ms"], None)}


ENDPOINTS_OUT_OF_SCOPE = 64  # bytes of each that are allowed
CALLED = 20  # services


def agent_all(settings):
    """One agent that calls everything; larger meshes are printed."""
    program = os.path.join(settings.build, "tests", "bench", "agent")
    found = {}
    with settings.stage() as stage:
        for count in SERVICES:
            out = json.loads(
                stage.run([program, "all", str(count)], PROXY_CORE, 600))
            found = found or out
            readable.say(
                f"{count} services, ten endpoints each: first view "
                f"{out['first_ms']:.1f} ms, an endpoint "
                f"{out['endpoint_ms']:.2f} ms, one more service "
                f"{out['service_ms']:.2f} ms")
    return {"first view of one agent": (found["first_ms"], None),
            "one endpoint is another, until in force":
            (found["endpoint_ms"], None),
            "one more service, until in force": (found["service_ms"], None)}


def received(agent):
    """Bytes that came in on its stream, TLS's included."""
    text = subprocess.run(["ss", "-HtniOp", "dport", "=", ":15012"],
                          capture_output=True, text=True, check=True).stdout
    return sum(int(re.search(r"bytes_received:(\d+)", line).group(1))
               for line in text.splitlines()
               if f"pid={agent.program.popen.pid}," in line)


def stream_of_some(settings):
    """MB that an agent has more than one that calls nothing, kB that came."""
    with settings.stage() as stage:
        mesh = Mesh(stage, settings.meshd)
        for first in range(0, SERVICES[-1] * len(DOCUMENTS), BATCH):
            mesh.apply("".join(
                document(n) for n in range(first, first + BATCH)))
        called = range(0, SERVICES[-1], SERVICES[-1] // CALLED)
        agents = [mesh.agent(1, mesh.token(1)),
                  mesh.agent(2, mesh.token(1), upstreams=[
                      f"service-{n}.space-{n % NAMESPACES}="
                      f"127.0.0.1:{20000 + i}" for i, n in enumerate(called)])]
        for agent, count in zip(agents, (0, CALLED * len(DOCUMENTS))):
            agent.joined()
            wait_for(lambda a=agent, n=count:
                     a.local.get("/v1/status")["resources"] == n,
                     f"{count} resources are in force")
        time.sleep(2)
        idle, busy = (agent.program.rss_kib() for agent in agents)
        return (busy - idle) * 1024 / 1e6, received(agents[1])


def agent_some(settings):
    """One agent that calls 20 services; smaller meshes are printed."""
    program = os.path.join(settings.build, "tests", "bench", "agent")
    with settings.stage() as stage:
        for count in SERVICES:
            out = json.loads(
                stage.run([program, "some", str(count)], PROXY_CORE, 600))
            each = out["used"] / out["out_of_scope"]
            readable.say(
                f"{count} services, five endpoints each: "
                f"{out['rss'] / 1024**2:.2f} MiB more of RSS, "
                f"{each:.0f} bytes for each endpoint; one more of them "
                f"called: {out['moved_ms']:.1f} ms")
    allowed = ENDPOINTS_OUT_OF_SCOPE * out["out_of_scope"]
    took, came = stream_of_some(settings)
    return {"RSS: agent that calls 20 services":
            ((out["rss"] - allowed) / 1e6 + took, None),
            "bytes of its stream on start": (came / 1000, None)}


def routes(settings):
    """The worst of some kinds of rules."""
    program = os.path.join(settings.build, "tests", "bench", "routes")
    with settings.stage() as stage:
        out = json.loads(stage.run([program], PROXY_CORE, 600))
    return {"route of a request: last of 1,000 rules, to the first":
            (out["last_to_first"], None),
            "the same, to a rule that is alone": (out["last_to_only"], None),
            "the same, the slowest": (out["slowest_ns"], None)}


# --- keeping ---

RESOURCES = 100000
BATCH = 10000  # documents of one apply
NAMESPACES = 100
CHANGES = 20  # for each repetition

# A service has three documents: itself, how it is called, what is routed. No
# apply may end before what a route needs.
DOCUMENTS = ("""apiVersion: v1
kind: Service
metadata: {{name: service-{0}, namespace: space-{1}, labels: {{team: t{1}}}}}
spec:
  selector: {{app: service-{0}}}
  ports: [{{name: http, port: 80, targetPort: 8080}}]
---
""", """apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: service-{0}, namespace: space-{1}}}
spec:
  host: service-{0}
  trafficPolicy: {{loadBalancer: {{simple: LEAST_REQUEST}}}}
  subsets:
  - {{name: v1, labels: {{version: v1}}}}
  - {{name: v2, labels: {{version: v2}}}}
---
""", """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: service-{0}, namespace: space-{1}}}
spec:
  hosts: [service-{0}]
  http:
  - match: [{{uri: {{prefix: /v2/}}}}]
    route: [{{destination: {{host: service-{0}, subset: v2}}}}]
  - timeout: {2}s
    retries: {{attempts: 3, retryOn: "connect-failure,reset"}}
    route:
    - {{destination: {{host: service-{0}, subset: v1}}, weight: 90}}
    - {{destination: {{host: service-{0}, subset: v2}}, weight: 10}}
---
""")


def document(number, timeout=5):
    service, kind = divmod(number, len(DOCUMENTS))
    return DOCUMENTS[kind].format(service, service % NAMESPACES, timeout)


def apply_file(mesh, path):
    """Seconds until the command ended: it is on the disk then."""
    begin = time.monotonic()
    mesh.local.command("apply", "-f", path)
    return time.monotonic() - begin


def load(stage, mesh):
    """Seconds of each apply, until all are there."""
    took = []
    for first in range(0, RESOURCES, BATCH):
        path = stage.write("batch.yaml", "".join(
            document(n) for n in range(first, first + BATCH)))
        took.append(apply_file(mesh, path))
    return took


def change(stage, mesh, count):
    """Seconds of one document each: a new one, a route that is another."""
    took = []
    for n in range(count):
        route = RESOURCES // count * n // 3 * 3 + 2
        for number in (RESOURCES + n, route):
            path = stage.write("one.yaml", document(number, timeout=7))
            took.append(apply_file(mesh, path))
    return took


def settled_mib(mesh):
    time.sleep(2)
    return mesh.server.rss_kib() / 1024


def keep(settings):
    with settings.stage() as stage:
        os.sched_setaffinity(0, {LOAD_CORE})  # and what it starts
        mesh = Mesh(stage, settings.meshd, core=PROXY_CORE)
        loads = load(stage, mesh)
        loaded = settled_mib(mesh)
        ones = change(stage, mesh, CHANGES * settings.repetitions)
        mesh.restart_server(PROXY_CORE)
        return {f"apply {BATCH} documents": (statistics.median(loads), None),
                f"apply one document beside {RESOURCES}":
                (statistics.median(ones) * 1000, None),
                f"RSS: server with {RESOURCES} resources": (loaded, None),
                "RSS: the same, started again": (settled_mib(mesh), None)}


# --- the table ---

ROWS = (
    Row("corpus", judge_corpus, (
        Goal(CORPUS, "s", 2, 0.3, "istioctl", issue="B"),
        Goal(CORPUS + ", beside istioctl", "s", 0.2, 0.2, "istioctl",
             ratio=True, issue="B")),
        "the same files; CPU of the whole commands, their start included"),
    Row("regex", regex, (
        Goal("worst regular expression, 64 KB", "ms", 20, 1, issue="B"),
        Goal("128 KB, for each of them at most", "times 64 KB", 2.5, 2.2,
             issue="B")), ""),
    Row("compile", compile_view, (
        Goal("full compile of one proxy", "ms", 1000, 200, issue="C"),
        Goal("memory of its view", "MiB", 120, 40, issue="C"),
        Goal("one endpoint is another", "ms", 1, 0.05, issue="C"),
        Goal("one VirtualService is another", "ms", 10, 1, issue="C"),
        Goal("one DestinationRule is another", "ms", 10, 1, issue="C"),
        Goal("one VirtualService comes", "ms", 10, 1, issue="C"),
        Goal("one VirtualService goes", "ms", 10, 1, issue="C"),
        Goal("one DestinationRule comes", "ms", 10, 1, issue="C"),
        Goal("one DestinationRule goes", "ms", 10, 1, issue="C"),
        Goal("one Service comes", "ms", 10, 1, issue="C"),
        Goal("one Service is another", "ms", 10, 1, issue="C"),
        Goal("one Service goes", "ms", 10, 1, issue="C"),
        Goal("one ServiceEntry comes", "ms", 10, 1, issue="C")),
        f"{SERVICES[-1]} services, five endpoints each, 5,000 "
        "VirtualServices, all in scope"),
    Row("agent", agent_all, (
        Goal("first view of one agent", "ms", 100, 20, issue="C"),
        Goal("one endpoint is another, until in force", "ms", 5, 1,
             issue="C"),
        Goal("one more service, until in force", "ms", 10, 2, issue="C")),
        f"{SERVICES[0]} services, ten endpoints each, all in scope; from the "
        "record or the Service to the worker that has the view"),
    Row("scope", agent_some, (
        Goal("RSS: agent that calls 20 services", "MB", 4, 1, issue="C"),
        Goal("bytes of its stream on start", "kB", 500, 100, issue="C")),
        f"over idle, of {SERVICES[-1]} services with five endpoints and three "
        "documents each; "
        f"{ENDPOINTS_OUT_OF_SCOPE} bytes for each endpoint that it does not "
        "call are taken off"),
    Row("routes", routes, (
        Goal("route of a request: last of 1,000 rules, to the first", "times",
             2, 1.1, issue="C"),
        Goal("the same, to a rule that is alone", "times", 5, 3, issue="C"),
        Goal("the same, the slowest", "ns", 1000, 300, issue="C")),
        "paths, prefixes, expressions that begin with text, and a header"),
    Row("keep", keep, (
        Goal(f"apply {BATCH} documents", "s", 5, 1, issue="B"),
        Goal(f"apply one document beside {RESOURCES}", "ms", 20, 5,
             issue="B"),
        Goal(f"RSS: server with {RESOURCES} resources", "MiB", 400, 150,
             issue="B"),
        Goal("RSS: the same, started again", "MiB", 400, 150, issue="B")),
        "the whole command, from its start to its end"),
)
