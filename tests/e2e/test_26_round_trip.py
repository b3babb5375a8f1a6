# SPDX-License-Identifier: Apache-2.0
"""round trip — what was written comes back, to the byte and in any number."""

import json
import os
import pathlib
import re

import pytest

from mesh import SANITIZED, wait_for
from test_22_keep import GUARD, INERT, LABELLED, CHANGED, names

ROOT = pathlib.Path(__file__).resolve().parents[2]
OWN = [*sorted((ROOT / "demo").glob("*.yaml")),
       *sorted((ROOT / "tests/golden/files").glob("*.yaml")),
       *sorted((ROOT / "tests/fuzz/corpus/resource").iterdir())]

ODD = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: odd
  labels: {b.c/d: "", a: "1", yes: "no"}
  annotations:
    text: "two\\nlines, \\ttabs, \\"quotes\\", \\u00e9\\u4e2d and # no remark"
    empty: ""
    number: "0123"
    words: "true"
spec:
  hosts: ["*.example.com", "1.example.org"]
  http:
  - name: "null"
    match: [{uri: {prefix: "/a: b"}, headers: {x: {exact: "~"}}}]
    route: [{destination: {host: a.example.com, port: {number: 80}}}]
    timeout: 0.5s
    retries: {attempts: 0}
    headers: {request: {set: {x-a: "- b", x-b: "{c}"}, remove: [x-c]}}
"""


def unchanged(meshd, text):
    """Applying it changes nothing at all."""
    out = meshd.ok("apply", "--allow-inert", "--force", "-f", "-", stdin=text)
    return all(line.endswith(" unchanged") for line in out.splitlines())


def comes_back(meshd):
    """The same bytes twice, and applied they are what is there."""
    text = meshd.ok("get", "all", "-o", "yaml")
    assert unchanged(meshd, text)
    assert meshd.ok("get", "all", "-o", "yaml") == text
    bare = re.sub(r"^  (resourceVersion|creationTimestamp): .*\n", "", text,
                  flags=re.M)
    assert unchanged(meshd, bare)
    return text


def sound(meshd, paths):
    """Those without a mistake; a command takes so many words at once."""
    for at in range(0, len(paths), 50):
        told = json.loads(meshd("validate", "-o", "json",
                                *paths[at:at + 50]).stdout)
        bad = {e["file"] for e in told["syntax"]}
        bad |= {d["file"] for d in told["items"] if d["verdict"] != "valid"}
        yield from (p for p in paths[at:at + 50] if str(p) not in bad)


def apply_each(meshd, paths):
    """Those that are valid; what is stored is what each of them says."""
    valid = 0
    for path in sound(meshd, paths):
        text = path.read_bytes().decode("utf-8", "replace")
        if meshd("apply", "--allow-inert", "--force", "-f", "-",
                 stdin=text).returncode != 0:
            continue
        valid += 1
        done = meshd("diff", "-f", "-", stdin=text)
        assert (done.returncode, done.stdout) == (0, ""), (path, done)
    return valid


@pytest.mark.parametrize("text", [CHANGED, INERT, GUARD, ODD],
                         ids=["routes", "inert", "guard", "odd"])
def test_what_was_written_comes_back(server, meshd, text):
    meshd.ok("apply", "--allow-inert", "--force", "-f", "-", stdin=text)
    assert meshd("diff", "-f", "-", stdin=text).returncode == 0
    comes_back(meshd)


def test_every_sample_of_ours_comes_back(server, meshd):
    assert apply_each(meshd, OWN) > 5
    comes_back(meshd)


CORPUS = os.environ.get("CORPUS")
# It takes minutes, so several workers share it.
PARTS = 8 if CORPUS else 1


@pytest.mark.parametrize("part", range(PARTS))
def test_every_valid_document_of_the_corpus_comes_back(server, meshd, part):
    """Of CORPUS, if there is one; a store full of it is restored from get.

    Sanitizers see every sixteenth of its files.
    """
    paths = OWN
    if CORPUS:
        paths = sorted(pathlib.Path(CORPUS).rglob("*.yaml"))
        paths = paths[::16] if SANITIZED else paths
    assert apply_each(meshd, paths[part::PARTS]) > 2
    text = comes_back(meshd)
    kept = names(meshd)
    meshd.ok("delete", "-f", "-", stdin=text)
    assert names(meshd) == []
    # Nothing is there to be based on any more.
    text = re.sub(r"^  resourceVersion: .*\n", "", text, flags=re.M)
    meshd.ok("apply", "--allow-inert", "--force", "-f", "-", stdin=text)
    assert names(meshd) == kept


def test_ten_thousand_documents_at_one_stroke(server, meshd):
    text = "---\n".join(
        LABELLED % (f"s{i}", f"n{i % 7}", "app: x") for i in range(10000))
    before = meshd.json("status")["revision"]
    out = meshd.ok("apply", "-f", "-", stdin=text)
    assert out.count("created") == 10000
    assert meshd.json("status")["revision"] == before + 1
    assert len(meshd.items("get")) == 10000
    assert comes_back(meshd).count("\n---\n") == 9999
    # What it needed for that it gives back.
    small = 1024 * (1500 if SANITIZED else 100)
    wait_for(lambda: server.rss_kib() < small,
             lambda: f"it is small again: {server.rss_kib()} KiB")
    more = "---\n".join(
        LABELLED % (f"s{i}", "one-more", "app: x") for i in range(10001))
    done = meshd("apply", "-f", "-", stdin=more)
    assert done.returncode == 3
    assert "10001 documents at once; 10000 is the most" in done.stderr
    pruned = meshd.ok("apply", "--prune", "-l", "app=x", "-f", "-",
                      stdin=LABELLED % ("s0", "n0", "app: x"))
    assert pruned.count("deleted") == 9999
    assert meshd.ok("rollback", before + 1).count("created") == 9999
