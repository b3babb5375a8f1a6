# SPDX-License-Identifier: Apache-2.0
"""conformance — the runner takes any folder, and no mistake in one for right."""

import os
import pathlib
import subprocess
import sys

import pytest

RUN = pathlib.Path(__file__).parents[1] / "conformance" / "run.py"
CASE = """\
name: sidecar 1
proxy: {type: sidecar, namespace: default, ip: 1.1.1.1}
config: |
  apiVersion: networking.istio.io/v1
  kind: ServiceEntry
  metadata: {name: a, namespace: default}
  spec:
    hosts: [a.example.com]
    ports: [{number: 80, name: http, protocol: HTTP}]
    resolution: DNS
calls:
- name: one
  call: {port: 80, protocol: http, hostHeader: a.example.com}
  result:
    listenerMatched: 0.0.0.0_80
    clusterMatched: outbound|80||a.example.com
"""


def run(folder, *words):
    return subprocess.run(
        [sys.executable, RUN, folder, *words], text=True, check=False,
        capture_output=True, timeout=60, env={**os.environ})


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize("name", ["mine/1.yaml", "1.yaml", "mine/1.yml",
                                  "mine/deeper/1.yaml"])
def test_any_folder_is_judged(tmp_path, name):
    done = run(write(tmp_path, {name: CASE}))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "conformance: 1 passed, 0 failed" in done.stdout
    wrong = CASE.replace("0.0.0.0_80", "0.0.0.0_81")
    done = run(write(tmp_path, {name: wrong}))
    assert done.returncode == 1
    assert 'listenerMatched: known "0.0.0.0_81"' in done.stdout


BAD = {
    "no yaml": "calls: [\n",
    "empty": "",
    "no map": "- calls: []\n  config: x\n",
    "no result": CASE[:CASE.index("  result:")],
    "no calls": CASE[:CASE.index("calls:")],
    "misspelled": CASE.replace("listenerMatched", "listenerMatch"),
    "an unknown question": CASE.replace("hostHeader", "host"),
    "bytes": "calls:\n- \udcff\n",
    "invalid": CASE.replace("number: 80", "number: 80000"),
}


@pytest.mark.parametrize("mistake", BAD)
@pytest.mark.parametrize("name", ["0.yaml", "2.yaml"])
def test_a_broken_case_fails_and_the_others_are_judged(
        tmp_path, mistake, name):
    write(tmp_path, {"mine/1.yaml": CASE})
    (tmp_path / "mine" / name).write_bytes(
        BAD[mistake].encode(errors="surrogateescape"))
    done = run(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "conformance: 1 passed, 1 failed" in done.stdout, done.stdout
    assert name in done.stdout


def test_what_has_no_shape_that_is_known_fails(tmp_path):
    done = run(write(tmp_path, {"mine/1.yaml": "cases:\n- {a: b}\n"}))
    assert done.returncode == 1
    assert "nobody knows what this asserts" in done.stdout
    for empty in ({}, {"README.md": "words"}):
        folder = tmp_path / f"empty{len(empty)}"
        folder.mkdir()
        done = run(write(folder, empty))
        assert done.returncode == 1
        assert "holds nothing to judge" in done.stderr


def test_policies_that_cannot_be_read_fail(tmp_path):
    done = run(write(tmp_path, {"authz/a-out.yaml": "name: [\n",
                                "authz/a-in.yaml": "kind: [\n"}))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "0 passed, 1 failed" in done.stdout, done.stdout
