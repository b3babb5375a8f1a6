# SPDX-License-Identifier: Apache-2.0
"""generate — documents of every kind, out of the tables of fields.

A document begins as a small valid one and gets fields that the tables have,
with values that fit them; then, one to three times, something is changed that
need not fit. What is random comes from one seed.
"""

import copy
import dataclasses
import json
import random
import subprocess

# The smallest that is valid, of each kind that a peer judges, too.
VALID = {
    "VirtualService": {"hosts": ["a.b"], "http": [
        {"route": [{"destination": {"host": "a.b"}}]}]},
    "DestinationRule": {"host": "a.b"},
    "Gateway": {"servers": [{"hosts": ["a.b"], "port": {
        "number": 80, "name": "http", "protocol": "HTTP"}}]},
    "ServiceEntry": {"hosts": ["a.b"], "resolution": "DNS", "ports": [
        {"number": 80, "name": "http", "protocol": "HTTP"}]},
    "WorkloadEntry": {"address": "10.0.0.1"},
    "WorkloadGroup": {"template": {}},
    "Sidecar": {"egress": [{"hosts": ["./*"]}]},
    "PeerAuthentication": {},
    "RequestAuthentication": {"jwtRules": [{"issuer": "a"}]},
    "AuthorizationPolicy": {"rules": [{}]},
    "Telemetry": {},
    "TrafficExtension": {"lua": {"inlineCode": "a"}},
    "WasmPlugin": {"url": "oci://a.b/c"},
    "ProxyConfig": {},
}

TEXTS = [
    "", " ", "a", "A", "a.b", "a.b.c", "*", "*.b", "*.a.b", "*-x.b", "a_b",
    "-a", "a-", "a.", "1", "10.0.0.1", "::1", "10.0.0.0/8", "10.0.0.0/33",
    "x" * 63, "x" * 64, "x" * 260, "ns/gw", "a/b/c", "/", "/x", "mesh", "~",
    ".", "GET", "%", "%%", "%REQ(X)%", "%REQ(", "é", "host", ":path",
    ":authority", "503", "5xx", "5xx,503", "0s", "1ms", "0.5ms", "1.5s", "-1s",
    "1h", "5", "5.0", "NaN", "region", "a/*", "*/x", "CONNECT", "http",
    "https://a/b", "ftp://x", "OK", "^a$", "(a", "a{2,1}", "unix:///a",
    "unix://a", "127.0.0.1:80", "./*", "*/*", "~/*", "ns1/*", "/{*}/a",
    "/{**}/{*}", "source.ip", "request.headers[a]", "a b",
]
NUMBERS = [
    0, 1, -1, 2, 3, 77, 80, 99, 100, 101, 199, 200, 399, 503, 599, 600, 65535,
    65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 1.5, 0.5, 0.0001, 100.5, -0.5,
]
OTHERS = [None, True, False, [], {}, [None], [{}], {"a": "b"}, {"a": None},
          ["x"], "text", 7]


@dataclasses.dataclass
class Field:
    """A row of the tables, with the rows inside of it."""

    row: dict
    inside: dict = dataclasses.field(default_factory=dict)

    @property
    def type(self):
        text = self.row.get("type", "")
        return text.removeprefix("list of ") if self.is_list else text

    @property
    def is_list(self):
        return self.row.get("list", False)


def tables(meshd):
    """kind -> (apiVersion's group, the spec's fields)."""
    told = json.loads(subprocess.run(
        [meshd, "explain-field", "-o", "json"], capture_output=True,
        text=True, timeout=60, check=True).stdout)["items"]
    kinds = {}
    for row in told:
        if row["path"] in ("", "spec"):
            kinds.setdefault(row["kind"], (row["group"], Field({})))
            continue
        at = kinds[row["kind"]][1]
        for step in row["path"].split(".")[1:]:
            at = at.inside.setdefault(step, Field(row))
    return kinds


