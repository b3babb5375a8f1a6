# SPDX-License-Identifier: Apache-2.0
"""units — what systemd says of ours, without being asked to run them."""

import pathlib
import re
import subprocess

import pytest

from mesh import MESHD

PACKAGING = pathlib.Path(__file__).parents[2] / "packaging"
UNITS = sorted(PACKAGING.glob("systemd/*.service"))
EXPOSURE_MAX = 2.5


CAPTURE = PACKAGING / "systemd/meshd-capture.conf"


@pytest.fixture(params=[*UNITS, CAPTURE], ids=lambda path: path.stem)
def unit(request, tmp_path):
    """The unit with the program that was built, which has to be there; the
    agent's also with the right to capture."""
    captures = request.param == CAPTURE
    file = CAPTURE.with_name("meshd-agent.service") if captures else (
        request.param)
    text = file.read_text()
    assert "=/usr/bin/meshd " in text
    path = tmp_path / file.name
    path.write_text(text.replace("=/usr/bin/meshd ", f"={MESHD} "))
    if captures:
        # Offline, systemd-analyze reads one file: what is below counts.
        start, install = path.read_text().split("[Install]")
        path.write_text(f"{start}{CAPTURE.read_text()}\n[Install]{install}")
    return path


def analyze(*words):
    return subprocess.run(
        ["systemd-analyze", *words], text=True, capture_output=True,
        timeout=60, check=False)


def test_a_unit_is_understood_whole(unit):
    done = analyze("verify", "--man=no", unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_unit_is_confined(unit):
    done = analyze("security", "--offline=yes",
                   f"--threshold={round(10 * EXPOSURE_MAX)}", unit)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done
    assert float(found[1]) <= EXPOSURE_MAX and done.returncode == 0, done


def test_all_roles_have_one():
    assert [path.stem for path in UNITS] == [
        "meshd-agent", "meshd-gateway", "meshd-server"]


def test_their_user_and_folders_are_made():
    users = (PACKAGING / "sysusers.d/meshd.conf").read_text()
    folders = (PACKAGING / "tmpfiles.d/meshd.conf").read_text()
    made = re.findall(r"^d +/var/lib/(\S+) +0700 meshd", folders, re.M)
    for path in UNITS:
        text = path.read_text()
        assert "\nUser=meshd\n" in text and re.search(r"^u +meshd ", users,
                                                     re.M)
        wanted = re.search(r"^StateDirectory=(.*)$", text, re.M)[1].split()
        assert set(wanted) <= set(made)
