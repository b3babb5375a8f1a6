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
# It calls once, at its start, and nothing is tried again.
FIRST = """cat >/etc/systemd/system/first.service <<'END'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/curl -sS http://pears/
END
systemctl daemon-reload
"""


def serves(vm, name, host):
    """Through the mesh: who answers was called by its own agent."""
    vm.comes_to(f"{host} answers 127.0.0.1",
                f"curl -sS --max-time 20 http://{name}/")


def meets_plums(vm):
    vm.comes_to('"text": "plums"', "curl -sS --max-time 20 http://plums/")


def is_a_member(vm):
    vm.comes_to("running", "meshd status | grep ^state")


def asks(path):
    return f"curl -sS --unix-socket /run/meshd/agent.sock http://agent{path}"


def is_called_by(vm, account):
    """The caller's certificate says so."""
    vm.comes_to(f"/ns/default/sa/{account}\"", asks("/v1/connections"))


def has_identity(vm, account):
    vm.comes_to(f"/ns/default/sa/{account}\"", asks("/v1/identities"))


def is_outside(vm):
    """What a shell calls is not captured."""
    vm.sh("! curl -sS --max-time 5 http://pears/")


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


# --- programs with an account of their own ---


def test_06_a_unit_is_in_the_mesh_while_it_is_active(one, two):
    one.sh("meshd capture off")
    told = one.sh("meshd expose --unit nginx.service --account shop "
                  "--protocol http --now shop 81:8081\n"
                  "cat /etc/systemd/system/nginx.service.d/50-meshd.conf")
    assert "systemd starts nginx.service anew" in told
    assert '=+-"/usr/local/bin/meshd" unit started %n\n' in told
    one.comes_to("/sa/shop  shop     captured", "meshd capture status")
    # One asks the other's nginx, which asks back, as the shop.
    serves(two, "shop:81", "two")
    is_called_by(two, "shop")
    is_outside(one)
    one.sh("systemctl stop nginx")
    assert "shop" not in one.sh("meshd exposed; meshd capture status")
    one.sh("test -z \"$(nft list tables | grep 'meshd$')\"")
    one.sh("systemctl start nginx")
    assert "captured" in one.sh("meshd capture status")
    serves(two, "shop:81", "two")
    # The agent was away.
    one.sh("systemctl restart meshd-agent")
    one.comes_to("/sa/shop  shop     captured", "meshd capture status")
    serves(two, "shop:81", "two")
    # Nobody has stopped it in order.
    one.sh("systemctl kill -s KILL nginx")
    one.comes_to("failed", "systemctl is-active nginx")
    one.sh("! meshd exposed | grep shop; systemctl start nginx")
    serves(two, "shop:81", "two")


def test_07_the_first_call_of_a_unit_is_its_own(one, two):
    told = one.sh(f"{FIRST}meshd expose --unit first --account first")
    assert "systemctl restart first.service" in told
    has_identity(one, "first")
    one.sh("systemctl daemon-reload; systemctl restart first")
    assert "two answers 127.0.0.1" in one.sh(
        "meshd capture status; journalctl --no-pager -o cat -u first")
    is_called_by(two, "first")
    one.sh("meshd unexpose --unit first; systemctl daemon-reload\n"
           "test ! -e /etc/systemd/system/first.service.d\n"
           "rm /etc/systemd/system/first.service; systemctl stop first")


def test_08_a_command_is_in_the_mesh_while_it_lives(one, two):
    told = one.sh("meshd run --account runner -- curl -sS http://pears/\n"
                  "meshd run -- sh -c 'exit 7' || echo ended by $?")
    assert "two answers 127.0.0.1" in told and "ended by 7" in told
    is_called_by(two, "runner")
    # In a part of systemd's tree that was given to it.
    one.sh("systemd-run -q --unit offers -p Delegate=yes meshd run "
           "--service plain --port 82:8082 --protocol http -- "
           "sh -c 'while :; do sleep 1; done'")
    one.comes_to("plain", "meshd exposed")
    one.sh("systemctl stop offers; ! meshd exposed | grep plain")
    is_outside(one)
    one.sh(CAPTURE)


# --- boots ---


def test_09_after_a_boot_the_first_call_is_captured(lab, one, two):
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
    serves(two, "shop:81", "two")


def test_10_a_unit_that_is_taken_back_goes_on_without_the_mesh(one):
    assert "/sa/shop  shop     captured" in captures(one)
    pid = one.sh("systemctl show -p MainPID nginx")
    one.sh("meshd unexpose --unit nginx; systemctl daemon-reload\n"
           "test ! -e /etc/systemd/system/nginx.service.d")
    assert "shop" not in one.sh("meshd exposed; meshd capture status")
    assert one.sh("systemctl show -p MainPID nginx") == pid


def test_11_power_fails_while_the_server_is_away(lab, two):
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


def test_12_the_line_of_a_newer_server_upgrades(lab, one, newer):
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


def test_13_uninstalled_and_purged_nothing_is_left(lab, two):
    two.sh("systemctl disable -q caller; rm /etc/systemd/system/caller.service")
    two.sh("meshd expose --unit nginx")  # which leaves a drop-in
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


def test_14_a_package_joins_captures_and_is_upgraded(lab, one, two, newer_deb):
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


def test_15_purged_the_package_leaves_nothing(lab, two):
    two.sh("meshd expose --unit nginx")
    two.sh("rm -f /tmp/*.deb; dpkg -P meshd")
    left_nothing(lab, two)
