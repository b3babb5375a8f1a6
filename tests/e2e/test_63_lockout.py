# SPDX-License-Identifier: Apache-2.0
"""lockout — what may go wrong with capture, and that nobody is locked out.

vm2 captures; machine 3, a stranger, is whom its programs must still reach.
"""

import contextlib
import errno
import signal
import threading
import time

import pytest

from mesh import DEADLINE, MESHD, Mesh, families, is_cut, wait_for

PORT = 2525

NOWHERE = """\
apiVersion: meshd.dev/v1
kind: MeshConfig
metadata: {name: default}
spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
"""


@pytest.fixture(scope="module", params=families("lockout")[:1])
def home(request, tmp_path_factory):
    """One family is enough: nothing here looks at addresses."""
    with Mesh(tmp_path_factory.mktemp("lockout"), request.param,
              machines=3) as it:
        it.far = it.machine(3)
        it.listener = it.far.listen(it.far.ip, PORT)
        it.agent = it.member(2, "--drain", "0s")
        it.app = it.machine(2)
        yield it
        it.listener.close()


@pytest.fixture
def drill(home):
    """As it was before, whatever came of it."""
    yield home
    if not home.agent.is_running:
        home.agent.start().joined()
    home.agent.cli.ok("capture", "off")
    assert not is_captured(home)
    home.reset()


def is_captured(home):
    return home.app.run("nft", "list", "table", "inet", "meshd").returncode == 0


def reaches(home):
    """Does a program of vm2 reach the stranger?"""
    home.listener.settimeout(0.2)
    try:
        with home.app.connect(home.far.ip, PORT) as conn:
            other, _ = home.listener.accept()
            with other:
                other.sendall(b"hello")
                return conn.recv(5) == b"hello"
    except (TimeoutError, ConnectionError):
        return False


def on_trial(home, *words):
    home.agent.cli.ok("capture", "on", "--commit-confirm", "1s", *words)


def falls_back(home):
    wait_for(lambda: not is_captured(home), "the change falls back")
    assert home.agent.cli.json("capture", "status")["captures"] is False
    assert reaches(home)


def test_a_change_that_locks_out_falls_back(drill):
    drill.apply(NOWHERE)
    assert reaches(drill)
    on_trial(drill)
    assert not reaches(drill)
    falls_back(drill)


def says(one, other, text):
    """It comes from the one to the other."""
    one.sendall(text)
    other.settimeout(DEADLINE)
    assert other.recv(len(text)) == text


def test_what_stands_already_stays(drill):
    """Nobody has looked at these connections before, so any packet is the
    first of one for the kernel."""
    app, far = drill.app, drill.far
    drill.listener.settimeout(DEADLINE)
    with app.listen(app.ip, 2526) as listener, contextlib.closing(
            app.connect(far.ip, PORT)) as calls, contextlib.closing(
            far.connect(app.ip, 2526)) as caller:
        called, _ = drill.listener.accept()
        answers, _ = listener.accept()
        with called, answers:
            drill.agent.cli.ok(
                "capture", "on", "--out", "0.0.0.0/0", "--in", "2526")
            assert is_captured(drill)
            for one, other in ((calls, called), (answers, caller)):
                says(one, other, b"hello")
                says(other, one, b"and back")
            drill.agent.cli.ok("capture", "off")
            for one, other in ((calls, called), (answers, caller)):
                says(one, other, b"hello again")


def test_a_network_that_is_none_is_refused_and_changes_nothing(drill):
    drill.agent.cli.ok("capture", "on", "--out", "203.0.113.0/24")
    for wrong in ("10.0.0.0/33", "10.0.0", "nonsense.example", "2001:2::/200"):
        done = drill.agent.cli("capture", "on", "--out", wrong)
        assert done.returncode != 0 and wrong in done.stderr, done
    for wrong in ("0", "65536", "90-80", "http"):
        done = drill.agent.cli("capture", "on", "--in", wrong)
        assert done.returncode != 0 and wrong in done.stderr, done
    done = drill.agent.cli("capture", "on", "--exclude", "10.0.0.0/8,db")
    assert '"db" is neither a network nor a port' in done.stderr, done
    done = drill.agent.cli("capture", "on", "--commit-confirm", "0s")
    assert "no time at all" in done.stderr, done
    assert "203.0.113.0/24" in str(
        drill.agent.cli.json("capture", "status")["rules"])


