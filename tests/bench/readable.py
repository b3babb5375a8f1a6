# SPDX-License-Identifier: Apache-2.0
"""readable — the files of a folder that meshd and istioctl both read.

A file that one of them cannot read at all, or that ends it, would make them do
different work: it is in neither's folder. How many, and why, is printed.
"""

import collections
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys

from machine import PROXY_CORE

sys.path.append(str(pathlib.Path(__file__).parents[1] / "conformance"))
import corpus  # noqa: E402
import judge   # noqa: E402

# What istioctl says of a text that it could not make documents of.
UNREAD = re.compile(r"error processing (\S+)\[\d+\]: (?:failed interpreting"
                    r"|failed converting|unable to parse)")
# Exit status of a program in Go that panicked.
PANICKED = 2


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def run(argv):
    # No cluster is asked, whatever the caller's surroundings say.
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=600, check=False, env={**os.environ, "KUBECONFIG": os.devnull},
        preexec_fn=lambda: os.sched_setaffinity(0, {PROXY_CORE}))


def cpu_seconds(argv):
    """Of a command and all that it started, on one core."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(argv)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime
            - before.ru_utime - before.ru_stime)


def has_documents(path):
    documents = corpus.documents(path)
    return bool(documents) and all(
        judge.kind_of(d) != "fragment" for d in documents)


def unread_by_meshd(meshd, folder):
    told = json.loads(run([meshd, "validate", "-o", "json", "-f",
                           folder]).stdout)
    return {e["file"] for e in told["syntax"]}


def ends(argv, paths):
    """Those that make a command panic: it does not say which."""
    if not paths:
        return []
    words = [w for path in paths for w in ("-f", path)]
    if run(argv[:2] + words).returncode != PANICKED:
        return []
    if len(paths) == 1:
        return paths
    half = len(paths) // 2
    return ends(argv, paths[:half]) + ends(argv, paths[half:])


def unread_by_istioctl(commands, folder):
    validate, analyze = commands
    paths = [os.path.join(folder, n) for n in sorted(os.listdir(folder))]
    told = run(analyze + [folder])
    return set(UNREAD.findall(told.stderr)), set(ends(validate, paths))


def copies(stage, settings, peer):
    """A folder, flat, of all that both read; `peer` is istioctl's commands
    (validate, analyze), or None."""
    folder = stage.path("corpus")
    os.mkdir(folder)
    left_out = collections.Counter()
    files = corpus.yaml_files(pathlib.Path(settings.corpus))
    for number, path in enumerate(files):
        if has_documents(path):
            shutil.copy(path, os.path.join(folder, f"{number:06}.yaml"))
        else:
            left_out["without apiVersion and kind, or no YAML"] += 1
    unread = {"meshd does not read": unread_by_meshd(settings.meshd, folder)}
    if peer:
        by_analyze, by_validate = unread_by_istioctl(peer, folder)
        unread["istioctl does not read"] = by_analyze
        unread["istioctl panics at"] = by_validate
    for why, paths in unread.items():
        left_out[why] = len(paths)
    for path in set().union(*unread.values()):
        os.unlink(path)
    kept = len(os.listdir(folder))
    if kept == 0:
        raise RuntimeError(f"{settings.corpus} holds nothing to judge")
    say(f"corpus: {kept} files of {len(files)}; left out: " + ", ".join(
        f"{count} {why}" for why, count in left_out.items()))
    return folder
