# SPDX-License-Identifier: Apache-2.0
"""machines — a server says of a machine what its agent says of itself."""

import contextlib
import json
import re
import signal

import pytest

from mesh import Mesh, wait_for

# One mesh for all of it.
pytestmark = pytest.mark.xdist_group("machines")

ISTIO = "apiVersion: networking.istio.io/v1\n"
PAY = "shop tier=front app=pay"  # as it was exposed
TABLES = ("listeners", "routes", "clusters", "endpoints", "policies")


def service(name, namespace, port, app=None):
    return (f"apiVersion: v1\nkind: Service\n"
            f"metadata: {{name: {name}, namespace: {namespace}}}\n"
            f"spec: {{selector: {{app: {app or name}}}, "
            f"ports: [{{name: http, port: {port}}}]}}\n---\n")


def resource(kind, namespace, name, spec):
    group = "security" if "Auth" in kind else "networking"
    return (f"apiVersion: {group}.istio.io/v1\nkind: {kind}\n"
            f"metadata: {{name: {name}, namespace: {namespace}}}\n"
            f"spec: {json.dumps(spec)}\n---\n")


def to(host, **more):
    return [{"destination": {"host": host, **more}}]


CONFIGURATION = (
    service("web", "default", 80) + service("pay", "shop", 81)
    + service("stock", "shop", 82) + service("far", "other", 84)
    + resource("PeerAuthentication", "shop", "strict",
               {"mtls": {"mode": "STRICT"}})
    + resource("PeerAuthentication", "shop", "stock",
               {"selector": {"matchLabels": {"app": "stock"}},
                "mtls": {"mode": "PERMISSIVE"},
                "portLevelMtls": {"82": {"mode": "DISABLE"}}})
    + resource("AuthorizationPolicy", "shop", "pay",
               {"selector": {"matchLabels": {"app": "pay"}},
                "action": "DENY",
                "rules": [{"to": [{"operation": {"paths": ["/admin"]}}]}]})
    + resource("AuthorizationPolicy", "default", "web",
               {"rules": [{"from": [{"source": {"namespaces": ["shop"]}}]}]})
    + resource("RequestAuthentication", "shop", "users",
               {"jwtRules": [{"issuer": "https://issuer.example",
                              "jwks": '{"keys": []}'}]})
    + resource("Sidecar", "shop", "narrow",
               {"workloadSelector": {"labels": {"app": "pay"}},
                "egress": [{"hosts": ["./*", "default/*"]}]})
    + resource("VirtualService", "default", "web",
               {"hosts": ["web"], "http": [
                   {"name": "of-pay",
                    "match": [{"sourceLabels": {"app": "pay"}}],
                    "route": to("web", subset="new"), "timeout": "2s"},
                   {"name": "of-shop",
                    "match": [{"sourceNamespace": "shop",
                               "uri": {"prefix": "/s"}}],
                    "route": to("web", subset="new")},
                   {"name": "rest", "route": to("web")}]})
    + resource("DestinationRule", "default", "web",
               {"host": "web",
                "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}},
                "subsets": [{"name": "new", "labels": {"app": "web"}}]}))


@pytest.fixture(scope="module", name="mesh")
def fixture_mesh(tmp_path_factory):
    """
    vm2 offers services of two namespaces and as several accounts, and calls as
    one of them; vm3 offers one that vm2 offers, too; vm4 calls from elsewhere.
    """
    folder = tmp_path_factory.mktemp("machines")
    with Mesh(folder, 4, machines=4) as it:
        def member(number, *words):
            at = it.machine(number).at
            return it.member(
                number, "--upstream", f"web={at(9000)}/web.default:80",
                "--upstream", f"far={at(9001)}/far.other:84", *words)
        it.many = member(2, "-n", "shop", "--account", "payer")
        it.one = it.member(3)
        it.none = member(4, "-n", "elsewhere")
        many = it.many.expose
        many("pay", f"81:{it.machine(2).at(8081)}", "--protocol", "http",
             "-n", "shop", "--account", "payer", "--label", "tier=front")
        many("stock", f"82:{it.machine(2).at(8082)}", "--protocol", "http",
             "-n", "shop", "--account", "keeper")
        many("web", f"80:{it.machine(2).at(8080)}", "--protocol", "http")
        many("raw", "83:8083")
        it.one.expose("web", f"80:{it.machine(3).at(8080)}", "--protocol",
                      "http", "--account", "other")
        it.one.expose("far", "84:8084", "--protocol", "http", "-n", "other")
        it.apply(CONFIGURATION, "--allow-inert")
        for cli in (it.cli, it.many.cli):
            cli.sees("web.default", 2)
            cli.sees("far.other", 1)
        yield it


