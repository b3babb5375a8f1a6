# SPDX-License-Identifier: Apache-2.0
"""Every field of every kind, with every wrong type, and misspelt."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).parents[1] / "conformance"))

import generate  # noqa: E402

ODD = [None, True, 5, -1, 1.5, 1e300, 2**70, "text", "", [], {}, [None],
       [[]], {"": None}, {"a": [{}]}, "x" * 5000, ["x"] * 300]
# What a type cannot be made of; null and what is empty is as good as absent.
WRONG = {
    "whole number or text": [True, 1.5, [1], {"a": 1}],
    "text": [[], ["x"], {"a": 1}],
    "true or false": [5, "text", [1], {"a": 1}],
    "whole number": [True, "text", 1.5, [1], {"a": 1}],
    "number": [True, "text", [1], {"a": 1}],
    "word": [True, "no such word", 1.5, [1], {"a": 1}],
    "duration": [True, 5, "text", [1], {"a": 1}],
    "map": [True, 5, "text", ["x"]],
}


def message_at(kind, field, value):
    """A document in which nothing but the field and what is around it is."""
    steps = field.row["path"].split(".")[1:]
    of = KINDS[kind]
    at = of.spec
    fields = []
    for step in steps:
        at = at.inside[step]
        fields.append(at)
    for step, inner in reversed(list(zip(steps, fields))):
        if inner is not field:
            if inner.type.startswith("map of "):
                value = {"a": value}
            if inner.is_list:
                value = [value]
        value = {step: value}
    version = "/".join(filter(None, (of.group, of.versions[0])))
    return {"apiVersion": version, "kind": kind,
            "metadata": {"name": "x"}, "spec": value}


def all_fields(field):
    for inner in field.inside.values():
        yield inner
        yield from all_fields(inner)


def wrong_for(field):
    if field.is_list:
        return [True, 5, "text", {"a": 1}]
    kind = field.type
    if field.inside or kind.startswith("map"):
        return WRONG["map"]
    for name, values in WRONG.items():
        if kind.startswith(name):
            return values
    return []


def judge(meshd, tmp_path, documents):
    """What validate says of each; it always ends as it should."""
    path = tmp_path / "all.yaml"
    path.write_text("\n---\n".join(map(json.dumps, documents)) + "\n",
                    encoding="utf-8")
    done = subprocess.run([str(meshd), "validate", "-o", "json", "-f", path],
                          capture_output=True, timeout=120, check=False)
    assert done.returncode in (0, 3), done.stderr[-2000:]
    items = json.loads(done.stdout)["items"]
    assert len(items) == len(documents)
    return items


KINDS = {}


@pytest.fixture(name="binary", scope="module")

def fixture_binary():
    binary = os.environ["MESHD"]
    KINDS.update(generate.tables(binary))
    assert len(KINDS) > 10
    return binary


def nested():
    """The fields below spec, of each kind."""
    for kind, of in KINDS.items():
        for field in all_fields(of.spec):
            yield kind, field


def test_a_wrong_type_is_an_error_at_its_field(binary, tmp_path):
    cases = [(k, f, w) for k, f in nested() for w in wrong_for(f)]
    assert len(cases) > 2000
    items = judge(binary, tmp_path, [message_at(*c) for c in cases])
    for (kind, field, wrong), item in zip(cases, items):
        name = field.row["path"].split(".")[-1]
        assert any(name in e["field"] for e in item["errors"]), \
            (kind, field.row["path"], wrong, item["errors"])
        assert all(e["line"] > 0 for e in item["errors"])


def test_nothing_odd_does_harm(binary, tmp_path):
    cases = [(k, f, o) for k, f in nested() for o in ODD]
    judge(binary, tmp_path, [message_at(*c) for c in cases])


def test_a_misspelt_field_is_told_the_right_name(binary, tmp_path):
    def misspelt(kind, field):
        document = message_at(kind, field, "x")
        at, steps = document, ["spec", *field.row["path"].split(".")[1:]]
        for step in steps[:-1]:
            at = at[step]
            while isinstance(at, list) or (
                    isinstance(at, dict) and list(at) == ["a"]):
                at = at[0] if isinstance(at, list) else at["a"]
        name = steps[-1]
        at[name + "x"] = at.pop(name)
        return document

    cases = [(k, f) for k, f in nested()
             if len(f.row["path"].split(".")[-1]) > 4]
    items = judge(binary, tmp_path, [misspelt(*c) for c in cases])
    for (kind, field), item in zip(cases, items):
        assert any("no such field" in e["message"] and
                   "did you mean" in e["message"] for e in item["errors"]), \
            (kind, field.row["path"], item["errors"])
