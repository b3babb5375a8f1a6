# SPDX-License-Identifier: Apache-2.0
"""keep — what apply says of what it keeps, and what is kept of the past."""

import http.client
import json
import socket

from mesh import DEADLINE
from test_10_offline import REVIEWS

INERT = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: asked}
spec:
  hosts: [asked.example.com]
  http:
  - match: [{statPrefix: asked}]
    route: [{destination: {host: reviews}}]
"""

GUARD = """\
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: strict}
spec: {rules: [{}]}
"""

FOREIGN = """\
apiVersion: meshd.dev/v1
kind: MeshConfig
metadata: {name: default}
spec: {trustDomain: other.org}
"""


def post(meshd, path, body):
    """POST over the unix socket, without our own client."""
    conn = http.client.HTTPConnection("local")
    conn.sock = socket.socket(socket.AF_UNIX)
    conn.sock.settimeout(DEADLINE)
    conn.sock.connect(str(meshd.socket))
    conn.request("POST", path, json.dumps(body))
    answer = conn.getresponse()
    told = json.loads(answer.read())
    conn.close()
    return answer.status, told


# --- what is not in force ---


def test_what_nothing_acts_on_is_a_warning_with_its_place(
        server, meshd, write):
    path = write("inert.yaml", INERT)
    meshd.ok("apply", "-f", "-", stdin=REVIEWS)
    done = meshd("apply", "-f", path)
    assert done.returncode == 0
    assert done.stdout == "VirtualService/default/asked created\n"
    assert done.stderr == (
        f"warning: {path}:7:14: spec.http[0].match[0].statPrefix: "
        "valid, but nothing acts on it yet [MSH0001]\n")
    assert meshd("validate", path).stderr == ""
    status = meshd.json("status")["inert"]
    assert (status["resources"], status["fields"]) == (1, 1)
    assert status["guards"] == {"resources": 0, "fields": 0}
    assert status["items"] == [{
        "id": "MSH0001", "resource": "VirtualService/default/asked",
        "field": "spec.http[0].match[0].statPrefix",
        "message": "valid, but nothing acts on it yet"}]
    out = meshd.ok("status")
    assert "not in force     1 field of 1 resource\n" in out
    assert "MSH0002" not in out


def test_what_lets_more_through_is_refused_whole(server, meshd, write):
    path = write("all.yaml", REVIEWS + "---\n" + GUARD)
    done = meshd("apply", "-f", path)
    assert done.returncode == 3 and done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"error: {path}:") and \
        lines[0].endswith(" [MSH0002]")
    assert "--allow-inert" in lines[-1] and "nothing was applied" in lines[-1]
    assert meshd.items("get") == []
    assert meshd.ok("validate", path) == "4 resources valid, 0 warnings\n"


def test_whoever_asks_the_server_judges_it(server, meshd):
    doc = {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
           "metadata": {"name": "strict"}, "spec": {"rules": [{}]}}
    status, told = post(meshd, "/v1/apply", {"documents": [doc]})
    assert status == 422 and told["code"] == "ERR_UNSUPPORTED"
    assert "MSH0002" in told["message"]
    assert [i["id"] for i in told["inert"]] == ["MSH0002"]
    assert meshd.items("get") == []
    status, told = post(meshd, "/v1/apply?allowInert=true",
                        {"documents": [doc]})
    assert status == 200 and told["changes"][0]["outcome"] == "created"


def test_it_is_kept_if_that_is_wanted_and_status_is_loud_as_long(
        server, meshd):
    done = meshd("apply", "--allow-inert", "-f", "-", stdin=GUARD)
    assert done.returncode == 0
    assert done.stderr.startswith("warning: standard input:2:1: kind: ")
    loud = ("\nNOT IN FORCE: more is let through than these say (MSH0002)\n"
            "RESOURCE                            FIELD\n"
            "AuthorizationPolicy/default/strict  kind\n")
    assert loud in meshd.ok("status")
    server.stop()
    server.start()
    assert loud in meshd.ok("status")
    meshd.ok("delete", "AuthorizationPolicy", "strict")
    assert "NOT IN FORCE" not in meshd.ok("status")
    assert meshd.json("status")["inert"]["fields"] == 0


# --- what would change ---

CHANGED = REVIEWS.replace("weight: 90", "weight: 80").replace(
    "weight: 10", "weight: 20").replace("  - name: rest\n", """\
  - name: new
    match: [{uri: {prefix: /new}}]
    route: [{destination: {host: reviews, subset: v2}}]
  - name: rest
    timeout: 5s
