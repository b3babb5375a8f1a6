# SPDX-License-Identifier: Apache-2.0
"""messages — sets of documents, analysed by meshd and by a real istioctl.

Upstream's analyzers need Services, Pods and the like, which istioctl takes
from a cluster only: cluster.py is one. Compared are pairs of a code and a
resource, of the codes that both know; of IST0101 also what is not there.
What stays different is explained in README.md; each has a rule in known.py
that recognises it.
"""

import collections
import concurrent.futures
import json
import re
import subprocess
import sys

import analysis
import cluster
import known
import sets
import yaml
from verdicts import MESHD

AT_ONCE = 12  # istioctl waits most of its time
IN_CLUSTER = {"Service", "Pod", "Secret", "Namespace"}
NETWORKS = "MeshNetworks istio-system/meshnetworks"
CODES = {code for pairs in analysis.ANALYZERS.values()
         if isinstance(pairs, list) for code, _ in pairs} | \
    {code for code, _ in analysis.SCHEMA}


def certificate(folder):
    """A pair in base64, as a Secret holds it, that is good for a day."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=a",
         "-keyout", folder / "key", "-out", folder / "crt"],
        check=True, capture_output=True, timeout=60)
    return [subprocess.run(["base64", "-w0", folder / name], check=True,
                           capture_output=True, text=True,
                           timeout=60).stdout for name in ("crt", "key")]


def missing(text):
    """What is not there, of either side's words: "host a", "gateway g"."""
    theirs = re.match(r'Referenced (\S+(?: host)?)(?: in \S+)? not found: '
                      r'"(.*)"', text)
    ours = re.match(r'(\S+(?: host)?) "(.*?)"', text)
    port = re.match(r"(\S+) has no port (\d+)", text)
    if port and not theirs:
        return f"host:port {port.group(1)}:{port.group(2)}"
    found = theirs or ours
    return " ".join(found.groups()) if found else text


def key_of(code, origin, text):
    """Of that something is not there, also what."""
    return code, f"{origin}: {missing(text)}" if code == "IST0101" else origin


def by_istioctl(istioctl, folder):
    files = [str(folder / "config.yaml")] \
        if (folder / "config.yaml").stat().st_size else []
    done = subprocess.run(
        [istioctl, "analyze", "-A", "-o", "json", "--kubeconfig",
         folder / "kubeconfig", "--meshConfigFile", folder / "mesh.yaml",
         *files], capture_output=True, text=True, timeout=120, check=False)
    begin = re.search(r"^\[", done.stdout, re.MULTILINE)  # behind its log
    if begin is None:
        sys.exit(f"istioctl ended with {done.returncode}: {done}")
    told = collections.defaultdict(list)
    for m in json.loads(done.stdout[begin.start():]):
        key = key_of(m["code"], m.get("origin", ""), m["message"])
        told[key].append(m["message"])
    return told


def by_meshd(folder):
    done = subprocess.run(
        [MESHD, "analyze", "--files-only", "-o", "json", "-f",
         folder / "cluster.yaml", "-f", folder / "config.yaml", "-f",
         folder / "mesh.yaml", "-f", folder / "networks.yaml"],
        capture_output=True, text=True, timeout=120, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"meshd ended with {done.returncode}: {done.stderr}")
    told = collections.defaultdict(list)
    for i in json.loads(done.stdout)["items"]:
        origin = NETWORKS if i["kind"] == "Network" else analysis.origin_of(i)
        told[key_of(i["id"], origin, i["message"])].append(i["message"])
    return told


def settings(networks):
    """Where upstream has the networks of a mesh from; the rest is a file."""
    return sets.document("v1", "ConfigMap", "istio-system", "istio", data={
        "mesh": "{}", "meshNetworks": json.dumps(networks)})


class Messages:
    """Sets, and what came of them."""

    def __init__(self, words):
        self.words = words
        self.clusters = cluster.Clusters()
        self.different = 0
        self.explained = collections.Counter()
        self.same = collections.Counter()

    def judge(self, at):
        """Both answers on one set, which lies in a folder of its own."""
        folder, name, (documents, mesh, networks) = at
        of_cluster = [d for d in documents if d["kind"] in IN_CLUSTER]
        self.clusters.put(name, [*of_cluster, settings(networks)])
        for file, content in (
                ("cluster.yaml", of_cluster), ("config.yaml", [
                    d for d in documents if d["kind"] not in IN_CLUSTER]),
                ("mesh.yaml", [mesh] if mesh else []),
                ("networks.yaml", [networks])):
            (folder / file).write_text(
                "\n---\n".join(yaml.safe_dump(d) for d in content),
                encoding="utf-8")
        (folder / "kubeconfig").write_text(self.clusters.config(name))
        documents.append(sets.document(
            "v1", "MeshConfig", None, "mesh", spec=mesh))
        return documents, by_meshd(folder), \
            by_istioctl(self.words.istioctl, folder)

    def compare(self, documents, ours, theirs):
        new = []
        for pair in sorted(set(ours) | set(theirs)):
            if pair[0] not in CODES:
                continue
            if pair in ours and pair in theirs:
                self.same[pair[0]] += 1
                continue
            why = known.why(documents, pair, ours, theirs)
            if why:
                self.explained[why] += 1
            else:
                new.append(pair)
        if not new:
            return
        self.different += 1
        if self.different <= self.words.show:
            self.show(documents, new, ours, theirs)

    def show(self, documents, pairs, ours, theirs):
        for d in documents:
            meta = d["metadata"]
            print(f"{d['kind']} {meta.get('namespace', '')}/{meta['name']} "
                  f"{json.dumps(meta.get('labels'))} "
                  f"{json.dumps(d.get('spec'))}"[:700])
        for pair in pairs:
            who, words = ("meshd", ours[pair]) if pair in ours else \
                ("istioctl", theirs[pair])
            print(f"  only {who}: {' '.join(pair)}: {words}"[:600])

    def all(self, folder):
        """How many sets differ, and nothing explains it."""
        made = sets.Sets(self.words.seed, *certificate(folder))
        work = []
        for i in range(self.words.sets):
            (folder / f"s{i}").mkdir()
            work.append((folder / f"s{i}", f"s{i}", made.one()))
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for answer in pool.map(self.judge, work):
                self.compare(*answer)
        print("same: " + " ".join(
            f"{code} {count}" for code, count in sorted(self.same.items())))
        for why, count in sorted(self.explained.items()):
            print(f"explained: {count} {why}")
        print(f"{len(work)} sets, {sum(self.same.values())} findings of "
              f"both: {self.different} sets differ")
        return self.different