def test_a_port_that_is_never_captured_cannot_be_named(drill):
    """sshd's, the operator's own, the mesh's: only at `capture on`. What was
    kept comes again, though sshd has such a port by now."""
    on = drill.agent.cli
    for ports, what in (("22", "sshd listens there"),
                        ("80,15008", "the mesh's own are 15000-15053"),
                        ("15000-15021", "the mesh's own"),
                        ("2244", "sshd listens there")):
        done = on("capture", "on", "--in", ports,
                  env={"SSH_CONNECTION": "10.1.1.1 40000 10.1.1.2 2244"})
        assert done.returncode != 0 and what in done.stderr, done
        assert f"--in {ports.split(',')[-1]} would never" in done.stderr
        assert not is_captured(drill)
    on.ok("capture", "on", "--in", "2526")
    drill.agent.stop()
    kept = on.state / "capture.json"
    kept.write_text(kept.read_text().replace('"2526"', '"22", "2526"'))
    drill.agent.start().joined()
    wait_for(lambda: is_captured(drill), "what was kept is captured again")
    rules = str(on.json("capture", "status")["rules"])
    assert "port 22 passes: sshd's" in rules and "port 2526 come to" in rules


def test_a_network_too_many_leaves_the_way_to_the_server(drill):
    """All that there is, also of itself, from outside and from inside: who
    asked for too much can still say so."""
    drill.apply(NOWHERE)
    drill.agent.cli.ok("capture", "on", "--out", "0.0.0.0/0,::/0", "--in",
                       "1-65535", "--loopback", "--tproxy")
    assert not reaches(drill)
    drill.agent.stop()
    drill.agent.start().joined().synced()
    wait_for(lambda: is_captured(drill), "what was kept is captured again")
    assert drill.agent.status()["synced"]
    drill.agent.cli.ok("capture", "off")
    assert reaches(drill)


def test_what_was_captured_stays_when_nothing_is_any_more(drill):
    """Also where the kernel has no other reason to translate addresses."""
    drill.listener.settimeout(DEADLINE)
    drill.agent.cli.ok("capture", "on")
    with contextlib.closing(drill.app.connect(drill.far.ip, PORT)) as calls:
        called, _ = drill.listener.accept()
        with called:
            says(calls, called, b"hello")
            drill.agent.cli.ok("capture", "on", "--in", "2526")
            says(called, calls, b"and back")
            drill.agent.cli.ok("capture", "off")
            assert not is_captured(drill)
            says(calls, called, b"hello again")
            drill.agent.cli.ok("capture", "on")
            says(called, calls, b"and once more")


def test_a_change_falls_back_to_the_one_before(drill):
    drill.agent.cli.ok("capture", "on", "--out", "203.0.113.0/24")
    on_trial(drill)
    assert "0.0.0.0/0" in str(drill.agent.cli.json("capture", "status"))
    wait_for(lambda: "203.0.113.0/24" in str(
        drill.agent.cli.json("capture", "status")["rules"]),
        "the former networks are captured again")
    assert is_captured(drill) and reaches(drill)


def test_what_is_confirmed_stays_and_is_there_after_a_restart(drill):
    on_trial(drill)
    drill.agent.cli.ok("capture", "confirm")
    assert drill.agent.cli("capture", "confirm").returncode != 0
    time.sleep(1.1)  # the trial would be over
    assert is_captured(drill) and reaches(drill)
    drill.agent.stop()
    assert not is_captured(drill) and reaches(drill)
    drill.agent.start().joined()
    wait_for(lambda: is_captured(drill), "what was kept is captured again")
    assert reaches(drill)


