# SPDX-License-Identifier: Apache-2.0
"""life — what two machines go through with a mesh, from the line that is
pasted to the last file that is taken away. Each test goes on where the one
before it has ended."""

from conftest import DEB, NEWER, VERSION

# It makes a call once, when the machine boots, and only while its rules are
# there: what an agent has heard of others by then is another matter.
CALLER = """cat >/etc/systemd/system/caller.service <<'END'
[Unit]
Description=calls once
Wants=network-online.target
After=network-online.target
[Service]
Type=oneshot
ExecStartPre=/usr/sbin/nft list table inet meshd
ExecStart=/usr/bin/curl -sS --retry 60 --retry-delay 2 --retry-all-errors \\
    http://{service}/
[Install]
WantedBy=multi-user.target
END
sed -i 's/^#Before=.*/Before=caller.service/' \\
    /etc/systemd/system/meshd-agent.service.d/meshd-capture.conf
systemctl daemon-reload
systemctl enable -q caller
"""
CAPTURE = "meshd capture on --dns --out 0.0.0.0/0 --in 80"


def serves(vm, name, host):
    """Through the mesh: who answers was called by its own agent."""
    vm.comes_to(f"{host} answers 127.0.0.1",
                f"curl -sS --max-time 20 http://{name}/")


def meets_plums(vm):
    vm.comes_to('"text": "plums"', "curl -sS --max-time 20 http://plums/")


def is_a_member(vm):
    vm.comes_to("running", "meshd status | grep ^state")


def captures(vm):
    return vm.comes_to("captures  yes", "meshd capture status")


# --- the line ---


def test_01_a_machine_joins_by_the_line_for_curl(lab, one):
    lab.before = {vm.name: vm.files() for vm in lab.vms}
    told = one.sh(f"{lab.line('curl').strip()} --capture")
    assert "signed by the server's key sha256//" in told
    assert "the program's SHA-256 is as the list says" in told
    assert "this machine is a member" in told
    one.sh("systemctl is-enabled meshd-agent; test ! -e /etc/meshd/token")
    assert "captures  no\n" in one.sh("meshd capture status")


def test_02_another_joins_by_the_line_for_wget(lab, two):
    told = two.sh(lab.line("wget").strip())
    assert "meshd-install: OK" in told and "this machine is a member" in told
    two.sh("rm meshd-install")  # the script, which that line fetches first
    told = two.sh("meshd capture status")
    assert "has not the right to (CAP_NET_ADMIN)" in told
    # Said again, of a machine that has joined.
    told = two.sh(f"{lab.line('curl').strip()} --capture")
    assert "is there already" in told
    assert "captures  no\n" in two.sh("meshd capture status")


# --- services, capture ---


def test_03_services_meet_by_name_without_a_change(lab, one, two):
    lab.web(2, 8080, "plums")
    agent = lab.member(2, name="three")
    agent.expose("plums", "80:8080", "--protocol", "http")
    for vm, service in ((one, "apples"), (two, "pears")):
        vm.sh(f"meshd expose {service} 80 --protocol http --check http")
        # By a session of SSH that was there before.
        told = vm.sh(f"{CAPTURE} --commit-confirm 10m\n"
                     "meshd capture confirm\nmeshd capture status")
        assert "falls back in 600 s" in told and "confirmed" in told
    serves(one, "pears", "two")
    serves(two, "apples", "one")
    for vm in (one, two):
        meets_plums(vm)
        captures(vm)
    # Who is in no mesh comes to the captured port in plain text.
    done = lab.machine(1).run("curl", "-sS", f"http://{one.ip}/")
    assert f"one answers {one.ip}" in done.stdout, done


def test_04_the_proxy_has_no_right_and_the_helper_only_one(one):
    told = one.sh(
        "pid=$(systemctl show --value -p MainPID meshd-agent)\n"
        "grep -E '^(Uid|Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):' "
        "/proc/$pid/status\n"
        "for p in $(cat /sys/fs/cgroup/system.slice/meshd-agent.service/"
        "cgroup.procs); do\n"
        "[ $p = $pid ] || grep -E '^(Name|Uid|Cap(Prm|Eff)):' "
        "/proc/$p/status\ndone\n"
        "nft list table inet meshd\n"
        "systemd-analyze security --no-pager meshd-agent | tail -n 1")
    proxy, _, helper = told.partition("Name:\tmeshd-capture")
    assert helper, told
    assert "CapPrm:\t0000000000000000" in proxy
    assert "CapEff:\t0000000000000000" in proxy
    assert "NoNewPrivs:\t1" in proxy and "Seccomp:\t2" in proxy
    assert "CapEff:\t0000000000001000" in helper  # CAP_NET_ADMIN


