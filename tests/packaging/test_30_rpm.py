# SPDX-License-Identifier: Apache-2.0
"""rpm — the same life, where rpm keeps the books."""

import pytest

from conftest import NEWER, PACKAGES, VERSION, Root, package, run

RPM = next(PACKAGES.glob(f"meshd-{VERSION}-1.*.rpm"))


@pytest.fixture
def rpm(root):
    """rpm from outside: its scripts run in the root."""
    def call(*words):
        return run("rpm", "--root", root.path, *words)
    call("--initdb")
    return call


def test_a_root_without_anything_gets_its_files(tmp_path):
    run("rpm", "--root", tmp_path, "--initdb")
    run("rpm", "--root", tmp_path, "-ivh", "--nodeps", "--noscripts", RPM)
    # No shell is in rpm's books here, which the scripts need.
    assert run("rpm", "--root", tmp_path, "-V", "--nodeps", "meshd") == ""
    assert run(tmp_path / "usr/bin/meshd", "version").startswith(
        f"meshd {VERSION}")


def test_install_upgrade_and_removal(root: Root, rpm, tmp_path):
    rpm("-i", "--nodeps", RPM)
    assert rpm("-V", "--nodeps", "meshd") == ""
    assert root.sh("stat -c %U /var/lib/meshd/server") == "meshd\n"
    assert not list(root.path.glob("etc/systemd/**/meshd-*.service"))
    root.sh("meshd server init")
    conf = root / "etc/meshd/meshd.conf"
    conf.write_text("# ours\n")

    rpm("-U", "--nodeps", package("rpm", NEWER, tmp_path))
    assert rpm("-q", "meshd").startswith(f"meshd-{NEWER}-1.")
    assert conf.read_text() == "# ours\n"
    assert root.sh("stat -c %U /var/lib/meshd/server/mesh.db") == "meshd\n"

    rpm("-e", "meshd")
    assert not (root / "usr/bin/meshd").exists()
    assert (root / "etc/meshd/meshd.conf.rpmsave").read_text() == "# ours\n"
    assert (root / "var/lib/meshd/server/mesh.db").exists()
