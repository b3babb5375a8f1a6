# SPDX-License-Identifier: Apache-2.0
"""dns — names of the mesh are answered, others go on as they came."""

import struct
import time

import pytest

from mesh import Mesh, wait_for
from questions import PORT, TYPES, Asker, Message, NameServer, opt, outside, \
    question, record, say

# One mesh for all of it.
pytestmark = pytest.mark.xdist_group("dns")

WEB = "web.default.svc.mesh.internal"
ENTRIES = """\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api}
spec:
  hosts: [api.example.com, "*.wild.example.com"]
  addresses: [192.0.2.7]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 443, name: tls, protocol: TLS}]
  endpoints: [{address: 192.0.2.9}]
---
apiVersion: v1
kind: Service
metadata: {name: vip}
spec:
  clusterIP: 10.9.8.7
  selector: {app: vip}
  ports: [{name: http, port: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: headless}
spec:
  clusterIP: None
  selector: {app: web}
  ports: [{name: http, port: 80}]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A machine that asks, one that serves, and a name server there."""
    with Mesh(tmp_path_factory.mktemp("dns"), 4, machines=3) as it:
        it.outside = NameServer(it.machine(3), outside)
        it.asks = it.member(2, "--dns-upstream", it.machine(3).ip,
                            "--dns", "127.0.0.1", "--dns", "::1")
        it.serves = it.member(3, "--dns", "off")
        it.serves.expose("web", f"80:{it.machine(3).at(8080)}",
                         "--protocol", "http")
        it.apply(ENTRIES)
        it.ask = Asker(it.machine(2))
        yield it
        it.outside.close()


def test_a_name_that_nobody_asked_for_yet_is_found(home):
    wait_for(lambda: any(s["name"] == "web" for s in
                         home.asks.cli.items("services")),
             "the service is announced")
    answer = home.ask(WEB)
    assert answer.code == "NOERROR" and answer.is_authority
    assert answer.values == [home.machine(3).ip]


@pytest.mark.parametrize("name", [
    "web", "WeB.default", "web.default.svc", WEB,
    "web.default.svc.cluster.local"])
def test_all_forms_are_one_name(home, name):
    answer = home.ask(name)
    assert answer.values == [home.machine(3).ip]
    assert answer.asked == [name]  # in its case
    assert home.ask.over_tcp(name).values == answer.values
    by_v6 = Asker(home.machine(2))
    by_v6.at = ("::1", PORT)
    assert by_v6(name).values == answer.values


def test_a_service_of_the_machine_itself_is_at_its_address(home):
    home.asks.expose("mine", f"82:{home.machine(2).at(8082)}")
    wait_for(lambda: home.ask("mine").values == [home.machine(2).ip],
             "it is announced")


def test_written_addresses_headless_services_and_wildcards(home):
    assert home.ask("vip.default").values == ["10.9.8.7"]
    assert home.ask("headless").values == [home.machine(3).ip]
    assert home.ask("api.example.com").values == ["192.0.2.7"]
    assert home.ask("a.wild.example.com").values == ["192.0.2.7"]
    assert home.ask("vm3." + WEB).values == [home.machine(3).ip]


def test_srv_leads_to_a_name_that_resolves(home):
    answer = home.ask("_http._tcp." + WEB, "SRV")
    (port, target), = answer.values
    assert port == 80
    assert home.ask(target).values == [home.machine(3).ip]
    assert [value for _, _, _, value in answer.additional] == [
        home.machine(3).ip]


def test_an_address_has_a_name(home):
    back = ".".join(reversed(home.machine(3).ip.split("."))) + ".in-addr.arpa"
    assert "vm3." + WEB in home.ask(back, "PTR").values
    answer = home.ask("7.8.9.10.in-addr.arpa", "PTR")
    assert answer.values == ["vip.default.svc.mesh.internal"]


def test_no_data_is_not_no_name(home):
    answer = home.ask(WEB, "AAAA")
    assert (answer.code, answer.answers) == ("NOERROR", [])
    (owner, kind, ttl, _), = answer.authority
    assert (owner, kind, ttl) == ("mesh.internal", TYPES["SOA"], 5)
    assert home.ask(WEB, "HTTPS").code == "NOERROR"
    answer = home.ask("nobody.default.svc.mesh.internal")
    assert answer.code == "NXDOMAIN" and answer.authority
    assert home.ask(WEB, "ANY").answers[0][3].startswith(b"\7RFC8482")
    assert home.outside.asked("nobody.default.svc.mesh.internal") == []


def test_what_is_no_question_is_refused_in_its_own_words(home):
    wire = question(WEB)
    assert Message(home.ask.send(wire + b"?")).code == "FORMERR"
    assert home.ask(WEB, edns=opt()).additional[0][1] == TYPES["OPT"]


