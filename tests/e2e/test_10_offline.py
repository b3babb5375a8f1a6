# SPDX-License-Identifier: Apache-2.0
"""offline — what needs no server: help, version, validate, explain --files."""

import json
import os
import pathlib
import re
import subprocess

from mesh import DEADLINE, MESHD

REVIEWS = """\
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec:
  selector: {app: reviews}
  ports: [{name: http, port: 9080}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - name: testers
    match: [{headers: {who: {exact: tester}}}]
    route: [{destination: {host: reviews, subset: v2}}]
  - name: rest
    route:
    - {destination: {host: reviews, subset: v1}, weight: 90}
    - {destination: {host: reviews, subset: v2}, weight: 10}
"""

WRONG = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wrong}
spec:
  hosts: [reviews]
  http:
  - timeuot: 5s
    timeout: soon
    route:
    - destination: {host: reviews}
      weight: -1
"""


def test_help_lists_the_commands(meshd):
    text = meshd.ok("help")
    for command in ("apply", "get", "validate", "explain", "server run"):
        assert f"\n  {command}" in text


def test_each_command_explains_its_options(meshd):
    for command in ("apply", "get", "delete", "validate", "explain", "history",
                    "status", "version"):
        assert meshd.ok(command, "--help").startswith(f"usage: meshd {command}")
    assert "--state DIR" in meshd.ok("server", "run", "--help")


def test_version_says_a_version(meshd):
    assert meshd.ok("version").startswith("meshd 0.")


def test_an_unknown_command_gets_the_nearest_known_one(meshd):
    done = meshd("aply")
    assert done.returncode == 2
    assert 'did you mean "apply"' in done.stderr


def test_an_unknown_option_gets_the_nearest_known_one(meshd):
    done = meshd("validate", "--namespce", "x")
    assert done.returncode == 2
    assert 'did you mean "namespace"' in done.stderr


def test_right_configuration_is_valid(meshd, write):
    out = meshd.ok("validate", "-f", write("reviews.yaml", REVIEWS))
    assert out == "3 resources valid, 0 warnings\n"


def test_a_folder_is_read_by_name(meshd, write):
    write("conf/a.yaml", REVIEWS)
    folder = write("conf/notes.txt", "not: configuration").parent
    assert meshd.ok("validate", "-f", folder).startswith("3 resources valid")


def test_standard_input_is_read(meshd):
    assert "3 resources" in meshd.ok("validate", "-f", "-", stdin=REVIEWS)


def test_three_mistakes_are_told_at_once_with_their_lines(meshd, write):
    path = write("wrong.yaml", WRONG)
    done = meshd("validate", "-f", path)
    assert done.returncode == 3
    lines = [line for line in done.stderr.splitlines()
             if line.startswith(f"error: {path}:")]
    assert len(lines) == 3, done.stderr
    assert any(f"{path}:7:" in line and "timeuot" in line
               and "timeout" in line for line in lines)
    assert any(f"{path}:8:" in line and "timeout" in line for line in lines)
    assert any(f"{path}:11:" in line and "weight" in line for line in lines)


def test_a_fault_is_explained(meshd, write):
    path = write("fault.yaml", REVIEWS.replace(
        "  - name: rest\n",
        "  - name: rest\n    fault: {abort: {httpStatus: 500, "
        "percentage: {value: 0.5}}}\n"))
    assert meshd("validate", "-f", path).returncode == 0
    told = json.loads(meshd.ok(
        "explain", "request", "http://reviews/", "--files", path,
        "-o", "json"))
    assert told["action"]["fault"] == {"abort": {"http": 500, "percent": 0.5}}


def test_an_answer_by_a_rule_is_explained(meshd, write):
    path = write("answer.yaml", REVIEWS.replace(
        "  - name: rest\n",
        "  - name: rest\n    directResponse: {status: 204}\n  - name: never\n"))
    told = json.loads(meshd.ok(
        "explain", "request", "http://reviews/", "--files", path,
        "-o", "json"))
    assert told["outcome"]["status"] == 204
    assert told["action"] == {"directResponse": {"status": 204}}


def test_explain_goes_by_who_calls(meshd, write):
    path = write("some.yaml", REVIEWS.replace(
        "  - name: rest\n",
        "  - name: some\n    match:\n"
        "    - {sourceLabels: {app: batch}, sourceNamespace: shop}\n"
        "    route: [{destination: {host: reviews}}]\n  - name: rest\n"))

    def told(*words):
        return json.loads(meshd.ok(
            "explain", "request", *words, "http://reviews.default/",
            "--files", path, "-o", "json"))

    batch = told("--from", "x.shop", "--labels", "app=batch",
                 "--labels", "a=b")
    assert batch["routeMatched"] == "some"
    assert batch["caller"] == {
        "namespace": "shop", "labels": {"app": "batch", "a": "b"}}
    for words, why in (
            (("--labels", "app=batch"), "callers in namespace shop; this "
             "one is in default"),
            (("--from", "x.shop"), "callers with the label app=batch")):
        other = told(*words)
        assert other["routeMatched"] == "rest"
        assert any(why in rule.get("why", "") for rule in other["rules"])
    done = meshd("explain", "request", "--labels", "app", "http://reviews/",
                 "--files", path)
    assert done.returncode == 2 and 'key=value, not "app"' in done.stderr


def test_explain_from_files_says_which_rule_and_why_not_the_others(
        meshd, write):
    path = write("reviews.yaml", REVIEWS)
    told = json.loads(meshd.ok(
        "explain", "request", "GET", "http://reviews:9080/x", "--files", path,
        "-o", "json"))
    assert told["routeMatched"] == "rest"
    rules = told["rules"]
    assert [rule["matched"] for rule in rules] == [False, True]
    assert "who" in rules[0]["why"]
    clusters = [d["cluster"] for d in told["destinations"]]
    assert clusters == [
        "outbound|9080|v1|reviews.default.svc.cluster.local",
        "outbound|9080|v2|reviews.default.svc.cluster.local"]


def test_explain_reads_headers(meshd, write):
    path = write("reviews.yaml", REVIEWS)
    told = json.loads(meshd.ok(
        "explain", "request", "http://reviews.default/x", "-H", "who: tester",
        "--files", path, "-o", "json"))
    assert told["routeMatched"] == "testers"


def test_explain_for_people_names_file_and_line(meshd, write):
    path = write("reviews.yaml", REVIEWS)
    out = meshd.ok("explain", "request", "http://reviews/x", "--files", path)
    assert f"{path}:" in out
    assert "90 %" in out


def test_many_questions_are_answered_line_by_line(meshd, write):
    path = write("reviews.yaml", REVIEWS)
    lines = [{"host": "reviews", "headers": {"who": "tester"}},
             {"host": "reviews", "namespace": "shop"},
             {"hots": "reviews"},
             {"cluster": "outbound|9080|v2|reviews.default.svc.cluster.local"},
             {"direction": "gateway", "proxy": "gateway", "port": 1}]
    done = meshd("explain", "--files", path, "--questions", "-",
                 stdin="\n".join(map(json.dumps, lines)) + "\n\n")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == len(lines), done.stderr
    assert told[0]["routeMatched"] == "testers"
    assert told[1]["outcome"]["status"] == 404
    assert "no member hots" in told[2]["fault"]["message"]
    assert told[3]["settings"]["lb"] == "LEAST_REQUEST"
    assert told[4]["error"] == "ErrNoListener"
    assert done.returncode == 3 and "nobody can answer" in done.stderr


def test_files_may_be_explained_with_others_on_top(meshd, write):
    path = write("reviews.yaml", REVIEWS)
    other = write("other.yaml", REVIEWS.split("---\n")[2].replace(
        "name: rest", "name: other"))
    words = ("explain", "request", "http://reviews/", "--files", path)
    assert "route         rest" in meshd.ok(*words)
    assert "route         other" in meshd.ok(*words, "--with", other)


FULL = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80}, {name: tcp, port: 7000}]
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: web-1}
spec:
  address: 10.0.0.1
  labels: {app: web, version: v1}
  serviceAccount: web
  network: east
  locality: eu/a
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: web-2}
spec: {address: 10.0.0.2, labels: {app: web}, locality: us/b}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec:
  host: web
  trafficPolicy:
    loadBalancer:
      consistentHash: {httpCookie: {name: c, ttl: 1s, path: /}}
      localityLbSetting: {failover: [{from: eu, to: us}]}
      warmup: {duration: 5s}
    connectionPool: {tcp: {maxConnections: 3}}
    outlierDetection: {interval: 5s}
    retryBudget: {percent: 20}
    tls: {mode: SIMPLE, sni: a.com}
    proxyProtocol: {version: V2}
  subsets: [{name: v1, labels: {version: v1}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
  - match: [{uri: {prefix: /moved}}]
    redirect: {uri: /, port: 81, authority: a.com, scheme: https}
  - match: [{uri: {prefix: /gone}}]
    directResponse: {status: 410, body: {string: gone}}
    corsPolicy:
      allowOrigins: [{exact: "http://a.com"}]
      allowMethods: [GET]
      allowHeaders: [x]
      exposeHeaders: [x]
      maxAge: 1h
      allowCredentials: true
  - match: [{uri: {prefix: /d}}]
    delegate: {name: nowhere}
  - name: two
    match: [{uri: {prefix: /two/}, name: m}]
    rewrite: {uri: /2/, authority: a.com}
    route:
    - destination: {host: web, subset: v1}
      weight: 1
      headers: {request: {set: {a: b}, remove: [c]}}
    - {destination: {host: web, subset: lost}, weight: 2}
    headers: {response: {add: {a: b}}}
    retries: {attempts: 2, perTryTimeout: 1s, retryOn: "503", backoff: 1s}
    timeout: 3s
    fault:
      delay: {fixedDelay: 1s, percentage: {value: 1}}
      abort: {httpStatus: 500, percentage: {value: 1}}
    mirrors: [{destination: {host: web}, percentage: {value: 1}}]
  - match: [{uri: {regex: /r.*}}]
    rewrite: {uriRegexRewrite: {match: r, rewrite: s}}
    route: [{destination: {host: web}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web}
spec: {rules: [{to: [{operation: {methods: [GET]}}]}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw}
spec:
  selector: {istio: gw}
  servers:
  - hosts: [a.com]
    port: {number: 443, name: https, protocol: HTTPS}
    tls: {mode: SIMPLE, credentialName: a}
"""

