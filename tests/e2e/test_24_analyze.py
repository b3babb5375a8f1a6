# SPDX-License-Identifier: Apache-2.0
"""analyze — files by themselves, the store, files on top of it, and apply."""

import json
import signal

import pytest

from mesh import Mesh, wait_for

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: %s}
spec: {ports: [{name: http, port: 80}]}
"""

ROUTE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s}
spec:
  hosts: [%s]
  http:
  - route:
    - destination: {host: %s}
"""

SUBSET = """\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec:
  host: web
  subsets:
  - {name: v1, labels: {version: v1}}
"""


def found(items, code):
    return [i for i in items if i["id"] == code]


def test_files_by_themselves_need_no_server(meshd, write):
    path = write("web.yaml", SERVICE % "web" + "---\n" +
                 ROUTE % ("route", "shop.org", "wbe"))
    done = meshd("analyze", "--files-only", "-f", path)
    assert done.returncode == 3
    assert "error IST0101 VirtualService/default/route" in done.stdout
    assert f"{path}:13" in done.stdout
    assert done.stdout.endswith("1 error\n")
    right = write("right.yaml", SERVICE % "web")
    assert meshd.ok("analyze", "--files-only", right) == "nothing found\n"


def test_thresholds_decide_what_is_told_and_what_fails(meshd, write):
    path = write("a.yaml", SERVICE.replace("name: http", "name: web") % "a")
    run = ("analyze", "--files-only", "-f", path)
    assert meshd(*run).returncode == 0
    assert meshd(*run, "--failure-threshold", "info").returncode == 3
    assert meshd.ok(*run, "--level", "warning") == "nothing found\n"
    assert meshd.ok(*run, "-n", "elsewhere") != ""
    assert meshd(*run, "--level", "loud").returncode == 2


def test_every_code_is_listed(meshd):
    items = json.loads(meshd.ok("analyze", "--list", "-o", "json"))["items"]
    assert {"IST0101", "MSH0101"} < {i["id"] for i in items}
    assert all(i["analyzers"] and i["means"] for i in items)


def test_without_a_server_only_files_can_be_looked_at(meshd, write):
    done = meshd("analyze", "-f", write("a.yaml", SERVICE % "a"))
    assert done.returncode == 4


def test_the_store_is_looked_at(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=SERVICE % "web" + "---\n" + SUBSET)
    done = meshd("analyze", "-o", "json")
    item, = found(json.loads(done.stdout)["items"], "IST0173")
    assert item["name"] == "web" and done.returncode == 3


def test_files_lie_on_top_of_the_store(server, meshd, write):
    meshd.ok("apply", "-f", "-", stdin=SERVICE % "web")
    path = write("r.yaml", ROUTE % ("r", "shop.org", "web"))
    done = meshd("analyze", "-f", path)
    assert "IST0101" not in done.stdout and done.returncode == 0
    wrong = write("w.yaml", "# a remark\n" + ROUTE % ("r", "shop.org", "wbe"))
    items = json.loads(
        meshd("analyze", "-f", wrong, "-o", "json").stdout)["items"]
    item, = found(items, "IST0101")
    assert item["file"] == str(wrong) and item["line"] == 9
    # Nothing of it was stored.
    assert meshd.json("get", "vs")["items"] == []


def test_apply_refuses_a_change_that_brings_errors(server, meshd, write):
    path = write("r.yaml", ROUTE % ("r", "shop.org", "nobody"))
    done = meshd("apply", "-f", path)
    assert done.returncode == 3
    assert f"{path}:8" in done.stderr and "IST0101" in done.stderr
    assert "--force" in done.stderr
    assert meshd.json("get")["items"] == []
    dry = meshd("apply", "--dry-run", "-f", path)
    assert dry.returncode == 3 and "IST0101" in dry.stderr
    forced = meshd("apply", "--force", "-f", path)
    assert forced.returncode == 0 and "IST0101" in forced.stderr
    # What was there before is no news.
    again = meshd("apply", "-f", path)
    assert again.returncode == 0 and again.stderr == ""


def test_a_change_is_judged_by_what_it_does_to_others(server, meshd):
    both = SERVICE % "web" + "---\n" + ROUTE % ("r", "shop.org", "web")
    meshd.ok("apply", "-f", "-", stdin=both)
    # A second port leaves the route without an answer to which one.
    more = SERVICE.replace("80}]", "80}, {name: tcp, port: 81}]") % "web"
    done = meshd("apply", "-f", "-", stdin=more)
    assert done.returncode == 3
    assert "IST0112 VirtualService/default/r" in done.stderr


