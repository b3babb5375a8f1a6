# SPDX-License-Identifier: Apache-2.0
"""cluster — what an API server of Kubernetes tells of sets of objects.

With files alone upstream leaves out the analyzers that look at Services,
Pods, Secrets or Namespaces. So it is given a cluster to ask: one that only
lists and watches, and in which nothing ever changes. Each set of objects is
one below a path of its own.
"""

import http.server
import json
import threading
import urllib.parse

KINDS = {"services": "Service", "pods": "Pod", "secrets": "Secret",
         "namespaces": "Namespace", "nodes": "Node",
         "configmaps": "ConfigMap", "deployments": "Deployment",
         "customresourcedefinitions": "CustomResourceDefinition",
         "mutatingwebhookconfigurations": "MutatingWebhookConfiguration",
         "validatingwebhookconfigurations": "ValidatingWebhookConfiguration"}
INITIAL_END = {"k8s.io/initial-events-end": "true"}


class Asked:
    """One request: whose cluster, which resource."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.query = dict(urllib.parse.parse_qsl(parts.query))
        self.cluster, *self.path = parts.path.strip("/").split("/")

    @property
    def api(self):
        return "v1" if self.path[:1] == ["api"] else "/".join(self.path[1:3])

    @property
    def steps(self):
        """What is behind the version: [namespaces, ns,] plural[, name]."""
        steps = self.path[2:] if self.path[:1] == ["api"] else self.path[3:]
        if steps[:1] == ["namespaces"] and len(steps) > 2:
            return steps[2:]
        return steps

    @property
    def is_list(self):
        return len(self.steps) == 1 and self.steps[0] in KINDS

    @property
    def kind(self):
        return KINDS.get(self.steps[0]) if self.steps else None


class Handler(http.server.BaseHTTPRequestHandler):
    """Lists and watches; all else is not found."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, value):
        text = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        asked = Asked(self.path)
        if asked.path == ["version"]:
            self.answer(200, {"major": "1", "minor": "33",
                              "gitVersion": "v1.33.0"})
        elif asked.path[1:] == ["v1", "namespaces", "default"]:
            self.answer(200, {"kind": "Namespace", "apiVersion": "v1",
                              "metadata": {"name": "default"}})
        elif not asked.is_list:
            self.one(asked)
        elif asked.query.get("watch") in ("true", "1"):
            self.watch(asked)
        else:
            self.answer(200, {
                "kind": asked.kind + "List", "apiVersion": asked.api,
                "metadata": {"resourceVersion": "1"},
                "items": self.objects(asked)})

    def one(self, asked):
        """By its name; only what is read so has to be alone of its name."""
        found = [o for o in self.objects(asked)
                 if o["metadata"]["name"] == asked.steps[-1]]
        self.answer(*(200, found[0]) if found else (404, {
            "kind": "Status", "apiVersion": "v1", "status": "Failure",
            "reason": "NotFound", "code": 404, "message": "not found"}))

    def objects(self, asked):
        wanted = dict(pair.split("=") for pair in filter(
            None, asked.query.get("labelSelector", "").split(",")))
        return [o for o in self.server.clusters.get(asked.cluster, [])
                if o["kind"] == asked.kind and wanted.items() <=
                o["metadata"].get("labels", {}).items()]

    def watch(self, asked):
        """The objects, if they are asked for, and then nothing more."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if asked.query.get("sendInitialEvents") == "true":
            for o in self.objects(asked):
                self.event("ADDED", o)
            self.event("BOOKMARK", {
                "kind": asked.kind, "apiVersion": asked.api, "metadata": {
                    "resourceVersion": "1", "annotations": INITIAL_END}})
        self.wfile.flush()
        self.rfile.read(1)  # until the other side has heard enough

    def event(self, what, value):
        text = json.dumps({"type": what, "object": value}).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))


class Clusters(http.server.ThreadingHTTPServer):
    """A server on a free port of loopback, until it is closed."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.clusters = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """Clients leave in the middle of a watch."""

    def put(self, name, objects):
        """Objects as documents have them; each gets what a server adds."""
        self.clusters[name] = [
            {**o, "metadata": {"uid": str(i), "resourceVersion": "1",
                               **o["metadata"]}}
            for i, o in enumerate(objects)]

    def config(self, name):
        """What a client is to be told to reach this cluster."""
        return json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "a",
            "clusters": [{"name": "a", "cluster": {
                "server": f"http://127.0.0.1:{self.server_port}/{name}"}}],
            "contexts": [{"name": "a", "context": {
                "cluster": "a", "user": "a"}}],
            "users": [{"name": "a", "user": {}}]})
