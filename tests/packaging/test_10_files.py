# SPDX-License-Identifier: Apache-2.0
"""files — what is in the packages, and what lint says of it."""

import hashlib
import json
import os
import pathlib
import pty
import select
import subprocess
import tarfile
import time

import pytest

from conftest import ARCH, HERE, PACKAGES, VERSION, make, run

DEB = next(PACKAGES.glob(f"meshd_{VERSION}_*.deb"))
RPM = next(PACKAGES.glob(f"meshd-{VERSION}-1.*.rpm"))
TARBALL = next(PACKAGES.glob(f"meshd-{VERSION}-linux-*.tar.gz"))
UNITS = {f"lib/systemd/system/meshd-{role}.service"
         for role in ("agent", "gateway", "server")}
# Below the prefix, however it is packed.
EVERYWHERE = UNITS | {
    "bin/meshd", "lib/sysusers.d/meshd.conf", "lib/tmpfiles.d/meshd.conf",
    "share/bash-completion/completions/meshd",
    "share/fish/vendor_completions.d/meshd.fish"}


def below(names, prefix):
    return {n.removeprefix(prefix) for n in names if n.startswith(prefix)}


def test_lintian_is_content():
    assert run("lintian", "--allow-root", "--profile", "debian", "-EvIL",
               "+pedantic", "--tag-display-limit", "0", "--quiet", DEB) == ""


def test_rpmlint_is_content():
    told = run("rpmlint", "-c", HERE / "packaging/rpm/rpmlint.toml", RPM)
    assert "0 errors, 0 warnings" in told, told


@pytest.mark.parametrize("name", ["deb/lintian-overrides",
                                  "rpm/rpmlint.toml"])
def test_each_override_has_its_reason(name):
    before = ""
    for line in (HERE / "packaging" / name).read_text().splitlines():
        if line.startswith(("meshd", '    "')):
            assert before.lstrip().startswith("#"), line
        before = line


def test_the_deb_has_its_files_and_they_are_roots():
    told = run("dpkg-deb", "-c", DEB).splitlines()
    assert all(line.split()[1] == "root/root" for line in told)
    names = {line.split()[5].removeprefix("./") for line in told}
    assert EVERYWHERE <= below(names, "usr/")
    assert {"etc/meshd/meshd.conf", "usr/share/doc/meshd/copyright",
            "usr/share/doc/meshd/changelog.gz",
            "usr/share/zsh/vendor-completions/_meshd",
            "usr/share/man/man8/meshd-agent.8.gz"} <= names
    assert not [n for n in names if n.startswith(("var", "run"))]
    assert run("dpkg-deb", "-I", DEB, "conffiles") == (
        "/etc/meshd/meshd.conf\n")


def test_the_rpm_has_its_files_and_needs_a_shell_alone():
    names = set(run("rpm", "-qpl", RPM).split())
    assert EVERYWHERE <= below(names, "/usr/")
    assert "/usr/share/zsh/site-functions/_meshd" in names
    assert run("rpm", "-qpc", RPM).split() == ["/etc/meshd/meshd.conf"]
    needs = run("rpm", "-qp", "--requires", RPM).split("\n")
    assert {n for n in needs if n and "rpmlib(" not in n} == {"/bin/sh"}


def test_the_tarball_is_the_tree_of_usr_local_with_its_checksum(tmp_path):
    run("sha256sum", "--strict", "-c", "SHA256SUMS", cwd=PACKAGES)
    with tarfile.open(TARBALL) as tar:
        members = tar.getmembers()
        assert [m.name for m in members] == sorted(m.name for m in members)
        assert {(m.uid, m.gid, m.uname, m.gname) for m in members} == {
            (0, 0, "", "")}
        tar.extractall(tmp_path)
    tree = tmp_path / TARBALL.name.removesuffix(".tar.gz")
    names = {str(p.relative_to(tree)) for p in tree.rglob("*")}
    assert EVERYWHERE | {"share/doc/meshd/LICENSE",
                         "share/doc/meshd/examples/meshd.conf",
                         "share/man/man8/meshd.8"} <= names
    for unit in UNITS:
        assert "ExecStart=/usr/local/bin/meshd " in (tree / unit).read_text()


@pytest.fixture
def tree(tmp_path):
    """The tarball where it belongs, or nearly so."""
    run("tar", "-C", tmp_path, "--strip-components=1", "-xzf", TARBALL)
    return tmp_path


def test_fish_and_bash_complete_by_the_files_that_are_packed(tree):
    path = {"PATH": f"{tree}/bin:/usr/bin:/bin", "HOME": str(tree)}
    done = run("fish", "-c", f"source {tree}/share/fish/vendor_completions.d/"
               "meshd.fish; complete -C 'meshd serve'", env=path)
    assert done.split() == ["server"]
    done = run("bash", "-c", f"source {tree}/share/bash-completion/"
               "completions/meshd; COMP_WORDS=(meshd serve); COMP_CWORD=1; "
               "_meshd; echo ${COMPREPLY[*]}", env=path)
    assert done.split() == ["server"]


