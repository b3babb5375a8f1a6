# SPDX-License-Identifier: Apache-2.0
"""conftest — packages, and fresh roots to try them in.

A root is a copy of what debootstrap makes once; programs run in it by chroot,
in namespaces of their own.
"""

import os
import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).parents[2]
PACKAGES = pathlib.Path(os.environ["PACKAGES"])
VERSION = os.environ["VERSION"]
ROOT = pathlib.Path(os.environ["ROOT"])
NEWER = VERSION + "+1"  # the same tree as another version
DEADLINE = 120
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]

NEEDED = ("curl", "dbus", "iproute2", "systemd", "systemd-sysv")

# What has no trace of a package in its name, or is of the tool itself.
NOT_OURS = ("var/lib/dpkg", "var/lib/rpm", "var/cache", "var/log", "proc",
            "sys", "dev", "run/lock", "tmp", "root")


def run(*words, timeout=DEADLINE, **options):
    done = subprocess.run(
        list(map(str, words)), text=True, capture_output=True, check=False,
        timeout=timeout, **options)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def make(*words, **options):
    return run("make", "-s", "-C", HERE, *words, **options)


def package(kind, version, folder):
    """One made of what was built, under another version; its path."""
    stage = folder / f"stage-{kind}"
    make("install", f"DESTDIR={stage}", "PREFIX=/usr")
    return run(HERE / f"packaging/{kind}.sh", version, stage, folder,
               env={"PATH": os.environ["PATH"], "ARCH": ARCH,
                    "SOURCE_DATE_EPOCH": "1"}).split()[-1]


UNIT = """\
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=-/bin/bash -euc '/root/script >/root/told 2>&1; echo done >>/root/told'
ExecStopPost=systemctl --no-block exit
"""

# `says WHAT TEXT COMMAND...`: it comes to say that.
BEGIN = r"""#!/bin/bash
set -eEu
trap 'journalctl --no-pager -n 60 -u "meshd*"' ERR
says() {
    local text=$1
    shift
    for _ in $(seq 300); do
        told=$("$@" 2>&1) || true
        [[ $told != *"$text"* ]] || return 0
        sleep 0.1
    done
    echo "no \"$text\" of $*: $told"
    return 1
}
status() { systemctl show --value -p StatusText "$1"; }
ip link add mesh0 type bridge
ip addr add 10.77.0.1/24 dev mesh0
ip link set mesh0 up
"""


class Root:
    """A machine's files."""

    def __init__(self, path):
        self.path = path

    def __truediv__(self, name):
        return self.path / str(name).lstrip("/")

    def copy(self, file):
        shutil.copy(file, self / "root")
        return f"/root/{pathlib.Path(file).name}"

    def sh(self, script):
        """Runs a script in it, alone; what it prints."""
        return self.beside('exec chroot "$1" sh -euc "$2"', script)

    def beside(self, outer, *words):
        """The same of a script that is not in it; $1 is its path."""
        return run(
            "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
            "sh", "-euc",
            'ip link set lo up; mount -t proc proc "$1/proc"; '
            'for d in null urandom; do '
            'touch "$1/dev/$d"; mount --bind "/dev/$d" "$1/dev/$d"; done; '
            + outer, "sh", self.path, *words)

    def names(self):
        """All paths but those of package tools and caches."""
        found = set()
        for folder, folders, files in os.walk(self.path):
            at = os.path.relpath(folder, self.path)
            folders[:] = [f for f in folders
                          if os.path.normpath(f"{at}/{f}") not in NOT_OURS]
            found |= {os.path.normpath(f"{at}/{f}") for f in folders + files}
        return found


@pytest.fixture(scope="session")
def base():
    """Made once, kept for the next run."""
    if not ROOT.exists():
        made = ROOT.with_name(ROOT.name + ".new")
        shutil.rmtree(made, ignore_errors=True)
        made.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["debootstrap", "--variant=minbase",
             f"--include={','.join(NEEDED)}", "bookworm", made], check=True)
        made.rename(ROOT)
    assert (ROOT / "usr/bin/curl").exists(), (
        f"{ROOT} has no curl: it needs {', '.join(NEEDED)}")
    return ROOT


@pytest.fixture
def root(base, tmp_path):
    path = tmp_path / "root"
    run("cp", "-a", "--reflink=auto", base, path)
    yield Root(path)
    shutil.rmtree(path)


@pytest.fixture
def boot(root):
    """Runs a script under systemd, to its end; what it printed."""
    if shutil.which("systemd-nspawn") is None:
        pytest.skip("there is no systemd-nspawn: package systemd-container")

    def run_script(text):
        script = root / "root/script"
        script.write_text(text)
        script.chmod(0o755)
        units = root / "etc/systemd/system"
        (units / "check.service").write_text(UNIT)
        wants = units / "multi-user.target.wants"
        (wants / "check.service").symlink_to("../check.service")
        log = subprocess.run(
            ["systemd-nspawn", "-D", root.path, "--private-network",
             "--register=no", "--keep-unit", "--boot", "--quiet"], text=True,
            capture_output=True, timeout=DEADLINE, check=False,
            stdin=subprocess.DEVNULL)
        told = root / "root/told"
        if not told.exists():
            pytest.skip(f"systemd does not run here: {log.stdout[-500:]}")
        return told.read_text()
    return run_script