def test_bytes_go_on_as_they_came_and_back(home):
    cookie = struct.pack("!HH8s", 10, 8, b"meshdns!")
    wire = question("wWw.EXAMPLE.org", edns=opt(1400, True, cookie),
                    flags=0x0130)
    first = home.ask.send(wire)
    second = home.ask.send(wire)  # options are one asker's: never kept
    seen = home.outside.asked("www.example.org")
    assert [got[2:] for got, _ in seen] == [wire[2:]] * 2
    assert seen[0][0][:2] != seen[1][0][:2]  # ids are drawn
    assert seen[0][1] != seen[1][1]  # and ports
    assert first == say(wire, 0, record("A", b"\xc6\x33\x64\x07"), 1) == second


def test_answers_and_absences_are_kept_by_what_they_say(home):
    for name, code in (("kept.example.org", "NOERROR"),
                       ("gone.example.org", "NXDOMAIN")):
        for _ in range(3):
            assert home.ask(name).code == code
        assert len(home.outside.asked(name)) == 1
        assert home.ask(name, edns=opt(do=True)).code == code
        assert len(home.outside.asked(name)) == 2


def test_what_is_cut_comes_whole_over_tcp(home):
    assert home.ask("large.example.org", "TXT").is_cut
    answer = home.ask.over_tcp("large.example.org", "TXT")
    assert len(answer.answers) == 40


def test_why_it_is_so_is_told(home):
    cli = home.asks.cli
    told = cli.json("dns", "query", "web")
    assert told["result"] == "mesh" and told["form"] == "name"
    assert told["service"] == WEB and told["origin"]
    assert [r["data"] for r in told["records"]] == [home.machine(3).ip]
    told = cli.json("dns", "query", "api.example.com")
    assert "ServiceEntry" in told["origin"]
    text = cli.ok("dns", "query", "told.example.org", "A")
    assert home.machine(3).ip in text and "198.51.100.7" in text
    assert cli.json("dns", "query", "told.example.org")["result"] == "cached"
    assert cli("dns", "query", "a..b").returncode != 0
    assert cli("dns", "query", "web", "BOGUS").returncode == 2


def test_questions_are_counted(home):
    text = home.machine(2).fetch(15020, "/metrics").body.decode()
    for words in ('meshd_dns_queries_total{type="A",result="mesh"}',
                  'meshd_dns_queries_total{type="A",result="cached"}',
                  "meshd_dns_wait_seconds_count"):
        assert words in text


def test_a_change_is_in_answers_at_once(home):
    home.apply(ENTRIES.replace("10.9.8.7", "10.9.8.6"))
    wait_for(lambda: home.ask("vip").values == ["10.9.8.6"],
             "the new address is told")


def test_an_answer_that_is_forged_is_passed_by(home):
    assert home.ask("forged.example.org").values == ["198.51.100.7"]


def fails(wire, _):
    """A name server that knows nothing, and often says nothing."""
    return say(wire, 2) if b"fails" in wire else None


@pytest.fixture(scope="module")
def second(home):
    """A machine's agent with a name server that asks that agent itself, one
    that fails, and one that knows everything."""
    machine, far = home.machine(2), home.machine(3)
    ask = Asker(machine)
    ask.at = ("127.0.0.2", 15053)
    ask.timeout = 3

    def forward(wire, _):
        try:
            return ask.send(wire)
        except OSError:
            return None
    servers = [NameServer(machine, forward, ip="127.0.0.5"),
               NameServer(far, fails, port=54)]
    agent = home.agent(
        2, "--dns", "127.0.0.2", "--dns-upstream", "127.0.0.5",
        "--dns-upstream", f"{far.ip}:54", "--dns-upstream", far.ip,
        "--hbone", "15108", "--gossip", "15947", "--metrics", "off",
        "--health", "off", "--admin", "off", "--dns-log", "all",
        name="second")
    agent.start(home.token("--namespaces", "*")).joined().synced()
    yield agent, ask, servers[1]
    agent.stop()
    for server in servers:
        server.close()


def test_who_asks_us_in_turn_is_not_asked(second):
    agent, ask, _ = second
    agent.says("a name server asks this process what it is asked")
    assert ask("round.fails.example.org").values == ["198.51.100.7"]


def test_who_fails_or_is_silent_is_passed_over(second):
    agent, ask, bad = second
    assert ask("one.fails.example.org").values == ["198.51.100.7"]
    assert bad.asked("one.fails.example.org")
    assert ask("silent.example.org").values == ["198.51.100.7"]
    began = time.monotonic()
    assert ask("again.example.org").values == ["198.51.100.7"]
    assert time.monotonic() - began < 0.9  # it is remembered
    assert bad.asked("silent.example.org")
    assert not bad.asked("again.example.org")
    line, = [line for line in agent.lines() if "again.example.org" in line]
    assert "result=relayed" in line and "upstream=10.99.0.3:53" in line


def test_without_a_server_names_are_answered(home):
    home.server.stop()
    home.serves.expose("late", f"81:{home.machine(3).at(8081)}")
    assert home.ask(WEB).values == [home.machine(3).ip]
    wait_for(lambda: home.ask("late.default").values ==
             [home.machine(3).ip], "a service that came since is told")
    assert home.ask("still.example.org").values == ["198.51.100.7"]
    assert home.ask("never.default.svc.mesh.internal").code == "NXDOMAIN"
