# SPDX-License-Identifier: Apache-2.0
"""words — what an agent tells of its traffic: tap, top, why, the access log."""

import json
import re
import subprocess
import threading

import pytest

from mesh import MESHD, Mesh, families, wait_for

RULES = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec: {selector: {app: nobody}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http:
  - name: teapot
    match: [{uri: {exact: /teapot}}]
    directResponse: {status: 418, body: {string: short and stout}}
  - name: patient
    route: [{destination: {host: web}}]
    retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}
"""

FORMAT = """\
apiVersion: meshd.dev/v1
kind: MeshConfig
metadata: {name: default}
spec:
"""


@pytest.fixture(scope="module", params=families("words"))
def home(request, tmp_path_factory):
    """Web on vm2, its caller on vm3."""
    folder = tmp_path_factory.mktemp("words")
    with Mesh(folder, request.param, machines=3) as it:
        vm2 = it.member(2)
        at = it.machine(3).at
        it.caller = it.member(
            3, "--upstream", f"web={at(9000)}", "--upstream",
            f"nobody={at(9002)}", "--upstream", f"echo={at(9001)}",
            "--access-log", folder / "out.log", "--log-success")
        it.log = folder / "out.log"
        it.app = it.machine(3)
        it.v1 = it.web(2, 8080, "v1")
        echo = it.echo(2, 8081)
        vm2.expose("web", f"80:{it.v1.target}", "--protocol", "http")
        vm2.expose("echo", f"7:{echo.target}", "--protocol", "tcp")
        it.caller.sees("web", 1)
        it.caller.sees("echo", 1)
        it.apply(RULES)
        yield it


class Tap:
    """`meshd tap`, while it runs."""

    def __init__(self, agent, *words):
        cli = agent.cli
        self.process = subprocess.Popen(
            [*cli.machine.enter, MESHD, "tap", *words]
            if cli.machine else [MESHD, "tap", *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=cli.env)

    def lines(self):
        """All of them, once it has ended by itself."""
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, (out, err)
        return out.splitlines()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def tapped(home, words, calls):
    """What tap shows of these calls; it is there when lines come of /ready."""
    with Tap(home.caller, *words) as tap:
        for path, port in calls:
            home.app.fetch(port, path)
        return tap.lines()


def until_tapped(home, words, path, port=9000):
    """The first line of a tap, calling until there is one."""
    with Tap(home.caller, *words, "-n", "1") as tap:
        done = threading.Event()

        def call():
            while not done.is_set():
                home.app.fetch(port, path)
                done.wait(0.05)
        caller = threading.Thread(target=call)
        caller.start()
        try:
            return tap.lines()[0]
        finally:
            done.set()
            caller.join()


def ids_of(home, path):
    """Request ids of the path, by the access log of Istio's text."""
    found = re.findall(
        rf'"GET {re.escape(path)} HTTP/1.1" .* "([0-9a-f-]{{36}})" "',
        home.log.read_text())
    return found


# --- tap ---


def test_a_line_has_what_a_request_met(home):
    line = until_tapped(home, ["web"], "/tap?x=1")
    assert re.match(r"\d\d:\d\d:\d\d\.\d\d\d  out  GET  \S+/tap\?x=1  200 -  "
                    r"[\d.]+ ms  \S+:80  patient "
                    r"\(VirtualService/default/web@\d+\)$", line), line


def test_an_answer_of_our_own_has_its_reason(home):
    line = until_tapped(home, ["nobody"], "/nobody", port=9002)
    assert "  503 UH  " in line
    assert line.endswith("  the destination has no healthy endpoint"), line


def test_programs_read_a_line_of_json_each(home):
    told = json.loads(until_tapped(
        home, ["web", "path=/json*", "-o", "json"], "/json"))
    assert told["direction"] == "out" and told["kind"] == "http"
    assert told["status"] == 200 and told["flag"] == "-"
    assert told["route"] == "patient"
    assert told["from"].startswith("VirtualService/default/web@")
    assert told["node"] == "vm2" and told["endpoint"].endswith(":80")
    assert told["durationMs"] > 0