class Generator:
    """Documents, one after another, from a seed."""

    def __init__(self, meshd, seed):
        self.kinds = {k: v for k, v in tables(meshd).items() if k in VALID}
        self.random = random.Random(seed)

    def document(self, name):
        r = self.random
        kind = r.choice(sorted(self.kinds))
        group, root = self.kinds[kind]
        spec = copy.deepcopy(VALID[kind])
        for _ in range(r.randrange(4)):
            self.add_field(spec, root)
        for _ in range(r.choice([0, 1, 1, 2, 3])):
            spec = self.mutate(spec, root)
        version = "v1beta1" if kind == "ProxyConfig" else \
            "v1alpha1" if group.startswith("extensions") else "v1"
        return {"apiVersion": f"{group}/{version}", "kind": kind,
                "metadata": {"name": name, "namespace": r.choice(
                    ["ns1", "istio-system"])},
                "spec": spec}

    # --- what fits ---

    def one(self, field, depth):
        r = self.random
        row, kind = field.row, field.type
        if row.get("words"):
            return r.choice(row["words"])
        if "number" in kind and not kind.startswith("map"):
            low, high = row.get("min", 0), row.get("max", 100)
            return r.choice([low, high, r.randint(low, high)])
        if kind == "duration":
            return r.choice(["1s", "5ms", "1.5s", "2h"])
        if kind == "true or false":
            return r.random() < 0.5
        if kind == "map of texts":
            return {"app": "a"}
        if kind == "map of numbers":
            return {"a": 80}
        if kind == "map of anything":
            return {"a": [1, {"b": None}]}
        if kind.startswith("map of "):
            return {r.choice(["a", "80", "x-a"]): self.message(field, depth)}
        if field.inside:
            return self.message(field, depth)
        return r.choice(TEXTS[2:20] + ["a.b", "10.0.0.1", "/x", "http"])

    def value(self, field, depth):
        if field.is_list:
            return [self.one(field, depth)
                    for _ in range(self.random.choice([1, 1, 2]))]
        return self.one(field, depth)

    def message(self, field, depth):
        r = self.random
        out = {}
        taken = set()
        for name, inner in field.inside.items():
            needed = inner.row.get("required")
            group = inner.row.get("oneof")
            if not needed and (depth <= 0 or r.random() > 0.25):
                continue
            if group and group in taken:
                continue
            taken.add(group)
            out[name] = self.value(inner, depth - 1)
        return out

    def add_field(self, spec, root):
        name = self.random.choice(sorted(root.inside) or [""])
        if name:
            spec[name] = self.value(root.inside[name], 3)

    # --- what need not ---

    def places(self, value, field, path=()):
        """Every place below: (path, field or None)."""
        if isinstance(value, dict):
            for key, inner in value.items():
                known = field.inside.get(key) if field else None
                if field and field.type.startswith("map of "):
                    known = field
                yield path + (key,), known
                yield from self.places(inner, known, path + (key,))
        elif isinstance(value, list):
            for i, inner in enumerate(value):
                yield path + (i,), field
                yield from self.places(inner, field, path + (i,))

    def odd(self, old):
        r = self.random
        if r.random() < 0.25:
            return copy.deepcopy(r.choice(OTHERS))
        if isinstance(old, (int, float)) and not isinstance(old, bool):
            return r.choice(NUMBERS)
        return r.choice(TEXTS)

    def mutate(self, spec, root):
        r = self.random
        all_places = list(self.places(spec, root))
        if not all_places or r.random() < 0.1:
            self.add_field(spec, root)
            return spec
        path, field = r.choice(all_places)
        holder = spec
        for step in path[:-1]:
            holder = holder[step]
        old = holder[path[-1]]
        chance = r.random()
        if chance < 0.2:
            del holder[path[-1]]
        elif chance < 0.3 and isinstance(holder, list):
            holder.insert(path[-1], copy.deepcopy(old))
        elif chance < 0.5 and isinstance(old, dict) and field and \
                field.inside:
            name = r.choice(sorted(field.inside))
            old[name] = self.value(field.inside[name], 2)
        elif isinstance(old, (dict, list)) and chance < 0.8:
            holder[path[-1]] = type(old)()
        else:
            holder[path[-1]] = self.odd(old)
        return spec
