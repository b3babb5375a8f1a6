# SPDX-License-Identifier: Apache-2.0
"""places — what calls would meet from each place that a file speaks of.

Nothing is known of the answers but that there is one: for each namespace and
each set of labels that the file names, each of its hosts and ports is called,
as a program, as a neighbour and as a client of a gateway would. `explain` has
to come to an end in words, whatever the file says.
"""

import itertools
import json
import subprocess
import tempfile

import judge

import yaml

SOMEWHERE = "198.51.100.7"
OUTCOME = {"status", "flag", "reason"}


def walk(node):
    """Every map below."""
    if isinstance(node, list):
        for item in node:
            yield from walk(item)
    elif isinstance(node, dict):
        yield node
        for item in node.values():
            yield from walk(item)


def namespace_of(document):
    return (document.get("metadata") or {}).get("namespace") or "default"


def namespaces(documents):
    found = {namespace_of(d) for d in documents}
    found |= {m["sourceNamespace"] for m in walk(documents)
              if isinstance(m.get("sourceNamespace"), str)}
    return sorted(found)


def are_labels(node):
    return isinstance(node, dict) and all(
        isinstance(v, str) for v in node.values())


def labels(documents):
    """What selectors ask for, and what workloads have; nobody's, too."""
    found = [{}]
    for m in walk(documents):
        for key in ("labels", "matchLabels", "selector", "sourceLabels"):
            if are_labels(m.get(key)) and m[key] not in found:
                found.append(m[key])
    return found


def named(document):
    meta = document.get("metadata") or {}
    if document.get("kind") == "Service" and "name" in meta:
        yield f"{meta['name']}.{namespace_of(document)}"


def hosts(documents):
    found = {h for d in documents for h in named(d)}
    for m in walk(documents):
        for key in ("hosts", "sniHosts"):
            if isinstance(m.get(key), list):
                found |= {h for h in m[key] if isinstance(h, str)}
        if isinstance(m.get("host"), str):
            found.add(m["host"])
    found = {h.rpartition("/")[2].replace("*", "any") for h in found}
    return sorted(found | {"nobody.example"})


def ports(documents):
    found = {80, 443}
    for m in walk(documents):
        for key in ("port", "number"):
            if isinstance(m.get(key), int) and 0 < m[key] < 65536:
                found.add(m[key])
    return sorted(found)


def addresses(documents):
    """Where services say that they are, without networks."""
    found = {SOMEWHERE}
    for m in walk(documents):
        for key in ("clusterIP", "addresses"):
            value = m.get(key)
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and text.count(".") == 3 and \
                        text.replace(".", "").isdigit():
                    found.add(text)
    return sorted(found)


def calls(documents):
    every_host, every_port = hosts(documents), ports(documents)
    for host in every_host:
        yield {"host": host, "path": "/a/../b"}
    for port, host in itertools.product(every_port, every_host):
        for kind in ({"protocol": "http"}, {"protocol": "tcp"},
                     {"protocol": "http", "tls": "tls", "sni": host}):
            yield {"port": port, "authority": host, **kind}


def questions(documents):
    """From each place: as a program, as whoever calls it, at a gateway."""
    every_address = addresses(documents)
    for ns, owner in itertools.product(
            namespaces(documents), labels(documents)):
        place = {"namespace": ns, "labels": owner, "ip": "192.0.2.1"}
        for call in calls(documents):
            if "port" not in call:
                yield {**place, **call}
                continue
            for address in every_address:
                yield {**place, **call, "direction": "outbound",
                       "address": address}
            yield {**place, **call, "direction": "inbound",
                   "address": "192.0.2.1"}
            yield {**place, **call, "direction": "gateway",
                   "proxy": "gateway", "address": SOMEWHERE}


def is_told(line):
    try:
        answer = json.loads(line)
    except ValueError:
        return False
    return isinstance(answer, dict) and \
        OUTCOME <= set(answer.get("outcome") or {})


def judge_file(path, documents):
    """None, or what was not answered as it has to be."""
    documents = [d for d in documents if isinstance(d, dict)
                 and judge.kind_of(d) not in judge.LEFT_OUT]
    asked = [json.dumps(q) for q in questions(documents)]
    if not asked:
        return ("nothing of it can be asked about",)
    with tempfile.TemporaryDirectory(prefix="places-") as folder:
        with open(f"{folder}/all.yaml", "w", encoding="utf-8") as f:
            yaml.safe_dump_all(documents, f)
        done = subprocess.run(
            [judge.MESHD, "explain", "--files", folder, "--questions", "-"],
            input="\n".join(asked) + "\n", capture_output=True, text=True,
            timeout=120, check=False)
    told = done.stdout.splitlines()
    if len(told) != len(asked):
        return (f"{path.name}: {len(told)} answers to {len(asked)} questions, "
                f"ended with {done.returncode}: {done.stderr.strip()[:500]}")
    for question, answer in zip(asked, told):
        if not is_told(answer):
            return f"{path.name}: {question} is answered {answer[:500]}"
    return None
