# SPDX-License-Identifier: Apache-2.0
"""install — the line that a server prints, in roots of several kinds.

The server is a program beside the root, with its own folder; the network is
theirs alone.
"""

import shutil

import pytest

from conftest import BEGIN, HERE, Root, run

PROGRAM = HERE / "build/meshd.stripped"
# The agent is on the server's machine, and the server's gossip is there.
CONF = "[agent]\nname = one\ngossip = 15947\n"
SERVER = r"""
ip link add mesh0 type bridge
ip addr add 10.77.0.1/24 dev mesh0
ip link set mesh0 up
mkdir -p "$served"
served() {
    MESHD_STATE=$served/state MESHD_SOCKET=$served/sock $program "$@"
}
served server init
served server run --name here >$served/log 2>&1 & server=$!
n=0
until served status >/dev/null 2>&1; do
    n=$((n + 1)); [ $n -lt 100 ] || { cat $served/log; exit 1; }; sleep 0.1
done
"""


@pytest.fixture
def prepared(root):
    shutil.copy(PROGRAM, root / "srv/program")
    (root / "etc/meshd").mkdir()
    (root / "etc/meshd/meshd.conf").write_text(CONF)
    return root


CHROOT = "program=/srv/program served=/srv/mesh\n" + SERVER + r"""
sh -c "$(served token create --line curl)" 2>&1
/usr/local/bin/meshd status --socket /run/meshd/agent.sock
stat -c 'state %U %a' /var/lib/meshd/agent
stat -c 'runs as %U' /proc/$(cat /run/meshd/agent.pid)
sh -c "$(served token create --line curl)" 2>&1
curl -sk https://10.77.0.1:15080/install >/srv/install
sh /srv/install --uninstall --purge 2>&1
kill $server
"""


def test_root_installs_and_purges_where_nothing_manages_processes(prepared):
    before = prepared.names()
    told = prepared.sh(CHROOT)
    assert "this machine is a member" in told
    assert "state meshd 700" in told and "runs as meshd" in told
    assert "it runs already" in told
    assert "meshd is gone, with its state" in told
    left = {n for n in prepared.names() - before
            if not n.startswith("srv/") and not n.endswith("-")}
    assert left <= {"etc/.pwd.lock", "dev/urandom"}, left
    assert "meshd" not in (prepared / "etc/passwd").read_text()


BOOTED = BEGIN.replace("ip link", ": ").replace("ip addr", ": ") + (
    "program=/srv/program served=/srv/mesh\n") + SERVER + r"""
sh -c "$(served token create --line curl) --capture" 2>&1
systemctl is-enabled meshd-agent
meshd capture status
says 'Serves as one of mesh.internal' status meshd-agent
test ! -e /etc/meshd/token
stat -c 'runs as %U' /proc/$(systemctl show --value -p MainPID meshd-agent)
systemctl show -p FragmentPath --value meshd-agent
sh -c "$(served token create --line curl)" 2>&1
systemctl restart meshd-agent
says 'Serves as one of mesh.internal' status meshd-agent
meshd expose --unit none
curl -sk https://10.77.0.1:15080/install >/srv/install
sh /srv/install --uninstall 2>&1
test -e /etc/systemd/system/none.service.d/50-meshd.conf
test -e /var/lib/meshd/agent
sh /srv/install --uninstall --purge 2>&1
kill $server
find / -xdev -name '*meshd*' -not -path '/proc/*' -not -path '/srv/*' \
    -not -path '/run/credentials/*'
getent passwd meshd || echo no user
"""


def test_under_systemd_it_is_a_unit_whose_token_is_a_credential(
        prepared, boot):
    told = boot(BOOTED)
    lines = told.splitlines()
    assert "enabled" in lines and "runs as meshd" in lines, told
    assert "/usr/local/lib/systemd/system/meshd-agent.service" in lines, told
    assert "captures  no" in lines, told
    assert told.count("this machine is a member") == 2, told
    assert "is there already" in told
    assert lines[-2:] == ["no user", "done"], told
    assert lines[-3] == "meshd is gone, with its state", told


BUSYBOX = "program=$2 served=$3\n" + SERVER + r"""
lines=$(served token create --line manual)
curl -sk https://10.77.0.1:15080/install >$1/srv/install
curl -sk https://10.77.0.1:15080/install/meshd-linux-amd64 \
    >$1/srv/meshd-linux-ARCH
call=$(printf '%s\n' "$lines" | sed -n 's/^3. sh //p')
for _ in 1 2; do
    chroot $1 sh -euc "cd /srv; eval sh $call" 2>&1
done
chroot $1 /usr/local/bin/meshd status --socket /run/meshd/agent.sock
chroot $1 sh /srv/install --uninstall --purge 2>&1
chroot $1 find / -xdev -name '*meshd*'
kill $server
"""


@pytest.fixture
def busybox(tmp_path):
    """A root with nothing but busybox."""
    where = shutil.which("busybox")
    if where is None:
        pytest.skip("there is no busybox: package busybox-static")
    path = tmp_path / "root"
    for folder in ("bin", "dev", "etc/meshd", "proc", "root", "srv", "tmp"):
        (path / folder).mkdir(parents=True)
    shutil.copy(where, path / "bin/busybox")
    for tool in run(where, "--list").split():
        if tool != "busybox":
            (path / "bin" / tool).symlink_to("busybox")
    (path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (path / "etc/group").write_text("root:x:0:\n")
    (path / "etc/shadow").write_text("root:*:::::::\n")
    (path / "etc/meshd/meshd.conf").write_text(CONF)
    return Root(path)


def test_busybox_is_enough(busybox, tmp_path):
    told = busybox.beside(BUSYBOX, PROGRAM, tmp_path / "served")
    assert "the program's SHA-256 is as the list says" in told
    assert "this machine is a member" in told and "it runs already" in told
    assert "it runs as root" in told, "Debian's busybox makes no users"
    assert "meshd is gone, with its state" in told
    assert told.splitlines()[-1] == "/srv/meshd-linux-ARCH", told
    assert "meshd" not in (busybox / "etc/passwd").read_text()
