#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""provenance.py — how the packages were made: an in-toto statement, unsigned.

	provenance.py VERSION ARCH SBOM FOLDER

Its subjects are the packages that lie in FOLDER; its predicate is SLSA's
(https://slsa.dev/spec/v1.0/provenance). It says what can be looked up again:
the commit, and whether the tree was that commit; the sources and the archives
by their digests; the tools by their versions. It does not say where or when,
because whoever builds may be anybody: it is no more than their word.
"""

import hashlib
import json
import pathlib
import subprocess
import sys

SITE = "https://meshd.dev"
# `make ARCH=… tarball deb rpm` in the tree of that commit.
BUILD_TYPE = f"{SITE}/build/make/v1"
BUILDER = f"{SITE}/build/anybody/v1"


def run(*words):
    done = subprocess.run(list(words), text=True, capture_output=True,
                          check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def subject(path):
    return {"name": path.name, "digest": {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}}


def digest_of(row):
    return {s["algorithm"].lower(): s["checksumValue"]
            for s in row.get("checksums", []) if s["algorithm"] == "SHA256"}


def materials(sbom):
    """What the program is made of besides our own tree."""
    found = []
    for row in sbom["packages"][1:]:
        item = {"name": row["name"],
                "uri": row["externalRefs"][0]["referenceLocator"]}
        if digest_of(row):
            item["digest"] = digest_of(row)
        found.append(item)
    return found + [{"name": row["fileName"].removeprefix("./"),
                     "digest": digest_of(row)} for row in sbom["files"]]


def tools(arch):
    prefix = "aarch64-linux-gnu-" if arch == "arm64" and run(
        "uname", "-m") != "aarch64" else ""
    asked = {"compiler": (f"{prefix}gcc", "--version"),
             "linker": (f"{prefix}ld", "--version"),
             "make": ("make", "--version"),
             "system": ("sed", "-n", 's/^PRETTY_NAME="\\(.*\\)"/\\1/p',
                        "/etc/os-release")}
    return {name: run(*words).partition("\n")[0]
            for name, words in asked.items()}


def statement(version, arch, sbom, subjects):
    commit = run("git", "rev-parse", "HEAD")
    source = [{"name": "meshd", "digest": {"gitCommit": commit}}] * bool(commit)
    changed = bool(run("git", "status", "--porcelain"))
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"arch": arch, "version": version},
                # Then the commit is not all that went in.
                "internalParameters": {"treeWasChanged": changed},
                "resolvedDependencies": source + materials(sbom)},
            "runDetails": {"builder": {"id": BUILDER,
                                       "version": tools(arch)}}}}


def main(version, arch, sbom, folder):
    folder = pathlib.Path(folder)
    name = f"meshd-{version}-linux-{arch}.provenance.json"
    subjects = [subject(path) for path in sorted(folder.iterdir())
                if path.is_file() and path.name not in (name, "SHA256SUMS")]
    told = statement(version, arch, json.loads(
        pathlib.Path(sbom).read_text(encoding="utf-8")), subjects)
    (folder / name).write_text(json.dumps(told, indent=1) + "\n",
                               encoding="utf-8")
    print(folder / name)


if __name__ == "__main__":
    main(*sys.argv[1:])