def test_a_restart_in_between_forgets_the_trial(drill):
    on_trial(drill)
    drill.agent.stop(signal.SIGKILL)
    drill.agent.start().joined().synced()
    assert drill.agent.cli.json("capture", "status")["captures"] is False
    assert not is_captured(drill) and reaches(drill)


BLOCKED = """\
table inet blocked {
	chain output {
		type filter hook output priority filter; policy accept;
		tcp dport 15012 reject with tcp reset
	}
}
"""


def test_without_the_server_nothing_is_confirmed(drill):
    drill.agent.synced()
    on_trial(drill)
    drill.app.run("nft", "-f", "-", input=BLOCKED)
    try:
        done = drill.agent.cli("capture", "confirm")
        assert "reached before, is not now" in done.stderr, done
        falls_back(drill)
    finally:
        drill.app.run("nft", "delete", "table", "inet", "blocked")


def test_a_session_that_is_lost_keeps_a_change_from_being_confirmed(drill):
    with contextlib.ExitStack() as stack:
        sshd = stack.enter_context(drill.app.listen(drill.app.ip, 22))
        operator = stack.enter_context(drill.far.connect(drill.app.ip, 22))
        session = stack.enter_context(sshd.accept()[0])
        on_trial(drill, "--in", "1-65535")
        operator.close()
        assert is_cut(session)
        session.close()
        done = drill.agent.cli("capture", "confirm")
        assert "session of SSH from" in done.stderr, done
        falls_back(drill)
        # One that stands is not touched, and sshd is reached as before.
        operator = stack.enter_context(drill.far.connect(drill.app.ip, 22))
        session = stack.enter_context(sshd.accept()[0])
        on_trial(drill, "--in", "1-65535")
        drill.agent.cli.ok("capture", "confirm")
        operator.sendall(b"ls")
        assert session.recv(2) == b"ls"
        drill.far.connect(drill.app.ip, 22).close()
        sshd.settimeout(DEADLINE)
        sshd.accept()[0].close()


def test_who_says_off_need_not_say_it_again(drill):
    """Whatever is under way: it goes behind what the kernel is told already."""
    for wait in range(10):
        on = threading.Thread(
            target=lambda: drill.agent.cli("capture", "on"))
        on.start()
        time.sleep(wait / 200)
        drill.agent.cli.ok("capture", "off")
        on.join()
        drill.agent.cli.ok("capture", "off")
        assert not is_captured(drill)


def test_a_killed_agent_takes_its_table_along(drill):
    drill.agent.cli.ok("capture", "on")
    assert is_captured(drill)
    drill.agent.stop(signal.SIGKILL)
    wait_for(lambda: not is_captured(drill), "the kernel takes the table away")
    assert reaches(drill)


def test_without_any_server_it_goes_on_and_comes_again(drill):
    drill.agent.cli.ok("capture", "on")
    drill.server.stop(signal.SIGKILL)
    try:
        assert reaches(drill)
        drill.agent.stop(signal.SIGKILL)
        wait_for(lambda: not is_captured(drill), "the table goes")
        assert reaches(drill)
        drill.agent.start().joined()
        wait_for(lambda: is_captured(drill), "it captures without a server")
        assert reaches(drill)
    finally:
        drill.server.start()


def test_what_is_not_known_is_waited_for_and_said(drill):
    """A disk that has lost the configuration, and no server that has it."""
    def said():
        wait_for(lambda: is_captured(drill), "it captures again")
        return drill.agent.text.count("captures before all services are known")
    drill.agent.synced()
    drill.agent.cli.ok("capture", "on")
    before = said()
    drill.agent.stop()
    drill.server.stop(signal.SIGKILL)
    try:
        drill.agent.start()
        assert said() == before
        drill.agent.stop()
        (drill.agent.cli.state / "snapshot").unlink()
        drill.agent.start()
        assert said() == before + 1
    finally:
        drill.server.start()


def kill_both(home):
    """As a machine that loses its power: nobody tidies up, and the kernel
    forgets all."""
    pid = helper_of(home)
    home.app.run("kill", "-9", pid, str(home.agent.process.pid))
    home.agent.stop(signal.SIGKILL)
    home.app.run("nft", "flush", "ruleset")
    home.app.run("sh", "-c", "while ip rule del protocol 109; do :; done; "
                 "ip route flush protocol 109; ip -6 route flush protocol 109")