def sides(mesh, agent):
    return [cli.json("proxy", "config", *words) for cli, words in (
        (agent.cli, ()), (mesh.cli, (agent.name,)))]


def same(mesh, agent):
    """What both say, once records have come to both by gossip."""
    def told():
        own, of = sides(mesh, agent)
        return own if own == of else None

    def difference():
        own, of = sides(mesh, agent)
        rows = [(table, sorted(json.dumps(row, sort_keys=True)
                               for place in told[table]
                               for row in place["rows"]))
                for told in (own, of) for table in TABLES]
        half = len(TABLES)
        return "both are the same: " + "".join(
            f"\n{mine[0]}: only the agent has {set(mine[1]) - set(its[1])}, "
            f"only the server {set(its[1]) - set(mine[1])}"
            for mine, its in zip(rows[:half], rows[half:]) if mine != its)
    return wait_for(told, difference)


def rows_of(told, table, **wanted):
    [place] = told[table]
    return [row for row in place["rows"]
            if all(row.get(key) == value for key, value in wanted.items())]


@pytest.mark.parametrize("name", ["many", "one", "none"])
def test_the_server_says_of_a_machine_what_its_agent_says(mesh, name):
    agent = getattr(mesh, name)
    told = same(mesh, agent)
    assert set(told) == set(TABLES)
    for table in TABLES:
        [place] = told[table]
        assert place["caller"] == agent.name and "unknown" not in place
        assert place["rows"] or table == "policies"


def test_calls_of_each_place_are_told_with_their_sources(mesh):
    told = same(mesh, mesh.many)
    payer = "shop app=pay tier=front"
    asks = {caller: {row["rule"]: row["asks"] for row in rows_of(
                told, "routes", caller=caller,
                host="web.default.svc.cluster.local:80")}
            for caller in ("shop", payer)}
    assert "app=pay" in asks["shop"].pop("of-pay")  # which it has not
    assert asks[payer].pop("of-pay") == "all"
    assert asks["shop"] == asks[payer] == {
        "of-shop": "path begins with /s", "rest": "all"}
    # The Sidecar is for one of them.
    far = "far.other.svc.cluster.local:84"
    assert rows_of(told, "routes", caller="shop", host=far)
    assert not rows_of(told, "routes", caller=payer, host=far)
    named = rows_of(told, "listeners", origin="named listener")
    assert {row["name"]: row["caller"] for row in named} == {
        "web": payer, "far": payer}
    assert any("Sidecar/shop/narrow" in row["to"] for row in named)
    outbound = rows_of(told, "listeners", direction="outbound")
    assert {row["caller"] for row in outbound} == {"shop", payer}


def test_what_is_exposed_is_told_with_its_policies(mesh):
    told = same(mesh, mesh.many)
    exposed = rows_of(told, "listeners", origin="exposed here")
    assert {row["name"]: row["to"] for row in exposed
            if "chain" not in row} == {
        f"{name}.svc.mesh.internal:{port}":
            f"127.0.0.1:{target}, as spiffe://mesh.internal/ns/{identity}"
        for name, port, target, identity in (
            ("web.default", 80, 8080, "default/sa/default"),
            ("pay.shop", 81, 8081, "shop/sa/payer"),
            ("stock.shop", 82, 8082, "shop/sa/keeper"),
            ("raw.default", 83, 8083, "default/sa/default"))}
    chains = {row["chain"]: re.sub("@.*", "", row["peers"])
              for row in rows_of(told, "listeners", name="virtualInbound")
              if "peers" in row}
    assert chains["0.0.0.0_81"] == "STRICT, PeerAuthentication/shop/strict"
    assert chains["0.0.0.0_82"] == "DISABLE, PeerAuthentication/shop/stock"
    assert chains["0.0.0.0_80"] == "PERMISSIVE, no PeerAuthentication"
    assert {(row["workload"], row["action"], row["policy"])
            for row in rows_of(told, "policies")} >= {
        (PAY, "DENY", "shop/pay"),
        (PAY, "token", "shop/users"),
        ("shop app=stock", "token", "shop/users"),
        ("default app=web", "ALLOW", "default/web")}