def test_05_a_cgroup_alone_is_captured_within_the_sandbox(one):
    one.sh("meshd capture on --dns --out 0.0.0.0/0 --cgroup "
           "system.slice/ssh.service")
    assert "system.slice/ssh.service" in captures(one)
    one.sh(CAPTURE)


# --- boots ---


def test_06_after_a_boot_the_first_call_is_captured(lab, one, two):
    for vm, service in ((one, "pears"), (two, "apples")):
        vm.sh(CALLER.format(service=service))
    one.reboots(lambda: one.ssh("systemctl reboot"))
    captures(one)
    told = one.sh("journalctl -b --no-pager -o cat -u caller")
    assert "two answers 127.0.0.1" in told, told
    when = one.sh(
        "systemctl show -p ActiveEnterTimestampMonotonic meshd-agent\n"
        "systemctl show -p ExecMainStartTimestampMonotonic caller")
    ready, called = (int(line.split("=")[1]) for line in when.split())
    assert 0 < ready <= called
    serves(one, "pears", "two")
    serves(two, "apples", "one")


def test_07_power_fails_while_the_server_is_away(lab, two):
    two.sh("sync")
    lab.server.stop()
    two.reboots(lambda: two.press("system_reset"))
    captures(two)
    assert "one answers 127.0.0.1" in two.sh(
        "journalctl -b --no-pager -o cat -u caller")
    serves(two, "apples", "one")
    meets_plums(two)
    lab.server.start()
    two.comes_to("yes", "meshd status | grep '^up to date'")


# --- upgrade, the end ---


def test_08_the_line_of_a_newer_server_upgrades(lab, one, newer):
    before = one.sh("stat -c %i /var/lib/meshd/agent/node.key")
    lab.serve(newer)
    told = one.sh(lab.line("curl").strip())
    assert "installed /usr/local/bin/meshd" in told
    assert NEWER in one.sh("meshd version")
    is_a_member(one)
    captures(one)
    assert one.sh("stat -c %i /var/lib/meshd/agent/node.key") == before
    assert "apples" in one.sh("meshd exposed")
    serves(one, "pears", "two")


def test_09_uninstalled_and_purged_nothing_is_left(lab, two):
    two.sh("systemctl disable -q caller; rm /etc/systemd/system/caller.service")
    two.sh(f"curl -sk https://{lab.machine(1).ip}:15080/install >/tmp/i\n"
           "sh /tmp/i --uninstall\n"
           "test -e /var/lib/meshd/agent/node.key\n"
           "test -z \"$(nft list tables)\"\n"
           "sh /tmp/i --uninstall --purge")
    left_nothing(lab, two)


def left_nothing(lab, vm):
    left = vm.files() - lab.before[vm.name] - {"/etc/.pwd.lock"}
    lab.told.add("test", f"files of {vm.name} that were not there before",
                 "\n".join(sorted(left)))
    assert not {n for n in left if not n.endswith("-")}, left
    told = vm.sh("cat /etc/passwd /etc/group; ps -e -o comm=; ip route\n"
                 "nft list tables; systemctl list-unit-files --no-pager")
    assert "meshd" not in told


# --- the package ---


def test_10_a_package_joins_captures_and_is_upgraded(lab, one, two, newer_deb):
    lab.cli.ok("node", "revoke", "two")
    for path in (DEB, newer_deb):
        two.copy(path)
    two.sh(f"dpkg -i /tmp/{DEB.name}")
    assert "disabled" in two.sh("systemctl is-enabled meshd-agent || true")
    told = two.sh(lab.line("curl").strip())
    assert "a package has installed /usr/bin/meshd" in told
    # The one step of meshd-capture(7).
    two.sh("install -D -m 644 -t /etc/systemd/system/meshd-agent.service.d "
           "/usr/share/meshd/meshd-capture.conf\n"
           "systemctl daemon-reload\nsystemctl restart meshd-agent")
    two.sh(f"meshd expose pears 80 --protocol http\n{CAPTURE}")
    serves(two, "apples", "one")
    assert f"{VERSION}\n" in two.sh("dpkg-query -Wf '${Version}\\n' meshd")
    two.sh(f"dpkg -i /tmp/{newer_deb.name}\ndpkg -V meshd")
    assert NEWER in two.sh("meshd version")
    is_a_member(two)
    captures(two)
    serves(two, "apples", "one")
    serves(one, "pears", "two")


def test_11_purged_the_package_leaves_nothing(lab, two):
    two.sh("rm -f /tmp/*.deb; dpkg -P meshd")
    left_nothing(lab, two)