@pytest.mark.parametrize("words, path", [
    (["method=GET", "path=/a*", "status=2xx"], "/abc"),
    (["status=5xx", "route=patient"], "/status/503"),
    (["flag=URX"], "/status/500"),
    (["header:who=m*"], "/header"),
    (["direction=out", "kind=http", "path!=/other"], "/not"),
    (["duration>1us", "path=*long"], "/quite-long"),
])
def test_conditions_choose(home, words, path):
    with Tap(home.caller, "web", *words, "-n", "2", "-o", "json") as tap:
        done = threading.Event()

        def call():
            while not done.is_set():
                home.app.fetch(9000, "/other", method="POST")
                home.app.fetch(9000, path, headers={"Who": "me"})
                done.wait(0.02)
        caller = threading.Thread(target=call)
        caller.start()
        try:
            shown = [json.loads(line)["path"] for line in tap.lines()]
        finally:
            done.set()
            caller.join()
    assert shown == [path, path]


@pytest.mark.parametrize("words, said", [
    (["wbe"], "no service wbe is known here"),
    (["web", "stauts=5xx"], '"stauts"; did you mean "status"?'),
    (["web", "status"], '"status" is no condition'),
    (["web", "status=bad"], 'status is a number such as 503 or 5xx'),
    (["web", "duration>soon"], 'duration is compared with a time'),
    (["web", "path>3"], 'only duration is compared by ">"'),
    ([], "say which service"),
])
def test_what_cannot_be_tapped_is_refused_in_words(home, words, said):
    done = home.caller.cli("tap", *words, "--duration", "5s")
    assert done.returncode in (2, 3)
    assert said in done.stderr, done.stderr


def test_connections_are_shown_when_they_end(home):
    with Tap(home.caller, "echo", "-n", "1") as tap:
        done = threading.Event()

        def call():
            while not done.is_set():
                with home.app.connect(home.app.loopback, 9001) as conn:
                    conn.sendall(b"x")
                    assert conn.recv(1) == b"x"
                done.wait(0.05)
        caller = threading.Thread(target=call)
        caller.start()
        try:
            line = tap.lines()[0]
        finally:
            done.set()
            caller.join()
    assert "  out  tcp  echo.default.svc.mesh.internal  -  " in line


def test_a_tap_ends_when_its_time_is_over(home):
    assert home.caller.cli.ok(
        "tap", "*", "--duration", "100ms", "path=/never") == ""


def test_whoever_only_reads_sees_no_requests_of_others(home):
    admin = home.app.fetch(15000, "/v1/why?id=1", ip="127.0.0.1")
    assert admin.status == 403, admin.body
    assert home.app.fetch(
        15000, "/v1/traffic", ip="127.0.0.1").status == 200


# --- top ---


def test_rates_are_by_service_and_direction(home):
    done = threading.Event()

    def call():
        while not done.is_set():
            home.app.fetch(9000, "/top")
            home.app.fetch(9002, "/top")
    caller = threading.Thread(target=call)
    caller.start()
    try:
        shown = home.caller.cli.json("top", "--interval", "500ms")["items"]
        table = home.caller.cli.ok("top", "--once", "--interval", "500ms")
    finally:
        done.set()
        caller.join()
    by = {(r["direction"], r["service"]): r for r in shown}
    web = by["out", "web.default.svc.mesh.internal"]
    assert web["requestsPerSecond"] > 0 and web["errorsPerSecond"] == 0
    assert 0 < web["p50Ms"] <= web["p99Ms"]
    nobody = by["out", "nobody.default.svc.mesh.internal"]
    assert nobody["errorsPerSecond"] == nobody["requestsPerSecond"] > 0
    rows = table.splitlines()
    assert rows[0].split()[:2] == ["DIRECTION", "SERVICE"]
    assert any("100.0%" in row for row in rows if "nobody" in row), table


# --- why ---


