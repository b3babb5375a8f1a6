# SPDX-License-Identifier: Apache-2.0
"""interest — an agent gets the configuration of what it may call, no more."""

import json

import pytest

from mesh import Mesh, wait_for

# One mesh for all of it.
pytestmark = pytest.mark.xdist_group("interest")

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {0}}}
spec:
  selector: {{app: {0}}}
  ports: [{{name: http, port: 80}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {0}}}
spec: {{host: {0}, subsets: [{{name: v1, labels: {{version: v1}}}}]}}
---
"""
ROUTE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {0}}}
spec:
  hosts: [{0}]
  http: [{{name: from-{0}, route: [{{destination: {{host: {1}}}}}]}}]
---
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """An agent with upstream a, and one that calls nothing."""
    with Mesh(tmp_path_factory.mktemp("interest"), 4, machines=3) as it:
        it.caller = it.member(
            2, "--upstream", f"a={it.machine(2).at(9000)}")
        it.other = it.member(3)
        yield it


@pytest.fixture
def mesh(home):
    """The mesh of this file with Services and rules of a, b, c alone."""
    home.apply("".join(SERVICE.format(name) for name in "abc"))
    yield home
    home.reset()


def held(agent):
    return sorted(f"{item['kind']}/{item['metadata']['name']}"
                  for item in agent.cli.api("/v1/resources")["items"])


def expect(agent, *resources):
    wanted = sorted(resources)
    wait_for(lambda: held(agent) == wanted,
             lambda: f"{agent.name} has {wanted}, not {held(agent)}")


def both(name):
    return f"Service/{name}", f"DestinationRule/{name}"


def test_an_agent_gets_what_concerns_its_upstreams(mesh):
    expect(mesh.caller, *both("a"))
    expect(mesh.other)
    assert mesh.caller.status()["resources"] == 2


def test_a_route_brings_what_concerns_its_destination(mesh):
    mesh.apply(ROUTE.format("a", "b"))
    expect(mesh.caller, *both("a"), *both("b"), "VirtualService/a")
    expect(mesh.other)
    mesh.cli.ok("delete", "virtualservice", "a")
    expect(mesh.caller, *both("a"))


DELEGATED = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: leaf}
spec: {http: [{route: [{destination: {host: c}}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: root}
spec: {hosts: [a], http: [{delegate: {name: leaf}}]}
---
"""


def test_a_delegate_comes_with_what_names_it(mesh):
    mesh.apply(DELEGATED)
    expect(mesh.caller, *both("a"), *both("c"), "VirtualService/root",
           "VirtualService/leaf")
    told = json.loads(mesh.caller.cli.ok(
        "explain", "request", "http://a/", "-o", "json"))
    assert "|c.default." in told["clusterMatched"]
    assert told["origin"].startswith("VirtualService/default/leaf")
    mesh.cli.ok("delete", "virtualservice", "root")
    expect(mesh.caller, *both("a"))


def test_what_it_exposes_concerns_an_agent(mesh):
    mesh.other.expose("c", "80:127.0.0.1:8080", "--protocol", "http")
    expect(mesh.other, *both("c"))
    mesh.other.cli.ok("unexpose", "c")
    expect(mesh.other)


def test_a_restart_without_a_server_has_what_it_had(mesh, home):
    mesh.apply(ROUTE.format("a", "b"))
    home.caller.stop()
    home.server.stop()
    home.caller.start().joined()
    expect(home.caller, *both("a"), *both("b"), "VirtualService/a")
    home.server.start()
    home.caller.synced()
    home.other.synced()
    expect(home.caller, *both("a"), *both("b"), "VirtualService/a")


def test_explain_waits_for_the_host_that_it_is_asked_about(mesh):
    mesh.apply(ROUTE.format("c", "b"))
    expect(mesh.caller, *both("a"))
    told = json.loads(mesh.caller.cli.ok(
        "explain", "request", "http://c/", "-o", "json"))
    assert told["routeMatched"] == "from-c"
    expect(mesh.caller, *both("a"), *both("b"), *both("c"),
           "VirtualService/c")


def test_without_a_server_only_what_is_at_hand_is_explained(mesh, home):
    home.server.stop()
    wait_for(lambda: not home.other.status()["connected"],
             "the agent sees that the server is gone")
    done = home.other.cli("explain", "request", "http://b/")
    assert done.returncode != 0
    assert "configuration of b.default.svc.mesh.internal is not at hand" in (
        done.stderr)
    done = home.caller.cli("explain", "request", "http://a/", "-o", "json")
    assert done.returncode == 0, done.stderr
    home.server.start()
    home.caller.synced()
    home.other.synced()


def test_what_nothing_here_calls_is_marked_as_by_records_only(mesh, home):
    def shown(*words):
        """Without c, which a test before has asked about."""
        names = {item.get("name", item.get("service")): item["configuration"]
                 for item in home.caller.cli.items(*words)}
        names.pop("c", None)
        return names
    home.other.expose("a", "80:127.0.0.1:8080", "--protocol", "http")
    home.other.expose("b", "81:127.0.0.1:8081", "--protocol", "http")
    home.other.expose("unwritten", "82:127.0.0.1:8082")
    expected = {"a": "in force", "b": "by records only",
                "unwritten": "by records only"}
    # The Service a is in the view before the record of its endpoint is.
    for words in ("services", "endpoints"):
        wait_for(lambda: shown(words) == expected, lambda: shown(words))
    assert "by records only" in home.caller.cli.ok("services")
    assert "by records only" in home.caller.cli.ok("endpoints", "b")
    # Who asks about a host has it for a while, written or not.
    for name in ("b", "unwritten"):
        home.caller.cli.ok("explain", "request", f"http://{name}/")
    for words in ("services", "endpoints"):
        wait_for(lambda: set(shown(words).values()) == {"in force"},
                 lambda: shown(words))
    for name in ("a", "b", "unwritten"):
        home.other.cli.ok("unexpose", name)


def test_of_two_rules_within_a_second_the_older_has_the_host(mesh, home):
    for name in ("z-first", "a-second"):
        text = ROUTE.format("a", "b").replace(
            "metadata: {name: a}", f"metadata: {{name: {name}}}").replace(
            "from-a", f"from-{name}")
        mesh.cli.ok("apply", "--force", "-f", "-", stdin=text)
    mesh.settle()
    born = {item["metadata"]["name"]: item["metadata"]["creationTimestamp"]
            for item in mesh.cli.items("get", "virtualservice")}
    assert born["z-first"] < born["a-second"]
    told = json.loads(home.caller.cli.ok(
        "explain", "request", "http://a/", "-o", "json"))
    assert told["routeMatched"] == "from-z-first"
    assert any("a-second" in p["about"] and "VirtualService/default/z-first"
               in p["text"]
               for p in home.caller.cli.api("/v1/problems")["items"])
    # So does a restart from the disk, where only the text of it lies.
    home.caller.stop()
    home.server.stop()
    home.caller.start().joined()
    wait_for(lambda: any("a-second" in p["about"] for p in
                         home.caller.cli.api("/v1/problems")["items"]),
             "the younger one is reported")
    home.server.start()
    home.caller.synced()
    home.other.synced()


def test_after_a_restart_of_either_an_agent_explains_its_upstreams(
        mesh, home):
    def explained():
        done = home.caller.cli("explain", "request", "http://a/")
        assert done.returncode == 0, done.stderr
    explained()
    home.caller.stop()
    home.caller.start().joined().synced()
    explained()
    home.server.stop()
    home.server.start()
    home.caller.synced()
    home.other.synced()
    explained()