QUESTIONS = [
    *({"host": "web", "path": path, "labels": {"istio-locality": "eu.a"}}
      for path in ("/moved", "/gone", "/two/x", "/r", "/none")),
    {"host": "web", "port": 7000},
    {"direction": "outbound", "port": 80, "protocol": "http",
     "authority": "web", "path": "/two/x", "headers": {"a": "b"}},
    {"direction": "inbound", "port": 80, "protocol": "http",
     "authority": "web", "tls": "mtls", "peer": "a.b",
     "labels": {"app": "web"}},
    {"direction": "gateway", "proxy": "gateway", "port": 443, "tls": "tls",
     "sni": "b.com", "labels": {"istio": "gw"}},
    {"cluster": "outbound|80|v1|web.default.svc.cluster.local"},
    {},
]

# Whose members are names that people gave, or are told elsewhere.
NOT_OURS = {"labels", "headers", "access", "policy"}


def members(told):
    if isinstance(told, list):
        for item in told:
            yield from members(item)
    if isinstance(told, dict):
        for key, value in told.items():
            if "|" not in key and not key.endswith("Cluster"):
                yield key
            if key not in NOT_OURS:
                yield from members(value)
            elif key == "policy" and isinstance(value, dict):
                yield from value


def test_each_member_of_an_answer_is_in_the_page(meshd, write):
    """Whoever reads answers by program reads meshd-explain(5) first."""
    page = (pathlib.Path(__file__).parents[2] /
            "man/meshd-explain.5").read_text(encoding="utf-8")
    done = meshd("explain", "--files", write("full.yaml", FULL),
                 "--questions", "-",
                 stdin="\n".join(map(json.dumps, QUESTIONS)) + "\n")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(QUESTIONS), done.stderr
    known = set(re.findall(r"\w+", " ".join(
        line for line in page.splitlines() if " Li " in line or
        line.startswith(".Li "))))
    found = set(members(answers))
    assert found - known == set()
    assert len(found) > 80, found


