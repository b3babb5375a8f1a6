# SPDX-License-Identifier: Apache-2.0
"""repo — apt and dnf install from the trees, and only what the key signed."""

import shutil
import subprocess

import pytest

from conftest import DEADLINE, VERSION, make, run

SOURCE = """\
Types: deb
URIs: file:/srv/repo/apt
Suites: stable
Components: main
Signed-By: /srv/repo/meshd.asc
"""
# All else of a machine: what our package needs there is a shell.
BASE = """\
Name: base
Version: 1
Release: 1
Summary: what a machine has
License: none
BuildArch: noarch
Provides: /bin/sh
%description
It stands for a whole machine.
%files
"""


def new_key(home):
    home.mkdir(mode=0o700)
    run("gpg", "--homedir", home, "--batch", "--passphrase", "",
        "--quick-gen-key", "Nobody <nobody@example.org>", "ed25519", "sign")
    told = run("gpg", "--homedir", home, "--list-keys", "--with-colons")
    return next(line.split(":")[9] for line in told.splitlines()
                if line.startswith("fpr:"))


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """Signed by a key that is thrown away."""
    folder = tmp_path_factory.mktemp("repo")
    home = folder / "gnupg"
    key = new_key(home)
    with pytest.MonkeyPatch.context() as env:
        env.setenv("GNUPGHOME", str(home))
        env.setenv("REPO_KEY", key)
        make("repo", f"REPO={folder / 'trees'}")
    yield folder / "trees"
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"],
                   check=False)


@pytest.fixture
def apt(root, trees):
    """apt-get in a root that knows no other tree."""
    shutil.copytree(trees, root / "srv/repo")
    shutil.rmtree(root / "etc/apt/sources.list.d")
    (root / "etc/apt/sources.list.d").mkdir()
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    (root / "etc/apt/sources.list.d/meshd.sources").write_text(SOURCE)

    def call(*words):
        told = root.sh("apt-get -q -y -o APT::Sandbox::User=root "
                       f"-o Acquire::Languages=none {' '.join(words)} 2>&1 "
                       "|| echo failed")
        return told, not told.endswith("failed\n")
    return call


def test_apt_installs_from_the_tree_by_its_signature(root, apt):
    assert apt("update")[1]
    assert apt("install", "meshd")[1]
    assert root.sh("meshd version").startswith(f"meshd {VERSION}")
    assert "file:/srv/repo/apt" in root.sh("apt-cache policy meshd")


@pytest.mark.parametrize("file", ["InRelease", "main/binary-amd64/Packages"])
def test_apt_refuses_what_was_changed(root, apt, file):
    release = root / "srv/repo/apt/dists/stable"
    for path in release.glob("main/binary-amd64/Packages.*"):
        path.unlink()
    path = release / file
    path.write_text(path.read_text().replace("meshd", "mesht", 1))
    told, is_done = apt("update")
    assert not is_done
    assert "BADSIG" in told or "unexpected size" in told or (
        "Hash Sum mismatch" in told), told


def test_apt_refuses_another_key(root, apt, tmp_path):
    new_key(tmp_path / "gnupg")
    (root / "srv/repo/meshd.asc").write_text(run(
        "gpg", "--homedir", tmp_path / "gnupg", "--armor", "--export"))
    told, is_done = apt("update")
    assert not is_done and "NO_PUBKEY" in told, told


@pytest.fixture
def dnf(trees, tmp_path):
    """dnf into an empty root, from a tree that stands for the distribution
    and from ours, with every signature asked for."""
    spec = tmp_path / "base.spec"
    spec.write_text(BASE)
    run("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {tmp_path}/top",
        "--define", f"_rpmdir {tmp_path}/base", spec)
    run("createrepo_c", "--quiet", tmp_path / "base")
    ours = tmp_path / "yum"
    shutil.copytree(trees / "yum", ours)
    conf = tmp_path / "dnf.conf"
    conf.write_text(f"""\
[main]
reposdir=/dev/null
cachedir={tmp_path}/cache
logdir={tmp_path}
[base]
name=base
baseurl=file://{tmp_path}/base
gpgcheck=0
[meshd]
name=meshd
baseurl=file://{ours}
gpgcheck=1
repo_gpgcheck=1
gpgkey=file://{trees}/meshd.asc
""")

    def call(*words):
        return subprocess.run(
            ["dnf", "-y", "-c", conf, f"--installroot={tmp_path}/root",
             "--releasever=1", "--setopt=tsflags=noscripts", *words],
            text=True, check=False, timeout=DEADLINE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    call.ours = ours
    call.root = tmp_path / "root"
    return call


def test_dnf_installs_from_the_tree_by_its_signatures(dnf):
    done = dnf("install", "meshd")
    assert done.returncode == 0, done.stdout
    assert run(dnf.root / "usr/bin/meshd", "version").startswith(
        f"meshd {VERSION}")


def test_dnf_refuses_a_list_and_a_package_that_were_changed(dnf):
    listed = dnf.ours / "repodata/repomd.xml"
    before = listed.read_text()
    listed.write_text(before.replace("<revision>", "<revision>1", 1))
    done = dnf("install", "meshd")
    assert done.returncode != 0 and "repomd.xml" in done.stdout, done.stdout
    # The same package without a signature, in a list that is signed anew by
    # nobody: the list is not asked now.
    listed.write_text(before)
    for path in dnf.ours.glob("*.rpm"):
        run("rpmsign", "--delsign", path)
    shutil.rmtree(dnf.ours / "repodata")
    run("createrepo_c", "--quiet", dnf.ours)
    done = dnf("install", "meshd", "--setopt=meshd.repo_gpgcheck=0")
    assert done.returncode != 0 and "not signed" in done.stdout, done.stdout
