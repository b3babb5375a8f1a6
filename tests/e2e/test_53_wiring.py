# SPDX-License-Identifier: Apache-2.0
"""wiring — programs come to ask the agent, and what was before comes back."""

import itertools
import os
import pathlib
import shutil
import signal

import pytest

from bus import Bus
from mesh import Mesh, Process, wait_for
from questions import Asker, NameServer, outside, record, say

# One mesh for all of it.
pytestmark = pytest.mark.xdist_group("wiring")

BEFORE = "# mine\nsearch corp.example\nnameserver {}\noptions edns0\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A machine that has joined, its agent not running."""
    with Mesh(tmp_path_factory.mktemp("wire"), 4, machines=3) as it:
        it.outside = NameServer(it.machine(3), outside)
        folder = pathlib.Path("/etc/netns", it.machine(2).name)
        it.conf = folder / "resolv.conf"  # what its programs have in /etc
        folder.mkdir(parents=True)
        it.conf.write_text(BEFORE.format(it.machine(3).ip))
        it.agent_ = it.member(2)
        it.agent_.stop(signal.SIGKILL)
        yield it
        it.outside.close()
        shutil.rmtree(folder)


def start(home, *words, **env):
    agent = home.agent_
    agent.words = [*home.words, *words]
    Process.start(agent, env={k.upper(): v for k, v in env.items()})
    return agent.joined()


@pytest.fixture(autouse=True)
def words(home):
    if not hasattr(home, "words"):
        home.words = list(home.agent_.words)
    yield
    home.agent_.stop(signal.SIGKILL)


def test_resolv_conf_names_us_and_is_as_it_was_afterwards(home):
    before = home.conf.read_text()
    agent = start(home, "--dns", "127.0.0.54:53", "--dns-wire", "resolv-conf")
    wait_for(lambda: "nameserver 127.0.0.54" in home.conf.read_text(),
             "we are named")
    text = home.conf.read_text()
    assert "search corp.example" in text and "options edns0" in text
    assert home.machine(3).ip not in text
    ask = Asker(home.machine(2))
    ask.at = ("127.0.0.54", 53)
    assert ask("wired.example.org").values == ["198.51.100.7"]
    agent.stop()
    assert home.conf.read_text() == before
    assert "nothing is wired" in agent.cli.ok("dns", "unwire")


def test_the_name_servers_of_the_machine_are_those_that_it_has_now(home):
    before = home.conf.read_text()
    start(home)
    ask = Asker(home.machine(2))
    assert ask("first.example.org").values == ["198.51.100.7"]
    other = NameServer(home.machine(1), lambda wire, _: say(
        wire, 0, record("A", b"\xc0\0\2\x63"), 1))
    home.conf.write_text(BEFORE.format(home.machine(1).ip))
    names = (f"n{n}.example.org" for n in itertools.count())
    wait_for(lambda: ask(next(names)).values == ["192.0.2.99"],
             "the other one is asked")
    other.close()
    home.conf.write_text(before)


def test_after_a_crash_the_next_start_or_a_command_takes_it_back(home):
    before = home.conf.read_text()
    words = ("--dns", "127.0.0.54:53", "--dns-wire", "resolv-conf")
    for mend in (lambda: home.machine(2).run(
            os.environ["MESHD"], "dns", "unwire", "--state",
            home.agent_.cli.state),
            lambda: start(home)):
        start(home, *words)
        wait_for(lambda: home.conf.read_text() != before, "we are named")
        home.agent_.stop(signal.SIGKILL)
        assert home.conf.read_text() != before
        mend()
        wait_for(lambda: home.conf.read_text() == before, "it is as before")


def test_what_somebody_else_wrote_since_stays(home):
    before = home.conf.read_text()
    start(home, "--dns", "127.0.0.54:53", "--dns-wire", "resolv-conf")
    wait_for(lambda: home.conf.read_text() != before, "we are named")
    home.conf.write_text("nameserver 192.0.2.1\n")
    home.agent_.stop()
    assert home.conf.read_text() == "nameserver 192.0.2.1\n"
    home.conf.write_text(before)


def test_a_port_that_resolv_conf_has_no_room_for_is_said(home):
    before = home.conf.read_text()
    agent = start(home, "--dns-wire", "resolv-conf")
    wait_for(lambda: any("no room for a port" in p["text"]
                         for p in agent.status()["problems"]), "it is said")
    assert home.conf.read_text() == before


def test_resolved_is_told_by_the_bus_and_told_again(home, tmp_path):
    bus = Bus(tmp_path / "bus")
    # A kernel may lack links of type dummy; a bridge is as good a link.
    home.machine(2).run("ip", "link", "add", "meshd0", "type", "bridge")
    index = int(home.machine(2).run(
        "ip", "-o", "link", "show", "meshd0").stdout.partition(":")[0])
    start(home, "--dns-wire", "resolved",
          dbus_system_bus_address=f"unix:path={bus.path}")
    wait_for(lambda: len(bus.calls) == 4, lambda: f"told: {bus.calls}")
    assert bus.calls == [
        ("Hello", []),
        ("SetLinkDNSEx", [index, [(2, [127, 0, 0, 1], 15053, "")]]),
        ("SetLinkDomains", [index, [
            ("default.svc.mesh.internal", False),
            ("svc.mesh.internal", False), ("mesh.internal", True),
            ("svc.cluster.local", True)]]),
        ("SetLinkDefaultRoute", [index, False])]
    home.agent_.stop()
    assert bus.calls[4:] == [("Hello", []), ("RevertLink", [index])]
    bus.close()


def test_what_resolved_refuses_is_said_in_its_words(home, tmp_path):
    bus = Bus(tmp_path / "bus", refused={"SetLinkDNSEx"})
    agent = start(home, "--dns-wire", "resolved:meshd0",
                  dbus_system_bus_address=f"unix:path={bus.path}")
    wait_for(lambda: any("this link is managed" in p["text"]
                         for p in agent.status()["problems"]), "it is said")
    bus.close()


def test_a_link_that_is_not_there_is_said_with_its_making(home):
    agent = start(home, "--dns-wire", "resolved:nolink")
    wait_for(lambda: any("ip link add nolink" in p["text"]
                         for p in agent.status()["problems"]), "it is said")
