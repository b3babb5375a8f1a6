# SPDX-License-Identifier: Apache-2.0
"""deb — the life of the package on a machine: install, run, upgrade, remove,
purge."""

import pytest

from conftest import NEWER, PACKAGES, VERSION, package

DEB = next(PACKAGES.glob(f"meshd_{VERSION}_*.deb"))
INSTALL = ("DEBIAN_FRONTEND=noninteractive "
           "dpkg --force-confold -i {} >/dev/null")

# A mesh of one machine, by the package's user; `as` runs as it does.
MESH = """
as() { setpriv --reuid meshd --regid meshd --init-groups "$@"; }
until_it_is() {
    for _ in $(seq 200); do ! "$@" >/tmp/told 2>&1 || return 0; sleep 0.1; done
    cat /tmp/told; exit 1
}
ip link add mesh0 type bridge
ip addr add 10.77.0.1/24 dev mesh0
ip link set mesh0 up
[ -e /var/lib/meshd/server/mesh.db ] || meshd server init
as meshd server run --name here >/tmp/server 2>&1 & server=$!
until_it_is meshd status --socket /run/meshd/server.sock
export MESHD_JOIN="$(meshd token create)"
as meshd agent --name one --gossip 15947 >/tmp/agent 2>&1 & agent=$!
until_it_is sh -c 'meshd status --socket /run/meshd/agent.sock | grep running'
until_it_is sh -c 'meshd members | grep -q "^one .*up"'
meshd node list
kill $agent $server
wait
"""


@pytest.fixture
def installed(root):
    root.sh(INSTALL.format(root.copy(DEB)))
    return root


def test_installing_enables_nothing_and_dpkg_finds_all_as_it_was(installed):
    assert installed.sh("dpkg -V meshd") == ""
    assert installed.sh(
        "stat -c '%U %a' /var/lib/meshd/server /var/lib/meshd/agent "
        "/run/meshd /etc/meshd").splitlines() == [
            "meshd 700", "meshd 700", "meshd 755", "root 755"]
    for role in ("server", "agent", "gateway"):
        unit = f"meshd-{role}.service"
        assert installed.sh(
            f"systemctl is-enabled {unit} || true") == "disabled\n"
        assert not list(installed.path.glob(f"etc/systemd/**/{unit}"))
    assert installed.sh("meshd version").startswith(f"meshd {VERSION}")


def test_a_mesh_lives_over_an_upgrade_and_a_removal_and_not_over_a_purge(
        root, tmp_path):
    before = root.names()
    users = (root / "etc/passwd").read_text()
    root.sh(INSTALL.format(root.copy(DEB)))
    assert "\none " in root.sh(MESH)
    conf = root / "etc/meshd/meshd.conf"
    conf.write_text("# ours\n")
    state = (root / "var/lib/meshd/server/seal.key").read_bytes()
    # As somebody would who enables it; an upgrade must not undo that.
    root.sh("systemctl enable meshd-agent.service 2>&1")

    root.sh(INSTALL.format(root.copy(package("deb", NEWER, tmp_path))))
    assert NEWER in root.sh("dpkg-query -W meshd")
    assert conf.read_text() == "# ours\n"
    assert root.sh("systemctl is-enabled meshd-agent.service") == "enabled\n"
    assert "\none " in root.sh(MESH), "it is the mesh that it was"

    root.sh("dpkg -r meshd >/dev/null 2>&1")
    assert not (root / "usr/bin/meshd").exists()
    assert conf.read_text() == "# ours\n"
    assert (root / "var/lib/meshd/server/seal.key").read_bytes() == state

    root.sh("dpkg -P meshd >/dev/null 2>&1")
    left = {n for n in root.names() - before if "passwd-" not in n}
    assert left <= {"etc/group-", "etc/shadow-", "etc/gshadow-",
                    "etc/.pwd.lock"}, left
    assert (root / "etc/passwd").read_text() == users


def test_without_systemd_there_are_the_user_and_the_folders(root):
    root.sh("rm /usr/bin/systemd-sysusers /usr/bin/systemd-tmpfiles")
    root.sh(INSTALL.format(root.copy(DEB)))
    assert "\none " in root.sh(MESH)
