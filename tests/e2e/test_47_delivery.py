# SPDX-License-Identifier: Apache-2.0
"""delivery — what holds for a mesh or a namespace reaches whom it concerns."""

import json

import pytest

from mesh import Mesh, wait_for

# One mesh for all of it.
pytestmark = pytest.mark.xdist_group("delivery")

ISTIO = "apiVersion: networking.istio.io/v1\n"


def service(name, namespace, port):
    return (f"apiVersion: v1\nkind: Service\n"
            f"metadata: {{name: {name}, namespace: {namespace}}}\n"
            f"spec: {{selector: {{app: {name}}}, "
            f"ports: [{{name: http, port: {port}}}]}}\n---\n")


def sidecar(namespace, *hosts, name="narrow"):
    return (f"{ISTIO}kind: Sidecar\n"
            f"metadata: {{name: {name}, namespace: {namespace}}}\n"
            f"spec: {{egress: [{{hosts: {json.dumps(hosts)}}}]}}\n---\n")


def mesh_config(**spec):
    return ("apiVersion: meshd.dev/v1\nkind: MeshConfig\n"
            f"metadata: {{name: default}}\nspec: {json.dumps(spec)}\n---\n")


def policy(kind, namespace, name, spec="{}"):
    return (f"apiVersion: security.istio.io/v1\nkind: {kind}\n"
            f"metadata: {{name: {name}, namespace: {namespace}}}\n"
            f"spec: {spec}\n---\n")


def peers(namespace, name="peers", mode="STRICT"):
    return policy("PeerAuthentication", namespace, name,
                  f"{{mtls: {{mode: {mode}}}}}")


SERVICES = service("near", "default", 80) + service("far", "shop", 81)
NEAR, FAR, OUTSIDE = 9000, 9001, 9002


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """near.default and far.shop on vm2; a caller from each namespace."""
    folder = tmp_path_factory.mktemp("delivery")
    with Mesh(folder, 4, machines=4) as it:
        def member(number, *words):
            at = it.machine(number).at
            return it.member(
                number, "--upstream", f"near={at(NEAR)}/near.default:80",
                "--upstream", f"far={at(FAR)}/far.shop:81",
                "--upstream", f"outside={at(OUTSIDE)}/example.com:80", *words)
        host = it.member(2)
        it.near, it.far = it.web(2, 8080, "near"), it.web(2, 8081, "far")
        host.expose("near", f"80:{it.near.target}", "--protocol", "http")
        host.expose("far", f"81:{it.far.target}", "--protocol", "http",
                    "-n", "shop")
        it.host = host
        it.ours = member(3)
        it.theirs = member(4, "-n", "shop")
        for cli in (it.ours.cli, it.theirs.cli, it.cli):
            cli.sees("near.default", 1)
            cli.sees("far.shop", 1)
        yield it


@pytest.fixture
def mesh(home):
    home.apply(SERVICES)
    yield home
    home.reset()


def call(agent, port, path="/"):
    return agent.machine.fetch(port, path)


def expect(agent, port, status, words=""):
    """Configuration is in force when apply has returned."""
    answer = call(agent, port)
    assert answer.status == status, answer.body
    assert words in (answer.headers["proxy-status"] or "")


def held(agent):
    return {f"{item['kind']}/{item['metadata']['name']}"
            for item in agent.cli.api("/v1/resources")["items"]
            if item["kind"] != "Service"}


def in_force(mesh, text):
    """Applied, and nothing of it is said to be without effect."""
    done = mesh.cli("apply", "-f", "-", stdin=text)
    assert done.returncode == 0, done.stderr
    assert "MSH000" not in done.stdout + done.stderr
    mesh.settle()


# --- what is in force ---


def test_a_sidecar_says_what_is_called_from_its_namespace(mesh):
    expect(mesh.ours, FAR, 200)
    in_force(mesh, sidecar("default", "./*"))
    words = "Sidecar/default/narrow"
    expect(mesh.ours, NEAR, 200)
    expect(mesh.ours, FAR, 503, words)
    expect(mesh.theirs, FAR, 200)
    assert any(words in p["text"] and "far.shop" in p["text"]
               for p in mesh.ours.cli.api("/v1/problems")["items"])
    assert words in mesh.ours.cli.ok("status")
    mesh.cli.ok("delete", "sidecar", "narrow")
    mesh.settle()
    wait_for(lambda: call(mesh.ours, FAR).status == 200, "it may call again")


