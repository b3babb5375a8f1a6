# SPDX-License-Identifier: Apache-2.0
"""groups — machines that register themselves as workloads of a WorkloadGroup.

Machines 2 and 3 may be workloads, 4 calls. What the group says of its
workloads is offered, and asked how it is, as long as the group is there.
"""

import pytest

from mesh import Mesh, wait_for
from test_52_health import Well, callers_see, exposed

pytestmark = pytest.mark.xdist_group("groups")

GROUP = """\
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {{name: reviews, namespace: shop}}
spec:
  metadata: {{labels: {{tier: back, app: reviews-app}}}}
  template:
    labels: {{app: overwritten, version: {version}}}
    ports: {{http: 8080}}
    serviceAccount: reviews
    {more}
  probe:
    periodSeconds: 1
    failureThreshold: 1
    httpGet: {{path: healthz, port: 8080, host: localhost,
              httpHeaders: [{{name: Host, value: reviews.shop}}]}}
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: reviews-app, version: v1}
  ports: [{name: http, port: 80}]
"""

ENTRY = """\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: entry, namespace: shop}
spec:
  hosts: [reviews.example.com]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 8000, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: reviews-app}}
"""


def group(version="v1", more=""):
    return GROUP.format(version=version, more=more)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    with Mesh(tmp_path_factory.mktemp("groups"), 4) as it:
        at = it.machine(4).at
        it.vm2 = it.member(2)
        it.vm3 = it.agent(3).start(it.token(
            "--namespaces", "shop", "--accounts", "reviews")).joined()
        it.vm4 = it.member(
            4, "--upstream", f"web={at(9000)}/web.shop:80",
            "--upstream", f"entry={at(9001)}/reviews.example.com:8000")
        it.webs = []
        for number, name in ((2, "vm2"), (3, "vm3")):
            web = Well(it.machine(number), 8080, name)
            it.services.append(web)
            it.webs.append(web)
        yield it


def rows(agent):
    return {(e["name"], e.get("port")): e for e in agent.cli.items("exposed")}


def waits(agent, words):
    wait_for(lambda: any(words in e.get("waitsFor", "")
                         for e in agent.cli.items("exposed")),
             lambda: f"{agent.name} waits: {agent.cli.items('exposed')}")


def test_a_machine_waits_for_its_group_and_says_so(mesh):
    said = mesh.vm2.cli.ok("expose", "--group", "reviews.shop")
    assert "workload of reviews.shop" in said
    waits(mesh.vm2, "no such WorkloadGroup")
    row = exposed(mesh.vm2, "reviews")
    assert row["from"] == "WorkloadGroup/shop/reviews"
    assert not row["announced"]
    assert any(p["kind"] == "group" for p in mesh.vm2.status()["problems"])


def test_the_group_says_what_its_workloads_offer(mesh):
    mesh.apply(group() + "---\n" + SERVICE + "---\n" + ENTRY)
    mesh.vm4.sees("web.shop", 1)
    row = rows(mesh.vm2)["reviews", 8080]
    assert row["account"] == "reviews" and row["protocol"] == "http"
    assert row["target"] == "127.0.0.1:8080"
    assert row["from"] == "WorkloadGroup/shop/reviews"
    assert row["check"] == "http:8080/healthz"
    assert not any(p["kind"] == "group"
                   for p in mesh.vm2.status()["problems"])
    callers_see(mesh, "vm2")
    answer = mesh.machine(4).fetch(9001)
    assert answer.status == 200 and answer.json()["text"] == "vm2"


def test_a_second_machine_joins_as_its_token_allows(mesh):
    mesh.vm3.cli.ok("expose", "--group", "reviews", "-n", "shop")
    mesh.vm4.sees("web.shop", 2)
    callers_see(mesh, "vm2", "vm3")
    nodes = {e["node"] for e in mesh.vm4.cli.items("endpoints", "web.shop")}
    assert nodes == {"vm2", "vm3"}
    # Another namespace was not granted to it.
    done = mesh.vm3.cli("expose", "--group", "x.other")
    assert done.returncode == 5 and "--namespaces other" in done.stderr


def test_an_account_that_was_not_granted_is_not_announced(mesh):
    mesh.apply(group().replace("serviceAccount: reviews",
                               "serviceAccount: root"))
    mesh.vm4.sees("web.shop", 1)
    waits(mesh.vm3, "account was not granted")
    callers_see(mesh, "vm2")
    mesh.apply(group())
    mesh.vm4.sees("web.shop", 2)
    callers_see(mesh, "vm2", "vm3")