def test_a_reboot_captures_what_was_confirmed_and_forgets_a_trial(drill):
    drill.agent.cli.ok("capture", "on", "--out", "203.0.113.0/24", "--tproxy")
    on_trial(drill, "--out", "0.0.0.0/0")
    kill_both(drill)
    assert not is_captured(drill) and reaches(drill)
    drill.agent.start().joined()
    wait_for(lambda: is_captured(drill), "what was confirmed comes again")
    rules = str(drill.agent.cli.json("capture", "status")["rules"])
    assert "203.0.113.0/24" in rules and "0.0.0.0/0" not in rules
    assert reaches(drill)


def test_fail_closed_lets_nobody_through_until_it_is_back(drill):
    drill.agent.cli.ok("capture", "on", "--fail-closed")
    assert reaches(drill)
    drill.agent.stop(signal.SIGKILL)
    assert is_captured(drill) and not reaches(drill)
    drill.agent.start().joined()
    wait_for(lambda: drill.agent.cli.json("capture", "status")["captures"],
             "it captures again")
    assert reaches(drill)


def test_a_trial_of_fail_closed_does_not_outlive_the_agent(drill):
    """Only what is confirmed stays: an agent that was killed cannot fall back.
    """
    on_trial(drill, "--fail-closed")
    drill.agent.stop(signal.SIGKILL)
    wait_for(lambda: not is_captured(drill), "the table goes")
    assert reaches(drill)
    drill.agent.start().joined()
    assert not drill.agent.cli.json("capture", "status")["captures"]
    drill.agent.cli.ok("capture", "on", "--fail-closed",
                       "--commit-confirm", "600s")
    drill.agent.cli.ok("capture", "confirm")
    drill.agent.stop(signal.SIGKILL)
    assert is_captured(drill) and not reaches(drill)
    drill.agent.start().joined()
    wait_for(lambda: drill.agent.cli.json("capture", "status")["captures"],
             "it captures again")
    on_trial(drill, "--fail-closed", "--out", "203.0.113.0/24")
    drill.agent.stop(signal.SIGKILL)
    assert is_captured(drill) and reaches(drill)  # as before, closed


def test_what_an_agent_left_goes_without_one(drill):
    def off(**env):
        return drill.app.run(MESHD, "capture", "off",
                             env={**drill.agent.cli.env, **env})
    drill.agent.cli.ok("capture", "on", "--fail-closed")
    done = off(MESHD_SOCKET="/nowhere.sock")  # somebody else's agent
    assert done.returncode == 4 and is_captured(drill), done
    drill.agent.stop(signal.SIGKILL)
    assert is_captured(drill) and not reaches(drill)
    done = off()
    assert done.returncode == 4 and "captured no more" in done.stderr, done
    assert not is_captured(drill) and reaches(drill)
    assert ours(drill) == []
    assert "captured no more" not in off().stderr
    # What was kept was not asked for.
    drill.agent.start().joined()
    wait_for(lambda: is_captured(drill), "what was kept is captured again")


def test_who_leaves_the_mesh_leaves_nothing(tmp_path):
    with Mesh(tmp_path, 4, machines=2) as mesh:
        mesh.app, mesh.agent = mesh.machine(2), mesh.member(2)
        mesh.agent.cli.ok("capture", "on", "--fail-closed", "--out",
                          "0.0.0.0/0,::/0", "--tproxy")
        assert is_captured(mesh) and ours(mesh)
        mesh.agent.cli.ok("leave")
        mesh.agent.ends()
        assert not is_captured(mesh) and ours(mesh) == []


# --- who remembers an address of a service ---

REMEMBERED = "240.240.9.9"


def ours(home):
    """Routes that are known for ours."""
    return [line for family in ("-4", "-6") for line in home.app.run(
        "ip", family, "route", "show", "table", "all", "proto", "109"
    ).stdout.splitlines() if line]


