# SPDX-License-Identifier: Apache-2.0
"""offline — what needs no server: help, version, validate, explain --files."""

import json
import os
import pathlib
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