def test_the_root_namespaces_sidecar_is_for_all_and_mesh_config_names_it(mesh):
    in_force(mesh, sidecar("istio-system", "~/*") + sidecar("shop", "./*"))
    expect(mesh.ours, NEAR, 503, "Sidecar/istio-system/narrow")
    expect(mesh.theirs, FAR, 200)
    in_force(mesh, mesh_config(rootNamespace="base"))
    expect(mesh.ours, NEAR, 200)
    in_force(mesh, sidecar("base", "./*"))
    expect(mesh.ours, NEAR, 200)
    expect(mesh.ours, FAR, 503, "Sidecar/base/narrow")


def test_what_is_not_exported_is_not_called_from_elsewhere(mesh):
    in_force(mesh, mesh_config(defaultServiceExportTo=["."]))
    expect(mesh.ours, NEAR, 200)
    expect(mesh.ours, FAR, 503, "not exported to namespace default")
    expect(mesh.theirs, FAR, 200)


ROUTES = f"""\
{ISTIO}kind: VirtualService
metadata: {{name: far, namespace: shop}}
spec:
  hosts: [far]
  http: [{{name: ruled, rewrite: {{uri: /ruled/}},
           route: [{{destination: {{host: far}}}}]}}]
---
"""


def test_rules_are_for_those_that_the_mesh_says_where_they_do_not(mesh):
    def path(agent):
        return call(agent, FAR, "/asked").json()["path"]
    mesh.apply(ROUTES)
    assert path(mesh.ours) == path(mesh.theirs) == "/ruled/asked"
    in_force(mesh, mesh_config(defaultVirtualServiceExportTo=["."]))
    assert path(mesh.ours) == "/asked"
    assert path(mesh.theirs) == "/ruled/asked"


BALANCED = f"""\
{ISTIO}kind: DestinationRule
metadata: {{name: far, namespace: shop}}
spec: {{host: far, subsets: [{{name: all}}]}}
---
{ISTIO}kind: VirtualService
metadata: {{name: far, namespace: shop}}
spec:
  hosts: [far]
  http: [{{route: [{{destination: {{host: far, subset: all}}}}]}}]
---
"""


def test_subsets_are_for_those_that_the_mesh_says_where_they_do_not(mesh):
    mesh.apply(BALANCED)
    expect(mesh.ours, FAR, 200)
    in_force(mesh, mesh_config(defaultDestinationRuleExportTo=["."]))
    expect(mesh.ours, FAR, 503)
    in_force(mesh, mesh_config(defaultDestinationRuleExportTo=["*"]))
    expect(mesh.ours, FAR, 200)


def test_what_is_tried_again_the_mesh_says_where_no_route_does(mesh):
    def tries(path):
        mesh.near.seen.clear()
        assert call(mesh.ours, NEAR, path).status == 418
        return len(mesh.near.seen)
    assert tries("/status/418") == 1
    in_force(mesh, mesh_config(
        defaultHttpRetryPolicy={"attempts": 3, "retryOn": "418"}))
    assert tries("/status/418") == 4


# --- whom it concerns ---


def test_policies_reach_those_with_workloads_there_and_nobody_else(mesh):
    mesh.apply(policy("AuthorizationPolicy", "shop", "shops")
               + policy("RequestAuthentication", "default", "defaults")
               + policy("Telemetry", "istio-system", "all").replace(
                   "security.istio.io", "telemetry.istio.io")
               + peers("other"), "--allow-inert")
    shops, defaults, everybody = (
        "AuthorizationPolicy/shops", "RequestAuthentication/defaults",
        "Telemetry/all")
    assert held(mesh.ours) == {defaults, everybody}
    assert held(mesh.theirs) == {shops, everybody}
    # It serves in both namespaces.
    assert held(mesh.host) == {shops, defaults, everybody}
    mesh.apply(mesh_config(rootNamespace="shop"))
    assert held(mesh.ours) == {defaults, shops, "MeshConfig/default"}


def test_callers_get_how_a_namespace_is_called_and_no_more_of_it(mesh):
    mesh.apply(peers("shop") + peers("other", "others")
               + policy("AuthorizationPolicy", "shop", "shops"),
               "--allow-inert")
    assert held(mesh.ours) == {"PeerAuthentication/peers"}