def fails_at_once(home):
    """A call to what nobody takes now, where a default route leads on."""
    with pytest.raises(OSError) as raised:
        home.app.connect(REMEMBERED, 80).close()
    assert raised.value.errno == errno.EHOSTUNREACH
    assert len(ours(home)) == 2 and "unreachable" in ours(home)[0]
    return reaches(home)


def lead(home, what, *route):
    """A route of IPv4 by the stranger, whichever the mesh's family is."""
    family = "inet6" if ":" in home.far.ip else "inet"
    said = home.app.run("ip", "-4", "route", what, *route, "via", family,
                        home.far.ip, "dev", "eth0")
    assert said.returncode == 0, said.stderr


@pytest.fixture
def routed(drill):
    """By a default route all is sent on, and nobody says that it is lost."""
    lead(drill, "add", "default")
    drill.app.run("ip", "-6", "route", "add", "default", "dev", "eth0")
    drill.agent.cli.ok("capture", "on", "--out", "0.0.0.0/0,::/0")
    assert len(ours(drill)) == 4
    drill.app.connect(REMEMBERED, 80).close()  # the proxy knows what to say
    yield drill
    lead(drill, "del", "default")
    drill.app.run("ip", "-6", "route", "del", "default")


@pytest.mark.parametrize("how", (signal.SIGKILL, signal.SIGTERM))
def test_who_remembers_an_address_is_not_kept_waiting(routed, how):
    routed.agent.stop(how)
    wait_for(lambda: len(ours(routed)) == 2, "no way leads to the proxy")
    assert fails_at_once(routed)
    routed.agent.start().joined()
    wait_for(lambda: routed.agent.cli.json("capture", "status")["captures"],
             "it is captured again")
    routed.app.connect(REMEMBERED, 80).close()
    routed.agent.cli.ok("capture", "off")
    assert ours(routed) == []


def test_a_killed_helper_leaves_it_to_the_next_one(routed):
    """Its way to the proxy stays with it: that one is loopback's."""
    kill_only(routed)
    assert len(ours(routed)) == 4
    routed.agent.start().joined()
    wait_for(lambda: routed.agent.cli.json("capture", "status")["captures"],
             "it is captured again")
    assert len(ours(routed)) == 4
    kill_only(routed)
    (routed.agent.cli.state / "capture.json").unlink()
    routed.agent.start().joined()
    wait_for(lambda: ours(routed) == [], "it has nothing to capture")
    assert not is_captured(routed)


def kill_only(home):
    home.app.run("kill", "-9", helper_of(home), str(home.agent.process.pid))
    home.agent.stop(signal.SIGKILL)
    wait_for(lambda: not is_captured(home), "the table goes")


def test_a_route_of_others_comes_before_what_leads_nowhere(routed):
    routed.agent.stop(signal.SIGKILL)
    wait_for(lambda: len(ours(routed)) == 2, "no way leads to the proxy")
    for to in ("240.240.0.0/16", "240.240.9.0/24"):
        lead(routed, "add", to)
        assert routed.far.ip in routed.app.run(
            "ip", "route", "get", REMEMBERED).stdout
        lead(routed, "del", to)
    assert fails_at_once(routed)


def helper_of(home):
    return home.app.run(
        "pgrep", "--ns", home.agent.process.pid, "--nslist", "net",
        "meshd-capture").stdout.strip()


def test_a_helper_that_is_killed_is_told_of(drill):
    drill.agent.cli.ok("capture", "on")
    drill.app.run("kill", "-9", helper_of(drill))
    wait_for(lambda: not is_captured(drill), "the table goes with its helper")
    assert reaches(drill)
    wait_for(lambda: "helper" in drill.agent.cli.ok("status"),
             "status tells of it")
    drill.agent.stop()
    drill.agent.start().joined()
    wait_for(lambda: is_captured(drill), "a new one captures again")


FIREWALL = """\
table inet firewall {
	chain input {
		type filter hook input priority filter; policy drop;
		iif lo accept
		ct state established,related accept
		meta l4proto { icmp, ipv6-icmp } accept
		udp dport 15946 accept
		tcp dport { 2626, 15006, 15008, 15946 } accept
	}
}
"""

