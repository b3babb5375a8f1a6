# SPDX-License-Identifier: Apache-2.0
"""blast — whose calls a change would concern, before it is made."""

import json

from test_22_keep import post

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: reviews, labels: {app: shop}}
spec: {ports: [{name: http, port: 9080}]}
---
"""

RULE = """\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, labels: {app: shop}}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
---
"""

ROUTES = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, labels: {app: shop}}
spec:
  hosts: [reviews]
  http:
  - timeout: %s
    route:
    - {destination: {host: reviews, subset: v1}, weight: %d}
    - {destination: {host: reviews, subset: v2}, weight: %d}
---
"""

TRIED = ("--dry-run", "--blast")
PRUNED = ("--prune", "-l", "app=shop")
WHO = "other programs in default → reviews.default:9080: "


def words(out):
    """What is said of calls, behind what is said of resources."""
    return [line for line in out.splitlines() if "→" in line and
            line.startswith("other programs")]


def before(meshd):
    meshd.ok("apply", "-f", "-",
             stdin=SERVICE + RULE + ROUTES % ("reviews", "2s", 90, 10))


def test_what_prune_would_delete_is_a_part_of_it(server, meshd):
    before(meshd)
    out = meshd.ok("apply", *TRIED, *PRUNED, "-f", "-",
                   stdin=SERVICE + RULE + ROUTES % ("other", "2s", 100, 0))
    assert "VirtualService/default/reviews would be deleted\n" in out
    assert words(out) == [
        WHO + "all now go to v1 (until now 90 % to v1, 10 % to v2)"]
    # Of a kind that is not in the files nothing is deleted.
    out = meshd.ok("apply", *TRIED, *PRUNED, "-f", "-", stdin=SERVICE)
    assert "deleted" not in out and words(out) == []
    assert "no call changes\n" in out
    assert meshd.json("status")["revision"] == 2


def test_a_service_that_prune_would_delete_is_called_no_longer(server, meshd):
    before(meshd)
    out = meshd.ok("apply", "--force", *TRIED, *PRUNED, "-f", "-",
                   stdin=SERVICE.replace("reviews", "ratings"))
    assert "Service/default/reviews would be deleted\n" in out
    assert WHO + "can no longer be called" in words(out)
    assert WHO.replace("reviews", "ratings") + "can be called now" in \
        words(out)


def test_prune_tells_what_only_it_would_do(server, meshd):
    before(meshd)
    told = {}
    for prune in ((), PRUNED):
        done = json.loads(meshd.ok(
            "apply", "--force", *TRIED, *prune, "-o", "json", "-f", "-",
            stdin=ROUTES % ("other", "1s", 50, 50)))
        told[prune] = [e["text"] for e in done["blast"]["items"]]
        assert done["blast"]["places"] == 1
    # The older one of two decides.
    assert told[()] == []
    assert told[PRUNED] == [
        "50 % now go to v2 (until now 90 % to v1, 10 % to v2)",
        "timeout is now 1s, not 2s"]


def test_a_rule_in_its_place_keeps_its_age(server, meshd):
    before(meshd)
    meshd.ok("apply", "--force", "-f", "-",
             stdin=ROUTES % ("newer", "9s", 0, 100))
    out = meshd.ok("apply", "--force", *TRIED, "-f", "-",
                   stdin=ROUTES % ("newer", "8s", 50, 50))
    assert "no call changes\n" in out
    assert words(meshd.ok("apply", *TRIED, "-f", "-",
                          stdin=ROUTES % ("reviews", "2s", 80, 20))) == [
        WHO + "20 % now go to v2 (until now 90 % to v1, 10 % to v2)"]


def test_other_policies_of_a_cluster_are_told(server, meshd):
    policy = RULE.replace("spec:\n", "spec:\n  trafficPolicy: {"
                          "loadBalancer: {simple: %s}}\n")
    meshd.ok("apply", "-f", "-", stdin=SERVICE + policy % "RANDOM")
    out = meshd.ok("apply", *TRIED, "-f", "-", stdin=policy % "ROUND_ROBIN")
    assert sorted(words(out)) == sorted(
        WHO + of + "balancer is now ROUND_ROBIN, not RANDOM"
        for of in ("", "v1: ", "v2: "))


def test_delete_and_rollback_are_tried_likewise(server, meshd):
    before(meshd)
    meshd.ok("apply", "-f", "-", stdin=ROUTES % ("reviews", "2s", 0, 100))
    out = meshd.ok("delete", "vs", "reviews", *TRIED)
    assert "VirtualService/default/reviews would be deleted\n" in out
    assert words(out) == [
        WHO + "all now go to any instance (until now all to v2)",
        WHO + "timeout is now 0s, not 2s"]
    out = meshd.ok("rollback", "vs", "reviews", "2", *TRIED)
    assert words(out) == [
        WHO + "90 % now go to v1 (until now all to v2)"]
    dry = meshd.ok("delete", "vs", "reviews", "--dry-run")
    assert dry == "VirtualService/default/reviews would be deleted\n"
    assert meshd.json("status")["revision"] == 3
    done = meshd("delete", "vs", "none", *TRIED)
    assert done.returncode != 0 and "is not there" in done.stderr
    for command in (("delete", "vs", "reviews"), ("rollback", "1")):
        done = meshd(*command, "--blast")
        assert done.returncode == 2 and "--dry-run" in done.stderr


def test_over_the_api_blast_is_a_dry_run_by_itself(server, meshd):
    before(meshd)
    key = {"group": "networking.istio.io", "kind": "VirtualService",
           "namespace": "default", "name": "reviews"}
    status, told = post(meshd, "/v1/delete?blast=true", {"keys": [key]})
    assert status == 200
    assert [c["outcome"] for c in told["changes"]] == ["deleted"]
    assert len(told["blast"]["items"]) == 2
    service = {"apiVersion": "v1", "kind": "Service",
               "metadata": {"name": "new"},
               "spec": {"ports": [{"name": "http", "port": 9080}]}}
    status, told = post(meshd, "/v1/diff?blast=true",
                        {"documents": [service]})
    assert status == 200
    assert [e["text"] for e in told["blast"]["items"]] == ["can be called now"]
    assert meshd.json("status")["revision"] == 2