def outside_at(ip, port):
    """A name of two labels, and a rule for all of its kind."""
    return (f"{ISTIO}kind: ServiceEntry\nmetadata: {{name: outside}}\n"
            "spec: {hosts: [example.com], resolution: STATIC, "
            "ports: [{number: 80, name: http, protocol: HTTP, "
            f"targetPort: {port}}}], "
            f"endpoints: [{{address: {ip}}}]}}\n---\n"
            f"{ISTIO}kind: DestinationRule\nmetadata: {{name: wide}}\n"
            "spec: {host: '*.com', trafficPolicy: {loadBalancer: "
            "{simple: RANDOM}}}\n---\n")


def test_a_name_of_two_labels_is_found_by_a_pattern(mesh):
    host = mesh.machine(2)
    web = mesh.web(2, 8082, "outside", ip=host.ip)
    mesh.apply(outside_at(host.ip, web.port))
    assert held(mesh.ours) == {"ServiceEntry/outside", "DestinationRule/wide"}
    assert call(mesh.ours, OUTSIDE).json()["text"] == "outside"
    clusters = mesh.ours.cli.json("proxy", "config", "clusters")["clusters"]
    assert {"RANDOM"} == {row["balancer"] for row in clusters[0]["rows"]
                          if row["name"] == "outbound|80||example.com"}


def changes(mesh, agent):
    """How many changes have come to it."""
    return next(row["changes"] for row in
                mesh.cli.api("/v1/propagation")["items"]
                if row["node"] == agent.name)


def test_a_change_of_a_policy_wakes_only_whom_it_concerns(mesh):
    mesh.apply(policy("AuthorizationPolicy", "shop", "shops"),
               "--allow-inert")
    before = changes(mesh, mesh.ours), changes(mesh, mesh.theirs)
    mesh.apply(policy("AuthorizationPolicy", "shop", "shops",
                      "{action: DENY, rules: [{}]}"), "--allow-inert")
    wait_for(lambda: changes(mesh, mesh.theirs) == before[1] + 1,
             "those with workloads there have it")
    assert changes(mesh, mesh.ours) == before[0]


# --- as other resources ---


def test_a_restart_without_a_server_obeys_what_it_had(mesh):
    mesh.apply(sidecar("default", "./*")
               + mesh_config(defaultHttpRetryPolicy={
                   "attempts": 2, "retryOn": "418"}))
    had = held(mesh.ours)
    mesh.ours.stop()
    mesh.server.stop()
    try:
        mesh.ours.start().joined()
        assert held(mesh.ours) == had
        mesh.ours.sees("near.default", 1)
        expect(mesh.ours, FAR, 503, "Sidecar/default/narrow")
        mesh.near.seen.clear()
        assert call(mesh.ours, NEAR, "/status/418").status == 418
        assert len(mesh.near.seen) == 3
    finally:
        mesh.server.start()
        for agent in mesh.agents:
            agent.synced()
    assert held(mesh.ours) == had


WHOLE = (
    sidecar("default", "./*", "shop/far.shop.svc.cluster.local")
    + mesh_config(rootNamespace="base", connectTimeout="3s",
                  defaultVirtualServiceExportTo=["shop", "base"],
                  defaultHttpRetryPolicy={"attempts": 1, "retryOn": "503"},
                  outboundTrafficPolicy={"mode": "REGISTRY_ONLY"},
                  defaultTrafficPolicy={
                      "connectionPool": {"http": {"maxRetries": 7}}})
    + peers("shop", mode="DISABLE") + peers("base")
    + ROUTES)


@pytest.mark.parametrize("place", ["ours", "theirs"])
def test_an_agent_has_the_view_that_the_server_says_it_has(mesh, place):
    mesh.apply(WHOLE, "--allow-inert")
    agent = getattr(mesh, place)

    def sides():
        """Records come to each side by gossip, when they come."""
        return [cli.json("proxy", "config", *words) for cli, words in (
            (agent.cli, ()), (mesh.cli, (agent.name,)))]

    def same():
        own, told = sides()
        return own if own == told else None
    own = wait_for(same, lambda: "both are the same: {} {}".format(*sides()))
    assert all(own[table][0]["rows"] for table in
               ("listeners", "routes", "clusters", "endpoints"))
    # Both have read what was written.
    assert any("REGISTRY_ONLY" in str(row) or "BlackHole" in str(row)
               for row in own["listeners"][0]["rows"])