OTHERS = """\
table inet firewall {
	chain input {
		type filter hook input priority filter; policy accept;
		tcp dport 23 drop comment "somebody else's"
	}
	chain output {
		type nat hook output priority -100; policy accept;
		tcp dport 4444 redirect to :4445
	}
}
"""


def test_rules_of_others_stay_as_they_are(drill):
    def rules():
        text = drill.app.run("nft", "-s", "list", "ruleset").stdout
        text += drill.app.run("iptables-legacy-save").stdout
        return [line for line in text.split("\n")
                if not line.startswith((":", "#"))]  # counters, times
    drill.app.run("nft", "-f", "-", input=OTHERS)
    drill.app.run("iptables-legacy", "-t", "nat", "-A", "OUTPUT", "-p", "tcp",
                  "--dport", "5555", "-j", "REDIRECT", "--to-ports", "5556")
    try:
        before = rules()
        drill.agent.cli.ok("capture", "on")
        assert reaches(drill)
        assert OTHERS.split("\n")[0] in rules()
        drill.agent.cli.ok("capture", "off")
        assert rules() == before
    finally:
        drill.app.run("nft", "delete", "table", "inet", "firewall")
        drill.app.run("iptables-legacy", "-t", "nat", "-F")


def test_who_flushes_all_rules_does_not_flush_ours(drill):
    """`systemctl restart nftables` does. Ours has an owner; one that is to
    stay has none, and comes again. So do rules of routing, which network
    managers take away that they do not know."""
    for words in ([], ["--fail-closed"]):
        drill.agent.cli.ok(
            "capture", "on", "--tproxy", "--out", "0.0.0.0/0", *words)
        drill.app.run("nft", "flush", "ruleset")
        drill.app.run("ip", "rule", "del", "protocol", "109")
        wait_for(lambda: is_captured(drill), "the table is there")
        wait_for(lambda: drill.app.run("ip", "rule").stdout.count("15006") == 4,
                 "so are the rules")  # twice in a line
        assert reaches(drill)
        assert any(r["connections"] > 0 for r in drill.agent.cli.json(
            "capture", "status")["rules"])


def test_a_firewall_that_drops_others_drops_nobody_of_ours(drill):
    """One that takes only what it knows: by interface, port and state."""
    drill.app.run("nft", "-f", "-", input=FIREWALL)
    try:
        drill.agent.cli.ok("capture", "on", "--in", "2626", "--tproxy")
        listener = drill.app.listen(drill.app.ip, 2626)
        listener.settimeout(DEADLINE)
        with listener, drill.far.connect(drill.app.ip, 2626) as conn:
            other, _ = listener.accept()
            with other:
                other.sendall(b"hello")
                assert conn.recv(5) == b"hello"
                assert other.getpeername()[0] == drill.far.ip
    finally:
        drill.app.run("nft", "delete", "table", "inet", "firewall")


CAPS = "+net_admin,+dac_override"  # the latter for the test's own folders


def test_an_agent_of_a_user_of_its_own_is_known_by_it(drill):
    """As under systemd: no mark, and no right but the helper's."""
    drill.agent.stop()
    drill.app.run("chown", "-R", "15999", drill.agent.cli.folder)
    drill.agent.start(prefix=[
        "setpriv", "--reuid=15999", "--clear-groups", f"--inh-caps={CAPS}",
        f"--ambient-caps={CAPS}", f"--bounding-set=-all,{CAPS}"]).joined()
    try:
        drill.agent.cli.ok("capture", "on", "--dns")
        rules = str(drill.agent.cli.json("capture", "status")["rules"])
        assert "what user 15999 sends passes" in rules
        assert "name servers by UDP" in rules and "mark" not in rules
        assert reaches(drill)
        caps = drill.app.run(
            "grep", "CapEff", f"/proc/{drill.agent.process.pid}/status").stdout
        assert int(caps.split()[1], 16) & 1 << 12 == 0  # CAP_NET_ADMIN
        drill.agent.cli.ok("capture", "off")
    finally:
        drill.agent.stop()
        drill.app.run("chown", "-R", "0", drill.agent.cli.folder)
        drill.agent.start().joined()