""")

DIFFERENCES = """\
VirtualService/default/reviews spec.http[1]: added \
{"match":[{"uri":{"prefix":"/new"}}],"name":"new",\
"route":[{"destination":{"host":"reviews","subset":"v2"}}]}
VirtualService/default/reviews spec.http[2].route[0].weight: 90 → 80
VirtualService/default/reviews spec.http[2].route[1].weight: 10 → 20
VirtualService/default/reviews spec.http[2].timeout: added "5s"
"""


def test_diff_tells_by_field_and_by_its_status(server, meshd, write):
    path = write("reviews.yaml", REVIEWS)
    new = meshd("diff", "-f", path)
    assert new.returncode == 1
    assert new.stdout.splitlines()[0] == \
        "Service/default/reviews would be created"
    meshd.ok("apply", "-f", path)
    same = meshd("diff", "-f", path)
    assert (same.returncode, same.stdout, same.stderr) == (0, "", "")
    path.write_text(CHANGED)
    changed = meshd("diff", "-f", path)
    assert changed.returncode == 1
    assert changed.stdout == DIFFERENCES
    told = json.loads(meshd("diff", "-f", path, "-o", "json").stdout)
    by_path = {d["path"]: d for c in told["changes"]
               for d in c.get("differences", [])}
    assert by_path["spec.http[2].route[1].weight"] == {
        "path": "spec.http[2].route[1].weight", "before": 10, "after": 20}
    assert by_path["spec.http[2].timeout"] == {
        "path": "spec.http[2].timeout", "after": "5s"}
    assert meshd("diff", "-f", "/nowhere.yaml").returncode == 2
    assert meshd("diff", "-f", "-", stdin="kind: [").returncode == 3


def test_a_dry_run_tells_the_same_and_changes_nothing(server, meshd, write):
    meshd.ok("apply", "-f", "-", stdin=REVIEWS)
    out = meshd.ok("apply", "--dry-run", "-f", "-", stdin=CHANGED)
    assert out == (
        "Service/default/reviews would be unchanged\n"
        "DestinationRule/default/reviews would be unchanged\n"
        "VirtualService/default/reviews would be updated\n" + DIFFERENCES)
    assert meshd("diff", "-f", "-", stdin=REVIEWS).returncode == 0


def test_diff_looks_at_what_apply_would_refuse(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=REVIEWS)
    old = meshd.ok("get", "vs", "reviews", "-o", "yaml")
    meshd.ok("apply", "-f", "-", stdin=CHANGED)
    done = meshd("diff", "-f", "-", stdin=old)
    assert done.returncode == 1
    assert "spec.http[1]: removed {" in done.stdout
    dry = meshd("apply", "--dry-run", "-f", "-", stdin=old)
    assert dry.returncode == 3
    assert "VirtualService/default/reviews was changed by someone else; " \
        "get it anew" in dry.stderr
    assert meshd("diff", "-f", "-", stdin=GUARD).stdout == \
        "AuthorizationPolicy/default/strict would be created\n"


def test_what_moves_in_a_list_is_told_as_that(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=CHANGED)
    doc = meshd.items("get", "vs", "reviews")[0]
    rules = doc["spec"]["http"]
    doc["spec"]["http"] = [rules[2], rules[0], rules[1]]
    done = meshd("diff", "-f", "-", stdin=json.dumps(doc))
    assert done.stdout == "VirtualService/default/reviews spec.http[0]: " \
        "moved, was spec.http[2]\n"


# --- pruning ---

LABELLED = """\
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: %s, labels: {%s}}
spec: {ports: [{name: http, port: 80}]}
"""


def labelled(*rows):
    return "---\n".join(LABELLED % row for row in rows)


def names(meshd):
    return [i["metadata"]["name"] for i in meshd.items("get")]


def test_what_is_no_longer_in_the_files_is_pruned(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=labelled(
        ("a", "one", "app: shop, tier: web"),
        ("b", "one", "app: shop, tier: web"),
        ("c", "two", "app: shop, tier: web, more: x"),
        ("d", "one", "app: shop"), ("e", "one", "app: blog, tier: web"))
        + "---\n" + REVIEWS.replace("{name: reviews}", "{name: reviews, "
                                    "labels: {app: shop, tier: web}}"))
    # Of the others, a route loses its service.
    words = ("apply", "--force", "--prune", "-l", "app=shop,tier=web", "-f",
             "-")
    stdin = labelled(("a", "one", "app: shop, tier: web"))
    dry = meshd.ok(*words, "--dry-run", stdin=stdin)
    gone = ("Service/default/reviews", "Service/one/b", "Service/two/c")
    assert sorted(dry.splitlines()) == sorted(
        ["Service/one/a would be unchanged",
         *(f"{key} would be deleted" for key in gone)])
    before = meshd.json("status")["revision"]
    done = meshd.ok("apply", "--force", "--prune", "-l", "app=shop", "-l",
                    "tier=web", "-f", "-", stdin=stdin)
    assert sorted(done.splitlines()) == sorted(
        ["Service/one/a unchanged", *(f"{key} deleted" for key in gone)])
    assert meshd.json("status")["revision"] == before + 1
    assert sorted(names(meshd)) == ["a", "d", "e", "reviews", "reviews"]


def test_pruning_needs_labels(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=labelled(("a", "one", "")))
    for words in (("--prune",), ("--prune", "-l", "app"), ("-l", "a=b"),
                  ("--prune", "-l", "=b"), ("--prune", "-l", ",")):
        done = meshd("apply", *words, "-f", "-",
                     stdin=labelled(("b", "one", "")))
        assert done.returncode in (2, 3), words
        assert names(meshd) == ["a"]
    status, told = post(meshd, "/v1/apply?prune=", {"documents": []})
    assert status == 422 and "labels" in told["message"]


def test_a_mistake_prunes_nothing(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=labelled(("a", "one", "app: x")))
    done = meshd("apply", "--prune", "-l", "app=x", "-f", "-",
                 stdin=labelled(("b", "one", "app: x"), ("c", "One", "a: x")))
    assert done.returncode == 3
    assert names(meshd) == ["a"]


# --- the past ---


def revision(meshd):
    return meshd.json("status")["revision"]


def bodies(meshd):
    """What is configured, without when it came."""
    return [{**i, "metadata": {k: v for k, v in i["metadata"].items()
                               if k in ("name", "namespace", "labels")}}
            for i in meshd.items("get")]


def test_history_says_who_what_and_when(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=REVIEWS)
    meshd.ok("apply", "-f", "-", stdin=CHANGED)
    meshd.ok("delete", "vs", "reviews")
    rows = meshd.items("history", "vs", "reviews")
    assert [row["what"] for row in rows] == ["deleted", "updated", "created"]
    assert {row["actor"] for row in rows} == {"uid 0"}
    assert [d["path"] for d in rows[1]["differences"]] == [
        "spec.http[1]", "spec.http[2].route[0].weight",
        "spec.http[2].route[1].weight", "spec.http[2].timeout"]
    assert rows[0]["revision"] == rows[1]["revision"] + 1 == revision(meshd)
    table = meshd.ok("history", "vs", "reviews").splitlines()
    assert table[0].split() == ["REVISION", "TIME", "WHO", "WHAT"]
    assert table[2].endswith(
        "updated spec.http[1], spec.http[2].route[0].weight, "
        "spec.http[2].route[1].weight and 1 more")
    every = meshd.items("history")
    assert every[0]["what"] == "deleted VirtualService default/reviews"
    assert every[1]["what"] == "updated VirtualService default/reviews"
    assert "created Service default/reviews; created DestinationRule" in \
        every[2]["what"]
    assert len(meshd.items("history", "--limit", "1")) == 1
    assert len(meshd.items("history", "--limit", "1", "vs", "reviews")) == 1
    for words, said in ((("vs", "nobody"), "does not exist"),
                        (("vs",), "history KIND NAME"),
                        (("vss", "x"), "no kind")):
        done = meshd("history", *words)
        assert done.returncode != 0 and said in done.stderr, done.stderr


def test_everything_goes_back_at_one_stroke(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=REVIEWS)
    before, then = bodies(meshd), revision(meshd)
    meshd.ok("apply", "-f", "-", stdin=CHANGED + "---\n" + INERT)
    meshd.ok("delete", "dr", "reviews")
    meshd.ok("apply", "-f", "-", stdin=labelled(("new", "one", "")))
    last = revision(meshd)
    dry = meshd.ok("rollback", "--dry-run", then)
    assert set(dry.splitlines()) == {
        "VirtualService/default/reviews would be updated",
        "VirtualService/default/reviews spec.http[1]: removed "
        '{"match":[{"uri":{"prefix":"/new"}}],"name":"new",'
        '"route":[{"destination":{"host":"reviews","subset":"v2"}}]}',
        "VirtualService/default/reviews spec.http[1].route[0].weight: 80 → 90",
        "VirtualService/default/reviews spec.http[1].route[1].weight: 20 → 10",
        'VirtualService/default/reviews spec.http[1].timeout: removed "5s"',
        "VirtualService/default/asked would be deleted",
        "DestinationRule/default/reviews would be created",
        "Service/one/new would be deleted"}
    assert revision(meshd) == last
    done = meshd.ok("rollback", then)
    assert set(done.splitlines()) == {
        "VirtualService/default/reviews updated",
        "VirtualService/default/asked deleted",
        "DestinationRule/default/reviews created", "Service/one/new deleted"}
    assert bodies(meshd) == before
    assert revision(meshd) == last + 1
    assert meshd.ok("rollback", last + 1) == "nothing changes\n"
    # A rollback is a change like any other, and can be taken back.
    meshd.ok("rollback", "--force", last)
    assert names(meshd).count("new") == 1


def test_one_resource_goes_back_alone(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=REVIEWS)
    then = revision(meshd)
    meshd.ok("apply", "-f", "-", stdin=CHANGED)
    meshd.ok("delete", "dr", "reviews")
    assert meshd.ok("rollback", "vs", "reviews", then) == \
        "VirtualService/default/reviews updated\n"
    assert len(meshd.items("get")) == 2
    assert meshd.ok("rollback", "dr", "reviews", then) == \
        "DestinationRule/default/reviews created\n"
    assert meshd.ok("rollback", "svc", "reviews", then) == "nothing changes\n"
    assert meshd("diff", "-f", "-", stdin=REVIEWS).returncode == 0
    for words, said in (
            (("vs", "reviews", "1"), "was not there at revision 1; `meshd "
             "delete`"),
            (("vs", "nobody", then), f"at revision {then} there was none"),
            (("vs", "reviews", 10000), "there is no revision 10000 yet"),
            (("vs", "reviews", "x"), "is no revision"),
            (("vs", "reviews"), "rollback [KIND NAME] REVISION")):
        done = meshd("rollback", *words)
        assert done.returncode != 0 and said in done.stderr, done.stderr


def test_what_was_is_judged_anew(server, meshd):
    meshd.ok("apply", "--allow-inert", "-f", "-", stdin=GUARD)
    then = revision(meshd)
    meshd.ok("delete", "AuthorizationPolicy", "strict")
    done = meshd("rollback", then)
    assert done.returncode == 3
    assert done.stderr.startswith(
        "error: AuthorizationPolicy/default/strict: kind: valid, but not in "
        "force yet")
    assert "[MSH0002]" in done.stderr and meshd.items("get") == []
    assert meshd.ok("rollback", "--allow-inert", then) == \
        "AuthorizationPolicy/default/strict created\n"


def test_another_trust_domain_is_still_told_after_a_restart(server, meshd):
    meshd.ok("apply", "--allow-inert", "-f", "-", stdin=FOREIGN)
    told = meshd.json("status")["inert"]
    assert any(i["field"] == "spec.trustDomain" for i in told["items"])
    server.stop()
    server.start()
    assert meshd.json("status")["inert"] == told


def test_the_past_is_there_after_a_restart(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=REVIEWS)
    then = revision(meshd)
    meshd.ok("apply", "-f", "-", stdin=CHANGED)
    server.stop()
    server.start()
    assert len(meshd.items("history", "vs", "reviews")) == 2
    meshd.ok("rollback", then)
    assert meshd("diff", "-f", "-", stdin=REVIEWS).returncode == 0


# --- two writers ---


def test_who_comes_second_is_told_who_came_first(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=REVIEWS)
    mine = meshd.ok("get", "vs", "reviews", "-o", "yaml")
    meshd.ok("apply", "-f", "-", stdin=CHANGED)
    theirs = bodies(meshd)
    done = meshd("apply", "-f", "-", stdin=mine.replace("90", "70"))
    assert done.returncode == 3
    now = revision(meshd)
    assert "VirtualService default/reviews was changed by uid 0 at 20" in \
        done.stderr
    assert f"it has revision {now} by now, not {now - 1}; get it anew" in \
        done.stderr
    assert bodies(meshd) == theirs
    meshd.ok("delete", "vs", "reviews")
    done = meshd("apply", "-f", "-", stdin=mine)
    assert done.returncode == 3
    assert "was deleted by uid 0 at 20" in done.stderr
