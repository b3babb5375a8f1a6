# SPDX-License-Identifier: Apache-2.0
"""judge — what meshd says of documents, and what it says nothing of.

LEFT_OUT names, with its reason, what has no meaning here: a case is left out
only if all that it is about is.
"""

import json
import os
import re
import subprocess
import tempfile

MESHD = os.environ.get("MESHD", "build/meshd")

KUBERNETES = "an object of Kubernetes itself"
NOTHING = "no document is in it"
LATER = "the Gateway API's kinds come later"
LEFT_OUT = {
    "EnvoyFilter": "patches another proxy's insides; refused in words",
    "Gateway.gateway.networking.k8s.io": LATER,
    "GatewayClass": LATER,
    "HTTPRoute": LATER,
    "GRPCRoute": LATER,
    "TCPRoute": LATER,
    "TLSRoute": LATER,
    "ReferenceGrant": LATER,
    "fragment": "a part of a document, which nobody could apply",
}


def _has_no_routes(document):
    spec = document.get("spec") or {}
    return document.get("kind") == "VirtualService" and not any(
        spec.get(k) for k in ("http", "tcp", "tls"))


def _has_no_port(document):
    servers = (document.get("spec") or {}).get("servers") or []
    return document.get("kind") == "Gateway" and any(
        "port" not in s for s in servers)


def _asks_for_websocket(document):
    rules = (document.get("spec") or {}).get("http") or []
    return any("websocketUpgrade" in r for r in rules)


def _has_no_name(document):
    """Upstream's parser takes what no API server does."""
    meta = document.get("metadata") or {}
    return any(not re.fullmatch(r"[a-z0-9.-]*", str(meta.get(k) or ""))
               for k in ("name", "namespace"))


# Of files that are said to be valid: what upstream refuses all the same.
REFUSED = [
    (_has_no_routes, "a VirtualService without a rule, to show the error"),
    (_has_no_port, "a Gateway without a port, to show the error"),
    (_asks_for_websocket, "a field that upstream's API had before v1alpha3"),
    (_has_no_name, "a name that no server takes: it has capitals"),
]


def refused(documents):
    for document in documents:
        for is_so, why in REFUSED:
            if isinstance(document, dict) and is_so(document):
                return (why,)
    return None


class Told:
    """The outcome of one run of validate."""

    def __init__(self, answer):
        items = answer["items"]
        self.errors = answer["syntax"] + [
            e for i in items for e in i["errors"]]
        self.warnings = [
            w for i in items if i["verdict"] != "skipped"
            for w in i["warnings"]]
        self.skipped = [i for i in items if i["verdict"] == "skipped"]
        self.judged = [i for i in items if i["verdict"] != "skipped"]

    @property
    def valid(self):
        return not self.errors

    def __str__(self):
        said = [f"{e['field']}: {e['message']}" for e in self.errors]
        said += [f"warning: {w['field']}: {w['message']}"
                 for w in self.warnings]
        return "; ".join(said) or "nothing"


def run_meshd(*words):
    """A command that answers in JSON."""
    done = subprocess.run([MESHD, *map(str, words), "-o", "json"],
                          capture_output=True, text=True, timeout=120,
                          check=False)
    if done.returncode not in (0, 3) or not done.stdout:
        raise AssertionError(
            f"{words[0]} ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def validate_file(path):
    return Told(run_meshd("validate", "-f", path))


def validate_text(text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        f.write(text)
        f.flush()
        return validate_file(f.name)


def kind_of(document):
    """The name under which LEFT_OUT knows it."""
    if not isinstance(document, dict):
        return "fragment"
    kind = document.get("kind")
    if kind is None or "apiVersion" not in document:
        return "fragment"
    group = str(document["apiVersion"]).rpartition("/")[0]
    if kind == "Gateway" and group == "gateway.networking.k8s.io":
        return "Gateway.gateway.networking.k8s.io"
    return kind