EXAMPLES = pathlib.Path(__file__).parents[2] / "config/examples"


def test_every_kind_of_our_own_has_an_example_that_is_right(meshd):
    shown = set()
    for path in sorted(EXAMPLES.glob("*.yaml")):
        answer = meshd.json("validate", "-f", path)
        for item in answer["items"]:
            assert item["verdict"] == "valid", (path, item)
            assert item["warnings"] == [], path
            shown.add(item["kind"])
    kinds = {row["kind"] for row in meshd.json("explain-field")["items"]
             if row["group"] == "meshd.dev"}
    assert kinds and kinds <= shown


def test_bash_offers_what_the_tables_have(meshd):
    """The function is called as bash calls it."""
    def offered(*words):
        script = (f"eval \"$(meshd completion bash)\"; COMP_WORDS=(meshd "
                  f"{' '.join(words)} ''); COMP_CWORD={len(words) + 1}; "
                  "_meshd; printf '%s\\n' \"${COMPREPLY[@]}\"")
        env = {"PATH": f"{pathlib.Path(MESHD).parent}:{os.environ['PATH']}"}
        return subprocess.run(
            ["bash", "-c", script], env=env, capture_output=True, text=True,
            timeout=DEADLINE, check=True).stdout.split()

    assert offered("server") == ["init", "run", "backup", "restore"]
    assert "ratelimitpolicies" in offered("delete")
    assert offered("get", "-o") == ["table", "json", "yaml"]
