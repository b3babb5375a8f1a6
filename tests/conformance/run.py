#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run — recorded configuration, judged by meshd, against what is known of it.

    tests/conformance/run.py CORPUS [--only PART] [--show N] [--result FILE]

CORPUS is any folder of the shape that corpus.py describes. A line a part:
passed of total, and how many have no meaning here, each kind of them with its
reason. Of recorded calls a part is a folder and a kind of calls; --only takes
the beginning of its name, too ("routing-more/gateway"). --show prints the first
N differences of a part. Ends with 0 if there is none. MESHD is the binary.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import sys

import analysis
import behaviour
import corpus
import judge
import places
import routing
import tables
import values

import yaml


class Part:
    """What came of the cases of one part."""

    def __init__(self, name):
        self.name = name
        self.total = 0
        self.different = []
        self.left_out = collections.Counter()

    def add(self, outcome):
        """None: as known; a text: not so; a tuple: left out, and why."""
        if isinstance(outcome, tuple):
            self.left_out[outcome[0]] += 1
            return
        self.total += 1
        if outcome is not None:
            self.different.append(outcome)

    def show(self, most):
        passed = self.total - len(self.different)
        print(f"{self.name:28} {passed:5} of {self.total:5}")
        for why, count in sorted(self.left_out.items()):
            print(f"{'':28} {count:5} left out: {why}")
        for text in self.different[:most]:
            print(f"  - {text}")


# --- judging one case --------------------------------------------------------


def left_out_of(path):
    """The reason if nothing in the file has a meaning here."""
    if "{{" in path.read_text(encoding="utf-8"):
        return ("a template of upstream's own tests",)
    kinds = {judge.kind_of(d) for d in corpus.documents(path)}
    reasons = {judge.LEFT_OUT.get(k) for k in kinds}
    if kinds and None not in reasons:
        return (sorted(reasons)[0],)
    return None


def plain_text(path):
    """MeshConfig and MeshNetworks are recorded with an envelope; without
    one is how they are written."""
    documents = corpus.documents(path)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        return None
    document = documents[0]
    if "apiVersion" in document or "spec" not in document:
        return None
    return yaml.safe_dump(_unwrapped(document["spec"] or {}),
                          allow_unicode=True)


def _unwrapped(node):
    """A number or a switch that may be missing is recorded as a message of
    one member, `value`; in a document it is the value itself."""
    if isinstance(node, list):
        return [_unwrapped(item) for item in node]
    if not isinstance(node, dict):
        return node
    if set(node) == {"value"} and isinstance(node["value"],
                                             (bool, int, float)):
        return node["value"]
    return {key: _unwrapped(item) for key, item in node.items()}


def judge_verdict(case):
    if case.valid is None and case.warns is None:
        return ("not asserted upstream",)
    text = plain_text(case.path)
    told = judge.validate_text(text) if text else \
        judge.validate_file(case.path)
    name = case.path.name
    if case.valid is not None and told.valid != case.valid:
        known = "valid" if case.valid else f"invalid ({case.words})"
        return f"{name}: known to be {known}; meshd says: {told}"
    if case.warns is not None and bool(told.warnings) != case.warns:
        known = f"a warning ({case.words})" if case.warns else "no warning"
        return f"{name}: known to give {known}; meshd says: {told}"
    return None


def judge_text(case):
    given = case.given
    for key in ((case.function, None), (case.function, given.get("in"))):
        if isinstance(key[1], (str, type(None))) and key in values.LEFT_OUT:
            return (values.LEFT_OUT[key],)
    if case.function not in values.DOCUMENTS:
        return f"{case.function}: no document asks this"
    told = judge.validate_text(values.DOCUMENTS[case.function](given))
    if told.valid == case.valid:
        return None
    known = "valid" if case.valid else "invalid"
    return f"{case.function} {given}: known to be {known}; meshd: {told}"


def judge_valid(path):
    """Whether it is, and what calls from each place in it would meet."""
    documents = corpus.documents(path)
    reason = left_out_of(path) or judge.refused(documents)
    if reason:
        return [("", reason)]
    return [("", valid(path)), ("places", places.judge_file(path, documents))]


def valid(path):
    told = judge.validate_file(path)
    errors = [e for e in told.errors if e["code"] != "ERR_UNSUPPORTED"
              or not _is_left_out(e)]
    if errors:
        return f"{path.name}: known to be valid; meshd says: {told}"
    if not told.judged:
        return (judge.KUBERNETES if told.skipped else judge.NOTHING,)
    return None


def _is_left_out(error):
    """A refused kind beside others that are judged."""
    return error["field"] == "kind"


def judge_unknown(path):
    return f"{path.name}: nobody knows what this asserts"


JUDGES = {
    "verdicts": (corpus.verdicts, judge_verdict),
    "texts": (corpus.texts, judge_text),
    "analyses": (corpus.analyses, analysis.judge_case),
    "behaviours": (behaviour.cases, behaviour.judge_case),
    "tables": (tables.cases, tables.judge_case),
    "valid": (corpus.yaml_files, judge_valid),
    "routing": (corpus.yaml_files, routing.judge_file),
    "unknown": (corpus.yaml_files, judge_unknown),
}


# --- all of it ---------------------------------------------------------------


MISTAKES = (AssertionError, AttributeError, LookupError, OSError, TypeError,
            ValueError, yaml.YAMLError)


def guarded(function, case):
    """A case that nobody can read is one that differs."""
    try:
        return function(case)
    except MISTAKES as why:
        return f"{getattr(case, 'path', case)}: {type(why).__name__}: {why}"


def read(cases, path):
    """As far as they can be read, and then what stopped it, as a case."""
    found = []
    try:
        found.extend(cases(path))
    except MISTAKES as why:
        return found, f"{path}: {type(why).__name__}: {why}"
    return found, None


def outcomes(kind, outcome):
    """(the rest of the part's name, outcome): a file may have several."""
    if isinstance(outcome, list):
        return outcome
    return [("files" if kind == "routing" else "", outcome)]


def run_parts(name, kind, path, pool):
    cases, function = JUDGES[kind]
    parts = {}
    found, broken = read(cases, path)
    if broken:
        parts[name] = Part(name)
        parts[name].add(broken)
    for outcome in pool.map(lambda c: guarded(function, c), found):
        for rest, one in outcomes(kind, outcome):
            full = f"{name}/{rest}" if rest else name
            parts.setdefault(full, Part(full)).add(one)
    return [parts[full] for full in sorted(parts)]


def wanted(only, name):
    """A part, or a folder in which it is or of which it is."""
    return not only or name == only or name.startswith(
        (f"{only}/", f"{only} ")) or only.startswith(f"{name}/")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("--only")
    parser.add_argument("--show", type=int, default=10)
    parser.add_argument("--result", type=pathlib.Path)
    words = parser.parse_args()
    if not words.corpus.is_dir():
        sys.exit(f"conformance: {words.corpus} is no folder")
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, kind, path in corpus.parts(words.corpus):
            if not wanted(words.only, name):
                continue
            for part in run_parts(name, kind, path, pool):
                if not wanted(words.only, part.name):
                    continue
                part.show(words.show)
                failed += len(part.different)
                passed += part.total - len(part.different)
    if passed + failed == 0:
        sys.exit(f"conformance: {words.corpus} holds nothing to judge")
    print(f"conformance: {passed} passed, {failed} failed")
    if words.result:
        words.result.parent.mkdir(parents=True, exist_ok=True)
        words.result.write_text(f"conformance {passed} {failed}\n",
                                encoding="utf-8")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
