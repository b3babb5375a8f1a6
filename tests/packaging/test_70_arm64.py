# SPDX-License-Identifier: Apache-2.0
"""arm64 — packages for another machine, made on this one; its program runs
under emulation."""

import shutil
import signal
import subprocess
import time

import pytest

from conftest import ARCH, HERE, VERSION, make, run

HERE_ARM = HERE / "build/arm64"


@pytest.fixture(scope="module")
def folder():
    if ARCH == "arm64":
        pytest.skip("this machine is one")
    for tool in ("aarch64-linux-gnu-gcc", "qemu-aarch64-static"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}: ./bootstrap ARCH=arm64")
    make("ARCH=arm64", "-j2", "provenance", timeout=1800)
    return HERE_ARM / "packages"


def test_they_say_what_they_are_for(folder):
    deb = folder / f"meshd_{VERSION}_arm64.deb"
    assert run("dpkg-deb", "-f", deb, "Architecture") == "arm64\n"
    assert run("lintian", "--allow-root", "--profile", "debian", "-EvIL",
               "+pedantic", "--tag-display-limit", "0", "--quiet", deb) == ""
    rpm = folder / f"meshd-{VERSION}-1.aarch64.rpm"
    assert run("rpm", "-qp", "--qf", "%{arch}", rpm) == "aarch64"
    run("sha256sum", "--strict", "-c", "SHA256SUMS", cwd=folder)
    assert "ELF 64-bit LSB pie executable, ARM aarch64" in run(
        "file", HERE_ARM / "meshd.stripped")


def test_its_program_makes_a_mesh_and_serves_under_emulation(
        folder, tmp_path):
    program = ["qemu-aarch64-static", str(HERE_ARM / "meshd.stripped")]
    alone = ["unshare", "--net", "--fork", "--kill-child", "sh", "-euc",
             "ip link set lo up; exec \"$@\"", "sh"]
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
           "MESHD_STATE": str(tmp_path / "state"),
           "MESHD_SOCKET": str(tmp_path / "sock")}
    assert run(*program, "version").startswith(f"meshd {VERSION}")
    run(*program, "server", "init", env=env)
    with subprocess.Popen([*alone, *program, "server", "run"], env=env,
                          stderr=subprocess.DEVNULL) as server:
        try:
            end = time.monotonic() + 60
            while subprocess.run([*program, "status"], env=env, check=False,
                                 capture_output=True).returncode != 0:
                assert time.monotonic() < end
                time.sleep(0.2)
            assert run(*program, "token", "create", env=env).startswith("mj1.")
        finally:
            server.send_signal(signal.SIGKILL)