def test_what_changes_on_the_machine_is_told_anew(mesh):
    mesh.many.expose("late", "85:8085", "-n", "shop", "--account", "keeper",
                     "--label", "app=stock")
    told = same(mesh, mesh.many)
    assert rows_of(told, "listeners", to="127.0.0.1:8085, as "
                   "spiffe://mesh.internal/ns/shop/sa/keeper")
    mesh.many.expose("late", "85:8086", "-n", "shop", "--account", "keeper",
                     "--label", "app=stock")
    told = same(mesh, mesh.many)
    assert rows_of(told, "listeners", to="127.0.0.1:8086, as "
                   "spiffe://mesh.internal/ns/shop/sa/keeper")
    mesh.many.cli.ok("unexpose", "late", "-n", "shop")
    told = same(mesh, mesh.many)
    assert not rows_of(told, "listeners", name="late.shop.svc.mesh.internal:85")


def test_a_change_of_configuration_is_told_by_both(mesh):
    mesh.apply(resource("PeerAuthentication", "shop", "stock",
                        {"mtls": {"mode": "PERMISSIVE"}})
               + resource("Sidecar", "shop", "narrow",
                          {"egress": [{"hosts": ["./*"]}]}), "--allow-inert")
    told = same(mesh, mesh.many)
    assert not rows_of(told, "routes",
                       host="far.other.svc.cluster.local:84")
    mesh.apply(CONFIGURATION, "--allow-inert")
    same(mesh, mesh.many)


def test_blast_looks_from_the_namespaces_that_programs_call_from(mesh):
    change = resource("VirtualService", "default", "web", {
        "hosts": ["web"], "http": [
            {"match": [{"sourceNamespace": "elsewhere"}],
             "route": to("web"), "timeout": "3s"},
            {"route": to("web")}]})
    told = json.loads(mesh.cli.ok(
        "apply", "--dry-run", "--blast", "--allow-inert", "-f", "-",
        "-o", "json", stdin=change))["blast"]["items"]
    about = {item["caller"]: item["text"] for item in told
             if "3s" in item["text"]}
    assert set(about) == {"other programs in elsewhere"}, told


def test_a_server_that_came_back_is_told_all_of_it_again(mesh):
    before = same(mesh, mesh.many)
    mesh.server.stop()
    mesh.server.start()
    for agent in mesh.agents:
        agent.synced()
    assert same(mesh, mesh.many) == before


def test_a_record_without_what_it_tells_is_said(mesh):
    """Nobody can call what a machine offers without a port of tunnels."""
    agent = mesh.agent(4, "--hbone", "15999", "--gossip", "15947",
                       "--upstream", f"web={mesh.machine(4).at(9005)}",
                       name="stuck")

    def words():
        told = mesh.cli.json("proxy", "config", "stuck", "listeners")
        return told["listeners"][0].get("unknown")
    try:
        with contextlib.closing(mesh.machine(4).listen("0.0.0.0", 15999)):
            agent.start(mesh.token("--namespaces", "*")).joined().synced()
            agent.expose("lost", "86:8086")
            wait_for(lambda: words() == [
                "what stuck tells and its record differ in 1 service: a "
                "change is on its way, or its port of tunnels is taken"],
                words)
        # Once it is free they are told.
        assert rows_of(same(mesh, agent), "listeners",
                       name="lost.default.svc.mesh.internal:86")
    finally:
        agent.stop()
        mesh.agents.remove(agent)


def test_what_a_server_cannot_know_is_said(mesh):
    own = same(mesh, mesh.many)
    mesh.many.stop(signal.SIGKILL)

    def alone():
        told = mesh.cli.json("proxy", "config", mesh.many.name)
        return told if "unknown" in told["listeners"][0] else None
    try:
        told = wait_for(alone, "the server sees that its stream is gone")
        [words] = told["listeners"][0]["unknown"]
        assert words.startswith("vm2 is not connected to this server: its "
                                "named listeners, the namespace")
        # What its record says is there all the same.
        assert not rows_of(told, "listeners", origin="named listener")
        exposed = {row["name"]: row["to"] for row in rows_of(
            told, "listeners", origin="exposed here") if "chain" not in row}
        assert exposed["pay.shop.svc.mesh.internal:81"].startswith(
            f"{mesh.machine(2).ip}:81, as ")
        mine, its = (rows_of(it, "policies", workload=PAY)
                     for it in (own, told))
        assert mine == its != []
        out = mesh.cli.ok("proxy", "config", mesh.many.name)
        assert out.startswith("NOT KNOWN HERE\nvm2 is not connected")
        assert out.count("NOT KNOWN HERE") == 1
    finally:
        mesh.many.start().joined().synced()
    assert same(mesh, mesh.many) == own