def test_zsh_completes_at_the_first_tab(tree):
    """The file is the function's body then, which has to do its work too."""
    told = b""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve("/bin/zsh", ["zsh", "-f", "-i"], {
            "PATH": f"{tree}/bin:/usr/bin:/bin", "HOME": str(tree),
            "TERM": "dumb"})

    def until(words):
        nonlocal told
        end = time.monotonic() + 20
        while words not in told and time.monotonic() < end:
            if select.select([terminal], [], [], 0.2)[0]:
                told += os.read(terminal, 4096)
        assert words in told, told

    os.write(terminal, f"fpath=({tree}/share/zsh/site-functions $fpath); "
             "autoload -Uz compinit; compinit -u -D; echo rea''dy\n".encode())
    until(b"ready\r\n")
    os.write(terminal, b"meshd serve\t")
    until(b"meshd server ")
    os.close(terminal)
    os.waitpid(pid, 0)


# --- what is in it, and how it was made ---


NAME = f"meshd-{VERSION}-linux-{ARCH}"


@pytest.fixture
def sbom():
    return json.loads((PACKAGES / f"{NAME}.spdx.json").read_text())


def test_another_reader_finds_the_sbom_right():
    run(os.environ["SPDX"], "-i", PACKAGES / f"{NAME}.spdx.json")


def test_the_sbom_names_each_archive_that_was_linked(sbom, tree):
    names = {p["name"] for p in sbom["packages"]}
    assert {"meshd", "awslc", "mbedtls", "nghttp2", "llhttp", "inih",
            "libc6-dev", "libsodium-dev", "libsqlite3-dev", "libevent-dev",
            "libyaml-dev", "libjansson-dev", "libprotobuf-c-dev",
            "unicode-data"} <= names
    own = next(p for p in sbom["packages"] if p["name"] == "meshd")
    digest = {s["algorithm"]: s["checksumValue"] for s in own["checksums"]}
    program = (tree / "bin/meshd").read_bytes()
    assert digest["SHA256"] == hashlib.sha256(program).hexdigest()
    linked = {r["relatedSpdxElement"] for r in sbom["relationships"]
              if r["relationshipType"] in ("STATIC_LINK", "GENERATED_FROM")
              and r["spdxElementId"] == "SPDXRef-meshd"}
    assert linked == {f"SPDXRef-{n}" for n in names - {"meshd"}}
    lines = (HERE / "third_party/manifest").read_text()
    for package in sbom["packages"]:
        if package["SPDXID"].removeprefix("SPDXRef-") in (
                "awslc", "mbedtls", "nghttp2", "llhttp", "inih"):
            assert package["checksums"][0]["checksumValue"] in lines


def test_the_licence_of_each_is_in_each_package(sbom, tree):
    names = {f"licenses/{p['name']}" for p in sbom["packages"][1:]}
    folder = "usr/share/doc/meshd/"
    assert names | {"meshd.spdx.json"} <= {
        str(p.relative_to(tree / "share/doc/meshd"))
        for p in (tree / "share/doc/meshd").rglob("*")}
    told = run("dpkg-deb", "-c", DEB)
    assert all(f"./{folder}{name}\n" in told for name in names)
    assert {f"/{folder}{name}" for name in names} <= set(
        run("rpm", "-qpL", RPM).split())
    text = (tree / "share/doc/meshd/licenses/libc6-dev").read_text()
    assert "GNU Lesser General" in text
    assert "Apache License" in (
        tree / "share/doc/meshd/licenses/awslc").read_text()


def test_the_provenance_is_of_these_packages_and_of_this_tree(sbom):
    told = json.loads((PACKAGES / f"{NAME}.provenance.json").read_text())
    assert told["predicateType"] == "https://slsa.dev/provenance/v1"
    for subject in told["subject"]:
        data = (PACKAGES / subject["name"]).read_bytes()
        assert subject["digest"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert {DEB.name, RPM.name, TARBALL.name} <= {
        s["name"] for s in told["subject"]}
    build = told["predicate"]["buildDefinition"]
    commit = run("git", "-C", HERE, "rev-parse", "HEAD").strip()
    assert build["resolvedDependencies"][0]["digest"] == {
        "gitCommit": commit}
    assert {p["name"] for p in sbom["packages"][1:]} <= {
        d["name"] for d in build["resolvedDependencies"]}


def test_the_same_tree_makes_the_same_bytes(tmp_path):
    make("deb", "rpm", "tarball", f"PACKAGES={tmp_path}")
    for path in (DEB, RPM, TARBALL):
        again = pathlib.Path(tmp_path, path.name)
        assert again.read_bytes() == path.read_bytes(), path.name