def test_why_tells_each_try(home):
    assert home.app.fetch(
        9000, "/status/503", headers={"x-request-id": "tried-thrice"}
    ).status == 503
    told = home.caller.cli.json("why", "tried-thrice")["items"]
    assert len(told) == 1
    assert [t["status"] for t in told[0]["tries"]] == [503, 503]
    assert told[0]["attempts"] == 3 and told[0]["flag"] == "URX"
    text = home.caller.cli.ok("why", "tried-thrice")
    assert "route      patient (VirtualService/default/web@" in text
    assert "outcome    503 URX  via_upstream" in text
    assert len(re.findall(r"^\d +\S+:80 ", text, re.M)) == 3, text
    assert "is known there: meshd why tried-thrice" in text


def test_why_has_the_sentence_that_the_client_was_told(home):
    answer = home.app.fetch(9002, "/asked-why")
    assert answer.status == 503
    found = wait_for(lambda: ids_of(home, "/asked-why"), "it is logged")
    told = home.caller.cli.json("why", found[0])["items"][0]
    assert told["proxyStatus"] == answer.headers["proxy-status"]
    assert told["reason"] == answer.body.decode().strip()
    assert f"answered   {told['proxyStatus']}" in home.caller.cli.ok(
        "why", found[0])


def test_why_knows_what_a_rule_answers(home):
    home.app.fetch(9000, "/teapot", headers={"x-request-id": "tea"})
    told = home.caller.cli.json("why", "tea")["items"][0]
    assert told["status"] == 418 and told["details"] == "direct_response"
    assert told["route"] == "teapot"


def test_what_went_wrong_stays_longer_than_what_went_well(home):
    home.app.fetch(9002, "/stays", headers={"x-request-id": "stays"})
    for _ in range(300):
        home.app.fetch(9000, "/well", headers={"x-request-id": "well"})
    assert home.caller.cli.ok("why", "stays")


def test_an_unknown_id_is_said_to_be_unknown(home):
    done = home.caller.cli("why", "no-such-id")
    assert done.returncode == 3
    assert 'no request with the id "no-such-id"' in done.stderr


# --- the access log ---


@pytest.fixture
def mesh_config(home):
    def apply(spec):
        home.apply(FORMAT + spec)
    yield apply
    home.cli.ok("delete", "MeshConfig", "default")
    home.settle()


def last_line(home, path, want):
    def found():
        home.app.fetch(9000, path)
        lines = home.log.read_text().splitlines()
        return [line for line in lines if want(line)]
    return wait_for(found, lambda: "a line is as wished; the log: "
                    + home.log.read_text()[-2000:])[-1]


def test_the_mesh_says_how_lines_look(home, mesh_config):
    mesh_config("  accessLogFormat: 'look %REQ(:METHOD)% "
                "%REQ(x-none?:path):9% %RESPONSE_CODE%/%RESP(x-from)% "
                "%RESPONSE_FLAGS_LONG% %UPSTREAM_PROTOCOL% 100%%'\n")
    line = last_line(home, "/formatted", lambda t: t.startswith("look "))
    assert line == "look GET /formatte 200/v1 - HTTP/1.1 100%"


def test_and_in_json_too(home, mesh_config):
    mesh_config("  accessLogEncoding: JSON\n  accessLogFormat: '"
                '{"path": "%PATH(NQ)%", "code": "%RESPONSE_CODE%", '
                '"took": {"all": "%DURATION%", "none": "%TRAILER(x)%"}, '
                '"text": "by %ROUTE_NAME%"}' "'\n")
    line = last_line(home, "/json?x=1", lambda t: t.startswith('{"path":"/json'))
    told = json.loads(line)
    assert told["path"] == "/json" and told["code"] == 200
    assert told["took"]["none"] is None
    assert isinstance(told["took"]["all"], int)
    assert told["text"] == "by patient"


def test_what_is_no_operator_is_refused_in_words(home):
    done = home.cli("apply", "-f", "-", stdin=FORMAT +
                    "  accessLogFormat: '%RESPONSE_CODES%'\n")
    assert done.returncode == 3
    assert "%RESPONSE_CODES% is no operator" in done.stderr
    assert 'did you mean "RESPONSE_CODE"?' in done.stderr