def test_without_the_right_nothing_is_captured_and_that_is_said(drill):
    drill.agent.stop()
    drill.agent.start(prefix=[
        "setpriv", "--bounding-set=-net_admin",
        "--inh-caps=-net_admin"]).joined()
    try:
        done = drill.agent.cli("capture", "on")
        assert done.returncode != 0 and "CAP_NET_ADMIN" in done.stderr
        assert "CAP_NET_ADMIN" in drill.agent.cli.ok("capture", "status")
    finally:
        drill.agent.stop()
        drill.agent.start().joined()


def test_nobody_is_led_to_a_port_that_is_another_ones(drill):
    with drill.app.listen("127.0.0.1", 15001):
        done = drill.agent.cli("capture", "on")
        assert done.returncode != 0 and "15001" in done.stderr, done
        assert not is_captured(drill) and reaches(drill)
    drill.agent.cli.ok("capture", "on")
    assert is_captured(drill)


def test_a_machine_without_ipv6_captures_all_the_same(tmp_path):
    """There is no ::1 to lead to, and no rule of routing to make. A mesh of
    its own, since it has to be one of IPv4."""
    with Mesh(tmp_path, 4, machines=2) as mesh:
        machine, far = mesh.machine(2), mesh.machine(1)
        machine.run("sysctl", "-w", "net.ipv6.conf.all.disable_ipv6=1",
                    "net.ipv6.conf.lo.disable_ipv6=1")
        agent = mesh.member(2)
        agent.cli.ok("capture", "on", "--dns", "--out", "0.0.0.0/0,::/0",
                     "--in", "80", "--tproxy")
        with far.listen(far.ip, PORT) as listener, machine.connect(
                far.ip, PORT):
            listener.settimeout(DEADLINE)
            listener.accept()[0].close()
        assert all("::1" not in str(p) for p in agent.status()["problems"])


PYTHON = "/usr/bin/python3"
CGROUPS = ["sh", "-c", 'mount -t cgroup2 none /sys/fs/cgroup; exec "$@"', "sh"]
ASK = """\
import socket
with socket.create_connection(("{ip}", {port}), 3) as conn:
    conn.settimeout(0.5)
    try:
        print("cut" if conn.recv(1) == b"" else "heard")
    except TimeoutError:
        print("reached")
"""


def test_only_who_is_named_is_captured(drill):
    """By cgroup and by user; whoever else calls is not met by any rule."""
    script = ASK.format(ip=drill.far.ip, port=PORT)
    name = f"meshd-test-{drill.net.prefix}"
    group = f"/sys/fs/cgroup/{name}"

    def calls(*words):
        done = drill.app.run(*CGROUPS, *words)
        return done.stdout.strip() == "reached"
    drill.apply(NOWHERE)
    drill.app.run(*CGROUPS, "mkdir", "-p", f"{group}/inner")
    drill.agent.stop()
    drill.agent.start(prefix=CGROUPS).joined()
    try:
        drill.agent.cli.ok(
            "capture", "on", "--cgroup", name, "--uid", "15998")
        assert calls(PYTHON, "-c", script)
        for at in (group, f"{group}/inner"):
            assert not calls("sh", "-c", f"echo $$ >{at}/cgroup.procs && "
                             f'exec {PYTHON} -c "$0"', script)
        assert not calls("setpriv", "--reuid=15998", "--clear-groups",
                         PYTHON, "-c", script)
        met = {r["rule"]: r["connections"] for r in drill.agent.cli.json(
            "capture", "status")["rules"]}
        assert met[f"calls of cgroup {name} are looked at"] == 2
        assert met["calls of user 15998 are looked at"] == 1
    finally:
        drill.app.run(*CGROUPS, "rmdir", f"{group}/inner", group)
        drill.agent.stop()
        drill.agent.start().joined()