def test_the_probe_is_in_force(mesh):
    mesh.webs[0].health = 503
    callers_see(mesh, "vm3")
    row = rows(mesh.vm2)["reviews", 8080]
    assert row["health"] == "unhealthy"
    assert row["reason"] == "GET /healthz: 503"
    mesh.webs[0].health = 200
    callers_see(mesh, "vm2", "vm3")


def test_a_changed_group_changes_what_is_registered(mesh):
    mesh.apply(group("v2"))  # the Service selects v1
    mesh.vm4.sees("web.shop", 0)
    mesh.apply(group(more="network: elsewhere"))
    waits(mesh.vm2, "network elsewhere")
    mesh.apply(group(more="ports: {http: 8080, grpc-admin: 8090}").replace(
        "    ports: {http: 8080}\n", ""))
    mesh.vm4.sees("web.shop", 2)
    wait_for(lambda: ("reviews", 8090) in rows(mesh.vm2), "vm2 offers 8090")
    assert rows(mesh.vm2)["reviews", 8090]["protocol"] == "grpc"
    mesh.apply(group())
    wait_for(lambda: ("reviews", 8090) not in rows(mesh.vm2),
             "vm2 offers 8090 no longer")


def test_a_probe_asks_no_other_machine(mesh):
    mesh.apply(group().replace("localhost", "192.0.2.1"))
    waits(mesh.vm2, "no address of this machine")
    mesh.apply(group())
    callers_see(mesh, "vm2", "vm3")


def test_what_belongs_to_a_group_is_changed_by_it_alone(mesh):
    done = mesh.vm2.cli("unexpose", "reviews", "-n", "shop")
    assert done.returncode != 0
    assert "WorkloadGroup/shop/reviews" in done.stderr
    done = mesh.vm2.cli("expose", "reviews", "8080", "-n", "shop")
    assert done.returncode != 0
    assert "WorkloadGroup/shop/reviews" in done.stderr
    done = mesh.vm2.cli("expose", "--group", "reviews.shop", "--check", "tcp")
    assert done.returncode == 2 and "--check" in done.stderr


def test_ports_and_labels_of_the_machine_come_over_those_of_the_group(mesh):
    mesh.vm2.cli.ok("expose", "--group", "reviews.shop", "--label",
                    "version=v3", "--protocol", "tcp", "7000:8080")
    wait_for(lambda: ("reviews", 7000) in rows(mesh.vm2), "vm2 offers 7000")
    assert rows(mesh.vm2)["reviews", 7000]["target"] == "127.0.0.1:8080"
    mesh.vm4.sees("web.shop", 1)
    mesh.vm2.cli.ok("expose", "--group", "reviews.shop")
    mesh.vm4.sees("web.shop", 2)


def test_a_restart_without_a_server_registers_again(mesh):
    mesh.server.stop()
    mesh.vm2.stop()
    mesh.vm4.sees("web.shop", 1)
    mesh.vm2.start().joined()
    mesh.vm4.sees("web.shop", 2)
    callers_see(mesh, "vm2", "vm3")
    mesh.server.start()
    mesh.settle()


def test_a_group_that_goes_leaves_with_grace_and_may_come_back(mesh):
    mesh.cli.ok("delete", "WorkloadGroup", "reviews", "-n", "shop")
    mesh.vm4.sees("web.shop", 0)  # at once
    waits(mesh.vm2, "it leaves")  # and answers what still comes
    waits(mesh.vm2, "no such WorkloadGroup")  # after that
    assert ("reviews", 8080) not in rows(mesh.vm2)
    mesh.vm4.sees("web.shop", 0)
    mesh.apply(group())
    mesh.vm4.sees("web.shop", 2)
    callers_see(mesh, "vm2", "vm3")


def test_a_machine_leaves_its_group(mesh):
    mesh.vm2.cli.ok("unexpose", "--group", "reviews.shop")
    mesh.vm4.sees("web.shop", 1)
    callers_see(mesh, "vm3")
    assert not mesh.vm2.cli.items("exposed")
    done = mesh.vm2.cli("unexpose", "--group", "reviews.shop")
    assert done.returncode != 0 and "no workload" in done.stderr
    mesh.vm3.stop()
    mesh.vm4.sees("web.shop", 0)