def test_what_a_change_takes_away_is_judged(server, meshd):
    web = SERVICE.replace("{name: %s", "{labels: {of: web}, name: %s") % "web"
    meshd.ok("apply", "-f", "-", stdin=web + "---\n" +
             ROUTE % ("r", "shop.org", "web"))
    prune = ("apply", "--prune", "-l", "of=web", "-f", "-")
    done = meshd(*prune, stdin=SERVICE % "other")
    assert done.returncode == 3
    assert "IST0101 VirtualService/default/r" in done.stderr
    assert [i["kind"] for i in meshd.items("get")] == [
        "Service", "VirtualService"]
    meshd.ok(*prune, "--force", stdin=SERVICE % "other")
    assert [i["metadata"]["name"] for i in meshd.items("get", "svc")] == [
        "other"]


def test_what_a_rollback_brings_is_judged(server, meshd):
    meshd.ok("apply", "--force", "-f", "-",
             stdin=ROUTE % ("r", "shop.org", "web"))
    then = meshd.json("status")["revision"]
    meshd.ok("apply", "-f", "-", stdin=SERVICE % "web")
    for dry in ([], ["--dry-run"]):
        done = meshd("rollback", *dry, then)
        assert done.returncode == 3
        assert "IST0101 VirtualService/default/r" in done.stderr
        assert "--force" in done.stderr
    assert len(meshd.items("get")) == 2
    assert meshd.ok("rollback", "--force", then) == \
        "Service/default/web deleted\n"


def test_configuration_may_come_before_its_workloads(server, meshd):
    done = meshd("apply", "-f", "-", stdin=SERVICE % "web" + "---\n" + SUBSET)
    assert done.returncode == 0, done.stderr
    assert "error IST0173" in done.stderr


def test_two_files_with_one_host_are_told_apart(server, meshd):
    meshd.ok("apply", "-f", "-", stdin=SERVICE % "web" + "---\n" +
             ROUTE % ("one", "web", "web"))
    done = meshd("apply", "-f", "-", stdin=ROUTE % ("two", "web", "web"))
    assert done.returncode == 3
    assert "IST0109" in done.stderr
    assert "VirtualService/default/one" in done.stderr


# --- what lives ---

ENTRY = """\
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: %s}
spec: {address: '%s', labels: {app: %s}, ports: {http: 80}}
"""


@pytest.fixture
def living(tmp_path):
    """web on vm2 and vm3, at port 80."""
    with Mesh(tmp_path, 4, machines=3) as mesh:
        for number in (2, 3):
            agent = mesh.member(number)
            agent.expose("web", f"80:{mesh.machine(number).at(8080)}",
                         "--protocol", "http" if number == 2 else "tcp")
            wait_for(lambda n=number: len(told(mesh, "MSH0109")) == n - 2,
                     lambda: f"a finding comes: {told(mesh)}")
        yield mesh


def told(mesh, code=None):
    """What analyze says of the store, and what lives."""
    items = json.loads(mesh.cli("analyze", "-o", "json").stdout)["items"]
    return items if code is None else found(items, code)


def test_offers_that_contradict_are_told(living):
    item, = told(living, "MSH0109")
    assert item["kind"] == "Workload" and item["name"] == "web@vm3"
    assert "vm2 offers it as http" in item["message"]
    # What is written overrides both; it has no port that leads there.
    living.cli.ok("apply", "-f", "-", stdin=SERVICE.replace("80", "81") % "web")
    items = told(living, "MSH0109")
    assert [i["kind"] for i in items] == ["Service", "Service"]
    assert {"Workload/default/web@vm2", "Workload/default/web@vm3"} == {
        i["related"][0] for i in items}


def test_a_port_of_a_living_machine_is_taken(living):
    ip = living.machine(2).ip
    done = living.cli("apply", "-f", "-", stdin=ENTRY % ("db", ip, "db"))
    assert done.returncode == 0
    assert "warning MSH0106 WorkloadEntry/default/db" in done.stderr
    item, = told(living, "MSH0106")
    assert item["related"] == ["Workload/default/web@vm2"]
    living.cli.ok("apply", "-f", "-", stdin=ENTRY % ("db", ip, "web"))
    assert told(living, "MSH0106") == []


def test_a_machine_that_went_away_serves_nothing(living):
    living.cli.ok("apply", "-f", "-", stdin=SERVICE.replace(
        "{ports", "{selector: {app: web}, ports") % "web")
    assert told(living, "MSH0103") == []
    for agent in living.agents:
        agent.stop(signal.SIGTERM)
    item, = wait_for(lambda: told(living, "MSH0103"),
                     lambda: f"nobody serves it: {told(living)}")
    assert item["name"] == "web" and told(living, "MSH0109") == []
