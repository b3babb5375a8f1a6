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
  hosts: [web]
  http:
  - match: [{queryParams: {a: {exact: b}}}]
    route: [{destination: {host: web}}]
"""

GUARD = """\
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict}
spec: {mtls: {mode: STRICT}}
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
    done = meshd("apply", "-f", path)
    assert done.returncode == 0
    assert done.stdout == "VirtualService/default/asked created\n"
    assert done.stderr == (
        f"warning: {path}:7:14: spec.http[0].match[0].queryParams: "
        "valid, but nothing acts on it yet [MSH0001]\n")
    assert meshd("validate", path).stderr == ""
    status = meshd.json("status")["inert"]
    assert (status["resources"], status["fields"]) == (1, 1)
    assert status["guards"] == {"resources": 0, "fields": 0}
    assert status["items"] == [{
        "id": "MSH0001", "resource": "VirtualService/default/asked",
        "field": "spec.http[0].match[0].queryParams",
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
    doc = {"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
           "metadata": {"name": "strict"}, "spec": {"mtls": {"mode": "STRICT"}}}
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
            "RESOURCE                           FIELD\n"
            "PeerAuthentication/default/strict  kind\n")
    assert loud in meshd.ok("status")
    server.stop()
    server.start()
    assert loud in meshd.ok("status")
    meshd.ok("delete", "PeerAuthentication", "strict")
    assert "NOT IN FORCE" not in meshd.ok("status")
    assert meshd.json("status")["inert"]["fields"] == 0
