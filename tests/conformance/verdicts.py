# SPDX-License-Identifier: Apache-2.0
"""verdicts — generated documents, judged by meshd and by a real istioctl.

Compared is whether a document is valid, and of a valid one whether there is a
warning. What stays different is explained in README.md; each has a rule here
that recognises it.
"""

import collections
import json
import os
import re
import subprocess
import sys

import generate
import yaml

MESHD = os.environ.get("MESHD", "build/meshd")
BATCH = 50


def by_istioctl(istioctl, path):
    """name -> (has errors, has warnings)."""
    done = subprocess.run([istioctl, "validate", "-f", path],
                          capture_output=True, text=True, timeout=300,
                          check=False)
    errors, warnings, into = {}, {}, None
    for line in (done.stdout + "\n" + done.stderr).splitlines():
        if "has warnings" in line:
            into = warnings
        elif re.match(r"Error: |\d+ errors? occurred", line) or \
                "error occurred" in line or "errors occurred" in line:
            into = errors
        found = re.search(r"(?:\* |Error: )\w+/\S*/(d\d+):(.*)", line)
        if found and into is not None:
            into.setdefault(found.group(1), []).append(found.group(2))
    return errors, warnings


def by_meshd(path):
    done = subprocess.run([MESHD, "validate", "-o", "json", "-f", path],
                          capture_output=True, text=True, timeout=300,
                          check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"meshd ended with {done.returncode}: {done.stderr}")
    told = {}
    for item in json.loads(done.stdout)["items"]:
        told[item["name"]] = (
            [f"{e['field']}: {e['message']}" for e in item["errors"]],
            [f"{w['field']}: {w['message']}" for w in item["warnings"]])
    return told


# --- differences that stay ---------------------------------------------------

# (a rule over the document and what each said, the name in README.md)
KNOWN = [
    (lambda d, ours, theirs: bool(ours) and not theirs and any(
        re.search(r"more than|at most|longer than|holds \d+", e)
        for e in ours),
     "bounds of our own"),
    (lambda d, ours, theirs: bool(ours) and not theirs and all(
        re.search(r"spaceDelimitedClaims\[\d+\]: may not be empty", e)
        for e in ours),
     "the schema of the cluster"),
    (lambda d, ours, theirs: bool(ours) and not theirs and all(
        re.search(r'"-\S+" is no duration', e) for e in ours),
     "negative durations"),
    (lambda d, ours, theirs: bool(ours) and not theirs and
     re.search(r"\b\d{19,20}\b", json.dumps(d)) and all(
         re.search(r"is a number; a whole number is expected", e)
         for e in ours),
     "numbers of 64 bits"),
]


def known(document, ours, theirs):
    for rule, name in KNOWN:
        if rule(document, ours, theirs):
            return name
    return None


class Verdicts:
    """Batches, and what came of them."""

    def __init__(self, words):
        self.words = words
        self.made = generate.Generator(MESHD, words.seed)
        self.different = 0
        self.explained = collections.Counter()
        self.verdicts = collections.Counter()

    def batch(self, folder, start):
        documents = [self.made.document(f"d{start + i}") for i in range(BATCH)]
        path = folder / "batch.yaml"
        path.write_text("\n---\n".join(
            yaml.safe_dump(d, allow_unicode=True, width=1 << 20)
            for d in documents), encoding="utf-8")
        errors, warnings = by_istioctl(self.words.istioctl, path)
        ours = by_meshd(path)
        for d in documents:
            name = d["metadata"]["name"]
            self.compare(d, ours[name], errors.get(name, []),
                         warnings.get(name, []))

    def compare(self, document, ours, errors, warnings):
        verdict = "invalid" if errors else "valid"
        self.verdicts[verdict] += 1
        self.made.note(document, verdict)
        same = bool(ours[0]) == bool(errors) and (
            errors or bool(ours[1]) == bool(warnings))
        if same:
            return
        why = known(document, ours[0], errors)
        if why:
            self.explained[why] += 1
            return
        self.different += 1
        if self.different > self.words.show:
            return
        notes = [document["metadata"].get(k)
                 for k in ("labels", "annotations")]
        print(f"{document['kind']} {json.dumps(document['spec'])[:1000]}"
              f"{' '.join(str(n) for n in notes if n)}")
        print(f"  istioctl: {errors or warnings or 'valid'}"[:600])
        print(f"  meshd:    {ours[0] or ours[1] or 'valid'}"[:600])

    def all(self, folder):
        """How many differ, and nothing explains it."""
        for start in range(0, self.words.count, BATCH):
            self.batch(folder, start)
        for why, count in sorted(self.explained.items()):
            print(f"explained: {count} {why}")
        if self.words.fields:
            self.tell_fields()
        print(f"{sum(self.verdicts.values())} documents "
              f"({self.verdicts['valid']} valid): {self.different} differ")
        return self.different

    def tell_fields(self):
        for name, count in sorted(self.made.mutated.items()):
            print(f"mutation: {count} {name}")
        never = set(self.made.unreached("valid"))
        for path in sorted(never):
            also = "" if path in self.made.unreached("invalid") else \
                " valid, only invalid"
            print(f"never{also}: {path}")
